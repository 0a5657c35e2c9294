/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl analyze, the program itself, on recordings written here: no daemon, no bus. The address
 * space that --pid looks up is that of the test. */
#include "analyze-run.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER       "time\tcpu\ttid\top\tpc\tva\tpa\tevents\ttotal_lat\tissue_lat\txlat_lat"
#define BLOCK_BYTES  (2u << 20)
#define PAGE_BYTES   4096u
#define RANDOM_TRIES 2500

typedef struct {
    char *dir;
    char *file; /* what analyze is to read */
} Fixture;

static int
setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->dir = g_dir_make_tmp("test-analyze.XXXXXX", NULL);
    if (fixture->dir == NULL)
        return -1;
    fixture->file = g_build_filename(fixture->dir, "perf.data", NULL);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GDir) dir = g_dir_open(fixture->dir, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(fixture->dir, name, NULL);

        g_remove(path);
    }
    g_rmdir(fixture->dir);
    g_free(fixture->dir);
    g_free(fixture->file);
    g_free(fixture);
    return 0;
}

static void
save(const Fixture *fixture, GBytes *bytes, gsize size)
{
    g_autoptr(GError) error = NULL;

    g_file_set_contents(fixture->file, g_bytes_get_data(bytes, NULL), (gssize) size, &error);
    assert_no_error(error);
}

/* ---- --records */

static const char *
operation_of(const FolioSpeRecord *record)
{
    guint bits = (guint) record->operation;

    if (!folio_spe_record_has(record, FOLIO_SPE_OPERATION) || record->operation_class == 3)
        return "unknown";
    if (record->operation_class == 2)
        return "branch";
    if (record->operation_class == 0)
        return "other";
    if ((bits >> 5) == 0 && (bits & 2) && (bits & 4))
        return "atomic";
    return bits & 1 ? "store" : "load";
}

static void
append_field(GString *line, const FolioSpeRecord *record, FolioSpeField field, gboolean hex)
{
    if (!folio_spe_record_has(record, field))
        g_string_append(line, "\t-");
    else if (hex)
        g_string_append_printf(line, "\t0x%" G_GINT64_MODIFIER "x", record->field[field]);
    else
        g_string_append_printf(line, "\t%" G_GUINT64_FORMAT, record->field[field]);
}

static void
append_line(GString *lines, const SpeSample *sample, gint cpu, gint tid)
{
    FolioSpeRecord record;

    spe_expect(&record, sample);
    if (folio_spe_record_has(&record, FOLIO_SPE_TIMESTAMP))
        g_string_append_printf(lines, "%" G_GUINT64_FORMAT, record.timestamp * NS_A_TICK);
    else
        g_string_append_c(lines, '-');
    if (cpu >= 0)
        g_string_append_printf(lines, "\t%d", cpu);
    else
        g_string_append(lines, "\t-");
    if (tid >= 0)
        g_string_append_printf(lines, "\t%d", tid);
    else
        append_field(lines, &record, FOLIO_SPE_CONTEXT_EL2, FALSE);
    g_string_append_printf(lines, "\t%s", operation_of(&record));
    append_field(lines, &record, FOLIO_SPE_PC, TRUE);
    append_field(lines, &record, FOLIO_SPE_VA, TRUE);
    append_field(lines, &record, FOLIO_SPE_PA, TRUE);
    append_field(lines, &record, FOLIO_SPE_EVENTS, TRUE);
    append_field(lines, &record, FOLIO_SPE_TOTAL_LATENCY, FALSE);
    append_field(lines, &record, FOLIO_SPE_ISSUE_LATENCY, FALSE);
    append_field(lines, &record, FOLIO_SPE_TRANSLATION_LATENCY, FALSE);
    g_string_append_c(lines, '\n');
}

/* Random records in buffers of CPUs and of threads; returns the file and what is to be printed. */
static GBytes *
random_file(GString *lines)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    PerfWriter *writer = recording_begin();
    guint64 positions[4] = { 0 };

    g_string_append(lines, HEADER "\n");
    for (guint drain = 0; drain < 12; drain++) {
        const SpeLayout layout = { drain % 3, drain % 2 ? 4 : 0, drain % 5, drain % 4 == 3 };
        g_autoptr(GByteArray) trace = g_byte_array_new();
        guint area = drain % 4;
        gint cpu = area < 2 ? (gint) area : -1, tid = area < 2 ? -1 : (gint) area * 1000;

        for (guint i = 0; i < RANDOM_TRIES / 12; i++) {
            SpeSample sample;

            spe_random_sample(&sample, random);
            sample.payload[FOLIO_SPE_TIMESTAMP] &= 0xffffffffffff;
            spe_encode(trace, &sample, &layout, random);
            append_line(lines, &sample, cpu, tid);
        }
        perf_writer_auxtrace(writer, cpu, tid, area, positions[area], trace->data, trace->len);
        positions[area] += trace->len;
    }
    return perf_writer_close(writer);
}

static void
test_records(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GString) expected = g_string_new(NULL);
    g_autoptr(GBytes) bytes = random_file(expected);
    g_auto(Result) result = { 0 };

    save(fixture, bytes, g_bytes_get_size(bytes));
    run_analyze(&result, fixture->file, "--records", NULL);
    assert_int_equal(result.status, 0);
    assert_string_equal(result.err, "");
    assert_string_equal(result.out, expected->str);
}

/* Wherever the file breaks off: whole records only, all that were whole, and a word about it. */
static void
test_truncated(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GString) expected = g_string_new(NULL);
    g_autoptr(GBytes) bytes = random_file(expected);
    gsize size = g_bytes_get_size(bytes), most = 0;
    g_auto(Result) result = { 0 };

    for (gsize cut = 0; cut < size; cut += size / 150 + 1) {
        save(fixture, bytes, cut);
        run_analyze(&result, fixture->file, "--records", NULL);
        /* The index behind the events, which only perf needs, may be cut. */
        if (result.status == 0) {
            assert_true(cut > size - 1024);
            continue;
        }
        assert_int_equal(result.status, 1);
        assert_contains(result.err, fixture->file);
        if (*result.out == '\0')
            continue;
        assert_true(g_str_has_prefix(expected->str, result.out));
        assert_true(strlen(result.out) >= most);
        most = strlen(result.out);
    }
    /* Much was there to be read. */
    assert_true(most > expected->len * 9 / 10);
}

/* ---- Summary, table, JSON, picture */

/* A sparse block, a dense one, and 30 that were touched once before. */
static void
write_blocks(const Fixture *fixture)
{
    Trace trace;
    PerfWriter *writer = recording_begin();

    trace_begin(&trace);
    for (guint i = 0; i < 30; i++)
        trace_access(&trace, 0x100000000 + i * 0x200000ull);
    for (guint i = 0; i < 20000; i++) {
        trace_access(&trace, 0x40000000 + (i % 2) * 0x7000);
        trace_access(&trace, 0x80000000 + (i * 37 % 512) * 0x1000ull);
    }
    perf_writer_aux(writer, 0, trace.bytes->len, 1); /* truncated */
    trace_end(&trace, writer);
    recording_save(writer, fixture->file);
}

static void
test_text(void **state)
{
    Fixture *fixture = *state;
    g_auto(Result) result = { 0 };

    write_blocks(fixture);
    run_analyze(&result, fixture->file, NULL);
    assert_int_equal(result.status, 0);
    assert_string_equal(result.err, "");
    assert_contains(result.out, "40030: 40030 load");
    assert_contains(result.out, "40030 with a physical address (100%)");
    assert_contains(result.out, "1 AUX events: 1 truncated, 0 partial, 0 with collisions");
    assert_contains(result.out, "host side only");
    assert_contains(result.out, "exclude_guest=1");
    assert_contains(result.out, "/GH");
    assert_contains(result.out, "10 of 4.003 ms");
    assert_contains(result.out, "no verdict of sparse yet");
    assert_contains(result.out, "32 of 2 MiB (64 MiB): 1 dense, 31 undecided");
    assert_contains(result.out, "0x40000000               20000          2       2  undecided\n");
    assert_contains(result.out, "12 more blocks: --all\n");
    assert_null(strstr(result.out, "0x103a00000"));

    run_analyze(&result, fixture->file, "--window", "1.5ms", NULL);
    assert_contains(result.out, "26 of 1.5 ms");
    assert_null(strstr(result.out, "no verdict of sparse yet"));
    assert_contains(result.out, "32 of 2 MiB (64 MiB): 1 sparse, 1 dense, 30 undecided");
    assert_contains(result.out, "0x40000000               20000          2       2  sparse\n");

    run_analyze(&result, fixture->file, "--all", "--sort", "address", "--window=1min", NULL);
    assert_int_equal(result.status, 0);
    assert_contains(result.out, "0x103a00000");
    assert_null(strstr(result.out, "more blocks"));
    assert_contains(result.out, "sparse (unconfirmed)\n");
    assert_true(strstr(result.out, "0x40000000") < strstr(result.out, "0x103a00000"));
}

static gint64
number(JsonObject *object, const char *member)
{
    assert_true(json_object_has_member(object, member));
    return json_object_get_int_member(object, member);
}

static void
test_json(void **state)
{
    Fixture *fixture = *state;
    g_auto(Result) result = { 0 };
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;
    JsonObject *root, *block;
    JsonArray *blocks;

    write_blocks(fixture);
    run_analyze(&result, fixture->file, "--json", NULL);
    assert_int_equal(result.status, 0);
    json_parser_load_from_data(parser, result.out, -1, &error);
    assert_no_error(error);
    root = json_node_get_object(json_parser_get_root(parser));
    assert_int_equal(number(root, "version"), 1);
    assert_int_equal(number(root, "samples"), 40030);
    assert_int_equal(number(root, "aux_truncated"), 1);
    assert_int_equal(number(root, "period"), 4096);
    assert_int_equal(number(root, "first_time"), FIRST_TICK * NS_A_TICK);
    assert_true(json_object_get_boolean_member(root, "confirmed"));
    assert_true(json_object_get_null_member(root, "damage"));
    assert_true(json_object_get_null_member(root, "pid"));
    assert_string_equal(json_object_get_string_member(root, "guest_samples"), "host-side-only");
    blocks = json_object_get_array_member(root, "blocks");
    assert_int_equal(json_array_get_length(blocks), 32);
    block = json_array_get_object_element(blocks, 1);
    assert_int_equal(number(block, "address"), 0x80000000);
    assert_int_equal(number(block, "sub_pages"), 512);
    assert_string_equal(json_object_get_string_member(block, "verdict"), "dense");
}

static void
assert_well_formed(const char *path)
{
    const char *const command[] = { "xmllint", "--nonet", "--noout", path, NULL };
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_sync(NULL, (char **) command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                 &status, &error);
    assert_no_error(error);
    assert_int_equal(status, 0);
}

static guint
count_files(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

/* A link that has the name is neither followed nor, without --force, taken away. */
static void
test_picture_and_links(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *link_path = g_build_filename(fixture->dir, "link.png", NULL);
    g_autofree char *target = g_build_filename(fixture->dir, "target", NULL);
    g_autofree char *text = NULL;
    g_auto(Result) result = { 0 };
    struct stat status;

    write_blocks(fixture);
    assert_true(g_file_set_contents(target, "mine", -1, NULL));
    assert_int_equal(symlink(target, link_path), 0);
    run_analyze(&result, fixture->file, "--png", link_path, NULL);
    assert_int_equal(result.status, 1);
    assert_contains(result.err, "--force");
    assert_int_equal(lstat(link_path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    run_analyze(&result, fixture->file, "--png", link_path, "--force", NULL);
    assert_int_equal(result.status, 0);
    assert_int_equal(lstat(link_path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true(g_file_get_contents(target, &text, NULL, NULL));
    assert_string_equal(text, "mine");

    run_analyze(&result, fixture->file, "--png", fixture->dir, "--force", NULL);
    assert_int_equal(result.status, 1);
    /* The recording, the target, and the picture: nothing half written is left. */
    assert_int_equal(count_files(fixture->dir), 3);
}

static void
test_picture(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *svg = g_build_filename(fixture->dir, "heat.svg", NULL);
    g_autofree char *png = g_build_filename(fixture->dir, "heat.png", NULL);
    g_autofree char *text = NULL;
    g_autofree char *bytes = NULL;
    g_auto(Result) result = { 0 };
    struct stat status;

    write_blocks(fixture);
    umask(0);
    run_analyze(&result, fixture->file, "--svg", svg, "--png", png, NULL);
    assert_int_equal(result.status, 0);
    assert_int_equal(stat(svg, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(stat(png, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true(g_file_get_contents(png, &bytes, NULL, NULL));
    assert_memory_equal(bytes, "\x89PNG\r\n\x1a\n", 8);
    assert_well_formed(svg);
    assert_true(g_file_get_contents(svg, &text, NULL, NULL));
    assert_contains(text, "perf.data");
    assert_contains(text, "windows: 10 of 4.003 ms");
    assert_contains(text, "1 in 4096 operations");

    run_analyze(&result, fixture->file, "--svg", svg, NULL);
    assert_int_equal(result.status, 1);
    assert_contains(result.err, "--force");
    /* One that others may read is replaced by one that they may not. */
    assert_int_equal(chmod(svg, 0644), 0);
    run_analyze(&result, fixture->file, "--svg", svg, "--force", NULL);
    assert_int_equal(result.status, 0);
    assert_int_equal(stat(svg, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

/* ---- Address space */

static guint8 *
map_blocks(guint n, guint8 **mapping, gsize *size)
{
    guint8 *first;

    *size = (n + 1) * (gsize) BLOCK_BYTES;
    *mapping = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(*mapping != MAP_FAILED);
    first = *mapping + (BLOCK_BYTES - (gsize) *mapping % BLOCK_BYTES) % BLOCK_BYTES;
    /* Small pages: each block's frames are wherever they are. They stay there while locked. */
    madvise(*mapping, *size, MADV_NOHUGEPAGE);
    for (gsize i = 0; i < n * (gsize) BLOCK_BYTES; i += PAGE_BYTES)
        first[i] = 1;
    mlock(first, n * (gsize) BLOCK_BYTES);
    return first;
}

static void
write_accesses(const Fixture *fixture, const guint8 *memory)
{
    Trace trace;
    PerfWriter *writer = recording_begin();
    g_autofree guint64 *pages = g_new(guint64, 6 * 512);

    for (guint i = 0; i < 6 * 512; i++)
        pages[i] = physical_address(getpid(), (gsize) memory + i * (gsize) PAGE_BYTES);
    trace_begin(&trace);
    for (guint i = 0; i < 20000; i++) {
        trace_access(&trace, pages[(i % 2) * 17]);
        trace_access(&trace, pages[512 + i * 37 % 1024] | 64); /* two blocks */
        trace_access(&trace, pages[3 * 512 + i % 3]);
        trace_access(&trace, pages[5 * 512 + i % 3]); /* behind a block without samples */
    }
    trace_access(&trace, G_GUINT64_CONSTANT(1) << 54); /* nobody's */
    trace_end(&trace, writer);
    recording_save(writer, fixture->file);
}

static void
test_pid(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *pid = g_strdup_printf("--pid=%d", getpid());
    g_autofree char *expected = NULL;
    g_auto(Result) result = { 0 };
    guint8 *mapping;
    gsize size, base;
    guint8 *memory = map_blocks(6, &mapping, &size);

    base = (gsize) memory;
    write_accesses(fixture, memory);
    expected = g_strdup_printf("sparse 0x%zx-0x%zx\ndense 0x%zx-0x%zx\nsparse 0x%zx-0x%zx\n"
                               "sparse 0x%zx-0x%zx\n",
                               base, base + BLOCK_BYTES, base + BLOCK_BYTES,
                               base + 3 * (gsize) BLOCK_BYTES, base + 3 * (gsize) BLOCK_BYTES,
                               base + 4 * (gsize) BLOCK_BYTES, base + 5 * (gsize) BLOCK_BYTES,
                               base + 6 * (gsize) BLOCK_BYTES);
    run_analyze(&result, fixture->file, pid, "--window=3ms", NULL);
    assert_string_equal(result.out, expected);
    assert_int_equal(result.status, 0);
    assert_null(strstr(result.err, "no verdict of sparse yet"));
    assert_contains(result.err, "80000 of 80001 samples are of its memory, in 5 blocks; 1 are of");
    /* Two dense blocks in ten windows are too few. */
    run_analyze(&result, fixture->file, pid, NULL);
    assert_null(strstr(result.out, "sparse"));
    assert_contains(result.err, "no verdict of sparse yet");
    munmap(mapping, size);

    /* Their frames are gone now. */
    run_analyze(&result, fixture->file, pid, NULL);
    assert_string_equal(result.out, "");
    run_analyze(&result, fixture->file, "--pid=2147483647", NULL);
    assert_int_equal(result.status, 1);
    assert_contains(result.err, "/proc/2147483647");
    run_analyze(&result, fixture->file, "--guest=none", "--run-dir", fixture->dir, NULL);
    assert_int_equal(result.status, 1);
    assert_contains(result.err, "none.xml");
}

/* Memory that is at two addresses says nothing about either. */
static void
test_pid_twice(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *pid = g_strdup_printf("--pid=%d", getpid());
    PerfWriter *writer = recording_begin();
    int fd = memfd_create("twice", MFD_CLOEXEC);
    g_auto(Result) result = { 0 };
    guint8 *views[2];
    Trace trace;

    assert_int_equal(ftruncate(fd, 2 * BLOCK_BYTES), 0);
    for (guint i = 0; i < 2; i++) {
        views[i] =
            mmap(NULL, 2 * BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        assert_true(views[i] != MAP_FAILED);
        memset(views[i], 1, 2 * BLOCK_BYTES);
    }
    trace_begin(&trace);
    for (guint i = 0; i < 10000; i++)
        trace_access(&trace, physical_address(getpid(), (gsize) views[i % 2]));
    trace_end(&trace, writer);
    recording_save(writer, fixture->file);
    run_analyze(&result, fixture->file, pid, NULL);
    assert_int_equal(result.status, 0);
    assert_string_equal(result.out, "");
    assert_contains(result.err, " 0 of 10000 samples are of its memory");
    for (guint i = 0; i < 2; i++)
        munmap(views[i], 2 * BLOCK_BYTES);
    close(fd);
}

/* ---- What is no recording, and wrong usage */

static void
test_other_files(void **state)
{
    Fixture *fixture = *state;
    g_auto(Result) result = { 0 };

    run_analyze(&result, fixture->file, NULL);
    assert_int_equal(result.status, 1);
    assert_contains(result.err, "No such file");
    run_analyze(&result, fixture->dir, NULL);
    assert_int_equal(result.status, 1);
    assert_contains(result.err, "no regular file");
    run_analyze(&result, "/dev/zero", "--records", NULL);
    assert_int_equal(result.status, 1);
    assert_int_equal(mkfifo(fixture->file, 0600), 0);
    run_analyze(&result, fixture->file, NULL);
    assert_int_equal(result.status, 1);
    assert_contains(result.err, "no regular file");
    g_remove(fixture->file);
    assert_true(g_file_set_contents(fixture->file, "", 0, NULL));
    run_analyze(&result, fixture->file, NULL);
    assert_int_equal(result.status, 1);
    assert_true(g_file_set_contents(fixture->file, "not of perf\n", -1, NULL));
    run_analyze(&result, fixture->file, "--json", NULL);
    assert_int_equal(result.status, 1);
    assert_string_equal(result.out, "");
    assert_contains(result.err, "is no perf.data file");
}

static void
test_usage(void **state)
{
    static const char *const wrong[][2] = {
        { "--records", "--json" }, { "--records", "--svg=x" }, { "--pid=1", "--guest=a" },
        { "--force", NULL },       { "--sort=colour", NULL },  { "--window=0s", NULL },
        { "--window=5", NULL },    { "--window=-1s", NULL },   { "--window=nan", NULL },
        { "--pid=-3", NULL },      { "--json", "--all" },      { "--run-dir=/", NULL },
        { "one-file-more", NULL }, { "--windows", NULL },
    };
    g_auto(Result) result = { 0 };

    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        run_analyze(&result, "x", wrong[i][0], wrong[i][1], NULL);
        assert_int_equal(result.status, 2);
        assert_string_equal(result.out, "");
    }
    run_analyze(&result, "--help", NULL);
    assert_int_equal(result.status, 0);
    assert_contains(result.out, "time cpu tid op pc va pa events total_lat issue_lat xlat_lat");
    assert_contains(result.out, "sparse 0xSTART-0xEND");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_picture, setup, teardown),
        cmocka_unit_test_setup_teardown(test_picture_and_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pid_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_files, setup, teardown),
        cmocka_unit_test(test_usage),
    };

    return cmocka_run_group_tests_name("analyze", tests, NULL, NULL);
}
