/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spe-decoder: what it does about loss and garbage, and about what hardware wrote. */
#include "common/spe-encoder.h"
#include "spe-decoded.h"

/* ---- Loss and garbage */

static void
test_lone_terminators(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(SpeDecoded) decoded = NULL;

    spe_append_hex(bytes, "71 1111111111111111 00 01 49 01 01 71 1111111111111111");
    decoded = spe_decode_all(bytes);
    assert_int_equal(decoded->records->len, 1);
    assert_int_equal(spe_decoded_at(decoded, 0)->operation, 1);
    assert_int_equal(decoded->decoder.garbage, 9 + 1 + 9);
}

#define LOAD                                                                \
    "b0 1011121314151680 99 0300 98 0800 52 1600 49 01 b2 5051525354550000" \
    "9a 0200 b3 6061626364650080 000000 71 7071727374757677"
#define BRANCH                                                                 \
    "b0 2021222324252680 99 0400 98 0900 52 0200 4a 00 b1 30313233343536a0 00" \
    "71 8081828384858687"
#define UNORDERED "98 0100 49 00 b0 9091929394959680 01"

/* The first bytes of a load, padding, a branch: only the branch comes out. What is before and
 * behind decides which of the decoder's readers meets it. */
static void
check_cut(guint size, guint padding, const char *before, guint behind)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(SpeDecoded) decoded = NULL;
    guint first = *before != '\0' ? 1 : 0;
    const FolioSpeRecord *branch;
    guint start;

    spe_append_hex(bytes, before);
    start = bytes->len;
    spe_append_hex(bytes, LOAD);
    g_byte_array_set_size(bytes, start + size);
    for (guint i = 0; i < padding; i++)
        spe_append_hex(bytes, "00");
    for (guint i = 0; i <= behind; i++)
        spe_append_hex(bytes, BRANCH);
    decoded = spe_decode_all(bytes);
    assert_int_equal(decoded->records->len, first + 1 + behind);
    branch = spe_decoded_at(decoded, first);
    assert_int_equal(branch->pc, 0x26252423222120);
    assert_int_equal(branch->pa | branch->va | branch->translation_latency, 0);
    assert_int_equal(branch->operation_class, FOLIO_SPE_CLASS_BRANCH);
    assert_int_equal(branch->total_latency, 9);
    assert_int_equal(decoded->decoder.resyncs, size == 0 ? 0 : 1);
}

/* The buffer fills within a record, at each of its bytes before the timestamp, and the next record
 * follows, at once or behind the driver's padding: the two never become one. */
static void
test_cut_record_does_not_leak(void **state)
{
    g_autoptr(GByteArray) load = g_byte_array_new();

    spe_append_hex(load, LOAD);
    for (guint size = 0; size < load->len - 8; size++) {
        for (guint padding = 0; padding <= 40; padding += 20) {
            check_cut(size, padding, "", 0);
            check_cut(size, padding, "", 20);
            check_cut(size, padding, UNORDERED, 20);
        }
    }
}

static void
test_long_record_is_garbage(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(SpeDecoded) decoded = NULL;

    spe_append_hex(bytes, "49 00");
    while (bytes->len < 3 * FOLIO_SPE_RECORD_MAX)
        spe_append_hex(bytes, "b5 1111111111111111");
    spe_append_hex(bytes, "01 b0 3333333333333333 49 01 01");
    decoded = spe_decode_all(bytes);
    assert_int_equal(decoded->records->len, 1);
    assert_int_equal(spe_decoded_at(decoded, 0)->operation, 1);
    assert_int_equal(decoded->decoder.garbage, bytes->len - 12);
}

static guint
count_unknown(GHashTable *known, const SpeDecoded *decoded, FolioSpeField field)
{
    guint unknown = 0;

    for (guint i = 0; i < decoded->records->len; i++) {
        const FolioSpeRecord *record = spe_decoded_at(decoded, i);

        unknown += folio_spe_record_has(record, field) &&
                   !g_hash_table_contains(known, &record->field[field]);
    }
    return unknown;
}

/* The end is missing of each twentieth record: nearly all others are found, and nearly no address
 * is seen that was not sampled. (None at all cannot be: a timestamp may lack bytes, and those of
 * the next record take their place.) */
static void
test_gaps(void **state)
{
    const guint n = 40000, every = 20;
    const SpeLayout layout = { SPE_ORDER_KUNPENG, 4, 0, FALSE };
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GArray) sampled = g_array_sized_new(FALSE, FALSE, sizeof(FolioSpeRecord), n);
    g_autoptr(GHashTable) pcs = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_autoptr(GHashTable) pas = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_autoptr(SpeDecoded) decoded = NULL;

    for (guint i = 0; i < n; i++) {
        gint start = (gint) bytes->len;
        FolioSpeRecord *record;
        SpeSample sample;

        spe_guest_sample(&sample, 1 << 20, i, random);
        spe_encode(bytes, &sample, &layout, random);
        g_array_set_size(sampled, i + 1);
        record = &g_array_index(sampled, FolioSpeRecord, i);
        spe_expect(record, &sample);
        g_hash_table_add(pcs, &record->pc);
        g_hash_table_add(pas, &record->pa);
        if (i % every == 0)
            g_byte_array_set_size(bytes,
                                  (guint) g_rand_int_range(random, start + 1, (gint) bytes->len));
    }
    decoded = spe_decode_all(bytes);
    assert_in_range(decoded->records->len, (n - n / every) * 99 / 100, n);
    assert_true(count_unknown(pcs, decoded, FOLIO_SPE_PC) <= n / every / 100);
    assert_true(count_unknown(pas, decoded, FOLIO_SPE_PA) <= n / every / 100);
    assert_true(decoded->decoder.resyncs > n / every / 2);
    assert_true(decoded->decoder.garbage > 0);
}

static void
test_noise(void **state)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(4);

    for (guint i = 0; i < 300; i++) {
        guint8 noise[3000];
        g_autoptr(SpeDecoded) decoded = NULL;

        for (guint j = 0; j < sizeof(noise); j++)
            noise[j] = (guint8) g_rand_int(random);
        decoded = spe_decode_from(noise, sizeof(noise), g_rand_int(random), 64);
        assert_true(decoded->decoder.garbage + decoded->decoder.tail > sizeof(noise) * 9 / 10);
        assert_true(decoded->decoder.garbage <= decoded->decoder.bytes);
    }
}

/* They were published, but not for copying: read where they are, if they are there. */
static char *
capture_path(const char *name)
{
    const char *directory = g_getenv("SPE_CAPTURES");
    const char *source = g_getenv("FOLIOD_SOURCE");

    if (directory != NULL)
        return g_build_filename(directory, name, NULL);
    return g_build_filename(source != NULL ? source : ".", "..", "shared", "captures", name, NULL);
}

/* What is published ends where it ends: end_packet closes the last record. */
static SpeDecoded *
decode_capture(const char *name, gboolean end_packet)
{
    g_autofree char *path = capture_path(name);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *data = NULL;
    gsize size;

    g_file_get_contents(path, &data, &size, &error);
    assert_no_error(error);
    g_byte_array_append(bytes, (const guint8 *) data, (guint) size);
    if (end_packet)
        spe_append_hex(bytes, "01");
    return spe_decode_all(bytes);
}

/* Apart, so that nothing is held when a test is skipped. */
static gboolean
captures_are_there(void)
{
    g_autofree char *readme = capture_path("README");

    return g_file_test(readme, G_FILE_TEST_EXISTS);
}

/* What hardware wrote, as others published it: Arm's telemetry-solution, Google's
 * perf_data_converter, and the qemu-devel list of 2020-08-07 (Kunpeng 920). */
static void
test_captures(void **state)
{
    static const struct {
        const char *file;
        guint index, records, tail, garbage;
        FolioSpeRecord record;
    } cases[] = {
        { "spe-b1-ts0.data",
          0,
          1,
          0,
          0,
          { .pc = 0x7ffdbf2143e0,
            .target = 0x7ffdbf214408,
            .events = 0x2,
            .issue_latency = 0x27,
            .total_latency = 0x28,
            .operation = 1,
            .operation_class = FOLIO_SPE_CLASS_BRANCH,
            .pc_ns = 1 } },
        { "spe-b1-ts1.data",
          0,
          1,
          0,
          0,
          { .pc = 0x7ffdbf2143e0,
            .target = 0x7ffdbf214408,
            .events = 0x2,
            .issue_latency = 0x29,
            .total_latency = 0x2a,
            .operation = 1,
            .operation_class = FOLIO_SPE_CLASS_BRANCH,
            .timestamp = 0x38f1d5a726b,
            .pc_ns = 1 } },
        { "google_perf_data_converter_2rec.bin",
          0,
          2,
          0,
          0,
          { .pc = 0xffffba66eda1c2d0,
            .va = 0xffff0e3703096b28,
            .events = 0x16,
            .issue_latency = 4,
            .total_latency = 0xc,
            .translation_latency = 1,
            .context_el2 = 0x5f80,
            .operation_class = FOLIO_SPE_CLASS_LOAD_STORE,
            .timestamp = 0xa6a2f652e,
            .pc_el = 2,
            .pc_ns = 1 } },
        { "google_perf_data_converter_2rec.bin",
          1,
          2,
          0,
          0,
          { .pc = 0xffffba66edefb0e0,
            .target = 0xffffba66edefb0e4,
            .events = 0x42,
            .issue_latency = 0x10,
            .total_latency = 0x11,
            .context_el2 = 0xe,
            .operation = 1,
            .operation_class = FOLIO_SPE_CLASS_BRANCH,
            .timestamp = 0xa6a2f658d,
            .pc_el = 2,
            .pc_ns = 1 } },
        { "qemu_devel_vspe_guest_align4.bin",
          0,
          2,
          18,
          0,
          { .pc = 0xffff80001029d3f4,
            .va = 0xffff000070d840d0,
            .events = 0x16,
            .issue_latency = 0xb,
            .total_latency = 0xd,
            .translation_latency = 1,
            .operation_class = FOLIO_SPE_CLASS_LOAD_STORE,
            .timestamp = 0x1420b31fa5,
            .pc_el = 1,
            .pc_ns = 1 } },
        { "qemu_devel_vspe_guest_align4.bin",
          1,
          2,
          18,
          0,
          { .pc = 0xffff80001029f97c,
            .events = 0x2,
            .issue_latency = 2,
            .total_latency = 3,
            .operation_class = FOLIO_SPE_CLASS_OTHER,
            .timestamp = 0x1420b31fef,
            .pc_el = 1,
            .pc_ns = 1 } },
        /* begins with the timestamp of a record that is not there */
        { "armspeparser_ldst_frame_N1.bin", 0, 0, 43, 9, { .pc = 0 } },
    };

    if (!captures_are_there())
        skip();
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(SpeDecoded) decoded = decode_capture(cases[i].file, FALSE);
        FolioSpeRecord expected = cases[i].record;

        assert_int_equal(decoded->records->len, cases[i].records);
        assert_int_equal(decoded->decoder.tail, cases[i].tail);
        assert_int_equal(decoded->decoder.garbage, cases[i].garbage);
        if (cases[i].records == 0)
            continue;
        expected.present = spe_decoded_at(decoded, cases[i].index)->present;
        assert_same_record(spe_decoded_at(decoded, cases[i].index), &expected);
    }
}

static void
test_unclosed_capture(void **state)
{
    const FolioSpeRecord expected = {
        .pc = 0xaaaae4a9b600,
        .va = 0xaaaae65dda43,
        .pa = 0x8032c955a43,
        .events = 0x16,
        .issue_latency = 4,
        .total_latency = 8,
        .translation_latency = 1,
        .present = 1u << FOLIO_SPE_PC | 1u << FOLIO_SPE_VA | 1u << FOLIO_SPE_PA |
                   1u << FOLIO_SPE_EVENTS | 1u << FOLIO_SPE_ISSUE_LATENCY |
                   1u << FOLIO_SPE_TOTAL_LATENCY | 1u << FOLIO_SPE_TRANSLATION_LATENCY |
                   1u << FOLIO_SPE_OPERATION | 1u << FOLIO_SPE_DATA_SOURCE,
        .operation_class = FOLIO_SPE_CLASS_LOAD_STORE,
        .pc_ns = 1,
    };
    g_autoptr(SpeDecoded) decoded = NULL;

    if (!captures_are_there())
        skip();
    decoded = decode_capture("armspeparser_ldst_frame_N1.bin", TRUE);
    assert_int_equal(decoded->records->len, 1);
    assert_same_record(spe_decoded_at(decoded, 0), &expected);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lone_terminators),
        cmocka_unit_test(test_cut_record_does_not_leak),
        cmocka_unit_test(test_long_record_is_garbage),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_unclosed_capture),
    };

    return cmocka_run_group_tests_name("spe-loss", tests, NULL, NULL);
}
