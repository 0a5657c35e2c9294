/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much may be split and collapsed now, and when to ask again. Pure: times are handed in, on one
 * clock that does not go back.
 *
 * Bytes are limited for each guest and for the host, and so is the time spent acting, as a share of
 * one core. All three are token buckets: in any t seconds no more than rate * (t + burst) is given
 * away. They begin empty, so that a restart buys nothing. Memory pressure stops collapses first,
 * which need a free huge page each, and then everything. */
#pragma once

#include <glib.h>

/* So much of a rate in bytes can be saved up, in seconds; a block at least. One second: the rate is
 * said by the second. */
#define FOLIO_BUDGET_BURST_SECONDS 1

/* And of the core. Longer, for at a small share a second would not pay for one round. */
#define FOLIO_BUDGET_CPU_BURST_SECONDS 10

/* What a block is taken to cost before any was measured, microseconds of a core: clearing and then
 * copying 2 MiB at 4 GB/s, which a collapse does. Measured ones then count in its place. */
#define FOLIO_BUDGET_BLOCK_USEC 1000

/* Pressure is an average of ten seconds: it cannot tell more before. */
#define FOLIO_BUDGET_PRESSURE_USEC (10 * G_USEC_PER_SEC)

typedef struct {
    guint64 host_rate; /* bytes per second, all guests together */
    double cpu_share;  /* of one core, 0 to 1 */
    /* Percent, "some avg10" of /proc/pressure/memory: from the first on nothing is collapsed, from
     * the second on nothing at all is done. */
    double no_collapse;
    double no_action;
    guint round_blocks; /* that are given away at once at most, 1 or more */
} FolioBudgetLimits;

/* 1 GiB/s for the host: four guests at the default MaxRate=. 1% of a core: what the agent may cost
 * beside decoding. Pressure of 5% and 20%: chosen, not measured; systemd-oomd kills at 60%, and
 * what is to help a host must stop well before. 256 blocks: a chunk of a kdamond. */
FolioBudgetLimits folio_budget_limits_default(void);

/* Private. */
typedef struct {
    double level; /* tokens; below 0 is debt */
    gint64 usec;  /* when that was so */
    gboolean started;
} FolioBucket;

/* Of a guest; all zero at the start. */
typedef struct {
    FolioBucket bytes;
} FolioGuestBudget;

/* Of the host; all zero at the start. */
typedef struct {
    FolioBucket bytes;
    FolioBucket core;    /* microseconds */
    double block_usec;   /* what a block costs, a mean that forgets; 0 before any was measured */
    guint64 open_blocks; /* that were taken and whose cost is not known yet */
    double open_usec;    /* what was taken for them */
} FolioBudget;

typedef struct {
    gboolean collapse; /* FALSE: a split */
    guint blocks;      /* that are wanted */
    guint64 rate;      /* max-rate of the guest, bytes per second */
    double pressure;   /* as above; 0 when the kernel does not tell */
    gint64 now_usec;
} FolioBudgetQuestion;

/* Why not more, or not now. */
typedef enum {
    FOLIO_BUDGET_ENOUGH,   /* all that was wanted, or a whole round */
    FOLIO_BUDGET_GUEST,    /* the guest's rate */
    FOLIO_BUDGET_HOST,     /* the host's */
    FOLIO_BUDGET_CORE,     /* the share of a core */
    FOLIO_BUDGET_PRESSURE, /* memory pressure */
} FolioBudgetReason;

/* "enough", "guest-rate", "host-rate", "cpu-share", "pressure". */
const char *folio_budget_reason_token(FolioBudgetReason reason);

typedef struct {
    guint blocks;      /* that may be acted on now */
    gint64 again_usec; /* when to ask again, if there are none; now otherwise; G_MAXINT64: never, as
                        * things are */
    FolioBudgetReason reason;
} FolioBudgetAnswer;

/* Asks, and takes what the answer gives: none, or what is wanted, or as much of it as one round or
 * the smallest bucket can hold; no rounds of a few blocks each. A block costs its 2 MiB whatever
 * becomes of it. */
FolioBudgetAnswer folio_budget_take(FolioBudget *host, FolioGuestBudget *guest,
                                    const FolioBudgetLimits *limits,
                                    const FolioBudgetQuestion *question);

/* What acting on so many blocks, which were taken before, did cost: microseconds of a core; 0 when
 * nothing came of it. To be called once for each answer. More than was thought is paid back before
 * there is more. */
void folio_budget_spent(FolioBudget *host, guint blocks, gint64 usec);
