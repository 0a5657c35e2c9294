/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The members that change something. */
#include "bus/actions.h"

#include "base/error.h"
#include "bus/arguments.h"
#include "bus/options.h"
#include "bus/requests.h"

/* What is to be set has been written down, or could not be. */
static void
on_set(const GError *error, gpointer user_data)
{
    FolioCall *call = user_data;

    if (error == NULL)
        folio_call_return(call, NULL);
    else
        folio_call_fail(call, g_error_copy(error));
}

/* Mode */

void
folio_action_set_mode(FolioCall *call)
{
    const char *text = NULL;
    gboolean resets;
    FolioMode mode;
    GError *error = NULL;

    g_variant_get(call->arguments, "(&s)", &text);
    resets = *text == '\0' || g_str_equal(text, "default");
    if (!resets && !folio_mode_parse(text, &mode, &error)) {
        g_prefix_error(&error, "mode: ");
        folio_call_fail(call, error);
        return;
    }
    folio_manager_set_admin_mode(call->manager, call->guest, resets ? NULL : &mode, on_set, call);
}

/* Split, collapse, restore */

/* What the call wants. */
typedef struct {
    FolioActWish act;
    guint64 first_block, n_blocks;
    GVariant *more; /* further ranges; NULL: none */
    gboolean all;   /* every block; there are no ranges then */
} Wish;

static void
wish_clear(Wish *wish)
{
    g_clear_pointer(&wish->more, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Wish, wish_clear)

/* What can be said of the ranges before the guest is looked at. */
static gboolean
check_ranges(const Wish *wish, GError **error)
{
    g_autoptr(GArray) spans = NULL;

    if (!wish->all) {
        spans = folio_arguments_read_ranges(wish->first_block, wish->n_blocks, wish->more,
                                            G_MAXUINT64, error);
        return spans != NULL;
    }
    if (wish->first_block == 0 && wish->n_blocks == 0 && wish->more == NULL)
        return TRUE;
    g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                        "options: \"all\" goes with no range: first_block and blocks must be 0");
    return FALSE;
}

/* The arguments, as far as they can be judged before the guest is looked at. */
static gboolean
read_wish(FolioCall *call, Wish *wish, GError **error)
{
    g_autoptr(GVariant) options = NULL;
    const FolioBusOption table[] = { { "all", "b", &wish->all },
                                     { "more", "a(tt)", &wish->more },
                                     { "force", "b", &wish->act.force } };
    /* Nothing stands in the way of a collapse that could be overridden. */
    const gsize n_options = wish->act.kind == FOLIO_ACT_SPLIT ? 3 : 2;

    wish->act.order = FOLIO_ORDER_HUGE;
    if (wish->act.kind == FOLIO_ACT_RESTORE) {
        wish->all = TRUE;
        g_variant_get(call->arguments, "(@a{sv})", &options);
        return folio_bus_options_read(options, NULL, 0, error);
    }
    g_variant_get(call->arguments, "(ttu@a{sv})", &wish->first_block, &wish->n_blocks,
                  &wish->act.order, &options);
    return folio_arguments_check_order(wish->act.kind, wish->act.order, error) &&
           folio_bus_options_read(options, table, n_options, error) && check_ranges(wish, error);
}

/* Those of the guest's blocks that are meant, by number. */
static GArray *
find_spans(const FolioGuestRam *ram, const Wish *wish, GError **error)
{
    const guint64 all = folio_block_ranges_count(ram);

    if (wish->all)
        return folio_arguments_read_ranges(0, all, NULL, all, error);
    return folio_arguments_read_ranges(wish->first_block, wish->n_blocks, wish->more, all, error);
}

/* Where they are, as far as a huge page can map them. */
static GArray *
find_ranges(FolioCall *call, const Wish *wish, GError **error)
{
    const FolioGuestRam *ram = folio_guest_get_ram(call->guest);
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));
    g_autoptr(GArray) spans = NULL;

    if (ram == NULL || folio_guest_get_process(call->guest) == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "the RAM of the guest is not known: %s",
                    folio_guest_get_reason_text(call->guest));
        return NULL;
    }
    spans = find_spans(ram, wish, error);
    if (spans == NULL)
        return NULL;
    for (guint i = 0; i < spans->len; i++) {
        const FolioBlockSpan span = g_array_index(spans, FolioBlockSpan, i);
        g_autoptr(GArray) some = folio_block_ranges_new(ram, span.first, span.n);

        if (some->len > 0)
            g_array_append_vals(ranges, some->data, some->len);
    }
    if (ranges->len > 0 || wish->act.kind == FOLIO_ACT_RESTORE)
        return g_steal_pointer(&ranges);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                "no huge page can map these blocks: %s", folio_reason_text(ram->reason));
    return NULL;
}

/* A guest that is not fit for it, or a time that is not. Giving back is fit always. */
static gboolean
check_guest(FolioCall *call, const Wish *wish, GError **error)
{
    if (wish->act.kind == FOLIO_ACT_RESTORE)
        return TRUE;
    if (folio_guest_get_state(call->guest) == FOLIO_GUEST_INELIGIBLE) {
        g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                            folio_guest_get_reason_text(call->guest));
        return FALSE;
    }
    if (!folio_manager_get_paused(call->manager))
        return TRUE;
    g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "foliod is paused");
    return FALSE;
}

/* 0 on error. */
static guint
start_job(FolioCall *call, const Wish *wish, GError **error)
{
    g_autoptr(GArray) ranges = find_ranges(call, wish, error);
    g_autoptr(FolioActRequest) request = NULL;
    FolioActuator *actuator;

    if (ranges == NULL || !check_guest(call, wish, error))
        return 0;
    actuator = folio_request_pick(call->manager, &wish->act, error);
    if (actuator == NULL)
        return 0;
    request = folio_request_new(folio_manager_get_acting(call->manager), call->guest, &wish->act,
                                ranges, call->by);
    return folio_jobs_start(call->jobs, actuator, request, error);
}

static FolioActKind
kind_of(FolioCall *call)
{
    if (g_str_equal(call->access->member, "Restore"))
        return FOLIO_ACT_RESTORE;
    return g_str_equal(call->access->member, "Split") ? FOLIO_ACT_SPLIT : FOLIO_ACT_COLLAPSE;
}

/* The caller is known. */
static void
act(FolioCall *call)
{
    g_auto(Wish) wish = { .act.kind = kind_of(call) };
    GError *error = NULL;
    guint job = 0;

    if (read_wish(call, &wish, &error))
        job = start_job(call, &wish, &error);
    if (job != 0)
        folio_call_return(call, g_variant_new("(u)", job));
    else
        folio_call_fail(call, error);
}

void
folio_action_act(FolioCall *call)
{
    folio_call_find_caller(call, act);
}

/* What is known of a job */

static GVariant *
count_outcomes(const FolioActReport *report)
{
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE("a{st}"));
    for (guint i = 0; i < FOLIO_N_OUTCOMES; i++)
        g_variant_builder_add(&dict, "{st}", folio_outcome_token((FolioOutcome) i),
                              report->outcomes[i]);
    return g_variant_builder_end(&dict);
}

static GVariant *
count_left(const FolioActReport *report)
{
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE("a{st}"));
    for (guint i = 0; i < FOLIO_N_LEFT; i++)
        g_variant_builder_add(&dict, "{st}", folio_left_token((FolioLeft) i), report->left[i]);
    return g_variant_builder_end(&dict);
}

static GVariant *
describe_job(const FolioJob *job)
{
    GVariantDict dict;

    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "guest", "s", job->uuid);
    g_variant_dict_insert_value(&dict, "name", folio_bus_string(job->name));
    g_variant_dict_insert(&dict, "kind", "s", folio_act_kind_token(job->kind));
    g_variant_dict_insert(&dict, "order", "u", job->order);
    g_variant_dict_insert(&dict, "by", "s", job->by);
    g_variant_dict_insert(&dict, "state", "s", folio_job_state_token(job->state));
    g_variant_dict_insert(&dict, "done", "t", job->done);
    g_variant_dict_insert(&dict, "total", "t", job->total);
    g_variant_dict_insert_value(&dict, "error", folio_bus_string(job->error));
    g_variant_dict_insert_value(&dict, "way", folio_bus_string(job->report.way));
    g_variant_dict_insert_value(&dict, "blocks", count_outcomes(&job->report));
    g_variant_dict_insert_value(&dict, "left", count_left(&job->report));
    return g_variant_dict_end(&dict);
}

void
folio_action_get_job(FolioCall *call)
{
    const FolioJob *job;
    guint id = 0;

    g_variant_get(call->arguments, "(u)", &id);
    job = folio_jobs_recall(call->jobs, id);
    if (job != NULL)
        folio_call_return(call, g_variant_new("(@a{sv})", describe_job(job)));
    else
        folio_call_fail(call,
                        g_error_new_literal(FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "no such job"));
}

void
folio_action_cancel_job(FolioCall *call)
{
    guint id = 0;

    g_variant_get(call->arguments, "(u)", &id);
    if (folio_jobs_find(call->jobs, id) == NULL) {
        folio_call_fail(call,
                        g_error_new_literal(FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "no such job"));
        return;
    }
    folio_jobs_cancel(call->jobs, id);
    folio_call_return(call, NULL);
}

/* Pause */

static gboolean
read_pause(FolioCall *call, gboolean *restore, GError **error)
{
    g_autoptr(GVariant) options = NULL;
    const FolioBusOption table[] = { { "restore", "b", restore } };

    *restore = FALSE;
    g_variant_get(call->arguments, "(@a{sv})", &options);
    return folio_bus_options_read(options, table, G_N_ELEMENTS(table), error);
}

static void
on_paused(const GError *error, gpointer user_data)
{
    FolioCall *call = user_data;
    gboolean restore = FALSE;

    if (error == NULL) {
        folio_jobs_cancel_all(call->jobs);
        if (read_pause(call, &restore, NULL) && restore)
            folio_request_restore_all(call->manager, call->jobs, call->by);
    }
    on_set(error, call);
}

/* The caller is known, as far as that is needed. */
static void
pause_all(FolioCall *call)
{
    gboolean restore;
    GError *error = NULL;

    if (read_pause(call, &restore, &error))
        folio_manager_set_paused(call->manager, TRUE, on_paused, call);
    else
        folio_call_fail(call, error);
}

void
folio_action_pause(FolioCall *call)
{
    folio_call_find_caller(call, pause_all);
}

void
folio_action_resume(FolioCall *call)
{
    folio_manager_set_paused(call->manager, FALSE, on_set, call);
}
