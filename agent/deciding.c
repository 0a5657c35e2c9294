/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod does to guests of its own accord. */
#include "deciding.h"

#include "decided-guest.h"
#include "guest-status.h"
#include "request.h"

/* A process has ended some time after its guest has, if at all. */
#define TIDY_SECONDS 60

struct _FolioDeciding {
    FolioActing *acting;
    FolioDecidingHost *host;
    GHashTable *guests; /* uuid -> Entry */
    FolioPlanStore *store;
    guint tidy_source;
};

typedef struct {
    FolioDeciding *deciding;
    FolioGuest *guest; /* borrowed */
    FolioDecidedGuest *decided;
} Entry;

static void
entry_free(gpointer data)
{
    Entry *entry = data;

    folio_decided_guest_free(entry->decided);
    g_free(entry);
}

/* What is kept of plans */

static void
tidy_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    folio_plan_store_forget_gone(task_data);
    g_task_return_boolean(task, TRUE);
}

static void
on_tidied(GObject *source, GAsyncResult *result, gpointer user_data)
{
    folio_acting_release(user_data);
}

/* Forgets the plans of processes that have ended. */
static void
tidy(FolioDeciding *deciding)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_tidied, deciding->acting);

    folio_acting_hold(deciding->acting);
    g_task_set_task_data(task, folio_plan_store_ref(deciding->store),
                         (GDestroyNotify) folio_plan_store_unref);
    g_task_run_in_thread(task, tidy_in_thread);
}

static gboolean
on_tidy_time(gpointer user_data)
{
    FolioDeciding *deciding = user_data;

    deciding->tidy_source = 0;
    tidy(deciding);
    return G_SOURCE_REMOVE;
}

FolioDeciding *
folio_deciding_new(FolioActing *acting, const char *proc_root, const char *state_dir)
{
    FolioDeciding *deciding = g_new0(FolioDeciding, 1);

    deciding->acting = acting;
    deciding->store = folio_plan_store_new(state_dir, proc_root);
    deciding->host = folio_deciding_host_new(folio_acting_get_turns(acting), proc_root);
    deciding->host->actuators = folio_acting_get_actuators(acting);
    deciding->host->calls =
        (FolioPlannerCalls){ (void (*)(gpointer)) folio_acting_hold,
                             (void (*)(gpointer)) folio_acting_release, acting, deciding->store };
    deciding->guests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
    tidy(deciding);
    return deciding;
}

void
folio_deciding_free(FolioDeciding *deciding)
{
    g_clear_handle_id(&deciding->tidy_source, g_source_remove);
    g_hash_table_unref(deciding->guests);
    folio_deciding_host_unref(deciding->host);
    folio_plan_store_unref(deciding->store);
    g_free(deciding);
}

void
folio_deciding_configure(FolioDeciding *deciding, const FolioActingConfig *config)
{
    deciding->host->limits.host_rate = config->host_max_rate;
    deciding->host->limits.cpu_share = config->act_share;
}

static FolioActRequest *
make_request(FolioActKind kind, guint order, GArray *ranges, gpointer user_data)
{
    const Entry *entry = user_data;
    const FolioActWish wish = { .kind = kind, .order = order };

    return folio_request_new(entry->deciding->acting, entry->guest, &wish, ranges, "policy");
}

static void
on_acted(gpointer user_data)
{
    const Entry *entry = user_data;

    folio_acting_look(entry->deciding->acting, entry->guest);
}

static void
on_follow(guint8 *classes, guint n, gpointer user_data)
{
    const Entry *entry = user_data;

    folio_guest_sampling_follow_costs(folio_guest_peek_sampling(entry->guest), classes, n);
}

static Entry *
get_entry(FolioDeciding *deciding, FolioGuest *guest)
{
    static const FolioDecidedCalls calls = { make_request, on_acted, on_follow };
    const char *uuid = folio_guest_get_uuid(guest);
    Entry *entry = g_hash_table_lookup(deciding->guests, uuid);

    if (entry != NULL)
        return entry;
    entry = g_new0(Entry, 1);
    entry->deciding = deciding;
    entry->guest = guest;
    entry->decided =
        folio_decided_guest_new(deciding->host, uuid, folio_guest_get_name(guest), &calls, entry);
    g_hash_table_insert(deciding->guests, g_strdup(uuid), entry);
    return entry;
}

static gboolean
can_do(const FolioDeciding *deciding, FolioActKind kind, guint order)
{
    return folio_actuators_pick(deciding->host->actuators, kind, order, NULL) != NULL;
}

/* Is it one that is acted on? While it is, or somebody acts on it, its state is ACTING, which says
 * nothing of that. */
static gboolean
may_be_acted_on(FolioGuest *guest)
{
    const FolioGuestState state = folio_guest_get_state(guest);

    return (state == FOLIO_GUEST_DECIDING || state == FOLIO_GUEST_ACTING) &&
           !folio_guest_get_suspended(guest) && folio_guest_get_process(guest) != NULL &&
           folio_guest_get_ram(guest) != NULL;
}

void
folio_deciding_notice(FolioDeciding *deciding, FolioGuest *guest)
{
    FolioActing *acting = deciding->acting;
    const FolioHints *wanted = &folio_guest_get_policy(guest)->values;
    g_autoptr(FolioHeatSnapshot) snapshot =
        folio_guest_sampling_ref_heat(folio_guest_peek_sampling(guest));
    FolioDecidedView view = { .mode = FOLIO_MODE_OFF, .wanted = wanted, .snapshot = snapshot };

    if (may_be_acted_on(guest) && snapshot != NULL)
        view.mode = folio_guest_mode_in_force(guest, deciding->host->actuators);
    view.process = folio_guest_get_process(guest);
    view.ram = folio_guest_get_ram(guest);
    view.record = folio_acting_get_record(acting, guest);
    /* Which blocks foliod has split is not known yet: nothing is planned before. */
    if (view.record == NULL && view.mode > FOLIO_MODE_OBSERVE)
        view.mode = FOLIO_MODE_OBSERVE;
    view.can_collapse = can_do(deciding, FOLIO_ACT_COLLAPSE, FOLIO_ORDER_HUGE);
    /* A split that turns out wrong must not stay. */
    view.can_split = view.can_collapse && folio_acting_can_keep_away(acting, guest) &&
                     can_do(deciding, FOLIO_ACT_SPLIT, wanted->split_order);
    folio_decided_guest_notice(get_entry(deciding, guest)->decided, &view);
}

void
folio_deciding_leave(FolioDeciding *deciding, FolioGuest *guest)
{
    if (!g_hash_table_remove(deciding->guests, folio_guest_get_uuid(guest)))
        return;
    if (!deciding->host->stopped && deciding->tidy_source == 0)
        deciding->tidy_source = g_timeout_add_seconds(TIDY_SECONDS, on_tidy_time, deciding);
}

void
folio_deciding_note(FolioDeciding *deciding, FolioGuest *guest, FolioActKind kind,
                    const FolioBlockResult *results, guint n)
{
    FolioProcess *process = folio_guest_get_process(guest);
    const FolioGuestRam *ram = folio_guest_get_ram(guest);

    if (process != NULL && ram != NULL)
        folio_decided_guest_note(get_entry(deciding, guest)->decided, process, ram, kind, results,
                                 n);
}

void
folio_deciding_stop(FolioDeciding *deciding)
{
    GHashTableIter iter;
    gpointer entry;

    deciding->host->stopped = TRUE;
    g_hash_table_iter_init(&iter, deciding->guests);
    while (g_hash_table_iter_next(&iter, NULL, &entry))
        folio_decided_guest_cancel(((Entry *) entry)->decided);
}

const GArray *
folio_deciding_get_decisions(FolioDeciding *deciding, FolioGuest *guest)
{
    return folio_decided_guest_get_decisions(get_entry(deciding, guest)->decided);
}

char *
folio_deciding_print_counts(FolioDeciding *deciding, FolioGuest *guest)
{
    return folio_decided_guest_print_counts(get_entry(deciding, guest)->decided);
}
