/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets of Arm SPE records, and the reader that settles every case. */
#include "sample/spe-packet.h"
#include "sample/spe-decoder.h"

#define VALUE(field, bytes)                                                                \
    {                                                                                      \
        G_MAXUINT64 >> (64 - 8 * (bytes)), FOLIO_SPE_PRESENT(field), FOLIO_SPE_KIND_FIELD, \
            (field), (bytes)                                                               \
    }
/* Not in present: newer hardware may well send several of them. */
#define RESERVED(bytes)                                                                         \
    {                                                                                           \
        G_MAXUINT64 >> (64 - 8 * (bytes)), 0, FOLIO_SPE_KIND_FIELD, FOLIO_SPE_RESERVED, (bytes) \
    }
#define OPERATION(class)                                                                 \
    {                                                                                    \
        0xff, FOLIO_SPE_PRESENT(FOLIO_SPE_OPERATION) | (class) << FOLIO_SPE_CLASS_SHIFT, \
            FOLIO_SPE_KIND_FIELD, FOLIO_SPE_OPERATION, 1                                 \
    }

const FolioSpeHeader folio_spe_headers[256] = {
    [FOLIO_SPE_HEADER_PADDING] = { .kind = FOLIO_SPE_KIND_PADDING },
    [FOLIO_SPE_HEADER_END] = { .kind = FOLIO_SPE_KIND_END, .field = FOLIO_SPE_RESERVED },
    /* No hardware aligns to more than 2 KiB (PMBIDR_EL1.Align 0b1011). */
    [0x20 ... 0x2a] = { .kind = FOLIO_SPE_KIND_EXTENDED },
    [0x42] = VALUE(FOLIO_SPE_EVENTS, 1),
    [0x52] = VALUE(FOLIO_SPE_EVENTS, 2),
    [0x62] = VALUE(FOLIO_SPE_EVENTS, 4),
    [0x72] = VALUE(FOLIO_SPE_EVENTS, 8),
    [0x43] = VALUE(FOLIO_SPE_DATA_SOURCE, 1),
    [0x53] = VALUE(FOLIO_SPE_DATA_SOURCE, 2),
    [0x63] = VALUE(FOLIO_SPE_DATA_SOURCE, 4),
    [0x73] = VALUE(FOLIO_SPE_DATA_SOURCE, 8),
    [0x48] = OPERATION(FOLIO_SPE_CLASS_OTHER),
    [0x49] = OPERATION(FOLIO_SPE_CLASS_LOAD_STORE),
    [0x4a] = OPERATION(FOLIO_SPE_CLASS_BRANCH),
    [0x4b] = OPERATION(FOLIO_SPE_CLASS_RESERVED),
    [0x64] = VALUE(FOLIO_SPE_CONTEXT_EL1, 4),
    [0x65] = VALUE(FOLIO_SPE_CONTEXT_EL2, 4),
    [0x66 ... 0x67] = RESERVED(4),
    [FOLIO_SPE_HEADER_TIMESTAMP] = { G_MAXUINT64, FOLIO_SPE_PRESENT(FOLIO_SPE_TIMESTAMP),
                                     FOLIO_SPE_KIND_TIMESTAMP, FOLIO_SPE_TIMESTAMP, 8 },
    [0x98] = VALUE(FOLIO_SPE_TOTAL_LATENCY, 2),
    [0x99] = VALUE(FOLIO_SPE_ISSUE_LATENCY, 2),
    [0x9a] = VALUE(FOLIO_SPE_TRANSLATION_LATENCY, 2),
    [0x9b ... 0x9f] = RESERVED(2),
    [0xb0] = VALUE(FOLIO_SPE_PC, 8),
    [0xb1] = VALUE(FOLIO_SPE_TARGET, 8),
    [0xb2] = VALUE(FOLIO_SPE_VA, 8),
    [0xb3] = VALUE(FOLIO_SPE_PA, 8),
    [0xb4] = VALUE(FOLIO_SPE_PREVIOUS_TARGET, 8),
    [0xb5 ... 0xb7] = RESERVED(8),
};

typedef struct {
    FolioSpeHeaderKind kind;
    FolioSpeField field;
    guint32 bits;
    guint64 value;
    gsize size; /* with its header; 0: the input ends within the packet */
} Packet;

/* Bytes of the alignment packet that is at offset at, or 0 when there is none or the input ends
 * within it. It reaches to the next multiple of 2^(X+1), its own first byte counted. */
static gsize
alignment_size(const FolioSpeInput *input, gsize at)
{
    const guint8 *data = input->data + at;
    guint64 alignment, size;

    if (folio_spe_headers[data[0]].kind != FOLIO_SPE_KIND_EXTENDED || input->size - at < 2 ||
        data[1] != FOLIO_SPE_HEADER_PADDING)
        return 0;
    alignment = G_GUINT64_CONSTANT(2) << (data[0] & 0xf);
    size = alignment - ((input->position + at) & (alignment - 1));
    return size <= input->size - at ? size : 0;
}

gsize
folio_spe_skip_padding(const FolioSpeInput *input, gsize at)
{
    while (at < input->size) {
        gsize size = input->data[at] == FOLIO_SPE_HEADER_PADDING ? 1 : alignment_size(input, at);

        if (size == 0)
            break;
        at += size;
        while (input->size - at >= 8 && folio_spe_load64(input->data + at) == 0)
            at += 8;
    }
    return at;
}

static void
read_payload(const FolioSpeInput *input, gsize at, gsize header_size, guint size, Packet *packet)
{
    const guint8 *payload = input->data + at + header_size;

    if (input->size - at < header_size + size)
        return;
    packet->size = header_size + size;
    for (guint i = 0; i < size; i++)
        packet->value |= (guint64) payload[i] << 8 * i;
}

/* A header of two bytes, the second that of an address or a counter; the first one's low bits
 * extend the index, and none of the longer indices has been given out. */
static void
read_extended(const FolioSpeInput *input, gsize at, Packet *packet)
{
    guint8 first = input->data[at];
    guint8 second;

    if (input->size - at < 2)
        return;
    second = input->data[at + 1];
    if (second == FOLIO_SPE_HEADER_PADDING) /* an alignment packet that the input cuts off */
        return;
    if (first > 0x23 || ((second & 0xf8) != 0xb0 && (second & 0xf8) != 0x98)) {
        packet->kind = FOLIO_SPE_KIND_UNKNOWN;
        return;
    }
    packet->kind = FOLIO_SPE_KIND_FIELD;
    packet->field = first == 0x20 ? folio_spe_headers[second].field : FOLIO_SPE_RESERVED;
    packet->bits = first == 0x20 ? folio_spe_headers[second].bits : 0;
    read_payload(input, at, 2, folio_spe_headers[second].size, packet);
}

static void
read_packet(const FolioSpeInput *input, gsize at, Packet *packet)
{
    const FolioSpeHeader *header = &folio_spe_headers[input->data[at]];

    *packet = (Packet){ header->kind, header->field, header->bits, 0, 0 };
    if (header->kind == FOLIO_SPE_KIND_EXTENDED)
        read_extended(input, at, packet);
    else if (header->kind != FOLIO_SPE_KIND_UNKNOWN)
        read_payload(input, at, 1, header->size, packet);
}

FolioSpeOutcome
folio_spe_read_carefully(const FolioSpeInput *input, gsize start, FolioSpeRecord *record,
                         gsize *end)
{
    guint32 present = 0;
    gsize at = start;

    memset(record, 0, sizeof(*record));
    for (;;) {
        Packet packet;

        at = folio_spe_skip_padding(input, at);
        if (at - start > FOLIO_SPE_RECORD_MAX)
            return FOLIO_SPE_OUTCOME_BROKEN;
        if (at == input->size)
            return FOLIO_SPE_OUTCOME_CUT;
        read_packet(input, at, &packet);
        if (packet.kind == FOLIO_SPE_KIND_UNKNOWN ||
            (present & packet.bits & FOLIO_SPE_FIELD_BITS) != 0)
            return FOLIO_SPE_OUTCOME_BROKEN;
        if (packet.size == 0)
            return FOLIO_SPE_OUTCOME_CUT;
        record->field[packet.field] = packet.value;
        present |= packet.bits;
        at += packet.size;
        if (packet.kind != FOLIO_SPE_KIND_FIELD)
            break;
    }
    folio_spe_finish_record(record, present);
    *end = at;
    return FOLIO_SPE_OUTCOME_WHOLE;
}
