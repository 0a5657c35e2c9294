/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's PID files: their names, their contents, their locks. */
#include "base/error.h"
#include "fake-proc.h"

#include <sys/stat.h>

static void
test_pid_file(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "0",
        "1",
        "-5",
        "+5",
        " 7",
        "7 ",
        "7x",
        "0x7",
        "7\n\n",
        "7\n8",
        "2147483648",
        "99999999999",
        "18446744073709551617",
        "00000000007",
        "7777777777777777777777777777777777777777777777777777777777777777777777",
    };
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autofree char *with_nul = g_strdup_printf("%d%c9", getpid(), '\0');
    g_autofree char *path = g_strdup_printf("%s/%s.pid", host->run_dir, FAKE_NAME);

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        fake_pid_file(host, FAKE_NAME, bad[i], -1);
        assert_refused(host, 2, FOLIO_REASON_BAD_PID_FILE, path);
    }
    fake_pid_file(host, FAKE_NAME, with_nul, (gssize) strlen(with_nul) + 2);
    assert_refused(host, 2, FOLIO_REASON_BAD_PID_FILE, path);
    fake_pid_file(host, FAKE_NAME, "2147483647", -1);
    assert_refused(host, 2, FOLIO_REASON_PROCESS_GONE, "2147483647: No such file");
    g_unlink(path);
    assert_refused(host, 2, FOLIO_REASON_NO_PID_FILE, path);
    assert_int_equal(g_mkdir(path, 0700), 0);
    assert_refused(host, 2, FOLIO_REASON_BAD_PID_FILE, path);
}

/* The name of a guest is anybody's invention. */
static void
test_names(void **state)
{
    static const char *const good[] = { "a b",       "-rf", "G\xc3\xa4ste", "\xff\xfe",
                                        "new\nline", "...", "a%s%n",        "x.pid" };
    static const char *const bad[] = { "", ".", "..", "/", "a/b", "../guest", "sub/guest" };
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autofree char *pid_text = g_strdup_printf("%d", getpid());
    g_autofree char *sub = g_build_filename(host->run_dir, "sub", NULL);
    g_autofree char *longest = g_strnfill(300, 'n');
    FolioProcessQuery query = { .proc_root = host->proc_root,
                                .run_dir = host->run_dir,
                                .uuid = FAKE_UUID };

    assert_int_equal(g_mkdir(sub, 0700), 0);
    fake_pid_file(host, "sub/guest", pid_text, -1);
    fake_pid_file(host, "", pid_text, -1);
    fake_pid_file(host, ".", pid_text, -1);
    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(FolioProcess) process = NULL;

        fake_pid_file(host, good[i], pid_text, -1);
        query.name = good[i];
        process = folio_process_locate(&query, &(FolioReason){ 0 }, &error);
        assert_no_error(error);
    }
    for (guint i = 0; i <= G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        FolioReason reason = FOLIO_REASON_NONE;

        query.name = i < G_N_ELEMENTS(bad) ? bad[i] : longest;
        assert_null(folio_process_locate(&query, &reason, &error));
        assert_int_equal(reason, FOLIO_REASON_BAD_PID_FILE);
        assert_non_null(error);
    }
}

/* A PID file that is not locked by the process it names was left behind by another. */
static void
test_stale_pid_file(void **state)
{
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autofree char *path = g_build_filename(host->run_dir, FAKE_NAME ".pid", NULL);

    fake_lock_owner = getppid();
    assert_refused(host, 2, FOLIO_REASON_BAD_PID_FILE, path);
    fake_lock_owner = -1;
    assert_refused(host, 2, FOLIO_REASON_BAD_PID_FILE, path);
    fake_lock_owner = 0;
}

/* Nobody has to come and write into it. */
static void
test_fifo_as_pid_file(void **state)
{
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autofree char *path = g_build_filename(host->run_dir, FAKE_NAME ".pid", NULL);

    assert_int_equal(g_unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(host, 2, FOLIO_REASON_BAD_PID_FILE, path);
}

/* libvirt escapes the name before it makes a file name of it. */
static void
test_escaped_name(void **state)
{
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autofree char *pid_text = g_strdup_printf("%d", getpid());
    g_autoptr(FolioProcess) process = NULL;
    g_autoptr(GError) error = NULL;
    const FolioProcessQuery query = { .proc_root = host->proc_root,
                                      .run_dir = host->run_dir,
                                      .name = "it's <one> & \"two\"\x01",
                                      .uuid = FAKE_UUID };

    fake_pid_file(host, "it&apos;s &lt;one&gt; &amp; &quot;two&quot;", pid_text, -1);
    process = folio_process_locate(&query, &(FolioReason){ 0 }, &error);
    assert_no_error(error);
    assert_non_null(process);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pid_file),         cmocka_unit_test(test_names),
        cmocka_unit_test(test_escaped_name),     cmocka_unit_test(test_stale_pid_file),
        cmocka_unit_test(test_fifo_as_pid_file),
    };

    return cmocka_run_group_tests_name("pid-file", tests, NULL, NULL);
}
