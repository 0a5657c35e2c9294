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
#include <glib/gstdio.h>

struct _FolioRunState {
    char *path;
    gboolean paused;
    GHashTable *modes; /* uuid -> FolioMode as a pointer */
};

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
    FolioRunState *state = g_new0(FolioRunState, 1);

    state->path = g_build_filename(directory, "administrator", NULL);
    state->modes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    load(state);
    return state;
}

void
folio_run_state_free(FolioRunState *state)
{
    g_hash_table_unref(state->modes);
    g_free(state->path);
    g_free(state);
}

static gboolean
save(FolioRunState *state, GError **error)
{
    g_autoptr(GString) text = g_string_new("[Host]\n");
    g_autofree char *directory = g_path_get_dirname(state->path);
    g_autoptr(GError) local = NULL;
    GHashTableIter iter;
    gpointer uuid, mode;

    g_string_append_printf(text, "Paused=%s\n[Modes]\n", state->paused ? "true" : "false");
    g_hash_table_iter_init(&iter, state->modes);
    while (g_hash_table_iter_next(&iter, &uuid, &mode))
        g_string_append_printf(text, "%s=%s\n", (const char *) uuid,
                               folio_mode_to_string((FolioMode) GPOINTER_TO_INT(mode)));
    if (g_mkdir_with_parents(directory, 0700) != 0) {
        folio_set_error_errno(error, errno, "%s", directory);
        return FALSE;
    }
    if (g_file_set_contents_full(state->path, text->str, (gssize) text->len,
                                 G_FILE_SET_CONTENTS_CONSISTENT, 0600, &local))
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s", local->message);
    return FALSE;
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

gboolean
folio_run_state_set_paused(FolioRunState *state, gboolean paused, GError **error)
{
    const gboolean before = state->paused;

    state->paused = paused;
    if (save(state, error))
        return TRUE;
    state->paused = before;
    return FALSE;
}

static void
put_mode(FolioRunState *state, const char *uuid, const FolioMode *mode)
{
    if (mode != NULL)
        g_hash_table_replace(state->modes, g_strdup(uuid), GINT_TO_POINTER(*mode));
    else
        g_hash_table_remove(state->modes, uuid);
}

gboolean
folio_run_state_set_mode(FolioRunState *state, const char *uuid, const FolioMode *mode,
                         GError **error)
{
    FolioMode before;
    const gboolean had = folio_run_state_get_mode(state, uuid, &before);

    if (mode != NULL && !had && g_hash_table_size(state->modes) >= FOLIO_RUN_STATE_MODES_MAX) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY,
                    "modes are set of %d guests already: take some back first",
                    FOLIO_RUN_STATE_MODES_MAX);
        return FALSE;
    }
    put_mode(state, uuid, mode);
    if (save(state, error))
        return TRUE;
    put_mode(state, uuid, had ? &before : NULL);
    return FALSE;
}
