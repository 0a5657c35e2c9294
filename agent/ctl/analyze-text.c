/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What folioctl analyze says to people. */
#include "ctl/analyze.h"

#include "base/format.h"

#include <stdio.h>

#define COUNT G_GUINT64_FORMAT

/* Rows of the table of blocks without --all. */
#define TABLE_ROWS 20

/* perf's "/GH" clears exclude_guest, which it sets by default; pct_enable makes guests' timestamps
 * those of the host. */
#define RECORD_COMMAND                                                                               \
    "perf record -e arm_spe_0/ts_enable=1,pa_enable=1,pct_enable=1,load_filter=1,store_filter=1/GH " \
    "-a -- sleep 60"

char *
folio_format_time(const FolioAnalysis *analysis, guint64 time)
{
    static const struct {
        guint64 ns;
        const char *name;
    } units[] = { { 1000000000, "s" }, { 1000000, "ms" }, { 1000, "us" }, { 1, "ns" } };
    gsize i = 0;

    if (!analysis->nanoseconds)
        return g_strdup_printf("%" COUNT " ticks", time);
    while (i + 1 < G_N_ELEMENTS(units) && time < units[i].ns)
        i++;
    return g_strdup_printf("%.4g %s", (double) time / (double) units[i].ns, units[i].name);
}

char *
folio_describe_windows(const FolioAnalysis *analysis)
{
    static const char *const too_few =
        "; no verdict of sparse yet (too few windows and dense blocks)";
    g_autofree char *length = folio_format_time(analysis, analysis->window);

    if (analysis->confirmed)
        return g_strdup_printf("%u of %s, in %d epochs each%s", analysis->windows, length,
                               FOLIO_EPOCHS, analysis->unknown ? too_few : "");
    if (analysis->window > 0)
        return g_strdup_printf("one of %s: verdicts are unconfirmed", length);
    return g_strdup("one, in epochs by the order of records, since they have no times: verdicts "
                    "are unconfirmed");
}

const char *
folio_verdict_text(const FolioAnalysis *analysis, FolioVerdict verdict)
{
    if (analysis->confirmed)
        return folio_verdict_token(verdict);
    if (verdict == FOLIO_VERDICT_SPARSE)
        return "sparse (unconfirmed)";
    return verdict == FOLIO_VERDICT_DENSE ? "dense (unconfirmed)" : folio_verdict_token(verdict);
}

/* ---- Summary */

static void G_GNUC_PRINTF(5, 6)
    field(const FolioInvocation *invocation, GString *out, const char *label, FolioColour colour,
          const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    folio_append_field(invocation, out, label, colour, text);
}

static void
append_file(const FolioInvocation *invocation, const FolioPerfFile *perf, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_append_printf(text, "%s, %u buffers, AUXTRACE_INFO version %u", perf->name,
                           perf->buffers->len, perf->info_version);
    if (perf->midr != 0)
        g_string_append_printf(text, ", MIDR 0x%" G_GINT64_MODIFIER "x", perf->midr);
    folio_append_field(invocation, out, "file", FOLIO_COLOUR_NONE, text->str);
    if (perf->period > 0)
        field(invocation, out, "period", FOLIO_COLOUR_NONE, "1 in %" COUNT " operations",
              perf->period);
    else
        folio_append_field(invocation, out, "period", FOLIO_COLOUR_NONE, "not in the file");
}

static void
append_records(const FolioInvocation *invocation, const FolioAnalysis *analysis, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *share = folio_format_percent(analysis->samples, analysis->records);
    const char *separator = ": ";

    g_string_append_printf(text, "%" COUNT, analysis->records);
    for (guint i = 0; i < FOLIO_OPERATIONS; i++) {
        if (analysis->operations[i] == 0)
            continue;
        g_string_append_printf(text, "%s%" COUNT " %s", separator, analysis->operations[i],
                               folio_operation_token(i));
        separator = ", ";
    }
    folio_append_field(invocation, out, "records", FOLIO_COLOUR_NONE, text->str);
    field(invocation, out, "samples", analysis->samples > 0 ? FOLIO_COLOUR_NONE : FOLIO_COLOUR_RED,
          "%" COUNT " with a physical address (%s)%s", analysis->samples, share,
          analysis->samples > 0 ? "" : ": record as root, with pa_enable=1");
    if (analysis->options.map != NULL)
        field(invocation, out, "elsewhere", FOLIO_COLOUR_NONE,
              "%" COUNT " samples are of frames that the process does not have now",
              analysis->elsewhere);
    if (analysis->beyond > 0)
        field(invocation, out, "left out", FOLIO_COLOUR_RED,
              "%" COUNT " samples, of more than %u blocks", analysis->beyond,
              FOLIO_ANALYSIS_MAX_BLOCKS);
}

static void
append_time(const FolioInvocation *invocation, const FolioAnalysis *analysis, GString *out)
{
    g_autofree char *span = folio_format_time(analysis, analysis->last_time - analysis->first_time);
    g_autofree char *windows = folio_describe_windows(analysis);

    if (analysis->timed_records == 0)
        folio_append_field(invocation, out, "time", FOLIO_COLOUR_YELLOW,
                           "no timestamps: record with ts_enable=1");
    else
        field(invocation, out, "time", FOLIO_COLOUR_NONE, "%s%s", span,
              analysis->nanoseconds ? "" : ", without TIME_CONV, which gives their length");
    if (analysis->backward > 0)
        field(invocation, out, "", FOLIO_COLOUR_YELLOW,
              "%" COUNT " records go back in time: guests' own clocks (record with "
              "pct_enable=1), or damage",
              analysis->backward);
    field(invocation, out, "recorded on", FOLIO_COLOUR_NONE, "%u CPUs, %u threads", analysis->cpus,
          analysis->threads);
    folio_append_field(invocation, out, "windows",
                       analysis->confirmed && !analysis->unknown ? FOLIO_COLOUR_NONE
                                                                 : FOLIO_COLOUR_YELLOW,
                       windows);
    if (analysis->tail_samples > 0)
        field(invocation, out, "", FOLIO_COLOUR_NONE,
              "%" COUNT " samples behind the last whole window are not judged",
              analysis->tail_samples);
}

static void
append_losses(const FolioInvocation *invocation, const FolioPerfFile *perf,
              const FolioAnalysis *analysis, GString *out)
{
    gboolean any = perf->truncated + perf->partial + perf->collisions + perf->lost > 0;

    field(invocation, out, "losses", any ? FOLIO_COLOUR_YELLOW : FOLIO_COLOUR_NONE,
          "%" COUNT " AUX events: %" COUNT " truncated, %" COUNT " partial, %" COUNT
          " with collisions; %" COUNT " events lost",
          perf->aux_events, perf->truncated, perf->partial, perf->collisions, perf->lost);
    if (perf->compressed > 0)
        field(invocation, out, "", FOLIO_COLOUR_YELLOW,
              "%" COUNT " compressed events are not counted; record without -z", perf->compressed);
    field(invocation, out, "garbage",
          analysis->garbage + analysis->cut > 0 ? FOLIO_COLOUR_YELLOW : FOLIO_COLOUR_NONE,
          "%" COUNT " of %" COUNT " bytes, in %" COUNT " places; %" COUNT
          " bytes of records cut off",
          analysis->garbage, analysis->bytes, analysis->resyncs, analysis->cut);
}

static void
append_guests(const FolioInvocation *invocation, const FolioPerfFile *perf,
              const FolioAnalysis *analysis, GString *out)
{
    g_autofree char *share = folio_format_percent(analysis->guest_records, analysis->records);

    if (analysis->guest_records > 0) {
        field(invocation, out, "guest samples", FOLIO_COLOUR_GREEN,
              "yes: %" COUNT " records (%s) are certainly of a guest", analysis->guest_records,
              share);
        return;
    }
    field(invocation, out, "guest samples", FOLIO_COLOUR_YELLOW, "host side only: %s%s",
          analysis->vhe ? "no record is marked as a guest's"
                        : "no record tells that the host's kernel runs at EL2, without which "
                          "guests cannot be told",
          perf->excludes_guests ? ", and the event was recorded with exclude_guest=1" : "");
    g_string_append(out,
                    "               perf record sets exclude_guest=1 by default; this does not, "
                    "if the kernel can sample guests:\n"
                    "               " RECORD_COMMAND "\n");
}

static void
append_verdicts(const FolioInvocation *invocation, const FolioAnalysis *analysis, GString *out)
{
    static const FolioVerdict order[] = { FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_DENSE,
                                          FOLIO_VERDICT_UNDECIDED, FOLIO_VERDICT_IDLE };
    guint counts[4] = { 0 };
    g_autofree char *total =
        folio_format_bytes((guint64) analysis->blocks->len << FOLIO_BLOCK_SHIFT);
    g_autoptr(GString) text = g_string_new(NULL);
    const char *separator = ":";

    for (guint i = 0; i < analysis->blocks->len; i++)
        counts[g_array_index(analysis->blocks, FolioAnalysisBlock, i).verdict]++;
    g_string_append_printf(text, "%u of 2 MiB (%s)", analysis->blocks->len, total);
    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        if (counts[order[i]] == 0)
            continue;
        g_string_append_printf(text, "%s %u %s", separator, counts[order[i]],
                               folio_verdict_text(analysis, order[i]));
        separator = ",";
    }
    folio_append_field(invocation, out, "blocks", FOLIO_COLOUR_NONE, text->str);
}

/* ---- Table */

static int
by_samples(gconstpointer a, gconstpointer b)
{
    const FolioAnalysisBlock *x = *(const FolioAnalysisBlock *const *) a;
    const FolioAnalysisBlock *y = *(const FolioAnalysisBlock *const *) b;

    if (x->samples != y->samples)
        return x->samples < y->samples ? 1 : -1;
    return (x->address > y->address) - (x->address < y->address);
}

static FolioColour
verdict_colour(FolioVerdict verdict)
{
    if (verdict == FOLIO_VERDICT_SPARSE)
        return FOLIO_COLOUR_YELLOW;
    return verdict == FOLIO_VERDICT_DENSE ? FOLIO_COLOUR_GREEN : FOLIO_COLOUR_DIM;
}

static void
print_block(const FolioInvocation *invocation, const FolioAnalysis *analysis,
            const FolioAnalysisBlock *block)
{
    g_autofree char *address = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", block->address);
    g_autofree char *verdict =
        folio_paint(verdict_colour(block->verdict), folio_verdict_text(analysis, block->verdict),
                    invocation->coloured);

    printf("%-18s  %10" COUNT "  %9u  %6.0f  %s\n", address, block->samples, block->sub_pages,
           (double) block->in_use, verdict);
}

/* Line by line: a table that is laid out whole would take a gigabyte for the largest hosts. */
static void
print_table(const FolioInvocation *invocation, const FolioAnalysis *analysis)
{
    g_autoptr(GPtrArray) blocks = g_ptr_array_sized_new(analysis->blocks->len);
    g_autofree char *head = g_strdup_printf("%-18s  %10s  %9s  %6s  %s", "BLOCK", "SAMPLES",
                                            "SUB-PAGES", "IN USE", "VERDICT");
    g_autofree char *painted = folio_paint(FOLIO_COLOUR_BOLD, head, invocation->coloured);
    guint shown = analysis->blocks->len;

    for (guint i = 0; i < analysis->blocks->len; i++)
        g_ptr_array_add(blocks, &g_array_index(analysis->blocks, FolioAnalysisBlock, i));
    if (!invocation->analyze->by_address)
        g_ptr_array_sort(blocks, by_samples);
    if (!invocation->all)
        shown = MIN(shown, TABLE_ROWS);
    printf("\n%s\n", painted);
    for (guint i = 0; i < shown; i++)
        print_block(invocation, analysis, blocks->pdata[i]);
    if (shown < blocks->len)
        printf("%u more blocks: --all\n", blocks->len - shown);
    printf(
        "\nIN USE: sub-pages of 512 in use in a window, sampled or not; an estimate, the mean over "
        "the\nwindows in which the block was sampled.\n");
}

void
folio_analyze_print_text(const FolioInvocation *invocation, const FolioCapture *capture,
                         const FolioAnalysis *analysis)
{
    g_autoptr(GString) out = g_string_new(NULL);

    append_file(invocation, capture->perf, out);
    append_records(invocation, analysis, out);
    append_guests(invocation, capture->perf, analysis, out);
    append_time(invocation, analysis, out);
    append_losses(invocation, capture->perf, analysis, out);
    append_verdicts(invocation, analysis, out);
    fputs(out->str, stdout);
    if (analysis->blocks->len > 0)
        print_table(invocation, analysis);
}
