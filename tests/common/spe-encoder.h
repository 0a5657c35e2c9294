/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes Arm SPE records as hardware does, for tests and benchmarks. It shares nothing with the
 * decoder but the record. */
#pragma once

#include "sample/spe-record.h"

/* What goes into one record, as it is on the wire. */
typedef struct {
    guint64 payload[FOLIO_SPE_FIELDS]; /* unmasked: with tags, exception levels, and so on */
    guint32 present;                   /* 1 << FolioSpeField; the timestamp's bit closes with it */
    guint operation_class;
    guint events_bytes;      /* 1, 2, 4 or 8 */
    guint data_source_bytes; /* the same */
} SpeSample;

typedef enum {
    SPE_ORDER_KUNPENG,  /* PC, contexts, counters, events, operation, the rest */
    SPE_ORDER_NEOVERSE, /* PC, contexts, operation, events, counters, the rest */
    SPE_ORDER_SHUFFLED,
} SpeOrder;

typedef struct {
    SpeOrder order;
    guint alignment;   /* of the record's size, by padding before its last packet; 0: none */
    guint padding;     /* up to that many bytes of padding before any packet, at random */
    gboolean extended; /* addresses and counters with a header of two bytes */
} SpeLayout;

/* Appends the record of sample to out; without a timestamp an end packet closes it. random is used
 * for the order and for padding only. */
void spe_encode(GByteArray *out, const SpeSample *sample, const SpeLayout *layout, GRand *random);

/* What a decoder has to make of that sample. */
void spe_expect(FolioSpeRecord *record, const SpeSample *sample);

/* A sample whose every field is random, present or not; never one with a timestamp alone. */
void spe_random_sample(SpeSample *sample, GRand *random);

/* A sample such as a Kunpeng 920 host sees of its guests: 70% loads and stores, 15% branches, 15%
 * other; user and kernel code; now and then a context packet, wider events, a failed translation.
 * Physical addresses are in frames [0, frames), each as likely. */
void spe_guest_sample(SpeSample *sample, guint64 frames, guint64 timestamp, GRand *random);
