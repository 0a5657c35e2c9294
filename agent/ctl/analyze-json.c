/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What folioctl analyze --json prints. Written line by line: a host may have two million blocks,
 * and a tree of them in memory would take gigabytes. */
#include "ctl/analyze.h"
#include "ctl/json.h"

#include <stdio.h>

static void
print_number(const char *member, guint64 value)
{
    printf("  \"%s\" : %" G_GUINT64_FORMAT ",\n", member, value);
}

/* null unless known. */
static void
print_known(const char *member, guint64 value, gboolean known)
{
    if (known)
        print_number(member, value);
    else
        printf("  \"%s\" : null,\n", member);
}

static void
print_boolean(const char *member, gboolean value)
{
    printf("  \"%s\" : %s,\n", member, value ? "true" : "false");
}

static void
print_string(const char *member, const char *value)
{
    g_autofree char *quoted = value != NULL ? folio_json_quote(value) : g_strdup("null");

    printf("  \"%s\" : %s,\n", member, quoted);
}

static void
print_file(const FolioPerfFile *perf)
{
    print_string("file", perf->name);
    print_string("damage", perf->damage != NULL ? perf->damage->message : NULL);
    print_known("period", perf->period, perf->period > 0);
    print_known("midr", perf->midr, perf->midr > 0);
    print_boolean("exclude_guest", perf->excludes_guests);
    print_number("aux_events", perf->aux_events);
    print_number("aux_truncated", perf->truncated);
    print_number("aux_partial", perf->partial);
    print_number("aux_collisions", perf->collisions);
    print_number("events_lost", perf->lost);
    print_number("events_compressed", perf->compressed);
}

static void
print_totals(const FolioAnalysis *analysis)
{
    gboolean timed = analysis->timed_records > 0;

    print_number("records", analysis->records);
    print_number("samples", analysis->samples);
    printf("  \"operations\" : {");
    for (guint i = 0; i < FOLIO_OPERATIONS; i++)
        printf("%s\"%s\" : %" G_GUINT64_FORMAT, i == 0 ? " " : ", ", folio_operation_token(i),
               analysis->operations[i]);
    printf(" },\n");
    print_number("guest_records", analysis->guest_records);
    print_string("guest_samples", analysis->guest_records > 0 ? "yes" : "host-side-only");
    print_number("trace_bytes", analysis->bytes);
    print_number("garbage_bytes", analysis->garbage);
    print_number("garbage_places", analysis->resyncs);
    print_number("cut_bytes", analysis->cut);
    print_number("samples_left_out", analysis->beyond);
    print_number("cpus", analysis->cpus);
    print_number("threads", analysis->threads);
    print_string("time_unit", !timed ? NULL : analysis->nanoseconds ? "ns" : "ticks");
    print_known("first_time", analysis->first_time, timed);
    print_known("last_time", analysis->last_time, timed);
    print_number("backward_records", analysis->backward);
    print_number("windows", analysis->windows);
    print_known("window", analysis->window, analysis->window > 0);
    print_number("tail_samples", analysis->tail_samples);
    print_boolean("confirmed", analysis->confirmed);
}

static void
print_blocks(const FolioAnalysis *analysis)
{
    printf("  \"block_bytes\" : %u,\n  \"blocks\" : [", 1u << FOLIO_BLOCK_SHIFT);
    for (guint i = 0; i < analysis->blocks->len; i++) {
        const FolioAnalysisBlock *block = &g_array_index(analysis->blocks, FolioAnalysisBlock, i);

        printf("%s\n    { \"address\" : %" G_GUINT64_FORMAT ", \"samples\" : %" G_GUINT64_FORMAT
               ", \"sub_pages\" : %u, \"windows\" : %u, \"in_use\" : %.1f, \"verdict\" : \"%s\", "
               "\"confirmed\" : %s }",
               i == 0 ? "" : ",", block->address, block->samples, block->sub_pages, block->windows,
               (double) block->in_use, folio_verdict_token(block->verdict),
               analysis->confirmed ? "true" : "false");
    }
    printf("%s]", analysis->blocks->len > 0 ? "\n  " : "");
}

static void
print_ranges(const FolioAnalysis *analysis)
{
    g_autoptr(GArray) ranges = folio_verdict_ranges(analysis);

    printf(",\n  \"ranges\" : [");
    for (guint i = 0; i < ranges->len; i++) {
        const FolioVerdictRange *range = &g_array_index(ranges, FolioVerdictRange, i);

        printf("%s\n    { \"verdict\" : \"%s\", \"start\" : %" G_GUINT64_FORMAT
               ", \"end\" : %" G_GUINT64_FORMAT " }",
               i == 0 ? "" : ",", folio_verdict_token(range->verdict), range->start, range->end);
    }
    printf("%s]", ranges->len > 0 ? "\n  " : "");
}

void
folio_analyze_print_json(const FolioCapture *capture, const FolioAnalysis *analysis,
                         const FolioPlaces *places)
{
    printf("{\n");
    print_number("version", FOLIO_JSON_VERSION);
    print_file(capture->perf);
    print_totals(analysis);
    print_known("pid", places != NULL ? (guint64) places->pid : 0, places != NULL);
    print_known("samples_elsewhere", analysis->elsewhere, places != NULL);
    print_blocks(analysis);
    if (places != NULL)
        print_ranges(analysis);
    printf("\n}\n");
}
