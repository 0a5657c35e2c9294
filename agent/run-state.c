/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file DIRECTORY/administrator:
 *
 *     [Host]
 *     Paused=true
 *     [Modes]
 *     UUID=MODE */
#include "run-state.h"

#include "base/error.h"
#include "base/log.h"
#include "config-file.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>

/* As it is written down, but for the time of a change. */
struct _FolioRunState {
    char *path;
    gboolean paused;
    GHashTable *modes; /* uuid -> FolioMode as a pointer */
    GQueue changes;    /* Change, the first of which is being written */
};

/* What is to be another. */
typedef struct {
    char *uuid; /* the guest whose mode it is; NULL: the pause */
    gboolean paused;
    gboolean has_mode; /* FALSE: none is set any more */
    FolioMode mode;
    FolioRunStateDone done;
    gpointer user_data;
} Change;

static void begin_next(FolioRunState *state);

/* NULL, or what is wrong with the line. */
static const char *
take_entry(FolioRunState *state, const FolioConfigEntry *entry)
{
    FolioMode mode;

    if (entry->key == NULL)
        return g_str_equal(entry->group, "Host") || g_str_equal(entry->group, "Modes")
                   ? NULL
                   : "unknown group";
    if (g_str_equal(entry->group, "Host")) {
        if (!g_str_equal(entry->key, "Paused"))
            return "unknown key";
        state->paused = g_str_equal(entry->value, "true");
        return state->paused || g_str_equal(entry->value, "false") ? NULL : "not true or false";
    }
    if (!g_uuid_string_is_valid(entry->key))
        return "not a UUID";
    if (!folio_mode_parse(entry->value, &mode, NULL))
        return "no mode";
    g_hash_table_replace(state->modes, g_ascii_strdown(entry->key, -1), GINT_TO_POINTER(mode));
    return NULL;
}

static void
parse(FolioRunState *state, const char *text, gsize length, GPtrArray *errors)
{
    g_autoptr(GPtrArray) entries = folio_config_file_parse(state->path, text, length, errors);

    for (guint i = 0; errors->len == 0 && i < entries->len; i++) {
        const FolioConfigEntry *entry = entries->pdata[i];
        const char *wrong = take_entry(state, entry);

        if (wrong != NULL)
            folio_config_error_add(errors, state->path, entry->line, entry->key, "%s", wrong);
    }
}

static void
load(FolioRunState *state)
{
    g_autoptr(GPtrArray) errors = folio_config_errors_new();
    g_autofree char *text = NULL;
    gsize length = 0;

    if (g_access(state->path, F_OK) != 0 && errno == ENOENT)
        return;
    if (folio_config_file_read(state->path, &text, &length, errors) == FOLIO_CONFIG_FILE_TEXT)
        parse(state, text, length, errors);
    if (errors->len == 0)
        return;
    for (guint i = 0; i < errors->len; i++)
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_PAUSE, NULL, NULL,
                  "paused, since what an administrator has set cannot be told: %s",
                  ((const FolioConfigError *) errors->pdata[i])->text);
    g_hash_table_remove_all(state->modes);
    state->paused = TRUE;
}

FolioRunState *
folio_run_state_load(const char *directory)
{
    FolioRunState *state = g_rc_box_new0(FolioRunState);

    g_queue_init(&state->changes);
    state->path = g_build_filename(directory, "administrator", NULL);
    state->modes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    load(state);
    return state;
}

/* Each change that is under way has a reference. */
static void
state_clear(gpointer data)
{
    FolioRunState *state = data;

    g_hash_table_unref(state->modes);
    g_free(state->path);
}

void
folio_run_state_free(FolioRunState *state)
{
    g_rc_box_release_full(state, state_clear);
}

gboolean
folio_run_state_get_paused(const FolioRunState *state)
{
    return state->paused;
}

gboolean
folio_run_state_get_mode(const FolioRunState *state, const char *uuid, FolioMode *mode)
{
    gpointer found;

    if (!g_hash_table_lookup_extended(state->modes, uuid, NULL, &found))
        return FALSE;
    *mode = (FolioMode) GPOINTER_TO_INT(found);
    return TRUE;
}

/* The file as it is to be, and how it went. */
typedef struct {
    FolioRunState *state; /* for the main context only */
    char *path;
    GString *text;
} Writing;

static void
writing_free(gpointer data)
{
    Writing *writing = data;

    g_string_free(writing->text, TRUE);
    g_free(writing->path);
    g_free(writing);
}

static GString *
print(const FolioRunState *state)
{
    GString *text = g_string_new("[Host]\n");
    GHashTableIter iter;
    gpointer uuid, mode;

    g_string_append_printf(text, "Paused=%s\n[Modes]\n", state->paused ? "true" : "false");
    g_hash_table_iter_init(&iter, state->modes);
    while (g_hash_table_iter_next(&iter, &uuid, &mode))
        g_string_append_printf(text, "%s=%s\n", (const char *) uuid,
                               folio_mode_to_string((FolioMode) GPOINTER_TO_INT(mode)));
    return text;
}

static void
write_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    const Writing *writing = task_data;
    g_autofree char *directory = g_path_get_dirname(writing->path);
    g_autoptr(GError) local = NULL;
    GError *error = NULL;

    if (g_mkdir_with_parents(directory, 0700) != 0)
        folio_set_error_errno(&error, errno, "%s", directory);
    else if (!g_file_set_contents_full(writing->path, writing->text->str,
                                       (gssize) writing->text->len, G_FILE_SET_CONTENTS_CONSISTENT,
                                       0600, &local))
        g_set_error(&error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s", local->message);
    if (error != NULL)
        g_task_return_error(task, error);
    else
        g_task_return_boolean(task, TRUE);
}

/* Makes it so, and the change what it would take to make it as it was. */
static void
exchange(FolioRunState *state, Change *change)
{
    const Change wanted = *change;

    if (change->uuid == NULL) {
        change->paused = state->paused;
        state->paused = wanted.paused;
        return;
    }
    change->has_mode = folio_run_state_get_mode(state, change->uuid, &change->mode);
    if (wanted.has_mode)
        g_hash_table_replace(state->modes, g_strdup(change->uuid), GINT_TO_POINTER(wanted.mode));
    else
        g_hash_table_remove(state->modes, change->uuid);
}

/* The first change is over, and the next one begins; not before whoever wanted it has been told. */
static void
end_change(FolioRunState *state, const GError *error)
{
    Change *change = g_queue_peek_head(&state->changes);

    change->done(error, change->user_data);
    g_queue_pop_head(&state->changes);
    g_free(change->uuid);
    g_free(change);
    begin_next(state);
    folio_run_state_free(state);
}

static void
on_written(GObject *source, GAsyncResult *result, gpointer user_data)
{
    const Writing *writing = g_task_get_task_data(G_TASK(result));
    FolioRunState *state = writing->state;
    g_autoptr(GError) error = NULL;

    if (g_task_propagate_boolean(G_TASK(result), &error))
        exchange(state, g_queue_peek_head(&state->changes));
    end_change(state, error);
}

static gboolean
has_room(const FolioRunState *state, const Change *change, GError **error)
{
    if (change->uuid == NULL || !change->has_mode ||
        g_hash_table_contains(state->modes, change->uuid) ||
        g_hash_table_size(state->modes) < FOLIO_RUN_STATE_MODES_MAX)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY,
                "modes are set of %d guests already: take some back first",
                FOLIO_RUN_STATE_MODES_MAX);
    return FALSE;
}

/* With the first of those that wait, if there is any. */
static void
begin_next(FolioRunState *state)
{
    Change *change = g_queue_peek_head(&state->changes);
    g_autoptr(GError) error = NULL;
    g_autoptr(GTask) task = NULL;
    Writing *writing;

    if (change == NULL)
        return;
    if (!has_room(state, change, &error)) {
        end_change(state, error);
        return;
    }
    writing = g_new0(Writing, 1);
    writing->state = state;
    writing->path = g_strdup(state->path);
    exchange(state, change);
    writing->text = print(state);
    exchange(state, change);
    task = g_task_new(NULL, NULL, on_written, NULL);
    g_task_set_task_data(task, writing, writing_free);
    g_task_run_in_thread(task, write_in_thread);
}

/* Takes the change. */
static void
add_change(FolioRunState *state, Change *change)
{
    g_rc_box_acquire(state);
    g_queue_push_tail(&state->changes, change);
    if (state->changes.length == 1)
        begin_next(state);
}

void
folio_run_state_set_paused(FolioRunState *state, gboolean paused, FolioRunStateDone done,
                           gpointer user_data)
{
    Change *change = g_new0(Change, 1);

    change->paused = paused;
    change->done = done;
    change->user_data = user_data;
    add_change(state, change);
}

void
folio_run_state_set_mode(FolioRunState *state, const char *uuid, const FolioMode *mode,
                         FolioRunStateDone done, gpointer user_data)
{
    Change *change = g_new0(Change, 1);

    change->uuid = g_strdup(uuid);
    change->has_mode = mode != NULL;
    if (mode != NULL)
        change->mode = *mode;
    change->done = done;
    change->user_data = user_data;
    add_change(state, change);
}
