/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How fast samples are taken in: decoding, frame look-up and bitmap, beside "perf script" and
 * beside a plain read of the same bytes, all of one run on one core. Times are those of the thread
 * (of the process for perf), so that a busy machine disturbs them less; each figure is the median
 * of the rounds, which take turns. */
#include "common/perf-writer.h"
#include "common/spe-encoder.h"
#include "heat/cost-table.h"
#include "heat/frame-map.h"
#include "heat/heat-table.h"
#include "sample/spe-decoder.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>

#define MAX_ROUNDS  99
#define BATCH       128
#define FRAME_SHIFT 12

typedef enum {
    MEASURE_READ, /* of the bytes of the hardware's order */
    MEASURE_DECODE,
    MEASURE_ALL,
    MEASURE_COST, /* and what each costs */
    MEASURE_DECODE_SHUFFLED,
    MEASURE_ALL_SHUFFLED,
    MEASURE_PERF,
    MEASURE_PERF_SHUFFLED,
    MEASURE_PERF_FIELDS,
    N_MEASURES
} Measure;

static const char *const measure_names[N_MEASURES] = {
    "plain read of the bytes",   "decode",
    "decode, look-up, bitmap",   "the three, and the cost",
    "decode, shuffled",          "the three, shuffled",
    "perf script --itrace=M",    "the same, shuffled",
    "with -F ip,addr,phys_addr",
};

static gint n_records = 1000000;
static gint guest_gib = 64;
static gint rounds = 9;
static gint perf_rounds = 3;
static gboolean json;

static const GOptionEntry options[] = {
    { "records", 0, 0, G_OPTION_ARG_INT, &n_records, "Records in a stream (default 1000000)", "N" },
    { "guest-gib", 0, 0, G_OPTION_ARG_INT, &guest_gib,
      "RAM that the samples are spread over evenly (default 64)", "GIB" },
    { "rounds", 0, 0, G_OPTION_ARG_INT, &rounds, "How often to measure (default 9)", "N" },
    { "perf-rounds", 0, 0, G_OPTION_ARG_INT, &perf_rounds,
      "How often to measure perf (default 3; 0: not at all)", "N" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { NULL },
};

typedef struct {
    GByteArray *bytes;
    guint64 in_guest; /* records with a physical address of the guest */
    char *file;       /* the same as perf.data */
} Stream;

typedef struct {
    Stream ordered, shuffled;
    FolioFrameMap *map;
    FolioHeatTable *heat;
    FolioCostTable *costs;
    double rates[N_MEASURES][MAX_ROUNDS]; /* records a second */
    guint n_rates[N_MEASURES];
    guint64 checksum; /* keeps the plain read from being optimised away */
} Bench;

/* ---- Measuring */

static double
thread_seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double) time.tv_sec + (double) time.tv_nsec * 1e-9;
}

static void
add_rate(Bench *bench, Measure measure, double seconds)
{
    bench->rates[measure][bench->n_rates[measure]++] = n_records / seconds;
}

static void
measure_read(Bench *bench)
{
    double start = thread_seconds();
    guint64 sum = 0;

    for (gsize i = 0; i + 8 <= bench->ordered.bytes->len; i += 8) {
        guint64 word;

        memcpy(&word, bench->ordered.bytes->data + i, sizeof(word));
        sum += word;
    }
    add_rate(bench, MEASURE_READ, thread_seconds() - start);
    bench->checksum += sum;
}

/* Of n records, each with the place of its address. */
static void
add_costs(Bench *bench, const FolioSpeRecord *records, const guint8 *which,
          const FolioPlace *places, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        const FolioSpeRecord *record = &records[which[i]];

        if (places[i] != FOLIO_NO_PLACE)
            folio_cost_table_add(bench->costs, places[i] / FOLIO_SUB_PAGES,
                                 (record->events & FOLIO_SPE_EVENT_TLB_WALK) != 0,
                                 folio_spe_record_has(record, FOLIO_SPE_TRANSLATION_LATENCY),
                                 (guint16) record->translation_latency,
                                 (guint16) record->total_latency);
    }
}

/* Three short loops, none of which has a branch that cannot be predicted: the addresses, without
 * the records that have none; their places, which are fetched; the bits. */
static void
add_samples(Bench *bench, const FolioSpeRecord *records, gsize n_all, gboolean costs)
{
    guint64 frames[BATCH];
    guint8 which[BATCH];
    FolioPlace places[BATCH];
    gsize n = 0;

    for (gsize i = 0; i < n_all; i++) {
        frames[n] = records[i].pa >> FRAME_SHIFT;
        which[n] = (guint8) i;
        n += folio_spe_record_has(&records[i], FOLIO_SPE_PA);
    }
    for (gsize i = 0; i < n; i++) {
        places[i] = folio_frame_map_find(bench->map, frames[i]);
        if (places[i] != FOLIO_NO_PLACE)
            __builtin_prefetch(&bench->heat->now[places[i] / FOLIO_SUB_PAGES]
                                    .words[places[i] % FOLIO_SUB_PAGES / 64],
                               1);
    }
    for (gsize i = 0; i < n; i++)
        if (places[i] != FOLIO_NO_PLACE)
            folio_heat_table_add(bench->heat, places[i] / FOLIO_SUB_PAGES,
                                 places[i] % FOLIO_SUB_PAGES);
    if (costs)
        add_costs(bench, records, which, places, n);
}

static void
measure_decoding(Bench *bench, Measure measure, const Stream *stream)
{
    const gboolean all = measure != MEASURE_DECODE && measure != MEASURE_DECODE_SHUFFLED;
    const GByteArray *bytes = stream->bytes;
    guint64 samples = bench->heat->samples;
    double start = thread_seconds();
    FolioSpeRecord records[BATCH];
    FolioSpeDecoder decoder = { 0 };
    gsize used = 0, consumed, n;

    do {
        n = folio_spe_decode(&decoder, bytes->data + used, bytes->len - used, records, BATCH,
                             &consumed);
        used += consumed;
        if (all)
            add_samples(bench, records, n, measure == MEASURE_COST);
    } while (n == BATCH);
    add_rate(bench, measure, thread_seconds() - start);
    if (decoder.records != (guint64) n_records || decoder.garbage > 0)
        g_error("%" G_GUINT64_FORMAT " of %d records came out", decoder.records, n_records);
    if (all && bench->heat->samples - samples != stream->in_guest)
        g_error("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " samples were found",
                bench->heat->samples - samples, stream->in_guest);
}

static double
child_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_CHILDREN, &usage);
    return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static void
measure_perf(Bench *bench, Measure measure, const char *file, const char *fields)
{
    const char *argv[] = { "perf", "script", "--itrace=M", "-i", file, fields, NULL };
    double start = child_seconds();
    g_autoptr(GError) error = NULL;
    gint status;

    if (!g_spawn_sync(NULL, (char **) argv, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                      NULL, NULL, NULL, NULL, &status, &error) ||
        !g_spawn_check_wait_status(status, &error))
        g_error("perf script: %s (--perf-rounds 0 does without)", error->message);
    add_rate(bench, measure, child_seconds() - start);
}

static void
measure_all(Bench *bench)
{
    for (gint i = 0; i < rounds; i++) {
        measure_read(bench);
        measure_decoding(bench, MEASURE_DECODE, &bench->ordered);
        measure_decoding(bench, MEASURE_ALL, &bench->ordered);
        measure_decoding(bench, MEASURE_COST, &bench->ordered);
        measure_decoding(bench, MEASURE_DECODE_SHUFFLED, &bench->shuffled);
        measure_decoding(bench, MEASURE_ALL_SHUFFLED, &bench->shuffled);
        if (i >= perf_rounds)
            continue;
        measure_perf(bench, MEASURE_PERF, bench->ordered.file, NULL);
        measure_perf(bench, MEASURE_PERF_SHUFFLED, bench->shuffled.file, NULL);
        measure_perf(bench, MEASURE_PERF_FIELDS, bench->ordered.file, "-Fip,addr,phys_addr");
    }
}

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static double
median(Bench *bench, Measure measure)
{
    guint n = bench->n_rates[measure];

    qsort(bench->rates[measure], n, sizeof(double), compare_doubles);
    return n == 0 ? 0 : bench->rates[measure][n / 2];
}

/* ---- What is measured */

static void
write_perf_file(Stream *stream)
{
    PerfWriter *writer = perf_writer_new(1, 0);
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) error = NULL;
    int fd = g_file_open_tmp("spe-bench.XXXXXX", &stream->file, &error);

    perf_writer_auxtrace(writer, 0, -1, 0, 0, stream->bytes->data, stream->bytes->len);
    bytes = perf_writer_close(writer);
    if (fd < 0 || !g_file_set_contents(stream->file, g_bytes_get_data(bytes, NULL),
                                       (gssize) g_bytes_get_size(bytes), &error))
        g_error("%s", error->message);
    g_close(fd, NULL);
}

static void
make_stream(Stream *stream, SpeOrder order)
{
    const guint64 frames = (guint64) guest_gib << (30 - FRAME_SHIFT);
    const SpeLayout layout = { order, 4, 0, FALSE };
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    stream->bytes = g_byte_array_sized_new((guint) n_records * 64);
    for (gint i = 0; i < n_records; i++) {
        FolioSpeRecord record;
        SpeSample sample;

        spe_guest_sample(&sample, frames, (guint64) i * 1000, random);
        spe_encode(stream->bytes, &sample, &layout, random);
        spe_expect(&record, &sample);
        stream->in_guest += record.pa >> FRAME_SHIFT >= FOLIO_FRAMES_A_CHUNK;
    }
    if (perf_rounds > 0)
        write_perf_file(stream);
}

static void
clear_stream(Stream *stream)
{
    g_byte_array_unref(stream->bytes);
    if (stream->file != NULL)
        g_unlink(stream->file);
    g_free(stream->file);
}

/* The guest has all frames but the first 2 MiB; its blocks lie in any order. */
static void
make_guest(Bench *bench)
{
    const guint n_blocks = (guint) guest_gib << (30 - FRAME_SHIFT - 9);
    g_autoptr(GRand) random = g_rand_new_with_seed(2);
    g_autofree guint *blocks = g_new(guint, n_blocks);

    bench->map = folio_frame_map_new();
    bench->heat = folio_heat_table_new(n_blocks);
    for (guint i = 0; i < n_blocks; i++)
        blocks[i] = i;
    for (guint i = n_blocks - 1; i > 0; i--) {
        guint other = (guint) g_rand_int_range(random, 0, (gint32) i);
        guint kept = blocks[i];

        blocks[i] = blocks[other];
        blocks[other] = kept;
    }
    for (guint i = 1; i < n_blocks; i++)
        if (!folio_frame_map_set_block(bench->map, blocks[i], (guint64) i * FOLIO_FRAMES_A_CHUNK))
            g_error("no memory for the frame map");
}

/* One block in eight is split and followed. */
static void
make_costs(Bench *bench)
{
    const guint n_blocks = bench->heat->n_blocks;
    g_autofree guint8 *classes = g_new0(guint8, n_blocks);

    for (guint i = 0; i < n_blocks; i += 8)
        classes[i] = FOLIO_COST_SPLIT;
    bench->costs = folio_cost_table_new(n_blocks);
    folio_cost_table_follow(bench->costs, classes, n_blocks);
}

/* ---- What is said about it */

/* The processor as /proc/cpuinfo has it (not so on Arm), and the architecture. */
static char *
machine_name(void)
{
    g_autofree char *text = NULL;
    g_autoptr(GMatchInfo) match = NULL;
    g_autoptr(GRegex) regex = g_regex_new("^model name\\s*: (.*)$", G_REGEX_MULTILINE, 0, NULL);
    g_autofree char *model = NULL;
    struct utsname name;

    uname(&name);
    if (g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL) &&
        g_regex_match(regex, text, 0, &match))
        model = g_match_info_fetch(match, 1);
    return g_strdup_printf("%s, %u CPUs%s%s", name.machine, g_get_num_processors(),
                           model != NULL ? ", " : "", model != NULL ? model : "");
}

static void
print_text(Bench *bench)
{
    g_autofree char *machine = machine_name();
    double read = median(bench, MEASURE_READ), perf = median(bench, MEASURE_PERF);

    g_print("%s\n%d records, %.1f bytes each; samples over %d GiB; medians of %d rounds\n\n",
            machine, n_records, (double) bench->ordered.bytes->len / n_records, guest_gib, rounds);
    g_print("%-26s %12s %12s %12s\n", "", "M records/s", "of a read", "of perf");
    for (Measure measure = 0; measure < N_MEASURES; measure++) {
        double rate = median(bench, measure);

        if (bench->n_rates[measure] == 0)
            continue;
        g_print("%-26s %12.2f %11.1f%%", measure_names[measure], rate / 1e6, 100 * rate / read);
        if (perf > 0)
            g_print(" %11.1fx", rate / perf);
        g_print("\n");
    }
}

static void
add_double(JsonBuilder *builder, const char *name, double value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_double_value(builder, value);
}

static void
add_measures(Bench *bench, JsonBuilder *builder)
{
    double all = median(bench, MEASURE_ALL), shuffled = median(bench, MEASURE_ALL_SHUFFLED);
    double perf = median(bench, MEASURE_PERF), perf_shuffled = median(bench, MEASURE_PERF_SHUFFLED);

    add_double(builder, "records_per_second", all);
    add_double(builder, "records_per_second_shuffled", shuffled);
    add_double(builder, "cost_fraction", median(bench, MEASURE_COST) / all);
    if (perf > 0) {
        add_double(builder, "perf_script_records_per_second", perf);
        add_double(builder, "perf_script_records_per_second_shuffled", perf_shuffled);
        add_double(builder, "perf_script_fields_records_per_second",
                   median(bench, MEASURE_PERF_FIELDS));
        add_double(builder, "times_perf_script", all / perf);
        add_double(builder, "times_perf_script_shuffled", shuffled / perf_shuffled);
    }
    add_double(builder, "read_limit_fraction", all / median(bench, MEASURE_READ));
    add_double(builder, "decode_records_per_second", median(bench, MEASURE_DECODE));
    add_double(builder, "decode_records_per_second_shuffled",
               median(bench, MEASURE_DECODE_SHUFFLED));
    add_double(builder, "bytes_per_record", (double) bench->ordered.bytes->len / n_records);
}

static void
print_json(Bench *bench)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *machine = machine_name();
    g_autofree char *text = NULL;

    json_builder_begin_object(builder);
    add_measures(bench, builder);
    json_builder_set_member_name(builder, "guest_gib");
    json_builder_add_int_value(builder, guest_gib);
    json_builder_set_member_name(builder, "rounds");
    json_builder_add_int_value(builder, rounds);
    json_builder_set_member_name(builder, "machine");
    json_builder_add_string_value(builder, machine);
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    text = json_to_string(root, TRUE);
    g_print("%s\n", text);
}

int
main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- speed of taking in SPE samples");
    g_autofree Bench *bench = g_new0(Bench, 1);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("%s\n", error->message);
        return 2;
    }
    if (argc > 1 || n_records < 1000 || n_records > 40000000 || guest_gib < 1 || guest_gib > 4096 ||
        rounds < 1 || rounds > MAX_ROUNDS || perf_rounds < 0 || perf_rounds > rounds) {
        g_printerr("--records 1000 to 40000000, --guest-gib 1 to 4096, --rounds 1 to %d, "
                   "--perf-rounds 0 to --rounds\n",
                   MAX_ROUNDS);
        return 2;
    }
    make_stream(&bench->ordered, SPE_ORDER_KUNPENG);
    make_stream(&bench->shuffled, SPE_ORDER_SHUFFLED);
    make_guest(bench);
    make_costs(bench);
    measure_all(bench);
    if (json)
        print_json(bench);
    else
        print_text(bench);
    clear_stream(&bench->ordered);
    clear_stream(&bench->shuffled);
    folio_frame_map_free(bench->map);
    folio_heat_table_free(bench->heat);
    folio_cost_table_free(bench->costs);
    return 0;
}
