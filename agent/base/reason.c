/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of reasons: token, text, remedy. */
#include "base/reason.h"

/* clang-format off */
static const struct {
    const char *token;
    const char *text;
    const char *remedy;
} reasons[] = {
    [FOLIO_REASON_NONE] = {
      "none",
      "nothing is in the way",
      "" },
    [FOLIO_REASON_LOCATING] = {
      "locating",
      "its QEMU process is being looked for",
      "" },
    [FOLIO_REASON_NO_PID_FILE] = {
      "no-pid-file",
      "libvirt's PID file of this guest is not there",
      "Set RunDirectory= in foliod.conf to the directory in which this libvirt keeps "
      "NAME.pid." },
    [FOLIO_REASON_BAD_PID_FILE] = {
      "bad-pid-file",
      "libvirt's PID file of this guest holds no PID",
      "Restart the guest; until then foliod leaves it alone." },
    [FOLIO_REASON_PROCESS_GONE] = {
      "process-gone",
      "its QEMU process has ended",
      "" },
    [FOLIO_REASON_NOT_QEMU] = {
      "not-qemu",
      "the process in its PID file is not QEMU",
      "Restart the guest; until then foliod leaves it alone." },
    [FOLIO_REASON_UUID_MISMATCH] = {
      "uuid-mismatch",
      "the QEMU process in its PID file runs another guest",
      "Restart the guest; until then foliod leaves it alone." },
    [FOLIO_REASON_VCPU_MISMATCH] = {
      "vcpu-mismatch",
      "the QEMU process does not have as many vCPU threads as libvirt says",
      "Keep debug-threads=on, libvirt's default, on QEMU's command line." },
    [FOLIO_REASON_NO_ACCESS] = {
      "no-access",
      "the kernel does not let foliod look at its process",
      "Run foliod from its unit file, which keeps CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and "
      "CAP_PERFMON; under AppArmor or SELinux add the rule that the README shows." },
    [FOLIO_REASON_BAD_XML] = {
      "bad-xml",
      "libvirt's description of the guest cannot be used",
      "Correct what is said of it with virsh edit GUEST; if nothing is wrong with it, report it as "
      "a bug of foliod, with the output of virsh dumpxml GUEST." },
    [FOLIO_REASON_NOT_QEMU_DOMAIN] = {
      "not-qemu-domain",
      "not a guest of QEMU",
      "" },
    [FOLIO_REASON_RAM_NOT_FOUND] = {
      "ram-not-found",
      "its RAM was not found in the QEMU process",
      "Report it as a bug of foliod, with the output of folioctl doctor GUEST and virsh dumpxml "
      "GUEST." },
    [FOLIO_REASON_RAM_AMBIGUOUS] = {
      "ram-ambiguous",
      "more than one mapping of the QEMU process could be its RAM",
      "Give the guest <memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>, "
      "whose files bear names, and start it again; if it has that, report it as a bug of foliod, "
      "with the output of folioctl doctor GUEST and virsh dumpxml GUEST." },
    [FOLIO_REASON_RAM_UNREADABLE] = {
      "ram-unreadable",
      "the memory map of the QEMU process cannot be read",
      "Start the guest again, in case its memory map had become too long; if it stays unreadable, "
      "report it as a bug of foliod, with the output of folioctl doctor GUEST and uname -r." },
    [FOLIO_REASON_PAGE_SIZE] = {
      "page-size",
      "base pages of this host are not 4 KiB",
      "Boot a kernel with 4 KiB base pages." },
    [FOLIO_REASON_MISALIGNED] = {
      "misaligned",
      "its RAM does not start at a multiple of 2 MiB, so no huge page can map it",
      "Name foliod-qemu in <emulator> (README: The launcher) and start the guest again. "
      FOLIO_REMEDY_PLUGGED },
    [FOLIO_REASON_NOT_TMPFS] = {
      "not-tmpfs",
      "its RAM is not a file on a tmpfs",
      "Set memory_backing_dir in qemu.conf to a tmpfs mounted huge=always, give the guest "
      "<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>, and start it "
      "again." },
    [FOLIO_REASON_PRIVATE] = {
      "private",
      "its RAM is a private copy of its file, which is not on the tmpfs",
      "Add <access mode='shared'/> to its <memoryBacking> and start the guest again." },
    [FOLIO_REASON_HUGETLB] = {
      "hugetlb",
      "its RAM is on hugetlb pages, which cannot be split",
      "Use a tmpfs mounted huge=always in place of <hugepages/>." },
    [FOLIO_REASON_TMPFS_NOT_HUGE] = {
      "tmpfs-not-huge",
      "the tmpfs of its RAM gives it no huge pages",
      "Mount the tmpfs of memory_backing_dir with huge=always (mount -o "
      "remount,huge=always), do not set shmem_enabled to deny, and start the guest again." },
    [FOLIO_REASON_VFIO] = {
      "vfio",
      "a device passed through to it pins all of its RAM",
      "Detach the device; while it is attached its memory cannot be served." },
    [FOLIO_REASON_LOCKED] = {
      "locked",
      "its RAM is locked",
      "Remove <locked/> from its <memoryBacking> and start the guest again." },
    [FOLIO_REASON_SUSPENDED] = {
      "suspended",
      "the guest is suspended",
      "" },
    [FOLIO_REASON_PARTLY] = {
      "partly",
      "some of its RAM cannot be served",
      "Run: folioctl show GUEST, which names the RAM blocks, and folioctl doctor GUEST." },
    [FOLIO_REASON_MODE_OFF] = {
      "mode-off",
      "it is not looked at (mode off)",
      "" },
    [FOLIO_REASON_MODE_OBSERVE] = {
      "mode-observe",
      "it is measured, never changed (mode observe)",
      "" },
    [FOLIO_REASON_PAUSED] = {
      "paused",
      "foliod is paused: nothing is sampled or changed",
      "Run: folioctl resume." },
    [FOLIO_REASON_NO_ACTUATOR] = {
      "no-actuator",
      "it is measured only: nothing on this host can do what its mode is for",
      "Run: folioctl doctor, which says what keeps DAMON, split_huge_pages and MADV_COLLAPSE from "
      "being used." },
    [FOLIO_REASON_KHUGEPAGED_UNDOES] = {
      "khugepaged-undoes",
      "khugepaged would undo splits",
      "Start the guest by foliod-qemu with thp=khugepaged-off, or set Inject=yes, on a kernel with "
      "foliod's patches; stop khugepaged for the whole host (folioctl doctor); or set "
      "Khugepaged=strict. \"folioctl split --force\" splits all the same." },
    [FOLIO_REASON_ON_REQUEST] = {
      "on-request",
      "its accesses are not sampled; memory is split and collapsed when foliod is told to",
      "Run: folioctl split GUEST, or folioctl collapse GUEST; for foliod to decide, Source= in "
      "foliod.conf must name a source of samples." },
    [FOLIO_REASON_NO_SAMPLER] = {
      "no-sampler",
      "its accesses cannot be sampled",
      "\"folioctl doctor\" says what this host lacks; Source= in foliod.conf names the source, none "
      "if there is to be none." },
    [FOLIO_REASON_NO_GUEST_SAMPLES] = {
      "no-guest-samples",
      "no sample comes from code of the guest, only from QEMU and the host",
      "Run a kernel whose SPE driver samples guests (kernel/README)." },
    [FOLIO_REASON_EVIDENCE_SHORT] = {
      "evidence-short",
      "it is sampled; there is no verdict on any block yet",
      "" },
};
/* clang-format on */

G_STATIC_ASSERT(G_N_ELEMENTS(reasons) == FOLIO_REASON_LAST + 1);

const char *
folio_reason_token(FolioReason reason)
{
    return reasons[reason].token;
}

const char *
folio_reason_text(FolioReason reason)
{
    return reasons[reason].text;
}

const char *
folio_reason_remedy(FolioReason reason)
{
    return reasons[reason].remedy;
}

gboolean
folio_reason_from_token(const char *token, FolioReason *reason)
{
    for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++) {
        if (g_str_equal(token, reasons[i].token)) {
            *reason = (FolioReason) i;
            return TRUE;
        }
    }
    return FALSE;
}
