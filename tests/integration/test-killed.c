/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod is killed again and again while a guest runs that has something split: each start takes
 * over what the ledger says, changes nothing of it, and restores all of it when told to, also when
 * it is libvirtd that is killed meanwhile. This
 * machine's kernel need not be able to split: a ledger of one split is written and made true by
 * punching holes into the guest's RAM, which never misses it. */
#include "guests.h"
#include "integration/ctl-run.h"
#include "integration/daemon.h"
#include "libvirtd.h"
#include "private-tmpfs.h"

#include "act/ledger.h"

#include <errno.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define NAME    "survivor"
#define UUID    "7b1d0c52-6a3e-4f0e-9a55-31c1e0b7aa01"
#define RAM_MIB 64u

/* Blocks that are split: all but those that SeaBIOS is at work in. */
#define FIRST 4u
#define N     ((guint) (RAM_MIB / 2 - FIRST - 4))

#define KILLS          20
#define RESTORE_KILLS  10
#define LIBVIRTD_KILLS 5

typedef struct {
    virConnectPtr connect; /* closed while libvirtd is killed */
    virDomainPtr domain;
    pid_t pid; /* of QEMU */
    Daemon *daemon;
    gsize pmd_mapped;
    GRand *rand;
} Fixture;

static FolioProcess *
locate(void)
{
    const FolioProcessQuery query = {
        .proc_root = "/proc", .run_dir = "/run/libvirt/qemu", .name = NAME, .uuid = UUID
    };
    FolioReason reason = FOLIO_REASON_NONE;
    g_autoptr(GError) error = NULL;
    FolioProcess *process = folio_process_locate(&query, &reason, &error);

    assert_no_error(error);
    return process;
}

static FolioGuestRam *
locate_ram(FolioProcess *process)
{
    static const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, RAM_MIB << 20, NULL };
    FolioReason reason = FOLIO_REASON_NONE;
    g_autoptr(GError) error = NULL;
    FolioGuestRam *ram = folio_guest_ram_locate(process, &spec, 1, "/sys", &reason, &error);

    assert_no_error(error);
    return ram;
}

/* Every second page. */
static void
punch(pid_t pid, const FolioRamBlock *block)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%d/map_files/%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x", pid,
                        block->hva, block->hva + block->bytes);
    const int fd = open(path, O_RDWR | O_CLOEXEC);

    assert_return_code(fd, errno);
    for (gsize at = FIRST * BLOCK; at < (FIRST + N) * BLOCK; at += 2 * PAGE)
        assert_return_code(
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) at, (off_t) PAGE),
            errno);
    close(fd);
}

/* As a foliod before the first one has left it. */
static void
split(Fixture *fixture)
{
    g_autofree char *state_dir = g_build_filename(fixture->daemon->directory, "run", NULL);
    g_autoptr(FolioProcess) process = locate();
    g_autoptr(FolioGuestRam) ram = locate_ram(process);
    const FolioRamBlock *block = ram->blocks->pdata[0];
    const FolioBlockRange range = { block->hva + FIRST * BLOCK, N * BLOCK };
    const FolioActRequest request = { .kind = FOLIO_ACT_SPLIT,
                                      .process = process,
                                      .uuid = (char *) UUID,
                                      .name = (char *) NAME,
                                      .ram = ram,
                                      .by = (char *) "uid 0" };
    FolioOutcome outcomes[N];
    g_autoptr(FolioLedger) ledger = NULL;
    g_autoptr(FolioLedgerGuest) guest = NULL;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < N; i++)
        outcomes[i] = FOLIO_OUTCOME_DONE;
    assert_int_equal(g_mkdir_with_parents(state_dir, 0700), 0);
    ledger = folio_ledger_open(state_dir);
    guest = folio_ledger_get_guest(ledger, UUID, process);
    folio_ledger_begin(guest, &request, &range, 1, &error);
    assert_no_error(error);
    punch(fixture->pid, block);
    folio_ledger_ended(guest, &request, &range, 1, outcomes);
}

static void
kill_daemon(Fixture *fixture)
{
    char dropped[4096];
    int status;

    assert_return_code(kill(fixture->daemon->pid, SIGKILL), errno);
    status = daemon_wait(fixture->daemon);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    /* What it has said is not the next one's. */
    while (recv(fixture->daemon->notify_fd, dropped, sizeof dropped, MSG_DONTWAIT) > 0)
        ;
}

static char *
start(Fixture *fixture)
{
    daemon_start(fixture->daemon, NULL, NULL);
    return daemon_wait_state(fixture->daemon, NAME, "located");
}

static guint64
count(Fixture *fixture, const char *path, const char *property)
{
    return daemon_guest_bytes(fixture->daemon, path, property);
}

static void
assert_adopted(Fixture *fixture)
{
    g_autofree char *path = start(fixture);

    assert_int_equal(count(fixture, path, "SplitBlocks"), N);
    assert_int_equal(count(fixture, path, "SplitNowBlocks"), N);
    assert_int_equal(count(fixture, path, "RecollapsedBlocks"), 0);
}

/* While it starts, and when it has. */
static void
test_killed(void **state)
{
    Fixture *fixture = *state;

    for (guint i = 0; i < KILLS / 2; i++) {
        daemon_spawn(fixture->daemon, NULL, NULL);
        g_usleep((gulong) g_rand_int_range(fixture->rand, 0, 400 * 1000));
        kill_daemon(fixture);
        assert_adopted(fixture);
        kill_daemon(fixture);
    }
    assert_int_equal(pmd_mapped_of(fixture->pid), fixture->pmd_mapped - N * BLOCK);
}

static void
restore(Fixture *fixture, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) job = daemon_call(fixture->daemon, path, FOLIOD_GUEST, "Restore",
                                          g_variant_new("(a{sv})", NULL), &error);

    assert_no_error(error);
}

static void
assert_restored(Fixture *fixture, const char *path)
{
    assert_int_equal(count(fixture, path, "SplitNowBlocks"), 0);
    assert_int_equal(pmd_mapped_of(fixture->pid), fixture->pmd_mapped);
}

/* What is whole by then is not split any more, and all of it is in the end. */
static void
test_killed_while_it_restores(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *last = NULL;
    g_autofree char *text = NULL;
    guint64 left = N;

    for (guint i = 0; i < RESTORE_KILLS; i++) {
        g_autofree char *path = start(fixture);

        assert_in_range(count(fixture, path, "SplitNowBlocks"), 0, left);
        left = count(fixture, path, "SplitNowBlocks");
        print_message("kill %u: %u of %u blocks are split\n", i, (guint) left, N);
        restore(fixture, path);
        g_usleep((gulong) g_rand_int_range(fixture->rand, 0, 20 * 1000));
        kill_daemon(fixture);
    }
    last = start(fixture);
    text = ctl_print(WORDS("restore", NAME));
    assert_int_equal(count(fixture, last, "SplitBlocks"), N);
    assert_in_range(count(fixture, last, "CollapsedBlocks"), 0, N);
    assert_restored(fixture, last);
    daemon_stop(fixture->daemon);
}

static void
reconnect(Fixture *fixture)
{
    fixture->connect = folio_test_connect("qemu:///system");
    fixture->domain = virDomainLookupByName(fixture->connect, NAME);
    assert_non_null(fixture->domain);
}

static void
disconnect(Fixture *fixture)
{
    virDomainFree(fixture->domain);
    virConnectClose(fixture->connect);
}

/* The job is about a process, not about libvirt's connection: it goes on. */
static void
test_libvirtd_killed(void **state)
{
    Fixture *fixture = *state;

    disconnect(fixture);
    for (guint i = 0; i < LIBVIRTD_KILLS; i++) {
        g_autofree char *path = NULL;
        g_autofree char *later = NULL;
        gint64 deadline;

        split(fixture);
        path = start(fixture);
        restore(fixture, path);
        g_usleep((gulong) g_rand_int_range(fixture->rand, 0, 20 * 1000));
        folio_test_libvirtd_kill();
        folio_test_libvirtd_start();
        daemon_wait_connected(fixture->daemon, TRUE);
        later = daemon_wait_state(fixture->daemon, NAME, "located");
        deadline = deadline_after(PATIENCE_SECONDS);
        while (count(fixture, later, "SplitNowBlocks") > 0 && before_deadline(deadline))
            ;
        assert_restored(fixture, later);
        daemon_stop(fixture->daemon);
    }
    reconnect(fixture);
}

static int
set_up(void **state)
{
    g_autofree char *launcher =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "launch", "qemu-system-x86_64", NULL);
    const FolioTestGuest guest = { .name = NAME,
                                   .uuid = UUID,
                                   .emulator = launcher,
                                   .backing = FOLIO_TEST_ON_TMPFS,
                                   .mib = RAM_MIB };
    const guint32 seed = g_random_int();
    Fixture *fixture = g_new0(Fixture, 1);

    assert_non_null(g_getenv("FOLIOD_BUILD"));
    print_message("seed %u\n", seed);
    fixture->rand = g_rand_new_with_seed(seed);
    fixture->connect = folio_test_connect("qemu:///system");
    fixture->domain = folio_test_guest_start(fixture->connect, &guest);
    fixture->pid = folio_test_guest_pid(NAME);
    fixture->pmd_mapped = pmd_mapped_of(fixture->pid);
    if (fixture->pmd_mapped < (FIRST + N) * BLOCK)
        fail_msg("PMDs map no more than %zu bytes of the guest", fixture->pmd_mapped);
    fixture->daemon = daemon_new();
    split(fixture);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    daemon_free(fixture->daemon);
    folio_test_guest_destroy(fixture->domain);
    virConnectClose(fixture->connect);
    g_rand_free(fixture->rand);
    g_free(fixture);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_while_it_restores),
        cmocka_unit_test(test_libvirtd_killed),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
