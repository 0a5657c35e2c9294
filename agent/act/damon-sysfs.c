/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DAMON's files in sysfs. */
#include "act/damon-sysfs.h"

#include "base/error.h"
#include "base/file-io.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CONTEXT "contexts/0/"
#define TARGET  CONTEXT "targets/0/"
#define SCHEME  CONTEXT "schemes/0/"

/* With a limit of snapshots the scheme is applied at the end of the first interval, and never
 * again. Without it there should be time to turn it off before the second. Each sample clears the
 * accessed bits of one page of each range, so there should be few of them. */
#define SAMPLE_USEC     20000u
#define ONCE_AGGR_USEC  20000u
#define OFTEN_AGGR_USEC 200000u

/* The kernel refuses fewer regions than that, as min_nr_regions. */
#define MIN_REGIONS 3u

#define FIRST_POLL_USEC 5000u
#define MAX_POLL_USEC   200000u

#define CLEAR_TRIES      5
#define VALUE_MAX_BYTES  4096
#define MAX_STATE_WAIT_S 30

char *
folio_damon_dir(const char *sys_root)
{
    return g_build_filename(sys_root, "kernel/mm/damon/admin/kdamonds", NULL);
}

/* FALSE with an error when cancelled meanwhile. */
static gboolean
pause_for(guint usec, GCancellable *cancellable, GError **error)
{
    GPollFD fd;

    if (cancellable == NULL || !g_cancellable_make_pollfd(cancellable, &fd)) {
        g_usleep(usec);
        return TRUE;
    }
    g_poll(&fd, 1, (gint) (usec / 1000));
    g_cancellable_release_fd(cancellable);
    return !g_cancellable_set_error_if_cancelled(cancellable, error);
}

static gboolean
write_file(const char *path, const char *value, guint busy_tries, GCancellable *cancellable,
           GError **error)
{
    for (guint i = 1;; i++) {
        g_autoptr(GError) failure = NULL;

        if (g_cancellable_set_error_if_cancelled(cancellable, error))
            return FALSE;
        if (folio_file_write(AT_FDCWD, path, value, &failure))
            return TRUE;
        if (!g_error_matches(failure, FOLIO_ERROR, FOLIO_ERROR_BUSY) || i >= busy_tries) {
            g_propagate_prefixed_error(error, g_steal_pointer(&failure), "writing \"%s\" to ",
                                       value);
            return FALSE;
        }
        if (!pause_for(FOLIO_DAMON_BUSY_USEC, cancellable, error))
            return FALSE;
    }
}

/* Without the white space at its end; to be freed. */
static char *
read_file(const char *path, guint busy_tries, GError **error)
{
    for (guint i = 1;; i++) {
        g_autoptr(GError) failure = NULL;
        char *text = folio_file_read(AT_FDCWD, path, VALUE_MAX_BYTES, NULL, &failure);

        if (text != NULL)
            return g_strchomp(text);
        if (!g_error_matches(failure, FOLIO_ERROR, FOLIO_ERROR_BUSY) || i >= busy_tries) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return NULL;
        }
        g_usleep(FOLIO_DAMON_BUSY_USEC);
    }
}

static gboolean
read_number(const char *path, guint busy_tries, guint64 max, guint64 *value, GError **error)
{
    g_autofree char *text = read_file(path, busy_tries, error);

    if (text == NULL)
        return FALSE;
    if (g_ascii_string_to_unsigned(text, 10, 0, max, value, NULL))
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s: \"%.32s\" is no number as expected",
                path, text);
    return FALSE;
}

gboolean
folio_damon_read_pool(const char *dir, guint *n, GError **error)
{
    g_autofree char *path = g_build_filename(dir, "nr_kdamonds", NULL);
    guint64 value;

    if (!read_number(path, FOLIO_DAMON_BUSY_TRIES, G_MAXINT, &value, error))
        return FALSE;
    *n = (guint) value;
    return TRUE;
}

gboolean
folio_damon_write_pool(const char *dir, guint n, guint busy_tries, GCancellable *cancellable,
                       GError **error)
{
    g_autofree char *path = g_build_filename(dir, "nr_kdamonds", NULL);
    g_autofree char *value = g_strdup_printf("%u", n);

    return write_file(path, value, busy_tries, cancellable, error);
}

static char *
slot_path(const FolioDamonSlot *slot, const char *file)
{
    return g_strdup_printf("%s/%u/%s", slot->dir, slot->number, file);
}

static char *
read_value(const FolioDamonSlot *slot, const char *file, GError **error)
{
    g_autofree char *path = slot_path(slot, file);

    return read_file(path, slot->busy_tries, error);
}

static gboolean
exists(const FolioDamonSlot *slot, const char *file)
{
    g_autofree char *path = slot_path(slot, file);

    return access(path, F_OK) == 0;
}

gboolean
folio_damon_read_state(const FolioDamonSlot *slot, gboolean *on, GError **error)
{
    g_autofree char *state = read_value(slot, "state", error);

    if (state == NULL)
        return FALSE;
    *on = !g_str_equal(state, "off");
    return TRUE;
}

gboolean
folio_damon_read_configured(const FolioDamonSlot *slot, gboolean *configured, GError **error)
{
    g_autofree char *path = slot_path(slot, "contexts/nr_contexts");
    guint64 contexts;

    if (!read_number(path, slot->busy_tries, G_MAXINT, &contexts, error))
        return FALSE;
    *configured = contexts > 0;
    return TRUE;
}

char *
folio_damon_read_action(const FolioDamonSlot *slot)
{
    return read_value(slot, SCHEME "action", NULL);
}

pid_t
folio_damon_read_pid(const FolioDamonSlot *slot)
{
    g_autofree char *text = read_value(slot, "pid", NULL);
    guint64 pid;

    if (text == NULL || !g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT, &pid, NULL))
        return -1;
    return (pid_t) pid;
}

/* A row of writes, which ends with the first that fails. */
typedef struct {
    const FolioDamonSlot *slot;
    GCancellable *cancellable;
    GError *error;
} Row;

static void
put(Row *row, const char *file, const char *value)
{
    g_autofree char *path = slot_path(row->slot, file);

    if (row->error == NULL)
        write_file(path, value, row->slot->busy_tries, row->cancellable, &row->error);
}

static void
put_number(Row *row, const char *file, guint64 number)
{
    g_autofree char *value = g_strdup_printf("%" G_GUINT64_FORMAT, number);

    put(row, file, value);
}

static gboolean
end_row(Row *row, GError **error)
{
    if (row->error == NULL)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&row->error));
    return FALSE;
}

/* FALSE in *takes when the kernel does not know the value; it is asked twice, since what it answers
 * counts until foliod ends. */
static void
try_value(Row *row, const char *file, const char *value, gboolean *takes)
{
    for (guint i = 0; i < 2 && row->error == NULL && !*takes; i++) {
        put(row, file, value);
        *takes = row->error == NULL;
        if (g_error_matches(row->error, FOLIO_ERROR, FOLIO_ERROR_INVALID))
            g_clear_error(&row->error);
    }
}

/* Filters without the file "allow" can only take memory out. Where there are several directories,
 * that for what DAMON's core does itself has those of addresses. */
static const char *
find_filters(Row *row)
{
    static const struct {
        const char *dir, *number, *allow;
    } places[] = {
        { "core_filters", SCHEME "core_filters/nr_filters", SCHEME "core_filters/0/allow" },
        { "filters", SCHEME "filters/nr_filters", SCHEME "filters/0/allow" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        if (!exists(row->slot, places[i].number))
            continue;
        put_number(row, places[i].number, 1);
        if (row->error == NULL && exists(row->slot, places[i].allow))
            return places[i].dir;
    }
    return NULL;
}

gboolean
folio_damon_read_features(const FolioDamonSlot *slot, FolioDamonFeatures *features, GError **error)
{
    Row row = { .slot = slot };
    g_autofree char *operations = NULL;
    g_auto(GStrv) words = NULL;

    *features = (FolioDamonFeatures){ 0 };
    put_number(&row, "contexts/nr_contexts", 1);
    put_number(&row, CONTEXT "schemes/nr_schemes", 1);
    if (row.error == NULL)
        operations = read_value(slot, CONTEXT "avail_operations", &row.error);
    if (row.error == NULL) {
        words = g_strsplit_set(operations, " \n", -1);
        features->fvaddr = g_strv_contains((const char *const *) words, "fvaddr");
        features->target_order = exists(slot, SCHEME "target_order");
        features->max_snapshots = exists(slot, SCHEME "stats/max_nr_snapshots");
    }
    try_value(&row, SCHEME "action", "split", &features->split);
    try_value(&row, SCHEME "action", "collapse", &features->collapse);
    features->filters_dir = find_filters(&row);
    return end_row(&row, error);
}

static void
put_context(Row *row, const FolioDamonFeatures *features, guint n_ranges)
{
    const guint regions = MAX(MIN_REGIONS, n_ranges);

    /* The directory is made anew, with every file at its default. */
    put_number(row, "contexts/nr_contexts", 1);
    put(row, CONTEXT "operations", "fvaddr");
    put_number(row, CONTEXT "monitoring_attrs/intervals/sample_us", SAMPLE_USEC);
    put_number(row, CONTEXT "monitoring_attrs/intervals/aggr_us",
               features->max_snapshots ? ONCE_AGGR_USEC : OFTEN_AGGR_USEC);
    /* As many at least as at most, and the kdamond neither merges nor splits the ranges. */
    put_number(row, CONTEXT "monitoring_attrs/nr_regions/max", regions);
    put_number(row, CONTEXT "monitoring_attrs/nr_regions/min", regions);
}

static void
put_target(Row *row, const FolioDamonRun *run)
{
    put_number(row, CONTEXT "targets/nr_targets", 1);
    put_number(row, TARGET "pid_target", (guint64) run->pid);
    put_number(row, TARGET "regions/nr_regions", run->n_ranges);
    for (guint i = 0; i < run->n_ranges && row->error == NULL; i++) {
        const FolioBlockRange *range = &run->ranges[i];
        g_autofree char *start = g_strdup_printf(TARGET "regions/%u/start", i);
        g_autofree char *end = g_strdup_printf(TARGET "regions/%u/end", i);

        put_number(row, start, range->start);
        put_number(row, end, range->start + range->bytes);
    }
}

/* Whatever becomes of the ranges in the kernel, nothing outside of them is touched. */
static void
put_filter(Row *row, const char *dir, const FolioDamonRun *run)
{
    static const char *const files[] = { "nr_filters", "0/type",       "0/matching",
                                         "0/allow",    "0/addr_start", "0/addr_end" };
    const FolioBlockRange *last = &run->ranges[run->n_ranges - 1];
    g_autofree char *start = g_strdup_printf("%" G_GUINT64_FORMAT, run->ranges[0].start);
    g_autofree char *end = g_strdup_printf("%" G_GUINT64_FORMAT, last->start + last->bytes);
    const char *const values[] = { "1", "addr", "Y", "Y", start, end };

    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *file = g_strdup_printf(SCHEME "%s/%s", dir, files[i]);

        put(row, file, values[i]);
    }
}

static void
put_scheme(Row *row, const FolioDamonFeatures *features, const FolioDamonRun *run)
{
    put_number(row, CONTEXT "schemes/nr_schemes", 1);
    put(row, SCHEME "action", run->action);
    if (features->target_order)
        put_number(row, SCHEME "target_order", run->order);
    /* Every maximum is 0 at first; of numbers of accesses and ages the kernel keeps 32 bits. */
    put_number(row, SCHEME "access_pattern/sz/max", G_MAXULONG);
    put_number(row, SCHEME "access_pattern/nr_accesses/max", G_MAXUINT32);
    put_number(row, SCHEME "access_pattern/age/max", G_MAXUINT32);
    if (features->max_snapshots)
        put_number(row, SCHEME "stats/max_nr_snapshots", 1);
    if (features->filters_dir != NULL)
        put_filter(row, features->filters_dir, run);
}

gboolean
folio_damon_configure(const FolioDamonSlot *slot, const FolioDamonFeatures *features,
                      const FolioDamonRun *run, GCancellable *cancellable, GError **error)
{
    Row row = { .slot = slot, .cancellable = cancellable };

    put_context(&row, features, run->n_ranges);
    put_target(&row, run);
    put_scheme(&row, features, run);
    return end_row(&row, error);
}

static gboolean
command(const FolioDamonSlot *slot, const char *word, GCancellable *cancellable, GError **error)
{
    g_autofree char *path = slot_path(slot, "state");

    return write_file(path, word, slot->busy_tries, cancellable, error);
}

gboolean
folio_damon_turn_on(const FolioDamonSlot *slot, GCancellable *cancellable, GError **error)
{
    return command(slot, "on", cancellable, error);
}

static gboolean
read_stats(const FolioDamonSlot *slot, const FolioDamonFeatures *features, FolioDamonStats *stats,
           GCancellable *cancellable, GError **error)
{
    g_autofree char *nr_tried = slot_path(slot, SCHEME "stats/nr_tried");
    g_autofree char *sz_tried = slot_path(slot, SCHEME "stats/sz_tried");
    g_autofree char *snapshots = slot_path(slot, SCHEME "stats/nr_snapshots");

    *stats = (FolioDamonStats){ 0 };
    return command(slot, "update_schemes_stats", cancellable, error) &&
           read_number(nr_tried, slot->busy_tries, G_MAXUINT64, &stats->nr_tried, error) &&
           read_number(sz_tried, slot->busy_tries, G_MAXUINT64, &stats->sz_tried, error) &&
           (!features->max_snapshots ||
            read_number(snapshots, slot->busy_tries, G_MAXUINT64, &stats->nr_snapshots, error));
}

/* Stats are handed out between two passes: what was tried at all was tried in a whole one. */
static gboolean
has_passed(const FolioDamonFeatures *features, const FolioDamonStats *stats)
{
    return features->max_snapshots ? stats->nr_snapshots > 0 : stats->nr_tried > 0;
}

/* Says so, instead of what the files said, if that is why they failed. */
static void
explain_end(const FolioDamonSlot *slot, GError **error)
{
    gboolean on;

    if (g_error_matches(*error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
        !folio_damon_read_state(slot, &on, NULL) || on)
        return;
    g_clear_error(error);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s/%u/state: the kdamond has ended",
                slot->dir, slot->number);
}

gboolean
folio_damon_wait(const FolioDamonSlot *slot, const FolioDamonFeatures *features, guint max_sec,
                 FolioDamonStats *stats, GCancellable *cancellable, GError **error)
{
    const gint64 end = g_get_monotonic_time() + max_sec * G_TIME_SPAN_SECOND;
    guint poll_usec = FIRST_POLL_USEC;

    while (g_get_monotonic_time() < end) {
        g_autoptr(GError) failure = NULL;

        if (!pause_for(poll_usec, cancellable, error))
            return FALSE;
        if (!read_stats(slot, features, stats, cancellable, &failure)) {
            explain_end(slot, &failure);
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        if (has_passed(features, stats))
            return TRUE;
        poll_usec = MIN(2 * poll_usec, MAX_POLL_USEC);
    }
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                "%s/%u: the kdamond has done nothing for %u s", slot->dir, slot->number, max_sec);
    return FALSE;
}

/* Off is off only once the thread has ended: some kernels do not wait for that. */
static gboolean
turn_off(const FolioDamonSlot *slot, GError **error)
{
    const gint64 end = g_get_monotonic_time() + MAX_STATE_WAIT_S * G_TIME_SPAN_SECOND;
    g_autoptr(GError) failure = NULL;
    gboolean on;

    if (!folio_damon_read_state(slot, &on, error))
        return FALSE;
    /* It may end by itself just then, and refuses to be turned off: what counts is the state. */
    if (on)
        command(slot, "off", NULL, &failure);
    while (on && g_get_monotonic_time() < end) {
        if (!folio_damon_read_state(slot, &on, error))
            return FALSE;
        if (on && failure != NULL)
            break;
        if (on)
            g_usleep(FIRST_POLL_USEC);
    }
    if (on && failure != NULL)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (on)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s/%u/state: it stays on", slot->dir,
                    slot->number);
    return !on;
}

gboolean
folio_damon_clear(const FolioDamonSlot *slot, GError **error)
{
    g_autofree char *contexts = slot_path(slot, "contexts/nr_contexts");
    g_autoptr(GError) failure = NULL;

    for (guint i = 0; i < CLEAR_TRIES; i++) {
        /* That has been tried for long enough. */
        if (g_error_matches(failure, FOLIO_ERROR, FOLIO_ERROR_BUSY))
            break;
        g_clear_error(&failure);
        /* They cannot be taken away while they are on. */
        if (!exists(slot, "state"))
            return TRUE;
        if (turn_off(slot, &failure) && write_file(contexts, "0", slot->busy_tries, NULL, &failure))
            return TRUE;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}
