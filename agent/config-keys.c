/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys of the configuration: what each means, and what values it takes. */
#include "config-keys.h"

#include <gio/gio.h>

/* What a hint may ask for at most: one below observe would be no hint at all. */
static const char *const ceiling_tokens[] = { "observe", "split", "collapse", "adaptive", NULL };

static const char *const yes_no_tokens[] = { "no", "yes", NULL };

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

/* The names of actuators (FolioWayClass), in the order of choice unless another is wanted. */
static const char *const actuator_tokens[] = { "damon", "debugfs-split", "madvise-collapse", NULL };

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

/* What is said of all guests is said as of one. */
static char *
set_guest_default(FolioConfig *config, FolioHint hint, const char *value)
{
    g_autofree char *excerpt = folio_config_excerpt(value);

    if (folio_hints_read(&config->guest_defaults, hint, value))
        return NULL;
    return g_strdup_printf("\"%s\" is not allowed; allowed are %s", excerpt,
                           folio_hint_allowed(hint));
}

static char *
set_hint_ceiling(FolioConfig *config, const char *value)
{
    if (find_token(ceiling_tokens, value) < 0 ||
        !folio_mode_parse(value, &config->hint_ceiling, NULL))
        return not_allowed(value, ceiling_tokens);
    return NULL;
}

static char *
set_yes_no(gboolean *yes, const char *value)
{
    int found = find_token(yes_no_tokens, value);

    if (found < 0)
        return not_allowed(value, yes_no_tokens);
    *yes = found > 0;
    return NULL;
}

static char *
set_status_metadata(FolioConfig *config, const char *value)
{
    return set_yes_no(&config->status_metadata, value);
}

static char *
set_heat_in_metadata(FolioConfig *config, const char *value)
{
    return set_yes_no(&config->heat_in_metadata, value);
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
set_share(double *share, const char *value)
{
    g_autofree char *excerpt = folio_config_excerpt(value);
    double percent;

    if (!parse_decimal(value, "%", 0.01, 100, &percent))
        return g_strdup_printf("\"%s\" is no share of one core; allowed are 0.01%% to 100%%",
                               excerpt);
    *share = percent / 100;
    return NULL;
}

static char *
set_cpu_share(FolioConfig *config, const char *value)
{
    return set_share(&config->sampling.cpu_share, value);
}

static char *
set_act_share(FolioConfig *config, const char *value)
{
    return set_share(&config->acting.act_share, value);
}

/* As the rate of one guest. */
static char *
set_host_max_rate(FolioConfig *config, const char *value)
{
    g_autofree char *excerpt = folio_config_excerpt(value);
    FolioHints rate = { 0 };

    if (!folio_hints_read(&rate, FOLIO_HINT_MAX_RATE, value))
        return g_strdup_printf("\"%s\" is not allowed; allowed are %s", excerpt,
                               folio_hint_allowed(FOLIO_HINT_MAX_RATE));
    config->acting.host_max_rate = rate.max_rate;
    return NULL;
}

static char *
set_max_tracked_split(FolioConfig *config, const char *value)
{
    g_autofree char *excerpt = folio_config_excerpt(value);
    guint64 number;

    if (!g_ascii_string_to_unsigned(value, 10, 0, FOLIO_MAX_TRACKED_SPLIT, &number, NULL))
        return g_strdup_printf("\"%s\" is no number of blocks; allowed are 0 to %u", excerpt,
                               FOLIO_MAX_TRACKED_SPLIT);
    config->acting.max_tracked_split = (guint) number;
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

static char *
set_inject(FolioConfig *config, const char *value)
{
    return set_yes_no(&config->acting.inject, value);
}

static char *
set_restore_on_stop(FolioConfig *config, const char *value)
{
    return set_yes_no(&config->acting.restore_on_stop, value);
}

static char *
set_actuators(FolioConfig *config, const char *value)
{
    g_autoptr(GStrvBuilder) chosen = g_strv_builder_new();
    g_auto(GStrv) words = g_strsplit_set(value, " \t", -1);
    guint seen = 0;

    for (char **word = words; *word != NULL; word++) {
        int found = find_token(actuator_tokens, *word);

        if (**word == '\0')
            continue;
        if (found < 0)
            return not_allowed(*word, actuator_tokens);
        if ((seen & 1u << found) != 0)
            return g_strdup_printf("\"%s\" comes twice", *word);
        seen |= 1u << found;
        g_strv_builder_add(chosen, *word);
    }
    g_strfreev(config->acting.actuators);
    config->acting.actuators = g_strv_builder_end(chosen);
    return NULL;
}

/* data/foliod.conf says the same to people. A value that is empty stands for the fallback. */
typedef struct {
    const char *group;
    const char *key;
    char *(*set)(FolioConfig *config, const char *value); /* NULL: of guest_defaults */
    const char *fallback;
    FolioHint hint; /* which of them */
} Key;

static const Key keys[] = {
    { "Libvirt", "Connect", set_connect, "qemu:///system" },
    { "Libvirt", "RunDirectory", set_run_directory, "" },
    { "Guests", "Mode", NULL, "observe", FOLIO_HINT_MODE },
    { "Guests", "SplitOrder", NULL, "0", FOLIO_HINT_SPLIT_ORDER },
    { "Guests", "SparseBelow", NULL, "512", FOLIO_HINT_SPARSE_BELOW },
    { "Guests", "MaxRate", NULL, "256M", FOLIO_HINT_MAX_RATE },
    { "Guests", "Khugepaged", NULL, "auto", FOLIO_HINT_KHUGEPAGED },
    { "Guests", "HintCeiling", set_hint_ceiling, "adaptive" },
    { "Guests", "StatusMetadata", set_status_metadata, "no" },
    { "Guests", "HeatInMetadata", set_heat_in_metadata, "no" },
    { "Guests", "Scan", set_scan, "auto" },
    { "Sampling", "Source", set_source, "auto" },
    { "Sampling", "PerfEvent", set_perf_event, "minor-faults" },
    { "Sampling", "SampleBy", set_sample_by, "auto" },
    { "Sampling", "CpuShare", set_cpu_share, "1%" },
    { "Sampling", "EpochSeconds", set_epoch_seconds, "5" },
    { "Acting", "Actuators", set_actuators, "damon debugfs-split madvise-collapse" },
    { "Acting", "Inject", set_inject, "yes" },
    { "Acting", "RestoreOnStop", set_restore_on_stop, "no" },
    { "Acting", "HostMaxRate", set_host_max_rate, "1G" },
    { "Acting", "ActShare", set_act_share, "5%" },
    { "Acting", "MaxTrackedSplit", set_max_tracked_split, "65536" },
};

static char *
set_value(FolioConfig *config, const Key *key, const char *value)
{
    return key->set != NULL ? key->set(config, value) : set_guest_default(config, key->hint, value);
}

void
folio_config_set_defaults(FolioConfig *config)
{
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        g_free(set_value(config, &keys[i], keys[i].fallback));
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

static void
apply_key(FolioConfig *config, const char *path, const FolioConfigEntry *entry, GPtrArray *errors)
{
    g_autofree char *known = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *problem = NULL;

        if (!g_str_equal(keys[i].group, entry->group) || !g_str_equal(keys[i].key, entry->key))
            continue;
        problem =
            set_value(config, &keys[i], *entry->value != '\0' ? entry->value : keys[i].fallback);
        if (problem != NULL)
            folio_config_error_add(errors, path, entry->line, entry->key, "%s", problem);
        return;
    }
    known = list_known(entry->group);
    folio_config_error_add(errors, path, entry->line, entry->key,
                           "unknown key; those of [%s] are %s", entry->group, known);
}

void
folio_config_apply_entry(FolioConfig *config, const char *path, const FolioConfigEntry *entry,
                         GPtrArray *errors)
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
