/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of one guest. */
#include "base/format.h"
#include "host/doctor-check.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Of the RAM that is present, in percent: below 1 MiB and behind ROMs some is never huge, so less
 * than all is well too. */
#define COVERAGE_WELL 90

#define GUEST_STATE_FIRST "See guest-state: this can be told once that is mended."

static gboolean
nothing_is_wrong(FolioReason reason)
{
    return reason == FOLIO_REASON_NONE || reason == FOLIO_REASON_LOCATING ||
           reason == FOLIO_REASON_SUSPENDED || reason == FOLIO_REASON_MODE_OFF ||
           reason == FOLIO_REASON_MODE_OBSERVE || reason == FOLIO_REASON_PAUSED ||
           reason == FOLIO_REASON_ON_REQUEST;
}

static void
check_state(const FolioDoctorGuest *guest, GPtrArray *checks)
{
    g_autofree char *match = g_strdup_printf("FOLIOD_GUEST_NAME=%s", guest->name);
    g_autofree char *quoted = g_shell_quote(match);
    g_autofree char *journal = g_strdup_printf("Run: journalctl -u foliod %s", quoted);
    const char *remedy = folio_reason_remedy(guest->reason);

    if (nothing_is_wrong(guest->reason))
        folio_checks_pass(checks, "guest-state", "%s", guest->reason_text);
    else
        folio_checks_object(checks, FOLIO_CHECK_FAIL, "guest-state",
                            *remedy != '\0' ? remedy : journal, "%s", guest->reason_text);
}

/* The path of a program that was replaced while it runs ends so in /proc/PID/exe. */
static char *
without_deleted(const char *exe)
{
    const char *suffix = " (deleted)";

    return g_str_has_suffix(exe, suffix) ? g_strndup(exe, strlen(exe) - strlen(suffix))
                                         : g_strdup(exe);
}

static gboolean
is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether its <emulator> is known to be another program than the QEMU that it runs. */
static gboolean
has_launcher(const FolioDoctorGuest *guest)
{
    g_autofree char *qemu = without_deleted(guest->exe);
    struct stat emulator_info, qemu_info;

    return *guest->emulator != '\0' && *qemu != '\0' &&
           stat(guest->emulator, &emulator_info) == 0 && stat(qemu, &qemu_info) == 0 &&
           !is_same_file(&emulator_info, &qemu_info);
}

/* What is wrong with one RAM block, to be put behind its name, and the remedy; FALSE when it is
 * well. */
typedef gboolean (*FindFault)(const FolioDoctorGuest *guest, const FolioRamBlock *block,
                              char **fault, char **remedy);

/* One check for each block with a fault, or one that passed, saying well. */
static void
check_blocks(const FolioDoctorGuest *guest, const char *check, FindFault find_fault,
             const char *well, GPtrArray *checks)
{
    const FolioGuestRam *ram = guest->ram;
    gboolean all_well = TRUE;

    for (guint i = 0; ram != NULL && i < ram->blocks->len; i++) {
        const FolioRamBlock *block = g_ptr_array_index(ram->blocks, i);
        g_autofree char *fault = NULL;
        g_autofree char *remedy = NULL;

        if (!find_fault(guest, block, &fault, &remedy))
            continue;
        all_well = FALSE;
        folio_checks_object(checks, FOLIO_CHECK_FAIL, check, remedy, "RAM block %s %s", block->id,
                            fault);
    }
    if (ram == NULL)
        folio_checks_object(checks, FOLIO_CHECK_WARN, check, GUEST_STATE_FIRST,
                            "its RAM is not known yet");
    else if (all_well)
        folio_checks_pass(checks, check, "%s", well);
}

static gboolean
is_memfd(const FolioRamBlock *block)
{
    return block->spec.backing == FOLIO_BACKING_MEMFD;
}

static gboolean
is_hugetlb(const FolioRamBlock *block)
{
    return block->spec.backing == FOLIO_BACKING_HUGETLB || g_str_equal(block->fs_type, "hugetlbfs");
}

static gboolean
find_alignment_fault(const FolioDoctorGuest *guest, const FolioRamBlock *block, char **fault,
                     char **remedy)
{
    g_autofree char *size = NULL;

    /* hugetlb pages are always aligned to their own size. */
    if (block->alignment >= FOLIO_BLOCK_BYTES || is_hugetlb(block))
        return FALSE;
    size = folio_format_bytes(block->alignment);
    *fault = g_strdup_printf("is aligned to %s only, so no huge page can map it", size);
    /* The launcher aligns files that are on QEMU's command line; QEMU has no such property for a
     * memfd. */
    if (is_memfd(block))
        *remedy = g_strdup(folio_reason_remedy(FOLIO_REASON_NOT_TMPFS));
    else if (has_launcher(guest))
        *remedy = g_strdup(FOLIO_REMEDY_PLUGGED);
    else
        *remedy = g_strdup(folio_reason_remedy(FOLIO_REASON_MISALIGNED));
    return TRUE;
}

/* Where the file system of a block's file is mounted, for us; NULL when that cannot be told, as
 * when QEMU sees other mounts than we do. */
static char *
find_mount_point(const FolioRamBlock *block)
{
    const dev_t device = makedev(block->dev_major, block->dev_minor);
    g_autofree char *found = NULL;
    g_autofree char *path = g_path_get_dirname(block->file);

    if (!g_path_is_absolute(path))
        return NULL;
    for (;;) {
        g_autofree char *parent = g_path_get_dirname(path);
        struct stat info;

        if (stat(path, &info) == 0 && info.st_dev == device) {
            g_free(found);
            found = g_strdup(path);
        } else if (found != NULL) {
            break;
        }
        if (g_str_equal(parent, path))
            break;
        g_free(path);
        path = g_steal_pointer(&parent);
    }
    return g_steal_pointer(&found);
}

static char *
remount_remedy(const FolioRamBlock *block)
{
    g_autofree char *mount_point = find_mount_point(block);
    g_autofree char *quoted = NULL;

    if (mount_point == NULL)
        return g_strdup(folio_reason_remedy(FOLIO_REASON_TMPFS_NOT_HUGE));
    quoted = g_shell_quote(mount_point);
    return g_strdup_printf("Run: mount -o remount,huge=always %s; set huge=always in /etc/fstab "
                           "too, and start the guest again.",
                           quoted);
}

static gboolean
mount_gives_huge_pages(const FolioRamBlock *block)
{
    return *block->huge != '\0' && !g_str_equal(block->huge, "never");
}

/* A block has one reason, the gravest. One that comes after TMPFS_NOT_HUGE says that its tmpfs is
 * well, whatever the mount option (shmem_enabled=force); a graver one says nothing of it. */
static gboolean
tmpfs_gives_huge_pages(const FolioRamBlock *block)
{
    if (block->reason == FOLIO_REASON_TMPFS_NOT_HUGE)
        return FALSE;
    if (block->reason == FOLIO_REASON_NONE || block->reason == FOLIO_REASON_MISALIGNED ||
        block->reason == FOLIO_REASON_LOCKED)
        return TRUE;
    return mount_gives_huge_pages(block);
}

static gboolean
find_tmpfs_fault(const FolioDoctorGuest *guest, const FolioRamBlock *block, char **fault,
                 char **remedy)
{
    if (block->spec.backing != FOLIO_BACKING_FILE)
        return FALSE;
    if (!g_str_equal(block->fs_type, "tmpfs")) {
        *fault = *block->fs_type != '\0'
                     ? g_strdup_printf("is a file on %s, which is no tmpfs", block->fs_type)
                     : g_strdup("is a file on a file system that is not mounted any more");
        *remedy = g_strdup(folio_reason_remedy(FOLIO_REASON_NOT_TMPFS));
        return TRUE;
    }
    if (tmpfs_gives_huge_pages(block))
        return FALSE;
    if (mount_gives_huge_pages(block)) {
        *fault = g_strdup_printf("is on a tmpfs mounted huge=%s, but shmem_enabled is deny",
                                 block->huge);
        *remedy =
            g_strdup("Run: echo never > /sys/kernel/mm/transparent_hugepage/shmem_enabled; then "
                     "start the guest again.");
        return TRUE;
    }
    *fault = g_strdup_printf("is on a tmpfs mounted %s",
                             *block->huge != '\0' ? "huge=never" : "without huge=");
    *remedy = remount_remedy(block);
    return TRUE;
}

static gboolean
has_file(const FolioGuestRam *ram)
{
    for (guint i = 0; ram != NULL && i < ram->blocks->len; i++) {
        const FolioRamBlock *block = g_ptr_array_index(ram->blocks, i);

        if (block->spec.backing == FOLIO_BACKING_FILE)
            return TRUE;
    }
    return FALSE;
}

static gboolean
find_backing_fault(const FolioDoctorGuest *guest, const FolioRamBlock *block, char **fault,
                   char **remedy)
{
    static const char *const faults[] = {
        [FOLIO_BACKING_ANONYMOUS] = "is anonymous memory, not a file",
        [FOLIO_BACKING_FILE] = "",
        [FOLIO_BACKING_MEMFD] = "is a memfd, not a file",
        [FOLIO_BACKING_HUGETLB] = "is on hugetlb pages, which cannot be split",
    };
    FolioReason reason = FOLIO_REASON_NOT_TMPFS;

    if (is_hugetlb(block)) {
        *fault = g_strdup(faults[FOLIO_BACKING_HUGETLB]);
        reason = FOLIO_REASON_HUGETLB;
    } else if (block->spec.backing != FOLIO_BACKING_FILE) {
        *fault = g_strdup(faults[block->spec.backing]);
    } else if (!block->shared) {
        *fault = g_strdup("is a private mapping of its file: what the guest writes is anonymous");
        reason = FOLIO_REASON_PRIVATE;
    } else {
        return FALSE;
    }
    *remedy = g_strdup(folio_reason_remedy(reason));
    return TRUE;
}

static void
check_vfio(const FolioDoctorGuest *guest, GPtrArray *checks)
{
    if (guest->n_vfio == 0)
        folio_checks_pass(checks, "vfio", "no device is passed through");
    else
        folio_checks_object(checks, FOLIO_CHECK_FAIL, "vfio",
                            "Detach them (virsh detach-device), or use virtio devices.",
                            "%u device%s passed through, which pins all of its RAM: it cannot be "
                            "split",
                            guest->n_vfio, guest->n_vfio == 1 ? " is" : "s are");
}

static void
check_locked(const FolioDoctorGuest *guest, GPtrArray *checks)
{
    gboolean locked = guest->locked;

    for (guint i = 0; guest->ram != NULL && i < guest->ram->blocks->len; i++) {
        const FolioRamBlock *block = g_ptr_array_index(guest->ram->blocks, i);

        locked = locked || block->locked;
    }
    if (!locked)
        folio_checks_pass(checks, "locked", "its RAM is not locked");
    else
        folio_checks_object(
            checks, FOLIO_CHECK_FAIL, "locked", folio_reason_remedy(FOLIO_REASON_LOCKED), "%s",
            guest->locked ? "its RAM is locked by <locked/>" : "QEMU has locked its RAM");
}

static void
check_coverage(const FolioGuestRam *ram, GPtrArray *checks)
{
    g_autofree char *present = NULL;
    guint percent;

    if (ram == NULL || ram->measured_usec == 0) {
        folio_checks_object(checks, FOLIO_CHECK_WARN, "huge-coverage", GUEST_STATE_FIRST,
                            "its RAM has not been measured yet");
        return;
    }
    if (ram->now.present == 0) {
        folio_checks_pass(checks, "huge-coverage", "none of its RAM is present yet");
        return;
    }
    present = folio_format_bytes(ram->now.present);
    percent = (guint) (ram->now.pmd_mapped * 100 / ram->now.present);
    if (percent >= COVERAGE_WELL)
        folio_checks_pass(checks, "huge-coverage", "huge pages map %u %% of the %s present",
                          percent, present);
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, "huge-coverage",
                            ram->reason != FOLIO_REASON_NONE
                                ? "See the failed checks above; RAM that is small stays so until "
                                  "the guest is started again."
                                : "Start the guest again; before that, where memory is "
                                  "fragmented, run: echo 1 > /proc/sys/vm/compact_memory",
                            "huge pages map only %u %% of the %s present", percent, present);
}

static gboolean
is_newer(const struct stat *a, const struct stat *b)
{
    return a->st_ctim.tv_sec > b->st_ctim.tv_sec ||
           (a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec > b->st_ctim.tv_nsec);
}

/* libvirt keeps the capabilities of an emulator until the ctime of that file changes
 * (virQEMUCapsIsValid), which a launcher's does not when QEMU is upgraded. */
static void
check_emulator_cache(const FolioDoctorGuest *guest, GPtrArray *checks)
{
    g_autofree char *qemu = without_deleted(guest->exe);
    g_autofree char *quoted = g_shell_quote(guest->emulator);
    g_autofree char *touch = g_strdup_printf("Run: touch %s", quoted);
    struct stat emulator_info, qemu_info;

    if (*guest->emulator == '\0' || *qemu == '\0')
        folio_checks_object(checks, FOLIO_CHECK_WARN, "emulator-cache", GUEST_STATE_FIRST,
                            "its QEMU is not known yet");
    else if (stat(guest->emulator, &emulator_info) != 0)
        folio_checks_object(checks, FOLIO_CHECK_WARN, "emulator-cache",
                            "Install it again, or name another <emulator> (virsh edit).",
                            "%s cannot be looked at: %s", guest->emulator, g_strerror(errno));
    else if (stat(qemu, &qemu_info) != 0)
        folio_checks_object(checks, FOLIO_CHECK_WARN, "emulator-cache",
                            "Install QEMU again, or start the guest again by another one.",
                            "%s, which it runs, cannot be looked at: %s", qemu, g_strerror(errno));
    else if (is_same_file(&emulator_info, &qemu_info))
        folio_checks_pass(checks, "emulator-cache", "not needed here: its <emulator> is QEMU");
    else if (is_newer(&qemu_info, &emulator_info))
        folio_checks_object(checks, FOLIO_CHECK_WARN, "emulator-cache", touch,
                            "%s is newer than %s: libvirt may still use what it knows of an older "
                            "QEMU",
                            qemu, guest->emulator);
    else
        folio_checks_pass(checks, "emulator-cache", "%s is newer than QEMU", guest->emulator);
}

static void
check_hints(const FolioDoctorGuest *guest, GPtrArray *checks)
{
    if (*guest->hint_error != '\0')
        folio_checks_object(checks, FOLIO_CHECK_WARN, "hints",
                            "Correct what is named (virsh metadata GUEST --uri "
                            "https://foliod.org/xmlns/policy/1 --key foliod --live --config --set "
                            "...; for nova the extra specs of the flavor).",
                            "%s", guest->hint_error);
    else if (*guest->hint_capped != '\0')
        folio_checks_object(checks, FOLIO_CHECK_WARN, "hints",
                            "Ask for less, or raise the key that is named, in foliod.conf; then: "
                            "systemctl reload foliod",
                            "%s", guest->hint_capped);
    else
        folio_checks_pass(checks, "hints", "none is refused or cut down");
}

void
folio_doctor_check_guest(const FolioDoctorGuest *guest, GPtrArray *checks)
{
    check_state(guest, checks);
    check_blocks(guest, "alignment", find_alignment_fault, "its RAM lies at multiples of 2 MiB",
                 checks);
    check_blocks(guest, "tmpfs", find_tmpfs_fault,
                 has_file(guest->ram) ? "its RAM lies on a tmpfs with huge pages"
                                      : "not needed here: its RAM is no file (see backing)",
                 checks);
    check_blocks(guest, "backing", find_backing_fault, "its RAM is files, mapped shared", checks);
    check_vfio(guest, checks);
    check_locked(guest, checks);
    check_coverage(guest->ram, checks);
    check_emulator_cache(guest, checks);
    check_hints(guest, checks);
}
