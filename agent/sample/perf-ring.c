/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One perf event, opened and mapped by libperf, its AUX area by ourselves. */
#include "sample/perf-ring.h"

#include "base/error.h"
#include "sample/perf-open-error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <perf/core.h>
#include <perf/cpumap.h>
#include <perf/event.h>
#include <perf/evsel.h>
#include <perf/threadmap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

struct _FolioPerfRing {
    struct perf_evsel *evsel;
    gboolean opened;
    gboolean mapped;
    int fd; /* libperf's: closed by it */
    FolioRing records;
    FolioRing aux;
    void *aux_area; /* NULL: none */
};

/* What went wrong is reported by the return value; libperf would write to standard error. */
static int
print_nothing(enum libperf_print_level level, const char *format, va_list args)
{
    return 0;
}

static void
start_libperf(void)
{
    static gsize started;

    if (g_once_init_enter(&started)) {
        libperf_init(print_nothing);
        g_once_init_leave(&started, 1);
    }
}

/* Returns an errno. */
static int
open_evsel(FolioPerfRing *ring, int tid, int cpu)
{
    g_autofree char *cpu_text = g_strdup_printf("%d", cpu);
    struct perf_thread_map *threads = perf_thread_map__new_dummy();
    /* NULL is any CPU. */
    struct perf_cpu_map *cpus = cpu >= 0 ? perf_cpu_map__new(cpu_text) : NULL;
    int result = -ENOMEM;

    if (threads != NULL && (cpus != NULL || cpu < 0)) {
        perf_thread_map__set_pid(threads, 0, tid);
        result = perf_evsel__open(ring->evsel, cpus, threads);
    }
    ring->opened = result == 0;
    perf_thread_map__put(threads);
    perf_cpu_map__put(cpus);
    return -result;
}

static gboolean
is_event(int fd, guint64 id)
{
    guint64 found = 0;

    return ioctl(fd, PERF_EVENT_IOC_ID, &found) == 0 && found == id;
}

/* Looks at all descriptors of this process for the event with that number. */
static int
search_descriptor(guint64 id)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry = NULL;
    int fd = -1;

    while (dir != NULL && fd < 0 && (entry = readdir(dir)) != NULL) {
        const int candidate = atoi(entry->d_name);
        char target[32];
        const ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

        target[MAX(length, 0)] = '\0';
        if (g_str_equal(target, "anon_inode:[perf_event]") && is_event(candidate, id))
            fd = candidate;
    }
    if (dir != NULL)
        closedir(dir);
    return fd;
}

/* The lowest free descriptor, which is what the next open gives unless another thread is quicker.
 */
static int
guess_descriptor(void)
{
    const int fd = open("/", O_PATH | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd;
}

static gboolean
find_descriptor(FolioPerfRing *ring, int guess)
{
    struct perf_counts_values counts;

    if (perf_evsel__read(ring->evsel, 0, 0, &counts) != 0)
        return FALSE;
    ring->fd = guess >= 0 && is_event(guess, counts.id) ? guess : search_descriptor(counts.id);
    return ring->fd >= 0 && fcntl(ring->fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* Returns an errno. */
static int
map_aux(FolioPerfRing *ring, struct perf_event_mmap_page *control, gsize bytes)
{
    void *area;

    control->aux_offset = control->data_offset + control->data_size;
    control->aux_size = bytes;
    /* Writable, or else the kernel would overwrite what has not been read. */
    area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
                (off_t) control->aux_offset);
    if (area == MAP_FAILED)
        return errno;
    ring->aux_area = area;
    folio_ring_init_aux(&ring->aux, control, area);
    return 0;
}

static gboolean
map_rings(FolioPerfRing *ring, const FolioPerfEvent *event, GError **error)
{
    struct perf_event_mmap_page *control = NULL;
    int result;

    errno = 0;
    ring->mapped = perf_evsel__mmap(ring->evsel, (int) event->data_pages) == 0;
    result = ring->mapped ? 0 : (errno != 0 ? errno : ENOMEM);
    if (ring->mapped) {
        control = perf_evsel__mmap_base(ring->evsel, 0, 0);
        folio_ring_init_records(&ring->records, control);
        if (event->aux_bytes > 0)
            result = map_aux(ring, control, event->aux_bytes);
    }
    if (result == 0)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, (gint) folio_error_code_from_errno(result),
                "%s: mapping its ring: %s%s", event->what, g_strerror(result),
                result == EPERM ? "; locked memory is short: raise LimitMEMLOCK= of the service or "
                                  "kernel.perf_event_mlock_kb"
                                : "");
    return FALSE;
}

FolioPerfRing *
folio_perf_ring_open(const FolioPerfEvent *event, int tid, int cpu, GError **error)
{
    g_autoptr(FolioPerfRing) ring = g_new0(FolioPerfRing, 1);
    struct perf_event_attr attr = event->attr;
    int guess, result;

    start_libperf();
    attr.size = sizeof(attr);
    attr.disabled = 1;
    attr.read_format |= PERF_FORMAT_ID | PERF_FORMAT_TOTAL_TIME_ENABLED;
    ring->evsel = perf_evsel__new(&attr);
    ring->fd = -1;
    guess = guess_descriptor();
    result = ring->evsel != NULL ? open_evsel(ring, tid, cpu) : ENOMEM;
    if (result != 0) {
        folio_perf_open_error(error, event->what, tid, cpu, result);
        return NULL;
    }
    if (!find_descriptor(ring, guess)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                    "%s: the descriptor of the event is not in /proc/self/fd", event->what);
        return NULL;
    }
    return map_rings(ring, event, error) ? g_steal_pointer(&ring) : NULL;
}

void
folio_perf_ring_close(FolioPerfRing *ring)
{
    if (ring->aux_area != NULL)
        munmap(ring->aux_area, ring->aux.size);
    if (ring->mapped)
        perf_evsel__munmap(ring->evsel);
    if (ring->opened)
        perf_evsel__close(ring->evsel);
    if (ring->evsel != NULL)
        perf_evsel__delete(ring->evsel);
    g_free(ring);
}

FolioRing *
folio_perf_ring_records(FolioPerfRing *ring)
{
    return &ring->records;
}

FolioRing *
folio_perf_ring_aux(FolioPerfRing *ring)
{
    return ring->aux_area != NULL ? &ring->aux : NULL;
}

int
folio_perf_ring_fd(const FolioPerfRing *ring)
{
    return ring->fd;
}

gboolean
folio_perf_ring_enable(FolioPerfRing *ring, gboolean enabled)
{
    return (enabled ? perf_evsel__enable(ring->evsel) : perf_evsel__disable(ring->evsel)) == 0;
}

guint64
folio_perf_ring_get_enabled_nsec(const FolioPerfRing *ring)
{
    struct perf_counts_values counts = { 0 };

    return perf_evsel__read(ring->evsel, 0, 0, &counts) == 0 ? counts.ena : 0;
}

gboolean
folio_perf_ring_set_period(FolioPerfRing *ring, guint64 period)
{
    return ioctl(ring->fd, PERF_EVENT_IOC_PERIOD, &period) == 0;
}
