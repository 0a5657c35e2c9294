/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl analyze --records: a line a record. printf would take most of the time, and there may be
 * hundreds of millions of them, so numbers are written by hand. */
#include "ctl/analyze.h"

#include <stdio.h>
#include <string.h>

#define HEADER "time\tcpu\ttid\top\tpc\tva\tpa\tevents\ttotal_lat\tissue_lat\txlat_lat\n"

/* Longer than any line: eleven fields of 20 characters at most. */
#define LINE_MAX_BYTES 256
#define OUTPUT_BYTES   (256 * 1024)

typedef struct {
    const FolioPerfFile *file;
    char *at;
    char buffer[OUTPUT_BYTES + LINE_MAX_BYTES];
} Output;

static void
flush(Output *output)
{
    fwrite(output->buffer, 1, (gsize) (output->at - output->buffer), stdout);
    output->at = output->buffer;
}

static char *
put_text(char *at, const char *text)
{
    gsize length = strlen(text);

    memcpy(at, text, length);
    return at + length;
}

static char *
put_decimal(char *at, guint64 value)
{
    char digits[20];
    guint n = 0;

    do {
        digits[n++] = (char) ('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

static char *
put_hex(char *at, guint64 value)
{
    guint digits = value == 0 ? 1 : (67 - (guint) __builtin_clzll(value)) / 4;

    *at++ = '0';
    *at++ = 'x';
    while (digits-- > 0)
        *at++ = "0123456789abcdef"[value >> 4 * digits & 0xf];
    return at;
}

/* A tab and the field; "-" where the record has none. */
static char *
put_field(char *at, const FolioSpeRecord *record, FolioSpeField field, gboolean hex)
{
    *at++ = '\t';
    if (!folio_spe_record_has(record, field)) {
        *at++ = '-';
        return at;
    }
    return hex ? put_hex(at, record->field[field]) : put_decimal(at, record->field[field]);
}

static char *
put_time(char *at, const FolioPerfFile *file, const FolioSpeRecord *record)
{
    if (folio_spe_record_has(record, FOLIO_SPE_TIMESTAMP))
        return put_decimal(at, folio_record_time(file, record));
    *at++ = '-';
    return at;
}

static char *
put_cpu(char *at, const FolioPerfBuffer *buffer)
{
    *at++ = '\t';
    if (buffer->cpu >= 0)
        return put_decimal(at, (guint64) buffer->cpu);
    *at++ = '-';
    return at;
}

/* The thread whose buffer it is; in a CPU's buffer the one that CONTEXTIDR_EL2 names, where the
 * host's kernel puts thread ids (CONFIG_PID_IN_CONTEXTIDR). */
static char *
put_thread(char *at, const FolioPerfBuffer *buffer, const FolioSpeRecord *record)
{
    if (buffer->tid < 0)
        return put_field(at, record, FOLIO_SPE_CONTEXT_EL2, FALSE);
    *at++ = '\t';
    return put_decimal(at, (guint64) buffer->tid);
}

static char *
put_record(char *at, const FolioPerfFile *file, const FolioPerfBuffer *buffer,
           const FolioSpeRecord *record)
{
    at = put_time(at, file, record);
    at = put_cpu(at, buffer);
    at = put_thread(at, buffer, record);
    *at++ = '\t';
    at = put_text(at, folio_operation_token(folio_record_operation(record)));
    at = put_field(at, record, FOLIO_SPE_PC, TRUE);
    at = put_field(at, record, FOLIO_SPE_VA, TRUE);
    at = put_field(at, record, FOLIO_SPE_PA, TRUE);
    at = put_field(at, record, FOLIO_SPE_EVENTS, TRUE);
    at = put_field(at, record, FOLIO_SPE_TOTAL_LATENCY, FALSE);
    at = put_field(at, record, FOLIO_SPE_ISSUE_LATENCY, FALSE);
    at = put_field(at, record, FOLIO_SPE_TRANSLATION_LATENCY, FALSE);
    *at++ = '\n';
    return at;
}

static void
print_run(const FolioRecordRun *run, gpointer user_data)
{
    Output *output = user_data;

    for (gsize i = 0; i < run->n; i++) {
        output->at = put_record(output->at, output->file, run->buffer, &run->records[i]);
        if (output->at > output->buffer + OUTPUT_BYTES)
            flush(output);
    }
}

void
folio_analyze_print_records(FolioCapture *capture)
{
    g_autofree Output *output = g_new(Output, 1);

    output->file = capture->perf;
    output->at = put_text(output->buffer, HEADER);
    if (!capture->perf->clock.known)
        fprintf(stderr,
                "folioctl: the file has no TIME_CONV event: times are ticks of the timer\n");
    folio_record_walk_all(&capture->walk, print_run, output);
    flush(output);
    if (capture->walk.garbage > 0 || capture->walk.cut > 0)
        fprintf(stderr,
                "folioctl: %" G_GUINT64_FORMAT " bytes in %" G_GUINT64_FORMAT
                " places are no records, %" G_GUINT64_FORMAT " bytes are of records cut off\n",
                capture->walk.garbage, capture->walk.resyncs, capture->walk.cut);
}
