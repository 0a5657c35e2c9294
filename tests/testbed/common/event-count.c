/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts tracepoints that pass a filter. */
#include "event-count.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"
#include "test.h"

#define MAX_PATH 256

static void
path_of(char *path, const char *name, const char *file)
{
    snprintf(path, MAX_PATH, "/sys/kernel/tracing/instances/count-%s/%s", name, file);
}

static void
put(const char *name, const char *event, const char *file, const char *text)
{
    char path[MAX_PATH], below[128];
    int error;

    snprintf(below, sizeof(below), "events/%s/%s", event, file);
    path_of(path, name, below);
    error = file_write(path, text);
    if (error)
        fail_msg("%s: '%s': %s", path, text, strerror(-error));
}

void
event_count_add(const char *name, const char *event, const char *filter)
{
    char path[MAX_PATH];

    path_of(path, name, "");
    if (mkdir(path, 0700) && errno != EEXIST)
        fail_msg("%s: %s", path, strerror(errno));
    put(name, event, "filter", filter);
    put(name, event, "enable", "1");
}

/* A line that had to make room for newer ones is counted as overrun. */
unsigned long
event_count_read(const char *name)
{
    unsigned long n = 0;

    for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++) {
        char path[MAX_PATH], file[48];

        snprintf(file, sizeof(file), "per_cpu/cpu%ld/stats", cpu);
        path_of(path, name, file);
        n += file_field(path, "entries") + file_field(path, "overrun");
    }
    return n;
}

void
event_count_remove(const char *name)
{
    char path[MAX_PATH];

    path_of(path, name, "");
    rmdir(path);
}
