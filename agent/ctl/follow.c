/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Following a job. */
#include "ctl/follow.h"

#include "base/error.h"
#include "base/log.h"
#include "ctl/job-report.h"
#include "ctl/json.h"
#include "ctl/signals.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* As a job was told of last. */
typedef struct {
    char *state;
    guint64 done, total;
    char *error;
} Job;

typedef struct {
    const FolioInvocation *invocation;
    GMainLoop *loop;
    GHashTable *jobs; /* number -> Job: of any job, for ours is not known until the call returns */
    guint job;        /* ours; 0: not yet */
    gboolean cancelling, left, ended;
    gboolean shows; /* progress, on a terminal */
} Follow;

static void
job_free(gpointer data)
{
    Job *job = data;

    g_free(job->state);
    g_free(job->error);
    g_free(job);
}

static const Job *
ours(const Follow *follow)
{
    return g_hash_table_lookup(follow->jobs, GUINT_TO_POINTER(follow->job));
}

static gboolean
has_ended(const Follow *follow)
{
    const Job *job = ours(follow);

    return job != NULL && !g_str_equal(job->state, "running");
}

static void
show(const Follow *follow)
{
    const Job *job = ours(follow);

    if (!follow->shows || job == NULL)
        return;
    fprintf(stderr, "\rjob %u: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " blocks%s\033[K",
            follow->job, job->done, job->total, follow->cancelling ? ", being cancelled" : "");
    if (has_ended(follow))
        fputc('\n', stderr);
    fflush(stderr);
}

static void
on_job(guint id, const char *state, guint64 done, guint64 total, const char *error,
       gpointer user_data)
{
    Follow *follow = user_data;
    Job *job = g_new0(Job, 1);

    job->state = g_strdup(state);
    job->done = done;
    job->total = total;
    job->error = g_strdup(error);
    g_hash_table_replace(follow->jobs, GUINT_TO_POINTER(id), job);
    if (id != follow->job)
        return;
    show(follow);
    if (has_ended(follow))
        g_main_loop_quit(follow->loop);
}

static void
on_foliod_ended(gpointer user_data)
{
    Follow *follow = user_data;

    follow->ended = TRUE;
    g_main_loop_quit(follow->loop);
}

static void
on_cancelled(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    /* NotFound: it has ended meanwhile, which is told too. */
    if (reply == NULL && !g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND)) {
        g_autofree char *text = NULL;

        folio_client_explain_error(error);
        text = folio_escape(error->message);
        fprintf(stderr, "folioctl: the job cannot be cancelled: %s\n", text);
    }
}

static gboolean
on_interrupt(gpointer user_data)
{
    Follow *follow = user_data;

    if (follow->cancelling) {
        follow->left = TRUE;
        g_main_loop_quit(follow->loop);
        return G_SOURCE_CONTINUE;
    }
    follow->cancelling = TRUE;
    show(follow);
    g_dbus_connection_call(folio_client_get_bus(follow->invocation->client), FOLIO_CLIENT_BUS_NAME,
                           FOLIO_CLIENT_MANAGER_PATH, FOLIO_CLIENT_MANAGER, "CancelJob",
                           g_variant_new("(u)", follow->job), NULL,
                           G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, -1, NULL,
                           on_cancelled, follow);
    return G_SOURCE_CONTINUE;
}

static void
wait_for_end(Follow *follow)
{
    guint interrupt = g_unix_signal_add(SIGINT, on_interrupt, follow);

    show(follow);
    if (!has_ended(follow))
        g_main_loop_run(follow->loop);
    g_source_remove(interrupt);
}

static void
print_report(const FolioInvocation *invocation, guint id, GVariant *about)
{
    const char *way = folio_dict_string(about, "way");
    g_autofree char *text = folio_job_report_text(about);
    g_autofree char *by_foreign = g_strconcat(*way != '\0' ? ", by " : "", way, NULL);
    g_autofree char *by = folio_escape(by_foreign);

    if (invocation->json) {
        g_autofree char *json = folio_json_job(id, about);

        fputs(json, stdout);
        return;
    }
    printf("job %u: %s, %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " blocks%s\n", id,
           folio_dict_string(about, "state"), folio_dict_number(about, "done"),
           folio_dict_number(about, "total"), by);
    if (folio_job_report_is_known(about))
        puts(text);
}

/* Of a job that is known to have ended. */
static FolioExitStatus
print_end(const Follow *follow, GError **error)
{
    const Job *job = ours(follow);
    const gboolean failed = g_str_equal(job->state, "failed");
    g_autoptr(GError) unknown = NULL;
    g_autoptr(GVariant) about =
        folio_client_get_job(follow->invocation->client, follow->job, &unknown);

    if (about != NULL && (!failed || folio_job_report_is_known(about)))
        print_report(follow->invocation, follow->job, about);
    fflush(stdout); /* before what goes wrong is told of */
    if (failed) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                    "job %u failed after %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " blocks: %s",
                    follow->job, job->done, job->total, job->error);
        return FOLIO_EXIT_FAILED;
    }
    if (about == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                    "job %u: %s, %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                    " blocks; what became of them is not known: %s",
                    follow->job, job->state, job->done, job->total, unknown->message);
        return FOLIO_EXIT_FAILED;
    }
    if (g_str_equal(job->state, "cancelled"))
        return FOLIO_EXIT_CANCELLED;
    return folio_job_report_has_left(about) ? FOLIO_EXIT_LEFT : FOLIO_EXIT_OK;
}

static FolioExitStatus
print_result(const Follow *follow, GError **error)
{
    if (!follow->left && has_ended(follow))
        return print_end(follow, error);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "job %u %s", follow->job,
                follow->left ? "goes on; folioctl monitor follows it"
                             : "is not known to have ended: foliod has");
    return FOLIO_EXIT_FAILED;
}

FolioExitStatus
folio_follow_job(const FolioInvocation *invocation, const char *path, const char *method,
                 GVariant *arguments, GError **error)
{
    static const FolioSignalEvents events = { .job = on_job, .ended = on_foliod_ended };
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GHashTable) jobs = g_hash_table_new_full(NULL, NULL, NULL, job_free);
    g_autoptr(GVariant) held = g_variant_ref_sink(arguments);
    g_autoptr(FolioSignals) signals = NULL;
    g_autoptr(GVariant) reply = NULL;
    Follow follow = { .invocation = invocation,
                      .loop = loop,
                      .jobs = jobs,
                      .shows = !invocation->json && isatty(STDERR_FILENO) };

    /* First, so that no end is missed. */
    signals = folio_signals_new(invocation->client, &events, &follow, error);
    if (signals == NULL)
        return FOLIO_EXIT_FAILED;
    reply =
        folio_client_call(invocation->client, path, FOLIO_CLIENT_GUEST, method, held, "(u)", error);
    if (reply == NULL)
        return FOLIO_EXIT_FAILED;
    g_variant_get(reply, "(u)", &follow.job);
    wait_for_end(&follow);
    return print_result(&follow, error);
}
