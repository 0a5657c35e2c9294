/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod does to guests. */
#include "acting.h"

#include "act/damon.h"
#include "act/debugfs-split.h"
#include "act/madvise-collapse.h"
#include "acted-guest.h"
#include "base/log.h"

/* How often it is looked whether what was split is split still, and what ways there are: others may
 * take DAMON, or leave it. */
#define LOOK_SECONDS 10

/* Of guests that nothing is to be done to, and of which nothing is split, one in so many is looked
 * at each time: all that could be seen there is how khugepaged stands to them. */
#define QUIET_TURNS 6u

/* Runs end at the next chunk, and a look takes no longer. */
#define END_MSEC 20000

struct _FolioActing {
    FolioActedHost host;
    FolioActContext context;
    FolioActuators *actuators;
    char *known; /* of them, see describe */
    FolioTurns *turns;
    GHashTable *guests; /* uuid -> FolioActedGuest */
    gboolean inject;
    guint look_source;
    guint turn;   /* of the quiet guests */
    guint probes; /* tasks under way */
    void (*changed)(gpointer user_data);
    gpointer user_data;
};

static void tell_prospects(FolioActing *acting);

/* Actuators */

/* What is known of them, for comparison. */
static char *
describe(const FolioActing *acting)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < folio_actuators_count(acting->actuators); i++) {
        FolioActuator *actuator = folio_actuators_get(acting->actuators, i);

        for (guint order = 0; order <= FOLIO_ORDER_HUGE; order++) {
            const gboolean huge = order == FOLIO_ORDER_HUGE;
            g_autofree char *reason = NULL;

            actuator->klass->probe(actuator, huge ? FOLIO_ACT_COLLAPSE : FOLIO_ACT_SPLIT, order,
                                   &reason);
            g_string_append_printf(text, "%s\n", reason != NULL ? reason : "");
        }
    }
    return g_string_free(text, FALSE);
}

static void
on_probed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioActing *acting = user_data;
    g_autofree char *now = NULL;

    acting->probes--;
    if (acting->probes > 0 || acting->changed == NULL)
        return;
    now = describe(acting);
    if (g_strcmp0(now, acting->known) == 0)
        return;
    g_free(acting->known);
    acting->known = g_steal_pointer(&now);
    acting->changed(acting->user_data);
    tell_prospects(acting);
}

static void
ask_actuators(FolioActing *acting)
{
    if (acting->probes > 0)
        return;
    acting->probes = folio_actuators_count(acting->actuators);
    for (guint i = 0; i < folio_actuators_count(acting->actuators); i++)
        folio_act_probe_async(folio_actuators_get(acting->actuators, i), on_probed, acting);
}

static void
add(FolioActing *acting, FolioWay *way)
{
    folio_actuators_add(acting->actuators, folio_way_actuator_new(way, &acting->context));
}

void
folio_acting_configure(FolioActing *acting, const FolioActingConfig *config)
{
    acting->inject = config->inject;
    folio_actuators_choose(acting->actuators, (const char *const *) config->actuators);
}

FolioActuators *
folio_acting_get_actuators(FolioActing *acting)
{
    return acting->actuators;
}

FolioTurns *
folio_acting_get_turns(FolioActing *acting)
{
    return acting->turns;
}

/* Guests */

gboolean
folio_acting_may_inject(FolioActing *acting, FolioGuest *guest)
{
    return acting->inject && folio_guest_get_mode(guest) > FOLIO_MODE_OBSERVE;
}

gboolean
folio_acting_may_give_back(FolioActing *acting)
{
    return acting->inject;
}

static FolioActedGuest *
find(FolioActing *acting, FolioGuest *guest)
{
    return g_hash_table_lookup(acting->guests, folio_guest_get_uuid(guest));
}

void
folio_acting_count(FolioActing *acting, FolioGuest *guest, FolioLedgerCounters *counters)
{
    const FolioActedGuest *acted = find(acting, guest);

    *counters = acted != NULL ? folio_acted_guest_count(acted) : (FolioLedgerCounters){ 0 };
}

FolioKeeper
folio_acting_get_keeper(FolioActing *acting, FolioGuest *guest)
{
    const FolioActedGuest *acted = find(acting, guest);

    return acted != NULL ? folio_acted_guest_get_keeper(acted) : FOLIO_KEEPER_FREE;
}

FolioLedgerGuest *
folio_acting_get_record(FolioActing *acting, FolioGuest *guest)
{
    const FolioActedGuest *acted = find(acting, guest);

    return acted != NULL ? folio_acted_guest_get_record(acted) : NULL;
}

gboolean
folio_acting_can_keep_away(FolioActing *acting, FolioGuest *guest)
{
    const FolioActedGuest *acted = find(acting, guest);

    return acted == NULL || folio_acted_guest_is_keepable(acted);
}

void
folio_acting_hold(FolioActing *acting)
{
    acting->host.looks++;
}

void
folio_acting_release(FolioActing *acting)
{
    acting->host.looks--;
}

static void
tidy_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    const FolioActing *acting = task_data;
    g_autoptr(GError) error = NULL;

    folio_ledger_forget_gone(acting->host.ledger, acting->host.proc_root);
    if (!folio_khugepaged_release_hold(acting->host.khugepaged, &error))
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_LEDGER, NULL, NULL, "%s", error->message);
    g_task_return_boolean(task, TRUE);
}

static void
on_tidied(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioActing *acting = user_data;

    acting->host.looks--;
}

/* Its process may have ended, and what was done to it with it. */
void
folio_acting_leave(FolioActing *acting, FolioGuest *guest)
{
    g_autoptr(GTask) task = NULL;

    if (!g_hash_table_remove(acting->guests, folio_guest_get_uuid(guest)))
        return;
    acting->host.looks++;
    task = g_task_new(NULL, NULL, on_tidied, acting);
    g_task_set_task_data(task, acting, NULL);
    g_task_run_in_thread(task, tidy_in_thread);
}

static gboolean
can_do(const FolioActing *acting, FolioActKind kind, guint order)
{
    return folio_actuators_pick(acting->actuators, kind, order, NULL) != NULL;
}

/* Tells the guest what acting on it would meet with. */
static void
tell_prospect(FolioActing *acting, FolioGuest *guest)
{
    const FolioHints *wanted = &folio_guest_get_policy(guest)->values;
    const FolioActedGuest *acted = find(acting, guest);
    const gboolean splits = wanted->mode != FOLIO_MODE_COLLAPSE;
    const gboolean collapses = wanted->mode != FOLIO_MODE_SPLIT;
    const FolioProspect prospect = {
        .can_act = (!splits || can_do(acting, FOLIO_ACT_SPLIT, wanted->split_order)) &&
                   (!collapses || can_do(acting, FOLIO_ACT_COLLAPSE, FOLIO_ORDER_HUGE)),
        .khugepaged_undoes = acted != NULL && !folio_acted_guest_is_keepable(acted),
    };

    folio_guest_set_prospect(guest, &prospect);
}

static void
tell_prospects(FolioActing *acting)
{
    GHashTableIter iter;
    gpointer acted;

    g_hash_table_iter_init(&iter, acting->guests);
    while (g_hash_table_iter_next(&iter, NULL, &acted))
        tell_prospect(acting, folio_acted_guest_get(acted));
}

static void
on_guest_looked(FolioGuest *guest, gpointer user_data)
{
    tell_prospect(user_data, guest);
}

void
folio_acting_notice(FolioActing *acting, FolioGuest *guest)
{
    FolioActedGuest *acted = find(acting, guest);

    if (acted == NULL) {
        acted = folio_acted_guest_new(&acting->host, guest, on_guest_looked, acting);
        g_hash_table_insert(acting->guests, g_strdup(folio_guest_get_uuid(guest)), acted);
    }
    if (folio_acted_guest_is_outdated(acted))
        folio_acted_guest_look(acted, folio_acting_may_inject(acting, guest));
    folio_guest_set_acting(guest, folio_turns_is_taken(acting->turns, folio_guest_get_uuid(guest)));
    tell_prospect(acting, guest);
}

void
folio_acting_look(FolioActing *acting, FolioGuest *guest)
{
    FolioActedGuest *acted = find(acting, guest);

    if (acted != NULL)
        folio_acted_guest_look(acted, folio_acting_may_inject(acting, guest));
}

static guint64
count_split(const FolioActing *acting)
{
    GHashTableIter iter;
    gpointer acted;
    guint64 n = 0;

    g_hash_table_iter_init(&iter, acting->guests);
    while (g_hash_table_iter_next(&iter, NULL, &acted))
        n += folio_acted_guest_count(acted).split_now;
    return n;
}

static gboolean
is_its_turn(const FolioActing *acting, const FolioActedGuest *acted)
{
    FolioGuest *guest = folio_acted_guest_get(acted);

    return folio_guest_get_mode(guest) > FOLIO_MODE_OBSERVE ||
           folio_acted_guest_count(acted).split_now > 0 ||
           g_str_hash(folio_guest_get_uuid(guest)) % QUIET_TURNS == acting->turn;
}

static gboolean
on_look_time(gpointer user_data)
{
    FolioActing *acting = user_data;
    GHashTableIter iter;
    gpointer acted;

    ask_actuators(acting);
    acting->turn = (acting->turn + 1) % QUIET_TURNS;
    acting->host.n_split = count_split(acting);
    g_hash_table_iter_init(&iter, acting->guests);
    while (g_hash_table_iter_next(&iter, NULL, &acted)) {
        if (is_its_turn(acting, acted))
            folio_acted_guest_look(acted,
                                   folio_acting_may_inject(acting, folio_acted_guest_get(acted)));
    }
    return G_SOURCE_CONTINUE;
}

void
folio_acting_start(FolioActing *acting)
{
    ask_actuators(acting);
    acting->look_source = g_timeout_add_seconds(LOOK_SECONDS, on_look_time, acting);
}

/* A guest that comes when its last run's action is still under way is told when it is noticed. */
static void
on_turn(const char *uuid, gboolean taken, gpointer user_data)
{
    const FolioActing *acting = user_data;
    const FolioActedGuest *acted = g_hash_table_lookup(acting->guests, uuid);

    if (acted != NULL)
        folio_guest_set_acting(folio_acted_guest_get(acted), taken);
}

/* The object */

FolioActing *
folio_acting_new(const FolioActingOptions *options, void (*changed)(gpointer user_data),
                 gpointer user_data)
{
    FolioActing *acting = g_new0(FolioActing, 1);
    FolioLedger *ledger = folio_ledger_open(options->state_dir);

    folio_ledger_forget_gone(ledger, options->proc_root);
    acting->host.proc_root = g_strdup(options->proc_root);
    acting->host.ledger = ledger;
    acting->host.khugepaged =
        folio_khugepaged_new(options->sys_root, options->inject_program, ledger);
    acting->host.damon = folio_damon_way_new(options->sys_root, options->proc_root, ledger);
    acting->context = (FolioActContext){ .proc_root = acting->host.proc_root,
                                         .ledger = ledger,
                                         .khugepaged = acting->host.khugepaged };
    acting->guests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                           (GDestroyNotify) folio_acted_guest_free);
    acting->turns = folio_turns_new(on_turn, acting);
    acting->actuators = folio_actuators_new();
    add(acting, acting->host.damon);
    add(acting, folio_debugfs_split_way_new(options->sys_root));
    add(acting, folio_madvise_collapse_way_new());
    acting->changed = changed;
    acting->user_data = user_data;
    return acting;
}

static gboolean
is_busy(const FolioActing *acting)
{
    if (acting->probes > 0 || acting->host.looks > 0)
        return TRUE;
    for (guint i = 0; i < folio_actuators_count(acting->actuators); i++) {
        if (folio_way_actuator_is_busy(folio_actuators_get(acting->actuators, i)))
            return TRUE;
    }
    return FALSE;
}

static gboolean
on_tick(gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

static gboolean
on_end_over(gpointer user_data)
{
    gboolean *over = user_data;

    *over = TRUE;
    return G_SOURCE_CONTINUE;
}

/* FALSE: something goes on, stuck in the kernel. */
static gboolean
wait_for_threads(FolioActing *acting)
{
    gboolean over = FALSE;
    guint source = g_timeout_add(END_MSEC, on_end_over, &over);
    guint tick = g_timeout_add(50, on_tick, NULL);

    while (!over && is_busy(acting))
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(source);
    g_source_remove(tick);
    return !over;
}

void
folio_acting_free(FolioActing *acting)
{
    acting->changed = NULL;
    folio_turns_stop(acting->turns);
    g_clear_handle_id(&acting->look_source, g_source_remove);
    g_hash_table_unref(acting->guests);
    if (!wait_for_threads(acting)) {
        /* Its threads use all of it: it goes with the process. */
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_LEDGER, NULL, NULL,
                  "stops while an action is under way; the next start goes on from the ledger");
        return;
    }
    for (guint i = 0; i < folio_actuators_count(acting->actuators); i++)
        folio_way_actuator_close(folio_actuators_get(acting->actuators, i));
    folio_actuators_free(acting->actuators);
    folio_turns_unref(acting->turns);
    folio_khugepaged_free(acting->host.khugepaged);
    folio_ledger_free(acting->host.ledger);
    g_free(acting->host.proc_root);
    g_free(acting->known);
    g_free(acting);
}
