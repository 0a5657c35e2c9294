/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holds spe-decoder and perf-file against perf itself: both read the same file of generated
 * records, and each record has to be the same in both. Exits with 77 where there is no perf. */
#include "perf-text.h"

#include "common/perf-writer.h"
#include "common/spe-encoder.h"
#include "sample/perf-file.h"
#include "sample/spe-decoder.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#define CPUS         4
#define ADDRESS_BITS G_GUINT64_CONSTANT(0x00ffffffffffffff)
#define SHOWN        10 /* differences that are printed */

static guint records = 30000;
static guint seed = 1;
static char *keep;

static const GOptionEntry options[] = {
    { "records", 0, 0, G_OPTION_ARG_INT, &records, "Random records (default 30000)", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT, &seed, "Of the random numbers", "N" },
    { "keep", 0, 0, G_OPTION_ARG_FILENAME, &keep, "Leave the perf.data file there", "FILE" },
    { NULL },
};

static const SpeLayout layouts[] = {
    { SPE_ORDER_KUNPENG, 4, 0, FALSE },  { SPE_ORDER_NEOVERSE, 64, 0, FALSE },
    { SPE_ORDER_SHUFFLED, 4, 0, FALSE }, { SPE_ORDER_SHUFFLED, 0, 5, FALSE },
    { SPE_ORDER_SHUFFLED, 0, 20, TRUE },
};

/* ---- The file */

/* What perf script shows, which is memory accesses; all that perf report shows otherwise. */
static gboolean for_script;

static void
append(GByteArray *trace, SpeSample *sample, guint number, GRand *random)
{
    /* Script of perf 6.1 takes SVE operations of class other (bit 3) for loads; later ones do not.
     */
    if (for_script && sample->operation_class == FOLIO_SPE_CLASS_OTHER)
        sample->payload[FOLIO_SPE_OPERATION] &= ~G_GUINT64_CONSTANT(8);
    spe_encode(trace, sample, &layouts[number % G_N_ELEMENTS(layouts)], random);
}

/* Every operation, every event, every top byte of each address, every size. */
static void
append_corner_cases(GByteArray *trace, GRand *random)
{
    static const FolioSpeField addresses[] = { FOLIO_SPE_PC, FOLIO_SPE_TARGET, FOLIO_SPE_VA,
                                               FOLIO_SPE_PA, FOLIO_SPE_PREVIOUS_TARGET };
    SpeSample sample;

    for (guint i = 0; i < 3 * 256; i++) {
        spe_random_sample(&sample, random);
        sample.present |= 1u << FOLIO_SPE_OPERATION;
        sample.operation_class = i / 256;
        sample.payload[FOLIO_SPE_OPERATION] = i % 256;
        append(trace, &sample, i, random);
    }
    for (guint i = 0; i < 4 * 64; i++) {
        spe_random_sample(&sample, random);
        sample.present |= 1u << FOLIO_SPE_EVENTS;
        sample.events_bytes = 1u << i / 64;
        sample.payload[FOLIO_SPE_EVENTS] = G_GUINT64_CONSTANT(1) << i % 64;
        append(trace, &sample, i, random);
    }
    for (guint i = 0; i < G_N_ELEMENTS(addresses) * 256; i++) {
        FolioSpeField field = addresses[i / 256];

        spe_random_sample(&sample, random);
        sample.present |= 1u << field | 1u << FOLIO_SPE_OPERATION;
        sample.payload[field] = (sample.payload[field] & ADDRESS_BITS) | (guint64) (i % 256) << 56;
        append(trace, &sample, i, random);
    }
}

/* Alignment packets, to the boundaries that perf knows (up to 16 bytes), from anywhere. Perf counts
 * from the start of the memory that it has the trace in: in the first piece that is the same, as
 * its place in the file is a multiple of 16. */
static void
append_alignment(GByteArray *trace)
{
    static const guint8 zeros[16];

    for (guint i = 0; i < 4 * 16; i++) {
        const guint8 alignment[] = { (guint8) (0x20 | i / 16), 0 };
        guint boundary;

        g_byte_array_append(trace, zeros, i % 16);
        g_byte_array_append(trace, (const guint8[]){ 0x49, 0x01 }, 2);
        boundary = trace->len + (2u << i / 16) - trace->len % (2u << i / 16);
        g_byte_array_append(trace, alignment, 2);
        while (trace->len < boundary)
            g_byte_array_append(trace, (const guint8[]){ 0xff }, 1);
        g_byte_array_append(trace, (const guint8[]){ 0x42, 0x02, 0x01 }, 3);
    }
}

/* A piece for each CPU in turn, all of the same size but the last. */
static GBytes *
write_file(void)
{
    PerfWriter *writer = perf_writer_new(1, 0);
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    g_autoptr(GByteArray) trace = g_byte_array_new();
    guint64 positions[CPUS] = { 0 };
    guint piece = 0;

    append_alignment(trace);
    append_corner_cases(trace, random);
    for (guint i = 0; i < records; i++) {
        SpeSample sample;

        spe_random_sample(&sample, random);
        if (for_script && i % 8 != 0) {
            sample.present |= 1u << FOLIO_SPE_OPERATION;
            sample.operation_class = FOLIO_SPE_CLASS_LOAD_STORE;
        }
        append(trace, &sample, i, random);
        if (i + 1 < records && (i + 1) % (records / 9 + 1) != 0)
            continue;
        perf_writer_auxtrace(writer, (gint32) (piece % CPUS), -1, piece % CPUS,
                             positions[piece % CPUS], trace->data, trace->len);
        positions[piece++ % CPUS] += trace->len;
        g_byte_array_set_size(trace, 0);
    }
    return perf_writer_close(writer);
}

/* ---- Comparing */

typedef struct {
    FILE *text;
    guint64 compared, different;
} Comparison;

typedef void (*CompareFunc)(Comparison *comparison, const FolioSpeRecord *record);

static void
report(Comparison *comparison, const char *what, guint64 ours, guint64 perfs)
{
    if (comparison->different++ < SHOWN)
        g_printerr("record %" G_GUINT64_FORMAT ": %s is %#" G_GINT64_MODIFIER
                   "x, %#" G_GINT64_MODIFIER "x by perf\n",
                   comparison->compared, what, ours, perfs);
}

static void
compare_field(Comparison *comparison, const FolioSpeRecord *ours, const FolioSpeRecord *perfs,
              FolioSpeField field, const char *name)
{
    guint64 mask = field <= FOLIO_SPE_PA       ? ADDRESS_BITS
                   : field == FOLIO_SPE_EVENTS ? perf_text_named_events()
                                               : G_MAXUINT64;

    if ((ours->field[field] & mask) != perfs->field[field])
        report(comparison, name, ours->field[field], perfs->field[field]);
}

/* Against a record of perf report -D: everything. */
static void
compare_dumped(Comparison *comparison, const FolioSpeRecord *ours)
{
    static const char *const names[FOLIO_SPE_RESERVED] = {
        "pc",
        "target",
        "previous target",
        "va",
        "pa",
        "timestamp",
        "events",
        "total latency",
        "issue latency",
        "translation latency",
        "context el1",
        "context el2",
        "operation",
        "data source",
    };
    FolioSpeRecord perfs;

    if (!perf_text_next_dumped(comparison->text, &perfs)) {
        report(comparison, "end", 0, 1);
        return;
    }
    for (FolioSpeField field = 0; field < FOLIO_SPE_RESERVED; field++)
        compare_field(comparison, ours, &perfs, field, names[field]);
    if (ours->present != perfs.present)
        report(comparison, "present", ours->present, perfs.present);
    if (ours->operation_class != perfs.operation_class)
        report(comparison, "class", ours->operation_class, perfs.operation_class);
    if (ours->pc_el != perfs.pc_el || ours->pc_ns != perfs.pc_ns)
        report(comparison, "level", ours->pc_el, perfs.pc_el);
    comparison->compared++;
}

/* Against a row of perf script, which has only memory accesses. */
static void
compare_row(Comparison *comparison, const FolioSpeRecord *ours)
{
    FolioSpeRecord perfs;

    if (!folio_spe_record_is_access(ours))
        return;
    if (!perf_text_next_row(comparison->text, &perfs)) {
        report(comparison, "end", 0, 1);
        return;
    }
    if (ours->pc != perfs.pc)
        report(comparison, "pc", ours->pc, perfs.pc);
    if (ours->va != perfs.va)
        report(comparison, "va", ours->va, perfs.va);
    if (ours->pa != perfs.pa)
        report(comparison, "pa", ours->pa, perfs.pa);
    if (ours->total_latency != perfs.total_latency)
        report(comparison, "total latency", ours->total_latency, perfs.total_latency);
    comparison->compared++;
}

static void
compare_buffer(Comparison *comparison, const FolioPerfBuffer *buffer, CompareFunc compare)
{
    FolioSpeDecoder decoder = { .position = buffer->position };
    gsize used = 0, n;

    do {
        FolioSpeRecord out[64];
        gsize consumed;

        n = folio_spe_decode(&decoder, buffer->data + used, buffer->size - used, out,
                             G_N_ELEMENTS(out), &consumed);
        used += consumed;
        for (gsize i = 0; i < n; i++)
            compare(comparison, &out[i]);
    } while (n == 64);
    if (decoder.garbage + decoder.tail + decoder.resyncs > 0)
        report(comparison, "garbage", decoder.garbage + decoder.tail, 0);
}

/* cpu -1: all buffers as they come. */
static void
compare_buffers(Comparison *comparison, const FolioPerfFile *file, gint32 cpu, CompareFunc compare)
{
    for (guint i = 0; i < file->buffers->len; i++) {
        const FolioPerfBuffer *buffer = &g_array_index(file->buffers, FolioPerfBuffer, i);

        if (cpu == -1 || buffer->cpu == cpu)
            compare_buffer(comparison, buffer, compare);
    }
}

/* ---- All together */

static FILE *
start_perf(const char *command, const char *path)
{
    g_autofree char *quoted = g_shell_quote(path);
    g_autofree char *line =
        g_strdup_printf("PERF_CONFIG=/dev/null LC_ALL=C %s -i %s 2>/dev/null", command, quoted);
    FILE *text = popen(line, "r");

    if (text == NULL)
        g_error("%s: %s", line, g_strerror(errno));
    return text;
}

static void
compare_dump(Comparison *comparison, const FolioPerfFile *file)
{
    FolioSpeRecord more;

    compare_buffers(comparison, file, -1, compare_dumped);
    if (perf_text_next_dumped(comparison->text, &more))
        report(comparison, "end", 1, 0);
}

/* Perf goes from queue to queue. */
static void
compare_script(Comparison *comparison, const FolioPerfFile *file)
{
    FolioSpeRecord more;

    for (gint32 cpu = 0; cpu < CPUS; cpu++)
        compare_buffers(comparison, file, cpu, compare_row);
    if (perf_text_next_row(comparison->text, &more))
        report(comparison, "end", 1, 0);
}

static FolioPerfFile *
write_and_parse(const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = write_file();
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size);

    if (!g_file_set_contents(path, data, (gssize) size, error))
        return NULL;
    return folio_perf_file_parse(bytes, path, error);
}

static gboolean
compare(const char *path, const char *command, GError **error)
{
    g_autoptr(FolioPerfFile) file = write_and_parse(path, error);
    Comparison comparison = { 0 };
    int status;

    if (file == NULL)
        return FALSE;
    if (file->damage != NULL) {
        g_propagate_error(error, g_steal_pointer(&file->damage));
        return FALSE;
    }
    comparison.text = start_perf(command, path);
    if (for_script)
        compare_script(&comparison, file);
    else
        compare_dump(&comparison, file);
    status = pclose(comparison.text);
    g_print("%s: %" G_GUINT64_FORMAT " records, %" G_GUINT64_FORMAT
            " differences, exit status %d\n",
            command, comparison.compared, comparison.different, status);
    return comparison.different == 0 && comparison.compared > 0 && status == 0;
}

int
main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- compare with perf");
    g_autofree char *perf = g_find_program_in_path("perf");
    g_autoptr(GError) error = NULL;
    g_autofree char *directory = NULL, *path = NULL;
    gboolean same;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || records < 1)
        g_error("%s", error != NULL ? error->message : "--records: at least 1");
    if (perf == NULL) {
        g_print("no perf: install linux-perf\n");
        return 77;
    }
    directory = g_dir_make_tmp("compare-perf.XXXXXX", &error);
    if (directory == NULL)
        g_error("%s", error->message);
    path = keep != NULL ? g_strdup(keep) : g_build_filename(directory, "perf.data", NULL);
    same = compare(path, "perf report -D", &error);
    for_script = TRUE;
    if (error == NULL)
        same &= compare(path, "perf script --itrace=M -F ip,addr,phys_addr,weight", &error);
    if (error != NULL)
        g_printerr("%s\n", error->message);
    if (keep == NULL)
        g_unlink(path);
    g_rmdir(directory);
    return same ? 0 : 1;
}
