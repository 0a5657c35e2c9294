/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One subscriber. */
#include "bus/audience.h"

#include "bus/access.h"

/* Questions about it that are open at a time. Each counts as one of its calls (bus/callers.h), so
 * that subscribing gives nobody a larger part of polkit's time. */
#define QUESTIONS_MAX 4

/* When all its calls are pending, it is tried again so much later. */
#define RETRY_MSEC 250

typedef enum {
    SIGHT_UNKNOWN,
    SIGHT_ASKING,
    SIGHT_DENIED,
    SIGHT_GRANTED,
} SightState;

/* What it may see of one guest. */
typedef struct {
    char *uuid;
    guint serial; /* of the question that is open */
    SightState state;
    gboolean doubted; /* while ASKING: the answer will be out of date */
    gboolean knows;   /* it was told of the guest, and not that it has gone */
    gboolean missed;  /* something has changed that it was not told */
    GVariant *job;    /* the last change of a job that it was not told; NULL: none */
} Sight;

struct _FolioAudience {
    grefcount references; /* the owner's, and one for each question */
    char *sender;
    FolioBouncer *bouncer;
    const FolioAudienceEvents *events;
    gpointer user_data;
    GHashTable *sights; /* uuid -> Sight */
    GQueue unknown;     /* char *: uuids that are UNKNOWN; some may have gone */
    guint n_asking;
    guint last_serial;
    guint retry_source;
    gboolean left;
};

typedef struct {
    FolioAudience *audience;
    char *uuid;
    guint serial;
} Question;

static void ask_next(FolioAudience *audience);

static void
sight_free(gpointer data)
{
    Sight *sight = data;

    g_clear_pointer(&sight->job, g_variant_unref);
    g_free(sight->uuid);
    g_free(sight);
}

FolioAudience *
folio_audience_new(const char *sender, FolioBouncer *bouncer, const FolioAudienceEvents *events,
                   gpointer user_data)
{
    FolioAudience *audience = g_new0(FolioAudience, 1);

    g_ref_count_init(&audience->references);
    audience->sender = g_strdup(sender);
    audience->bouncer = folio_bouncer_ref(bouncer);
    audience->events = events;
    audience->user_data = user_data;
    audience->sights = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, sight_free);
    g_queue_init(&audience->unknown);
    return audience;
}

static void
unref(FolioAudience *audience)
{
    if (!g_ref_count_dec(&audience->references))
        return;
    g_hash_table_unref(audience->sights);
    g_queue_clear_full(&audience->unknown, g_free);
    folio_bouncer_unref(audience->bouncer);
    g_free(audience->sender);
    g_free(audience);
}

void
folio_audience_leave(FolioAudience *audience)
{
    audience->left = TRUE;
    g_clear_handle_id(&audience->retry_source, g_source_remove);
    unref(audience);
}

static void
lose_sight(FolioAudience *audience, Sight *sight)
{
    if (sight->knows)
        audience->events->tell_gone(audience->sender, sight->uuid, audience->user_data);
    sight->knows = FALSE;
}

static void
gain_sight(FolioAudience *audience, Sight *sight)
{
    g_autoptr(GVariant) job = g_steal_pointer(&sight->job);

    if (!sight->knows || sight->missed)
        audience->events->tell_all(audience->sender, sight->uuid, audience->user_data);
    sight->knows = TRUE;
    sight->missed = FALSE;
    if (job != NULL)
        audience->events->tell_job(audience->sender, job, audience->user_data);
}

static void
become_unknown(FolioAudience *audience, Sight *sight)
{
    sight->state = SIGHT_UNKNOWN;
    sight->doubted = FALSE;
    g_queue_push_tail(&audience->unknown, g_strdup(sight->uuid));
}

static void
take_answer(FolioAudience *audience, Sight *sight, gboolean granted)
{
    if (sight->doubted) {
        become_unknown(audience, sight);
        return;
    }
    sight->state = granted ? SIGHT_GRANTED : SIGHT_DENIED;
    if (granted) {
        gain_sight(audience, sight);
        return;
    }
    g_clear_pointer(&sight->job, g_variant_unref);
    lose_sight(audience, sight);
}

static void
on_answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Question *question = user_data;
    g_autofree char *uuid = question->uuid;
    FolioAudience *audience = question->audience;
    const gboolean granted = folio_bouncer_ask_finish(audience->bouncer, result, NULL);
    Sight *sight = g_hash_table_lookup(audience->sights, uuid);

    folio_bouncer_leave(audience->bouncer, audience->sender);
    audience->n_asking--;
    if (!audience->left) {
        /* The guest asked about may have gone, and another of that UUID, which may have another
         * name, have come. */
        if (sight != NULL && sight->state == SIGHT_ASKING && sight->serial == question->serial)
            take_answer(audience, sight, granted);
        ask_next(audience);
    }
    unref(audience);
}

static void
ask(FolioAudience *audience, Sight *sight, const char *name)
{
    const gboolean about_guest = *sight->uuid != '\0';
    const FolioQuestion about = { .action = FOLIO_ACTION_VIEW,
                                  .guest_name = about_guest ? name : NULL,
                                  .guest_uuid = about_guest ? sight->uuid : NULL };
    Question *question = g_new0(Question, 1);

    question->audience = audience;
    question->uuid = g_strdup(sight->uuid);
    question->serial = sight->serial = ++audience->last_serial;
    sight->state = SIGHT_ASKING;
    audience->n_asking++;
    g_ref_count_inc(&audience->references);
    folio_bouncer_ask_async(audience->bouncer, audience->sender, &about, on_answered, question);
}

static gboolean
on_retry(gpointer user_data)
{
    FolioAudience *audience = user_data;

    audience->retry_source = 0;
    ask_next(audience);
    return G_SOURCE_REMOVE;
}

/* The next that is to be asked about; NULL when there is none. */
static Sight *
pop_unknown(FolioAudience *audience, const char **name)
{
    char *next;

    while ((next = g_queue_pop_head(&audience->unknown)) != NULL) {
        g_autofree char *uuid = next;
        Sight *sight = g_hash_table_lookup(audience->sights, uuid);

        if (sight == NULL || sight->state != SIGHT_UNKNOWN)
            continue;
        *name = audience->events->find_name(uuid, audience->user_data);
        if (*name != NULL)
            return sight;
    }
    return NULL;
}

static void
ask_next(FolioAudience *audience)
{
    while (audience->n_asking < QUESTIONS_MAX && audience->retry_source == 0 &&
           !g_queue_is_empty(&audience->unknown)) {
        const char *name = NULL;
        Sight *sight;

        if (!folio_bouncer_enter(audience->bouncer, audience->sender, NULL)) {
            audience->retry_source = g_timeout_add(RETRY_MSEC, on_retry, audience);
            return;
        }
        sight = pop_unknown(audience, &name);
        if (sight != NULL)
            ask(audience, sight, name);
        else
            folio_bouncer_leave(audience->bouncer, audience->sender);
    }
}

void
folio_audience_admit(FolioAudience *audience, const char *uuid)
{
    Sight *sight = g_hash_table_lookup(audience->sights, uuid);

    if (sight != NULL)
        return;
    sight = g_new0(Sight, 1);
    sight->uuid = g_strdup(uuid);
    g_hash_table_insert(audience->sights, sight->uuid, sight);
    become_unknown(audience, sight);
    ask_next(audience);
}

void
folio_audience_drop(FolioAudience *audience, const char *uuid)
{
    Sight *sight = g_hash_table_lookup(audience->sights, uuid);

    if (sight == NULL)
        return;
    lose_sight(audience, sight);
    g_hash_table_remove(audience->sights, uuid);
}

void
folio_audience_doubt(FolioAudience *audience)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, audience->sights);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Sight *sight = value;

        if (sight->state == SIGHT_ASKING)
            sight->doubted = TRUE;
        else if (sight->state != SIGHT_UNKNOWN)
            become_unknown(audience, sight);
    }
    ask_next(audience);
}

gboolean
folio_audience_hears(FolioAudience *audience, const char *uuid)
{
    Sight *sight = g_hash_table_lookup(audience->sights, uuid);

    if (sight == NULL || sight->state == SIGHT_DENIED)
        return FALSE;
    if (sight->state == SIGHT_GRANTED)
        return sight->knows; /* not yet: it is being told all */
    sight->missed = TRUE;
    return FALSE;
}

void
folio_audience_tell_job(FolioAudience *audience, const char *uuid, GVariant *job)
{
    g_autoptr(GVariant) held = g_variant_ref_sink(job);
    Sight *sight = g_hash_table_lookup(audience->sights, uuid);

    if (sight == NULL || sight->state == SIGHT_DENIED)
        return;
    if (sight->state == SIGHT_GRANTED) {
        audience->events->tell_job(audience->sender, held, audience->user_data);
        return;
    }
    g_clear_pointer(&sight->job, g_variant_unref);
    sight->job = g_steal_pointer(&held);
}
