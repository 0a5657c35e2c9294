/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spe-source on AUX areas of memory: what the unit wrote is what the sink gets, what was lost is
 * counted, and an event that the driver stopped goes on. By CPU, so that no process is needed. */
#include "common/alloc-count.h"
#include "common/spe-encoder.h"
#include "spe-fixture.h"

#include <sys/mman.h>

/* A stream of whole records, and what has to come out of it. */
typedef struct {
    GByteArray *bytes;
    GArray *ends;     /* gsize */
    GArray *places;   /* of each record's sample among expected; -1: it gives none */
    GArray *expected; /* FolioSample */
} Stream;

static FolioSample
expect_sample(const FolioSpeRecord *record)
{
    FolioSample sample = { .pa = record->pa };

    if ((record->operation & 1) != 0)
        sample.flags |= FOLIO_SAMPLE_STORE;
    if ((record->present & 1 << FOLIO_SPE_CONTEXT_EL1) != 0 ||
        ((record->present & 1 << FOLIO_SPE_PC) != 0 && record->pc_el == 1))
        sample.flags |= FOLIO_SAMPLE_GUEST;
    if ((record->events & FOLIO_SPE_EVENT_TLB_WALK) != 0)
        sample.flags |= FOLIO_SAMPLE_TLB_WALK;
    if ((record->present & 1 << FOLIO_SPE_TOTAL_LATENCY) != 0) {
        sample.flags |= FOLIO_SAMPLE_HAS_LATENCY;
        sample.total_latency = (guint16) record->total_latency;
    }
    if ((record->present & 1 << FOLIO_SPE_TRANSLATION_LATENCY) != 0) {
        sample.flags |= FOLIO_SAMPLE_TRANSLATED;
        sample.translation_latency = (guint16) record->translation_latency;
    }
    return sample;
}

static void
append_record(Stream *stream, const SpeSample *sample, GRand *random)
{
    static const SpeLayout layout = { .order = SPE_ORDER_SHUFFLED, .alignment = 4 };
    FolioSpeRecord record;
    gint place = -1;
    gsize end;

    spe_encode(stream->bytes, sample, &layout, random);
    end = stream->bytes->len;
    g_array_append_val(stream->ends, end);
    spe_expect(&record, sample);
    if (folio_spe_record_is_access(&record) && (record.present & 1 << FOLIO_SPE_PA) != 0) {
        const FolioSample expected = expect_sample(&record);

        place = (gint) stream->expected->len;
        g_array_append_val(stream->expected, expected);
    }
    g_array_append_val(stream->places, place);
}

/* n records as a host sees them of its guests; the first is of the host's kernel at EL2. */
static Stream *
stream_new(guint n, GRand *random)
{
    Stream *stream = g_new0(Stream, 1);
    SpeSample sample = { .present = 1 << FOLIO_SPE_PC | 1 << FOLIO_SPE_TIMESTAMP };

    stream->bytes = g_byte_array_new();
    stream->ends = g_array_new(FALSE, FALSE, sizeof(gsize));
    stream->places = g_array_new(FALSE, FALSE, sizeof(gint));
    stream->expected = g_array_new(FALSE, FALSE, sizeof(FolioSample));
    sample.payload[FOLIO_SPE_PC] = 0xc000000000001000;
    append_record(stream, &sample, random);
    for (guint i = 1; i < n; i++) {
        spe_guest_sample(&sample, 1 << 20, i, random);
        append_record(stream, &sample, random);
    }
    return stream;
}

static void
stream_free(Stream *stream)
{
    g_byte_array_unref(stream->bytes);
    g_array_unref(stream->ends);
    g_array_unref(stream->places);
    g_array_unref(stream->expected);
    g_free(stream);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_free)

/* The unit writes up to n records from record *at on. */
static void
run(FolioPerfRing *ring, const Stream *stream, guint *at, guint n)
{
    const gsize base = *at > 0 ? g_array_index(stream->ends, gsize, *at - 1) : 0;
    g_autofree gsize *ends = g_new(gsize, n);

    for (guint i = 0; i < n; i++)
        ends[i] = g_array_index(stream->ends, gsize, *at + i) - base;
    *at += fake_run(ring, stream->bytes->data + base, ends, n);
}

static void
assert_got_all(const Fixture *fixture, const Stream *stream)
{
    const FolioSourceCounters counters = counters_of(fixture);
    guint n_guest = 0;

    assert_int_equal(fixture->n_got, stream->expected->len);
    for (guint i = 0; i < fixture->n_got; i++) {
        const FolioSample *expected = &g_array_index(stream->expected, FolioSample, i);
        const FolioSample *got = &fixture->got[i];

        assert_int_equal(got->pa, expected->pa);
        assert_int_equal(got->flags, expected->flags);
        assert_int_equal(got->total_latency, expected->total_latency);
        assert_int_equal(got->translation_latency, expected->translation_latency);
        n_guest += (got->flags & FOLIO_SAMPLE_GUEST) != 0;
    }
    assert_int_equal(counters.samples, fixture->n_got);
    assert_int_equal(counters.guest_samples, n_guest);
    assert_int_equal(counters.garbage, 0);
    assert_true(n_guest > 0 && n_guest < fixture->n_got);
}

/* The area goes round many times; drained at odd moments, it gives each sample once, in order. */
static void
test_round_and_round(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(Stream) stream = stream_new(50000, fixture->random);
    guint at = 0;

    start(fixture);
    while (at < stream->ends->len) {
        const guint n = (guint) g_rand_int_range(fixture->random, 0, 120);

        run(fake_ring(0), stream, &at, MIN(n, stream->ends->len - at));
        drain(fixture);
    }
    assert_got_all(fixture, stream);
    assert_int_equal(counters_of(fixture).truncated, 0);
    assert_int_equal(counters_of(fixture).restarts, 0);
    assert_true(fake_ring(0)->control->aux_head > 50 * AUX_BYTES);
    assert_int_equal(fake_ring(0)->control->aux_tail, fake_ring(0)->control->aux_head);
}

/* The area fills up again and again: the driver stops the event, the drain starts it again, and
 * what was written before the stop is all there. */
static void
test_full_area(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(Stream) stream = stream_new(20000, fixture->random);
    guint at = 0, n_stops = 0;

    start(fixture);
    while (at < stream->ends->len) {
        run(fake_ring(0), stream, &at, stream->ends->len - at);
        n_stops += !fake_ring(0)->on;
        drain(fixture);
        assert_true(fake_ring(0)->on);
    }
    assert_got_all(fixture, stream);
    assert_true(n_stops > 20);
    assert_int_equal(counters_of(fixture).truncated, n_stops);
    assert_int_equal(counters_of(fixture).restarts, n_stops);
}

/* A session that was switched off is not switched on by a drain. */
static void
test_stays_off(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(Stream) stream = stream_new(2000, fixture->random);
    guint at = 0;

    start(fixture);
    run(fake_ring(0), stream, &at, 2000);
    assert_false(fake_ring(0)->on);
    fixture->source->klass->enable(fixture->session, FALSE);
    drain(fixture);
    assert_false(fake_ring(0)->on);
    assert_int_equal(counters_of(fixture).truncated, 1);
    assert_int_equal(counters_of(fixture).restarts, 0);
}

/* A record that the area's end cut off, and rubbish: counted, and what comes behind is sound. */
static void
test_damage(void **state)
{
    static const guint8 rubbish[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    Fixture *fixture = *state;
    g_autoptr(Stream) stream = stream_new(200, fixture->random);
    FolioPerfRing *ring = NULL;
    guint at = 0;
    gsize cut;

    start(fixture);
    ring = fake_ring(2);
    run(ring, stream, &at, 100);
    /* Half of record 100, which is lost. */
    cut = g_array_index(stream->ends, gsize, 99);
    fake_write(ring, stream->bytes->data + cut, 5,
               PERF_AUX_FLAG_TRUNCATED | PERF_AUX_FLAG_PARTIAL | PERF_AUX_FLAG_COLLISION);
    drain(fixture);
    assert_int_equal(counters_of(fixture).garbage, 5);
    assert_int_equal(counters_of(fixture).truncated, 1);
    assert_int_equal(counters_of(fixture).partial, 1);
    assert_int_equal(counters_of(fixture).collisions, 1);
    assert_int_equal(counters_of(fixture).damaged, 1); /* it is one buffer */
    fake_write(ring, rubbish, sizeof(rubbish), 0);
    run(ring, stream, &at, 100);
    drain(fixture);
    /* The decoder looks for a PC, which may not come first in the next record. */
    assert_in_range(counters_of(fixture).garbage, 5 + sizeof(rubbish), 5 + sizeof(rubbish) + 32);
    assert_int_equal(fixture->n_got, stream->expected->len);
}

/* An alignment packet skips to a boundary of its own area, whatever was decoded before. */
static void
test_alignment_within_the_area(void **state)
{
    /* To the next multiple of 16; what is skipped would be garbage. */
    static const guint8 align[16] = { 0x23, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    Fixture *fixture = *state;
    g_autoptr(Stream) stream = stream_new(100, fixture->random);
    guint at = 0;

    start(fixture);
    for (guint i = 0; i < CPUS; i++)
        fake_write(fake_ring(i), align, sizeof(align), 0);
    /* Where the area of CPU 0 ends is no multiple of 16. */
    run(fake_ring(0), stream, &at, 1);
    while (fake_ring(0)->control->aux_head % 16 == 0)
        run(fake_ring(0), stream, &at, 1);
    run(fake_ring(1), stream, &at, 100 - at);
    drain(fixture);
    assert_got_all(fixture, stream);
}

static void
test_lost_accounts(void **state)
{
    static const guint64 lost[] = { 17, 3 };
    Fixture *fixture = *state;

    start(fixture);
    fake_record(fake_ring(1), PERF_RECORD_LOST, lost, 2);
    fake_record(fake_ring(1), PERF_RECORD_ITRACE_START, lost, 1);
    drain(fixture);
    assert_int_equal(counters_of(fixture).lost, 3);
    assert_int_equal(counters_of(fixture).truncated, 0);
}

/* Until a record proves that the host's kernel is at EL2, EL1 is no guest. */
static void
test_no_guest_without_proof(void **state)
{
    Fixture *fixture = *state;
    SpeSample sample = { .present = 1 << FOLIO_SPE_PC | 1 << FOLIO_SPE_PA |
                                    1 << FOLIO_SPE_OPERATION | 1 << FOLIO_SPE_TIMESTAMP,
                         .operation_class = FOLIO_SPE_CLASS_LOAD_STORE };
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    static const SpeLayout layout = { .order = SPE_ORDER_KUNPENG };

    start(fixture);
    sample.payload[FOLIO_SPE_PC] = 0xa000000000001000; /* EL1 */
    sample.payload[FOLIO_SPE_PA] = 0x5000;
    spe_encode(bytes, &sample, &layout, fixture->random);
    fake_write(fake_ring(0), bytes->data, bytes->len, 0);
    drain(fixture);
    assert_int_equal(counters_of(fixture).samples, 1);
    assert_int_equal(counters_of(fixture).guest_samples, 0);
    sample.payload[FOLIO_SPE_PC] = 0xc000000000001000; /* EL2 */
    spe_encode(bytes, &sample, &layout, fixture->random);
    fake_write(fake_ring(0), bytes->data, bytes->len, 0);
    fake_write(fake_ring(1), bytes->data, bytes->len, 0);
    drain(fixture);
    assert_int_equal(counters_of(fixture).samples, 5);
    assert_int_equal(counters_of(fixture).guest_samples, 1);
}

static void
test_nothing_is_allocated(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(Stream) stream = stream_new(5000, fixture->random);
    guint64 n = 0;
    guint at = 0;

    start(fixture);
    while (at < stream->ends->len) {
        guint64 before;

        run(fake_ring(0), stream, &at, stream->ends->len - at);
        before = alloc_count();
        drain(fixture);
        n += alloc_count() - before;
    }
    assert_int_equal(n, 0);
    assert_got_all(fixture, stream);
}

/* What the kernel is asked for. */
static void
test_attributes(void **state)
{
    Fixture *fixture = *state;

    start(fixture);
    for (guint i = 0; i < CPUS; i++) {
        const FolioPerfRing *ring = fake_ring(i);

        assert_int_equal(ring->cpu, i);
        assert_int_equal(ring->tid, -1);
        assert_int_equal(ring->event.attr.type, 9);
        assert_int_equal(ring->event.attr.config, 3 | 1ULL << 33 | 1ULL << 34);
        assert_int_equal(ring->event.aux_bytes, AUX_BYTES);
        assert_int_equal(ring->event.attr.aux_watermark, AUX_BYTES / 4);
        assert_int_equal(ring->period, 4864); /* the hardware counts in steps of 256 */
    }
    fixture->source->klass->set_period(fixture->session, 1);
    assert_int_equal(counters_of(fixture).period, 1024);
    assert_int_equal(fake_ring(3)->period, 1024);
    fixture->source->klass->set_period(fixture->session, G_MAXUINT64);
    assert_int_equal(counters_of(fixture).period, 0xffffff00);
}

/* Hardware that cannot filter by class gives all; then the filter is ours. */
static void
test_no_class_filter(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(Stream) stream = stream_new(500, fixture->random);
    guint at = 0;

    fake_refused_config = 1ULL << 33;
    start(fixture);
    assert_int_equal(fake_ring(0)->event.attr.config, 3);
    while (at < stream->ends->len) {
        run(fake_ring(0), stream, &at, stream->ends->len - at);
        drain(fixture);
    }
    assert_got_all(fixture, stream);
}

/* How many of the records from first to end give a sample. */
static guint
count_samples(const Stream *stream, guint first, guint end)
{
    guint n = 0;

    for (guint i = first; i < end; i++)
        n += g_array_index(stream->places, gint, i) >= 0;
    return n;
}

/* Of many areas those that fill up are read, and no other, until all are. */
static void
test_ready_only(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(Stream) stream = stream_new(100, fixture->random);
    const FolioSourceClass *klass = NULL;
    g_autoptr(GError) error = NULL;
    guint at = 0;

    start(fixture);
    klass = fixture->source->klass;
    run(fake_ring(1), stream, &at, 10);
    assert_true(g_array_index(stream->ends, gsize, 9) < AUX_BYTES / 8);
    assert_true(klass->drain_ready(fixture->session, take, fixture, &error));
    assert_int_equal(fixture->n_got, 0);
    run(fake_ring(2), stream, &at, 90);
    assert_true(fake_ring(2)->control->aux_head > AUX_BYTES / 8);
    assert_true(klass->drain_ready(fixture->session, take, fixture, &error));
    assert_int_equal(fixture->n_got, count_samples(stream, 10, 100));
    drain(fixture);
    assert_int_equal(fixture->n_got, count_samples(stream, 0, 100));
}

/* So is one whose ring of records fills up before its area does. */
static void
test_records_fill_up(void **state)
{
    Fixture *fixture = *state;
    FolioPerfRing *ring = NULL;
    g_autoptr(GError) error = NULL;

    start(fixture);
    ring = fake_ring(3);
    for (guint i = 0; i < FAKE_RECORD_BYTES / 8 / 32; i++)
        fake_write(ring, "", 0, PERF_AUX_FLAG_COLLISION);
    assert_true(fixture->source->klass->drain_ready(fixture->session, take, fixture, &error));
    assert_int_equal(counters_of(fixture).collisions, FAKE_RECORD_BYTES / 8 / 32);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_host(test_ready_only),
        with_host(test_records_fill_up),
        with_host(test_round_and_round),
        with_host(test_full_area),
        with_host(test_stays_off),
        with_host(test_damage),
        with_host(test_alignment_within_the_area),
        with_host(test_lost_accounts),
        with_host(test_no_guest_without_proof),
        with_host(test_nothing_is_allocated),
        with_host(test_attributes),
        with_host(test_no_class_filter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
