/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The method Heat of org.foliod1.Guest. */
#include "bus/guest-heat.h"

#include "base/error.h"
#include "bus/options.h"
#include "heat/heat-columns.h"

/* ---- Tasks, for Explain as well */

typedef struct {
    FolioCall *call;
    FolioHeatSnapshot *snapshot;
    FolioHeatReply reply;
    gpointer data;
    GDestroyNotify free_data;
} Job;

static void
job_free(gpointer data)
{
    Job *job = data;

    folio_heat_snapshot_unref(job->snapshot);
    job->free_data(job->data);
    g_free(job);
}

static void
run_job(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    const Job *job = task_data;

    g_task_return_pointer(task, g_variant_ref_sink(job->reply(job->snapshot, job->data)),
                          (GDestroyNotify) g_variant_unref);
}

static void
on_job_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioCall *call = user_data;
    g_autoptr(GVariant) reply = g_task_propagate_pointer(G_TASK(result), NULL);

    if (folio_call_keeps_guest(call))
        folio_call_return(call, reply);
}

void
folio_guest_heat_answer(FolioCall *call, FolioHeatSnapshot *snapshot, FolioHeatReply reply,
                        gpointer data, GDestroyNotify free_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_job_done, call);
    Job *job = g_new0(Job, 1);

    job->call = call;
    job->snapshot = snapshot;
    job->reply = reply;
    job->data = data;
    job->free_data = free_data;
    g_task_set_task_data(task, job, job_free);
    g_task_run_in_thread(task, run_job);
}

/* ---- Options */

typedef struct {
    FolioHeatRequest request;
    FolioHeatHistory *history; /* NULL: not asked for */
} Question;

static void
question_free(gpointer data)
{
    Question *question = data;

    folio_heat_history_free(question->history);
    g_free(question);
}

static gboolean
read_request(FolioCall *call, FolioHeatRequest *request, gboolean *history, GError **error)
{
    g_autoptr(GVariant) options = g_variant_get_child_value(call->arguments, 0);
    guint32 granule = 1;
    const FolioBusOption table[] = {
        { "first-block", "t", &request->first_block },
        { "blocks", "t", &request->blocks },
        { "granule", "u", &granule },
        { "history", "b", history },
    };

    *request = (FolioHeatRequest){ .blocks = G_MAXUINT64 };
    *history = FALSE;
    if (!folio_bus_options_read(options, table, G_N_ELEMENTS(table), error))
        return FALSE;
    request->granule = granule;
    if (granule >= 1)
        return TRUE;
    g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "options: granule is 0");
    return FALSE;
}

static gboolean
fits(const FolioHeatSnapshot *snapshot, const FolioHeatRequest *request, GError **error)
{
    const guint entries = folio_heat_columns_count(snapshot->ranges, request);

    if (request->first_block > 0 && request->first_block >= snapshot->n_blocks) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "options: first-block is %" G_GUINT64_FORMAT ", and it has %u blocks",
                    request->first_block, snapshot->n_blocks);
        return FALSE;
    }
    if (entries < FOLIO_COLUMNS_MAX)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "options: %u entries are too many: by granule or blocks ask for fewer than %u",
                entries, FOLIO_COLUMNS_MAX);
    return FALSE;
}

/* ---- The reply */

static void
add(GVariantBuilder *dict, const char *key, GVariant *value)
{
    g_variant_builder_add(dict, "{sv}", key, value);
}

static void
add_column(GVariantBuilder *dict, const char *key, GBytes *column)
{
    if (column != NULL)
        add(dict, key, g_variant_new_from_bytes(G_VARIANT_TYPE_BYTESTRING, column, TRUE));
}

static GVariant *
list_ends(const FolioHeatHistory *history)
{
    GVariantBuilder ends;

    g_variant_builder_init(&ends, G_VARIANT_TYPE("ax"));
    for (guint w = 0; w < history->n_windows; w++) {
        gint64 ended;

        folio_heat_history_get(history, w, &ended);
        g_variant_builder_add(&ends, "x", ended);
    }
    return g_variant_builder_end(&ends);
}

static void
add_about(GVariantBuilder *about, const FolioHeatSnapshot *snapshot, const Question *question)
{
    add(about, "windows", g_variant_new_uint64(snapshot->windows));
    add(about, "ended", g_variant_new_int64(snapshot->ended_usec));
    add(about, "window-usec", g_variant_new_uint64(snapshot->window_usec));
    add(about, "block-bytes", g_variant_new_uint64(FOLIO_BLOCK_BYTES));
    add(about, "blocks", g_variant_new_uint64(snapshot->n_blocks));
    add(about, "granule", g_variant_new_uint32(question->request.granule));
    if (question->history == NULL)
        return;
    add(about, "history-granule", g_variant_new_uint32(question->history->granule));
    add(about, "history-ended", list_ends(question->history));
}

static void
add_range(GVariantBuilder *ranges, const FolioHeatSnapshot *snapshot, const FolioHeatPart *part,
          const FolioHeatHistory *history)
{
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    add(&dict, "name", folio_bus_string(part->range->name));
    add(&dict, "first-block", g_variant_new_uint64(part->first_block));
    add(&dict, "blocks", g_variant_new_uint64(part->n_blocks));
    add_column(&dict, "verdict", part->verdict);
    add_column(&dict, "in-use", part->in_use);
    add_column(&dict, "footprint", part->footprint);
    add_column(&dict, "unseen", part->unseen);
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++)
        add_column(&dict, folio_verdict_token((FolioVerdict) v), part->counts[v]);
    if (history != NULL) {
        const FolioHeatRange *first = &g_array_index(snapshot->ranges, FolioHeatRange, 0);
        g_autoptr(GBytes) column =
            folio_heat_columns_history(history, snapshot->ranges, (guint) (part->range - first));

        add_column(&dict, "history", column);
    }
    g_variant_builder_add_value(ranges, g_variant_builder_end(&dict));
}

static GVariant *
reply_heat(const FolioHeatSnapshot *snapshot, gpointer data)
{
    const Question *question = data;
    g_autoptr(GPtrArray) parts = folio_heat_columns_new(snapshot, &question->request);
    GVariantBuilder about, ranges;

    g_variant_builder_init(&about, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_init(&ranges, G_VARIANT_TYPE("aa{sv}"));
    add_about(&about, snapshot, question);
    for (guint i = 0; i < parts->len; i++)
        add_range(&ranges, snapshot, parts->pdata[i], question->history);
    return g_variant_new("(a{sv}aa{sv})", &about, &ranges);
}

static GVariant *
nothing_yet(const FolioHeatRequest *request)
{
    GVariantBuilder about;

    g_variant_builder_init(&about, G_VARIANT_TYPE_VARDICT);
    add(&about, "windows", g_variant_new_uint64(0));
    add(&about, "block-bytes", g_variant_new_uint64(FOLIO_BLOCK_BYTES));
    add(&about, "granule", g_variant_new_uint32(request->granule));
    return g_variant_new("(a{sv}aa{sv})", &about, NULL);
}

void
folio_guest_heat_run(FolioCall *call)
{
    FolioGuestSampling *sampling = folio_guest_peek_sampling(call->guest);
    g_autoptr(FolioHeatSnapshot) snapshot = folio_guest_sampling_ref_heat(sampling);
    FolioHeatRequest request;
    GError *error = NULL;
    Question *question;
    gboolean history;

    if (!read_request(call, &request, &history, &error) ||
        (snapshot != NULL && !fits(snapshot, &request, &error))) {
        folio_call_fail(call, error);
        return;
    }
    if (snapshot == NULL) {
        folio_call_return(call, nothing_yet(&request));
        return;
    }
    question = g_new0(Question, 1);
    question->request = request;
    if (history)
        question->history = folio_guest_sampling_dup_history(sampling);
    folio_guest_heat_answer(call, g_steal_pointer(&snapshot), reply_heat, question, question_free);
}
