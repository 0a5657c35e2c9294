/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* analysis: files of perf to blocks and verdicts; record-walk: records by time across areas. */
#include "base/error.h"
#include "cmocka-all.h"
#include "common/perf-writer.h"
#include "common/spe-encoder.h"
#include "report/analysis.h"

#define CPUS       4
#define SPARSE     G_GUINT64_CONSTANT(0x40000000)
#define DENSE      G_GUINT64_CONSTANT(0x40200000)
#define LONELY     G_GUINT64_CONSTANT(0x7fe00000)
#define FIRST_TICK 1000000
#define EL1        (G_GUINT64_CONSTANT(1) << 61)
#define EL2        (G_GUINT64_CONSTANT(2) << 61)

typedef struct {
    GByteArray *traces[CPUS];
    guint64 written[CPUS];
    PerfWriter *writer;
    GRand *random;
    gboolean timed;
    guint dense_blocks; /* of record_rounds() */
    guint64 tick;
    guint64 pc;
} Recording;

static void
recording_begin(Recording *recording, gboolean timed, gboolean clock)
{
    *recording = (Recording){ .timed = timed, .dense_blocks = 1, .tick = FIRST_TICK };
    recording->writer = perf_writer_new(1, 0);
    recording->random = g_rand_new_with_seed(1);
    for (guint i = 0; i < CPUS; i++)
        recording->traces[i] = g_byte_array_new();
    if (clock) /* a tick is 10 ns */
        perf_writer_time_conv(recording->writer, 10, 10 << 10, 0);
}

static void
put(SpeSample *sample, FolioSpeField field, guint64 payload)
{
    sample->payload[field] = payload;
    sample->present |= 1u << field;
}

/* A load from a physical address, on some CPU; address 0: a branch. */
static void
record_access(Recording *recording, guint64 address)
{
    const SpeLayout layout = { SPE_ORDER_KUNPENG, 4, 0, FALSE };
    SpeSample sample = { .operation_class = address != 0 ? 1 : 2, .events_bytes = 2 };

    put(&sample, FOLIO_SPE_PC, recording->pc | 0x4000);
    put(&sample, FOLIO_SPE_OPERATION, 0);
    if (address != 0)
        put(&sample, FOLIO_SPE_PA, address);
    if (recording->timed)
        put(&sample, FOLIO_SPE_TIMESTAMP, recording->tick);
    recording->tick += 100;
    spe_encode(recording->traces[g_rand_int_range(recording->random, 0, CPUS)], &sample, &layout,
               recording->random);
}

/* What perf drains now and then, last CPU first. */
static void
recording_drain(Recording *recording)
{
    for (guint i = CPUS; i-- > 0;) {
        GByteArray *trace = recording->traces[i];

        if (trace->len == 0)
            continue;
        perf_writer_auxtrace(recording->writer, (gint32) i, -1, i, recording->written[i],
                             trace->data, trace->len);
        recording->written[i] += trace->len;
        g_byte_array_set_size(trace, 0);
    }
}

static FolioPerfFile *
recording_end(Recording *recording)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) error = NULL;
    FolioPerfFile *file;

    recording_drain(recording);
    bytes = perf_writer_close(recording->writer);
    for (guint i = 0; i < CPUS; i++)
        g_byte_array_unref(recording->traces[i]);
    g_rand_free(recording->random);
    file = folio_perf_file_parse(bytes, "x", &error);
    assert_no_error(error);
    return file;
}

/* Rounds over one block with two hot sub-pages and one or more with all of them hot. */
static void
record_rounds(Recording *recording, guint rounds)
{
    for (guint i = 0; i < rounds; i++) {
        record_access(recording, SPARSE + (i % 2) * 0x7000);
        for (guint dense = 0; dense < recording->dense_blocks; dense++)
            record_access(recording, DENSE + dense * 0x200000 + (i * 37 % 512) * 0x1000);
        record_access(recording, 0);
        if (i % 1000 == 999)
            recording_drain(recording);
    }
}

static FolioAnalysis *
analyze(const FolioPerfFile *file, guint64 window, GError **error)
{
    FolioRecordWalk walk = { .file = file };
    const FolioAnalysisOptions options = { .window = window };

    return folio_analysis_new(&walk, &options, error);
}

static const FolioAnalysisBlock *
block_at(const FolioAnalysis *analysis, guint64 address)
{
    guint i = 0;

    while (i < analysis->blocks->len &&
           g_array_index(analysis->blocks, FolioAnalysisBlock, i).address != address)
        i++;
    assert_true(i < analysis->blocks->len);
    return &g_array_index(analysis->blocks, FolioAnalysisBlock, i);
}

/* Twelve dense blocks in ten windows make the guest known. */
static void
test_verdicts(void **state)
{
    Recording recording;
    g_autoptr(FolioPerfFile) file = NULL;
    g_autoptr(FolioAnalysis) analysis = NULL;
    g_autoptr(GError) error = NULL;
    const FolioAnalysisBlock *block;

    recording_begin(&recording, TRUE, TRUE);
    recording.dense_blocks = 12;
    record_rounds(&recording, 20000);
    record_access(&recording, LONELY);
    file = recording_end(&recording);
    analysis = analyze(file, 0, &error);
    assert_no_error(error);
    assert_int_equal(analysis->records, 280001);
    assert_int_equal(analysis->samples, 260001);
    assert_int_equal(analysis->operations[FOLIO_OPERATION_LOAD], 260001);
    assert_int_equal(analysis->operations[FOLIO_OPERATION_BRANCH], 20000);
    assert_int_equal(analysis->cpus, CPUS);
    assert_int_equal(analysis->threads, 0);
    assert_int_equal(analysis->garbage + analysis->cut + analysis->backward, 0);
    assert_true(analysis->nanoseconds);
    assert_int_equal(analysis->first_time, FIRST_TICK * 10);
    assert_int_equal(analysis->last_time, FIRST_TICK * 10 + 280000 * 1000);
    assert_int_equal(analysis->windows, 10);
    assert_int_equal(analysis->window, 28000000);
    assert_true(analysis->confirmed);
    assert_false(analysis->unknown);
    assert_int_equal(analysis->tail_samples, 0);

    assert_int_equal(analysis->blocks->len, 14);
    block = block_at(analysis, SPARSE);
    assert_int_equal(block->samples, 20000);
    assert_int_equal(block->sub_pages, 2);
    assert_int_equal(block->windows, 10);
    assert_float_equal(block->in_use, 2, 0.01);
    assert_int_equal(block->verdict, FOLIO_VERDICT_SPARSE);
    block = block_at(analysis, DENSE);
    assert_int_equal(block->sub_pages, 512);
    assert_float_equal(block->in_use, 512, 1);
    assert_int_equal(block->verdict, FOLIO_VERDICT_DENSE);
    block = block_at(analysis, LONELY);
    assert_int_equal(block->samples, 1);
    assert_int_equal(block->windows, 1);
    assert_int_equal(block->verdict, FOLIO_VERDICT_UNDECIDED);
}

/* With one dense block ten windows are too few, which is told; 29 are enough. */
static void
test_unknown_guest(void **state)
{
    Recording recording;
    g_autoptr(FolioPerfFile) file = NULL;
    g_autoptr(FolioAnalysis) analysis = NULL, fine = NULL;
    g_autoptr(GError) error = NULL;

    recording_begin(&recording, TRUE, TRUE);
    record_rounds(&recording, 20000); /* 60 ms */
    file = recording_end(&recording);
    analysis = analyze(file, 0, &error);
    assert_no_error(error);
    assert_int_equal(block_at(analysis, SPARSE)->verdict, FOLIO_VERDICT_UNDECIDED);
    assert_int_equal(block_at(analysis, DENSE)->verdict, FOLIO_VERDICT_DENSE);
    assert_true(analysis->unknown);
    fine = analyze(file, 2000000, &error);
    assert_no_error(error);
    assert_int_equal(fine->windows, 29);
    assert_int_equal(block_at(fine, SPARSE)->verdict, FOLIO_VERDICT_SPARSE);
    assert_false(fine->unknown);
}

/* The same accesses without times: one window, and what it shows is marked. */
static void
test_without_times(void **state)
{
    Recording recording;
    g_autoptr(FolioPerfFile) file = NULL;
    g_autoptr(FolioAnalysis) analysis = NULL;
    g_autoptr(GError) error = NULL;

    recording_begin(&recording, FALSE, TRUE);
    record_rounds(&recording, 5000);
    file = recording_end(&recording);
    analysis = analyze(file, 0, &error);
    assert_no_error(error);
    assert_int_equal(analysis->timed_records, 0);
    assert_int_equal(analysis->windows, 1);
    assert_int_equal(analysis->window, 0);
    assert_false(analysis->confirmed);
    assert_int_equal(block_at(analysis, SPARSE)->verdict, FOLIO_VERDICT_SPARSE);
    assert_int_equal(block_at(analysis, DENSE)->verdict, FOLIO_VERDICT_DENSE);
    /* Its epochs tell what is used again and again from what is not. */
    assert_float_equal(block_at(analysis, SPARSE)->in_use, 2, 0.01);
}

static void
test_window_length(void **state)
{
    Recording recording;
    g_autoptr(FolioPerfFile) file = NULL;
    g_autoptr(FolioAnalysis) analysis = NULL, whole = NULL, fine = NULL;
    g_autoptr(GError) error = NULL;

    recording_begin(&recording, TRUE, TRUE);
    record_rounds(&recording, 4000); /* 12 ms */
    file = recording_end(&recording);
    analysis = analyze(file, 5000000, &error);
    assert_no_error(error);
    assert_int_equal(analysis->windows, 2);
    assert_int_equal(analysis->window, 5000000);
    assert_true(analysis->confirmed);
    /* From 10 ms on: 2000 records, two of three with an address. */
    assert_in_range(analysis->tail_samples, 1332, 1335);
    assert_int_equal(block_at(analysis, SPARSE)->samples, 4000);

    whole = analyze(file, G_GUINT64_CONSTANT(60000000000), &error);
    assert_no_error(error);
    assert_int_equal(whole->windows, 1);
    assert_int_equal(whole->tail_samples, 0);
    assert_false(whole->confirmed);

    fine = analyze(file, 1000, &error);
    assert_null(fine);
    assert_folio_error(error, FOLIO_ERROR_INVALID);
}

static void
test_ticks(void **state)
{
    Recording recording;
    g_autoptr(FolioPerfFile) file = NULL;
    g_autoptr(FolioAnalysis) analysis = NULL, none = NULL;
    g_autoptr(GError) error = NULL;

    recording_begin(&recording, TRUE, FALSE);
    record_rounds(&recording, 2000);
    file = recording_end(&recording);
    analysis = analyze(file, 0, &error);
    assert_no_error(error);
    assert_false(analysis->nanoseconds);
    assert_int_equal(analysis->first_time, FIRST_TICK);
    assert_int_equal(analysis->windows, 10);
    none = analyze(file, 1000000, &error);
    assert_null(none);
    assert_folio_error(error, FOLIO_ERROR_UNSUPPORTED);
}

static void
test_guests(void **state)
{
    Recording recording;
    g_autoptr(FolioPerfFile) host = NULL, both = NULL;
    g_autoptr(FolioAnalysis) of_host = NULL, of_both = NULL;

    recording_begin(&recording, TRUE, TRUE);
    recording.pc = EL1;
    record_rounds(&recording, 10);
    host = recording_end(&recording);
    of_host = analyze(host, 0, NULL);
    /* EL1 is the host's own kernel unless something shows that this is at EL2. */
    assert_false(of_host->vhe);
    assert_int_equal(of_host->guest_records, 0);

    recording_begin(&recording, TRUE, TRUE);
    recording.pc = EL1;
    record_rounds(&recording, 10);
    recording.pc = EL2;
    record_rounds(&recording, 5);
    both = recording_end(&recording);
    of_both = analyze(both, 0, NULL);
    assert_true(of_both->vhe);
    assert_int_equal(of_both->guest_records, 30);
}

static void
test_guest_clock(void **state)
{
    Recording recording;
    g_autoptr(FolioPerfFile) file = NULL;
    g_autoptr(FolioAnalysis) analysis = NULL;

    recording_begin(&recording, TRUE, TRUE);
    record_rounds(&recording, 200);
    recording.tick = 10;
    record_access(&recording, SPARSE);
    file = recording_end(&recording);
    analysis = analyze(file, 0, NULL);
    assert_int_equal(analysis->backward, 1);
    assert_int_equal(analysis->records, 601);
}

/* With a map, blocks are those of an address space, wherever their frames are. */
static void
test_mapped(void **state)
{
    static const guint64 addresses[] = { 0x7f0000000000, 0x7f0000200000 };
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();
    Recording recording;
    g_autoptr(FolioPerfFile) file = NULL;
    g_autoptr(FolioAnalysis) analysis = NULL;
    g_autoptr(GError) error = NULL;
    FolioRecordWalk walk = { 0 };
    const FolioAnalysisOptions options = { .map = map, .addresses = addresses };

    /* One block has frames of two places, the other is whole. */
    assert_true(folio_frame_map_set_page(map, 3, SPARSE >> 12));
    assert_true(folio_frame_map_set_page(map, 4, LONELY >> 12));
    assert_true(folio_frame_map_set_block(map, 1, DENSE >> 12));
    recording_begin(&recording, TRUE, TRUE);
    record_rounds(&recording, 10000);
    record_access(&recording, LONELY + 8);
    file = recording_end(&recording);
    walk.file = file;
    analysis = folio_analysis_new(&walk, &options, &error);
    assert_no_error(error);
    /* Half of the first block's samples are of a page that is not there. */
    assert_int_equal(analysis->elsewhere, 5000);
    assert_int_equal(analysis->blocks->len, 2);
    assert_int_equal(block_at(analysis, addresses[0])->samples, 5001);
    assert_int_equal(block_at(analysis, addresses[0])->sub_pages, 2);
    assert_int_equal(block_at(analysis, addresses[1])->samples, 10000);
    assert_int_equal(block_at(analysis, addresses[1])->verdict, FOLIO_VERDICT_DENSE);
}

/* ---- Records by time */

typedef struct {
    const FolioPerfFile *file;
    guint64 from, before;
    guint records;
} Interval;

static void
check_times(const FolioRecordRun *run, gpointer user_data)
{
    Interval *interval = user_data;

    for (gsize i = 0; i < run->n; i++)
        assert_in_range(folio_record_time(interval->file, &run->records[i]), interval->from,
                        interval->before - 1);
    interval->records += run->n;
}

static void
test_by_time(void **state)
{
    Recording recording;
    g_autoptr(FolioPerfFile) file = NULL;
    g_autoptr(FolioTimeWalk) time_walk = NULL;
    FolioRecordWalk walk = { 0 };
    Interval interval = { 0 };

    recording_begin(&recording, TRUE, FALSE);
    record_rounds(&recording, 3500);
    walk.file = interval.file = file = recording_end(&recording);
    time_walk = folio_time_walk_new(&walk, TRUE);
    /* Steps that fall between records and between batches. */
    for (guint64 tick = FIRST_TICK; tick < FIRST_TICK + 10500 * 100; tick += 3337) {
        interval.from = interval.before;
        interval.before = tick;
        folio_time_walk_until(time_walk, tick, check_times, &interval);
    }
    interval.from = interval.before;
    interval.before = G_MAXUINT64;
    folio_time_walk_until(time_walk, G_MAXUINT64, check_times, &interval);
    assert_int_equal(interval.records, 10500);
}

/* ---- Small parts */

static void
test_operations(void **state)
{
    static const struct {
        guint8 class, operation;
        FolioOperation expected;
    } cases[] = {
        { 1, 0x00, FOLIO_OPERATION_LOAD },   { 1, 0x01, FOLIO_OPERATION_STORE },
        { 1, 0x04, FOLIO_OPERATION_LOAD },   { 1, 0x05, FOLIO_OPERATION_STORE }, /* SIMD */
        { 1, 0x06, FOLIO_OPERATION_ATOMIC }, { 1, 0x17, FOLIO_OPERATION_ATOMIC },
        { 1, 0x0a, FOLIO_OPERATION_LOAD },   { 1, 0x13, FOLIO_OPERATION_STORE }, /* exclusive */
        { 1, 0x26, FOLIO_OPERATION_LOAD },   { 2, 0x01, FOLIO_OPERATION_BRANCH },
        { 0, 0x06, FOLIO_OPERATION_OTHER },  { 3, 0x00, FOLIO_OPERATION_UNKNOWN },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const FolioSpeRecord record = { .operation = cases[i].operation,
                                        .operation_class = cases[i].class,
                                        .present = 1u << FOLIO_SPE_OPERATION };

        assert_int_equal(folio_record_operation(&record), cases[i].expected);
    }
    assert_int_equal(folio_record_operation(&(const FolioSpeRecord){ 0 }), FOLIO_OPERATION_UNKNOWN);
    assert_string_equal(folio_operation_token(FOLIO_OPERATION_ATOMIC), "atomic");
}

static void
test_one_window(void **state)
{
    static const struct {
        FolioHeatEvidence evidence;
        guint64 samples;
        FolioVerdict expected;
    } cases[] = {
        { { 0 }, 0, FOLIO_VERDICT_IDLE },
        { { .incidences = 1, .seen = 1, .once = 1 }, 1, FOLIO_VERDICT_UNDECIDED },
        /* One hot sub-page, all the time, and the same from a single burst. */
        { { .incidences = 10, .seen = 1 }, 1000, FOLIO_VERDICT_SPARSE },
        { { .incidences = 1, .seen = 1, .once = 1 }, 1000, FOLIO_VERDICT_UNDECIDED },
        { { .incidences = 47, .seen = 10 }, 47, FOLIO_VERDICT_UNDECIDED },
        { { .incidences = 48, .seen = 10 }, 48, FOLIO_VERDICT_SPARSE },
        /* 48 different sub-pages once each: there are more. */
        { { .incidences = 48, .seen = 48, .once = 48 }, 48, FOLIO_VERDICT_DENSE },
        { { .incidences = 60, .seen = 40, .once = 25, .twice = 10 }, 60, FOLIO_VERDICT_UNDECIDED },
        { { .incidences = 2000, .seen = 200, .once = 2, .twice = 3 }, 5000, FOLIO_VERDICT_DENSE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_int_equal(folio_analysis_one_window(&cases[i].evidence, cases[i].samples),
                         cases[i].expected);
}

static void
test_block_index(void **state)
{
    g_autoptr(FolioBlockIndex) index = folio_block_index_new(5000);

    for (guint round = 0; round < 2; round++) {
        for (guint64 i = 0; i < 5000; i++)
            assert_int_equal(folio_block_index_number(index, i * i << 20 | i), i);
    }
    assert_int_equal(folio_block_index_number(index, 77), FOLIO_NO_BLOCK);
    assert_int_equal(folio_block_index_number(index, 0), 0);
    assert_int_equal(index->blocks->len, 5000);
}

static void
test_nothing_recorded(void **state)
{
    Recording recording;
    g_autoptr(FolioPerfFile) file = NULL;
    g_autoptr(FolioAnalysis) analysis = NULL;
    g_autoptr(GError) error = NULL;

    recording_begin(&recording, TRUE, TRUE);
    file = recording_end(&recording);
    analysis = analyze(file, 0, &error);
    assert_no_error(error);
    assert_int_equal(analysis->records, 0);
    assert_int_equal(analysis->blocks->len, 0);
    assert_false(analysis->confirmed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_without_times),
        cmocka_unit_test(test_unknown_guest),
        cmocka_unit_test(test_window_length),
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_guests),
        cmocka_unit_test(test_guest_clock),
        cmocka_unit_test(test_mapped),
        cmocka_unit_test(test_by_time),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_one_window),
        cmocka_unit_test(test_block_index),
        cmocka_unit_test(test_nothing_recorded),
    };

    return cmocka_run_group_tests_name("analysis", tests, NULL, NULL);
}
