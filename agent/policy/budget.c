/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much may be split and collapsed now, and when to ask again. */
#include "policy/budget.h"

#include "memory/guest-ram.h"

/* What a new measurement counts in the mean cost of a block. */
#define NEW_SHARE 0.25

/* Longer than this is never; far from where the clock's numbers end. */
#define LONGEST_WAIT_USEC 1e15

/* A bucket as one question sees it. */
typedef struct {
    FolioBucket *bucket;
    double rate;     /* tokens per second */
    double capacity; /* tokens */
    double cost;     /* of a block */
    FolioBudgetReason reason;
} Source;

enum { GUEST, HOST, CORE, N_SOURCES };

FolioBudgetLimits
folio_budget_limits_default(void)
{
    return (FolioBudgetLimits){
        .host_rate = G_GUINT64_CONSTANT(1) << 30,
        .cpu_share = 0.01,
        .no_collapse = 5,
        .no_action = 20,
        .round_blocks = 256,
    };
}

const char *
folio_budget_reason_token(FolioBudgetReason reason)
{
    static const char *const tokens[] = { "enough", "guest-rate", "host-rate", "cpu-share",
                                          "pressure" };

    return tokens[reason];
}

static Source
bytes_source(FolioBucket *bucket, guint64 rate, FolioBudgetReason reason)
{
    const double block = FOLIO_BLOCK_BYTES;

    return (Source){ .bucket = bucket,
                     .rate = (double) rate,
                     .capacity = MAX((double) rate * FOLIO_BUDGET_BURST_SECONDS, block),
                     .cost = block,
                     .reason = reason };
}

static Source
core_source(FolioBudget *host, double share)
{
    const double cost = host->block_usec > 0 ? host->block_usec : FOLIO_BUDGET_BLOCK_USEC;
    const double rate = share * G_USEC_PER_SEC;

    return (Source){ .bucket = &host->core,
                     .rate = rate,
                     .capacity = MAX(rate * FOLIO_BUDGET_CPU_BURST_SECONDS, cost),
                     .cost = cost,
                     .reason = FOLIO_BUDGET_CORE };
}

static void
refill(const Source *source, gint64 now_usec)
{
    FolioBucket *bucket = source->bucket;

    if (bucket->started)
        bucket->level += source->rate * (double) (now_usec - bucket->usec) / G_USEC_PER_SEC;
    bucket->level = MIN(bucket->level, source->capacity);
    bucket->usec = now_usec;
    bucket->started = TRUE;
}

/* As many of the blocks as that bucket can ever hold at once. */
static void
fit(FolioBudgetAnswer *answer, const Source *source)
{
    const double room = source->capacity / source->cost;

    if (room >= answer->blocks)
        return;
    answer->blocks = (guint) room;
    answer->reason = source->reason;
}

/* Microseconds until the bucket has what the blocks cost; below 0 when it has more. */
static double
wait_for(const Source *source, guint blocks)
{
    const double missing = blocks * source->cost - source->bucket->level;

    return source->rate > 0 ? missing / source->rate * G_USEC_PER_SEC : 2 * LONGEST_WAIT_USEC;
}

/* None of the blocks when one of the buckets has not enough yet. */
static void
defer(FolioBudgetAnswer *answer, const Source *sources, gint64 now_usec)
{
    double longest = 0;

    for (guint i = 0; i < N_SOURCES; i++) {
        const double wait = wait_for(&sources[i], answer->blocks);

        if (wait <= longest)
            continue;
        longest = wait;
        answer->reason = sources[i].reason;
    }
    if (longest <= 0)
        return;
    answer->blocks = 0;
    /* One more than the fraction needs, for what adding up many of them loses. */
    answer->again_usec = longest > LONGEST_WAIT_USEC ? G_MAXINT64 : now_usec + (gint64) longest + 2;
}

static void
pay(FolioBudget *host, const Source *sources, guint blocks)
{
    for (guint i = 0; i < N_SOURCES; i++)
        sources[i].bucket->level -= blocks * sources[i].cost;
    host->open_blocks += blocks;
    host->open_usec += blocks * sources[CORE].cost;
}

static gboolean
is_pressed(const FolioBudgetLimits *limits, const FolioBudgetQuestion *question)
{
    return question->pressure >= limits->no_action ||
           (question->collapse && question->pressure >= limits->no_collapse);
}

FolioBudgetAnswer
folio_budget_take(FolioBudget *host, FolioGuestBudget *guest, const FolioBudgetLimits *limits,
                  const FolioBudgetQuestion *question)
{
    const Source sources[N_SOURCES] = {
        [GUEST] = bytes_source(&guest->bytes, question->rate, FOLIO_BUDGET_GUEST),
        [HOST] = bytes_source(&host->bytes, limits->host_rate, FOLIO_BUDGET_HOST),
        [CORE] = core_source(host, limits->cpu_share),
    };
    FolioBudgetAnswer answer = { .blocks = MIN(question->blocks, limits->round_blocks),
                                 .again_usec = question->now_usec };

    for (guint i = 0; i < N_SOURCES; i++)
        refill(&sources[i], question->now_usec);
    if (is_pressed(limits, question))
        return (FolioBudgetAnswer){ .again_usec = question->now_usec + FOLIO_BUDGET_PRESSURE_USEC,
                                    .reason = FOLIO_BUDGET_PRESSURE };
    for (guint i = 0; i < N_SOURCES; i++)
        fit(&answer, &sources[i]);
    defer(&answer, sources, question->now_usec);
    pay(host, sources, answer.blocks);
    return answer;
}

void
folio_budget_spent(FolioBudget *host, guint blocks, gint64 usec)
{
    const guint64 n = MIN(blocks, host->open_blocks);
    double taken;

    if (n == 0)
        return;
    taken = host->open_usec * (double) n / (double) host->open_blocks;
    host->open_blocks -= n;
    host->open_usec -= taken;
    host->core.level += taken - (double) usec;
    if (usec <= 0)
        return;
    if (host->block_usec > 0)
        host->block_usec += NEW_SHARE * ((double) usec / (double) n - host->block_usec);
    else
        host->block_usec = (double) usec / (double) n;
}
