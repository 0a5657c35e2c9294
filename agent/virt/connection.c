/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to libvirt. All work is done in rounds: a task that opens the connection when it
 * is not open, and looks at the domains that events have named since the last round, or at all.
 * At most one round is under way, so a storm of events cannot cost more than a steady look. */
#include "virt/connection.h"

#include "base/log.h"
#include "virt/domain-look.h"
#include "virt/link.h"

#include <libvirt-glib/libvirt-glib.h>
#include <libxml/parser.h>

/* Between the end of a round and the start of the next one: as long as the round took, so that
 * rounds take half of one thread at most, but within these bounds; a round for one guest takes
 * about 1 ms. */
#define ROUND_PAUSE_MIN_USEC (50 * 1000)
#define ROUND_PAUSE_MAX_USEC (1000 * 1000)

/* Metadata are for anybody to write, as often as they like: those that have changed are read so
 * often in all, for all domains together. */
#define HINTS_PAUSE_USEC G_USEC_PER_SEC

/* How long to wait before connecting anew; doubled each time, up to the second figure, and spread
 * by a quarter so that the agents of many hosts do not come at once to a remote libvirt. */
#define BACKOFF_MIN_USEC (200 * 1000)
#define BACKOFF_MAX_USEC (10 * G_USEC_PER_SEC)

/* How often everything is looked at with no reason, and how soon after a look that failed. An event
 * that never came can mislead for no longer than that. */
#define RESYNC_SECONDS 60
#define RETRY_SECONDS  5

/* libvirt has no time limit for opening a connection: after this the silence is reported. */
#define PATIENCE_SECONDS 10

/* More named domains than that are forgotten, and all are looked at instead. */
#define DIRTY_MAX 4096

/* What was last reported of a domain. */
typedef struct {
    int id;           /* -1: not reported */
    gboolean failing; /* a failed look has been logged */
} Known;

struct _FolioConnection {
    GObject parent_instance;
    char *uri;
    char *error; /* "" when connected */
    gboolean started;
    gboolean connected;
    guint generation;
    FolioLink *link; /* NULL until the first round after a loss */
    gboolean in_round;
    gboolean all_dirty;
    GHashTable *dirty;       /* char *uuid, a set */
    GHashTable *hints_dirty; /* likewise, of those whose metadata alone have changed */
    GHashTable *known;       /* char *uuid -> Known * */
    gint64 not_before;       /* of the next round, monotonic */
    gint64 hints_not_before; /* of the next that looks at hints_dirty */
    gint64 backoff_usec;
    gint64 round_due; /* when round_source runs */
    guint round_source, resync_source, patience_source;
};

G_DEFINE_TYPE(FolioConnection, folio_connection, G_TYPE_OBJECT)

enum { SIGNAL_DOMAIN, SIGNAL_HINTS, SIGNAL_GONE, SIGNAL_SYNCED, SIGNAL_STATE, N_SIGNALS };

static guint signals[N_SIGNALS];

/* What a round is given. The connection may end before it. */
typedef struct {
    GWeakRef connection;
    FolioLink *link;
    char *uri;              /* open the link first; NULL: it is open */
    GPtrArray *uuids;       /* char *; NULL: all */
    GPtrArray *hints_uuids; /* char * */
    gint64 started;
} Round;

static void schedule_round(FolioConnection *self);

static void
ignore_vir_error(void *data, virErrorPtr error)
{
}

void
folio_connection_init_libvirt(void)
{
    /* Before any thread: two that do it at once would be one too many. */
    xmlInitParser();
    virInitialize();
    /* libvirt prints errors by default; each of ours is read where it happens. */
    virSetErrorFunc(NULL, ignore_vir_error);
    gvir_event_register();
}

static void
set_state(FolioConnection *self, gboolean connected, const char *error)
{
    if (self->connected == connected && g_str_equal(self->error, error))
        return;
    if (connected)
        folio_log(G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_CONNECTION, NULL, NULL, "Connected to %s",
                  self->uri);
    else
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_CONNECTION, NULL, NULL,
                  "Not connected to libvirt: %s", error);
    self->connected = connected;
    g_free(self->error);
    self->error = g_strdup(error);
    g_signal_emit(self, signals[SIGNAL_STATE], 0);
}

static void
clear_sources(FolioConnection *self)
{
    g_clear_handle_id(&self->round_source, g_source_remove);
    g_clear_handle_id(&self->resync_source, g_source_remove);
    g_clear_handle_id(&self->patience_source, g_source_remove);
}

/* A look at all takes in every single one. */
static void
mark_all_dirty(FolioConnection *self)
{
    g_hash_table_remove_all(self->dirty);
    g_hash_table_remove_all(self->hints_dirty);
    self->all_dirty = TRUE;
}

/* What was reported stays: the guests go on without libvirt. */
static void
lose(FolioConnection *self, const char *why)
{
    g_autofree char *error = g_strdup_printf("%s: %s", self->uri, why);

    clear_sources(self);
    folio_link_disown(g_steal_pointer(&self->link));
    mark_all_dirty(self);
    self->not_before = g_get_monotonic_time() +
                       (gint64) ((double) self->backoff_usec * g_random_double_range(0.75, 1.25));
    self->backoff_usec = MIN(self->backoff_usec * 2, BACKOFF_MAX_USEC);
    schedule_round(self);
    set_state(self, FALSE, error);
}

static void
on_link_lost(gpointer owner, const char *why)
{
    lose(owner, why);
}

static void
mark_dirty(FolioConnection *self, GHashTable *set, const char *uuid)
{
    if (self->link == NULL || self->all_dirty)
        return;
    g_hash_table_add(set, g_strdup(uuid));
    if (g_hash_table_size(set) > DIRTY_MAX)
        mark_all_dirty(self);
    schedule_round(self);
}

void
folio_connection_look_again(FolioConnection *self, const char *uuid)
{
    mark_dirty(self, self->dirty, uuid);
}

static void
on_link_changed(gpointer owner, const char *uuid)
{
    folio_connection_look_again(owner, uuid);
}

static void
on_link_hints(gpointer owner, const char *uuid)
{
    FolioConnection *self = owner;

    mark_dirty(self, self->hints_dirty, uuid);
}

static const FolioLinkEvents link_events = { .changed = on_link_changed,
                                             .hints = on_link_hints,
                                             .lost = on_link_lost };

static gboolean
on_resync(gpointer data)
{
    FolioConnection *self = data;

    self->resync_source = 0;
    mark_all_dirty(self);
    schedule_round(self);
    return G_SOURCE_REMOVE;
}

static gboolean
on_patience(gpointer data)
{
    FolioConnection *self = data;
    g_autofree char *text =
        g_strdup_printf("%s: libvirt has not answered for %d s", self->uri, PATIENCE_SECONDS);

    self->patience_source = 0;
    set_state(self, FALSE, text);
    return G_SOURCE_REMOVE;
}

static void
report_gone(FolioConnection *self, const char *uuid)
{
    g_autofree char *copy = g_strdup(uuid);
    Known *known = g_hash_table_lookup(self->known, uuid);
    gboolean reported = known != NULL && known->id != -1;

    g_hash_table_remove(self->known, uuid);
    if (reported)
        g_signal_emit(self, signals[SIGNAL_GONE], 0, copy);
}

static Known *
ensure_known(FolioConnection *self, const char *uuid)
{
    Known *known = g_hash_table_lookup(self->known, uuid);

    if (known == NULL) {
        known = g_new0(Known, 1);
        known->id = -1;
        g_hash_table_insert(self->known, g_strdup(uuid), known);
    }
    return known;
}

/* Another id is another run: the one that was reported is over. */
static void
report_domain(FolioConnection *self, const FolioLink *link, const FolioDomain *domain)
{
    Known *known = g_hash_table_lookup(self->known, domain->uuid);

    if (known != NULL && known->id != domain->id)
        report_gone(self, domain->uuid);
    if (self->link != link)
        return;
    known = ensure_known(self, domain->uuid);
    known->id = domain->id;
    known->failing = FALSE;
    g_signal_emit(self, signals[SIGNAL_DOMAIN], 0, domain);
}

static void
report_failure(FolioConnection *self, const FolioDomainLook *look)
{
    Known *known = ensure_known(self, look->uuid);

    if (!known->failing)
        folio_log(G_LOG_LEVEL_WARNING, NULL, NULL, look->uuid, "Guest %s: libvirt: %s", look->uuid,
                  look->failure);
    known->failing = TRUE;
}

/* The next look at all makes up for one that failed. */
static void
report_hints(FolioConnection *self, const FolioDomainLook *look)
{
    const Known *known = g_hash_table_lookup(self->known, look->uuid);

    if (look->hints != NULL && known != NULL && known->id != -1)
        g_signal_emit(self, signals[SIGNAL_HINTS], 0, look->uuid, look->hints);
}

/* A receiver of a signal may stop the connection: then the link is another, and no more is said. */
static gboolean
report_looks(FolioConnection *self, const FolioLink *link, const GPtrArray *looks)
{
    gboolean any_failed = FALSE;

    for (guint i = 0; i < looks->len && self->link == link; i++) {
        const FolioDomainLook *look = looks->pdata[i];

        if (look->hints_only)
            report_hints(self, look);
        else if (look->failure != NULL) {
            report_failure(self, look);
            any_failed = TRUE;
        } else if (look->domain != NULL)
            report_domain(self, link, look->domain);
        else
            report_gone(self, look->uuid);
    }
    return any_failed;
}

static GPtrArray *
copy_keys(GHashTable *table)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, table);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        g_ptr_array_add(keys, g_strdup(key));
    return keys;
}

/* After a look at all: what was known and is not among the looks does not run any more. */
static void
report_missing(FolioConnection *self, const FolioLink *link, const GPtrArray *looks)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) known = copy_keys(self->known);

    for (guint i = 0; i < looks->len; i++)
        g_hash_table_add(seen, ((const FolioDomainLook *) looks->pdata[i])->uuid);
    for (guint i = 0; i < known->len && self->link == link; i++) {
        if (!g_hash_table_contains(seen, known->pdata[i]))
            report_gone(self, known->pdata[i]);
    }
}

static void
arm_resync(FolioConnection *self, guint seconds)
{
    g_clear_handle_id(&self->resync_source, g_source_remove);
    self->resync_source = g_timeout_add_seconds(seconds, on_resync, self);
}

/* Signals go out here and only here, apart from "state": each may end the round by stopping the
 * connection, which takes the link away. */
static void
apply_round(FolioConnection *self, const Round *round, const GPtrArray *looks)
{
    gint64 now = g_get_monotonic_time();
    gboolean any_failed;

    self->not_before =
        now + CLAMP(now - round->started, ROUND_PAUSE_MIN_USEC, ROUND_PAUSE_MAX_USEC);
    if (round->uri != NULL) {
        self->generation++;
        set_state(self, TRUE, "");
    }
    any_failed = report_looks(self, round->link, looks);
    if (round->uuids == NULL)
        report_missing(self, round->link, looks);
    if (self->link != round->link)
        return;
    self->backoff_usec = BACKOFF_MIN_USEC;
    /* A libvirtd that has just started still lists guests that died meanwhile, and drops them
     * without an event. */
    if (round->uuids == NULL || any_failed)
        arm_resync(self, any_failed || round->uri != NULL ? RETRY_SECONDS : RESYNC_SECONDS);
    if (round->uri != NULL)
        g_signal_emit(self, signals[SIGNAL_SYNCED], 0);
}

static void
round_free(Round *round)
{
    g_weak_ref_clear(&round->connection);
    g_free(round->uri);
    g_clear_pointer(&round->uuids, g_ptr_array_unref);
    g_ptr_array_unref(round->hints_uuids);
    g_free(round);
}

static void
on_round_done(GObject *source, GAsyncResult *result, gpointer data)
{
    Round *round = g_task_get_task_data(G_TASK(result));
    g_autoptr(FolioConnection) self = g_weak_ref_get(&round->connection);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) looks = g_task_propagate_pointer(G_TASK(result), &error);

    if (self != NULL) {
        self->in_round = FALSE;
        if (self->link == round->link) {
            g_clear_handle_id(&self->patience_source, g_source_remove);
            if (looks != NULL)
                apply_round(self, round, looks);
            else
                lose(self, error->message);
        }
        schedule_round(self);
    }
    folio_link_release(round->link);
}

static void
round_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Round *round = data;
    g_autoptr(GPtrArray) looks = NULL;
    GError *error = NULL;

    if (round->uri == NULL || folio_link_open(round->link, round->uri, &error))
        looks = folio_domain_look_at(folio_link_get_connect(round->link), round->uuids, &error);
    if (looks != NULL && !folio_domain_look_at_hints(folio_link_get_connect(round->link),
                                                     round->hints_uuids, looks, &error))
        g_clear_pointer(&looks, g_ptr_array_unref);
    if (looks != NULL)
        g_task_return_pointer(task, g_steal_pointer(&looks), (GDestroyNotify) g_ptr_array_unref);
    else
        g_task_return_error(task, error);
}

/* What the metadata of these ask for is looked at now, if it is time for that. */
static GPtrArray *
take_hints_dirty(FolioConnection *self, gint64 now)
{
    GPtrArray *uuids;

    if (now < self->hints_not_before)
        return g_ptr_array_new_with_free_func(g_free);
    uuids = copy_keys(self->hints_dirty);
    if (uuids->len > 0)
        self->hints_not_before = now + HINTS_PAUSE_USEC;
    g_hash_table_remove_all(self->hints_dirty);
    return uuids;
}

/* Takes what is dirty, and a link to work with. */
static Round *
round_new(FolioConnection *self)
{
    Round *round = g_new0(Round, 1);

    g_weak_ref_init(&round->connection, self);
    round->started = g_get_monotonic_time();
    if (self->link == NULL) {
        self->link = folio_link_new(&link_events, self);
        round->uri = g_strdup(self->uri);
    }
    round->link = folio_link_use(self->link);
    round->hints_uuids = take_hints_dirty(self, round->started);
    if (!self->all_dirty)
        round->uuids = copy_keys(self->dirty);
    g_hash_table_remove_all(self->dirty);
    self->all_dirty = FALSE;
    return round;
}

static gboolean
on_round_due(gpointer data)
{
    FolioConnection *self = data;
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_round_done, NULL);
    Round *round = round_new(self);

    self->round_source = 0;
    self->in_round = TRUE;
    if (round->uri != NULL)
        self->patience_source = g_timeout_add_seconds(PATIENCE_SECONDS, on_patience, self);
    g_task_set_task_data(task, round, (GDestroyNotify) round_free);
    g_task_run_in_thread(task, round_in_thread);
    return G_SOURCE_REMOVE;
}

/* When the next round is due, monotonic; -1: there is nothing to look at. */
static gint64
next_due(FolioConnection *self)
{
    if (self->all_dirty || g_hash_table_size(self->dirty) > 0)
        return self->not_before;
    if (g_hash_table_size(self->hints_dirty) > 0)
        return MAX(self->not_before, self->hints_not_before);
    return -1;
}

static void
schedule_round(FolioConnection *self)
{
    gint64 due = next_due(self);
    gint64 wait = MAX(due - g_get_monotonic_time(), 0);

    if (!self->started || self->in_round || due < 0 ||
        (self->round_source != 0 && self->round_due <= due))
        return;
    g_clear_handle_id(&self->round_source, g_source_remove);
    self->round_due = due;
    self->round_source = g_timeout_add((guint) ((wait + 999) / 1000), on_round_due, self);
}

void
folio_connection_start(FolioConnection *self)
{
    if (self->started)
        return;
    self->started = TRUE;
    self->all_dirty = TRUE;
    self->not_before = 0;
    self->backoff_usec = BACKOFF_MIN_USEC;
    schedule_round(self);
}

void
folio_connection_stop(FolioConnection *self)
{
    self->started = FALSE;
    self->connected = FALSE;
    g_free(self->error);
    self->error = g_strdup("stopped");
    clear_sources(self);
    if (self->link != NULL)
        folio_link_disown(g_steal_pointer(&self->link));
    g_hash_table_remove_all(self->dirty);
    g_hash_table_remove_all(self->hints_dirty);
    g_hash_table_remove_all(self->known);
}

FolioConnection *
folio_connection_new(const char *uri)
{
    FolioConnection *self = g_object_new(FOLIO_TYPE_CONNECTION, NULL);

    self->uri = g_strdup(uri);
    return self;
}

const char *
folio_connection_get_uri(FolioConnection *self)
{
    return self->uri;
}

gboolean
folio_connection_is_connected(FolioConnection *self)
{
    return self->connected;
}

const char *
folio_connection_get_error(FolioConnection *self)
{
    return self->error;
}

guint
folio_connection_get_generation(FolioConnection *self)
{
    return self->generation;
}

static void
folio_connection_dispose(GObject *object)
{
    folio_connection_stop(FOLIO_CONNECTION(object));
    G_OBJECT_CLASS(folio_connection_parent_class)->dispose(object);
}

static void
folio_connection_finalize(GObject *object)
{
    FolioConnection *self = FOLIO_CONNECTION(object);

    g_hash_table_unref(self->dirty);
    g_hash_table_unref(self->hints_dirty);
    g_hash_table_unref(self->known);
    g_free(self->uri);
    g_free(self->error);
    G_OBJECT_CLASS(folio_connection_parent_class)->finalize(object);
}

static void
folio_connection_init(FolioConnection *self)
{
    self->error = g_strdup("not connected yet");
    self->dirty = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->hints_dirty = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static guint
new_signal(const char *name, guint n_params, GType first, GType second)
{
    return g_signal_new(name, FOLIO_TYPE_CONNECTION, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                        G_TYPE_NONE, n_params, first, second);
}

static void
folio_connection_class_init(FolioConnectionClass *class)
{
    G_OBJECT_CLASS(class)->dispose = folio_connection_dispose;
    G_OBJECT_CLASS(class)->finalize = folio_connection_finalize;
    signals[SIGNAL_DOMAIN] = new_signal("domain", 1, G_TYPE_POINTER, G_TYPE_NONE);
    signals[SIGNAL_HINTS] = new_signal("hints", 2, G_TYPE_STRING, G_TYPE_POINTER);
    signals[SIGNAL_GONE] = new_signal("gone", 1, G_TYPE_STRING, G_TYPE_NONE);
    signals[SIGNAL_SYNCED] = new_signal("synced", 0, G_TYPE_NONE, G_TYPE_NONE);
    signals[SIGNAL_STATE] = new_signal("state", 0, G_TYPE_NONE, G_TYPE_NONE);
}
