/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arm SPE packets to records. Pure: no allocation, no I/O, no globals; never reads past its input.
 *
 * Any order of packets, padding anywhere, any alignment of records, extended headers. A record ends
 * at its timestamp or at an end packet.
 *
 * What can be no record is garbage: an unknown header, a kind of packet that comes twice, a record
 * longer than FOLIO_SPE_RECORD_MAX. (A second packet of a kind means that the record's end was
 * lost, as it is when the buffer fills: the two halves must not become one record.) Decoding then
 * goes on at the next place that looks like a whole record with a PC and an operation; all between
 * is counted, none of it is guessed. */
#pragma once

#include "sample/spe-record.h"

/* The largest record an implementation may write, in bytes (PMSIDR_EL1.MaxSize 0b1011). */
#define FOLIO_SPE_RECORD_MAX 2048

/* All zero is a fresh decoder at the start of an AUX area. */
typedef struct {
    /* Where the next input byte lies in the AUX area, in bytes: alignment packets count from the
     * area's start. Set it before a piece that does not follow the previous one. */
    guint64 position;

    guint64 records;
    guint64 bytes;   /* consumed, with padding and garbage */
    guint64 garbage; /* bytes that belong to no record; a terminator without a record among them */
    guint64 resyncs; /* times that the start of the next record had to be searched */
    gsize tail;      /* bytes of what the end of the last call's input cuts off, below 4096 */

    guint unordered; /* private: records until the hardware's order is tried again */
} FolioSpeDecoder;

/* Decodes records from data until max_records are in out or the data ends; returns their number and
 * sets *consumed to the bytes that need not be given again. Fewer than max_records means that the
 * data ended: then the last size - *consumed bytes are decoder->tail, a record (or an alignment
 * packet) that data cuts off. It can be given again with more bytes behind it; where there are
 * none, it is lost. */
gsize folio_spe_decode(FolioSpeDecoder *decoder, const guint8 *data, gsize size,
                       FolioSpeRecord *out, gsize max_records, gsize *consumed);
