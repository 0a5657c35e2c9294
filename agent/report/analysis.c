/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a perf.data file to verdicts: one reading for totals and blocks, one through the heat table
 * by time. */
#include "report/analysis.h"

#include "base/error.h"
#include "sample/spe-origin.h"

#include <math.h>

/* Clocks of different CPUs differ, and records of one are not strictly in order; beyond that, some
 * guest's own clock is at work. */
#define BACKWARD_SLACK 1000000

FolioOperation
folio_record_operation(const FolioSpeRecord *record)
{
    if (!folio_spe_record_has(record, FOLIO_SPE_OPERATION))
        return FOLIO_OPERATION_UNKNOWN;
    switch ((FolioSpeClass) record->operation_class) {
    case FOLIO_SPE_CLASS_LOAD_STORE:
        /* Bits 7 to 5 and 1 are 0b000 and 1 for the extended kind, bit 2 is AT. */
        if ((record->operation & 0xe6) == 0x06)
            return FOLIO_OPERATION_ATOMIC;
        return folio_spe_record_is_store(record) ? FOLIO_OPERATION_STORE : FOLIO_OPERATION_LOAD;
    case FOLIO_SPE_CLASS_BRANCH:
        return FOLIO_OPERATION_BRANCH;
    case FOLIO_SPE_CLASS_OTHER:
        return FOLIO_OPERATION_OTHER;
    case FOLIO_SPE_CLASS_RESERVED:
    default:
        return FOLIO_OPERATION_UNKNOWN;
    }
}

const char *
folio_operation_token(FolioOperation operation)
{
    static const char *const tokens[FOLIO_OPERATIONS] = { "load",   "store", "atomic",
                                                          "branch", "other", "unknown" };

    return tokens[operation];
}

gboolean
folio_analysis_place(const FolioAnalysis *analysis, const FolioSpeRecord *record, guint *block,
                     guint *sub_page)
{
    if (!folio_spe_record_has(record, FOLIO_SPE_PA))
        return FALSE;
    if (analysis->options.map != NULL) {
        FolioPlace place =
            folio_frame_map_find(analysis->options.map, record->pa >> FOLIO_PAGE_SHIFT);

        if (place == FOLIO_NO_PLACE)
            return FALSE;
        *block = place / FOLIO_SUB_PAGES;
        *sub_page = place % FOLIO_SUB_PAGES;
        return TRUE;
    }
    *block = folio_block_index_number(analysis->index, record->pa >> FOLIO_BLOCK_SHIFT);
    *sub_page = record->pa >> FOLIO_PAGE_SHIFT & (FOLIO_SUB_PAGES - 1);
    return *block != FOLIO_NO_BLOCK;
}

/* ---- Totals */

typedef struct {
    FolioAnalysis *analysis;
    const FolioPerfFile *file;
    const FolioPerfBuffer *buffer; /* the last run's */
    guint64 buffer_time;           /* the latest of it */
    guint64 guest_marks;
    GArray *samples; /* guint64 by block */
} Survey;

static void
survey_time(Survey *survey, const FolioSpeRecord *record)
{
    FolioAnalysis *analysis = survey->analysis;
    guint64 time;

    if (!folio_spe_record_has(record, FOLIO_SPE_TIMESTAMP))
        return;
    time = folio_record_time(survey->file, record);
    analysis->first_time = analysis->timed_records == 0 ? time : MIN(analysis->first_time, time);
    analysis->last_time = MAX(analysis->last_time, time);
    analysis->timed_records++;
    if (time < survey->buffer_time && survey->buffer_time - time > BACKWARD_SLACK)
        analysis->backward++;
    survey->buffer_time = MAX(survey->buffer_time, time);
}

static void
survey_place(Survey *survey, const FolioSpeRecord *record)
{
    FolioAnalysis *analysis = survey->analysis;
    guint block, sub_page;

    if (!folio_spe_record_has(record, FOLIO_SPE_PA))
        return;
    analysis->samples++;
    if (!folio_analysis_place(analysis, record, &block, &sub_page)) {
        if (analysis->options.map != NULL)
            analysis->elsewhere++;
        else
            analysis->beyond++;
        return;
    }
    if (block >= survey->samples->len)
        g_array_set_size(survey->samples, block + 1);
    g_array_index(survey->samples, guint64, block)++;
}

static void
survey_run(const FolioRecordRun *run, gpointer user_data)
{
    Survey *survey = user_data;
    FolioAnalysis *analysis = survey->analysis;

    if (run->buffer != survey->buffer)
        survey->buffer_time = 0;
    survey->buffer = run->buffer;
    analysis->records += run->n;
    for (gsize i = 0; i < run->n; i++) {
        const FolioSpeRecord *record = &run->records[i];

        analysis->operations[folio_record_operation(record)]++;
        analysis->vhe |= folio_spe_record_proves_vhe(record);
        survey->guest_marks += folio_spe_record_is_guest(record, TRUE);
        survey_time(survey, record);
        survey_place(survey, record);
    }
}

static void
count_origins(FolioAnalysis *analysis, const FolioPerfFile *file)
{
    g_autoptr(GHashTable) cpus = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) threads = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < file->buffers->len; i++) {
        const FolioPerfBuffer *buffer = &g_array_index(file->buffers, FolioPerfBuffer, i);

        if (buffer->cpu >= 0)
            g_hash_table_add(cpus, GINT_TO_POINTER(buffer->cpu));
        if (buffer->tid >= 0)
            g_hash_table_add(threads, GINT_TO_POINTER(buffer->tid));
    }
    analysis->cpus = g_hash_table_size(cpus);
    analysis->threads = g_hash_table_size(threads);
}

/* Returns the samples by block number, of guint64. */
static GArray *
take_survey(FolioAnalysis *analysis, FolioRecordWalk *walk)
{
    Survey survey = { analysis, walk->file };

    survey.samples = g_array_new(FALSE, TRUE, sizeof(guint64));
    folio_record_walk_all(walk, survey_run, &survey);
    analysis->guest_records = analysis->vhe ? survey.guest_marks : 0;
    analysis->nanoseconds = walk->file->clock.known;
    analysis->bytes = walk->bytes;
    analysis->garbage = walk->garbage;
    analysis->resyncs = walk->resyncs;
    analysis->cut = walk->cut;
    count_origins(analysis, walk->file);
    return survey.samples;
}

/* ---- Windows */

static gboolean
choose_windows(FolioAnalysis *analysis, GError **error)
{
    guint64 span = analysis->last_time - analysis->first_time, wanted = analysis->options.window;

    analysis->windows = 1;
    if (analysis->timed_records == 0 || span == 0)
        return TRUE;
    if (wanted > 0 && !analysis->nanoseconds) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "the window cannot have a length in seconds: the file has no TIME_CONV event, "
                    "which says how long a tick is");
        return FALSE;
    }
    if (wanted == 0 && span < FOLIO_ANALYSIS_WINDOWS * FOLIO_EPOCHS)
        return TRUE;
    analysis->window = wanted > 0 ? MIN(wanted, span) : span / FOLIO_ANALYSIS_WINDOWS;
    if (analysis->window < FOLIO_EPOCHS || span / analysis->window > FOLIO_ANALYSIS_MAX_WINDOWS) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "the recording of %" G_GUINT64_FORMAT " %s would have %" G_GUINT64_FORMAT
                    " windows; at most %d are possible, of %d %s or more",
                    span, analysis->nanoseconds ? "ns" : "ticks", span / MAX(analysis->window, 1),
                    FOLIO_ANALYSIS_MAX_WINDOWS, FOLIO_EPOCHS,
                    analysis->nanoseconds ? "ns" : "ticks");
        return FALSE;
    }
    analysis->windows = wanted > 0 ? (guint) (span / analysis->window) : FOLIO_ANALYSIS_WINDOWS;
    analysis->confirmed = analysis->windows > 1;
    return TRUE;
}

/* Where an epoch ends; the last one takes in all that is left, unless windows have a length. */
static guint64
epoch_end(const FolioAnalysis *analysis, guint epoch)
{
    guint n = analysis->windows * FOLIO_EPOCHS;
    guint64 last = analysis->last_time - analysis->first_time;

    if (epoch + 1 == n && (analysis->options.window == 0 || analysis->windows == 1))
        return G_MAXUINT64;
    if (analysis->window == 0)
        return FOLIO_UNTIMED_SPAN * (epoch + 1) / n;
    if (analysis->options.window > 0)
        last = analysis->window * analysis->windows;
    return analysis->first_time + last / n * (epoch + 1) + last % n * (epoch + 1) / n;
}

typedef struct {
    FolioAnalysis *analysis;
    FolioHeatTable *table;
} Heating;

static void
heat_run(const FolioRecordRun *run, gpointer user_data)
{
    Heating *heating = user_data;

    for (gsize i = 0; i < run->n; i++) {
        guint block, sub_page;

        if (folio_analysis_place(heating->analysis, &run->records[i], &block, &sub_page))
            folio_heat_table_add(heating->table, block, sub_page);
    }
}

static void
count_tail(const FolioRecordRun *run, gpointer user_data)
{
    FolioAnalysis *analysis = user_data;

    for (gsize i = 0; i < run->n; i++)
        analysis->tail_samples += folio_spe_record_has(&run->records[i], FOLIO_SPE_PA);
}

/* Adds what the window that has just ended says to each block. */
static void
end_window(const FolioHeatTable *table, FolioAnalysisBlock *blocks)
{
    for (guint b = 0; b < table->n_blocks; b++) {
        if (table->evidence[b].seen == 0)
            continue;
        blocks[b].windows++;
        blocks[b].in_use += folio_estimate_in_use(&table->evidence[b]);
    }
}

/* blocks and samples are by block number. */
static void
judge(FolioAnalysis *analysis, FolioRecordWalk *walk, FolioAnalysisBlock *blocks, GArray *samples)
{
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(samples->len);
    g_autoptr(FolioTimeWalk) time_walk = folio_time_walk_new(walk, analysis->window > 0);
    g_autofree FolioVerdict *verdicts = g_new0(FolioVerdict, samples->len);
    Heating heating = { analysis, table };

    for (guint epoch = 0; epoch < analysis->windows * FOLIO_EPOCHS; epoch++) {
        folio_time_walk_until(time_walk, epoch_end(analysis, epoch), heat_run, &heating);
        if (!folio_heat_table_end_epoch(table))
            continue;
        end_window(table, blocks);
        folio_heat_table_decide(table, verdicts);
        analysis->unknown = analysis->confirmed && !folio_outcomes_suffice(&table->outcomes);
    }
    folio_time_walk_until(time_walk, G_MAXUINT64, count_tail, analysis);
    for (guint b = 0; b < samples->len; b++) {
        const FolioHeatEvidence *evidence = &table->evidence[b];

        blocks[b].samples = g_array_index(samples, guint64, b);
        blocks[b].sub_pages = evidence->footprint;
        blocks[b].in_use /= (float) MAX(blocks[b].windows, 1);
        blocks[b].reach = folio_estimate_reach(evidence);
        blocks[b].verdict = analysis->confirmed
                                ? verdicts[b]
                                : folio_analysis_one_window(evidence, blocks[b].samples);
    }
}

/* The sub-pages in use are fewer than that with 95% confidence: Chao's estimate of those that were
 * not seen, its variance, and a log-normal bound (A. Chao, Biometrics 43, 1987, for incidences). */
static double
upper_bound(const FolioHeatEvidence *evidence)
{
    double once = evidence->once, twice = evidence->twice, seen = evidence->seen;
    double ratio = once / (twice + 1), unseen = once * (once - 1) / (2 * (twice + 1));
    double variance = (twice + 1) * (ratio * ratio / 2 + pow(ratio, 3) + pow(ratio, 4) / 4);

    if (evidence->once <= 1)
        return seen + once;
    return seen + unseen * exp(1.64 * sqrt(log(1 + variance / (unseen * unseen))));
}

FolioVerdict
folio_analysis_one_window(const FolioHeatEvidence *evidence, guint64 samples)
{
    /* Enough was seen when there are 48 incidences, or, where the hot sub-pages are too few for so
     * many, 48 samples and each of these sub-pages in nearly every epoch. */
    gboolean enough =
        evidence->incidences >= 48 ||
        (samples >= 48 && evidence->incidences >= evidence->seen * (FOLIO_EPOCHS - 2));

    if (evidence->seen == 0)
        return FOLIO_VERDICT_IDLE;
    if (enough && upper_bound(evidence) < FOLIO_SUB_PAGES / 10.0)
        return FOLIO_VERDICT_SPARSE;
    if (evidence->seen > FOLIO_SUB_PAGES / 4 ||
        (evidence->seen >= 47 && folio_estimate_in_use(evidence) >= FOLIO_SUB_PAGES / 2))
        return FOLIO_VERDICT_DENSE;
    return FOLIO_VERDICT_UNDECIDED;
}

/* ---- All together */

static int
compare_blocks(gconstpointer a, gconstpointer b)
{
    guint64 x = ((const FolioAnalysisBlock *) a)->address;
    guint64 y = ((const FolioAnalysisBlock *) b)->address;

    return (x > y) - (x < y);
}

static void
keep_sampled(FolioAnalysis *analysis, FolioAnalysisBlock *blocks, guint n)
{
    for (guint b = 0; b < n; b++) {
        if (blocks[b].samples == 0)
            continue;
        blocks[b].number = b;
        blocks[b].address = analysis->options.map != NULL
                                ? analysis->options.addresses[b]
                                : g_array_index(analysis->index->blocks, guint64, b)
                                      << FOLIO_BLOCK_SHIFT;
        g_array_append_val(analysis->blocks, blocks[b]);
    }
    g_array_sort(analysis->blocks, compare_blocks);
}

FolioAnalysis *
folio_analysis_new(FolioRecordWalk *walk, const FolioAnalysisOptions *options, GError **error)
{
    g_autoptr(FolioAnalysis) analysis = g_new0(FolioAnalysis, 1);
    g_autoptr(GArray) samples = NULL;
    g_autofree FolioAnalysisBlock *blocks = NULL;

    analysis->options = *options;
    analysis->index = folio_block_index_new(FOLIO_ANALYSIS_MAX_BLOCKS);
    analysis->blocks = g_array_new(FALSE, FALSE, sizeof(FolioAnalysisBlock));
    samples = take_survey(analysis, walk);
    if (!choose_windows(analysis, error))
        return NULL;
    blocks = g_new0(FolioAnalysisBlock, samples->len);
    judge(analysis, walk, blocks, samples);
    keep_sampled(analysis, blocks, samples->len);
    return g_steal_pointer(&analysis);
}

void
folio_analysis_free(FolioAnalysis *analysis)
{
    if (analysis == NULL)
        return;
    folio_block_index_free(analysis->index);
    g_array_unref(analysis->blocks);
    g_free(analysis);
}
