/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replaying a trace through rules: the sampler, the exact truth, and the scores. */
#include "replay.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

#define WORDS (TRACE_SUB_PAGES / 64)

typedef struct {
    guint64 words[WORDS];
} SubPages;

typedef struct {
    const Trace *trace;
    const ReplayOptions *options;
    guint n_blocks, n_windows;
    SubPages *exact;    /* n_windows x n_blocks: what was really accessed */
    RuleSeen *seen;     /* n_blocks: what sampling shows of the present window */
    guint8 *epoch_mark; /* n_blocks x 512: epoch + 1 in which a sub-page was last counted */
    const Rule *const *rule_list;
    guint n_rules;
    gpointer *states;
    GRand *rand;
    guint64 skip; /* accesses still to pass over before the next sample */
} Replay;

static const TraceRow *
trace_row(const Trace *trace, guint index)
{
    return &g_array_index(trace->rows, TraceRow, index);
}

static const TraceTouch *
row_touches(const Trace *trace, const TraceRow *row)
{
    return &g_array_index(trace->touches, TraceTouch, row->first_touch);
}

static guint
count_pages(const SubPages *a, const SubPages *b)
{
    guint n = 0;

    for (guint i = 0; i < WORDS; i++)
        n += (guint) __builtin_popcountll(a->words[i] | b->words[i]);
    return n;
}

static SubPages *
exact_of(const Replay *replay, guint window, guint block)
{
    return &replay->exact[(gsize) window * replay->n_blocks + block];
}

static void
fill_exact(Replay *replay)
{
    guint window_length = REPLAY_EPOCHS * replay->options->epoch_windows;

    replay->exact = g_new0(SubPages, (gsize) replay->n_windows * replay->n_blocks);
    for (guint r = 0; r < replay->trace->rows->len; r++) {
        const TraceRow *row = trace_row(replay->trace, r);
        const TraceTouch *touches = row_touches(replay->trace, row);
        guint window = row->window / window_length;

        if (window >= replay->n_windows)
            break;
        for (guint i = 0; i < row->n_touches; i++)
            exact_of(replay, window, row->block)->words[touches[i].sub_page / 64] |=
                G_GUINT64_CONSTANT(1) << touches[i].sub_page % 64;
    }
}

/* Gaps between samples of a random sampler with probability 1/period are geometric; skipping by
 * them thins every count as a binomial draw would, at a cost per sample instead of per access. */
static guint64
draw_skip(Replay *replay)
{
    double u = 1.0 - g_rand_double(replay->rand);

    if (replay->options->period == 1)
        return 0;
    return (guint64) floor(log(u) / log1p(-1.0 / replay->options->period));
}

static void
take_sample(Replay *replay, guint block, guint sub_page, guint epoch)
{
    RuleSeen *seen = &replay->seen[block];
    guint8 *mark = &replay->epoch_mark[(gsize) block * TRACE_SUB_PAGES + sub_page];

    seen->n++;
    seen->count[sub_page]++;
    if (*mark != epoch + 1) {
        *mark = (guint8) (epoch + 1);
        seen->epochs[sub_page]++;
    }
    for (guint i = 0; i < replay->n_rules; i++) {
        if (replay->rule_list[i]->sample)
            replay->rule_list[i]->sample(replay->states[i], block, sub_page);
    }
}

static void
sample_row(Replay *replay, const TraceRow *row, guint epoch)
{
    const TraceTouch *touches = row_touches(replay->trace, row);

    for (guint i = 0; i < row->n_touches; i++) {
        guint64 left = touches[i].count;

        while (replay->skip < left) {
            left -= replay->skip + 1;
            take_sample(replay, row->block, touches[i].sub_page, epoch);
            replay->skip = draw_skip(replay);
        }
        replay->skip -= left;
    }
}

static void
tally_split(ReplayTally *tally, gint64 net, guint hot, guint now, gboolean split)
{
    ReplayHotClass class = now <= 4    ? REPLAY_HOT_FEW
                           : now <= 25 ? REPLAY_HOT_SOME
                                       : REPLAY_HOT_MANY;
    gboolean sparse = now <= REPLAY_SPARSE, dense = hot >= REPLAY_HARM_HOT;

    tally->split_best += MAX(net, 0);
    tally->active_dense += dense;
    tally->now_sparse += sparse;
    tally->now_other += !sparse;
    if (sparse)
        tally->hot[class]++;
    if (!split)
        return;
    tally->splits++;
    tally->split_net += net;
    tally->split_dense += dense;
    tally->split_now_sparse += sparse;
    tally->split_now_other += !sparse;
    if (sparse)
        tally->split_hot[class]++;
}

static void
tally_collapse(ReplayTally *tally, gint64 net, guint hot, gboolean collapse)
{
    gboolean sparse = hot <= REPLAY_SPARSE;

    tally->collapse_best += MAX(net, 0);
    tally->active_sparse += sparse;
    if (!collapse)
        return;
    tally->collapses++;
    tally->collapse_net += net;
    tally->collapse_sparse += sparse;
}

static void
judge(const Replay *replay, guint window, const RuleVerdict *verdicts, ReplayTally *tally)
{
    for (guint b = 0; b < replay->n_blocks; b++) {
        const SubPages *present = exact_of(replay, window, b);
        guint now = count_pages(present, present);
        guint hot = count_pages(exact_of(replay, window + 1, b), exact_of(replay, window + 2, b));
        gint64 net = (gint64) (TRACE_SUB_PAGES - hot) - 4 * (gint64) hot;

        if (now == 0)
            continue;
        tally_split(tally, net, hot, now, verdicts[b] == RULE_SPLIT);
        tally_collapse(tally, -net, hot, verdicts[b] == RULE_COLLAPSE);
    }
}

static void
end_window(Replay *replay, guint window, ReplayTally *tallies)
{
    for (guint i = 0; i < replay->n_rules; i++) {
        g_autofree RuleVerdict *verdicts = g_new0(RuleVerdict, replay->n_blocks);

        replay->rule_list[i]->decide(replay->states[i], replay->seen, replay->n_blocks, verdicts);
        if (window + 2 < replay->n_windows)
            judge(replay, window, verdicts, &tallies[i]);
    }
    memset(replay->seen, 0, replay->n_blocks * sizeof *replay->seen);
    memset(replay->epoch_mark, 0, (gsize) replay->n_blocks * TRACE_SUB_PAGES);
}

static void
end_epoch(const Replay *replay)
{
    for (guint i = 0; i < replay->n_rules; i++) {
        if (replay->rule_list[i]->end_epoch)
            replay->rule_list[i]->end_epoch(replay->states[i]);
    }
}

static void
run_windows(Replay *replay, ReplayTally *tallies)
{
    guint row = 0;

    for (guint epoch = 0; epoch < replay->n_windows * REPLAY_EPOCHS; epoch++) {
        guint end = (epoch + 1) * replay->options->epoch_windows;

        for (; row < replay->trace->rows->len && trace_row(replay->trace, row)->window < end; row++)
            sample_row(replay, trace_row(replay->trace, row), epoch % REPLAY_EPOCHS);
        end_epoch(replay);
        if (epoch % REPLAY_EPOCHS == REPLAY_EPOCHS - 1)
            end_window(replay, epoch / REPLAY_EPOCHS, tallies);
    }
}

static void
start(Replay *replay)
{
    replay->seen = g_new0(RuleSeen, replay->n_blocks);
    replay->epoch_mark = g_malloc0_n(replay->n_blocks, TRACE_SUB_PAGES);
    replay->rand = g_rand_new_with_seed(replay->options->seed);
    replay->skip = draw_skip(replay);
    replay->states = g_new0(gpointer, replay->n_rules);
    for (guint i = 0; i < replay->n_rules; i++) {
        if (replay->rule_list[i]->start)
            replay->states[i] = replay->rule_list[i]->start(replay->n_blocks);
    }
    fill_exact(replay);
}

static void
stop(Replay *replay)
{
    for (guint i = 0; i < replay->n_rules; i++) {
        if (replay->rule_list[i]->stop)
            replay->rule_list[i]->stop(replay->states[i]);
    }
    g_free(replay->states);
    g_rand_free(replay->rand);
    g_free(replay->epoch_mark);
    g_free(replay->seen);
    g_free(replay->exact);
}

gboolean
replay_run(const Trace *trace, const ReplayOptions *options, const Rule *const *rule_list,
           guint n_rules, ReplayTally *tallies, GError **error)
{
    Replay replay = {
        .trace = trace,
        .options = options,
        .n_blocks = trace->addresses->len,
        .n_windows = trace->n_windows / REPLAY_EPOCHS / options->epoch_windows,
        .rule_list = rule_list,
        .n_rules = n_rules,
    };

    memset(tallies, 0, n_rules * sizeof *tallies);
    if (replay.n_windows < 3) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "%u trace windows are %u windows of %d epochs; a decision needs 3 to be judged",
                    trace->n_windows, replay.n_windows, REPLAY_EPOCHS);
        return FALSE;
    }
    start(&replay);
    run_windows(&replay, tallies);
    stop(&replay);
    return TRUE;
}
