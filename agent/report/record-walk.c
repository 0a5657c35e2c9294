/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Along the SPE records of a perf.data file. */
#include "report/record-walk.h"

/* Records decoded at a time: few enough to stay in the cache. */
#define BATCH 128

#define RELIEF_BYTES (32u << 20)

#define NO_BUFFER G_MAXUINT

/* Records kept decoded for all areas together, as far as one for each allows. */
#define PENDING (BATCH * 512)

/* Where the reading of one AUX area stands. */
typedef struct {
    guint buffer; /* index of the present one; NO_BUFFER at the end */
    guint last;   /* index of the last one; for making the chain */
    gsize used;   /* bytes of the present buffer */
    FolioSpeDecoder decoder;
    FolioSpeRecord *pending; /* decoded, of the present buffer; NULL before the first time */
    gsize n_pending, given;  /* records there, and those of them that were given */
    guint64 records, served; /* all, and those given; without times only */
} Area;

struct _FolioTimeWalk {
    FolioRecordWalk *walk;
    gboolean by_time;
    GArray *areas;  /* Area */
    gsize batch;    /* records in pending */
    guint *next_of; /* by buffer: the next of the same area, or NO_BUFFER */
};

static const FolioPerfBuffer *
buffer_at(const FolioPerfFile *file, guint i)
{
    return &g_array_index(file->buffers, FolioPerfBuffer, i);
}

static void
relieve(FolioRecordWalk *walk, gsize bytes)
{
    walk->unrelieved += bytes;
    if (walk->relief == NULL || walk->unrelieved < RELIEF_BYTES)
        return;
    walk->unrelieved = 0;
    walk->relief(walk->relief_data);
}

void
folio_record_walk_all(FolioRecordWalk *walk, FolioRecordFunc func, gpointer user_data)
{
    FolioSpeRecord records[BATCH];

    walk->bytes = walk->garbage = walk->resyncs = walk->cut = 0;
    for (guint i = 0; i < walk->file->buffers->len; i++) {
        const FolioPerfBuffer *buffer = buffer_at(walk->file, i);
        FolioSpeDecoder decoder = { .position = buffer->position };
        FolioRecordRun run = { buffer, records, 0 };
        gsize used = 0, consumed;

        do {
            run.n = folio_spe_decode(&decoder, buffer->data + used, buffer->size - used, records,
                                     BATCH, &consumed);
            used += consumed;
            func(&run, user_data);
            relieve(walk, consumed);
        } while (run.n == BATCH);
        walk->bytes += buffer->size;
        walk->garbage += decoder.garbage;
        walk->resyncs += decoder.resyncs;
        walk->cut += decoder.tail;
    }
}

/* ---- By time */

static guint64 *
area_key(const FolioPerfBuffer *buffer)
{
    guint64 key = (guint64) (guint32) buffer->cpu << 32 | (guint32) buffer->tid;

    return g_memdup2(&key, sizeof(key));
}

/* Chains the buffers of each area in the file's order, which is by position within one area. */
static void
find_areas(FolioTimeWalk *time_walk)
{
    g_autoptr(GHashTable) by_key = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    const FolioPerfFile *file = time_walk->walk->file;

    for (guint i = 0; i < file->buffers->len; i++) {
        guint64 *key = area_key(buffer_at(file, i));
        gpointer index;

        time_walk->next_of[i] = NO_BUFFER;
        if (g_hash_table_lookup_extended(by_key, key, NULL, &index)) {
            Area *area = &g_array_index(time_walk->areas, Area, GPOINTER_TO_UINT(index));

            time_walk->next_of[area->last] = i;
            area->last = i;
            g_free(key);
        } else {
            const Area area = { .buffer = i,
                                .last = i,
                                .decoder = { .position = buffer_at(file, i)->position } };

            g_hash_table_insert(by_key, key, GUINT_TO_POINTER(time_walk->areas->len));
            g_array_append_val(time_walk->areas, area);
        }
    }
}

typedef struct {
    FolioTimeWalk *time_walk;
    guint64 *counts; /* by buffer */
} Counting;

static void
count_run(const FolioRecordRun *run, gpointer user_data)
{
    Counting *counting = user_data;
    const GArray *buffers = counting->time_walk->walk->file->buffers;

    counting->counts[run->buffer - (const FolioPerfBuffer *) (gconstpointer) buffers->data] +=
        run->n;
}

/* Without times, how far a record is along its area stands in for them. */
static void
count_records(FolioTimeWalk *time_walk)
{
    g_autofree guint64 *counts = g_new0(guint64, time_walk->walk->file->buffers->len);
    Counting counting = { time_walk, counts };

    folio_record_walk_all(time_walk->walk, count_run, &counting);
    for (guint i = 0; i < time_walk->areas->len; i++) {
        Area *area = &g_array_index(time_walk->areas, Area, i);

        for (guint b = area->buffer; b != NO_BUFFER; b = time_walk->next_of[b])
            area->records += counts[b];
    }
}

FolioTimeWalk *
folio_time_walk_new(FolioRecordWalk *walk, gboolean by_time)
{
    FolioTimeWalk *time_walk = g_new0(FolioTimeWalk, 1);

    time_walk->walk = walk;
    time_walk->by_time = by_time;
    time_walk->areas = g_array_new(FALSE, FALSE, sizeof(Area));
    time_walk->next_of = g_new(guint, walk->file->buffers->len);
    find_areas(time_walk);
    time_walk->batch = CLAMP(PENDING / MAX(time_walk->areas->len, 1), 1, BATCH);
    if (!by_time)
        count_records(time_walk);
    return time_walk;
}

void
folio_time_walk_free(FolioTimeWalk *time_walk)
{
    if (time_walk == NULL)
        return;
    for (guint i = 0; i < time_walk->areas->len; i++)
        g_free(g_array_index(time_walk->areas, Area, i).pending);
    g_array_unref(time_walk->areas);
    g_free(time_walk->next_of);
    g_free(time_walk);
}

static gboolean
is_before(const FolioTimeWalk *time_walk, const Area *area, const FolioSpeRecord *record,
          guint64 end)
{
    if (!time_walk->by_time)
        return area->served * FOLIO_UNTIMED_SPAN / MAX(area->records, 1) < end;
    return !folio_spe_record_has(record, FOLIO_SPE_TIMESTAMP) ||
           folio_record_time(time_walk->walk->file, record) < end;
}

/* Gives what is before end of the records that are decoded. */
static void
give_pending(FolioTimeWalk *time_walk, Area *area, guint64 end, FolioRecordFunc func,
             gpointer user_data)
{
    FolioRecordRun run = { buffer_at(time_walk->walk->file, area->buffer) };

    run.records = area->pending + area->given;
    while (area->given + run.n < area->n_pending &&
           (end == G_MAXUINT64 || is_before(time_walk, area, &run.records[run.n], end))) {
        run.n++;
        area->served++;
    }
    area->given += run.n;
    if (run.n > 0)
        func(&run, user_data);
}

/* Decodes the next records, of the next buffer where the present one is read. */
static void
decode_more(FolioTimeWalk *time_walk, Area *area)
{
    const FolioPerfBuffer *buffer = buffer_at(time_walk->walk->file, area->buffer);
    gsize consumed;

    if (area->pending == NULL)
        area->pending = g_new(FolioSpeRecord, time_walk->batch);
    if (area->decoder.tail > 0 || area->used == buffer->size) {
        area->buffer = time_walk->next_of[area->buffer];
        area->used = 0;
        area->n_pending = area->given = 0;
        if (area->buffer == NO_BUFFER)
            return;
        buffer = buffer_at(time_walk->walk->file, area->buffer);
        area->decoder = (FolioSpeDecoder){ .position = buffer->position };
    }
    area->given = 0;
    area->n_pending =
        folio_spe_decode(&area->decoder, buffer->data + area->used, buffer->size - area->used,
                         area->pending, time_walk->batch, &consumed);
    area->used += consumed;
    relieve(time_walk->walk, consumed);
}

void
folio_time_walk_until(FolioTimeWalk *time_walk, guint64 end, FolioRecordFunc func,
                      gpointer user_data)
{
    for (guint i = 0; i < time_walk->areas->len; i++) {
        Area *area = &g_array_index(time_walk->areas, Area, i);

        while (area->buffer != NO_BUFFER) {
            if (area->given < area->n_pending)
                give_pending(time_walk, area, end, func, user_data);
            if (area->given < area->n_pending)
                break;
            decode_more(time_walk, area);
        }
    }
}
