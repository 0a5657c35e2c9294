/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes through spe-decoder. The first says in what batches and pieces they are given. */
#include "sample/spe-decoder.h"
#include "fuzz.h"

#include <string.h>

static void
check_record(const FolioSpeRecord *record)
{
    g_assert_cmpuint(record->present >> FOLIO_SPE_RESERVED, ==, 0);
    g_assert_cmpuint(record->present & ~(1u << FOLIO_SPE_TIMESTAMP), !=, 0);
    g_assert_cmpuint(record->operation_class, <, 4);
    g_assert_cmpuint(record->pa >> 56, ==, 0);
    for (FolioSpeField field = 0; field < FOLIO_SPE_RESERVED; field++)
        g_assert_true(folio_spe_record_has(record, field) || record->field[field] == 0);
}

/* Decodes data, given in pieces of that size (each in a block of its own, so that the sanitizer
 * sees what is read beyond) with what is left of the one before, in batches. */
static GArray *
decode(FolioSpeDecoder *decoder, const guint8 *data, gsize size, gsize piece, gsize batch)
{
    GArray *records = g_array_new(FALSE, FALSE, sizeof(FolioSpeRecord));
    g_autofree FolioSpeRecord *out = g_new(FolioSpeRecord, batch);
    gsize used = 0, given = 0, n;

    while (given < size) {
        g_autofree guint8 *block = NULL;
        gsize start = used, consumed;

        given += MIN(piece, size - given);
        block = g_memdup2(data + start, given - start);
        do {
            n = folio_spe_decode(decoder, block + (used - start), given - used, out, batch,
                                 &consumed);
            g_assert_cmpuint(n, <=, batch);
            used += consumed;
            g_assert_cmpuint(used, <=, given);
            g_array_append_vals(records, out, (guint) n);
        } while (n == batch);
        g_assert_cmpuint(decoder->tail, ==, given - used);
        g_assert_cmpuint(decoder->tail, <, 4096);
    }
    g_assert_cmpuint(decoder->bytes, ==, used);
    g_assert_cmpuint(decoder->garbage, <=, used);
    g_assert_cmpuint(decoder->records, ==, records->len);
    return records;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FolioSpeDecoder whole = { 0 }, pieces = { 0 };
    g_autoptr(GArray) expected = NULL, got = NULL;

    if (size < 2)
        return 0;
    expected = decode(&whole, data + 1, size - 1, size, 1 + data[0] % 16);
    for (guint i = 0; i < expected->len; i++)
        check_record(&g_array_index(expected, FolioSpeRecord, i));
    /* Pieces this small are never read by the quick readers: both must see the same. Only what is
     * made of garbage may depend on where a piece ends. */
    got = decode(&pieces, data + 1, size - 1, 32 + data[0] / 2, 64);
    if (whole.garbage > 0)
        return 0;
    g_assert_cmpuint(pieces.garbage, ==, 0);
    g_assert_cmpuint(pieces.tail, ==, whole.tail);
    g_assert_cmpuint(got->len, ==, expected->len);
    if (got->len > 0)
        g_assert_true(memcmp(got->data, expected->data, got->len * sizeof(FolioSpeRecord)) == 0);
    return 0;
}
