/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat that a guest brings along: its page tables are read first where it was hot, until its
 * first window has ended; what comes of its samples, and when, is the same without it. Time is made
 * by the test here, so that both can be compared to the last bit. */
#include "brought-heat.h"
#include "base/log.h"
#include "player.h"
#include "ram-fixture.h"
#include "sample/sampled-guest.h"
#include "sample/sampled-host.h"

#define MIB_BYTES   (1024 * 1024ULL)
#define GUEST_BYTES (224 * MIB_BYTES) /* granules of 64, 64, 64 and 32 MiB */
#define N_BLOCKS    112u
#define EPOCH_USEC  (1000 * G_GINT64_CONSTANT(1000))

/* Where the second and the last granule were hot. */
#define SUMMARY "1:112:32:adbc"

static const guint in_address_order[] = { 0, 1, 2, 3 };
static const guint in_order_of_heat[] = { 1, 3, 2, 0 };

/* The test as a guest, with one page in each granule; and as another, which was there before. */
typedef struct {
    Fixture base;
    char *memory, *neighbour;
    FolioGuestRam *ram, *neighbour_ram;
} Guest;

static int
set_up_guest(void **state)
{
    const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, GUEST_BYTES, NULL };
    const FolioRamSpec neighbour = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, CELL_BYTES, NULL };
    Guest *guest = g_new0(Guest, 1);

    fixture_init(&guest->base, getpid());
    guest->memory = reserve(GUEST_BYTES);
    map_file_at(guest->memory, GUEST_BYTES, never_dir, "pc.ram", MAP_SHARED);
    for (guint64 at = 0; at < GUEST_BYTES; at += 64 * MIB_BYTES)
        guest->memory[at] = 1;
    guest->ram = locate(&guest->base, &spec, 1);
    guest->neighbour = reserve(CELL_BYTES);
    map_file_at(guest->neighbour, CELL_BYTES, never_dir, "neighbour", MAP_SHARED);
    guest->neighbour_ram = locate(&guest->base, &neighbour, 1);
    *state = guest;
    return 0;
}

static int
tear_down_guest(void **state)
{
    Guest *guest = *state;

    folio_guest_ram_free(guest->ram);
    munmap(guest->memory, GUEST_BYTES);
    folio_guest_ram_free(guest->neighbour_ram);
    munmap(guest->neighbour, CELL_BYTES);
    folio_process_unref(guest->base.process);
    fake_host_free(guest->base.host);
    g_free(guest->base.sys_root);
    g_free(guest);
    return 0;
}

static FolioHeatSummary *
summary_of(const Guest *guest, const char *text)
{
    g_autoptr(GArray) ranges = folio_sampler_make_ranges(guest->ram);
    g_autoptr(GError) error = NULL;
    FolioHeatSummary *summary = folio_heat_summary_parse(text, ranges, &error);

    assert_no_error(error);
    return summary;
}

/* ---- Passes */

/* The steps of a pass know the granules in that order. */
static void
assert_order(FolioFrameRefresh *refresh, FolioFrameMap *map, const guint *granules)
{
    for (guint b = 0; b < N_BLOCKS; b++)
        folio_frame_map_drop_block(map, b);
    for (guint i = 0; i < 4; i++) {
        g_autoptr(GError) error = NULL;
        gboolean done;

        assert_false(folio_frame_map_knows(map, granules[i] * 32));
        assert_true(folio_frame_refresh_step(refresh, &done, &error));
        assert_true(folio_frame_map_knows(map, granules[i] * 32));
        assert_int_equal(done, i == 3);
    }
}

static void
test_order(void **state)
{
    const Guest *guest = *state;
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();
    g_autofree FolioHeatSummary *summary = summary_of(guest, SUMMARY);
    FolioFrameRefresh *refresh =
        folio_frame_refresh_new(map, guest->base.process, guest->ram, 0, -1, NULL);

    assert_order(refresh, map, in_address_order);
    folio_frame_refresh_order(refresh, summary);
    assert_order(refresh, map, in_order_of_heat);
    assert_order(refresh, map, in_order_of_heat);
    folio_frame_refresh_order(refresh, NULL);
    assert_order(refresh, map, in_address_order);
    summary->n_blocks--;
    folio_frame_refresh_order(refresh, summary);
    assert_order(refresh, map, in_address_order);
    folio_frame_refresh_free(refresh);
}

/* ---- Windows */

/* By a plain read of pagemap. */
static guint64
pa_of(const char *address)
{
    const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    guint64 entry = 0;

    assert_int_equal(pread(fd, &entry, 8, (off_t) ((gsize) address / PAGE * 8)), 8);
    close(fd);
    assert_true(entry >> 63);
    return (entry & ((G_GUINT64_CONSTANT(1) << 55) - 1)) * PAGE;
}

/* What the sampling thread has, without the thread. */
typedef struct {
    FolioSamplingCommon common;
    FolioSampledHost host;
    GMutex lock;
    Player *player;
    FolioSampled *sampled;
    GPtrArray *guests; /* it, and those before it */
    gint64 clock, now; /* usec: how far it is to be served, and when it is served next */
    GString *told;     /* when what was told */
} Thread;

/* As folio_sampler_add_with and the thread do. */
static FolioSampled *
sampled_new(Thread *thread, const Guest *guest, const FolioGuestRam *ram, FolioHeatSummary *brought)
{
    FolioSampled *sampled = g_new0(FolioSampled, 1);

    g_atomic_ref_count_init(&sampled->references);
    sampled->common = &thread->common;
    sampled->process = folio_process_ref(guest->base.process);
    sampled->ram = folio_guest_ram_copy(ram);
    sampled->n_blocks = folio_frame_refresh_count_blocks(ram);
    sampled->ranges = folio_sampler_make_ranges(ram);
    sampled->brought = brought;
    sampled->context = g_main_context_ref_thread_default();
    sampled->now.source = sampled->figures.source = "none";
    sampled->numbered = folio_block_space_take(thread->common.space, sampled, sampled->n_blocks,
                                               &sampled->first_block);
    sampled->turn = TRUE;
    g_ptr_array_add(thread->guests, sampled);
    return sampled;
}

static Thread *
thread_new(void)
{
    Thread *thread = g_new0(Thread, 1);

    g_mutex_init(&thread->lock);
    thread->player = player_new();
    thread->common = (FolioSamplingCommon){
        .source = &thread->player->base,
        .settings = { .cpu_share = 1, .epoch_msec = EPOCH_USEC / 1000 },
        .map = folio_frame_map_new(),
        .space = folio_block_space_new(),
        .kpageflags_fd = -1,
        .host = &thread->host,
        .lock = &thread->lock,
    };
    thread->host.common = &thread->common;
    thread->guests = g_ptr_array_new();
    thread->clock = thread->now = 1000 * EPOCH_USEC;
    thread->told = g_string_new(NULL);
    return thread;
}

static void
thread_free(Thread *thread)
{
    for (guint i = 0; i < thread->guests->len; i++) {
        FolioSampled *guest = thread->guests->pdata[i];

        folio_sampled_close(guest);
        folio_block_space_give_back(thread->common.space, guest);
        folio_sampled_unref(guest);
    }
    folio_sampled_host_close(&thread->host);
    g_ptr_array_unref(thread->guests);
    folio_frame_map_free(thread->common.map);
    folio_block_space_free(thread->common.space);
    thread->player->base.klass->free(&thread->player->base);
    g_string_free(thread->told, TRUE);
    g_free(thread);
}

/* One round; returns when it asks for the next, and writes down what it told. */
static gint64
serve(Thread *thread, gboolean readable)
{
    gint64 next = folio_sampled_host_serve(&thread->host, thread->guests, thread->now, readable);

    for (guint i = 0; i < thread->guests->len; i++) {
        FolioSampled *guest = thread->guests->pdata[i];
        gboolean changed = FALSE;
        gint64 due;

        due = folio_sampled_serve(guest, thread->now, FALSE, &changed);
        next = MIN(next, due);
        if (changed)
            g_string_append_printf(thread->told,
                                   "%" G_GINT64_FORMAT
                                   ": guest %u: state %u, window %u, sparse %" G_GUINT64_FORMAT
                                   "\n",
                                   thread->now, i, (guint) guest->now.state, guest->now.windows,
                                   guest->now.bytes[FOLIO_VERDICT_SPARSE]);
    }
    return next;
}

static void
serve_until(Thread *thread, gint64 time)
{
    while (thread->now <= time) {
        const gint64 next = serve(thread, FALSE);

        thread->now = MAX(next, thread->now + 1);
    }
}

/* An epoch in which a page of each granule is used or not. */
static void
use_guest(Thread *thread, const Guest *guest, guint epoch, const char *late)
{
    for (guint granule = 0; granule < 4; granule++) {
        if (epoch % (granule + 1) == 0)
            play_pa(thread->player, pa_of(guest->memory + granule * 64 * MIB_BYTES));
    }
    play_pa(thread->player, pa_of(late));
    thread->clock += EPOCH_USEC;
    serve_until(thread, thread->clock);
}

/* In each epoch there is memory that was not there before. */
static void
run_windows(Thread *const *threads, guint n_threads, const Guest *guest, guint n)
{
    for (guint epoch = 0; epoch < n * FOLIO_EPOCHS; epoch++) {
        char *late = guest->memory + (epoch * 3 % N_BLOCKS) * BLOCK + (1 + epoch % 500) * PAGE;

        *late = 1;
        for (guint i = 0; i < n_threads; i++)
            use_guest(threads[i], guest, epoch, late);
    }
}

static void
assert_same_heat(const FolioHeatSnapshot *a, const FolioHeatSnapshot *b)
{
    assert_int_equal(a->n_blocks, N_BLOCKS);
    assert_int_equal(b->n_blocks, N_BLOCKS);
    assert_int_equal(a->windows, b->windows);
    assert_int_equal(a->window_usec, b->window_usec);
    assert_memory_equal(a->evidence, b->evidence, N_BLOCKS * sizeof *a->evidence);
    assert_memory_equal(a->verdicts, b->verdicts, N_BLOCKS);
    assert_memory_equal(a->unseen, b->unseen, N_BLOCKS * sizeof *a->unseen);
    assert_memory_equal(&a->outcomes, &b->outcomes, sizeof a->outcomes);
}

#define WINDOWS 30

/* One that was brought, one that says the contrary, and none. */
static const char *const summaries[] = { NULL, SUMMARY, "1:112:32:dcba" };

static void
add_guest(Thread *thread, const Guest *guest, const char *summary)
{
    thread->sampled =
        sampled_new(thread, guest, guest->ram, summary != NULL ? summary_of(guest, summary) : NULL);
}

static void
assert_same(Thread *const *threads, const Guest *guest)
{
    run_windows(threads, G_N_ELEMENTS(summaries), guest, WINDOWS);
    for (guint i = 0; i < G_N_ELEMENTS(summaries); i++) {
        const FolioSampled *one = threads[0]->sampled, *other = threads[i]->sampled;

        assert_in_range(other->now.windows, WINDOWS - 1, WINDOWS);
        /* It is no comparison of nothing with nothing. */
        assert_true(other->now.bytes[FOLIO_VERDICT_SPARSE] > 0);
        assert_true(other->now.samples > WINDOWS * FOLIO_EPOCHS * 2);
        assert_same_heat(one->snapshot, other->snapshot);
        assert_string_equal(threads[0]->told->str, threads[i]->told->str);
        assert_int_equal(one->now.samples, other->now.samples);
    }
}

static void
test_same_verdicts(void **state)
{
    const Guest *guest = *state;
    Thread *threads[G_N_ELEMENTS(summaries)];

    for (guint i = 0; i < G_N_ELEMENTS(summaries); i++) {
        threads[i] = thread_new();
        add_guest(threads[i], guest, summaries[i]);
    }
    assert_same(threads, guest);
    for (guint i = 0; i < G_N_ELEMENTS(summaries); i++)
        thread_free(threads[i]);
}

/* The guest comes to a host whose session samples it already, step by step of its first pass. */
static void
come(Thread *thread, const Guest *guest, const char *summary)
{
    thread->player->base.whole_host = TRUE;
    sampled_new(thread, guest, guest->neighbour_ram, NULL);
    serve_until(thread, thread->clock += EPOCH_USEC);
    assert_true(thread->host.stream->enabled);

    add_guest(thread, guest, summary);
    for (guint step = 0; step < 4; step++) {
        for (guint granule = 0; granule < 4; granule++)
            play_pa(thread->player, pa_of(guest->memory + granule * 64 * MIB_BYTES));
        thread->now++;
        serve(thread, TRUE);
    }
    serve_until(thread, thread->clock);
}

static void
test_same_verdicts_by_host(void **state)
{
    const Guest *guest = *state;
    Thread *threads[G_N_ELEMENTS(summaries)];

    for (guint i = 0; i < G_N_ELEMENTS(summaries); i++) {
        threads[i] = thread_new();
        come(threads[i], guest, summaries[i]);
        assert_true(threads[i]->sampled->mapped);
        assert_int_equal(threads[i]->sampled->now.samples, 0);
        assert_int_equal(threads[i]->host.stream->aside, 16);
    }
    assert_same(threads, guest);
    for (guint i = 0; i < G_N_ELEMENTS(summaries); i++)
        thread_free(threads[i]);
}

/* It orders passes before the first window has ended, and no later ones. */
static void
test_forgotten(void **state)
{
    const Guest *guest = *state;
    Thread *thread = thread_new();

    add_guest(thread, guest, SUMMARY);
    serve(thread, FALSE);
    assert_true(thread->sampled->passing);
    assert_true(folio_frame_map_knows(thread->common.map, in_order_of_heat[0] * 32));
    assert_false(folio_frame_map_knows(thread->common.map, 0));
    run_windows(&thread, 1, guest, 2);
    assert_null(thread->sampled->brought);
    assert_order(thread->sampled->refresh, thread->common.map, in_address_order);
    thread_free(thread);
}

/* ---- What is said of it */

static GString *logged;

static GLogWriterOutput
take_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    for (gsize i = 0; i < n_fields; i++) {
        if (g_str_equal(fields[i].key, "MESSAGE") || g_str_equal(fields[i].key, "MESSAGE_ID"))
            g_string_append_printf(logged, "%s\n", (const char *) fields[i].value);
    }
    return G_LOG_WRITER_HANDLED;
}

/* Whether it is read, and that it says so once, or that it says nothing. */
static void
check_read(const Guest *guest, const FolioHeatElement *heat, gboolean read, const char *message)
{
    const FolioDomain domain = { .name = (char[]){ "web" }, .uuid = (char[]){ "6d3ad0d2" } };
    g_autofree FolioHeatSummary *summary = NULL;
    g_autofree char *expected = NULL;

    g_string_truncate(logged, 0);
    summary = folio_brought_heat_read(&domain, heat, guest->ram);
    assert_int_equal(summary != NULL, read);
    if (message != NULL)
        expected = g_strdup_printf("web: %s\n" FOLIO_MESSAGE_HEAT "\n", message);
    assert_string_equal(logged->str, expected != NULL ? expected : "");
}

static void
test_told(void **state)
{
    const Guest *guest = *state;

    check_read(guest, &(FolioHeatElement){ 0 }, FALSE, NULL);
    check_read(guest, &(FolioHeatElement){ .text = (char[]){ SUMMARY } }, TRUE,
               "its metadata hold a heat summary, by granules of 64 MiB: it orders what is looked "
               "at first, and counts for nothing else");
    check_read(guest, &(FolioHeatElement){ .text = (char[]){ "2:112:32:adbc" } }, FALSE,
               "the heat summary in its metadata is ignored: it is of version 2; known is 1");
    check_read(guest, &(FolioHeatElement){ .text = (char[]){ "1:512:32:a16" } }, FALSE,
               "the heat summary in its metadata is ignored: it is of 512 blocks of RAM; "
               "the guest has 112");
    check_read(guest, &(FolioHeatElement){ .error = (char[]){ "<status> has 40000 bytes" } }, FALSE,
               "the heat summary in its metadata is ignored: <status> has 40000 bytes");
}

#define GUEST_TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up_guest, tear_down_guest)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        GUEST_TEST(test_order),
        GUEST_TEST(test_same_verdicts),
        GUEST_TEST(test_same_verdicts_by_host),
        GUEST_TEST(test_forgotten),
        GUEST_TEST(test_told),
    };

    logged = g_string_new(NULL);
    g_log_set_writer_func(take_log, NULL, NULL);
    return cmocka_run_group_tests_name("brought-heat", tests, set_up_group, tear_down_group);
}
