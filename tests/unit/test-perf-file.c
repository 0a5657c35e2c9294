/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* perf-file: what perf record writes, files that break off at any byte, and hostile ones. */
#include "base/error.h"
#include "cmocka-all.h"
#include "common/perf-writer.h"
#include "sample/perf-file.h"

#include <linux/perf_event.h>

/* Places in a file of perf-writer. */
#define AT_HEADER_SIZE  8
#define AT_ATTR_SIZE    16
#define AT_ATTRS_OFFSET 24
#define AT_ATTRS_SIZE   32
#define AT_DATA_OFFSET  40
#define AT_DATA_SIZE    48

static const guint8 trace[] = { 0x49, 0x00, 0x01, 0, 0, 0, 0, 0, 0x49, 0x01, 0x01, 0, 0, 0, 0, 0 };

/* Two areas, one of them in two pieces, and everything else that is read. */
static GBytes *
example(guint version, gboolean per_cpu)
{
    PerfWriter *writer = perf_writer_new(version, 4);

    perf_writer_time_conv(writer, 10, 3 << 10, 5000);
    perf_writer_itrace_start(writer, 100, 101);
    perf_writer_event(writer, PERF_RECORD_COMM, "\x64\0\0\0\x65\0\0\0qemu\0\0\0", 16);
    perf_writer_aux(writer, 0, 16, 0);
    perf_writer_auxtrace(writer, per_cpu ? 2 : -1, per_cpu ? -1 : 101, 0, 0x1000, trace, 16);
    perf_writer_event(writer, PERF_RECORD_LOST, (const guint64[]){ 7, 11 }, 16);
    perf_writer_aux(writer, 16, 8, PERF_AUX_FLAG_TRUNCATED | PERF_AUX_FLAG_PARTIAL);
    perf_writer_auxtrace(writer, per_cpu ? 3 : -1, per_cpu ? -1 : 102, 1, 0, trace, 8);
    perf_writer_event(writer, PERF_RECORD_LOST_SAMPLES, (const guint64[]){ 13 }, 8);
    perf_writer_aux(writer, 24, 0, PERF_AUX_FLAG_COLLISION);
    perf_writer_auxtrace(writer, per_cpu ? 2 : -1, per_cpu ? -1 : 101, 0, 0x1010, trace + 8, 8);
    perf_writer_itrace_start(writer, 100, 102);
    perf_writer_event(writer, 81, "compress", 8);
    return perf_writer_close(writer);
}

static const FolioPerfBuffer *
buffer_at(const FolioPerfFile *file, guint i)
{
    assert_true(i < file->buffers->len);
    return &g_array_index(file->buffers, FolioPerfBuffer, i);
}

static void
assert_example(const FolioPerfFile *file, guint version, gboolean per_cpu)
{
    assert_int_equal(file->info_version, version);
    assert_int_equal(file->pmu_type, PERF_WRITER_PMU_TYPE);
    assert_int_equal(file->described_cpus, version == 2 ? 4 : 0);
    assert_int_equal(file->midr, version == 2 ? 0x481fd010 : 0);
    assert_int_equal(file->min_interval, version == 2 ? 1024 : 0);
    assert_int_equal(file->period, 4096);
    assert_true(file->excludes_guests);
    assert_int_equal(file->aux_events, 3);
    assert_int_equal(file->truncated, 1);
    assert_int_equal(file->partial, 1);
    assert_int_equal(file->collisions, 1);
    assert_int_equal(file->lost, 11 + 13);
    assert_int_equal(file->compressed, 1);
    assert_int_equal(folio_perf_file_pid(file, 101), 100);
    assert_int_equal(folio_perf_file_pid(file, 102), 100);
    assert_int_equal(folio_perf_file_pid(file, 103), -1);
    assert_int_equal(file->buffers->len, 3);
    assert_int_equal(buffer_at(file, 0)->cpu, per_cpu ? 2 : -1);
    assert_int_equal(buffer_at(file, 0)->tid, per_cpu ? -1 : 101);
    assert_int_equal(buffer_at(file, 0)->position, 0x1000);
    assert_int_equal(buffer_at(file, 0)->size, 16);
    assert_memory_equal(buffer_at(file, 0)->data, trace, 16);
    assert_int_equal(buffer_at(file, 1)->cpu, per_cpu ? 3 : -1);
    assert_int_equal(buffer_at(file, 1)->tid, per_cpu ? -1 : 102);
    assert_int_equal(buffer_at(file, 2)->position, 0x1010);
    assert_int_equal(buffer_at(file, 2)->size, 8);
    assert_memory_equal(buffer_at(file, 2)->data, trace + 8, 8);
}

static void
test_whole_files(void **state)
{
    for (guint i = 0; i < 4; i++) {
        g_autoptr(GBytes) bytes = example(1 + i / 2, i % 2 == 1);
        g_autoptr(GError) error = NULL;
        g_autoptr(FolioPerfFile) file = folio_perf_file_parse(bytes, "x", &error);

        assert_no_error(error);
        assert_no_error(file->damage);
        assert_example(file, 1 + i / 2, i % 2 == 1);
    }
}

/* The first size bytes, in a block of just that size; bytes may be changed before they are parsed.
 */
static FolioPerfFile *
parse_prefix(GBytes *whole, gsize size, GError **error)
{
    g_autoptr(GBytes) bytes =
        g_bytes_new_take(g_memdup2(g_bytes_get_data(whole, NULL), size), size);

    return folio_perf_file_parse(bytes, "cut.data", error);
}

static guint64
bytes_in_buffers(const FolioPerfFile *file)
{
    guint64 sum = 0;

    for (guint i = 0; i < file->buffers->len; i++)
        sum += buffer_at(file, i)->size;
    return sum;
}

/* Each prefix is an error, or a file that says where it breaks and has all that came before. */
static void
test_every_truncation(void **state)
{
    for (guint version = 1; version <= 2; version++) {
        g_autoptr(GBytes) whole = example(version, TRUE);
        const guint8 *data = g_bytes_get_data(whole, NULL);
        guint64 data_offset, data_size, known = 0;

        memcpy(&data_offset, data + AT_DATA_OFFSET, 8);
        memcpy(&data_size, data + AT_DATA_SIZE, 8);
        for (gsize size = 0; size < g_bytes_get_size(whole); size++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(FolioPerfFile) file = parse_prefix(whole, size, &error);

            if (file == NULL) {
                assert_folio_error(error, FOLIO_ERROR_INVALID);
                assert_true(g_str_has_prefix(error->message, "cut.data: "));
                assert_int_equal(known, 0);
                continue;
            }
            assert_no_error(error);
            assert_true((file->damage != NULL) == (size < data_offset + data_size));
            if (file->damage != NULL)
                assert_true(g_str_has_prefix(file->damage->message, "cut.data: breaks off "));
            assert_in_range(bytes_in_buffers(file), known, known + 1);
            known = bytes_in_buffers(file);
        }
        assert_int_equal(known, 16 + 8 + 8);
    }
}

/* ---- Files that are refused */

static GBytes *
changed(GBytes *whole, gsize at, const void *bytes, gsize size)
{
    gsize length;
    guint8 *copy = g_memdup2(g_bytes_get_data(whole, &length), g_bytes_get_size(whole));

    assert_true(at + size <= length);
    memcpy(copy + at, bytes, size);
    return g_bytes_new_take(copy, length);
}

static void
assert_refused(GBytes *bytes, FolioErrorCode code, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioPerfFile) file = folio_perf_file_parse(bytes, "bad.data", &error);

    assert_null(file);
    assert_folio_error(error, code);
    assert_true(g_str_has_prefix(error->message, "bad.data: "));
    if (strstr(error->message, text) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", error->message, text);
}

static void
assert_refused_with(GBytes *whole, gsize at, guint64 value, const char *text)
{
    g_autoptr(GBytes) bytes = changed(whole, at, &value, sizeof(value));

    assert_refused(bytes, FOLIO_ERROR_INVALID, text);
}

static void
test_other_formats(void **state)
{
    g_autoptr(GBytes) whole = example(1, TRUE);
    g_autoptr(GBytes) big_endian = changed(whole, 0, "2ELIFREP", 8);
    g_autoptr(GBytes) version1 = changed(whole, 0, "PERFFILE", 8);
    g_autoptr(GBytes) text = changed(whole, 0, "#!/bin/s", 8);
    g_autoptr(GBytes) stream = g_bytes_new_static("PERFILE2\x10\0\0\0\0\0\0\0", 16);
    g_autoptr(GBytes) empty = g_bytes_new_static("", 0);

    assert_refused(big_endian, FOLIO_ERROR_UNSUPPORTED, "big-endian");
    assert_refused(version1, FOLIO_ERROR_UNSUPPORTED, "version 1");
    assert_refused(text, FOLIO_ERROR_INVALID, "no perf.data file");
    assert_refused(stream, FOLIO_ERROR_UNSUPPORTED, "pipe");
    assert_refused(empty, FOLIO_ERROR_INVALID, "too short");
}

static void
test_other_traces(void **state)
{
    g_autoptr(GBytes) whole = example(1, TRUE);
    guint64 data_offset;
    g_autoptr(GBytes) intel = NULL, none = NULL;

    memcpy(&data_offset, (const guint8 *) g_bytes_get_data(whole, NULL) + AT_DATA_OFFSET, 8);
    intel = changed(whole, data_offset + 8, "\x01", 1);
    assert_refused(intel, FOLIO_ERROR_UNSUPPORTED, "of type 1, not Arm SPE");
    none = changed(whole, data_offset, "\x03", 1);
    assert_refused(none, FOLIO_ERROR_NOT_FOUND, "no AUX trace");
}

static void
test_impossible_header(void **state)
{
    g_autoptr(GBytes) whole = example(1, TRUE);

    assert_refused_with(whole, AT_HEADER_SIZE, 71, "header of an impossible size");
    assert_refused_with(whole, AT_DATA_OFFSET, G_MAXUINT64, "before its events");
}

/* The events are of use without them. */
static void
test_impossible_attributes(void **state)
{
    static const struct {
        gsize at;
        guint64 value;
        const char *text;
    } cases[] = {
        { AT_ATTR_SIZE, 0, "attributes of an impossible size" },
        { AT_ATTR_SIZE, 79, "attributes of an impossible size" },
        { AT_ATTRS_OFFSET, G_MAXUINT64, "within its attributes" },
        { AT_ATTRS_SIZE, G_MAXUINT64, "within its attributes" },
    };
    g_autoptr(GBytes) whole = example(1, TRUE);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) bytes = changed(whole, cases[i].at, &cases[i].value, 8);
        g_autoptr(GError) error = NULL;
        g_autoptr(FolioPerfFile) file = folio_perf_file_parse(bytes, "x", &error);

        assert_no_error(error);
        assert_folio_error(file->damage, FOLIO_ERROR_INVALID);
        assert_non_null(strstr(file->damage->message, cases[i].text));
        assert_int_equal(file->period, 0);
        assert_int_equal(file->buffers->len, 3);
    }
}

/* ---- Files that break */

/* The damage of a file that begins well, with AUXTRACE_INFO and one buffer. */
static void
assert_damage(PerfWriter *writer, const char *text)
{
    g_autoptr(GBytes) bytes = perf_writer_close(writer);
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioPerfFile) file = folio_perf_file_parse(bytes, "bad.data", &error);

    assert_no_error(error);
    assert_folio_error(file->damage, FOLIO_ERROR_INVALID);
    assert_int_equal(file->buffers->len, 1);
    assert_false(file->clock.known);
    if (strstr(file->damage->message, text) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", file->damage->message, text);
}

static PerfWriter *
begin(void)
{
    PerfWriter *writer = perf_writer_new(1, 0);

    perf_writer_auxtrace(writer, 0, -1, 0, 0, trace, 16);
    return writer;
}

static void
test_short_events(void **state)
{
    static const struct {
        guint32 type;
        gsize size; /* one word less than it takes */
    } cases[] = {
        { 70, 16 },
        { 71, 32 },
        { 79, 16 },
        { PERF_RECORD_AUX, 16 },
        { PERF_RECORD_LOST, 8 },
        { PERF_RECORD_LOST_SAMPLES, 0 },
        { PERF_RECORD_ITRACE_START, 0 },
    };
    const guint64 body[8] = { 4 };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        PerfWriter *writer = begin();

        perf_writer_event(writer, cases[i].type, body, cases[i].size);
        assert_damage(writer, "too short");
    }
}

static void
test_broken_events(void **state)
{
    PerfWriter *writer = begin();

    perf_writer_time_conv(writer, 64, 1, 0);
    assert_damage(writer, "impossible shift");
    writer = begin();
    perf_writer_event(writer, 70, (const guint64[]){ 4, 7, 4, 0, 0 }, 40);
    assert_damage(writer, "of no known version");
    writer = begin();
    perf_writer_event(writer, 70, (const guint64[]){ 4, 2, 5, 0, 0 }, 40);
    assert_damage(writer, "header of an impossible length");
    writer = begin();
    perf_writer_event(writer, 70, (const guint64[]){ 4, 2, 4, 0, G_MAXUINT64 }, 40);
    assert_damage(writer, "fewer CPUs");
    writer = begin();
    perf_writer_event(
        writer, 70, (const guint64[]){ 4, 2, 4, 0, 1, 0x1010101010101010, 0, G_MAXUINT64, 0, 0, 0 },
        88);
    assert_damage(writer, "at an impossible length");
}

static void
test_endless_event(void **state)
{
    g_autoptr(GBytes) whole = example(1, TRUE);
    guint64 data_offset;
    g_autoptr(GBytes) bytes = NULL;

    memcpy(&data_offset, (const guint8 *) g_bytes_get_data(whole, NULL) + AT_DATA_OFFSET, 8);
    bytes = changed(whole, data_offset + 6, "\0\0", 2);
    assert_refused(bytes, FOLIO_ERROR_INVALID, "impossible size for the event");
}

/* A trace that claims more than there is gives what there is. */
static void
test_endless_trace(void **state)
{
    g_autoptr(GBytes) whole = example(1, TRUE);
    const guint64 size = G_MAXUINT64;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioPerfFile) file = NULL;
    const guint8 *data;
    guint64 data_offset, data_size;
    gsize at;

    data = g_bytes_get_data(whole, NULL);
    memcpy(&data_offset, data + AT_DATA_OFFSET, 8);
    memcpy(&data_size, data + AT_DATA_SIZE, 8);
    for (at = data_offset; data[at] != 71; at += data[at + 6])
        ;
    bytes = changed(whole, at + 8, &size, sizeof(size));
    file = folio_perf_file_parse(bytes, "x", &error);
    assert_no_error(error);
    assert_non_null(strstr(file->damage->message, "breaks off within the trace"));
    assert_int_equal(file->buffers->len, 1);
    assert_int_equal(buffer_at(file, 0)->size, data_offset + data_size - at - 48);
}

/* perf record that was killed has not filled in the size of the data. */
static void
test_not_closed(void **state)
{
    g_autoptr(GBytes) whole = example(1, TRUE);
    const guint64 zero = 0;
    g_autoptr(GBytes) bytes = changed(whole, AT_DATA_SIZE, &zero, sizeof(zero));
    guint64 data_offset, data_size;
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioPerfFile) file = NULL;
    const guint8 *data = g_bytes_get_data(whole, NULL);

    memcpy(&data_offset, data + AT_DATA_OFFSET, 8);
    memcpy(&data_size, data + AT_DATA_SIZE, 8);
    file = parse_prefix(bytes, data_offset + data_size, &error);
    assert_no_error(error);
    assert_non_null(strstr(file->damage->message, "was not closed"));
    assert_example(file, 1, TRUE);
}

static void
test_any_byte_changed(void **state)
{
    g_autoptr(GBytes) whole = example(2, TRUE);
    gsize size = g_bytes_get_size(whole);

    for (gsize i = 0; i < 3 * size; i++) {
        static const guint8 values[] = { 0x00, 0x48, 0xff };
        g_autoptr(GBytes) bytes = changed(whole, i / 3, &values[i % 3], 1);
        g_autoptr(GError) error = NULL;
        g_autoptr(FolioPerfFile) file = parse_prefix(bytes, size, &error);

        assert_true((file == NULL) == (error != NULL));
        if (file != NULL)
            assert_in_range(bytes_in_buffers(file), 0, size);
    }
}

static void
test_clock(void **state)
{
    g_autoptr(GBytes) bytes = example(1, TRUE);
    g_autoptr(FolioPerfFile) file = folio_perf_file_parse(bytes, "x", NULL);
    FolioPerfClock clock = { .known = TRUE, .shift = 32, .mult = 0xffffffff, .zero = 1 };

    assert_true(file->clock.known);
    assert_int_equal(folio_perf_clock_time(&file->clock, 0), 5000);
    assert_int_equal(folio_perf_clock_time(&file->clock, 1000), 8000);
    assert_int_equal(folio_perf_clock_time(&file->clock, 1ull << 40), 5000 + (3ull << 40));
    assert_int_equal(folio_perf_clock_time(&clock, 0xffffffff), 0xffffffff);
    /* A counter of 16 bits that has gone round since cycles were taken. */
    clock = (FolioPerfClock){ TRUE, 0, 2, 0, TRUE, 0x2fff0, 0xffff };
    assert_int_equal(folio_perf_clock_time(&clock, 0x0005), 2 * 0x30005);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_files),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_other_formats),
        cmocka_unit_test(test_other_traces),
        cmocka_unit_test(test_impossible_header),
        cmocka_unit_test(test_impossible_attributes),
        cmocka_unit_test(test_short_events),
        cmocka_unit_test(test_broken_events),
        cmocka_unit_test(test_endless_event),
        cmocka_unit_test(test_endless_trace),
        cmocka_unit_test(test_not_closed),
        cmocka_unit_test(test_any_byte_changed),
        cmocka_unit_test(test_clock),
    };

    return cmocka_run_group_tests_name("perf-file", tests, NULL, NULL);
}
