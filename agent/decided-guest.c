/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is decided for one guest of its own accord. */
#include "decided-guest.h"

#include "base/log.h"
#include "decision.h"
#include "host/pressure.h"
#include "policy/trouble.h"

#include <gio/gio.h>

struct _FolioDecidedGuest {
    FolioDecidingHost *host;
    char *uuid, *name;
    FolioDecidedCalls calls; /* not any more once it has left */
    gpointer user_data;
    gboolean left;

    gboolean acts; /* its mode does, and it can be served */
    FolioHints wanted;
    FolioPlanner *planner;
    FolioGuestBudget budget;
    FolioBudgetReason held_by;
    FolioTrouble trouble[2]; /* of collapses, splits */
    char *problem;           /* why there is no plan; NULL: there is one, or none is wanted yet */
    gboolean asking;         /* how short of memory the host is */
    guint again_source;      /* waits for the budget */

    FolioActRun *run; /* NULL: none */
    gboolean cancelled;
    FolioActKind kind; /* of the run */
    GArray *blocks;    /* FolioPlannedBlock, of the run; NULL: none */
    guint taken;       /* for how many the budget was asked */
};

static void carry_on(FolioDecidedGuest *decided);

/* The host */

FolioDecidingHost *
folio_deciding_host_new(FolioTurns *turns, const char *proc_root)
{
    FolioDecidingHost *host = g_rc_box_new0(FolioDecidingHost);

    host->turns = folio_turns_ref(turns);
    host->proc_root = g_strdup(proc_root);
    host->limits = folio_budget_limits_default();
    return host;
}

static void
host_clear(gpointer data)
{
    FolioDecidingHost *host = data;

    folio_turns_unref(host->turns);
    g_free(host->proc_root);
}

void
folio_deciding_host_unref(FolioDecidingHost *host)
{
    g_rc_box_release_full(host, host_clear);
}

/* The guest */

static void
tell(const FolioDecidedGuest *decided, const char *text)
{
    folio_log(G_LOG_LEVEL_DEBUG, NULL, decided->name, decided->uuid, "%s: %s", decided->name, text);
}

/* Whatever was in the way may be so no more. */
static void
end_trouble(FolioDecidedGuest *decided)
{
    for (guint i = 0; i < G_N_ELEMENTS(decided->trouble); i++)
        folio_trouble_end(&decided->trouble[i]);
}

static void
hand_on_classes(FolioDecidedGuest *decided)
{
    guint n;
    guint8 *classes = folio_planner_steal_classes(decided->planner, &n);

    if (classes != NULL)
        decided->calls.follow(classes, n, decided->user_data);
}

static void
on_planned(const GError *error, gpointer user_data)
{
    FolioDecidedGuest *decided = user_data;

    for (guint i = 0; i < G_N_ELEMENTS(decided->trouble); i++)
        folio_trouble_pass(&decided->trouble[i]);
    g_clear_pointer(&decided->problem, g_free);
    if (error != NULL) {
        decided->problem = g_strdup_printf("nothing can be planned: %s", error->message);
        tell(decided, decided->problem);
    }
    hand_on_classes(decided);
    decided->held_by = FOLIO_BUDGET_ENOUGH;
    g_clear_handle_id(&decided->again_source, g_source_remove);
    carry_on(decided);
}

FolioDecidedGuest *
folio_decided_guest_new(FolioDecidingHost *host, const char *uuid, const char *name,
                        const FolioDecidedCalls *calls, gpointer user_data)
{
    FolioDecidedGuest *decided = g_rc_box_new0(FolioDecidedGuest);

    decided->host = g_rc_box_acquire(host);
    decided->uuid = g_strdup(uuid);
    decided->name = g_strdup(name);
    decided->calls = *calls;
    decided->user_data = user_data;
    decided->planner = folio_planner_new(&host->calls, uuid, on_planned, decided);
    return decided;
}

static void
decided_clear(gpointer data)
{
    FolioDecidedGuest *decided = data;

    g_clear_pointer(&decided->blocks, g_array_unref);
    folio_planner_free(decided->planner);
    folio_deciding_host_unref(decided->host);
    end_trouble(decided);
    g_free(decided->problem);
    g_free(decided->uuid);
    g_free(decided->name);
}

static void
release(FolioDecidedGuest *decided)
{
    g_rc_box_release_full(decided, decided_clear);
}

gboolean
folio_decided_guest_is_busy(const FolioDecidedGuest *decided)
{
    return folio_planner_is_busy(decided->planner) || decided->asking || decided->run != NULL;
}

void
folio_decided_guest_cancel(FolioDecidedGuest *decided)
{
    g_clear_handle_id(&decided->again_source, g_source_remove);
    folio_planner_drop(decided->planner);
    if (decided->run == NULL || decided->cancelled)
        return;
    decided->cancelled = TRUE;
    decided->run->actuator->klass->cancel(decided->run);
}

void
folio_decided_guest_free(FolioDecidedGuest *decided)
{
    decided->left = TRUE;
    folio_decided_guest_cancel(decided);
    release(decided);
}

/* A run */

/* Nobody waits for it. */
static void
on_progress(guint64 done, guint64 total, gpointer user_data)
{
}

static FolioPlanResult
result_of(const FolioBlockResult *result)
{
    switch (result->outcome) {
    case FOLIO_OUTCOME_DONE:
    case FOLIO_OUTCOME_ALREADY:
    case FOLIO_OUTCOME_PARTLY:
        return FOLIO_PLAN_DONE;
    case FOLIO_OUTCOME_LEFT:
        return result->said == FOLIO_LEFT_REFUSED ? FOLIO_PLAN_REFUSED : FOLIO_PLAN_LEFT;
    case FOLIO_OUTCOME_ABSENT:
    case FOLIO_OUTCOME_GONE:
    case FOLIO_N_OUTCOMES:
    default:
        return FOLIO_PLAN_VOID;
    }
}

static void
on_settled(const FolioBlockResult *results, guint n, gpointer user_data)
{
    FolioDecidedGuest *decided = user_data;

    for (guint i = 0; i < n; i++) {
        for (guint j = 0; j < decided->blocks->len; j++) {
            const FolioPlannedBlock *block = &g_array_index(decided->blocks, FolioPlannedBlock, j);

            if (block->address == results[i].address)
                folio_planner_settle(decided->planner, block->block, result_of(&results[i]));
        }
    }
}

static FolioTrouble *
trouble_of(FolioDecidedGuest *decided)
{
    return &decided->trouble[decided->kind == FOLIO_ACT_SPLIT];
}

/* What goes wrong window after window is said now and then, and tried less and less often. */
static void
log_failure(FolioDecidedGuest *decided, const char *error, const char *blocks)
{
    const char *kind = folio_act_kind_token(decided->kind);
    g_autofree char *others = NULL;
    guint unsaid;

    if (!folio_trouble_add(trouble_of(decided), error, g_get_monotonic_time(), &unsaid)) {
        tell(decided, error);
        return;
    }
    others = unsaid > 0 ? g_strdup_printf("; %u others since the last time", unsaid) : g_strdup("");
    folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_JOB, decided->name, decided->uuid,
              "%s: %s by policy: %s; blocks: %s%s", decided->name, kind, error, blocks, others);
}

static void
log_end(FolioDecidedGuest *decided, FolioActOutcome outcome, const FolioActReport *report,
        const char *error)
{
    const char *kind = folio_act_kind_token(decided->kind);
    g_autofree char *blocks = folio_act_report_print(report, kind);

    if (outcome == FOLIO_ACT_FAILED)
        log_failure(decided, error, blocks);
    else
        tell(decided, blocks);
    if (outcome == FOLIO_ACT_DONE && folio_trouble_end(trouble_of(decided)) > 0)
        folio_log(G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_JOB, decided->name, decided->uuid,
                  "%s: %s by policy: done again, blocks: %s", decided->name, kind, blocks);
}

/* What the kernel's own threads did for it cannot be seen: each block that was dealt with is taken
 * to have cost at least what is taken of one that nothing is known of. */
static void
account(FolioDecidedGuest *decided, const FolioActReport *report)
{
    gint64 usec = 0;

    for (guint i = 0; i < FOLIO_N_OUTCOMES; i++)
        usec += (gint64) report->outcomes[i] * FOLIO_BUDGET_BLOCK_USEC;
    folio_budget_spent(&decided->host->budget, decided->taken,
                       MAX((gint64) report->cpu_usec, usec));
}

/* Takes the reference of the run. */
static void
on_ended(FolioActOutcome outcome, const FolioActReport *report, const char *error,
         gpointer user_data)
{
    FolioDecidedGuest *decided = user_data;

    account(decided, report);
    log_end(decided, outcome, report, error);
    decided->run = NULL;
    if (outcome != FOLIO_ACT_DONE)
        folio_planner_drop(decided->planner); /* the rest waits for the next window */
    folio_turns_leave(decided->host->turns, decided->uuid, decided);
    if (!decided->left) {
        decided->calls.acted(decided->user_data);
        carry_on(decided);
    }
    release(decided);
}

/* Somebody asked for something else to be done with the guest. */
static void
on_turn_wanted(gpointer user_data)
{
    tell(user_data, "somebody wants something else done: what is under way ends");
    folio_decided_guest_cancel(user_data);
}

static gboolean
start_run(FolioDecidedGuest *decided, guint order, GArray *ranges, GError **error)
{
    static const FolioActEvents events = { .progress = on_progress,
                                           .settled = on_settled,
                                           .ended = on_ended };
    FolioActuator *actuator =
        folio_actuators_pick(decided->host->actuators, decided->kind, order, error);
    g_autoptr(FolioActRequest) request = NULL;

    if (actuator == NULL)
        return FALSE;
    request = decided->calls.request(decided->kind, order, ranges, decided->user_data);
    decided->cancelled = FALSE;
    decided->run = actuator->klass->start(actuator, request, &events, decided, error);
    if (decided->run != NULL)
        g_rc_box_acquire(decided);
    return decided->run != NULL;
}

static void
log_step(const FolioDecidedGuest *decided, const FolioPlanStep *step)
{
    g_autofree char *why = folio_decision_print_why(step);

    folio_log(G_LOG_LEVEL_DEBUG, NULL, decided->name, decided->uuid,
              "%s: block %u: %s to order %u: %s", decided->name, step->block,
              folio_plan_action_token(step->action), step->order, why);
}

static GArray *
ranges_of(const GArray *blocks)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));

    for (guint i = 0; i < blocks->len; i++) {
        const FolioBlockRange range = { g_array_index(blocks, FolioPlannedBlock, i).address,
                                        FOLIO_BLOCK_BYTES };

        g_array_append_val(ranges, range);
    }
    return ranges;
}

/* The next n steps, all of one order, if they can still be done: that the guest is acted on is told
 * to everybody, and what comes of that may be a new plan, or none. */
static gboolean
begin_steps(FolioDecidedGuest *decided, gboolean splits, guint n, GError **error)
{
    g_autoptr(GArray) ranges = NULL;
    const FolioPlanStep *steps;
    guint rest, order;

    steps = folio_planner_rest(decided->planner, splits, &rest);
    if (rest < n)
        return FALSE;
    order = steps->order;
    for (guint i = 0; i < n; i++)
        log_step(decided, &steps[i]);
    g_clear_pointer(&decided->blocks, g_array_unref);
    decided->blocks = folio_planner_begin(decided->planner, splits, n);
    decided->taken = n;
    decided->kind = splits ? FOLIO_ACT_SPLIT : FOLIO_ACT_COLLAPSE;
    ranges = ranges_of(decided->blocks);
    return ranges->len > 0 && start_run(decided, order, ranges, error);
}

static void
do_steps(FolioDecidedGuest *decided, gboolean splits, guint n)
{
    FolioDecidingHost *host = decided->host;
    g_autoptr(GError) error = NULL;

    if (folio_turns_take(host->turns, decided->uuid, on_turn_wanted, decided) &&
        begin_steps(decided, splits, n, &error))
        return;
    if (error != NULL)
        log_failure(decided, error->message, "none");
    folio_budget_spent(&host->budget, n, 0);
    folio_planner_drop(decided->planner);
    folio_turns_leave(host->turns, decided->uuid, decided);
}

/* Rounds */

static gboolean
may_begin(const FolioDecidedGuest *decided)
{
    return decided->acts && !decided->left && !decided->host->stopped &&
           !folio_decided_guest_is_busy(decided) &&
           !folio_turns_is_taken(decided->host->turns, decided->uuid);
}

static gboolean
on_again(gpointer user_data)
{
    FolioDecidedGuest *decided = user_data;

    decided->again_source = 0;
    carry_on(decided);
    return G_SOURCE_REMOVE;
}

static void
wait_until(FolioDecidedGuest *decided, gint64 usec, gint64 now)
{
    const gint64 msec = (usec - now) / 1000 + 1;

    if (usec == G_MAXINT64) /* the next window may know better */
        return;
    decided->again_source = g_timeout_add((guint) CLAMP(msec, 1, G_MAXINT), on_again, decided);
}

/* Whichever kind the budget has something for. */
static void
do_round(FolioDecidedGuest *decided, double pressure)
{
    FolioDecidingHost *host = decided->host;
    const gint64 now = g_get_monotonic_time();
    gint64 again = G_MAXINT64;

    for (guint splits = 0; splits < 2; splits++) {
        FolioBudgetQuestion question = { .collapse = !splits,
                                         .rate = decided->wanted.max_rate,
                                         .pressure = pressure,
                                         .now_usec = now };
        FolioBudgetAnswer answer;

        if (folio_trouble_waits(&decided->trouble[splits]) ||
            folio_planner_rest(decided->planner, splits != 0, &question.blocks) == NULL)
            continue;
        answer = folio_budget_take(&host->budget, &decided->budget, &host->limits, &question);
        decided->held_by = answer.reason;
        again = MIN(again, answer.again_usec);
        if (answer.blocks == 0)
            continue;
        do_steps(decided, splits != 0, answer.blocks);
        return;
    }
    wait_until(decided, again, now);
}

typedef struct {
    FolioDecidedGuest *decided; /* a reference, given back on the main context */
    char *proc_root;
    double pressure;
} Look;

static void
look_free(gpointer data)
{
    Look *look = data;

    g_free(look->proc_root);
    g_free(look);
}

static void
look_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    Look *look = task_data;

    look->pressure = folio_pressure_read(look->proc_root);
    g_task_return_boolean(task, TRUE);
}

static void
on_pressure(GObject *source, GAsyncResult *result, gpointer user_data)
{
    const Look *look = g_task_get_task_data(G_TASK(result));
    FolioDecidedGuest *decided = look->decided;

    decided->asking = FALSE;
    if (may_begin(decided))
        do_round(decided, look->pressure);
    /* Not with the task, which may be freed by its thread. */
    release(decided);
}

/* With what is left of the plan, if it can be gone on with. */
static void
carry_on(FolioDecidedGuest *decided)
{
    g_autoptr(GTask) task = NULL;
    guint collapses, splits;
    Look *look;

    if (!may_begin(decided) || decided->again_source != 0)
        return;
    folio_planner_rest(decided->planner, FALSE, &collapses);
    folio_planner_rest(decided->planner, TRUE, &splits);
    if (collapses + splits == 0)
        return;
    look = g_new0(Look, 1);
    look->decided = g_rc_box_acquire(decided);
    look->proc_root = g_strdup(decided->host->proc_root);
    decided->asking = TRUE;
    task = g_task_new(NULL, NULL, on_pressure, NULL);
    g_task_set_task_data(task, look, look_free);
    g_task_run_in_thread(task, look_in_thread);
}

void
folio_decided_guest_notice(FolioDecidedGuest *decided, const FolioDecidedView *view)
{
    decided->acts = view->mode > FOLIO_MODE_OBSERVE;
    if (!decided->acts) {
        folio_decided_guest_cancel(decided);
        end_trouble(decided);
        if (view->mode == FOLIO_MODE_OBSERVE && !decided->host->stopped)
            folio_planner_enter(decided->planner, view);
        return;
    }
    decided->wanted = *view->wanted;
    if (decided->host->stopped || !folio_planner_enter(decided->planner, view))
        carry_on(decided);
}

/* The blocks that are now as somebody wanted them. */
void
folio_decided_guest_note(FolioDecidedGuest *decided, FolioProcess *process,
                         const FolioGuestRam *ram, FolioActKind kind,
                         const FolioBlockResult *results, guint n)
{
    const FolioPlanAction action = kind == FOLIO_ACT_SPLIT ? FOLIO_PLAN_SPLIT : FOLIO_PLAN_COLLAPSE;

    for (guint i = 0; i < n; i++) {
        if (result_of(&results[i]) == FOLIO_PLAN_DONE)
            folio_planner_note(decided->planner, process, ram, results[i].address, action);
    }
}

const GArray *
folio_decided_guest_get_decisions(const FolioDecidedGuest *decided)
{
    return folio_planner_get_decisions(decided->planner);
}

/* Takes the text. */
static char *
append_trouble(const FolioDecidedGuest *decided, char *text)
{
    static const FolioActKind kinds[] = { FOLIO_ACT_COLLAPSE, FOLIO_ACT_SPLIT };
    GString *all = g_string_new(text);

    g_free(text);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *trouble =
            folio_trouble_print(&decided->trouble[i], folio_act_kind_token(kinds[i]));

        if (trouble != NULL)
            g_string_append_printf(all, "%s%s", all->len > 0 ? "; " : "", trouble);
    }
    return g_string_free(all, FALSE);
}

char *
folio_decided_guest_print_counts(const FolioDecidedGuest *decided)
{
    const char *waits_for =
        decided->held_by != FOLIO_BUDGET_ENOUGH ? folio_budget_reason_token(decided->held_by) : "";

    const FolioPlanCounts counts = folio_planner_counts(decided->planner);
    g_autofree char *text = NULL;

    if (decided->problem != NULL)
        return g_strdup(decided->problem);
    text = folio_decision_print_counts(&counts, waits_for);
    return append_trouble(decided, g_steal_pointer(&text));
}
