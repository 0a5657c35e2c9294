/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the administrator says of single guests. */
#include "config-guests.h"

#include "config-file.h"

#define GUESTS_DIR "guests.d"
#define SUFFIX     ".conf"
#define GROUP      "Guest"

static gboolean
find_key(const char *key, FolioHint *hint)
{
    for (guint i = 0; i < FOLIO_N_HINTS; i++) {
        if (g_str_equal(folio_hint_key((FolioHint) i), key)) {
            *hint = (FolioHint) i;
            return TRUE;
        }
    }
    return FALSE;
}

/* A key without a value says nothing, as in foliod.conf. */
static void
apply_key(FolioHints *hints, const char *path, const FolioConfigEntry *entry, GPtrArray *errors)
{
    FolioHint hint;

    if (!find_key(entry->key, &hint)) {
        g_autofree char *keys = folio_hint_list(folio_hint_key);

        folio_config_error_add(errors, path, entry->line, entry->key,
                               "unknown key; those of [" GROUP "] are %s", keys);
    } else if (*entry->value != '\0' && !folio_hints_read(hints, hint, entry->value)) {
        g_autofree char *excerpt = folio_config_excerpt(entry->value);

        folio_config_error_add(errors, path, entry->line, entry->key,
                               "\"%s\" is not allowed; allowed are %s", excerpt,
                               folio_hint_allowed(hint));
    }
}

static void
apply_entry(FolioHints *hints, const char *path, const FolioConfigEntry *entry, GPtrArray *errors)
{
    g_autofree char *excerpt = NULL;

    if (g_str_equal(entry->group, GROUP)) {
        if (entry->key != NULL && entry->value != NULL)
            apply_key(hints, path, entry, errors);
    } else if (entry->key == NULL) { /* its keys mean nothing either; one error says it */
        excerpt = folio_config_excerpt(entry->group);
        folio_config_error_add(errors, path, entry->line, NULL,
                               "unknown group [%s]; known is [" GROUP "]", excerpt);
    }
}

/* The uuid that a file is named by, in lower case; NULL: it is named by none. */
static char *
uuid_of(const char *name)
{
    g_autofree char *uuid = g_ascii_strdown(name, (gssize) (strlen(name) - strlen(SUFFIX)));

    return g_uuid_string_is_valid(uuid) ? g_steal_pointer(&uuid) : NULL;
}

static void
load_file(FolioConfig *config, const char *name, const char *path, GPtrArray *errors)
{
    g_autofree char *uuid = uuid_of(name);
    g_autoptr(GPtrArray) entries = NULL;
    g_autofree char *text = NULL;
    guint errors_before = errors->len;
    FolioHints hints = { 0 };
    gsize length = 0;

    if (uuid == NULL)
        folio_config_error_add(errors, path, 0, NULL, "is not named UUID" SUFFIX " by a guest");
    else if (g_hash_table_contains(config->guest_hints, uuid))
        folio_config_error_add(errors, path, 0, NULL, "is the second file of this guest");
    if (errors->len > errors_before ||
        folio_config_file_read(path, &text, &length, errors) != FOLIO_CONFIG_FILE_TEXT)
        return;
    entries = folio_config_file_parse(path, text, length, errors);
    for (guint i = 0; i < entries->len; i++) {
        const FolioConfigEntry *entry = g_ptr_array_index(entries, i);

        if (folio_config_error_flood(errors, errors_before, path, entry->line))
            break;
        apply_entry(&hints, path, entry, errors);
    }
    if (errors->len > errors_before)
        return;
    g_ptr_array_add(config->files, g_strdup(path));
    g_hash_table_insert(config->guest_hints, g_steal_pointer(&uuid),
                        g_memdup2(&hints, sizeof hints));
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

void
folio_config_load_guests(FolioConfig *config, const char *conf_dir, GPtrArray *errors)
{
    g_autofree char *dir = g_build_filename(conf_dir, GUESTS_DIR, NULL);
    g_autoptr(GHashTable) files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GList) names = NULL;

    folio_config_list_drop_ins(dir, files, errors);
    names = g_list_sort(g_hash_table_get_keys(files), compare_names);
    for (GList *name = names; name != NULL; name = name->next)
        load_file(config, name->data, g_hash_table_lookup(files, name->data), errors);
}
