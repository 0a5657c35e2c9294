/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ways by debugfs and by process_madvise: what they ask of the kernel, and what they make of
 * its answers. */
#include "act/debugfs-split.h"
#include "act/madvise-collapse.h"
#include "base/error.h"
#include "base/file-io.h"
#include "fake-proc.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define BLOCK FOLIO_BLOCK_BYTES

typedef struct {
    FakeHost *host;
    FolioProcess *process;
    char *sys_root;
    FolioWay *split, *collapse;
    FolioLeft said[8];
} Stage;

/* What was asked of the kernel, and what it answers from the n-th on. */
static GString *asked;
static guint n_asked, fails_from;
static int fails_with;

static gboolean
answer(void)
{
    if (++n_asked < fails_from)
        return TRUE;
    errno = fails_with;
    return fails_with == 0;
}

static ssize_t
record_write(int fd, const void *buffer, size_t size)
{
    g_string_append_len(asked, buffer, (gssize) size);
    g_string_append_c(asked, '\n');
    return answer() ? (ssize_t) size : -1;
}

static ssize_t
record_madvise(int pidfd, const struct iovec *range, int advice)
{
    assert_int_equal(advice, MADV_COLLAPSE);
    g_string_append_printf(asked, "%lx %lu\n", (gulong) range->iov_base, (gulong) range->iov_len);
    return answer() ? (ssize_t) range->iov_len : -1;
}

static const FolioFileCalls recording = { .write = record_write, .madvise = record_madvise };

static void
fail_from(guint n, int with_errno)
{
    g_string_truncate(asked, 0);
    n_asked = 0;
    fails_from = n;
    fails_with = with_errno;
    folio_file_set_calls(&recording);
}

static int
set_up(void **state)
{
    Stage *stage = g_new0(Stage, 1);

    asked = g_string_new(NULL);
    stage->host = fake_host_new(getpid());
    stage->process = fake_locate(stage->host, 0, &(FolioReason){ 0 }, NULL);
    assert_non_null(stage->process);
    stage->sys_root = g_build_filename(stage->host->root, "sys", NULL);
    stage->split = folio_debugfs_split_way_new(stage->sys_root);
    stage->collapse = folio_madvise_collapse_way_new();
    *state = stage;
    return 0;
}

static int
tear_down(void **state)
{
    Stage *stage = *state;

    folio_file_set_calls(NULL);
    stage->split->klass->free(stage->split);
    stage->collapse->klass->free(stage->collapse);
    folio_process_unref(stage->process);
    fake_host_free(stage->host);
    g_free(stage->sys_root);
    g_free(stage);
    g_string_free(asked, TRUE);
    return 0;
}

/* Makes SYS/kernel/dir/name. */
static void
write_sys(const Stage *stage, const char *dir, const char *name, const char *text)
{
    g_autofree char *parent = g_build_filename(stage->sys_root, "kernel", dir, NULL);
    g_autofree char *path = g_build_filename(parent, name, NULL);

    assert_int_equal(g_mkdir_with_parents(parent, 0700), 0);
    fake_write(path, text, -1);
}

static void
assert_cannot(FolioWay *way, FolioActKind kind, guint order, const char *expected)
{
    g_autofree char *reason = NULL;

    assert_false(way->klass->probe(way, kind, order, &reason));
    if (strstr(reason, expected) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", reason, expected);
}

static void
assert_can(FolioWay *way, FolioActKind kind, guint order)
{
    g_autofree char *reason = NULL;

    if (!way->klass->probe(way, kind, order, &reason))
        fail_msg("it cannot: %s", reason);
}

/* Two blocks, and one apart from them. */
static const FolioBlockRange ranges[] = { { 0x7f0000000000, 2 * BLOCK },
                                          { 0x7f0000800000, BLOCK } };

static gboolean
apply(Stage *stage, FolioWay *way, GCancellable *cancellable, GError **error)
{
    FolioChunk chunk = {
        .kind = way == stage->split ? FOLIO_ACT_SPLIT : FOLIO_ACT_COLLAPSE,
        .order = way == stage->split ? 0 : FOLIO_ORDER_HUGE,
        .process = stage->process,
        .ranges = ranges,
        .n_ranges = 2,
        .n_blocks = 3,
        .said = stage->said,
    };

    memset(stage->said, 0, sizeof stage->said);
    return way->klass->apply(way, &chunk, cancellable, error);
}

static void
test_split_probe(void **state)
{
    Stage *stage = *state;

    assert_cannot(stage->split, FOLIO_ACT_SPLIT, 0, "not mounted");
    write_sys(stage, "debug", "split_huge_pages", "");
    assert_can(stage->split, FOLIO_ACT_SPLIT, 0);
    for (guint order = 1; order < FOLIO_ORDER_HUGE; order++)
        assert_cannot(stage->split, FOLIO_ACT_SPLIT, order, "order 0 only");
    assert_cannot(stage->split, FOLIO_ACT_COLLAPSE, 9, "splits and does nothing else");
    write_sys(stage, "security", "lockdown", "none [integrity] confidentiality\n");
    assert_cannot(stage->split, FOLIO_ACT_SPLIT, 0, "locked down");
    write_sys(stage, "security", "lockdown", "none integrity [confidentiality]\n");
    assert_cannot(stage->split, FOLIO_ACT_SPLIT, 0, "locked down");
    write_sys(stage, "security", "lockdown", "[none] integrity confidentiality\n");
    assert_can(stage->split, FOLIO_ACT_SPLIT, 0);
}

static int
forbid_open(int dir_fd, const char *path, int flags)
{
    if ((flags & O_ACCMODE) == O_RDONLY)
        return openat(dir_fd, path, flags);
    errno = EPERM;
    return -1;
}

static void
test_split_forbidden(void **state)
{
    static const FolioFileCalls forbidding = { .openat = forbid_open };
    Stage *stage = *state;

    write_sys(stage, "debug", "split_huge_pages", "");
    folio_file_set_calls(&forbidding);
    assert_cannot(stage->split, FOLIO_ACT_SPLIT, 0, "Operation not permitted");
}

static void
test_split_writes(void **state)
{
    Stage *stage = *state;
    g_autoptr(GError) error = NULL;
    g_autofree char *expected =
        g_strdup_printf("%d,0x7f0000000000,0x7f0000200000\n%d,0x7f0000200000,0x7f0000400000\n"
                        "%d,0x7f0000800000,0x7f0000a00000\n",
                        getpid(), getpid(), getpid());

    write_sys(stage, "debug", "split_huge_pages", "");
    fail_from(G_MAXUINT, 0);
    assert_true(apply(stage, stage->split, NULL, &error));
    assert_string_equal(asked->str, expected);
}

/* Each of the three writes fails in turn, by each errno. */
static void
test_split_fails(void **state)
{
    static const int errnos[] = { EBUSY, EINVAL, ENOSPC, EIO, ESRCH, EPERM };
    Stage *stage = *state;

    write_sys(stage, "debug", "split_huge_pages", "");
    for (guint n = 1; n <= 3; n++) {
        for (guint i = 0; i < G_N_ELEMENTS(errnos); i++) {
            g_autoptr(GError) error = NULL;

            fail_from(n, errnos[i]);
            assert_false(apply(stage, stage->split, NULL, &error));
            assert_folio_error(error, folio_error_code_from_errno(errnos[i]));
            assert_non_null(strstr(error->message, "split_huge_pages"));
            assert_int_equal(n_asked, n);
        }
    }
}

static void
test_collapse_probe(void **state)
{
    Stage *stage = *state;

    assert_can(stage->collapse, FOLIO_ACT_COLLAPSE, 9);
    assert_cannot(stage->collapse, FOLIO_ACT_SPLIT, 0, "nothing else");
    assert_cannot(stage->collapse, FOLIO_ACT_COLLAPSE, 4, "nothing else");
    fail_from(1, EINVAL);
    assert_cannot(stage->collapse, FOLIO_ACT_COLLAPSE, 9, "no process_madvise");
    assert_string_equal(asked->str, "0 0\n"); /* nothing is collapsed to find out */
    fail_from(1, ENOSYS);
    assert_cannot(stage->collapse, FOLIO_ACT_COLLAPSE, 9, "no process_madvise");
    fail_from(1, EPERM);
    assert_cannot(stage->collapse, FOLIO_ACT_COLLAPSE, 9, "Operation not permitted");
}

/* In a child, which gives it up. Exits with 0 when the reason names it. */
static void
probe_without(FolioWay *way, guint capability, const char *name)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    char *reason = NULL;

    if (syscall(SYS_capget, &header, sets) != 0)
        _exit(2);
    sets[capability / 32].effective &= ~(1u << capability % 32);
    if (syscall(SYS_capset, &header, sets) != 0)
        _exit(3);
    if (way->klass->probe(way, FOLIO_ACT_COLLAPSE, 9, &reason))
        _exit(4);
    _exit(strstr(reason, name) != NULL ? 0 : 5);
}

static void
test_capabilities(void **state)
{
    Stage *stage = *state;
    static const struct {
        guint number;
        const char *name;
    } needed[] = { { CAP_SYS_PTRACE, "CAP_SYS_PTRACE" }, { CAP_SYS_NICE, "CAP_SYS_NICE" } };

    for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
        const pid_t child = fork();
        int status = -1;

        if (child == 0)
            probe_without(stage->collapse, needed[i].number, needed[i].name);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static void
test_collapse_calls(void **state)
{
    Stage *stage = *state;
    g_autoptr(GError) error = NULL;

    fail_from(G_MAXUINT, 0);
    assert_true(apply(stage, stage->collapse, NULL, &error));
    assert_string_equal(asked->str, "7f0000000000 2097152\n7f0000200000 2097152\n"
                                    "7f0000800000 2097152\n");
}

static void
test_collapse_left(void **state)
{
    static const struct {
        int with;
        FolioLeft left;
    } cases[] = {
        { EAGAIN, FOLIO_LEFT_BUSY },
        { EBUSY, FOLIO_LEFT_NO_MEMORY },
        { ENOMEM, FOLIO_LEFT_NO_MEMORY },
        { EINVAL, FOLIO_LEFT_REFUSED },
    };
    Stage *stage = *state;

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        fail_from(2, cases[i].with);
        assert_true(apply(stage, stage->collapse, NULL, &error));
        assert_int_equal(n_asked, 3); /* it goes on */
        assert_int_equal(stage->said[0], FOLIO_LEFT_UNSAID);
        assert_int_equal(stage->said[1], cases[i].left);
        assert_int_equal(stage->said[2], cases[i].left);
    }
}

static void
test_collapse_fails(void **state)
{
    static const int errnos[] = { ESRCH, EPERM, EACCES, ENOSYS };
    Stage *stage = *state;

    for (guint i = 0; i < G_N_ELEMENTS(errnos); i++) {
        g_autoptr(GError) error = NULL;

        fail_from(2, errnos[i]);
        assert_false(apply(stage, stage->collapse, NULL, &error));
        assert_folio_error(error, folio_error_code_from_errno(errnos[i]));
        assert_int_equal(n_asked, 2);
    }
}

static void
test_cancelled(void **state)
{
    Stage *stage = *state;
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    FolioWay *const ways[] = { stage->split, stage->collapse };

    write_sys(stage, "debug", "split_huge_pages", "");
    g_cancellable_cancel(cancellable);
    for (guint i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autoptr(GError) error = NULL;

        fail_from(G_MAXUINT, 0);
        assert_false(apply(stage, ways[i], cancellable, &error));
        assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED));
        assert_int_equal(n_asked, 0);
    }
}

/* Whoever has the PID of a process that has ended is left alone. */
static void
test_process_gone(void **state)
{
    Stage *stage = *state;
    g_autoptr(FakeHost) host = NULL;
    g_autoptr(GError) error = NULL;
    const pid_t child = fork();

    if (child == 0) {
        pause();
        _exit(0);
    }
    host = fake_host_new(child);
    folio_process_unref(stage->process);
    stage->process = fake_locate(host, 0, &(FolioReason){ 0 }, NULL);
    write_sys(stage, "debug", "split_huge_pages", "");
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    fail_from(G_MAXUINT, 0);
    assert_false(apply(stage, stage->split, NULL, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    assert_int_equal(n_asked, 0);
    g_clear_error(&error);
    folio_file_set_calls(NULL);
    assert_false(apply(stage, stage->collapse, NULL, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
}

#define WAY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WAY_TEST(test_split_probe),    WAY_TEST(test_split_forbidden),
        WAY_TEST(test_split_writes),   WAY_TEST(test_split_fails),
        WAY_TEST(test_collapse_probe), WAY_TEST(test_capabilities),
        WAY_TEST(test_collapse_calls), WAY_TEST(test_collapse_left),
        WAY_TEST(test_collapse_fails), WAY_TEST(test_cancelled),
        WAY_TEST(test_process_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
