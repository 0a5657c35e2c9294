/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest for which something is decided: window after window of a made-up heat, blocks of a
 * made-up page table, and an actuator that does as the test says. */
#pragma once

#include "base/error.h"
#include "base/file-io.h"
#include "decided-guest.h"
#include "fake-actuator.h"
#include "fake-proc.h"
#include "memory/pagemap-abi.h"
#include "policy/plan.h"

#include <gio/gio.h>

#define BLOCK    FOLIO_BLOCK_BYTES
#define N_BLOCKS 8u
#define HVA      0x40000000u
#define ORDER    2

/* How the blocks are mapped: 'H' by a PMD, 's' in small pages, '-' not at all. */
static char mapped[N_BLOCKS + 1];

typedef struct {
    FakeHost *host;
    FakeActuator fake;
    FolioActuators *actuators;
    FolioTurns *turns;
    FolioDecidingHost *deciding;
    FolioDecidedGuest *decided;
    FolioProcess *process;
    FolioGuestRam *ram;
    FolioHints wanted;
    FolioDecidedView view;
    guint held, acted;
    char followed[N_BLOCKS + 1]; /* 'S' split, 'c' a candidate, '.' neither; "": not told yet */
    guint32 windows;
} Fixture;

/* PAGEMAP_SCAN, of what is in one part of the RAM. */
static inline int
scan(int fd, unsigned long request, void *argument)
{
    FolioScanArgument *scan = argument;
    FolioPageRegion *regions = (FolioPageRegion *) (gsize) scan->vec;
    int n = 0;

    assert_int_equal(request, FOLIO_PAGEMAP_SCAN);
    for (guint64 at = scan->start; at < scan->end; at += BLOCK) {
        const char how = mapped[(at - HVA) / BLOCK];

        if (how != '-')
            regions[n++] =
                (FolioPageRegion){ at, at + (how == 'H' ? BLOCK : 4096u),
                                   FOLIO_PAGE_IS_PRESENT | (how == 'H' ? FOLIO_PAGE_IS_HUGE : 0) };
    }
    scan->walk_end = scan->end;
    return n;
}

static inline FolioGuestRam *
make_ram(void)
{
    FolioRamBlock block = { .id = (char *) "ram", .hva = HVA, .bytes = N_BLOCKS * BLOCK };
    g_autoptr(GPtrArray) blocks = g_ptr_array_new();
    const FolioGuestRam ram = { .blocks = blocks, .bytes = block.bytes };

    g_ptr_array_add(blocks, &block);
    return folio_guest_ram_copy(&ram);
}

static inline FolioActRequest *
make_request(FolioActKind kind, guint order, GArray *ranges, gpointer user_data)
{
    const Fixture *fixture = user_data;
    const FolioActRequest request = { .kind = kind,
                                      .order = order,
                                      .process = fixture->process,
                                      .ranges = ranges,
                                      .uuid = (char *) FAKE_UUID,
                                      .name = (char *) "guest",
                                      .ram = fixture->ram,
                                      .by = (char *) "policy" };

    return folio_act_request_copy(&request);
}

static inline void
on_acted(gpointer user_data)
{
    ((Fixture *) user_data)->acted++;
}

static inline void
on_follow(guint8 *classes, guint n, gpointer user_data)
{
    Fixture *fixture = user_data;

    assert_int_equal(n, N_BLOCKS);
    for (guint i = 0; i < n; i++)
        fixture->followed[i] = ".Sc"[classes[i]];
    g_free(classes);
}

static inline void
on_hold(gpointer user_data)
{
    ((Fixture *) user_data)->held++;
}

static inline void
on_release(gpointer user_data)
{
    ((Fixture *) user_data)->held--;
}

static const FolioFileCalls scanning = { .ioctl = scan };
static const FolioDecidedCalls calls = { make_request, on_acted, on_follow };

static inline int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    *state = fixture;
    fixture->host = fake_host_new(getpid());
    fake_proc_write(fixture->host, "pagemap", "", 0);
    fixture->process = fake_locate(fixture->host, 0, &(FolioReason){ 0 }, NULL);
    assert_non_null(fixture->process);
    fixture->ram = make_ram();
    fixture->fake.actuator.klass = &fake_class;
    fixture->fake.any_order = TRUE;
    fixture->fake.runs = g_ptr_array_new();
    fixture->actuators = folio_actuators_new();
    folio_actuators_add(fixture->actuators, &fixture->fake.actuator);
    fixture->turns = folio_turns_new(NULL, NULL);
    fixture->deciding = folio_deciding_host_new(fixture->turns, fixture->host->proc_root);
    fixture->deciding->actuators = fixture->actuators;
    fixture->deciding->calls = (FolioPlannerCalls){ on_hold, on_release, fixture };
    fixture->deciding->limits.host_rate = G_GUINT64_CONSTANT(1) << 40;
    fixture->deciding->limits.cpu_share = 1;
    fixture->decided =
        folio_decided_guest_new(fixture->deciding, FAKE_UUID, "guest", &calls, fixture);
    fixture->wanted = (FolioHints){ .split_order = ORDER,
                                    .sparse_below = FOLIO_SUB_PAGES,
                                    .max_rate = G_GUINT64_CONSTANT(1) << 40 };
    fixture->view = (FolioDecidedView){ .mode = FOLIO_MODE_ADAPTIVE,
                                        .can_split = TRUE,
                                        .can_collapse = TRUE,
                                        .wanted = &fixture->wanted,
                                        .process = fixture->process,
                                        .ram = fixture->ram };
    g_strlcpy(mapped, "HHHHHHHH", sizeof mapped);
    folio_file_set_calls(&scanning);
    return 0;
}

static inline int
tear_down(void **state)
{
    Fixture *fixture = *state;

    folio_file_set_calls(NULL);
    assert_int_equal(fixture->fake.runs->len, 0);
    assert_int_equal(fixture->held, 0);
    assert_false(folio_turns_is_taken(fixture->turns, FAKE_UUID));
    if (fixture->decided != NULL)
        folio_decided_guest_free(fixture->decided);
    folio_deciding_host_unref(fixture->deciding);
    folio_actuators_free(fixture->actuators);
    folio_turns_unref(fixture->turns);
    g_ptr_array_unref(fixture->fake.runs);
    folio_guest_ram_free(fixture->ram);
    folio_process_unref(fixture->process);
    fake_host_free(fixture->host);
    g_free(fixture);
    return 0;
}

/* 's' sparse, 'd' dense, 'u' undecided, for each block. */
static inline FolioHeatSnapshot *
make_snapshot(Fixture *fixture, const char *verdicts)
{
    FolioHeatSnapshot *snapshot = g_new0(FolioHeatSnapshot, 1);

    g_atomic_ref_count_init(&snapshot->references);
    snapshot->ranges = folio_heat_ranges_new();
    snapshot->n_blocks = N_BLOCKS;
    snapshot->windows = ++fixture->windows;
    snapshot->window_usec = G_USEC_PER_SEC;
    snapshot->evidence = g_new0(FolioHeatEvidence, N_BLOCKS);
    snapshot->verdicts = g_new0(guint8, N_BLOCKS);
    snapshot->unseen = g_new0(guint16, N_BLOCKS);
    for (guint i = 0; i < N_BLOCKS; i++) {
        const guint seen = verdicts[i] == 'd' ? 300 : 4;

        snapshot->verdicts[i] = verdicts[i] == 's'   ? FOLIO_VERDICT_SPARSE
                                : verdicts[i] == 'd' ? FOLIO_VERDICT_DENSE
                                                     : FOLIO_VERDICT_UNDECIDED;
        snapshot->evidence[i].seen = (guint16) seen;
        snapshot->evidence[i].footprint = (guint16) seen;
        snapshot->evidence[i].age = 20;
    }
    return snapshot;
}

/* So long as it takes for the plan and the budget, and a little longer. */
static inline void
settle_down(Fixture *fixture)
{
    const gint64 end = g_get_monotonic_time() + 50 * 1000;

    while (g_get_monotonic_time() < end || fixture->held > 0 ||
           (fixture->decided != NULL && folio_decided_guest_is_busy(fixture->decided))) {
        while (g_main_context_iteration(NULL, FALSE)) {
        }
        if (fixture->fake.runs->len > 0)
            break;
        g_usleep(2000);
    }
}

static inline void
window(Fixture *fixture, const char *verdicts)
{
    g_autoptr(FolioHeatSnapshot) snapshot = make_snapshot(fixture, verdicts);

    fixture->view.snapshot = snapshot;
    folio_decided_guest_notice(fixture->decided, &fixture->view);
    fixture->view.snapshot = NULL;
    settle_down(fixture);
}

/* Until every verdict has stood for long enough. */
static inline void
windows(Fixture *fixture, const char *verdicts)
{
    for (guint i = 0; i < FOLIO_PLAN_HELD; i++)
        window(fixture, verdicts);
}

/* The budget may have it wait for a moment. */
static inline void
wait_for_run(const Fixture *fixture)
{
    const gint64 latest = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    while (fixture->fake.runs->len == 0 && g_get_monotonic_time() < latest) {
        if (!g_main_context_iteration(NULL, FALSE))
            g_usleep(2000);
    }
    assert_int_equal(fixture->fake.runs->len, 1);
}

/* The run under way is of these blocks, by number; "" for none. */
static inline void
expect_run(const Fixture *fixture, const char *kind, const char *blocks)
{
    g_autofree char *said = NULL;
    g_autoptr(GString) numbers = g_string_new(NULL);
    const FakeRun *run;

    if (*blocks == '\0') {
        assert_int_equal(fixture->fake.runs->len, 0);
        return;
    }
    wait_for_run(fixture);
    run = fixture->fake.runs->pdata[0];
    assert_string_equal(folio_act_kind_token(run->request->kind), kind);
    assert_int_equal(run->request->order,
                     run->request->kind == FOLIO_ACT_SPLIT ? ORDER : FOLIO_ORDER_HUGE);
    assert_string_equal(run->request->by, "policy");
    for (guint i = 0; i < run->request->ranges->len; i++) {
        const FolioBlockRange *range = &g_array_index(run->request->ranges, FolioBlockRange, i);

        assert_int_equal(range->bytes, BLOCK);
        g_string_append_printf(numbers, "%u ", (guint) ((range->start - HVA) / BLOCK));
    }
    assert_string_equal(numbers->str, blocks);
}

static inline void
settle(Fixture *fixture, guint block, FolioOutcome outcome)
{
    const FolioBlockResult result = { .address = HVA + block * BLOCK, .outcome = outcome };
    const FakeRun *run = fixture->fake.runs->pdata[0];

    run->events.settled(&result, 1, run->user_data);
}

static inline void
end(Fixture *fixture, FolioActOutcome outcome)
{
    wait_for_run(fixture);
    fake_actuator_end(&fixture->fake, outcome, outcome == FOLIO_ACT_FAILED ? "no luck" : "");
    settle_down(fixture);
}

static inline const FolioPlanDecision *
decision(const Fixture *fixture, guint n)
{
    const GArray *decisions = folio_decided_guest_get_decisions(fixture->decided);

    assert_non_null(decisions);
    assert_true(n < decisions->len);
    return &g_array_index(decisions, FolioPlanDecision, n);
}

#define decided_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
