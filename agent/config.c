/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration: the order in which the files have their say. */
#include "config.h"

#include "config-guests.h"
#include "config-keys.h"

#include <gio/gio.h>

#define MAIN_FILE   "foliod.conf"
#define DROP_IN_DIR "foliod.conf.d"

FolioConfig *
folio_config_copy(const FolioConfig *config)
{
    FolioConfig *copy = g_memdup2(config, sizeof *config);

    copy->connect = g_strdup(config->connect);
    copy->run_directory = g_strdup(config->run_directory);
    copy->files = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < config->files->len; i++)
        g_ptr_array_add(copy->files, g_strdup(g_ptr_array_index(config->files, i)));
    copy->guest_hints = g_hash_table_ref(config->guest_hints);
    copy->acting.actuators = g_strdupv(config->acting.actuators);
    return copy;
}

void
folio_config_free(FolioConfig *config)
{
    if (config == NULL)
        return;
    g_free(config->connect);
    g_free(config->run_directory);
    g_ptr_array_unref(config->files);
    g_hash_table_unref(config->guest_hints);
    g_strfreev(config->acting.actuators);
    g_free(config);
}

gboolean
folio_sampling_config_equal(const FolioSamplingConfig *a, const FolioSamplingConfig *b)
{
    gboolean same_event = a->minor_faults == b->minor_faults && a->event_type == b->event_type &&
                          a->event_config == b->event_config;

    return a->source == b->source && a->sample_by == b->sample_by && same_event &&
           a->epoch_msec == b->epoch_msec && a->cpu_share <= b->cpu_share &&
           a->cpu_share >= b->cpu_share;
}

/* Puts what the file says on top of *config, or, with any error in it, nothing of it. */
static void
apply_file(FolioConfig **config, const char *path, GPtrArray *errors)
{
    g_autoptr(FolioConfig) next = NULL;
    g_autoptr(GPtrArray) entries = NULL;
    g_autofree char *text = NULL;
    guint errors_before = errors->len;
    gsize length = 0;

    if (folio_config_file_read(path, &text, &length, errors) != FOLIO_CONFIG_FILE_TEXT)
        return;
    entries = folio_config_file_parse(path, text, length, errors);
    next = folio_config_copy(*config);
    for (guint i = 0; i < entries->len; i++) {
        const FolioConfigEntry *entry = g_ptr_array_index(entries, i);

        if (folio_config_error_flood(errors, errors_before, path, entry->line))
            break;
        folio_config_apply_entry(next, path, entry, errors);
    }
    if (errors->len > errors_before)
        return;
    g_ptr_array_add(next->files, g_strdup(path));
    folio_config_free(*config);
    *config = g_steal_pointer(&next);
}

static FolioConfig *
config_new_default(void)
{
    FolioConfig *config = g_new0(FolioConfig, 1);

    config->files = g_ptr_array_new_with_free_func(g_free);
    config->guest_hints = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    folio_config_set_defaults(config);
    return config;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

FolioConfig *
folio_config_load(const char *vendor_dir, const char *conf_dir, GPtrArray *errors)
{
    FolioConfig *config = config_new_default();
    g_autofree char *vendor_main = g_build_filename(vendor_dir, MAIN_FILE, NULL);
    g_autofree char *vendor_drop_ins = g_build_filename(vendor_dir, DROP_IN_DIR, NULL);
    g_autofree char *own_main = g_build_filename(conf_dir, MAIN_FILE, NULL);
    g_autofree char *own_drop_ins = g_build_filename(conf_dir, DROP_IN_DIR, NULL);
    g_autoptr(GHashTable) drop_ins = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GList) names = NULL;

    if (folio_config_may_exist(own_main))
        apply_file(&config, own_main, errors);
    else if (folio_config_may_exist(vendor_main))
        apply_file(&config, vendor_main, errors);

    folio_config_list_drop_ins(vendor_drop_ins, drop_ins, errors);
    folio_config_list_drop_ins(own_drop_ins, drop_ins, errors);
    names = g_list_sort(g_hash_table_get_keys(drop_ins), compare_names);
    for (GList *name = names; name != NULL; name = name->next)
        apply_file(&config, g_hash_table_lookup(drop_ins, name->data), errors);
    folio_config_load_guests(config, conf_dir, errors);
    return config;
}

static void
config_error_free(gpointer data)
{
    FolioConfigError *error = data;

    g_free(error->file);
    g_free(error->key);
    g_free(error->text);
    g_free(error);
}

GPtrArray *
folio_config_errors_new(void)
{
    return g_ptr_array_new_with_free_func(config_error_free);
}

char **
folio_config_errors_to_strv(const GPtrArray *errors)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (guint i = 0; i < errors->len; i++) {
        const FolioConfigError *error = g_ptr_array_index(errors, i);

        g_strv_builder_add(builder, error->text);
    }
    return g_strv_builder_end(builder);
}

char *
folio_config_dup_run_directory(const FolioConfig *config, const char *uri)
{
    g_autoptr(GUri) parsed = NULL;
    g_autoptr(GHashTable) parameters = NULL;
    const char *root = NULL;

    if (*config->run_directory != '\0')
        return g_strdup(config->run_directory);

    parsed = g_uri_parse(uri, G_URI_FLAGS_NONE, NULL);
    if (parsed != NULL && g_uri_get_query(parsed) != NULL)
        parameters = g_uri_parse_params(g_uri_get_query(parsed), -1, "&", G_URI_PARAMS_NONE, NULL);
    if (parameters != NULL)
        root = g_hash_table_lookup(parameters, "root");
    /* libvirt: virQEMUDriverConfigNew, src/qemu/qemu_conf.c */
    if (root != NULL)
        return g_build_filename(root, "run", "qemu", NULL);
    if (parsed != NULL && g_str_equal(g_uri_get_path(parsed), "/session"))
        return g_build_filename(g_get_user_runtime_dir(), "libvirt", "qemu", "run", NULL);
    return g_strdup("/run/libvirt/qemu");
}
