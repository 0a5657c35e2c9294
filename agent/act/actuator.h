/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a way to split and collapse memory looks like to whoever wants that done, and the list of
 * those that there are. */
#pragma once

#include "act/outcome.h"
#include "hint-set.h"
#include "memory/block-ranges.h"
#include "memory/process.h"

typedef enum {
    FOLIO_ACT_SPLIT,    /* folios of 2 MiB become folios of the order */
    FOLIO_ACT_COLLAPSE, /* smaller folios become one of 2 MiB, order 9 */
    FOLIO_ACT_RESTORE,  /* what foliod has split is collapsed; khugepaged as before */
} FolioActKind;

/* "split", "collapse", "restore". */
const char *folio_act_kind_token(FolioActKind kind);

/* Of a folio that a PMD maps: 2 MiB of 4 KiB pages. */
#define FOLIO_ORDER_HUGE 9

typedef struct {
    FolioActKind kind;
    guint order; /* of the folios that are to be, log2 pages */
    FolioProcess *process;
    GArray *ranges;             /* FolioBlockRange of the process, multiples of 2 MiB */
    char *uuid, *name;          /* of the guest */
    FolioGuestRam *ram;         /* which the ranges are of */
    char *by;                   /* who wants it: "uid 0", "policy"; for the ledger */
    FolioKhugepaged khugepaged; /* how it is treated with this guest */
    gboolean may_inject;        /* may its QEMU be made to change its own setting? */
    gboolean forced;            /* split even if khugepaged would undo that */
} FolioActRequest;

/* A copy with strings, ranges and RAM of its own, and a reference of the process. */
FolioActRequest *folio_act_request_copy(const FolioActRequest *request);
void folio_act_request_free(FolioActRequest *request);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioActRequest, folio_act_request_free)

typedef enum {
    FOLIO_ACT_DONE,
    FOLIO_ACT_CANCELLED, /* what was done until then stays done */
    FOLIO_ACT_FAILED,    /* likewise */
} FolioActOutcome;

/* What a run tells, on the main context, and never from within start or cancel. */
typedef struct {
    /* So many of so many 2 MiB blocks have been dealt with. */
    void (*progress)(guint64 done, guint64 total, gpointer user_data);
    /* Of these n blocks it is settled what became of them; each is told of once. NULL: nobody wants
     * to know. */
    void (*settled)(const FolioBlockResult *results, guint n, gpointer user_data);
    /* Called once, the last thing; the run is freed by it. error is one line for people, "" unless
     * FAILED. report says of all blocks that were dealt with what became of them, however the run
     * ended. */
    void (*ended)(FolioActOutcome outcome, const FolioActReport *report, const char *error,
                  gpointer user_data);
} FolioActEvents;

typedef struct _FolioActuator FolioActuator;
typedef struct _FolioActRun FolioActRun;

/* An actuator. No function blocks. */
typedef struct {
    const char *name; /* "damon", "debugfs-split", ...: a stable token */

    /* Can it do that on this host? Otherwise FALSE, and *reason is one sentence without a full
     * stop, to be freed. */
    gboolean (*probe)(FolioActuator *actuator, FolioActKind kind, guint order, char **reason);

    /* Begins; request is copied as far as it is needed. NULL with an error when it cannot. */
    FolioActRun *(*start)(FolioActuator *actuator, const FolioActRequest *request,
                          const FolioActEvents *events, gpointer user_data, GError **error);

    /* Ends the run as soon as it can be; ended is called still, whichever way it went. */
    void (*cancel)(FolioActRun *run);

    /* No run is under way. */
    void (*free)(FolioActuator *actuator);
} FolioActuatorClass;

/* Each kind of actuator embeds this as its first member; likewise its run. */
struct _FolioActuator {
    const FolioActuatorClass *klass;
};

struct _FolioActRun {
    FolioActuator *actuator;
};

typedef struct _FolioActuators FolioActuators;

/* None yet. */
FolioActuators *folio_actuators_new(void);

/* Takes it. The one that was added first is the first choice, until others are chosen. */
void folio_actuators_add(FolioActuators *actuators, FolioActuator *actuator);

guint folio_actuators_count(const FolioActuators *actuators);

/* By number, in the order in which they were added. */
FolioActuator *folio_actuators_get(const FolioActuators *actuators, guint index);

/* Only those of these names (each of one that there is) are picked, in this order. */
void folio_actuators_choose(FolioActuators *actuators, const char *const *names);

gboolean folio_actuators_is_chosen(const FolioActuators *actuators, const FolioActuator *actuator);

/* The first choice that can do it here. UNSUPPORTED, with the reason of each, when none can. */
FolioActuator *folio_actuators_pick(const FolioActuators *actuators, FolioActKind kind, guint order,
                                    GError **error);

void folio_actuators_free(FolioActuators *actuators);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioActuators, folio_actuators_free)
