/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes perf.data files with Arm SPE in them. Layouts: Linux, tools/perf/Documentation/
 * perf.data-file-format.txt and tools/lib/perf/include/perf/event.h. */
#include "common/perf-writer.h"

#include <linux/perf_event.h>
#include <string.h>

#define HEADER_SIZE      104
#define ATTR_SIZE        PERF_ATTR_SIZE_VER5
#define ATTRS_OFFSET     (HEADER_SIZE + 8) /* behind the one id */
#define DATA_OFFSET      (ATTRS_OFFSET + ATTR_SIZE + 16)
#define FEATURE_AUXTRACE 18

struct _PerfWriter {
    GByteArray *bytes;
    GArray *index; /* guint64: place and size of each AUXTRACE event */
};

static void
append64(GByteArray *bytes, guint64 value)
{
    guint64 little = GUINT64_TO_LE(value);

    g_byte_array_append(bytes, (const guint8 *) &little, sizeof(little));
}

static void
append32(GByteArray *bytes, guint32 value)
{
    guint32 little = GUINT32_TO_LE(value);

    g_byte_array_append(bytes, (const guint8 *) &little, sizeof(little));
}

static void
put64(GByteArray *bytes, gsize at, guint64 value)
{
    guint64 little = GUINT64_TO_LE(value);

    memcpy(bytes->data + at, &little, sizeof(little));
}

void
perf_writer_event(PerfWriter *writer, guint32 type, const void *body, gsize size)
{
    append32(writer->bytes, type);
    append32(writer->bytes, (guint32) (8 + size) << 16);
    g_byte_array_append(writer->bytes, body, (guint) size);
}

static void
append_header(GByteArray *bytes)
{
    struct perf_event_attr attr = {
        .type = PERF_WRITER_PMU_TYPE,
        .size = ATTR_SIZE,
        .sample_period = 4096,
        .sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_ADDR | PERF_SAMPLE_CPU |
                       PERF_SAMPLE_PHYS_ADDR | PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC |
                       PERF_SAMPLE_IDENTIFIER,
        .sample_id_all = 1,
        .exclude_guest = 1,
    };

    g_byte_array_append(bytes, (const guint8 *) "PERFILE2", 8);
    append64(bytes, HEADER_SIZE);
    append64(bytes, ATTR_SIZE + 16);
    append64(bytes, ATTRS_OFFSET);
    append64(bytes, ATTR_SIZE + 16);
    append64(bytes, DATA_OFFSET);
    append64(bytes, 0); /* of the data: not known yet */
    append64(bytes, 0); /* event types: none since long ago */
    append64(bytes, 0);
    append64(bytes, G_GUINT64_CONSTANT(1) << FEATURE_AUXTRACE);
    for (guint i = 0; i < 3; i++)
        append64(bytes, 0);
    append64(bytes, 1); /* the id */
    g_byte_array_append(bytes, (const guint8 *) &attr, ATTR_SIZE);
    append64(bytes, HEADER_SIZE);
    append64(bytes, 8);
}

static void
append_info(PerfWriter *writer, guint version, guint cpus)
{
    g_autoptr(GByteArray) body = g_byte_array_new();

    append32(body, 4); /* Arm SPE */
    append32(body, 0);
    if (version == 2) {
        append64(body, 2);
        append64(body, 4);
    }
    append64(body, PERF_WRITER_PMU_TYPE);
    append64(body, version == 2 ? cpus : 1);
    for (guint cpu = 0; version == 2 && cpu < cpus; cpu++) {
        append64(body, G_GUINT64_CONSTANT(0x1010101010101010));
        append64(body, cpu);
        append64(body, 3);
        append64(body, 0x481fd010); /* Kunpeng 920 */
        append64(body, PERF_WRITER_PMU_TYPE);
        append64(body, 1024);
    }
    perf_writer_event(writer, 70, body->data, body->len);
}

PerfWriter *
perf_writer_new(guint info_version, guint cpus)
{
    PerfWriter *writer = g_new0(PerfWriter, 1);

    writer->bytes = g_byte_array_new();
    writer->index = g_array_new(FALSE, FALSE, sizeof(guint64));
    append_header(writer->bytes);
    append_info(writer, info_version, cpus);
    return writer;
}

void
perf_writer_auxtrace(PerfWriter *writer, gint32 cpu, gint32 tid, guint32 queue, guint64 position,
                     const void *data, gsize size)
{
    const guint64 entry[2] = { GUINT64_TO_LE((guint64) writer->bytes->len), GUINT64_TO_LE(48) };

    g_array_append_vals(writer->index, entry, 2);
    append32(writer->bytes, 71);
    append32(writer->bytes, 48u << 16);
    append64(writer->bytes, size);
    append64(writer->bytes, position);
    append64(writer->bytes, 0);
    append32(writer->bytes, queue);
    append32(writer->bytes, (guint32) tid);
    append32(writer->bytes, (guint32) cpu);
    append32(writer->bytes, 0);
    g_byte_array_append(writer->bytes, data, (guint) size);
}

/* Events of the kernel end with a sample id (sample_id_all): thread, CPU, event. */
void
perf_writer_aux(PerfWriter *writer, guint64 position, guint64 size, guint64 flags)
{
    const guint64 body[6] = {
        GUINT64_TO_LE(position), GUINT64_TO_LE(size), GUINT64_TO_LE(flags), 0, 0, GUINT64_TO_LE(1)
    };

    perf_writer_event(writer, PERF_RECORD_AUX, body, sizeof(body));
}

void
perf_writer_itrace_start(PerfWriter *writer, guint32 pid, guint32 tid)
{
    const guint32 body[8] = { GUINT32_TO_LE(pid),
                              GUINT32_TO_LE(tid),
                              GUINT32_TO_LE(pid),
                              GUINT32_TO_LE(tid),
                              0,
                              0,
                              GUINT32_TO_LE(1),
                              0 };

    perf_writer_event(writer, PERF_RECORD_ITRACE_START, body, sizeof(body));
}

void
perf_writer_time_conv(PerfWriter *writer, guint64 shift, guint64 mult, guint64 zero)
{
    const guint64 body[6] = { GUINT64_TO_LE(shift), GUINT64_TO_LE(mult), GUINT64_TO_LE(zero) };

    perf_writer_event(writer, 79, body, sizeof(body));
}

GBytes *
perf_writer_close(PerfWriter *writer)
{
    GByteArray *bytes = writer->bytes;
    guint64 end = bytes->len;

    put64(bytes, 48, end - DATA_OFFSET);
    append64(bytes, end + 16);
    append64(bytes, 8 + 8 * writer->index->len);
    append64(bytes, writer->index->len / 2);
    g_byte_array_append(bytes, (const guint8 *) writer->index->data, 8 * writer->index->len);
    g_array_unref(writer->index);
    g_free(writer);
    return g_byte_array_free_to_bytes(bytes);
}
