/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What perf says about Arm SPE records, as records. */
#include "perf-text.h"

#include <stdlib.h>
#include <string.h>

/* A line of the dump: ".  OFFSET: ", the packet's bytes in 16 columns of 3, its description. */
#define BYTES_COLUMN       13
#define DESCRIPTION_COLUMN (BYTES_COLUMN + 16 * 3)

static const struct {
    const char *name;
    guint bit;
} events[] = {
    { " EXCEPTION-GEN", 0 },     { " RETIRED", 1 },         { " L1D-ACCESS", 2 },
    { " L1D-REFILL", 3 },        { " TLB-ACCESS", 4 },      { " TLB-REFILL", 5 },
    { " NOT-TAKEN", 6 },         { " MISPRED", 7 },         { " LLC-ACCESS", 8 },
    { " LLC-REFILL", 9 },        { " REMOTE-ACCESS", 10 },  { " ALIGNMENT", 11 },
    { " SVE-PARTIAL-PRED", 17 }, { " SVE-EMPTY-PRED", 18 },
};

guint64
perf_text_named_events(void)
{
    guint64 named = 0;

    for (guint i = 0; i < G_N_ELEMENTS(events); i++)
        named |= G_GUINT64_CONSTANT(1) << events[i].bit;
    return named;
}

static void
set(FolioSpeRecord *record, FolioSpeField field, guint64 value)
{
    record->field[field] = value;
    record->present |= 1u << field;
}

/* Names are whole words: each has a blank before it, and a blank or the end behind it. */
static guint64
parse_events(const char *words)
{
    guint64 found = 0;

    for (guint i = 0; i < G_N_ELEMENTS(events); i++) {
        const char *at = strstr(words, events[i].name);
        char after = at != NULL ? at[strlen(events[i].name)] : 'x';

        if (after == ' ' || after == '\0')
            found |= G_GUINT64_CONSTANT(1) << events[i].bit;
    }
    return found;
}

static void
parse_operation(FolioSpeRecord *record, const char *line, const char *description)
{
    /* The second byte of the packet; the words do not tell all of its bits. */
    set(record, FOLIO_SPE_OPERATION, strtoul(line + BYTES_COLUMN + 3, NULL, 16));
    if (g_str_has_prefix(description, "LD") || g_str_has_prefix(description, "ST"))
        record->operation_class = FOLIO_SPE_CLASS_LOAD_STORE;
    else if (description[0] == 'B')
        record->operation_class = FOLIO_SPE_CLASS_BRANCH;
    /* The word that says it has to agree with the bit. */
    if (g_str_has_prefix(description, "ST") !=
        (record->operation_class == 1 && (record->operation & 1) != 0))
        record->operation = G_MAXUINT64;
}

static gboolean
parse_address(FolioSpeRecord *record, const char *description)
{
    guint64 value;
    guint level, ns;

    if (sscanf(description, "PC 0x%lx el%u ns=%u", &value, &level, &ns) == 3) {
        set(record, FOLIO_SPE_PC, value);
        record->pc_el = (guint8) level;
        record->pc_ns = (guint8) ns;
    } else if (sscanf(description, "TGT 0x%lx", &value) == 1) {
        set(record, FOLIO_SPE_TARGET, value);
    } else if (sscanf(description, "VA 0x%lx", &value) == 1) {
        set(record, FOLIO_SPE_VA, value % (G_GUINT64_CONSTANT(1) << 56));
    } else if (sscanf(description, "PA 0x%lx", &value) == 1) {
        set(record, FOLIO_SPE_PA, value);
    } else if (sscanf(description, "PBT 0x%lx", &value) == 1 ||
               sscanf(description, "ADDR 0x%lx (4)", &value) == 1) {
        set(record, FOLIO_SPE_PREVIOUS_TARGET, value % (G_GUINT64_CONSTANT(1) << 56));
    } else {
        return FALSE;
    }
    return TRUE;
}

static gboolean
parse_counter(FolioSpeRecord *record, const char *description)
{
    guint64 value;
    char which[8];

    if (sscanf(description, "LAT %lu %7s", &value, which) != 2)
        return FALSE;
    if (strcmp(which, "TOT") == 0)
        set(record, FOLIO_SPE_TOTAL_LATENCY, value);
    else if (strcmp(which, "ISSUE") == 0)
        set(record, FOLIO_SPE_ISSUE_LATENCY, value);
    else if (strcmp(which, "XLAT") == 0)
        set(record, FOLIO_SPE_TRANSLATION_LATENCY, value);
    return TRUE;
}

/* TRUE at the end of a record. */
static gboolean
parse_packet(FolioSpeRecord *record, const char *line, const char *description)
{
    gint64 number;
    guint64 value;
    guint level;

    if (strcmp(description, "END") == 0)
        return TRUE;
    if (sscanf(description, "TS %ld", &number) == 1) {
        set(record, FOLIO_SPE_TIMESTAMP, (guint64) number);
        return TRUE;
    }
    if (strcmp(description, "EV") == 0 || g_str_has_prefix(description, "EV "))
        set(record, FOLIO_SPE_EVENTS, parse_events(description));
    else if (sscanf(description, "DATA-SOURCE %ld", &number) == 1)
        set(record, FOLIO_SPE_DATA_SOURCE, (guint64) number);
    else if (sscanf(description, "CONTEXT 0x%lx el%u", &value, &level) == 2)
        set(record, level == 1 ? FOLIO_SPE_CONTEXT_EL1 : FOLIO_SPE_CONTEXT_EL2, value);
    else if (strcmp(description, "PAD") != 0 && !parse_address(record, description) &&
             !parse_counter(record, description))
        parse_operation(record, line, description);
    return FALSE;
}

gboolean
perf_text_next_dumped(FILE *text, FolioSpeRecord *record)
{
    char line[512];

    memset(record, 0, sizeof(*record));
    while (fgets(line, sizeof(line), text) != NULL) {
        g_strchomp(line);
        /* Only lines of the trace have eight digits and a colon there. */
        if (strlen(line) <= DESCRIPTION_COLUMN || !g_str_has_prefix(line, ".  ") || line[11] != ':')
            continue;
        if (parse_packet(record, line, line + DESCRIPTION_COLUMN + 1))
            return TRUE;
    }
    return FALSE;
}

gboolean
perf_text_next_row(FILE *text, FolioSpeRecord *record)
{
    char line[512];

    memset(record, 0, sizeof(*record));
    return fgets(line, sizeof(line), text) != NULL &&
           sscanf(line, "%lx %lu %lx %lx", &record->va, &record->total_latency, &record->pc,
                  &record->pa) == 4;
}
