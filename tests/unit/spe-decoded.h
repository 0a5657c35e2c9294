/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream of SPE packets, decoded whole, and its bytes from text: for tests of spe-decoder. */
#pragma once

#include "sample/spe-decoder.h"
#include "cmocka-all.h"

typedef struct {
    FolioSpeDecoder decoder;
    GArray *records; /* FolioSpeRecord */
} SpeDecoded;

static inline void
spe_decoded_free(SpeDecoded *decoded)
{
    g_array_unref(decoded->records);
    g_free(decoded);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SpeDecoded, spe_decoded_free)

/* Decodes from a copy of exactly that size, so that a sanitizer sees each byte read too many, in
 * batches of that many records; position is that of the first byte in the AUX area. */
static inline SpeDecoded *
spe_decode_from(const guint8 *data, gsize size, guint64 position, gsize batch)
{
    g_autofree guint8 *copy = g_memdup2(data, size);
    g_autofree FolioSpeRecord *out = g_new(FolioSpeRecord, batch);
    SpeDecoded *decoded = g_new0(SpeDecoded, 1);
    gsize n, consumed, used = 0;

    decoded->decoder.position = position;
    decoded->records = g_array_new(FALSE, FALSE, sizeof(FolioSpeRecord));
    do {
        n = folio_spe_decode(&decoded->decoder, copy + used, size - used, out, batch, &consumed);
        g_array_append_vals(decoded->records, out, (guint) n);
        used += consumed;
    } while (n == batch);
    assert_int_equal(decoded->decoder.records, decoded->records->len);
    assert_int_equal(decoded->decoder.bytes, used);
    assert_int_equal(decoded->decoder.position, position + used);
    assert_int_equal(decoded->decoder.tail, size - used);
    return decoded;
}

static inline SpeDecoded *
spe_decode_all(const GByteArray *bytes)
{
    return spe_decode_from(bytes->data, bytes->len, 0, 64);
}

static inline const FolioSpeRecord *
spe_decoded_at(const SpeDecoded *decoded, guint i)
{
    assert_true(i < decoded->records->len);
    return &g_array_index(decoded->records, FolioSpeRecord, i);
}

static inline void
assert_same_record(const FolioSpeRecord *got, const FolioSpeRecord *expected)
{
    assert_memory_equal(got->field, expected->field, sizeof(*got->field) * FOLIO_SPE_RESERVED);
    assert_int_equal(got->present, expected->present);
    assert_int_equal(got->operation_class, expected->operation_class);
    assert_int_equal(got->pc_el, expected->pc_el);
    assert_int_equal(got->pc_ns, expected->pc_ns);
}

/* Bytes by pairs of digits; blanks are passed over. */
static inline void
spe_append_hex(GByteArray *bytes, const char *hex)
{
    for (; *hex != '\0'; hex++) {
        guint8 byte;

        if (*hex == ' ')
            continue;
        byte = (guint8) (g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
        g_byte_array_append(bytes, &byte, 1);
        hex++;
    }
}
