/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor: what it says of which guest. */
#include "doctor-checks.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MIB (1024 * 1024ULL)

static const char *const guest_checks[] = {
    "guest-state", "alignment",     "tmpfs",          "backing", "vfio",
    "locked",      "huge-coverage", "emulator-cache", "hints",
};

static FolioRamBlock *
good_block(const char *id)
{
    FolioRamBlock *block = g_new0(FolioRamBlock, 1);

    block->id = g_strdup(id);
    block->spec =
        (FolioRamSpec){ .kind = FOLIO_RAM_CELL, .backing = FOLIO_BACKING_FILE, .bytes = 256 * MIB };
    block->hva = 0x7f0000000000;
    block->bytes = 256 * MIB;
    block->inode = 42;
    block->shared = TRUE;
    block->file = g_strdup("/nonexistent/ram/libvirt/qemu/1-g/ram");
    block->fs_type = g_strdup("tmpfs");
    block->fs_options = g_strdup("rw,huge=always");
    block->huge = g_strdup("always");
    block->alignment = 1024 * MIB;
    return block;
}

static void
block_free(gpointer data)
{
    FolioRamBlock *block = data;

    g_free(block->id);
    g_free(block->file);
    g_free(block->fs_type);
    g_free(block->fs_options);
    g_free(block->huge);
    g_free(block);
}

typedef struct {
    FolioDoctorGuest guest;
    FolioGuestRam ram;
    FolioRamBlock *first; /* of two */
    FolioRamBlock *second;
} Patient;

static int
set_up(void **state)
{
    Patient *patient = g_new0(Patient, 1);

    patient->first = good_block("cell0");
    patient->second = good_block("cell1");
    patient->ram.blocks = g_ptr_array_new_with_free_func(block_free);
    g_ptr_array_add(patient->ram.blocks, patient->first);
    g_ptr_array_add(patient->ram.blocks, patient->second);
    patient->ram.bytes = 512 * MIB;
    patient->ram.now = (FolioResidency){ .present = 512 * MIB, .pmd_mapped = 512 * MIB };
    patient->ram.measured_usec = 1;
    patient->guest = (FolioDoctorGuest){ .name = "it's a guest",
                                         .reason = FOLIO_REASON_MODE_OBSERVE,
                                         .reason_text = "mode observe",
                                         .emulator = "/proc/self/exe",
                                         .exe = "/proc/self/exe",
                                         .hint_error = "",
                                         .hint_capped = "",
                                         .ram = &patient->ram };
    *state = patient;
    return 0;
}

static int
tear_down(void **state)
{
    Patient *patient = *state;

    g_ptr_array_unref(patient->ram.blocks);
    g_free(patient);
    return 0;
}

static void
check_free(gpointer data)
{
    FolioCheck *check = data;

    g_free(check->text);
    g_free(check->remedy);
    g_free(check);
}

static GPtrArray *
check_guest(Patient *patient)
{
    GPtrArray *checks = g_ptr_array_new_with_free_func(check_free);

    folio_doctor_check_guest(&patient->guest, checks);
    assert_sound(checks);
    return checks;
}

static void
assert_guest(Patient *patient, const char *token, FolioCheckResult result, const char *text_part,
             const char *remedy_part)
{
    g_autoptr(GPtrArray) checks = check_guest(patient);

    assert_tokens(checks, guest_checks, G_N_ELEMENTS(guest_checks));
    assert_check(checks, token, result, text_part, remedy_part);
}

static void
test_good_guest(void **state)
{
    g_autoptr(GPtrArray) checks = check_guest(*state);

    assert_tokens(checks, guest_checks, G_N_ELEMENTS(guest_checks));
    for (guint i = 0; i < checks->len; i++) {
        const FolioCheck *check = g_ptr_array_index(checks, i);

        if (check->result != FOLIO_CHECK_PASS)
            fail_msg("%s: %s", check->check, check->text);
    }
    assert_check(checks, "emulator-cache", FOLIO_CHECK_PASS, "not needed here", "");
    assert_check(checks, "huge-coverage", FOLIO_CHECK_PASS, "100 % of the 512 MiB present", "");
}

/* Whatever the reason: a check with a remedy, or one that passed. */
static void
test_every_reason(void **state)
{
    Patient *patient = *state;

    for (int reason = 0; reason <= FOLIO_REASON_LAST; reason++) {
        patient->guest.reason = (FolioReason) reason;
        patient->guest.reason_text = folio_reason_text((FolioReason) reason);
        g_ptr_array_unref(check_guest(patient));
    }
    patient->guest.reason = FOLIO_REASON_NOT_QEMU_DOMAIN;
    assert_guest(patient, "guest-state", FOLIO_CHECK_FAIL, "", "journalctl -u foliod");
}

/* The journal's remedy can be pasted whatever the guest is called. */
static void
test_state_remedy(void **state)
{
    Patient *patient = *state;

    patient->guest.reason = FOLIO_REASON_PROCESS_GONE;
    patient->guest.reason_text = "its process\nhas ended";
    assert_guest(patient, "guest-state", FOLIO_CHECK_FAIL, "its process\\x0ahas",
                 "journalctl -u foliod 'FOLIOD_GUEST_NAME=it'\\''s a guest'");
    patient->guest.reason = FOLIO_REASON_NO_PID_FILE;
    assert_guest(patient, "guest-state", FOLIO_CHECK_FAIL, "", "RunDirectory=");
    patient->guest.reason = FOLIO_REASON_SUSPENDED;
    assert_guest(patient, "guest-state", FOLIO_CHECK_PASS, "", "");
    patient->guest.reason = FOLIO_REASON_KHUGEPAGED_UNDOES;
    assert_guest(patient, "guest-state", FOLIO_CHECK_FAIL, "", "thp=khugepaged-off");
    patient->guest.reason = FOLIO_REASON_ON_REQUEST;
    assert_guest(patient, "guest-state", FOLIO_CHECK_PASS, "", "");
}

static void
test_not_located(void **state)
{
    Patient *patient = *state;
    g_autoptr(GPtrArray) checks = NULL;

    patient->guest.ram = NULL;
    patient->guest.exe = "";
    patient->guest.reason = FOLIO_REASON_NO_PID_FILE;
    checks = check_guest(patient);
    assert_tokens(checks, guest_checks, G_N_ELEMENTS(guest_checks));
    assert_check(checks, "guest-state", FOLIO_CHECK_FAIL, "", "RunDirectory");
    assert_check(checks, "alignment", FOLIO_CHECK_WARN, "not known", "guest-state");
    assert_check(checks, "tmpfs", FOLIO_CHECK_WARN, "not known", "guest-state");
    assert_check(checks, "backing", FOLIO_CHECK_WARN, "not known", "guest-state");
    assert_check(checks, "huge-coverage", FOLIO_CHECK_WARN, "not been measured", "guest-state");
    assert_check(checks, "emulator-cache", FOLIO_CHECK_WARN, "not known", "guest-state");
    assert_check(checks, "vfio", FOLIO_CHECK_PASS, "", "");
}

static void
test_misaligned(void **state)
{
    Patient *patient = *state;
    g_autoptr(GPtrArray) checks = NULL;

    patient->second->alignment = 4096;
    patient->second->reason = FOLIO_REASON_MISALIGNED;
    assert_guest(patient, "alignment", FOLIO_CHECK_FAIL, "RAM block cell1 is aligned to 4 KiB only",
                 "foliod-qemu");
    /* Two blocks, two checks. */
    patient->first->alignment = MIB;
    checks = check_guest(patient);
    assert_int_equal(checks->len, G_N_ELEMENTS(guest_checks) + 1);
    assert_non_null(strstr(find_nth(checks, "alignment", 0)->text, "cell0 is aligned to 1 MiB"));
    assert_non_null(
        strstr(find_nth(checks, "alignment", 1)->text, "cell1 is aligned to 4 KiB only"));
    /* The launcher is no help to a memfd. */
    patient->first->alignment = 2 * MIB;
    patient->second->spec.backing = FOLIO_BACKING_MEMFD;
    assert_guest(patient, "alignment", FOLIO_CHECK_FAIL, "cell1", "source type='file'");
    patient->second->spec.backing = FOLIO_BACKING_HUGETLB;
    assert_guest(patient, "alignment", FOLIO_CHECK_PASS, "", "");
}

static void
test_tmpfs(void **state)
{
    Patient *patient = *state;
    FolioRamBlock *block = patient->first;

    block->reason = FOLIO_REASON_TMPFS_NOT_HUGE;
    replace(&block->huge, "");
    assert_guest(patient, "tmpfs", FOLIO_CHECK_FAIL,
                 "cell0 is on a tmpfs mounted without huge=", "remount,huge=always");
    replace(&block->huge, "never");
    assert_guest(patient, "tmpfs", FOLIO_CHECK_FAIL, "huge=never", "remount,huge=always");
    replace(&block->huge, "always");
    assert_guest(patient, "tmpfs", FOLIO_CHECK_FAIL, "shmem_enabled is deny", "echo never > ");
    /* shmem_enabled=force: the mount option does not matter. */
    block->reason = FOLIO_REASON_MISALIGNED;
    replace(&block->huge, "never");
    assert_guest(patient, "tmpfs", FOLIO_CHECK_PASS, "", "");
    /* A graver reason hides this one. */
    block->reason = FOLIO_REASON_PRIVATE;
    assert_guest(patient, "tmpfs", FOLIO_CHECK_FAIL, "huge=never", "remount");
    replace(&block->huge, "within_size");
    assert_guest(patient, "tmpfs", FOLIO_CHECK_PASS, "", "");

    replace(&block->fs_type, "ext4");
    assert_guest(patient, "tmpfs", FOLIO_CHECK_FAIL, "ext4", "memory_backing_dir");
    replace(&block->fs_type, "");
    assert_guest(patient, "tmpfs", FOLIO_CHECK_FAIL, "not mounted any more", "memory_backing_dir");
}

/* The remedy names the mount point itself, also when the file's directories are gone. */
static void
test_mount_point(void **state)
{
    Patient *patient = *state;
    FolioRamBlock *block = patient->first;
    struct stat root, shm;

    assert_int_equal(stat("/", &root), 0);
    assert_int_equal(stat("/dev/shm", &shm), 0);
    assert_true(root.st_dev != shm.st_dev);
    block->reason = FOLIO_REASON_TMPFS_NOT_HUGE;
    replace(&block->huge, "never");
    replace(&block->file, "/dev/shm/no such/directory/ram");
    block->dev_major = major(shm.st_dev);
    block->dev_minor = minor(shm.st_dev);
    assert_guest(patient, "tmpfs", FOLIO_CHECK_FAIL, "huge=never",
                 "Run: mount -o remount,huge=always '/dev/shm'; ");
    replace(&block->file, "/dev/shm/ram");
    assert_guest(patient, "tmpfs", FOLIO_CHECK_FAIL, "huge=never", "huge=always '/dev/shm'; ");
    /* Something else is mounted there, for us: better no path than a wrong one. */
    block->dev_major = 0xfff;
    assert_guest(patient, "tmpfs", FOLIO_CHECK_FAIL, "huge=never",
                 folio_reason_remedy(FOLIO_REASON_TMPFS_NOT_HUGE));
    replace(&block->file, "relative/ram");
    assert_guest(patient, "tmpfs", FOLIO_CHECK_FAIL, "huge=never",
                 folio_reason_remedy(FOLIO_REASON_TMPFS_NOT_HUGE));
}

static void
test_backing(void **state)
{
    Patient *patient = *state;
    FolioRamBlock *block = patient->second;

    block->shared = FALSE;
    assert_guest(patient, "backing", FOLIO_CHECK_FAIL, "cell1 is a private mapping",
                 "access mode='shared'");
    block->spec.backing = FOLIO_BACKING_ANONYMOUS;
    assert_guest(patient, "backing", FOLIO_CHECK_FAIL, "anonymous", "memory_backing_dir");
    block->spec.backing = FOLIO_BACKING_MEMFD;
    assert_guest(patient, "backing", FOLIO_CHECK_FAIL, "memfd", "memory_backing_dir");
    block->spec.backing = FOLIO_BACKING_HUGETLB;
    assert_guest(patient, "backing", FOLIO_CHECK_FAIL, "hugetlb", "tmpfs");
    block->spec.backing = FOLIO_BACKING_FILE;
    block->shared = TRUE;
    replace(&block->fs_type, "hugetlbfs");
    {
        g_autoptr(GPtrArray) checks = check_guest(patient);

        assert_check(checks, "backing", FOLIO_CHECK_FAIL, "hugetlb", "tmpfs");
    }
    patient->first->spec.backing = block->spec.backing = FOLIO_BACKING_MEMFD;
    {
        g_autoptr(GPtrArray) checks = check_guest(patient);

        assert_check(checks, "tmpfs", FOLIO_CHECK_PASS, "not needed here", "");
    }
}

static void
test_pinned(void **state)
{
    Patient *patient = *state;

    patient->guest.n_vfio = 1;
    assert_guest(patient, "vfio", FOLIO_CHECK_FAIL, "1 device is passed", "detach-device");
    patient->guest.n_vfio = 2;
    assert_guest(patient, "vfio", FOLIO_CHECK_FAIL, "2 devices are passed", "detach-device");
    patient->second->locked = TRUE;
    assert_guest(patient, "locked", FOLIO_CHECK_FAIL, "QEMU has locked", "<locked/>");
    patient->guest.locked = TRUE;
    assert_guest(patient, "locked", FOLIO_CHECK_FAIL, "by <locked/>", "<locked/>");
}

static void
test_coverage(void **state)
{
    Patient *patient = *state;

    patient->ram.now.pmd_mapped = 450 * MIB;
    assert_guest(patient, "huge-coverage", FOLIO_CHECK_WARN, "only 87 % of the 512 MiB present",
                 "compact_memory");
    patient->ram.reason = FOLIO_REASON_MISALIGNED;
    assert_guest(patient, "huge-coverage", FOLIO_CHECK_WARN, "only 87 %", "failed checks");
    patient->ram.now.pmd_mapped = 462 * MIB;
    assert_guest(patient, "huge-coverage", FOLIO_CHECK_PASS, "90 %", "");
    patient->ram.now = (FolioResidency){ 0 };
    assert_guest(patient, "huge-coverage", FOLIO_CHECK_PASS, "none of its RAM is present", "");
    patient->ram.now = (FolioResidency){ .present = 1ULL << 46 };
    assert_guest(patient, "huge-coverage", FOLIO_CHECK_WARN, "only 0 % of the 64 TiB", "");
    patient->ram.measured_usec = 0;
    assert_guest(patient, "huge-coverage", FOLIO_CHECK_WARN, "not been measured", "guest-state");
}

static void
make_file(const char *path)
{
    assert_true(g_file_set_contents(path, "x", 1, NULL));
}

/* A guest that has the launcher is not told to get it. */
static void
test_misaligned_with_launcher(void **state)
{
    Patient *patient = *state;
    g_autofree char *dir = g_dir_make_tmp("foliod-doctor.XXXXXX", NULL);
    g_autofree char *launcher = g_build_filename(dir, "launcher", NULL);
    g_autofree char *qemu = g_build_filename(dir, "qemu", NULL);
    g_autofree char *deleted = g_strconcat(qemu, " (deleted)", NULL);
    g_autoptr(GPtrArray) checks = NULL;

    make_file(launcher);
    make_file(qemu);
    patient->second->alignment = 4096;
    patient->second->reason = FOLIO_REASON_MISALIGNED;
    patient->guest.emulator = launcher;
    patient->guest.exe = deleted;
    checks = check_guest(patient);
    assert_string_equal(find_nth(checks, "alignment", 0)->remedy, FOLIO_REMEDY_PLUGGED);
    /* Without it, or when nobody can tell. */
    patient->guest.emulator = qemu;
    assert_guest(patient, "alignment", FOLIO_CHECK_FAIL, "cell1", "Name foliod-qemu in <emulator>");
    patient->guest.emulator = "";
    assert_guest(patient, "alignment", FOLIO_CHECK_FAIL, "cell1", "Name foliod-qemu in <emulator>");
    patient->guest.emulator = launcher;
    patient->guest.exe = "";
    assert_guest(patient, "alignment", FOLIO_CHECK_FAIL, "cell1", "Name foliod-qemu in <emulator>");
    /* Of no use to a memfd all the same. */
    patient->guest.exe = qemu;
    patient->second->spec.backing = FOLIO_BACKING_MEMFD;
    assert_guest(patient, "alignment", FOLIO_CHECK_FAIL, "cell1", "source type='file'");
    g_unlink(qemu);
    g_unlink(launcher);
    g_rmdir(dir);
}

/* QEMU was upgraded behind the launcher's back: its file is newer, and the running one deleted. */
static void
test_emulator_cache(void **state)
{
    Patient *patient = *state;
    g_autofree char *dir = g_dir_make_tmp("foliod-doctor.XXXXXX", NULL);
    g_autofree char *launcher = g_build_filename(dir, "the launcher", NULL);
    g_autofree char *qemu = g_build_filename(dir, "qemu", NULL);
    g_autofree char *deleted = g_strconcat(qemu, " (deleted)", NULL);
    g_autofree char *touch = g_strdup_printf("Run: touch '%s'", launcher);

    make_file(launcher);
    g_usleep(20000); /* longer than the grain of a file system's times */
    make_file(qemu);
    patient->guest.emulator = launcher;
    patient->guest.exe = qemu;
    assert_guest(patient, "emulator-cache", FOLIO_CHECK_WARN, "is newer than", touch);
    patient->guest.exe = deleted;
    assert_guest(patient, "emulator-cache", FOLIO_CHECK_WARN, "is newer than", touch);

    g_usleep(20000);
    make_file(launcher);
    assert_guest(patient, "emulator-cache", FOLIO_CHECK_PASS, "is newer than QEMU", "");

    g_unlink(qemu);
    assert_guest(patient, "emulator-cache", FOLIO_CHECK_WARN, "which it runs", "Install QEMU");
    g_unlink(launcher);
    assert_guest(patient, "emulator-cache", FOLIO_CHECK_WARN, "cannot be looked at", "Install");
    patient->guest.emulator = "";
    assert_guest(patient, "emulator-cache", FOLIO_CHECK_WARN, "not known", "guest-state");
    g_rmdir(dir);
}

static void
test_hints(void **state)
{
    Patient *patient = *state;

    patient->guest.hint_capped = "mode=adaptive (nova) is capped to split by HintCeiling=split";
    assert_guest(patient, "hints", FOLIO_CHECK_WARN, "is capped to split", "foliod.conf");
    patient->guest.hint_error = "metadata: mode=\"fast\" is not allowed";
    assert_guest(patient, "hints", FOLIO_CHECK_WARN, "mode=\"fast\"", "virsh metadata");
    patient->guest.hint_error = patient->guest.hint_capped = "";
    assert_guest(patient, "hints", FOLIO_CHECK_PASS, "none is refused", "");
}

#define guest_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        guest_test(test_good_guest),     guest_test(test_every_reason),
        guest_test(test_state_remedy),   guest_test(test_not_located),
        guest_test(test_misaligned),     guest_test(test_tmpfs),
        guest_test(test_mount_point),    guest_test(test_backing),
        guest_test(test_pinned),         guest_test(test_coverage),
        guest_test(test_emulator_cache), guest_test(test_misaligned_with_launcher),
        guest_test(test_hints),
    };

    return cmocka_run_group_tests_name("doctor-guest", tests, NULL, NULL);
}
