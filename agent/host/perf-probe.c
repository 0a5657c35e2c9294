/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening one perf event, by libperf. */
#include "host/perf-probe.h"

#include "base/error.h"
#include "build-config.h"

#ifdef HAVE_LIBPERF

#include <errno.h>
#include <linux/perf_event.h>
#include <perf/core.h>
#include <perf/evsel.h>
#include <perf/threadmap.h>
#include <stdarg.h>

/* What went wrong is reported by the return value; libperf would write to standard error. */
static int
print_nothing(enum libperf_print_level level, const char *format, va_list args)
{
    return 0;
}

gboolean
folio_perf_probe(GError **error)
{
    struct perf_event_attr attr = {
        .size = sizeof attr,
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_PAGE_FAULTS,
        .disabled = 1,
    };
    struct perf_thread_map *threads;
    struct perf_evsel *event;
    int result = -ENOMEM;

    libperf_init(print_nothing);
    threads = perf_thread_map__new_dummy();
    event = perf_evsel__new(&attr);
    if (threads != NULL && event != NULL) {
        /* The dummy has one entry, "any"; 0 is the calling thread. */
        perf_thread_map__set_pid(threads, 0, 0);
        result = perf_evsel__open(event, NULL, threads);
        if (result == 0)
            perf_evsel__close(event);
    }
    if (event != NULL)
        perf_evsel__delete(event);
    perf_thread_map__put(threads);
    if (result != 0)
        folio_set_error_errno(error, -result, "perf_event_open");
    return result == 0;
}

#else

gboolean
folio_perf_probe(GError **error)
{
    g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED, FOLIO_PERF_NOT_BUILT);
    return FALSE;
}

#endif
