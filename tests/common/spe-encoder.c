/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes Arm SPE records as hardware does, for tests and benchmarks. */
#include "common/spe-encoder.h"

#include <string.h>

/* Bytes of the payload are fixed but for events and data source. */
typedef struct {
    guint8 header;
    guint8 bytes;
} Form;

static const Form forms[FOLIO_SPE_FIELDS] = {
    [FOLIO_SPE_PC] = { 0xb0, 8 },
    [FOLIO_SPE_TARGET] = { 0xb1, 8 },
    [FOLIO_SPE_VA] = { 0xb2, 8 },
    [FOLIO_SPE_PA] = { 0xb3, 8 },
    [FOLIO_SPE_PREVIOUS_TARGET] = { 0xb4, 8 },
    [FOLIO_SPE_TIMESTAMP] = { 0x71, 8 },
    [FOLIO_SPE_EVENTS] = { 0x42, 0 },
    [FOLIO_SPE_DATA_SOURCE] = { 0x43, 0 },
    [FOLIO_SPE_TOTAL_LATENCY] = { 0x98, 2 },
    [FOLIO_SPE_ISSUE_LATENCY] = { 0x99, 2 },
    [FOLIO_SPE_TRANSLATION_LATENCY] = { 0x9a, 2 },
    [FOLIO_SPE_CONTEXT_EL1] = { 0x64, 4 },
    [FOLIO_SPE_CONTEXT_EL2] = { 0x65, 4 },
    [FOLIO_SPE_OPERATION] = { 0x48, 1 },
};

static const FolioSpeField kunpeng[] = {
    FOLIO_SPE_PC,
    FOLIO_SPE_CONTEXT_EL1,
    FOLIO_SPE_CONTEXT_EL2,
    FOLIO_SPE_ISSUE_LATENCY,
    FOLIO_SPE_TOTAL_LATENCY,
    FOLIO_SPE_EVENTS,
    FOLIO_SPE_OPERATION,
    FOLIO_SPE_TARGET,
    FOLIO_SPE_VA,
    FOLIO_SPE_TRANSLATION_LATENCY,
    FOLIO_SPE_PA,
    FOLIO_SPE_PREVIOUS_TARGET,
    FOLIO_SPE_DATA_SOURCE,
};

static const FolioSpeField neoverse[] = {
    FOLIO_SPE_PC,
    FOLIO_SPE_CONTEXT_EL1,
    FOLIO_SPE_CONTEXT_EL2,
    FOLIO_SPE_OPERATION,
    FOLIO_SPE_EVENTS,
    FOLIO_SPE_ISSUE_LATENCY,
    FOLIO_SPE_TOTAL_LATENCY,
    FOLIO_SPE_TARGET,
    FOLIO_SPE_VA,
    FOLIO_SPE_TRANSLATION_LATENCY,
    FOLIO_SPE_PA,
    FOLIO_SPE_PREVIOUS_TARGET,
    FOLIO_SPE_DATA_SOURCE,
};

G_STATIC_ASSERT(G_N_ELEMENTS(kunpeng) == G_N_ELEMENTS(neoverse));

static guint
payload_bytes(const SpeSample *sample, FolioSpeField field)
{
    if (field == FOLIO_SPE_EVENTS)
        return sample->events_bytes;
    if (field == FOLIO_SPE_DATA_SOURCE)
        return sample->data_source_bytes;
    return forms[field].bytes;
}

static void
append_packet(GByteArray *out, const SpeSample *sample, FolioSpeField field, gboolean extended)
{
    guint bytes = payload_bytes(sample, field);
    guint64 payload = GUINT64_TO_LE(sample->payload[field]);
    guint8 packet[16] = { 0 };
    guint size = 0;

    if (extended && (forms[field].header & 0xd0) == 0x90)
        packet[size++] = 0x20;
    packet[size] = forms[field].header;
    if (field == FOLIO_SPE_OPERATION)
        packet[size] |= (guint8) sample->operation_class;
    if (forms[field].bytes == 0)
        packet[size] |= (guint8) (g_bit_nth_lsf(bytes, -1) << 4);
    size++;
    memcpy(packet + size, &payload, bytes);
    g_byte_array_append(out, packet, size + bytes);
}

static void
append_zeros(GByteArray *out, guint count)
{
    guint before = out->len;

    g_byte_array_set_size(out, before + count);
    memset(out->data + before, 0, count);
}

/* The fields that the sample has, in the layout's order; returns their number. */
static guint
order_fields(FolioSpeField *fields, const SpeSample *sample, const SpeLayout *layout, GRand *random)
{
    const FolioSpeField *order = layout->order == SPE_ORDER_NEOVERSE ? neoverse : kunpeng;
    guint n = 0;

    for (guint i = 0; i < G_N_ELEMENTS(kunpeng); i++)
        if (sample->present >> order[i] & 1)
            fields[n++] = order[i];
    for (guint i = n; layout->order == SPE_ORDER_SHUFFLED && i > 1; i--) {
        guint other = (guint) g_rand_int_range(random, 0, (gint) i);
        FolioSpeField kept = fields[i - 1];

        fields[i - 1] = fields[other];
        fields[other] = kept;
    }
    return n;
}

void
spe_encode(GByteArray *out, const SpeSample *sample, const SpeLayout *layout, GRand *random)
{
    FolioSpeField fields[FOLIO_SPE_FIELDS];
    guint n = order_fields(fields, sample, layout, random);
    gboolean timestamp = (sample->present >> FOLIO_SPE_TIMESTAMP & 1) != 0;
    guint start = out->len;

    for (guint i = 0; i < n; i++) {
        if (layout->padding > 0 && i > 0)
            append_zeros(out, (guint) g_rand_int_range(random, 0, (gint) layout->padding + 1));
        append_packet(out, sample, fields[i], layout->extended);
    }
    while (layout->alignment > 0 &&
           (out->len - start + (timestamp ? 9 : 1)) % layout->alignment != 0)
        append_zeros(out, 1);
    if (timestamp)
        append_packet(out, sample, FOLIO_SPE_TIMESTAMP, FALSE);
    else
        g_byte_array_append(out, (const guint8[]){ 0x01 }, 1);
}

static guint64
low_bytes(guint64 value, guint bytes)
{
    return bytes == 8 ? value : value % (G_GUINT64_CONSTANT(1) << 8 * bytes);
}

static guint64
expect_address(FolioSpeField field, guint64 payload)
{
    guint64 address = payload % (G_GUINT64_CONSTANT(1) << 56);
    guint level = payload >> 61 & 3;
    gboolean kernel;

    if (field == FOLIO_SPE_PA)
        return address;
    if (field == FOLIO_SPE_VA)
        kernel = address >= G_GUINT64_CONSTANT(0xf0000000000000);
    else
        kernel = payload >> 63 == 1 && (level == 1 || level == 2);
    return kernel ? address + G_GUINT64_CONSTANT(0xff00000000000000) : address;
}

void
spe_expect(FolioSpeRecord *record, const SpeSample *sample)
{
    memset(record, 0, sizeof(*record));
    record->present = sample->present;
    for (FolioSpeField field = 0; field < FOLIO_SPE_FIELDS; field++) {
        guint bytes;

        if ((sample->present >> field & 1) == 0)
            continue;
        bytes = payload_bytes(sample, field);
        record->field[field] = (forms[field].header & 0xf8) == 0xb0
                                   ? expect_address(field, sample->payload[field])
                                   : low_bytes(sample->payload[field], bytes);
    }
    if (sample->present >> FOLIO_SPE_OPERATION & 1)
        record->operation_class = (guint8) sample->operation_class;
    if (sample->present >> FOLIO_SPE_PC & 1) {
        record->pc_el = sample->payload[FOLIO_SPE_PC] >> 61 & 3;
        record->pc_ns = sample->payload[FOLIO_SPE_PC] >> 63 & 1;
    }
}

static guint64
random64(GRand *random)
{
    return (guint64) g_rand_int(random) << 32 | g_rand_int(random);
}

/* Few bits, many bits, bytes that look like headers: each now and then. */
static guint64
random_payload(GRand *random)
{
    static const guint8 headers[] = { 0x00, 0x01, 0x20, 0x21, 0x42, 0x49, 0x52, 0x65,
                                      0x71, 0x98, 0x99, 0x9a, 0xb0, 0xb1, 0xb2, 0xb3 };
    guint64 payload = 0;

    switch (g_rand_int_range(random, 0, 4)) {
    case 0:
        return random64(random);
    case 1:
        return random64(random) >> g_rand_int_range(random, 0, 64);
    case 2:
        return ~(random64(random) >> g_rand_int_range(random, 0, 64));
    default:
        for (guint i = 0; i < 8; i++)
            payload = payload << 8 | headers[g_rand_int_range(random, 0, G_N_ELEMENTS(headers))];
        return payload;
    }
}

void
spe_random_sample(SpeSample *sample, GRand *random)
{
    const guint32 possible = (1u << FOLIO_SPE_RESERVED) - 1;

    do
        sample->present = g_rand_int(random) & possible;
    while ((sample->present & ~(1u << FOLIO_SPE_TIMESTAMP)) == 0);
    for (guint i = 0; i < FOLIO_SPE_FIELDS; i++)
        sample->payload[i] = random_payload(random);
    sample->operation_class = (guint) g_rand_int_range(random, 0, 3);
    sample->events_bytes = 1u << g_rand_int_range(random, 0, 4);
    sample->data_source_bytes = 1u << g_rand_int_range(random, 0, 2);
}

static gboolean
one_in(GRand *random, gint n)
{
    return g_rand_int_range(random, 0, n) == 0;
}

static void
set(SpeSample *sample, FolioSpeField field, guint64 payload)
{
    sample->payload[field] = payload;
    sample->present |= 1u << field;
}

static void
set_access(SpeSample *sample, guint64 frames, GRand *random)
{
    guint64 frame = random64(random) % frames;

    set(sample, FOLIO_SPE_OPERATION, (one_in(random, 3) ? 1 : 0) | (one_in(random, 4) ? 4 : 0));
    set(sample, FOLIO_SPE_VA, random64(random) >> 17 | (one_in(random, 4) ? 0xffffull << 48 : 0));
    set(sample, FOLIO_SPE_TRANSLATION_LATENCY, g_rand_int_range(random, 0, 60));
    if (!one_in(random, 25))
        set(sample, FOLIO_SPE_PA, 1ull << 63 | frame << 12 | (g_rand_int(random) & 0xff8));
}

void
spe_guest_sample(SpeSample *sample, guint64 frames, guint64 timestamp, GRand *random)
{
    gint kind = g_rand_int_range(random, 0, 100);
    guint64 level = one_in(random, 3) ? 1 : 0;
    guint64 code = level << 61 | (level ? 0xff800000000000ull : 0) | 1ull << 63;

    memset(sample, 0, sizeof(*sample));
    sample->operation_class = kind < 70 ? 1 : kind < 85 ? 2 : 0;
    sample->events_bytes = one_in(random, 10) ? 4 : 2;
    set(sample, FOLIO_SPE_TIMESTAMP, timestamp);
    set(sample, FOLIO_SPE_PC, code | (g_rand_int(random) & 0x3ffffffc));
    if (level == 0 && one_in(random, 8))
        set(sample, FOLIO_SPE_CONTEXT_EL1, g_rand_int(random) & 0xffff);
    set(sample, FOLIO_SPE_ISSUE_LATENCY, g_rand_int_range(random, 1, 60));
    set(sample, FOLIO_SPE_TOTAL_LATENCY, g_rand_int_range(random, 4, 600));
    set(sample, FOLIO_SPE_EVENTS, 0x2 | (g_rand_int(random) & 0x33c));
    if (sample->operation_class == 1)
        set_access(sample, frames, random);
    else
        set(sample, FOLIO_SPE_OPERATION, g_rand_int(random) & 3);
    if (sample->operation_class == 2 && !one_in(random, 4))
        set(sample, FOLIO_SPE_TARGET, code | (g_rand_int(random) & 0x3ffffffc));
}
