/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records tracepoints in an instance of its own below tracefs. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"
#include "test.h"

#define TRACEFS "/sys/kernel/tracing"
/* For 1,000 ranges with a few lines each. */
#define BUFFER_KB "4096"

struct trace {
    char dir[64];
};

static int
trace_write(const struct trace *trace, const char *file, const char *text)
{
    char path[192];

    snprintf(path, sizeof(path), "%s/%s", trace->dir, file);
    return file_write(path, text);
}

static void
trace_event(const struct trace *trace, const char *event)
{
    char file[96], *colon;

    snprintf(file, sizeof(file), "events/%s/enable", event);
    colon = strchr(file, ':');
    assert_non_null(colon);
    *colon = '/';
    if (trace_write(trace, file, "1"))
        fail_msg("no tracepoint %s", event);
}

struct trace *
trace_start(const char *event, ...)
{
    static unsigned serial;
    struct trace *trace = calloc(1, sizeof(*trace));
    va_list events;

    assert_non_null(trace);
    if (access(TRACEFS "/instances", F_OK) && mount("tracefs", TRACEFS, "tracefs", 0, NULL))
        fail_msg("tracefs: %s", strerror(errno));
    snprintf(trace->dir, sizeof(trace->dir), TRACEFS "/instances/test-%d-%u", getpid(), serial++);
    if (mkdir(trace->dir, 0700))
        fail_msg("%s: %s", trace->dir, strerror(errno));
    assert_int_equal(trace_write(trace, "buffer_size_kb", BUFFER_KB), 0);
    va_start(events, event);
    for (; event; event = va_arg(events, const char *))
        trace_event(trace, event);
    va_end(events);
    return trace;
}

/* The size of the file is not known before it is read. */
static char *
read_all(const char *path)
{
    size_t size = 0, room = 1 << 16;
    char *text = malloc(room);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    assert_true(fd >= 0);
    assert_non_null(text);
    while ((n = read(fd, text + size, room - size - 1)) > 0) {
        size += (size_t) n;
        if (room - size < 4096) {
            room *= 2;
            text = realloc(text, room);
            assert_non_null(text);
        }
    }
    close(fd);
    text[size] = '\0';
    return text;
}

char *
trace_stop(struct trace *trace)
{
    char path[96], *lines;

    trace_write(trace, "tracing_on", "0");
    snprintf(path, sizeof(path), "%s/trace", trace->dir);
    lines = read_all(path);
    rmdir(trace->dir);
    free(trace);
    return lines;
}

/* The next line that is no comment, cut off from the rest; NULL at the end. */
static char *
next_line(char **rest)
{
    char *line;

    do
        line = strsep(rest, "\n");
    while (line && (*line == '#' || !*line));
    return line;
}

static bool
holds_all(const char *line, const char *text, va_list more)
{
    for (; text; text = va_arg(more, const char *))
        if (!strstr(line, text))
            return false;
    return true;
}

size_t
trace_count(const char *lines, const char *text, ...)
{
    char *copy = strdup(lines), *rest = copy, *line;
    size_t n = 0;
    va_list more;

    assert_non_null(copy);
    while ((line = next_line(&rest))) {
        va_start(more, text);
        n += holds_all(line, text, more);
        va_end(more);
    }
    free(copy);
    return n;
}

/* "  kdamond.0-70  [001] .....  12.345678: damos_before_apply: ..." */
static double
line_seconds(const char *line)
{
    const char *end = strstr(line, ": ");

    while (end && end > line && end[-1] != ' ')
        end--;
    return end ? strtod(end, NULL) : -1;
}

double
trace_seconds(const char *lines, const char *from, const char *to)
{
    char *copy = strdup(lines), *rest = copy, *line;
    double first = -1, last = -1;

    assert_non_null(copy);
    while ((line = next_line(&rest))) {
        if (first < 0 && strstr(line, from))
            first = line_seconds(line);
        if (strstr(line, to))
            last = line_seconds(line);
    }
    free(copy);
    return first < 0 || last < first ? -1 : last - first;
}

size_t
trace_intervals(const char *lines, const char *text, double *seconds, size_t max)
{
    char *copy = strdup(lines), *rest = copy, *line;
    double last = -1;
    size_t n = 0;

    assert_non_null(copy);
    while (n < max && (line = next_line(&rest))) {
        if (!strstr(line, text))
            continue;
        if (last >= 0)
            seconds[n++] = line_seconds(line) - last;
        last = line_seconds(line);
    }
    free(copy);
    return n;
}
