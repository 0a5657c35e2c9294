/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl analyze: what a file of perf tells about blocks, without foliod. */
#include "base/error.h"
#include "ctl/analyze.h"

#include <stdio.h>

#define DEFAULT_RUN_DIR "/run/libvirt/qemu"

/* What GLib parses an option's letter into. */
static gboolean
parse_sort(const char *name, const char *value, gpointer data, GError **error)
{
    FolioAnalyzeOptions *options = data;

    options->by_address = g_str_equal(value, "address");
    options->sort_given = TRUE;
    if (options->by_address || g_str_equal(value, "samples"))
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--sort: \"%s\" is neither samples nor address", value);
    return FALSE;
}

/* "10s", "1.5min", "200ms". */
static gboolean
parse_window(const char *name, const char *value, gpointer data, GError **error)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = { { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "min", 60e9 }, { "h", 3600e9 } };
    FolioAnalyzeOptions *options = data;
    char *unit;
    double number = g_ascii_strtod(value, &unit);

    for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
        /* A window of 1 us to 100 years. */
        if (g_ascii_isdigit(*value) && g_str_equal(unit, units[i].unit) &&
            number * units[i].ns >= 1e3 && number * units[i].ns <= 3.2e18) {
            options->window = (guint64) (number * units[i].ns);
            return TRUE;
        }
    }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--window: \"%s\" is no duration such as 10s, 500ms or 2min", value);
    return FALSE;
}

void
folio_analyze_add_options(GOptionContext *context, FolioAnalyzeOptions *options)
{
    GOptionGroup *group = g_option_group_new("analyze", "", "", options, NULL);
    const GOptionEntry entries[] = {
        { "records", 0, 0, G_OPTION_ARG_NONE, &options->records, NULL, NULL },
        { "sort", 0, 0, G_OPTION_ARG_CALLBACK, (gpointer) (GOptionArgFunc) parse_sort, NULL, NULL },
        { "window", 0, 0, G_OPTION_ARG_CALLBACK, (gpointer) (GOptionArgFunc) parse_window, NULL,
          NULL },
        { "pid", 0, 0, G_OPTION_ARG_INT, &options->pid, NULL, NULL },
        { "guest", 0, 0, G_OPTION_ARG_STRING, &options->guest, NULL, NULL },
        { "run-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->run_dir, NULL, NULL },
        G_OPTION_ENTRY_NULL,
    };

    g_option_group_add_entries(group, entries);
    g_option_context_set_main_group(context, group);
}

void
folio_analyze_options_clear(FolioAnalyzeOptions *options)
{
    g_free(options->guest);
    g_free(options->run_dir);
}

gboolean
folio_analyze_options_given(const FolioAnalyzeOptions *options)
{
    return options->records || options->sort_given || options->window > 0 || options->pid != 0 ||
           options->guest != NULL || options->run_dir != NULL;
}

const char *
folio_analyze_options_contradict(const FolioInvocation *invocation)
{
    const FolioAnalyzeOptions *options = invocation->analyze;
    gboolean json = invocation->json, picture = folio_picture_options_given(invocation->picture);
    gboolean process = options->pid != 0 || options->guest != NULL;

    if (options->records && (json || picture || process || options->window > 0))
        return "--records goes with no other output, and has no windows";
    if (options->pid != 0 && options->guest != NULL)
        return "--pid or --guest, not both";
    if (options->pid < 0)
        return "--pid: a process has a number above 0";
    if (options->run_dir != NULL && options->guest == NULL)
        return "--run-dir is for --guest";
    if ((invocation->all || options->sort_given) && (json || process || options->records))
        return "--all and --sort are for the table of blocks";
    return NULL;
}

/* ---- Ranges */

GArray *
folio_verdict_ranges(const FolioAnalysis *analysis)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(FolioVerdictRange));

    for (guint i = 0; i < analysis->blocks->len; i++) {
        const FolioAnalysisBlock *block = &g_array_index(analysis->blocks, FolioAnalysisBlock, i);
        guint64 end = block->address + (G_GUINT64_CONSTANT(1) << FOLIO_BLOCK_SHIFT);
        const FolioVerdictRange range = { block->address, end, block->verdict };
        FolioVerdictRange *last =
            ranges->len > 0 ? &g_array_index(ranges, FolioVerdictRange, ranges->len - 1) : NULL;

        if (block->verdict != FOLIO_VERDICT_SPARSE && block->verdict != FOLIO_VERDICT_DENSE)
            continue;
        if (last != NULL && last->end == range.start && last->verdict == range.verdict)
            last->end = end;
        else
            g_array_append_val(ranges, range);
    }
    return ranges;
}

/* The ranges on standard output, which a program may read; all else on standard error. */
static void
print_ranges(const FolioAnalysis *analysis, const FolioPlaces *places)
{
    g_autoptr(GArray) ranges = folio_verdict_ranges(analysis);
    g_autofree char *windows = folio_describe_windows(analysis);

    for (guint i = 0; i < ranges->len; i++) {
        const FolioVerdictRange *range = &g_array_index(ranges, FolioVerdictRange, i);

        printf("%s 0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x\n",
               folio_verdict_token(range->verdict), range->start, range->end);
    }
    fprintf(stderr,
            "folioctl: process %d: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
            " samples are of its memory, in %u blocks; %" G_GUINT64_FORMAT
            " are of frames that it does not have now, or has at several addresses\n"
            "folioctl: windows: %s\n",
            places->pid, analysis->samples - analysis->elsewhere, analysis->samples,
            analysis->blocks->len, analysis->elsewhere, windows);
}

/* ---- All together */

static FolioPlaces *
find_places(const FolioAnalyzeOptions *options, GError **error)
{
    if (options->pid != 0)
        return folio_places_of_process(options->pid, error);
    return folio_places_of_guest(
        options->guest, options->run_dir != NULL ? options->run_dir : DEFAULT_RUN_DIR, error);
}

static gboolean
analyze(const FolioInvocation *invocation, FolioCapture *capture, GError **error)
{
    const FolioAnalyzeOptions *given = invocation->analyze;
    FolioAnalysisOptions options = { .window = given->window };
    g_autoptr(FolioPlaces) places = NULL;
    g_autoptr(FolioAnalysis) analysis = NULL;

    if (given->pid != 0 || given->guest != NULL) {
        places = find_places(given, error);
        if (places == NULL)
            return FALSE;
        options.map = places->map;
        options.addresses = (const guint64 *) (gconstpointer) places->addresses->data;
    }
    analysis = folio_analysis_new(&capture->walk, &options, error);
    if (analysis == NULL)
        return FALSE;
    if (folio_picture_options_given(invocation->picture) &&
        !folio_analyze_write_picture(invocation, capture, analysis, error))
        return FALSE;
    if (invocation->json)
        folio_analyze_print_json(capture, analysis, places);
    else if (places != NULL)
        print_ranges(analysis, places);
    else
        folio_analyze_print_text(invocation, capture, analysis);
    return TRUE;
}

/* A damaged file gives what was whole of it, and the error. */
FolioExitStatus
folio_cmd_analyze(const FolioInvocation *invocation, GError **error)
{
    g_autoptr(FolioCapture) capture = folio_capture_open(invocation->file, error);

    if (capture == NULL)
        return FOLIO_EXIT_FAILED;
    if (invocation->analyze->records)
        folio_analyze_print_records(capture);
    else if (!analyze(invocation, capture, error))
        return FOLIO_EXIT_FAILED;
    if (capture->perf->damage == NULL)
        return FOLIO_EXIT_OK;
    fflush(stdout);
    g_propagate_error(error, g_error_copy(capture->perf->damage));
    return FOLIO_EXIT_FAILED;
}
