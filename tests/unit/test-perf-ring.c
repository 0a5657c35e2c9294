/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One perf event of a thread of this process, opened by libperf on the kernel that runs here: minor
 * faults, which every machine has. Needs root. */
#include "base/error.h"
#include "cmocka-all.h"
#include "sample/perf-ring.h"
#include "sample/perf-sample.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

static const FolioPerfEvent faults = {
    .what = "minor faults",
    .data_pages = 4,
    .attr = {
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_PAGE_FAULTS_MIN,
        .sample_period = 1,
        .sample_type = FOLIO_PERF_SAMPLE_TYPE,
    },
};

static guint64 scratch[FOLIO_RING_RECORD_MAX / 8];

static guint
count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    guint n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static guint
count_maps(void)
{
    g_autofree char *maps = NULL;
    guint n = 0;

    assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    for (const char *at = maps; (at = strstr(at, "[perf_event]")) != NULL; at++)
        n++;
    return n;
}

static FolioPerfRing *
open_ring(int tid)
{
    g_autoptr(GError) error = NULL;
    FolioPerfRing *ring = folio_perf_ring_open(&faults, tid, -1, &error);

    assert_no_error(error);
    return ring;
}

static int
own_tid(void)
{
    return (int) syscall(SYS_gettid);
}

/* Touches n fresh pages, none of them huge. */
static void
touch_pages(gsize n)
{
    volatile guint8 *memory =
        mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    madvise((void *) memory, n * PAGE, MADV_NOHUGEPAGE);
    for (gsize i = 0; i < n; i++)
        memory[i * PAGE] = 1;
    munmap((void *) memory, n * PAGE);
}

/* Reads all there is; returns the number of samples, those with a physical address apart. */
static guint
drain(FolioPerfRing *ring, guint *with_pa, FolioSourceCounters *counters)
{
    FolioRing *records = folio_perf_ring_records(ring);
    const struct perf_event_header *record = NULL;
    FolioSample sample;
    guint n = 0;

    folio_ring_begin(records);
    while ((record = folio_ring_next_record(records, scratch)) != NULL) {
        if (record->type != PERF_RECORD_SAMPLE) {
            folio_perf_record_count(record, counters);
            continue;
        }
        assert_true(folio_perf_sample_read(record, &sample));
        *with_pa += sample.pa != 0;
        n++;
    }
    folio_ring_end(records);
    return n;
}

/* 50 rounds of 60 faults of 40 bytes go round a ring of 16 KiB seven times. Nothing is lost. */
static void
test_samples(void **state)
{
    const guint before = count_fds();
    FolioPerfRing *ring = open_ring(own_tid());
    FolioSourceCounters counters = { 0 };
    guint n = 0, with_pa = 0;

    assert_int_equal(fcntl(folio_perf_ring_fd(ring), F_GETFD), FD_CLOEXEC);
    assert_null(folio_perf_ring_aux(ring));
    assert_int_equal(count_maps(), 1);
    touch_pages(60);
    assert_int_equal(drain(ring, &with_pa, &counters), 0); /* it was opened disabled */
    assert_true(folio_perf_ring_enable(ring, TRUE));
    for (guint round = 0; round < 50; round++) {
        touch_pages(60);
        n += drain(ring, &with_pa, &counters);
    }
    assert_true(folio_perf_ring_enable(ring, FALSE));
    touch_pages(60);
    assert_int_equal(counters.lost, 0);
    if (counters.throttled == 0)
        assert_in_range(n, 3000, 3100);
    assert_true(n > 300);
    assert_true(with_pa + 100 >= n);
    drain(ring, &with_pa, &counters);
    folio_perf_ring_close(ring);
    assert_int_equal(count_fds(), before);
    assert_int_equal(count_maps(), 0);
}

static void
test_overflow_is_counted(void **state)
{
    FolioPerfRing *ring = open_ring(own_tid());
    FolioSourceCounters counters = { 0 };
    guint n = 0, with_pa = 0;

    folio_perf_ring_enable(ring, TRUE);
    touch_pages(1000);
    n = drain(ring, &with_pa, &counters);
    /* The kernel says how much it lost when there is room again. */
    touch_pages(1);
    n += drain(ring, &with_pa, &counters);
    folio_perf_ring_close(ring);
    assert_in_range(n, 300, 411);
    assert_true(counters.throttled > 0 || counters.lost > 500);
}

static void
test_period(void **state)
{
    FolioPerfRing *ring = open_ring(own_tid());
    FolioSourceCounters counters = { 0 };
    guint with_pa = 0;

    assert_true(folio_perf_ring_set_period(ring, 10));
    folio_perf_ring_enable(ring, TRUE);
    touch_pages(1000);
    folio_perf_ring_enable(ring, FALSE);
    assert_in_range(drain(ring, &with_pa, &counters), 95, 105);
    assert_false(folio_perf_ring_set_period(ring, G_MAXUINT64));
    folio_perf_ring_close(ring);
}

typedef struct {
    pthread_barrier_t barrier;
    int tid;
} Other;

static void *
other_thread(void *data)
{
    Other *other = data;

    other->tid = own_tid();
    pthread_barrier_wait(&other->barrier);
    pthread_barrier_wait(&other->barrier);
    touch_pages(20);
    return NULL;
}

/* Another thread's faults are seen, ours are not; when it ends, the event hangs up and what it left
 * can still be read. */
static void
test_other_thread_ends(void **state)
{
    Other other;
    pthread_t thread;
    FolioSourceCounters counters = { 0 };
    FolioPerfRing *ring = NULL;
    struct pollfd fd = { .events = 0 };
    g_autoptr(GError) error = NULL;
    guint with_pa = 0;

    pthread_barrier_init(&other.barrier, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &other), 0);
    pthread_barrier_wait(&other.barrier);
    ring = open_ring(other.tid);
    fd.fd = folio_perf_ring_fd(ring);
    folio_perf_ring_enable(ring, TRUE);
    touch_pages(500);
    assert_int_equal(poll(&fd, 1, 0), 0);
    pthread_barrier_wait(&other.barrier);
    pthread_join(thread, NULL);
    assert_int_equal(poll(&fd, 1, 1000), 1);
    assert_int_equal(fd.revents & POLLHUP, POLLHUP);
    assert_in_range(drain(ring, &with_pa, &counters), 20, 60);
    folio_perf_ring_close(ring);
    pthread_barrier_destroy(&other.barrier);

    assert_null(folio_perf_ring_open(&faults, other.tid, -1, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
}

static gint stop_shuffling;

static void *
shuffle_descriptors(void *unused)
{
    while (!g_atomic_int_get(&stop_shuffling)) {
        const int a = open("/", O_PATH | O_CLOEXEC), b = open("/", O_PATH | O_CLOEXEC);

        close(a);
        close(b);
    }
    return NULL;
}

/* However other threads shuffle descriptors, each ring finds its own: a period set by it takes
 * effect on that event alone. */
static void
test_own_descriptor_is_found(void **state)
{
    const guint before = count_fds();
    FolioSourceCounters counters = { 0 };
    pthread_t thread;

    g_atomic_int_set(&stop_shuffling, 0);
    assert_int_equal(pthread_create(&thread, NULL, shuffle_descriptors, NULL), 0);
    for (guint round = 0; round < 300; round++) {
        FolioPerfRing *rings[3];
        guint with_pa = 0;

        for (guint i = 0; i < 3; i++)
            rings[i] = open_ring(own_tid());
        assert_true(folio_perf_ring_set_period(rings[round % 3], 1000000));
        for (guint i = 0; i < 3; i++)
            folio_perf_ring_enable(rings[i], TRUE);
        touch_pages(5);
        for (guint i = 0; i < 3; i++) {
            const guint n = drain(rings[i], &with_pa, &counters);

            if (i == round % 3)
                assert_int_equal(n, 0);
            else
                assert_true(n >= 5);
            folio_perf_ring_close(rings[i]);
        }
    }
    g_atomic_int_set(&stop_shuffling, 1);
    pthread_join(thread, NULL);
    assert_int_equal(count_fds(), before);
}

static void
assert_refused(const FolioPerfEvent *event, int tid, int cpu, gint code, const char *mention)
{
    const guint before = count_fds();
    g_autoptr(GError) error = NULL;

    assert_null(folio_perf_ring_open(event, tid, cpu, &error));
    assert_folio_error(error, code);
    if (strstr(error->message, mention) == NULL)
        fail_msg("\"%s\" does not mention %s", error->message, mention);
    assert_int_equal(count_fds(), before);
    assert_int_equal(count_maps(), 0);
}

static void
test_refusals(void **state)
{
    FolioPerfEvent event = faults;

    event.attr.type = 4000000000U;
    assert_refused(&event, own_tid(), -1, FOLIO_ERROR_UNSUPPORTED, "minor faults for thread");
    event = faults;
    event.attr.sample_type = ~0ULL;
    assert_refused(&event, own_tid(), -1, FOLIO_ERROR_INVALID, "minor faults for thread");
    /* An event without an AUX area. */
    event = faults;
    event.aux_bytes = 2 * PAGE;
    assert_refused(&event, own_tid(), -1, FOLIO_ERROR_UNSUPPORTED, "mapping");
    assert_refused(&faults, -1, 2000, FOLIO_ERROR_INVALID, "CPU 2000");
}

/* Somebody without privileges: physical addresses and other people's threads are not for them. */
static void
test_no_permission(void **state)
{
    const pid_t child = fork();
    int status = 0;

    if (child == 0) {
        g_autoptr(GError) error = NULL;

        if (setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        _exit(folio_perf_ring_open(&faults, getppid(), -1, &error) == NULL &&
                      g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED) &&
                      strstr(error->message, "CAP_PERFMON") != NULL
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void
test_no_descriptor_left(void **state)
{
    struct rlimit limit, low;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t) dup(0);
    close((int) low.rlim_cur);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    {
        g_autoptr(GError) error = NULL;

        assert_null(folio_perf_ring_open(&faults, own_tid(), -1, &error));
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_folio_error(error, FOLIO_ERROR_FAILED);
        assert_non_null(strstr(error->message, "LimitNOFILE"));
    }
}

/* By CPU it goes on while the event is enabled, whatever runs there, and only then. */
static void
test_enabled_time(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioPerfRing) ring = folio_perf_ring_open(&faults, -1, 0, &error);
    guint64 before;

    assert_no_error(error);
    assert_int_equal(folio_perf_ring_get_enabled_nsec(ring), 0);
    assert_true(folio_perf_ring_enable(ring, TRUE));
    before = folio_perf_ring_get_enabled_nsec(ring);
    g_usleep(1000);
    assert_true(folio_perf_ring_get_enabled_nsec(ring) >= before + 1000000);
    assert_true(folio_perf_ring_enable(ring, FALSE));
    before = folio_perf_ring_get_enabled_nsec(ring);
    g_usleep(1000);
    assert_int_equal(folio_perf_ring_get_enabled_nsec(ring), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enabled_time),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_overflow_is_counted),
        cmocka_unit_test(test_period),
        cmocka_unit_test(test_other_thread_ends),
        cmocka_unit_test(test_own_descriptor_is_found),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_permission),
        cmocka_unit_test(test_no_descriptor_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
