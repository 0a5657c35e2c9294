/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arm SPE packets to records: two quick readers, for the hardware's order and for any order, which
 * leave whatever is out of the ordinary to the careful one in spe-packet.c. */
#include "sample/spe-decoder.h"
#include "sample/spe-packet.h"

/* A quick reader looks no further than this, so that it need not check for the end each time. */
#define QUICK_SIZE 256
/* After a record in an unusual order, so many are read without trying the hardware's order. */
#define UNORDERED_RUN 16

/* Whether a record may begin here: at a PC or an operation, since each record has both. One that
 * was cut off before has one of the two already, or nothing that could get into the next. */
static gboolean
may_begin(const FolioSpeInput *input, gsize at)
{
    const FolioSpeHeader *header = &folio_spe_headers[input->data[at]];
    FolioSpeRecord record;
    FolioSpeOutcome outcome;
    gsize end;

    if (header->kind != FOLIO_SPE_KIND_FIELD ||
        (header->field != FOLIO_SPE_PC && header->field != FOLIO_SPE_OPERATION))
        return FALSE;
    outcome = folio_spe_read_carefully(input, at, &record, &end);
    return outcome == FOLIO_SPE_OUTCOME_CUT ||
           (outcome == FOLIO_SPE_OUTCOME_WHOLE && folio_spe_record_has(&record, FOLIO_SPE_PC) &&
            folio_spe_record_has(&record, FOLIO_SPE_OPERATION));
}

/* Passes over what is no record. */
static gsize
resynchronise(FolioSpeDecoder *decoder, const FolioSpeInput *input, gsize start)
{
    gsize at = start + 1;

    while (at < input->size && !may_begin(input, at))
        at++;
    decoder->garbage += at - start;
    decoder->resyncs++;
    return at;
}

/* ---- The quick readers: given QUICK_SIZE bytes of input or more and a record whose fields are all
 * 0, they return the byte behind the record, or NULL where only the careful reader can tell. */

/* Bytes of padding at that place, up to 8. */
static inline guint
leading_zeros(const guint8 *at)
{
    guint64 word = folio_spe_load64(at);

    return word == 0 ? 8 : (guint) __builtin_ctzll(word) / 8;
}

/* Behind up to 64 bytes of padding. */
static inline const guint8 *
skip_zeros(const guint8 *at)
{
    for (guint i = 0; i < 8 && *at == FOLIO_SPE_HEADER_PADDING; i++)
        at += leading_zeros(at);
    return at;
}

/* The packet with that header, if it is the next; what the table says of it is given as well. */
static inline const guint8 *
take(const guint8 *at, guint8 header, FolioSpeField field, guint size, FolioSpeRecord *record,
     guint32 *present)
{
    if (*at != header)
        return at;
    record->field[field] = folio_spe_load64(at + 1) & G_MAXUINT64 >> (64 - 8 * size);
    *present |= FOLIO_SPE_PRESENT(field);
    return at + 1 + size;
}

/* The same for events (0x42) and data source (0x43), of any size, and only the first. */
static inline const guint8 *
take_sized(const guint8 *at, guint8 header, FolioSpeField field, FolioSpeRecord *record,
           guint32 *present)
{
    guint size = 1u << (*at >> 4 & 3);

    if ((*at & 0xcf) != header || (*present & FOLIO_SPE_PRESENT(field)) != 0)
        return at;
    record->field[field] = folio_spe_load64(at + 1) & G_MAXUINT64 >> (64 - 8 * size);
    *present |= FOLIO_SPE_PRESENT(field);
    return at + 1 + size;
}

static inline const guint8 *
take_operation(const guint8 *at, FolioSpeRecord *record, guint32 *present)
{
    if ((*at & 0xfc) != 0x48 || (*present & FOLIO_SPE_PRESENT(FOLIO_SPE_OPERATION)) != 0)
        return at;
    record->operation = at[1];
    *present |= FOLIO_SPE_PRESENT(FOLIO_SPE_OPERATION) | (*at & 3u) << FOLIO_SPE_CLASS_SHIFT;
    return at + 2;
}

static inline const guint8 *
take_end(const guint8 *at, FolioSpeRecord *record, guint32 *present)
{
    if (*at == FOLIO_SPE_HEADER_TIMESTAMP)
        return take(at, FOLIO_SPE_HEADER_TIMESTAMP, FOLIO_SPE_TIMESTAMP, 8, record, present);
    return *at == FOLIO_SPE_HEADER_END ? at + 1 : NULL;
}

/* The orders of Neoverse (operation and events before the counters) and of Kunpeng (behind them) in
 * one chain of branches, nearly all of them predicted. It looks at 229 bytes at most. */
static inline const guint8 *
read_in_order(const guint8 *at, FolioSpeRecord *record)
{
    guint32 present = 0;

    at = take(at, 0xb0, FOLIO_SPE_PC, 8, record, &present);
    at = take(at, 0x64, FOLIO_SPE_CONTEXT_EL1, 4, record, &present);
    at = take(at, 0x65, FOLIO_SPE_CONTEXT_EL2, 4, record, &present);
    at = take_operation(at, record, &present);
    at = take_sized(at, 0x42, FOLIO_SPE_EVENTS, record, &present);
    at = take(at, 0x99, FOLIO_SPE_ISSUE_LATENCY, 2, record, &present);
    at = take(at, 0x98, FOLIO_SPE_TOTAL_LATENCY, 2, record, &present);
    at = take_sized(at, 0x42, FOLIO_SPE_EVENTS, record, &present);
    at = take_operation(at, record, &present);
    at = take(at, 0xb1, FOLIO_SPE_TARGET, 8, record, &present);
    at = take(at, 0xb2, FOLIO_SPE_VA, 8, record, &present);
    at = take(at, 0x9a, FOLIO_SPE_TRANSLATION_LATENCY, 2, record, &present);
    at = take(at, 0xb3, FOLIO_SPE_PA, 8, record, &present);
    at = take(at, 0xb4, FOLIO_SPE_PREVIOUS_TARGET, 8, record, &present);
    at = skip_zeros(at);
    at = take_sized(at, 0x43, FOLIO_SPE_DATA_SOURCE, record, &present);
    at = skip_zeros(at);
    at = take_end(at, record, &present);
    if (at != NULL)
        folio_spe_finish_record(record, present);
    return at;
}

/* Any order, by table: no branch depends on what a packet is, apart from the record's end. */
static inline const guint8 *
read_in_any_order(const guint8 *at, FolioSpeRecord *record)
{
    const guint8 *limit = at + QUICK_SIZE - 32;
    guint32 present = 0, twice = 0;

    while (at < limit) {
        const guint8 byte = *at;
        const FolioSpeHeader *header = &folio_spe_headers[byte];

        if (G_LIKELY(header->kind == FOLIO_SPE_KIND_FIELD)) {
            const guint8 *payload = at + 1;

            /* header->size, but sooner known; all else waits for it */
            at = payload + ((gsize) 1 << (byte >> 4 & 3));
            record->field[header->field] = folio_spe_load64(payload) & header->mask;
            twice |= present & header->bits;
            present |= header->bits;
            continue;
        }
        if (header->kind == FOLIO_SPE_KIND_UNKNOWN || header->kind == FOLIO_SPE_KIND_EXTENDED)
            return NULL;
        at += leading_zeros(at);
        if (*at != FOLIO_SPE_HEADER_TIMESTAMP && *at != FOLIO_SPE_HEADER_END)
            continue;
        at = take_end(at, record, &present);
        if ((twice & FOLIO_SPE_FIELD_BITS) != 0)
            return NULL;
        folio_spe_finish_record(record, present);
        return at;
    }
    return NULL;
}

/* ---- All together */

static inline const guint8 *
read_quickly(FolioSpeDecoder *decoder, const guint8 *at, FolioSpeRecord *record)
{
    const guint8 *end;

    if (decoder->unordered == 0) {
        end = read_in_order(at, record);
        if (G_LIKELY(end != NULL))
            return end;
        memset(record, 0, sizeof(*record));
        decoder->unordered = UNORDERED_RUN;
    }
    decoder->unordered--;
    return read_in_any_order(at, record);
}

/* A record of which only the end is there holds nothing. */
static inline gboolean
is_terminator_only(const FolioSpeRecord *record)
{
    return (record->present & ~FOLIO_SPE_PRESENT(FOLIO_SPE_TIMESTAMP)) == 0;
}

/* Reads one record at *at, where no padding is, and moves *at behind it; FALSE: there was none, or
 * decoder->tail says that the input ends first. */
static inline gboolean
read_record(FolioSpeDecoder *decoder, const FolioSpeInput *input, gsize *at, FolioSpeRecord *record)
{
    const guint8 *quick_end = NULL;
    gsize start = *at;
    FolioSpeOutcome outcome = FOLIO_SPE_OUTCOME_WHOLE;

    if (input->size - start >= QUICK_SIZE)
        quick_end = read_quickly(decoder, input->data + start, record);
    if (G_LIKELY(quick_end != NULL))
        *at = (gsize) (quick_end - input->data);
    else
        outcome = folio_spe_read_carefully(input, start, record, at);

    if (G_LIKELY(outcome == FOLIO_SPE_OUTCOME_WHOLE && !is_terminator_only(record)))
        return TRUE;
    if (outcome == FOLIO_SPE_OUTCOME_WHOLE)
        decoder->garbage += *at - start;
    else if (outcome == FOLIO_SPE_OUTCOME_BROKEN)
        *at = resynchronise(decoder, input, start);
    else
        decoder->tail = input->size - start;
    memset(record, 0, sizeof(*record));
    return FALSE;
}

gsize
folio_spe_decode(FolioSpeDecoder *decoder, const guint8 *data, gsize size, FolioSpeRecord *out,
                 gsize max_records, gsize *consumed)
{
    const FolioSpeInput input = { data, size, decoder->position };
    gsize n = 0, at = 0;

    decoder->tail = 0;
    memset(out, 0, max_records * sizeof(*out));
    while (n < max_records && decoder->tail == 0) {
        if (at < size && data[at] < FOLIO_SPE_PADDING_BELOW)
            at = folio_spe_skip_padding(&input, at);
        if (at == size)
            break;
        if (read_record(decoder, &input, &at, &out[n]))
            n++;
    }
    decoder->records += n;
    decoder->bytes += at;
    decoder->position += at;
    *consumed = at;
    return n;
}
