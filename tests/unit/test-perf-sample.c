/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records of a perf event, as the kernel writes them and cut short. */
#include "cmocka-all.h"
#include "sample/perf-sample.h"

typedef struct {
    struct perf_event_header header;
    guint64 words[4];
} Record;

static Record
record_of(guint32 type, guint16 misc, guint n_words)
{
    return (
        Record){ .header = { .type = type,
                             .misc = misc,
                             .size = (guint16) (sizeof(struct perf_event_header) + 8 * n_words) } };
}

static void
test_sample_record(void **state)
{
    union perf_mem_data_src source = { .val = 0 };
    Record record = record_of(PERF_RECORD_SAMPLE, PERF_RECORD_MISC_GUEST_KERNEL, 4);
    FolioSample sample;

    source.mem_op = PERF_MEM_OP_STORE;
    source.mem_dtlb = PERF_MEM_TLB_WK | PERF_MEM_TLB_HIT;
    record.words[0] = 0x7fff12345678;
    record.words[1] = 70000;
    record.words[2] = source.val;
    record.words[3] = 0x123456789abc;
    assert_true(folio_perf_sample_read(&record.header, &sample));
    assert_int_equal(sample.pa, 0x123456789abc);
    assert_int_equal(sample.flags, FOLIO_SAMPLE_STORE | FOLIO_SAMPLE_GUEST | FOLIO_SAMPLE_TLB_WALK |
                                       FOLIO_SAMPLE_HAS_LATENCY);
    assert_int_equal(sample.total_latency, G_MAXUINT16);

    source.mem_op = PERF_MEM_OP_LOAD;
    source.mem_dtlb = PERF_MEM_TLB_HIT;
    record.header.misc = PERF_RECORD_MISC_USER;
    record.words[1] = 0;
    record.words[2] = source.val;
    assert_true(folio_perf_sample_read(&record.header, &sample));
    assert_int_equal(sample.flags, 0);

    for (guint16 size = 8; size < 40; size += 8) {
        record.header.size = size;
        assert_false(folio_perf_sample_read(&record.header, &sample));
    }
}

static void
test_other_records(void **state)
{
    static const guint64 all = PERF_AUX_FLAG_TRUNCATED | PERF_AUX_FLAG_PARTIAL |
                               PERF_AUX_FLAG_COLLISION | PERF_AUX_FLAG_OVERWRITE;
    FolioSourceCounters counters = { 0 };
    Record lost = record_of(PERF_RECORD_LOST, 0, 2);
    Record lost_samples = record_of(PERF_RECORD_LOST_SAMPLES, 0, 1);
    Record throttle = record_of(PERF_RECORD_THROTTLE, 0, 3);
    Record unthrottle = record_of(PERF_RECORD_UNTHROTTLE, 0, 3);
    Record aux = record_of(PERF_RECORD_AUX, 0, 3);
    Record start = record_of(PERF_RECORD_ITRACE_START, 0, 1);

    lost.words[0] = 99;
    lost.words[1] = 1000;
    lost_samples.words[0] = 24;
    start.words[0] = all;
    assert_false(folio_perf_record_count(&lost.header, &counters));
    assert_false(folio_perf_record_count(&lost_samples.header, &counters));
    assert_false(folio_perf_record_count(&throttle.header, &counters));
    assert_false(folio_perf_record_count(&unthrottle.header, &counters));
    assert_false(folio_perf_record_count(&start.header, &counters));
    aux.words[0] = aux.words[1] = all;
    assert_false(folio_perf_record_count(&aux.header, &counters));
    aux.words[2] = PERF_AUX_FLAG_COLLISION;
    assert_false(folio_perf_record_count(&aux.header, &counters));
    aux.words[2] = all;
    assert_true(folio_perf_record_count(&aux.header, &counters));
    assert_int_equal(counters.lost, 1024);
    assert_int_equal(counters.throttled, 1);
    assert_int_equal(counters.truncated, 1);
    assert_int_equal(counters.partial, 1);
    assert_int_equal(counters.collisions, 2);
    /* One cut short says nothing, and nothing beside it is read. */
    aux.header.size = 16;
    assert_false(folio_perf_record_count(&aux.header, &counters));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_record),
        cmocka_unit_test(test_other_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
