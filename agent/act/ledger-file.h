/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of the ledger's files. Pure.
 *
 * Lines of fields with one space between; the strings of people and of other programs are escaped
 * as in a URI. The last line is a checksum of all before it. A guest's file, in this order:
 *
 *     foliod-ledger 1 guest UUID
 *     boot BOOT-ID
 *     process PID START-TIME
 *     thp CHANGED KHUGEPAGED-BEFORE ENABLED-BEFORE        each 0 or 1
 *     counters SPLIT COLLAPSED LEFT PARTLY RECOLLAPSED
 *     ram INODE BYTES ID                                  any number of these, each followed by
 *     split ORDER FIRST+COUNT FIRST ...                   its blocks that are split to that order,
 *     perhaps ORDER FIRST+COUNT ...                       and those that may be
 *     action KIND ORDER FIRST-TIME LAST-TIME BLOCKS DONE BY
 *     sha256 DIGEST
 *
 * Blocks count from 0 within their RAM block. The host's file:
 *
 *     foliod-ledger 1 host
 *     boot BOOT-ID
 *     knob PATH ORIGINAL OURS
 *     sha256 DIGEST */
#pragma once

#include "act/ledger-record.h"

/* A file is no longer than this: 8 MiB. 1 TiB of RAM of which every second block is split takes
 * less than 2 MiB. */
#define FOLIO_LEDGER_MAX_BYTES (8 * 1024 * 1024)

/* What is kept of the host. */
typedef struct {
    char *path, *original, *ours;
} FolioLedgerKnob;

/* More than this host has knobs that foliod knows of. */
#define FOLIO_LEDGER_MAX_KNOBS 64u

void folio_ledger_knob_free(FolioLedgerKnob *knob);

/* To be freed with g_string_free; either may be longer than the limit, which the caller sees to.
 * What is begun is written as what may be split. */
GString *folio_ledger_file_print_guest(const FolioLedgerRecord *record);
GString *folio_ledger_file_print_host(const char *boot, GPtrArray *knobs);

/* INVALID, saying what is wrong and in which line, when it is not exactly such a text. */
FolioLedgerRecord *folio_ledger_file_parse_guest(const char *text, gsize length, GError **error);
/* FolioLedgerKnob, freed with the array; *boot is to be freed. */
GPtrArray *folio_ledger_file_parse_host(const char *text, gsize length, char **boot,
                                        GError **error);
