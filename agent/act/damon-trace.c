/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of each folio that a scheme was applied to. */
#include "act/damon-trace.h"

#include "base/file-io.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of each processor. A run of 256 blocks fills a third of it, on the one that its kdamond is on. */
#define BUFFER_KB      "64"
#define TEXT_MAX_BYTES (16 * 1024 * 1024)

#define BLOCK_BYTES (2 * 1024 * 1024ull)

struct _FolioDamonTrace {
    char *sys_root;
    GMutex lock;
    char *instance;   /* its directory; NULL: not set up */
    gboolean refused; /* it cannot be had */
    guint n_runs;     /* under way */
};

FolioDamonTrace *
folio_damon_trace_new(const char *sys_root)
{
    FolioDamonTrace *trace = g_new0(FolioDamonTrace, 1);

    trace->sys_root = g_strdup(sys_root);
    g_mutex_init(&trace->lock);
    return trace;
}

void
folio_damon_trace_free(FolioDamonTrace *trace)
{
    g_free(trace->sys_root);
    g_free(trace->instance);
    g_mutex_clear(&trace->lock);
    g_free(trace);
}

/* Where foliod's own is, or is to be, in the tracefs that has the tracepoint; to be freed. NULL:
 * there is none. */
static char *
find_instance(const char *sys_root)
{
    static const char *const places[] = { "kernel/tracing", "kernel/debug/tracing" };

    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *dir = g_build_filename(sys_root, places[i], NULL);
        g_autofree char *event = g_build_filename(dir, "events/damon/damos_result", NULL);

        if (access(event, F_OK) == 0)
            return g_build_filename(dir, "instances/foliod", NULL);
    }
    return NULL;
}

static gboolean
set(const char *instance, const char *file, const char *value, GError **error)
{
    g_autofree char *path = g_build_filename(instance, file, NULL);

    return folio_file_write(AT_FDCWD, path, value, error);
}

static void
set_up(FolioDamonTrace *trace)
{
    g_autofree char *instance = find_instance(trace->sys_root);
    g_autoptr(GError) error = NULL;

    trace->refused = instance == NULL;
    if (trace->refused)
        return;
    if (folio_file_make_dir(instance, &error) &&
        set(instance, "buffer_size_kb", BUFFER_KB, &error) &&
        set(instance, "events/damon/damos_result/enable", "1", &error)) {
        trace->instance = g_steal_pointer(&instance);
        return;
    }
    trace->refused = TRUE;
    folio_message("Why memory is left by DAMON is not said: %s", error->message);
    folio_file_remove_dir(instance, NULL);
}

/* Opening it so is what empties it. */
static void
empty(const FolioDamonTrace *trace)
{
    g_autofree char *path = g_build_filename(trace->instance, "trace", NULL);
    int fd = folio_file_open(AT_FDCWD, path, O_WRONLY | O_TRUNC, NULL);

    if (fd >= 0)
        close(fd);
}

void
folio_damon_trace_begin(FolioDamonTrace *trace)
{
    g_mutex_lock(&trace->lock);
    if (trace->instance == NULL && !trace->refused)
        set_up(trace);
    if (trace->n_runs++ == 0 && trace->instance != NULL)
        empty(trace);
    g_mutex_unlock(&trace->lock);
}

void
folio_damon_trace_end(FolioDamonTrace *trace)
{
    g_mutex_lock(&trace->lock);
    trace->n_runs--;
    g_mutex_unlock(&trace->lock);
}

void
folio_damon_trace_read(FolioDamonTrace *trace, pid_t kdamond, FolioChunk *chunk)
{
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;

    g_mutex_lock(&trace->lock);
    if (trace->instance != NULL)
        path = g_build_filename(trace->instance, "trace", NULL);
    g_mutex_unlock(&trace->lock);
    if (path == NULL || chunk->said == NULL || kdamond <= 0)
        return;
    text = folio_file_read(AT_FDCWD, path, TEXT_MAX_BYTES, NULL, NULL);
    if (text != NULL)
        folio_damon_trace_parse(text, kdamond, chunk);
}

/* Also one that a killed foliod has left: nobody else makes one of that name. */
void
folio_damon_trace_close(FolioDamonTrace *trace)
{
    g_autofree char *instance = find_instance(trace->sys_root);
    g_autoptr(GError) error = NULL;

    g_mutex_lock(&trace->lock);
    if (instance != NULL && !folio_file_remove_dir(instance, &error))
        folio_warning("The trace instance of foliod: %s", error->message);
    g_clear_pointer(&trace->instance, g_free);
    trace->refused = FALSE;
    g_mutex_unlock(&trace->lock);
}

/* Words of the kernel's DAMOS_RES_*, include/trace/events/damon.h. What was done, is so already, or
 * is no memory, is no reason. */
static FolioLeft
said_by(const char *result)
{
    static const struct {
        const char *word;
        FolioLeft said;
    } words[] = {
        { "busy", FOLIO_LEFT_BUSY },           { "locked", FOLIO_LEFT_BUSY },
        { "pinned", FOLIO_LEFT_BUSY },         { "raced", FOLIO_LEFT_BUSY },
        { "no_memory", FOLIO_LEFT_NO_MEMORY }, { "refused", FOLIO_LEFT_REFUSED },
        { "partial", FOLIO_LEFT_REFUSED },     { "hugetlb", FOLIO_LEFT_REFUSED },
        { "special", FOLIO_LEFT_REFUSED },     { "file", FOLIO_LEFT_REFUSED },
        { "userfaultfd", FOLIO_LEFT_REFUSED }, { "mlocked", FOLIO_LEFT_REFUSED },
        { "order", FOLIO_LEFT_REFUSED },
    };

    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_str_equal(result, words[i].word))
            return words[i].said;
    }
    return FOLIO_LEFT_UNSAID;
}

static void
note(FolioChunk *chunk, guint64 start, guint64 end, FolioLeft said)
{
    guint block = 0;

    for (guint i = 0; i < chunk->n_ranges; i++) {
        const FolioBlockRange *range = &chunk->ranges[i];
        const guint64 range_end = range->start + range->bytes;

        for (guint64 at = range->start; at < range_end; at += BLOCK_BYTES, block++) {
            if (start < at + BLOCK_BYTES && end > at)
                chunk->said[block] = said;
        }
    }
}

/* "  kdamond.0-151     [001] .....    12.345678: damos_result: pid=150 action=collapse
 * 0xffff80000000-0xffff80200000 order=0 target_order=9 result=busy" */
static void
parse_line(const char *line, pid_t kdamond, FolioChunk *chunk)
{
    const char *name = line + strspn(line, " ");
    const char *dash = strchr(name, '-');
    const char *event = strstr(name, " damos_result: ");
    unsigned long start, end;
    FolioLeft said;
    char result[32];
    int pid;

    if (event == NULL || dash == NULL || !g_str_has_prefix(name, "kdamond.") ||
        strtol(dash + 1, NULL, 10) != kdamond)
        return;
    if (sscanf(event,
               " damos_result: pid=%d action=%*31s 0x%lx-0x%lx order=%*u target_order=%*u "
               "result=%31s",
               &pid, &start, &end, result) != 4 ||
        pid != folio_process_get_pid(chunk->process))
        return;
    said = said_by(result);
    if (said != FOLIO_LEFT_UNSAID)
        note(chunk, start, end, said);
}

void
folio_damon_trace_parse(const char *text, pid_t kdamond, FolioChunk *chunk)
{
    while (*text != '\0') {
        const gsize length = strcspn(text, "\n");
        g_autofree char *line = g_strndup(text, length);

        parse_line(line, kdamond, chunk);
        text += length + (text[length] == '\n' ? 1 : 0);
    }
}
