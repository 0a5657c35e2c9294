/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SPE units in sysfs: /sys/bus/event_source/devices/arm_spe_N. */
#include "sample/spe-pmu.h"

#include "base/error.h"
#include "base/file-io.h"
#include "sample/cpu-list.h"

#include <fcntl.h>
#include <string.h>

#define DEVICES     "bus/event_source/devices"
#define PMU_PREFIX  "arm_spe_"
#define VALUE_BYTES 4096 /* one page: no sysfs attribute has more */
#define MAX_UNITS   64

/* Of Linux 6.3 and later there is config3, which no setting of ours has ever been in. */
static const char *const config_words[] = { "config", "config1", "config2" };

static gboolean
parse_word(const char *text, guint *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(config_words); i++) {
        if (g_str_equal(text, config_words[i])) {
            *word = i;
            return TRUE;
        }
    }
    return FALSE;
}

gboolean
folio_pmu_format_parse(const char *text, FolioPmuFormat *format, GError **error)
{
    g_autofree char *copy = g_strstrip(g_strdup(text));
    g_auto(GStrv) parts = g_strsplit(copy, ":", 2);
    g_autoptr(GArray) bits = NULL;
    FolioPmuFormat parsed = { 0 };

    if (g_strv_length(parts) == 2 && parse_word(parts[0], &parsed.word))
        bits = folio_cpu_list_parse(parts[1], NULL); /* the syntax is that of lists of CPUs */
    if (bits == NULL || bits->len == 0 || g_array_index(bits, guint, bits->len - 1) > 63) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "\"%.64s\" is not the place of a setting", copy);
        return FALSE;
    }
    for (guint i = 0; i < bits->len; i++)
        parsed.bits |= 1ULL << g_array_index(bits, guint, i);
    *format = parsed;
    return TRUE;
}

static void
merge_bits(guint64 *word, guint64 mask, guint64 bits)
{
    *word = (*word & ~mask) | bits;
}

gboolean
folio_pmu_format_set(const FolioPmuFormat *format, guint64 value, struct perf_event_attr *attr)
{
    guint64 scattered = 0;

    for (guint bit = 0; bit < 64; bit++) {
        if ((format->bits >> bit & 1) == 0)
            continue;
        scattered |= (value & 1) << bit;
        value >>= 1;
    }
    if (value != 0)
        return FALSE;
    if (format->word == 0)
        merge_bits((guint64 *) &attr->config, format->bits, scattered);
    else if (format->word == 1)
        merge_bits((guint64 *) &attr->config1, format->bits, scattered);
    else
        merge_bits((guint64 *) &attr->config2, format->bits, scattered);
    return TRUE;
}

static char *
read_value(const char *dir, const char *file, GError **error)
{
    g_autofree char *path = g_build_filename(dir, file, NULL);
    char *text = folio_file_read(AT_FDCWD, path, VALUE_BYTES, NULL, error);

    return text != NULL ? g_strchomp(text) : NULL;
}

static gboolean
read_number(const char *dir, const char *file, guint64 max, guint64 *number, GError **error)
{
    g_autofree char *text = read_value(dir, file, error);

    if (text == NULL)
        return FALSE;
    if (g_ascii_string_to_unsigned(text, 10, 0, max, number, NULL))
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s/%s: \"%.64s\" is no number", dir, file,
                text);
    return FALSE;
}

/* A setting that the unit does not have is no error: its file is not there. */
static gboolean
read_format(const char *dir, const char *name, FolioPmuFormat *format, GError **error)
{
    g_autofree char *file = g_build_filename("format", name, NULL);
    g_autoptr(GError) cause = NULL;
    g_autofree char *text = read_value(dir, file, &cause);

    if (text == NULL && g_error_matches(cause, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND))
        return TRUE;
    if (text != NULL && folio_pmu_format_parse(text, format, &cause))
        return TRUE;
    if (text != NULL)
        g_prefix_error(&cause, "%s/%s: ", dir, file);
    g_propagate_error(error, g_steal_pointer(&cause));
    return FALSE;
}

static gboolean
read_formats(FolioSpePmu *pmu, const char *dir, GError **error)
{
    if (!read_format(dir, "ts_enable", &pmu->ts_enable, error) ||
        !read_format(dir, "pa_enable", &pmu->pa_enable, error) ||
        !read_format(dir, "pct_enable", &pmu->pct_enable, error) ||
        !read_format(dir, "jitter", &pmu->jitter, error) ||
        !read_format(dir, "load_filter", &pmu->load_filter, error) ||
        !read_format(dir, "store_filter", &pmu->store_filter, error))
        return FALSE;
    if (pmu->pa_enable.bits != 0)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                "%s/format/pa_enable: not there: this unit gives no physical addresses", dir);
    return FALSE;
}

static void
pmu_free(gpointer data)
{
    FolioSpePmu *pmu = data;

    g_free(pmu->name);
    g_clear_pointer(&pmu->cpus, g_array_unref);
    g_free(pmu);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioSpePmu, pmu_free)

static FolioSpePmu *
read_pmu(const char *devices, const char *name, GError **error)
{
    g_autofree char *dir = g_build_filename(devices, name, NULL);
    g_autoptr(FolioSpePmu) pmu = g_new0(FolioSpePmu, 1);
    guint64 type = 0;

    pmu->name = g_strdup(name);
    if (!read_number(dir, "type", G_MAXUINT32, &type, error) ||
        !read_number(dir, "caps/min_interval", G_MAXUINT32, &pmu->min_interval, error) ||
        !read_formats(pmu, dir, error))
        return NULL;
    pmu->type = (guint32) type;
    pmu->cpus = folio_cpu_list_read(dir, "cpumask", error);
    return pmu->cpus != NULL ? g_steal_pointer(&pmu) : NULL;
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The entries of the directory that are SPE units: char *. */
static GPtrArray *
list_names(const char *devices)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(devices, 0, NULL);
    const char *name = NULL;

    while (dir != NULL && names->len < MAX_UNITS && (name = g_dir_read_name(dir)) != NULL)
        if (g_str_has_prefix(name, PMU_PREFIX))
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    return g_steal_pointer(&names);
}

GPtrArray *
folio_spe_pmu_read_all(const char *sys_root, GError **error)
{
    g_autofree char *devices = g_build_filename(sys_root, DEVICES, NULL);
    g_autoptr(GPtrArray) names = list_names(devices);
    g_autoptr(GPtrArray) pmus = g_ptr_array_new_with_free_func(pmu_free);

    for (guint i = 0; i < names->len; i++) {
        FolioSpePmu *pmu = read_pmu(devices, g_ptr_array_index(names, i), error);

        if (pmu == NULL)
            return NULL;
        g_ptr_array_add(pmus, pmu);
    }
    if (pmus->len > 0)
        return g_steal_pointer(&pmus);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                "%s: no " PMU_PREFIX "N: no Arm SPE unit, or its driver did not probe (it needs "
                "firmware that enables SPE and describes its interrupt, and kpti=off)",
                devices);
    return NULL;
}

void
folio_spe_pmu_attr(const FolioSpePmu *pmu, gboolean by_class, struct perf_event_attr *attr)
{
    /* exclude_guest, exclude_host, exclude_hv and exclude_kernel stay 0: everything is wanted. The
     * driver refuses freq and exclude_idle. A min_latency of 0, and no event filter, is all. */
    *attr = (struct perf_event_attr){ .size = sizeof(*attr), .type = pmu->type };
    folio_pmu_format_set(&pmu->pa_enable, 1, attr);
    folio_pmu_format_set(&pmu->ts_enable, 1, attr);
    /* Physical timestamps: the same clock for host and guests. */
    folio_pmu_format_set(&pmu->pct_enable, 1, attr);
    /* Against sampling in step with a loop. */
    folio_pmu_format_set(&pmu->jitter, 1, attr);
    if (!by_class)
        return;
    folio_pmu_format_set(&pmu->load_filter, 1, attr);
    folio_pmu_format_set(&pmu->store_filter, 1, attr);
}
