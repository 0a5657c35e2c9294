/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* perf-open-error: what is said of an event that could not be opened, and who holds events. */
#include "base/error.h"
#include "event-holder.h"
#include "sample/perf-open-error.h"

#include <errno.h>

static void
test_what_is_said(void **state)
{
    static const struct {
        int tid, cpu, saved_errno;
        FolioErrorCode code;
        const char *part;
        const char *not_part;
    } cases[] = {
        { 7, -1, EBUSY, FOLIO_ERROR_BUSY, "for thread 7: ", "for CPU" },
        { 7, -1, EBUSY, FOLIO_ERROR_BUSY, "somebody samples with it by CPU", "by thread" },
        { -1, 3, EBUSY, FOLIO_ERROR_BUSY, "for CPU 3: ", "thread 3" },
        { -1, 3, EBUSY, FOLIO_ERROR_BUSY, "somebody samples with it by thread", "by CPU" },
        { -1, 3, EBUSY, FOLIO_ERROR_BUSY, "mem_sampling", "CAP_PERFMON" },
        { -1, 3, EBUSY, FOLIO_ERROR_BUSY, "; perf events are open in perf (12)", "CAP_PERFMON" },
        { -1, 3, EACCES, FOLIO_ERROR_NOT_PERMITTED, "CAP_PERFMON", "perf (12)" },
        { 7, -1, EMFILE, FOLIO_ERROR_FAILED, "LimitNOFILE=", "perf (12)" },
        { 7, -1, ESRCH, FOLIO_ERROR_NOT_FOUND, "arm_spe_0 for thread 7", ";" },
        { -1, 3, ENODEV, FOLIO_ERROR_UNSUPPORTED, "arm_spe_0 for CPU 3", ";" },
        { -1, 3, ENOENT, FOLIO_ERROR_UNSUPPORTED, "arm_spe_0 for CPU 3", ";" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        folio_perf_open_error(&error, "arm_spe_0", cases[i].tid, cases[i].cpu,
                              cases[i].saved_errno);
        folio_perf_blame_holders(error, "perf (12)");
        assert_folio_error(error, cases[i].code);
        if (strstr(error->message, cases[i].part) == NULL ||
            strstr(error->message, cases[i].not_part) != NULL)
            fail_msg("case %zu: %s", i, error->message);
    }
}

static void
test_nobody_found(void **state)
{
    g_autoptr(GError) error = NULL;

    folio_perf_open_error(&error, "arm_spe_0", -1, 0, EBUSY);
    folio_perf_blame_holders(error, "");
    assert_null(strstr(error->message, "are open in"));
}

/* Other programs on this machine may hold some too, and three are enough: below a made-up /proc
 * there is nobody else. */
static void
test_holders(void **state)
{
    g_autofree char *root = g_dir_make_tmp("foliod-test.XXXXXX", NULL);
    const pid_t pid = start_holder();
    g_autofree char *target = g_strdup_printf("/proc/%d", pid);
    g_autofree char *own_target = g_strdup_printf("/proc/%d", getpid());
    g_autofree char *entry = g_strdup_printf("%s/%d", root, pid);
    g_autofree char *own_entry = g_strdup_printf("%s/%d", root, getpid());
    g_autofree char *expected = g_strdup_printf("x\\x1b[31m (%d)", pid);
    g_autofree char *holders = NULL;
    g_autofree char *later = NULL;

    assert_int_equal(symlink(target, entry), 0);
    assert_int_equal(symlink(own_target, own_entry), 0);
    holders = folio_perf_find_holders(root);
    assert_string_equal(holders, expected);
    end_holder(pid);
    later = folio_perf_find_holders(root);
    assert_string_equal(later, "");
    unlink(entry);
    unlink(own_entry);
    rmdir(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_said),
        cmocka_unit_test(test_nobody_found),
        cmocka_unit_test(test_holders),
    };

    return cmocka_run_group_tests_name("perf-open-error", tests, NULL, NULL);
}
