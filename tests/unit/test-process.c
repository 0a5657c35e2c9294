/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding a guest's process: everything must agree, and anything may be a lie. */
#include "base/error.h"
#include "fake-proc.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void
assert_found(const FakeHost *host, guint n_vcpus)
{
    g_autoptr(GError) error = NULL;
    FolioReason reason = FOLIO_REASON_NONE;
    g_autoptr(FolioProcess) process = fake_locate(host, n_vcpus, &reason, &error);

    assert_no_error(error);
    assert_non_null(process);
}

static void
test_found(void **state)
{
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autoptr(GError) error = NULL;
    FolioReason reason = FOLIO_REASON_NONE;
    FolioProcess *process = NULL;
    g_autofree char *pid_line = g_strdup_printf("%d\n", getpid());
    const guint n_fds = count_fds();

    fake_pid_file(host, FAKE_NAME, pid_line, -1);
    process = fake_locate(host, 2, &reason, &error);
    assert_no_error(error);
    assert_non_null(process);
    assert_int_equal(folio_process_get_pid(process), getpid());
    assert_int_equal(folio_process_get_start_time(process), 4711);
    assert_string_equal(folio_process_get_exe(process), "/usr/bin/qemu-system-x86_64");
    assert_true(folio_process_is_alive(process));
    assert_int_equal(count_fds(), n_fds + 2);
    assert_ptr_equal(folio_process_ref(process), process);
    folio_process_unref(process);
    assert_int_equal(fcntl(folio_process_get_proc_fd(process), F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(folio_process_get_pidfd(process), F_GETFD), FD_CLOEXEC);
    folio_process_unref(process);
    assert_int_equal(count_fds(), n_fds);
}

static void
test_exe(void **state)
{
    static const char *const good[] = {
        "/usr/bin/qemu-system-aarch64",          "/usr/libexec/qemu-kvm",       "/usr/bin/kvm",
        "/usr/bin/qemu-system-x86_64 (deleted)", "/opt/a b/qemu-kvm (deleted)",
    };
    static const char *const bad[] = {
        "/usr/bin/qemu-img", "/usr/bin/python3",     "/qemu-kvm/sh",          "/usr/bin/qemu-kvm2",
        "/usr/bin/xkvm",     "/bin/kvm (deleted) x", "/bin/\xff\n (deleted)",
    };
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autofree char *path = g_strdup_printf("%s/%d/exe", host->proc_root, host->pid);

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        fake_proc_link(host, "exe", good[i]);
        assert_found(host, 2);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        fake_proc_link(host, "exe", bad[i]);
        assert_refused(host, 2, FOLIO_REASON_NOT_QEMU, "is not QEMU");
    }
    g_unlink(path);
    assert_refused(host, 2, FOLIO_REASON_PROCESS_GONE, path);
}

#define ARGUMENTS(text)    \
    {                      \
        text, sizeof(text) \
    }

static void
test_uuid(void **state)
{
    static const struct {
        const char *text;
        gssize length;
    } bad[] = {
        ARGUMENTS("qemu\0-uuid\0"
                  "6f1c2f5e-0d3a-4c57-9a0e-2f4a3b5c6d7f"),
        ARGUMENTS("qemu\0-uuid\0" FAKE_UUID "\0-uuid\0" FAKE_UUID),
        ARGUMENTS("qemu\0-uuid\0-uuid\0" FAKE_UUID),
        ARGUMENTS("qemu\0-uuid\0"
                  "\0" FAKE_UUID),
        ARGUMENTS("qemu\0-uuid=" FAKE_UUID),
        ARGUMENTS("qemu\0-name\0-uuid " FAKE_UUID),
        ARGUMENTS("qemu\0x-uuid\0" FAKE_UUID),
        ARGUMENTS("qemu\0" FAKE_UUID),
        ARGUMENTS("qemu\0-uuid"),
        ARGUMENTS("qemu\0-uuid\0" FAKE_UUID "0"),
        ARGUMENTS("qemu\0-uuid\0"
                  " " FAKE_UUID),
        { "qemu\0-uuid", 10 },
        { "", 0 },
    };
    static const char upper[] = "qemu\0-uuid\0"
                                "6F1C2F5E-0D3A-4C57-9A0E-2F4A3B5C6D7E";
    static const char unended[] = "qemu\0-uuid\0" FAKE_UUID;
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autofree char *huge = g_strnfill(7 * 1024 * 1024, 'x');

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        fake_proc_write(host, "cmdline", bad[i].text, bad[i].length);
        assert_refused(host, 2, FOLIO_REASON_UUID_MISMATCH, "cmdline: ");
    }
    fake_proc_write(host, "cmdline", upper, sizeof(upper));
    assert_found(host, 2);
    fake_proc_write(host, "cmdline", unended, sizeof(unended) - 1);
    assert_found(host, 2);
    fake_proc_write(host, "cmdline", huge, -1);
    assert_refused(host, 2, FOLIO_REASON_NO_ACCESS, "cmdline: larger than");
}

#define STAT_TAIL "1 1 1 0 -1 0 1 0 0 0 1 2 0 0 20 0 5 0 %s 1 2 3\n"

static void
test_stat(void **state)
{
    static const char *const good[] = {
        "7 (qemu) S " STAT_TAIL, "7 (a) R (b) Z ) S " STAT_TAIL, "7 (new\nline) R " STAT_TAIL,
        "7 ()) t " STAT_TAIL,    "7 (\xff\xfe) D " STAT_TAIL,
    };
    static const char *const bad[] = { "",
                                       "7 (qemu",
                                       "7 (qemu)",
                                       "7 (qemu) ",
                                       "7 (qemu) S 1 2 3\n",
                                       "7 (qemu)S " STAT_TAIL,
                                       "7 (qemu) SS " STAT_TAIL };
    static const char *const bad_times[] = { "", "x", "-1", "18446744073709551616", "0x10" };
    g_autoptr(FakeHost) host = fake_host_new(getpid());

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_auto(GStrv) parts = g_strsplit(good[i], "%s", 2);
        g_autofree char *text = g_strjoinv("815", parts);
        g_autoptr(FolioProcess) process = NULL;

        fake_proc_write(host, "stat", text, -1);
        process = fake_locate(host, 2, &(FolioReason){ 0 }, NULL);
        assert_non_null(process);
        assert_int_equal(folio_process_get_start_time(process), 815);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        fake_proc_write(host, "stat", bad[i], -1);
        assert_refused(host, 2, FOLIO_REASON_NO_ACCESS, "stat: ");
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad_times); i++) {
        g_auto(GStrv) parts = g_strsplit(good[0], "%s", 2);
        g_autofree char *text = g_strjoinv(bad_times[i], parts);

        fake_proc_write(host, "stat", text, -1);
        assert_refused(host, 2, FOLIO_REASON_NO_ACCESS, "stat: ");
    }
    fake_proc_write(host, "stat", "7 (qemu) Z 1 1 1 0 -1 0 1 0 0 0 1 2 0 0 20 0 5 0 9 1\n", -1);
    assert_refused(host, 2, FOLIO_REASON_PROCESS_GONE, "(state Z)");
}

/* Gives "stat2" for "stat" when it is opened again. */
static int
openat_of_reused_pid(int dir_fd, const char *path, int flags)
{
    static int n_opened;

    if (g_str_equal(path, "stat") && n_opened++ > 0)
        path = "stat2";
    return openat(dir_fd, path, flags);
}

static void
test_start_time_changes(void **state)
{
    const FolioFileCalls calls = { .openat = openat_of_reused_pid, .getlk = fake_getlk };
    g_autoptr(FakeHost) host = fake_host_new(getpid());

    fake_proc_write(host, "stat2", "7 (qemu) S 1 1 1 0 -1 0 1 0 0 0 1 2 0 0 20 0 5 0 4712 1\n", -1);
    folio_file_set_calls(&calls);
    assert_refused(host, 2, FOLIO_REASON_PROCESS_GONE, "start time has changed");
    folio_file_set_calls(NULL);
}

static void
test_vcpus(void **state)
{
    g_autoptr(FakeHost) host = fake_host_new(getpid());

    assert_found(host, 0);
    assert_refused(host, 1, FOLIO_REASON_VCPU_MISMATCH, "2 vCPU threads among 3");
    assert_refused(host, 3, FOLIO_REASON_VCPU_MISMATCH, "libvirt says 3");
    fake_proc_thread(host, getpid() + 3, "CPU 15/TCG\n");
    assert_found(host, 3);
    fake_proc_thread(host, getpid() + 4, "ALL CPUs/TCG\n");
    assert_refused(host, 3, FOLIO_REASON_VCPU_MISMATCH, "task: ");
    for (int i = 1; i <= 3; i++)
        fake_proc_thread(host, getpid() + i, "qemu-system-x86\n");
    assert_found(host, 3);
    fake_proc_thread(host, getpid() + 4, "qemu-system-x86\n");
    assert_refused(host, 3, FOLIO_REASON_VCPU_MISMATCH, "0 vCPU threads");
}

static void
test_threads(void **state)
{
    static const struct {
        const char *comm;
        FolioThreadKind kind;
        guint vcpu;
    } cases[] = {
        { "CPU 0/KVM\n", FOLIO_THREAD_VCPU, 0 },
        { "CPU 1023/KVM\n", FOLIO_THREAD_VCPU, 1023 },
        { "CPU 7/TCG\n", FOLIO_THREAD_VCPU, 7 },
        { "ALL CPUs/TCG\n", FOLIO_THREAD_VCPUS, 0 },
        { "IO iothread1\n", FOLIO_THREAD_IO, 0 },
        { "IO mon_iothread\n", FOLIO_THREAD_IO, 0 },
        { "vhost-4711\n", FOLIO_THREAD_VHOST, 0 },
        { "vhost-\n", FOLIO_THREAD_OTHER, 0 },
        { "vhost-12x\n", FOLIO_THREAD_OTHER, 0 },
        { "CPU 0/KVM \n", FOLIO_THREAD_OTHER, 0 },
        { "CPU /KVM\n", FOLIO_THREAD_OTHER, 0 },
        { "CPU -1/KVM\n", FOLIO_THREAD_OTHER, 0 },
        { "CPU 99999999999/KVM\n", FOLIO_THREAD_OTHER, 0 },
        { "CPU 0\n/KVM\n", FOLIO_THREAD_OTHER, 0 },
        { "\xff\xfe\n", FOLIO_THREAD_OTHER, 0 },
        { "\n", FOLIO_THREAD_OTHER, 0 },
        { "", FOLIO_THREAD_OTHER, 0 },
        { "call_rcu\n", FOLIO_THREAD_OTHER, 0 },
    };
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autoptr(FolioProcess) process = fake_locate(host, 0, &(FolioReason){ 0 }, NULL);
    g_autoptr(GArray) threads = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *no_comm =
        g_strdup_printf("%s/%d/task/%d", host->proc_root, host->pid, getpid() + 5000);

    assert_non_null(process);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        fake_proc_thread(host, getpid() + 1 + (int) i, cases[i].comm);
    assert_int_equal(g_mkdir(no_comm, 0700), 0); /* a thread that has ended since */
    threads = folio_process_list_threads(process, &error);
    assert_no_error(error);
    assert_int_equal(threads->len, G_N_ELEMENTS(cases) + 1);
    assert_int_equal(g_array_index(threads, FolioThread, 0).tid, getpid());
    assert_int_equal(g_array_index(threads, FolioThread, 0).kind, FOLIO_THREAD_MAIN);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const FolioThread *thread = &g_array_index(threads, FolioThread, i + 1);

        assert_int_equal(thread->tid, getpid() + 1 + (int) i);
        if (thread->kind != cases[i].kind || thread->vcpu != cases[i].vcpu)
            fail_msg("\"%s\" is kind %d, vcpu %u", cases[i].comm, (int) thread->kind, thread->vcpu);
    }
}

/* Whichever call fails, in whichever way: refused with a reason, or not noticed because it was not
 * needed; never half of it, and nothing is left open. */
static void
test_every_call_fails(void **state)
{
    static const struct {
        int code;
        FolioReason of_process;
        FolioReason of_pid_file;
    } faults[] = {
        { ESRCH, FOLIO_REASON_PROCESS_GONE, FOLIO_REASON_NO_PID_FILE },
        { ENOENT, FOLIO_REASON_PROCESS_GONE, FOLIO_REASON_NO_PID_FILE },
        { EACCES, FOLIO_REASON_NO_ACCESS, FOLIO_REASON_NO_ACCESS },
        { EIO, FOLIO_REASON_NO_ACCESS, FOLIO_REASON_BAD_PID_FILE },
        { EMFILE, FOLIO_REASON_NO_ACCESS, FOLIO_REASON_BAD_PID_FILE },
    };
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    const guint n_fds = count_fds();

    for (guint i = 0; i < G_N_ELEMENTS(faults); i++) {
        gboolean came = TRUE;
        guint n_refused = 0;

        for (int n = 0; came; n++) {
            g_autoptr(GError) error = NULL;
            FolioReason reason = FOLIO_REASON_NONE;
            FolioProcess *process = NULL;

            arm_fault(n, faults[i].code);
            process = fake_locate(host, 0, &reason, &error);
            came = disarm_fault();
            assert_true((process == NULL) == (error != NULL));
            assert_int_equal(process == NULL, came);
            if (process == NULL) {
                /* The PID file takes an open, two reads, and the question who holds its lock. */
                const FolioReason of_pid_file =
                    n < 3 ? faults[i].of_pid_file : FOLIO_REASON_BAD_PID_FILE;

                assert_int_equal(reason, n < 4 ? of_pid_file : faults[i].of_process);
                n_refused++;
            }
            g_clear_pointer(&process, folio_process_unref);
            assert_int_equal(count_fds(), n_fds);
        }
        /* PID file 4, /proc/PID 1, stat 3, cmdline 3, stat 3. */
        assert_int_equal(n_refused, 14);
    }
}

/* A thread's comm that cannot be read: a thread that has ended is no fault, all else is. */
static void
test_every_call_fails_on_threads(void **state)
{
    static const int codes[] = { ESRCH, EACCES, EIO };
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autoptr(FolioProcess) process = fake_locate(host, 2, &(FolioReason){ 0 }, NULL);
    const guint n_fds = count_fds();

    assert_non_null(process);
    for (guint i = 0; i < G_N_ELEMENTS(codes); i++) {
        gboolean came = TRUE;

        for (int n = 0; came; n++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(GArray) threads = NULL;

            arm_fault(n, codes[i]);
            threads = folio_process_list_threads(process, &error);
            came = disarm_fault();
            assert_true((threads == NULL) == (error != NULL));
            if (came && codes[i] == ESRCH && n > 0)
                assert_int_equal(threads->len, 2);
            else
                assert_int_equal(threads == NULL, came);
            assert_int_equal(count_fds(), n_fds);
        }
    }
}

/* What main() does instead of testing: looks like QEMU from outside. */
#define PRETEND "--pretend-to-be-qemu"

static void *
vcpu_thread(void *number)
{
    g_autofree char *name = g_strdup_printf("CPU %d/KVM", GPOINTER_TO_INT(number));

    prctl(PR_SET_NAME, name);
    for (;;)
        pause();
    return NULL;
}

static void
pretend_to_be_qemu(void)
{
    pthread_t threads[2];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, vcpu_thread, GINT_TO_POINTER(i));
    for (;;)
        pause();
}

/* Starts a copy of this program as ROOT/qemu-system-fake, with that -uuid. */
static pid_t
start_pretender(const FakeHost *host)
{
    g_autofree char *path = g_build_filename(host->root, "qemu-system-fake", NULL);
    g_autofree char *text = NULL;
    pid_t pid;
    gsize length = 0;

    assert_true(g_file_get_contents("/proc/self/exe", &text, &length, NULL));
    fake_write(path, text, (gssize) length);
    assert_int_equal(g_chmod(path, 0700), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(path, path, PRETEND, "-uuid", FAKE_UUID, NULL);
        _exit(127);
    }
    return pid;
}

/* Locates in the real /proc until the pretender has got so far. */
static FolioProcess *
locate_pretender(const FolioProcessQuery *query)
{
    for (int i = 0; i < 1000; i++) {
        g_autoptr(GError) error = NULL;
        FolioReason reason = FOLIO_REASON_NONE;
        FolioProcess *process = folio_process_locate(query, &reason, &error);

        if (process != NULL)
            return process;
        /* On its way: still this program, its arguments not yet in place, not yet all threads. */
        if (reason != FOLIO_REASON_NOT_QEMU && reason != FOLIO_REASON_UUID_MISMATCH &&
            reason != FOLIO_REASON_VCPU_MISMATCH)
            fail_msg("%s: %s", folio_reason_token(reason), error->message);
        g_usleep(5000);
    }
    fail_msg("the pretender did not come up");
    return NULL;
}

/* What cannot be read may well be running. */
static void
test_running_cannot_be_told(void **state)
{
    g_autoptr(FakeHost) host = fake_host_new(getpid());

    assert_true(folio_process_is_running(host->proc_root, host->pid, 4711));
    arm_fault(0, EACCES);
    assert_true(folio_process_is_running(host->proc_root, host->pid, 1));
    assert_true(disarm_fault());
    fake_proc_write(host, "stat", "1 (x", -1);
    assert_true(folio_process_is_running(host->proc_root, host->pid, 1));
}

static void
test_real_process(void **state)
{
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    const pid_t pid = start_pretender(host);
    g_autofree char *pid_text = g_strdup_printf("%d", pid);
    g_autofree char *path = g_build_filename(host->root, "qemu-system-fake", NULL);
    const FolioProcessQuery query = { "/proc", host->run_dir, FAKE_NAME, FAKE_UUID, 2 };
    g_autoptr(FolioProcess) process = NULL;
    g_autoptr(FolioProcess) again = NULL;
    g_autoptr(GError) error = NULL;
    FolioReason reason = FOLIO_REASON_NONE;
    struct pollfd ended = { .events = POLLIN };
    guint64 start_time;

    fake_pid_file(host, FAKE_NAME, pid_text, -1);
    process = locate_pretender(&query);
    assert_true(folio_process_is_alive(process));
    assert_string_equal(folio_process_get_exe(process), path);

    /* After an upgrade the executable is another file. */
    g_unlink(path);
    again = folio_process_locate(&query, &reason, &error);
    assert_no_error(error);
    assert_int_equal(folio_process_get_start_time(again), folio_process_get_start_time(process));
    start_time = folio_process_get_start_time(process);
    assert_true(folio_process_is_running("/proc", pid, start_time));
    assert_false(folio_process_is_running("/proc", pid, start_time + 1));
    assert_false(folio_process_is_running(host->run_dir, pid, start_time));

    kill(pid, SIGKILL);
    ended.fd = folio_process_get_pidfd(process);
    assert_int_equal(poll(&ended, 1, 10000), 1);
    assert_false(folio_process_is_alive(process)); /* a zombie */
    assert_false(folio_process_is_running("/proc", pid, start_time));
    assert_null(folio_process_locate(&query, &reason, &error));
    assert_int_equal(reason, FOLIO_REASON_PROCESS_GONE);
    g_clear_error(&error);

    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(folio_process_is_alive(process));
    assert_null(folio_process_list_threads(process, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    g_clear_error(&error);
    assert_null(folio_process_locate(&query, &reason, &error));
    assert_int_equal(reason, FOLIO_REASON_PROCESS_GONE);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_exe),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_stat),
        cmocka_unit_test(test_start_time_changes),
        cmocka_unit_test(test_vcpus),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_every_call_fails_on_threads),
        cmocka_unit_test(test_running_cannot_be_told),
        cmocka_unit_test(test_real_process),
    };

    if (argc > 1 && g_str_equal(argv[1], PRETEND))
        pretend_to_be_qemu();
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
