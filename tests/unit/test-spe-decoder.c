/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spe-decoder: every packet, every order of them, every place to break off. */
#include "common/alloc-count.h"
#include "common/spe-encoder.h"
#include "spe-decoded.h"

#define BATCH 64

/* ---- Single packets */

typedef struct {
    const char *hex; /* the packet */
    FolioSpeField field;
    guint64 value; /* that the field then has */
} PacketCase;

static const PacketCase packet_cases[] = {
    { "b0 efcdab8967452301", FOLIO_SPE_PC, 0x23456789abcdef },
    { "b0 efcdab89674523a0", FOLIO_SPE_PC, 0xff23456789abcdef }, /* EL1, NS */
    { "b0 efcdab89674523c0", FOLIO_SPE_PC, 0xff23456789abcdef }, /* EL2, NS */
    { "b0 efcdab8967452380", FOLIO_SPE_PC, 0x23456789abcdef },   /* EL0, NS */
    { "b0 efcdab8967452320", FOLIO_SPE_PC, 0x23456789abcdef },   /* EL1, Secure */
    { "b0 efcdab89674523e0", FOLIO_SPE_PC, 0x23456789abcdef },   /* EL3 */
    { "b1 efcdab89674523a0", FOLIO_SPE_TARGET, 0xff23456789abcdef },
    { "b2 efcdab896745fffe", FOLIO_SPE_VA, 0xffff456789abcdef },
    { "b2 efcdab8967452312", FOLIO_SPE_VA, 0x23456789abcdef },
    { "b3 efcdab89674523ff", FOLIO_SPE_PA, 0x23456789abcdef },
    { "b4 efcdab8967452380", FOLIO_SPE_PREVIOUS_TARGET, 0x23456789abcdef },
    { "42 81", FOLIO_SPE_EVENTS, 0x81 },
    { "52 8182", FOLIO_SPE_EVENTS, 0x8281 },
    { "62 81828384", FOLIO_SPE_EVENTS, 0x84838281 },
    { "72 8182838485868788", FOLIO_SPE_EVENTS, 0x8887868584838281 },
    { "43 fe", FOLIO_SPE_DATA_SOURCE, 0xfe },
    { "53 fefd", FOLIO_SPE_DATA_SOURCE, 0xfdfe },
    { "64 fefdfcfb", FOLIO_SPE_CONTEXT_EL1, 0xfbfcfdfe },
    { "65 fefdfcfb", FOLIO_SPE_CONTEXT_EL2, 0xfbfcfdfe },
    { "98 feff", FOLIO_SPE_TOTAL_LATENCY, 0xfffe },
    { "99 feff", FOLIO_SPE_ISSUE_LATENCY, 0xfffe },
    { "9a feff", FOLIO_SPE_TRANSLATION_LATENCY, 0xfffe },
    { "48 ff", FOLIO_SPE_OPERATION, 0xff },
    { "49 01", FOLIO_SPE_OPERATION, 0x01 },
    { "4a 02", FOLIO_SPE_OPERATION, 0x02 },
    /* the same by a header of two bytes */
    { "20b0 efcdab89674523a0", FOLIO_SPE_PC, 0xff23456789abcdef },
    { "20b2 efcdab8967452312", FOLIO_SPE_VA, 0x23456789abcdef },
    { "20b3 efcdab89674523ff", FOLIO_SPE_PA, 0x23456789abcdef },
    { "2098 feff", FOLIO_SPE_TOTAL_LATENCY, 0xfffe },
    { "209a feff", FOLIO_SPE_TRANSLATION_LATENCY, 0xfffe },
};

/* Alone at the end of the input (the careful reader), and with other records behind (the quick
 * ones); closed by an end packet and by a timestamp. */
static void
test_each_packet(void **state)
{
    static const char *const closings[] = { "01", "71 0807060504030201" };

    for (guint i = 0; i < 4 * G_N_ELEMENTS(packet_cases); i++) {
        const PacketCase *packet = &packet_cases[i / 4];
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        guint32 present = 1u << packet->field;
        g_autoptr(SpeDecoded) decoded = NULL;

        spe_append_hex(bytes, packet->hex);
        spe_append_hex(bytes, closings[i % 2]);
        for (guint more = 0; i % 4 >= 2 && more < 100; more++)
            spe_append_hex(bytes, "49 00 01");
        decoded = spe_decode_all(bytes);
        assert_int_equal(decoded->records->len, i % 4 >= 2 ? 101 : 1);
        assert_int_equal(decoded->decoder.garbage, 0);
        assert_int_equal(spe_decoded_at(decoded, 0)->field[packet->field], packet->value);
        present |= i % 2 == 1 ? 1u << FOLIO_SPE_TIMESTAMP : 0;
        assert_int_equal(spe_decoded_at(decoded, 0)->present, present);
        assert_int_equal(spe_decoded_at(decoded, 0)->timestamp, i % 2 ? 0x0102030405060708 : 0);
    }
}

static void
test_operation_and_level(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(SpeDecoded) decoded = NULL;

    spe_append_hex(bytes, "49 01 b0 00000000000000c0 01  49 00 01  4a 01 01  48 00 01  4b 00 01");
    decoded = spe_decode_all(bytes);
    assert_int_equal(decoded->records->len, 5);
    assert_true(folio_spe_record_is_store(spe_decoded_at(decoded, 0)));
    assert_int_equal(spe_decoded_at(decoded, 0)->pc_el, 2);
    assert_int_equal(spe_decoded_at(decoded, 0)->pc_ns, 1);
    assert_true(folio_spe_record_is_access(spe_decoded_at(decoded, 1)));
    assert_false(folio_spe_record_is_store(spe_decoded_at(decoded, 1)));
    assert_int_equal(spe_decoded_at(decoded, 2)->operation_class, FOLIO_SPE_CLASS_BRANCH);
    assert_false(folio_spe_record_is_access(spe_decoded_at(decoded, 2)));
    assert_false(folio_spe_record_is_store(spe_decoded_at(decoded, 2)));
    assert_int_equal(spe_decoded_at(decoded, 3)->operation_class, FOLIO_SPE_CLASS_OTHER);
    assert_int_equal(spe_decoded_at(decoded, 4)->operation_class, FOLIO_SPE_CLASS_RESERVED);
}

/* Indices that no one knows are passed over, short or extended: 21 b3 is address 11, not 3. */
static void
test_unknown_indices(void **state)
{
    static const char *const packets[] = {
        "b5 1111111111111111",
        "b7 1111111111111111",
        "9b 1111",
        "9f 1111",
        "66 11111111",
        "21b3 1111111111111111",
        "23b0 11111111 11111111",
        "229a 1111",
        "20b7 1111111111111111",
    };

    for (guint i = 0; i < 2 * G_N_ELEMENTS(packets); i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autoptr(SpeDecoded) decoded = NULL;

        spe_append_hex(bytes, packets[i / 2]);
        spe_append_hex(bytes, packets[i / 2]);
        spe_append_hex(bytes, "49 01 01");
        for (guint more = 0; i % 2 == 1 && more < 100; more++)
            spe_append_hex(bytes, "49 00 01");
        decoded = spe_decode_all(bytes);
        assert_int_equal(decoded->decoder.garbage, 0);
        assert_int_equal(spe_decoded_at(decoded, 0)->present, 1u << FOLIO_SPE_OPERATION);
        assert_int_equal(spe_decoded_at(decoded, 0)->pa, 0);
        assert_int_equal(spe_decoded_at(decoded, 0)->pc, 0);
        assert_int_equal(spe_decoded_at(decoded, 0)->operation, 1);
    }
}

/* ---- Padding and alignment */

static void
test_padding_anywhere(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(SpeDecoded) decoded = NULL;

    spe_append_hex(bytes,
                   "000000 49 00 0000 b2 0100000000000000 00000000000000000000000000 42 02 00 01");
    for (guint i = 0; i < 5000; i++)
        spe_append_hex(bytes, "00");
    spe_append_hex(bytes, "49 01 00 01 00000000000000");
    decoded = spe_decode_all(bytes);
    assert_int_equal(decoded->records->len, 2);
    assert_int_equal(spe_decoded_at(decoded, 0)->va, 1);
    assert_int_equal(spe_decoded_at(decoded, 0)->events, 2);
    assert_int_equal(spe_decoded_at(decoded, 1)->operation, 1);
    assert_int_equal(decoded->decoder.garbage, 0);
    assert_int_equal(decoded->decoder.tail, 0);
}

/* 2X 00 goes to the next multiple of 2^(X+1) in the AUX area, whatever lies between. */
static void
test_alignment_packets(void **state)
{
    for (guint exponent = 1; exponent <= 8; exponent++) {
        for (guint64 position = 0; position < 64; position++) {
            g_autoptr(GByteArray) bytes = g_byte_array_new();
            const guint8 header[2] = { (guint8) (0x20 + exponent - 1), 0 };
            guint64 boundary;
            g_autoptr(SpeDecoded) decoded = NULL;

            spe_append_hex(bytes, "49 00");
            boundary = (position + 2) / (1u << exponent) * (1u << exponent) + (1u << exponent);
            g_byte_array_append(bytes, header, 2);
            while (position + bytes->len < boundary)
                spe_append_hex(bytes, "ff");
            spe_append_hex(bytes, "42 07 01  49 01 01");
            decoded = spe_decode_from(bytes->data, bytes->len, position, BATCH);
            assert_int_equal(decoded->decoder.garbage, 0);
            assert_int_equal(decoded->records->len, 2);
            assert_int_equal(spe_decoded_at(decoded, 0)->events, 7);
        }
    }
}

/* One that the input cuts off stays where it is until there is more. */
static void
test_cut_alignment(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(SpeDecoded) between = NULL, within = NULL;

    spe_append_hex(bytes, "49 00 01 25 00 1111");
    between = spe_decode_all(bytes);
    assert_int_equal(between->records->len, 1);
    assert_int_equal(between->decoder.tail, 4);
    within = spe_decode_from(bytes->data + 3, 4, 3, 1);
    assert_int_equal(within->decoder.tail, 4);
    assert_int_equal(within->decoder.garbage, 0);
}

/* ---- Streams of the encoder */

static const SpeLayout layouts[] = {
    { SPE_ORDER_KUNPENG, 4, 0, FALSE },  { SPE_ORDER_NEOVERSE, 64, 0, FALSE },
    { SPE_ORDER_SHUFFLED, 4, 0, FALSE }, { SPE_ORDER_SHUFFLED, 0, 11, FALSE },
    { SPE_ORDER_SHUFFLED, 0, 3, TRUE },  { SPE_ORDER_NEOVERSE, 16, 70, FALSE },
};

/* Encodes n random samples, and what is to be expected of them. */
static GByteArray *
random_stream(GArray *expected, guint n, const SpeLayout *layout, guint32 seed)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    GByteArray *bytes = g_byte_array_new();

    for (guint i = 0; i < n; i++) {
        FolioSpeRecord record;
        SpeSample sample;

        spe_random_sample(&sample, random);
        spe_encode(bytes, &sample, layout, random);
        spe_expect(&record, &sample);
        g_array_append_val(expected, record);
    }
    return bytes;
}

static void
assert_same_records(const SpeDecoded *decoded, const GArray *expected, guint n)
{
    assert_int_equal(decoded->records->len, n);
    for (guint i = 0; i < n; i++)
        assert_same_record(spe_decoded_at(decoded, i), &g_array_index(expected, FolioSpeRecord, i));
}

static void
test_random_records(void **state)
{
    for (guint i = 0; i < G_N_ELEMENTS(layouts); i++) {
        g_autoptr(GArray) expected = g_array_new(FALSE, FALSE, sizeof(FolioSpeRecord));
        g_autoptr(GByteArray) bytes = random_stream(expected, 20000, &layouts[i], i);
        g_autoptr(SpeDecoded) decoded = spe_decode_all(bytes);

        assert_same_records(decoded, expected, expected->len);
        assert_int_equal(decoded->decoder.garbage, 0);
        assert_int_equal(decoded->decoder.resyncs, 0);
        assert_int_equal(decoded->decoder.tail, 0);
    }
}

/* A prefix gives the records that are whole in it, and the rest is the tail. */
static void
test_every_truncation(void **state)
{
    for (guint i = 0; i < G_N_ELEMENTS(layouts); i++) {
        g_autoptr(GArray) expected = g_array_new(FALSE, FALSE, sizeof(FolioSpeRecord));
        g_autoptr(GByteArray) bytes = random_stream(expected, 20, &layouts[i], 100 + i);
        guint whole = 0;

        for (guint size = 0; size <= bytes->len; size++) {
            g_autoptr(SpeDecoded) decoded = spe_decode_from(bytes->data, size, 0, 3);

            assert_in_range(decoded->records->len, whole, whole + 1);
            whole = decoded->records->len;
            assert_same_records(decoded, expected, whole);
            assert_int_equal(decoded->decoder.garbage, 0);
        }
        assert_int_equal(whole, expected->len);
    }
}

/* What is left over is given again with the next piece. */
static void
test_pieces(void **state)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    g_autoptr(GArray) expected = g_array_new(FALSE, FALSE, sizeof(FolioSpeRecord));
    g_autoptr(GByteArray) bytes = random_stream(expected, 5000, &layouts[3], 1);
    FolioSpeDecoder decoder = { 0 };
    gsize given = 0, used = 0;
    guint records = 0;

    while (given < bytes->len) {
        FolioSpeRecord out[BATCH];
        gsize n, consumed;

        given = MIN(given + (gsize) g_rand_int_range(random, 1, 700), bytes->len);
        do {
            n = folio_spe_decode(&decoder, bytes->data + used, given - used, out, BATCH, &consumed);
            used += consumed;
            for (gsize i = 0; i < n; i++)
                assert_same_record(&out[i], &g_array_index(expected, FolioSpeRecord, records++));
        } while (n == BATCH);
        assert_int_equal(used + decoder.tail, given);
    }
    assert_int_equal(records, expected->len);
    assert_int_equal(used, bytes->len);
    assert_int_equal(decoder.garbage, 0);
}

/* No more records than there is room for, and nothing behind them touched. */
static void
test_room(void **state)
{
    g_autoptr(GArray) expected = g_array_new(FALSE, FALSE, sizeof(FolioSpeRecord));
    g_autoptr(GByteArray) bytes = random_stream(expected, 100, &layouts[0], 2);

    for (gsize room = 0; room <= 8; room++) {
        FolioSpeRecord out[9];
        FolioSpeRecord untouched;
        FolioSpeDecoder decoder = { 0 };
        gsize consumed;

        memset(out, 0xa5, sizeof(out));
        memset(&untouched, 0xa5, sizeof(untouched));
        assert_int_equal(folio_spe_decode(&decoder, bytes->data, bytes->len, out, room, &consumed),
                         room);
        for (gsize i = room; i < G_N_ELEMENTS(out); i++)
            assert_memory_equal(&out[i], &untouched, sizeof(untouched));
        assert_int_equal(decoder.tail, 0);
    }
}

/* A branch behind a load has no address of the load. */
static void
test_fields_are_reset(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(SpeDecoded) decoded = NULL;

    for (guint i = 0; i < 100; i++) {
        spe_append_hex(bytes,
                       "b0 1111111111111111 65 22222222 49 01 52 ffff 99 3333 98 4444"
                       "b2 5555555555555555 9a 6666 b3 7777777777777777 43 88 71 9999999999999999");
        spe_append_hex(bytes, "b0 1111111111111111 4a 00 52 0100 01");
    }
    decoded = spe_decode_all(bytes);
    assert_int_equal(decoded->records->len, 200);
    for (guint i = 1; i < 200; i += 2) {
        const FolioSpeRecord *branch = spe_decoded_at(decoded, i);

        assert_int_equal(branch->present,
                         1u << FOLIO_SPE_PC | 1u << FOLIO_SPE_OPERATION | 1u << FOLIO_SPE_EVENTS);
        assert_int_equal(branch->pa | branch->va | branch->timestamp | branch->context_el2 |
                             branch->total_latency | branch->issue_latency |
                             branch->translation_latency | branch->data_source | branch->operation,
                         0);
        assert_int_equal(branch->events, 1);
        assert_int_equal(branch->operation_class, FOLIO_SPE_CLASS_BRANCH);
    }
}

/* ---- The rest */

static void
test_no_allocation(void **state)
{
    const guint n = 62500;
    const SpeLayout layout = { SPE_ORDER_KUNPENG, 4, 0, FALSE };
    g_autoptr(GRand) random = g_rand_new_with_seed(5);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    FolioSpeDecoder decoder = { 0 };
    FolioSpeRecord out[BATCH];
    guint64 before;

    for (guint i = 0; i < n; i++) {
        SpeSample sample;

        spe_guest_sample(&sample, 1 << 20, i, random);
        spe_encode(bytes, &sample, &layout, random);
    }
    before = alloc_count();
    g_free(g_malloc(1));
    assert_int_equal(alloc_count() - before, 1);
    before = alloc_count();
    for (guint round = 0; round < 16; round++) {
        gsize used = 0, consumed;

        while (folio_spe_decode(&decoder, bytes->data + used, bytes->len - used, out, BATCH,
                                &consumed) > 0)
            used += consumed;
    }
    assert_int_equal(decoder.records, 1000000);
    assert_int_equal(alloc_count() - before, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_packet),
        cmocka_unit_test(test_operation_and_level),
        cmocka_unit_test(test_unknown_indices),
        cmocka_unit_test(test_padding_anywhere),
        cmocka_unit_test(test_alignment_packets),
        cmocka_unit_test(test_cut_alignment),
        cmocka_unit_test(test_random_records),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_fields_are_reset),
        cmocka_unit_test(test_no_allocation),
    };

    return cmocka_run_group_tests_name("spe-decoder", tests, NULL, NULL);
}
