/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat of a real guest, block by block: what foliod tells of it is what its figures say, and
 * what folioctl makes of that. Its RAM is read through libvirt, and each block that was not there
 * before is one minor fault. */
#include "integration/ctl-run.h"
#include "sampled-daemon.h"

#include <string.h>
#include <sys/stat.h>

#define N_BLOCKS (SAMPLED_GUEST_MIB / 2)
#define NAME     "heated"

/* Of them, those that are seen at the least: on a busy machine some faults are lost. */
#define LEAST_USED 20u

/* The words of a call. */
#define WORDS(...) ((const char *[]){ __VA_ARGS__, NULL })

typedef struct {
    Fixture *base;
    virDomainPtr domain;
    char *path;
} Heated;

static int
set_up(void **state)
{
    Heated *heated = g_new0(Heated, 1);
    guint64 samples;

    *state = heated;
    heated->base = fixture_new(FAULTS);
    heated->domain = sampled_start_guest(heated->base, NAME);
    heated->path = daemon_wait_state(heated->base->daemon, NAME, "sampling");
    samples = sampled_settle(heated->base, heated->path).samples;
    sampled_read_ram(heated->domain, 1, SAMPLED_GUEST_MIB);
    sampled_wait_at_least(heated->base, heated->path, "Samples", samples + LEAST_USED);
    /* And a window has ended since. */
    sampled_wait_windows(heated->base, heated->path, 2);
    return 0;
}

static int
tear_down(void **state)
{
    Heated *heated = *state;

    if (heated == NULL || heated->domain == NULL)
        return -1;
    folio_test_guest_destroy(heated->domain);
    daemon_wait_gone(heated->base->daemon, NAME);
    g_free(heated->path);
    fixture_tear_down((void **) &heated->base);
    g_free(heated);
    return 0;
}

/* ---- D-Bus */

static GVariant *
call(const Heated *heated, const char *method, const char *options)
{
    g_autoptr(GError) error = NULL;
    GVariant *reply = daemon_call(heated->base->daemon, heated->path, FOLIOD_GUEST, method,
                                  g_variant_new_parsed(options), &error);

    assert_no_error(error);
    return reply;
}

/* The first range, and about. */
static GVariant *
ask_heat(const Heated *heated, const char *options, GVariant **about)
{
    g_autoptr(GVariant) reply = call(heated, "Heat", options);
    g_autoptr(GVariant) ranges = g_variant_get_child_value(reply, 1);

    assert_string_equal(g_variant_get_type_string(reply), "(a{sv}aa{sv})");
    if (about != NULL)
        *about = g_variant_get_child_value(reply, 0);
    assert_int_equal(g_variant_n_children(ranges), 1);
    return g_variant_get_child_value(ranges, 0);
}

static guint64
number(GVariant *dict, const char *key)
{
    guint64 value = 0;

    assert_true(g_variant_lookup(dict, key, "t", &value));
    return value;
}

/* The little-endian numbers of a column; to be freed. */
static guint *
column(GVariant *range, const char *key, guint width, guint n)
{
    g_autoptr(GVariant) value = g_variant_lookup_value(range, key, G_VARIANT_TYPE("ay"));
    guint *numbers = g_new0(guint, n);
    const guint8 *bytes;
    gsize size;

    assert_non_null(value);
    bytes = g_variant_get_fixed_array(value, &size, 1);
    assert_int_equal(size, n * width);
    for (guint i = 0; i < size; i++)
        numbers[i / width] |= (guint) bytes[i] << 8 * (i % width);
    return numbers;
}

/* Sums of blocks by verdict are the properties, which may be of one window later. */
static gboolean
agrees(const Heated *heated)
{
    static const char *const properties[] = { "IdleBytes", "UndecidedBytes", "SparseBytes",
                                              "DenseBytes" };
    guint64 before[4], windows = sampled_number(heated->base, heated->path, "Windows");
    g_autoptr(GVariant) about = NULL;
    g_autoptr(GVariant) range = NULL;
    g_autofree guint *verdicts = NULL;
    guint counts[4] = { 0 };

    for (guint v = 0; v < 4; v++)
        before[v] = sampled_number(heated->base, heated->path, properties[v]);
    range = ask_heat(heated, "(@a{sv} {},)", &about);
    if (number(about, "windows") != windows ||
        sampled_number(heated->base, heated->path, "Windows") != windows)
        return FALSE;
    verdicts = column(range, "verdict", 1, N_BLOCKS);
    for (guint b = 0; b < N_BLOCKS; b++) {
        assert_in_range(verdicts[b], 0, 3);
        counts[verdicts[b]]++;
    }
    for (guint v = 0; v < 4; v++)
        assert_int_equal(counts[v] * BLOCK, before[v]);
    assert_int_equal(number(range, "blocks"), N_BLOCKS);
    assert_int_equal(number(about, "blocks") * number(about, "block-bytes"),
                     sampled_number(heated->base, heated->path, "RamBytes"));
    return TRUE;
}

static void
test_agrees_with_the_figures(void **state)
{
    const Heated *heated = *state;
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    while (!agrees(heated)) {
        if (!before_deadline(deadline))
            fail_msg("Heat and the properties were never of one window");
    }
}

/* A fault is the one sight of a sub-page that there ever is of a block. */
static void
test_columns(void **state)
{
    const Heated *heated = *state;
    g_autoptr(GVariant) range = ask_heat(heated, "(@a{sv} {},)", NULL);
    g_autofree guint *verdicts = column(range, "verdict", 1, N_BLOCKS);
    g_autofree guint *footprint = column(range, "footprint", 2, N_BLOCKS);
    g_autofree guint *unseen = column(range, "unseen", 2, N_BLOCKS);
    g_autofree guint *in_use = column(range, "in-use", 2, N_BLOCKS);
    guint used = 0;

    for (guint b = 0; b < N_BLOCKS; b++) {
        const gboolean idle = verdicts[b] == 0;

        used += !idle;
        assert_int_equal(idle, unseen[b] == G_MAXUINT16);
        assert_int_equal(idle, footprint[b] == 0);
        assert_true(in_use[b] <= 512 * 64);
        if (!idle)
            assert_in_range(footprint[b], 64, 512 * 64);
    }
    assert_true(used >= LEAST_USED);
}

static void
test_parts_and_granules(void **state)
{
    const Heated *heated = *state;
    g_autoptr(GVariant) whole = ask_heat(heated, "(@a{sv} {},)", NULL);
    g_autoptr(GVariant) part = ask_heat(
        heated, "({'first-block': <uint64 3>, 'blocks': <uint64 5>, 'granule': <uint32 2>},)",
        NULL);
    g_autofree guint *all = column(whole, "footprint", 2, N_BLOCKS);
    g_autofree guint *some = column(part, "footprint", 2, 3);
    g_autofree guint *idle = column(part, "idle", 4, 3);
    g_autofree guint *dense = column(part, "dense", 4, 3);

    assert_int_equal(number(part, "first-block"), 3);
    assert_int_equal(number(part, "blocks"), 5);
    assert_int_equal(some[0], (all[3] + all[4]) / 2);
    assert_int_equal(some[1], (all[5] + all[6]) / 2);
    assert_int_equal(some[2], all[7]);
    assert_int_equal(idle[0], (all[3] == 0) + (all[4] == 0));
    assert_int_equal(dense[0], 0);
}

static void
test_history(void **state)
{
    const Heated *heated = *state;
    g_autoptr(GVariant) about = NULL;
    g_autoptr(GVariant) range = ask_heat(heated, "({'history': <true>},)", &about);
    g_autoptr(GVariant) ends = g_variant_lookup_value(about, "history-ended", G_VARIANT_TYPE("ax"));
    gsize n = g_variant_n_children(ends);
    g_autofree guint *cells = column(range, "history", 2, (guint) n * N_BLOCKS);
    gint64 last = 0;
    guint seen = 0;

    assert_int_equal(n, MIN(number(about, "windows"), 120));
    for (gsize w = 0; w < n; w++) {
        gint64 ended;

        g_variant_get_child(ends, w, "x", &ended);
        assert_true(ended > last);
        last = ended;
    }
    assert_true(ABS(g_get_real_time() - last) < 60 * G_USEC_PER_SEC);
    /* Each block came to be in one window. */
    for (guint b = 0; b < N_BLOCKS; b++) {
        guint in_use = 0;

        for (gsize w = 0; w < n; w++)
            in_use += cells[w * N_BLOCKS + b];
        seen += in_use > 0;
    }
    assert_true(n == 120 || seen >= LEAST_USED);
}

static void
test_explain(void **state)
{
    const Heated *heated = *state;
    g_autoptr(GVariant) reply = call(heated, "Explain", "({'top': <uint32 2>},)");
    g_autoptr(GVariant) one = call(heated, "Explain", "({'block': <uint64 31>},)");
    g_autoptr(GVariant) blocks = g_variant_get_child_value(reply, 1);
    g_autoptr(GVariant) block = g_variant_get_child_value(one, 1);
    const char *verdict, *text, *cause = "";
    g_autoptr(GVariant) evidence = NULL;
    guint64 n;

    assert_true(g_variant_n_children(blocks) >= 1);
    assert_int_equal(g_variant_n_children(block), 1);
    g_variant_get_child(block, 0, "(t&s@a{sv}&s)", &n, &verdict, &evidence, &text);
    assert_int_equal(n, 31);
    assert_true(g_variant_lookup(evidence, "cause", "&s", &cause));
    assert_true(*cause != '\0' && *verdict != '\0' && *text != '\0');
}

/* ---- folioctl */

static void
test_terminal(void **state)
{
    g_autofree char *map = ctl_print(WORDS("heat", NAME));
    g_autofree char *times = ctl_print(WORDS("heat", NAME, "--by=time"));
    g_autoptr(CtlRun) coloured = ctl_run_on_terminal(WORDS("heat", NAME), "TERM=xterm-256color");
    g_autoptr(CtlRun) plain = ctl_run_on_terminal(WORDS("heat", NAME), "NO_COLOR=1");
    g_autoptr(CtlRun) dumb = ctl_run_on_terminal(WORDS("heat", NAME), "TERM=dumb");

    assert_holds(map, "ram, 96 MiB");
    assert_holds(map, "uuuu");
    assert_holds(map, "A cell is a block of 2 MiB");
    assert_holds(times, "A column is a window");
    assert_holds(coloured->output, "\033[48;5;");
    assert_null(strchr(plain->output, '\033'));
    assert_null(strchr(dumb->output, '\033'));
}

static void
test_json(void **state)
{
    g_autoptr(JsonParser) parser = ctl_json(WORDS("--json", "heat", NAME, "--by=time"));
    g_autoptr(JsonParser) why = ctl_json(WORDS("--json", "explain", NAME, "--block=31"));
    JsonObject *root = ctl_root(parser);
    JsonArray *ranges = json_object_get_array_member(root, "ranges");
    JsonObject *range = json_array_get_object_element(ranges, 0);
    JsonArray *history = json_object_get_array_member(range, "history");
    JsonArray *ends = json_object_get_array_member(root, "history_ended_usec");
    JsonArray *blocks = json_object_get_array_member(ctl_root(why), "blocks");

    assert_string_equal(json_object_get_string_member(root, "name"), NAME);
    assert_int_equal(json_array_get_length(ranges), 1);
    assert_int_equal(json_array_get_length(json_object_get_array_member(range, "verdict")),
                     N_BLOCKS);
    assert_int_equal(json_array_get_length(json_object_get_array_member(range, "in_use")),
                     N_BLOCKS);
    assert_int_equal(json_array_get_length(history), json_array_get_length(ends));
    assert_int_equal(json_array_get_length(json_array_get_array_element(history, 0)), N_BLOCKS);
    assert_int_equal(json_array_get_length(blocks), 1);
    assert_int_equal(json_object_get_int_member(json_array_get_object_element(blocks, 0), "block"),
                     31);
}

static void
assert_picture(const char *path, const char *start)
{
    g_autofree char *bytes = NULL;
    struct stat status;
    gsize size;

    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    assert_true(size > 2000);
    assert_memory_equal(bytes, start, strlen(start));
}

static void
test_pictures(void **state)
{
    const Heated *heated = *state;
    g_autofree char *svg = g_build_filename(heated->base->daemon->directory, "h.svg", NULL);
    g_autofree char *png = g_build_filename(heated->base->daemon->directory, "h.png", NULL);
    const char *const lint[] = { "xmllint", "--nonet", "--noout", svg, NULL };
    g_autoptr(CtlRun) again = NULL;
    g_autoptr(GError) error = NULL;
    int status = -1;

    g_free(ctl_print(WORDS("heat", NAME, "--svg", svg, "--png", png)));
    assert_picture(svg, "<?xml");
    assert_picture(png, "\x89PNG");
    g_spawn_sync(NULL, (char **) lint, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                 &error);
    assert_no_error(error);
    assert_int_equal(status, 0);
    again = ctl_run(WORDS("heat", NAME, "--svg", svg));
    assert_int_equal(again->status, 1);
    assert_holds(again->complaint, "--force");
    g_free(ctl_print(WORDS("heat", NAME, "--svg", svg, "--force", "--by=time")));
    assert_picture(svg, "<?xml");
}

static void
test_in_words(void **state)
{
    g_autofree char *text = ctl_print(WORDS("explain", NAME));
    g_autofree char *shown = ctl_print(WORDS("show", NAME));

    assert_holds(text, "\nblock ");
    assert_holds(text, "\n  Why: ");
    /* It waits as long as there is no verdict of sparse, whichever it is by now. */
    if (strstr(shown, "B sparse") == NULL || strstr(shown, " 0 B sparse") != NULL)
        assert_holds(shown, "\nwaits          evidence short: ");
    assert_holds(text, "\nwaits          ");
    /* Faults do not tell what it costs. */
    assert_holds(shown, "\ntranslation    not measured: ");
    assert_holds(text, "\ntranslation    not measured: ");
}

static void
test_denied_to_nobody(void **state)
{
    g_autoptr(CtlRun) heat = ctl_run_as_nobody(WORDS("heat", NAME));
    g_autoptr(CtlRun) explain = ctl_run_as_nobody(WORDS("explain", NAME));
    g_autoptr(CtlRun) show = ctl_run_as_nobody(WORDS("show", NAME));

    assert_int_equal(heat->status, 4);
    assert_string_equal(heat->output, "");
    assert_int_equal(explain->status, 4);
    assert_string_equal(explain->output, "");
    assert_int_equal(show->status, 0);
}

static void
test_wrong_usage(void **state)
{
    static const char *const calls[][4] = {
        { "heat", NAME, "--by=colour", NULL },
        { "heat", NAME, "--block=1", NULL },
        { "heat", NAME, "--force", NULL },
        { "explain", NAME, "--by=time", NULL },
        { "explain", NAME, "--block=x", NULL },
        { "explain", NAME, "--top=65", NULL },
        { "list", "--svg=x", NULL },
        { "heat", NULL },
        { "heat", NAME, "--all", NULL },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autoptr(CtlRun) run = ctl_run(calls[i]);

        if (run->status != 2)
            fail_msg("%s %s: exit status %d", calls[i][0], calls[i][2], run->status);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_the_figures),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_parts_and_granules),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_in_words),
        cmocka_unit_test(test_denied_to_nobody),
        cmocka_unit_test(test_wrong_usage),
    };

    return cmocka_run_group_tests_name("heat", tests, set_up, tear_down);
}
