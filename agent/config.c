/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration: what the keys mean, and the order in which the files have their say. */
#include "config.h"

#include "config-file.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

#define MAIN_FILE   "foliod.conf"
#define DROP_IN_DIR "foliod.conf.d"

/* Those of this version; modes that act are refused in words of their own. */
static const char *const mode_tokens[] = { "off", "observe", NULL };

static const char *const scan_tokens[] = {
    [FOLIO_SCAN_AUTO] = "auto",
    [FOLIO_SCAN_PAGEMAP] = "pagemap-scan",
    [FOLIO_SCAN_SMAPS] = "smaps",
    NULL,
};

static const char *const source_tokens[] = {
    [FOLIO_SOURCE_AUTO] = "auto",
    [FOLIO_SOURCE_SPE] = "spe",
    [FOLIO_SOURCE_PERF] = "perf",
    [FOLIO_SOURCE_NONE] = "none",
    NULL,
};

static const char *const sample_by_tokens[] = {
    [FOLIO_SAMPLE_BY_AUTO] = "auto",
    [FOLIO_SAMPLE_BY_PROCESS] = "process",
    [FOLIO_SAMPLE_BY_HOST] = "host",
    NULL,
};

FolioConfig *
folio_config_copy(const FolioConfig *config)
{
    FolioConfig *copy = g_memdup2(config, sizeof *config);

    copy->connect = g_strdup(config->connect);
    copy->run_directory = g_strdup(config->run_directory);
    copy->files = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < config->files->len; i++)
        g_ptr_array_add(copy->files, g_strdup(g_ptr_array_index(config->files, i)));
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
    g_free(config);
}

/* The place of word in tokens, or -1. */
static int
find_token(const char *const *tokens, const char *word)
{
    for (int i = 0; tokens[i] != NULL; i++) {
        if (g_str_equal(tokens[i], word))
            return i;
    }
    return -1;
}

/* The keys. Each setter returns NULL, or what is wrong with the value. */

static char *
not_allowed(const char *value, const char *const *allowed)
{
    g_autofree char *excerpt = folio_config_excerpt(value);
    g_autofree char *list = g_strjoinv(", ", (char **) allowed);

    return g_strdup_printf("\"%s\" is not allowed; allowed are %s", excerpt, list);
}

static gboolean
has_control_character(const char *value)
{
    for (const char *p = value; *p != '\0'; p = g_utf8_next_char(p)) {
        if (g_unichar_iscntrl(g_utf8_get_char(p)))
            return TRUE;
    }
    return FALSE;
}

static gboolean
has_space(const char *value)
{
    return value[strcspn(value, " \t\r\n\v\f")] != '\0';
}

static char *
set_connect(FolioConfig *config, const char *value)
{
    g_autofree char *excerpt = folio_config_excerpt(value);
    g_autoptr(GError) error = NULL;
    g_autoptr(GUri) uri = NULL;
    const char *host;

    if (has_control_character(value) || has_space(value))
        return g_strdup_printf("\"%s\" holds a space or a control character", excerpt);
    uri = g_uri_parse(value, G_URI_FLAGS_NONE, &error);
    if (uri == NULL)
        return g_strdup_printf("\"%s\" is no libvirt URI (%s); wanted is one such as "
                               "qemu:///system",
                               excerpt, error->message);
    host = g_uri_get_host(uri);
    if (host != NULL && *host != '\0' && !g_str_equal(host, "localhost"))
        return g_strdup_printf("\"%s\" names another host; foliod serves the guests of the host "
                               "that it runs on",
                               excerpt);
    g_free(config->connect);
    config->connect = g_strdup(value);
    return NULL;
}

static char *
set_run_directory(FolioConfig *config, const char *value)
{
    g_autofree char *excerpt = folio_config_excerpt(value);

    if (has_control_character(value))
        return g_strdup_printf("\"%s\" holds a control character", excerpt);
    if (*value != '\0' && !g_path_is_absolute(value))
        return g_strdup_printf("\"%s\" is no absolute path; wanted is one such as "
                               "/run/libvirt/qemu",
                               excerpt);
    g_free(config->run_directory);
    config->run_directory = g_strdup(value);
    return NULL;
}

static char *
set_mode(FolioConfig *config, const char *value)
{
    FolioMode mode;

    if (!folio_mode_parse(value, &mode, NULL))
        return not_allowed(value, mode_tokens);
    if (!g_strv_contains(mode_tokens, value))
        return g_strdup_printf("\"%s\": this version measures only (off, observe)", value);
    config->mode = mode;
    return NULL;
}

static char *
set_scan(FolioConfig *config, const char *value)
{
    int found = find_token(scan_tokens, value);

    if (found < 0)
        return not_allowed(value, scan_tokens);
    config->scan = (FolioScan) found;
    return NULL;
}

static char *
set_source(FolioConfig *config, const char *value)
{
    int found = find_token(source_tokens, value);

    if (found < 0)
        return not_allowed(value, source_tokens);
    config->sampling.source = (FolioSourceChoice) found;
    return NULL;
}

static char *
set_sample_by(FolioConfig *config, const char *value)
{
    int found = find_token(sample_by_tokens, value);

    if (found < 0)
        return not_allowed(value, sample_by_tokens);
    config->sampling.sample_by = (FolioSampleBy) found;
    return NULL;
}

/* A number with an optional 0x in front, and nothing else. */
static gboolean
parse_number(const char *text, guint64 max, guint64 *number)
{
    gboolean hex = g_str_has_prefix(text, "0x");

    return g_ascii_string_to_unsigned(hex ? text + 2 : text, hex ? 16 : 10, 0, max, number, NULL);
}

static char *
set_perf_event(FolioConfig *config, const char *value)
{
    g_autofree char *excerpt = folio_config_excerpt(value);
    g_auto(GStrv) parts = g_strsplit(value, ":", 2);
    guint64 type, event;

    config->sampling.minor_faults = g_str_equal(value, "minor-faults");
    if (config->sampling.minor_faults)
        return NULL;
    if (g_strv_length(parts) != 2 || !parse_number(parts[0], G_MAXUINT32, &type) ||
        !parse_number(parts[1], G_MAXUINT64, &event))
        return g_strdup_printf(
            "\"%s\" is neither minor-faults nor TYPE:CONFIG, two numbers such as "
            "11:0x100",
            excerpt);
    config->sampling.event_type = (guint32) type;
    config->sampling.event_config = event;
    return NULL;
}

/* A decimal number with that unit behind it. */
static gboolean
parse_decimal(const char *value, const char *unit, double min, double max, double *number)
{
    char *end = NULL;

    *number = g_ascii_strtod(value, &end);
    return g_ascii_isdigit(*value) && g_str_equal(end, unit) && *number >= min && *number <= max;
}

static char *
set_cpu_share(FolioConfig *config, const char *value)
{
    g_autofree char *excerpt = folio_config_excerpt(value);
    double percent;

    if (!parse_decimal(value, "%", 0.01, 100, &percent))
        return g_strdup_printf("\"%s\" is no share of one core; allowed are 0.01%% to 100%%",
                               excerpt);
    config->sampling.cpu_share = percent / 100;
    return NULL;
}

static char *
set_epoch_seconds(FolioConfig *config, const char *value)
{
    g_autofree char *excerpt = folio_config_excerpt(value);
    double seconds;

    if (!parse_decimal(value, "", 0.1, 600, &seconds))
        return g_strdup_printf("\"%s\" is no time in seconds; allowed are 0.1 to 600", excerpt);
    config->sampling.epoch_msec = (guint) (seconds * 1000 + 0.5);
    return NULL;
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

/* data/foliod.conf says the same to people. A value that is empty stands for the fallback. */
static const struct {
    const char *group;
    const char *key;
    char *(*set)(FolioConfig *config, const char *value);
    const char *fallback;
} keys[] = {
    { "Libvirt", "Connect", set_connect, "qemu:///system" },
    { "Libvirt", "RunDirectory", set_run_directory, "" },
    { "Guests", "Mode", set_mode, "observe" },
    { "Guests", "Scan", set_scan, "auto" },
    { "Sampling", "Source", set_source, "auto" },
    { "Sampling", "PerfEvent", set_perf_event, "minor-faults" },
    { "Sampling", "SampleBy", set_sample_by, "auto" },
    { "Sampling", "CpuShare", set_cpu_share, "1%" },
    { "Sampling", "EpochSeconds", set_epoch_seconds, "5" },
};

static FolioConfig *
config_new_default(void)
{
    FolioConfig *config = g_new0(FolioConfig, 1);

    config->files = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        g_free(keys[i].set(config, keys[i].fallback));
    return config;
}

static gboolean
is_known_group(const char *group)
{
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (g_str_equal(keys[i].group, group))
            return TRUE;
    }
    return FALSE;
}

/* The names of all groups, or of the keys of one, for an error message. */
static char *
list_known(const char *group)
{
    g_autoptr(GString) list = g_string_new(NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        gboolean first_of_group = i == 0 || !g_str_equal(keys[i].group, keys[i - 1].group);

        if (group == NULL && first_of_group)
            g_string_append_printf(list, "%s[%s]", list->len > 0 ? ", " : "", keys[i].group);
        if (group != NULL && g_str_equal(keys[i].group, group))
            g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "", keys[i].key);
    }
    return g_string_free(g_steal_pointer(&list), FALSE);
}

/* Files. */

static void
apply_key(FolioConfig *config, const char *path, const FolioConfigEntry *entry, GPtrArray *errors)
{
    g_autofree char *known = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *problem = NULL;

        if (!g_str_equal(keys[i].group, entry->group) || !g_str_equal(keys[i].key, entry->key))
            continue;
        problem = keys[i].set(config, *entry->value != '\0' ? entry->value : keys[i].fallback);
        if (problem != NULL)
            folio_config_error_add(errors, path, entry->line, entry->key, "%s", problem);
        return;
    }
    known = list_known(entry->group);
    folio_config_error_add(errors, path, entry->line, entry->key,
                           "unknown key; those of [%s] are %s", entry->group, known);
}

static void
apply_entry(FolioConfig *config, const char *path, const FolioConfigEntry *entry, GPtrArray *errors)
{
    g_autofree char *known = NULL;
    g_autofree char *excerpt = NULL;

    if (is_known_group(entry->group)) {
        if (entry->key != NULL && entry->value != NULL)
            apply_key(config, path, entry, errors);
        return;
    }
    /* Its keys mean nothing either; one error says it. */
    if (entry->key != NULL)
        return;
    known = list_known(NULL);
    excerpt = folio_config_excerpt(entry->group);
    folio_config_error_add(errors, path, entry->line, NULL, "unknown group [%s]; known are %s",
                           excerpt, known);
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
        apply_entry(next, path, entry, errors);
    }
    if (errors->len > errors_before)
        return;
    g_ptr_array_add(next->files, g_strdup(path));
    folio_config_free(*config);
    *config = g_steal_pointer(&next);
}

/* TRUE unless there is certainly nothing at path: what cannot be looked at is to be an error. */
static gboolean
may_exist(const char *path)
{
    GStatBuf info;

    return g_lstat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* A drop-in's name ends in .conf and does not start with a dot, so backup files are none. */
static gboolean
is_drop_in(const char *name)
{
    return name[0] != '.' && g_str_has_suffix(name, ".conf");
}

/* Notes the drop-ins of a directory, name -> path; a name that was there before is replaced. */
static void
list_drop_ins(const char *base_dir, GHashTable *drop_ins, GPtrArray *errors)
{
    g_autofree char *path = g_build_filename(base_dir, DROP_IN_DIR, NULL);
    g_autofree char *problem = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = NULL;
    const char *name;
    GStatBuf info;

    if (!may_exist(path))
        return;
    dir = g_dir_open(path, 0, &error);
    if (dir == NULL || g_stat(path, &info) != 0) {
        folio_config_error_add(errors, path, 0, NULL, "%s",
                               error != NULL ? error->message : g_strerror(errno));
        return;
    }
    if (!folio_config_file_is_trusted(path, info.st_uid, info.st_mode, &problem)) {
        folio_config_error_add(errors, path, 0, NULL, "%s", problem);
        return;
    }
    while ((name = g_dir_read_name(dir)) != NULL) {
        if (is_drop_in(name))
            g_hash_table_insert(drop_ins, g_strdup(name), g_build_filename(path, name, NULL));
    }
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
    g_autofree char *own_main = g_build_filename(conf_dir, MAIN_FILE, NULL);
    g_autoptr(GHashTable) drop_ins = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GList) names = NULL;

    if (may_exist(own_main))
        apply_file(&config, own_main, errors);
    else if (may_exist(vendor_main))
        apply_file(&config, vendor_main, errors);

    list_drop_ins(vendor_dir, drop_ins, errors);
    list_drop_ins(conf_dir, drop_ins, errors);
    names = g_list_sort(g_hash_table_get_keys(drop_ins), compare_names);
    for (GList *name = names; name != NULL; name = name->next)
        apply_file(&config, g_hash_table_lookup(drop_ins, name->data), errors);
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
