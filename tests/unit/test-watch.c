/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is found of split blocks later, on real memory of the test itself; and which of them are
 * split again to renew the hold of their file. */
#include "act/ledger-record.h"
#include "act/watch.h"
#include "ram-fixture.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define N_BLOCKS 4u

/* Two files of 4 blocks: "ram" of huge pages, "dimm0" of small ones. */
typedef struct {
    Fixture fixture;
    char *huge, *small;
    FolioGuestRam *ram;
    char *run;
    FolioLedger *ledger;
    FolioLedgerGuest *guest;
} Watched;

static char *advise_dir; /* a tmpfs that has huge pages where they are asked for */

static FolioRamBlock
block_of(const char *id, const char *start, guint64 inode)
{
    return (FolioRamBlock){
        .id = (char *) id,
        .spec = { .bytes = N_BLOCKS * BLOCK },
        .hva = (gsize) start,
        .bytes = N_BLOCKS * BLOCK,
        .inode = inode,
        .file = (char *) "",
        .fs_type = (char *) "tmpfs",
        .fs_options = (char *) "",
        .huge = (char *) "",
    };
}

static FolioGuestRam *
ram_of(const Watched *watched)
{
    FolioRamBlock blocks[] = { block_of("ram", watched->huge, 1),
                               block_of("dimm0", watched->small, 2) };
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    const FolioGuestRam ram = { .blocks = list, .bytes = 2 * N_BLOCKS * BLOCK };

    g_ptr_array_add(list, &blocks[0]);
    g_ptr_array_add(list, &blocks[1]);
    return folio_guest_ram_copy(&ram);
}

static int
watched_set_up(void **state)
{
    Watched *watched = g_new0(Watched, 1);

    *state = watched;
    fixture_init(&watched->fixture, getpid());
    watched->huge = reserve(N_BLOCKS * BLOCK);
    watched->small = reserve(N_BLOCKS * BLOCK);
    map_file_at(watched->huge, N_BLOCKS * BLOCK, huge_dir, "ram", MAP_SHARED);
    map_file_at(watched->small, N_BLOCKS * BLOCK, advise_dir, "dimm0", MAP_SHARED);
    for (guint i = 0; i < N_BLOCKS; i++)
        watched->huge[i * BLOCK] = 1;
    memset(watched->small, 1, N_BLOCKS * BLOCK);
    watched->ram = ram_of(watched);
    watched->run = g_build_filename(watched->fixture.host->root, "run-foliod", NULL);
    watched->ledger = folio_ledger_open(watched->run);
    watched->guest = folio_ledger_get_guest(watched->ledger, FAKE_UUID, watched->fixture.process);
    return 0;
}

static int
watched_tear_down(void **state)
{
    Watched *watched = *state;

    munmap(watched->huge, N_BLOCKS * BLOCK);
    munmap(watched->small, N_BLOCKS * BLOCK);
    folio_guest_ram_free(watched->ram);
    folio_ledger_guest_unref(watched->guest);
    folio_ledger_free(watched->ledger);
    g_free(watched->run);
    folio_process_unref(watched->fixture.process);
    fake_host_free(watched->fixture.host);
    g_free(watched->fixture.sys_root);
    g_free(watched);
    return 0;
}

static void
begin(Watched *watched, const char *start, guint n)
{
    const FolioActRequest request = {
        .kind = FOLIO_ACT_SPLIT, .order = 4, .ram = watched->ram, .by = (char *) "uid 0"
    };
    const FolioBlockRange range = { (gsize) start, n * BLOCK };
    g_autoptr(GError) error = NULL;

    folio_ledger_begin(watched->guest, &request, &range, 1, &error);
    assert_no_error(error);
}

/* To the ledger these blocks are split. */
static void
say_split(Watched *watched, const char *start, guint n)
{
    const FolioActRequest request = {
        .kind = FOLIO_ACT_SPLIT, .order = 4, .ram = watched->ram, .by = (char *) "uid 0"
    };
    const FolioBlockRange range = { (gsize) start, n * BLOCK };
    const FolioOutcome outcomes[N_BLOCKS] = { FOLIO_OUTCOME_DONE };

    begin(watched, start, n);
    folio_ledger_ended(watched->guest, &request, &range, 1, outcomes);
}

/* Looks, and expects so many to be counted, and so many to be split still. */
static void
assert_look(Watched *watched, guint64 recollapsed, guint64 split_now)
{
    g_autoptr(GError) error = NULL;
    guint64 counted = 99;

    folio_watch_look(watched->fixture.process, watched->ram, watched->guest, "/proc", G_MAXUINT,
                     &counted, &error);
    assert_no_error(error);
    assert_int_equal(counted, recollapsed);
    assert_int_equal(folio_ledger_count(watched->guest).split_now, split_now);
}

static void
collapse(char *start)
{
    assert_int_equal(madvise(start, BLOCK, MADV_HUGEPAGE), 0);
    if (madvise(start, BLOCK, MADV_COLLAPSE) != 0)
        fail_msg("MADV_COLLAPSE: %s", g_strerror(errno));
}

static void
test_collapsed(void **state)
{
    Watched *watched = *state;

    assert_look(watched, 0, 0);
    say_split(watched, watched->small, N_BLOCKS);
    assert_look(watched, 0, N_BLOCKS);
    collapse(watched->small + 2 * BLOCK);
    assert_look(watched, 1, N_BLOCKS - 1);
    assert_look(watched, 0, N_BLOCKS - 1);
    say_split(watched, watched->huge, 2);
    assert_look(watched, 2, N_BLOCKS - 1);
    assert_int_equal(folio_ledger_count(watched->guest).recollapsed, 3);
}

static int
no_ioctl(int fd, unsigned long request, void *argument)
{
    errno = ENOTTY;
    return -1;
}

/* Linux before 6.7 has no PAGEMAP_SCAN. */
static void
test_old_kernel(void **state)
{
    static const FolioFileCalls old_kernel = { .ioctl = no_ioctl, .getlk = fake_getlk };

    folio_file_set_calls(&old_kernel);
    test_collapsed(state);
    folio_file_set_calls(&fake_calls);
}

/* No PMD can map a block that is not all of one mapping; the folio in the page cache is huge. */
static void
test_huge_but_not_mapped_so(void **state)
{
    Watched *watched = *state;
    SmapsSum smaps;

    say_split(watched, watched->huge, 1);
    assert_int_equal(mprotect(watched->huge + BLOCK - PAGE, PAGE, PROT_READ), 0);
    assert_int_equal(madvise(watched->huge, BLOCK - PAGE, MADV_DONTNEED), 0);
    assert_look(watched, 0, 1); /* no page is mapped: nobody can tell */
    ((volatile char *) watched->huge)[7 * PAGE] = 1;
    sum_smaps(watched->huge, BLOCK, &smaps);
    assert_true(smaps.present > 0);
    assert_int_equal(smaps.pmd_mapped, 0);
    assert_look(watched, 1, 0);
}

/* A hole splits a folio; the rest of it keeps its frames, in a row and aligned. */
static void
test_split_in_place(void **state)
{
    Watched *watched = *state;
    g_autofree char *path = g_build_filename(huge_dir, "ram", NULL);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    SmapsSum smaps;

    assert_true(fd >= 0);
    say_split(watched, watched->huge, 1);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               (off_t) (BLOCK - PAGE), (off_t) PAGE),
                     0);
    close(fd);
    for (guint i = 0; i < FOLIO_BLOCK_BYTES / PAGE; i++)
        ((volatile char *) watched->huge)[i * PAGE] = 1;
    sum_smaps(watched->huge, N_BLOCKS * BLOCK, &smaps);
    assert_int_equal(smaps.present, N_BLOCKS * BLOCK);
    assert_int_equal(smaps.pmd_mapped, (N_BLOCKS - 1) * BLOCK);
    assert_look(watched, 0, 1);
}

/* Of an earlier foliod that was killed: what is huge is forgotten, what is not is now known. */
static void
test_perhaps(void **state)
{
    Watched *watched = *state;
    guint64 address;
    guint order;

    begin(watched, watched->small, 1);
    begin(watched, watched->huge, 2);
    assert_look(watched, 0, 3); /* under way: none is touched */
    folio_ledger_guest_unref(watched->guest);
    folio_ledger_free(watched->ledger);
    watched->ledger = folio_ledger_open(watched->run);
    watched->guest = folio_ledger_get_guest(watched->ledger, FAKE_UUID, watched->fixture.process);
    assert_int_equal(folio_ledger_count(watched->guest).split_now, 3);
    assert_look(watched, 0, 1);
    assert_true(folio_ledger_find_split(watched->guest, watched->ram->blocks->pdata[1], 0, &address,
                                        &order));
    assert_int_equal(address, (gsize) watched->small);
    collapse(watched->small);
    assert_look(watched, 1, 0);
}

/* A large guest is looked at part by part, and then from its beginning again. */
static void
test_in_parts(void **state)
{
    Watched *watched = *state;
    guint64 seen = 0, counted;
    guint looks = 0;

    say_split(watched, watched->huge, N_BLOCKS);
    say_split(watched, watched->small, N_BLOCKS);
    while (seen < N_BLOCKS) {
        assert_true(folio_watch_look(watched->fixture.process, watched->ram, watched->guest,
                                     "/proc", 3, &counted, NULL));
        assert_true(counted <= 3);
        seen += counted;
        assert_true(++looks < 10);
    }
    assert_true(looks >= 2);
    assert_int_equal(folio_ledger_count(watched->guest).split_now, N_BLOCKS);
    say_split(watched, watched->huge, 1);
    say_split(watched, watched->huge + 3 * BLOCK, 1);
    for (seen = looks = 0; seen < 2; seen += counted) {
        assert_true(folio_watch_look(watched->fixture.process, watched->ram, watched->guest,
                                     "/proc", 1, &counted, NULL));
        assert_true(++looks < 20);
    }
    assert_int_equal(folio_ledger_count(watched->guest).split_now, N_BLOCKS);
}

static void
test_errors(void **state)
{
    Watched *watched = *state;
    g_autoptr(GError) error = NULL;
    guint64 counted;

    say_split(watched, watched->small, 1);
    assert_false(folio_watch_look(watched->fixture.process, watched->ram, watched->guest,
                                  watched->fixture.host->root, G_MAXUINT, &counted, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    assert_non_null(strstr(error->message, "kpageflags"));
    g_clear_error(&error);
    /* As if the process had ended. */
    fake_proc_link(watched->fixture.host, "pagemap", "/proc/self/nothing");
    assert_false(folio_watch_look(watched->fixture.process, watched->ram, watched->guest, "/proc",
                                  G_MAXUINT, &counted, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    assert_int_equal(folio_ledger_count(watched->guest).split_now, 1);
}

/* A way that notes what it is asked for. */
typedef struct {
    FolioWay base;
    guint calls;
    gboolean fails;
    guint64 addresses[4];
    guint orders[4];
} NotingWay;

static gboolean
noting_apply(FolioWay *way, FolioChunk *chunk, GCancellable *cancellable, GError **error)
{
    NotingWay *noting = (NotingWay *) way;

    assert_int_equal(chunk->kind, FOLIO_ACT_SPLIT);
    assert_int_equal(chunk->n_ranges, 1);
    assert_int_equal(chunk->n_blocks, 1);
    assert_int_equal(chunk->ranges[0].bytes, BLOCK);
    assert_true(noting->calls < G_N_ELEMENTS(noting->addresses));
    noting->addresses[noting->calls] = chunk->ranges[0].start;
    noting->orders[noting->calls++] = chunk->order;
    if (noting->fails)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "no");
    return !noting->fails;
}

static const FolioWayClass noting_class = { .name = "damon", .apply = noting_apply };

static gboolean
renew(Watched *watched, NotingWay *way, guint hold_msec, gint64 *renewed, GError **error)
{
    way->calls = 0;
    return folio_watch_renew(&way->base, watched->fixture.process, watched->ram, watched->guest,
                             "/proc", hold_msec, renewed, NULL, error);
}

static void
test_renew(void **state)
{
    Watched *watched = *state;
    NotingWay way = { .base = { .klass = &noting_class } };
    gint64 renewed = 0;
    g_autoptr(GError) error = NULL;

    assert_true(renew(watched, &way, 60000, &renewed, NULL));
    assert_int_equal(way.calls, 0); /* nothing is split */
    renewed = 0;
    say_split(watched, watched->small + BLOCK, 2);
    say_split(watched, watched->huge, N_BLOCKS); /* all huge again: not to be split by the way */
    assert_true(renew(watched, &way, 0, &renewed, NULL));
    assert_int_equal(way.calls, 0);
    assert_true(renew(watched, &way, 60000, &renewed, NULL));
    assert_int_equal(way.calls, 1);
    assert_int_equal(way.addresses[0], (gsize) watched->small + BLOCK);
    assert_int_equal(way.orders[0], 4);
    assert_true(renewed > 0);
    assert_true(renew(watched, &way, 60000, &renewed, NULL));
    assert_int_equal(way.calls, 0); /* not due yet */

    /* In each RAM block one, also when one of them fails. */
    assert_int_equal(madvise(watched->huge, N_BLOCKS * BLOCK, MADV_DONTNEED), 0);
    renewed -= 31 * G_USEC_PER_SEC;
    way.fails = TRUE;
    assert_false(renew(watched, &way, 60000, &renewed, &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    assert_int_equal(way.calls, 2);
    assert_int_equal(way.addresses[0], (gsize) watched->huge);
    way.fails = FALSE;
    assert_true(renew(watched, &way, 60000, &renewed, NULL));
    assert_int_equal(way.calls, 2);
    assert_int_equal(folio_ledger_count(watched->guest).split, N_BLOCKS + 2);
}

static int
watch_set_up_group(void **state)
{
    set_up_group(state);
    advise_dir = mount_tmpfs("huge=advise");
    return 0;
}

static int
watch_tear_down_group(void **state)
{
    unmount_tmpfs(advise_dir);
    return tear_down_group(state);
}

#define WATCH_TEST(function) \
    cmocka_unit_test_setup_teardown(function, watched_set_up, watched_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(test_collapsed),
        WATCH_TEST(test_old_kernel),
        WATCH_TEST(test_huge_but_not_mapped_so),
        WATCH_TEST(test_split_in_place),
        WATCH_TEST(test_perhaps),
        WATCH_TEST(test_in_parts),
        WATCH_TEST(test_errors),
        WATCH_TEST(test_renew),
    };

    return cmocka_run_group_tests(tests, watch_set_up_group, watch_tear_down_group);
}
