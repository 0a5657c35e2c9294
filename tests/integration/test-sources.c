/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sources of samples on real guests, on the kernel that runs here. Minor faults stand for
 * accesses: reading a guest's RAM through libvirt makes QEMU fault in what it had not touched, and
 * the frame of each sample is held against /proc/PID/pagemap, read here and not by the agent. */
#include "base/error.h"
#include "base/file-io.h"
#include "sample/perf-source.h"
#include "sample/smaps-source.h"
#include "sample/spe-source.h"
#include "sampled-guest.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define MIB (1024 * 1024ULL)
/* Faults on file mappings bring in what is in the page cache around them: 64 KiB
 * (fault_around_bytes in mm/memory.c). */
#define AROUND_PAGES 16

static virConnectPtr connect;

static int
set_up(void **state)
{
    assert_non_null(g_getenv("FOLIOD_SANDBOX"));
    connect = folio_test_connect("qemu:///system");
    return 0;
}

static int
tear_down(void **state)
{
    virConnectClose(connect);
    return 0;
}

/* What a failed case left running. */
static int
destroy_guests(void **state)
{
    virDomainPtr *domains = NULL;
    const int n = virConnectListAllDomains(connect, &domains, 0);

    for (int i = 0; i < n; i++)
        folio_test_guest_destroy(domains[i]);
    free(domains);
    return 0;
}

static FolioSourceSession *
open_session(FolioSource *source, const SampledGuest *guest)
{
    g_autoptr(GError) error = NULL;
    FolioSourceSession *session =
        source->klass->open(source, guest != NULL ? guest->process : NULL, &error);

    assert_no_error(error);
    return session;
}

static void
close_session(FolioSourceSession *session)
{
    FolioSource *source = session->source;

    source->klass->close(session);
    source->klass->free(source);
}

static FolioSourceCounters
counters_of(FolioSourceSession *session)
{
    FolioSourceCounters counters;

    session->source->klass->get_counters(session, &counters);
    return counters;
}

/* Samples the faults of reading the whole RAM; then every page that became mapped must lie in a
 * group of n_pages (aligned) of which a sample told, and a sample in the RAM must tell of a group
 * with new pages in it. Returns how many groups there were. */
static guint
check_frames(const SampledGuest *guest, const guint64 *before, const guint64 *after,
             const SampledHeap *heap, guint n_pages)
{
    const guint64 first = guest->block->hva / SAMPLED_PAGE_BYTES;
    guint n_groups = 0;
    guint page = 0;

    while (page < SAMPLED_PAGES) {
        gboolean is_new = FALSE, sampled = FALSE;

        do {
            is_new = is_new || (before[page] == 0 && after[page] != 0);
            sampled = sampled || (after[page] != 0 && sampled_heap_has(heap, after[page]));
            page++;
        } while (page < SAMPLED_PAGES && (first + page) % n_pages != 0);
        if (is_new != sampled)
            fail_msg("pages before page %u: new %d, sampled %d", page, is_new, sampled);
        n_groups += is_new;
    }
    return n_groups;
}

static guint
sample_reading(const SampledGuest *guest, guint n_pages)
{
    const guint n_fds = folio_test_count_fds();
    FolioSourceSession *session =
        open_session(folio_perf_source_new(&folio_perf_minor_faults), guest);
    SampledHeap *heap = sampled_heap_new();
    g_autofree guint64 *before = NULL;
    g_autofree guint64 *after = NULL;
    FolioSourceCounters counters;
    guint n_groups;

    /* So that nothing but our reading makes faults in the RAM. */
    assert_int_equal(virDomainSuspend(guest->domain), 0);
    before = sampled_guest_frames(guest);
    session->source->klass->enable(session, TRUE);
    sampled_guest_read(guest, session, heap);
    after = sampled_guest_frames(guest);
    counters = counters_of(session);
    n_groups = check_frames(guest, before, after, heap, n_pages);
    assert_int_equal(counters.samples, heap->n);
    assert_int_equal(counters.lost + counters.throttled + counters.garbage, 0);
    assert_int_equal(counters.unsampled, 0);
    assert_true(counters.threads >= 2);
    assert_true(heap->n >= n_groups);
    sampled_heap_free(heap);
    close_session(session);
    assert_int_equal(folio_test_count_fds(), n_fds);
    return n_groups;
}

/* Each block of 2 MiB that was not there: one fault, one sample, and its frame is the block's. */
static void
test_blocks(void **state)
{
    SampledGuest *guest = sampled_guest_start(connect, "sampled", TRUE);

    assert_in_range(sample_reading(guest, FOLIO_BLOCK_BYTES / SAMPLED_PAGE_BYTES), 20, 32);
    /* All is there now: nothing more to sample in the RAM. */
    assert_int_equal(sample_reading(guest, FOLIO_BLOCK_BYTES / SAMPLED_PAGE_BYTES), 0);
    sampled_guest_free(guest);
}

/* The same of a guest whose RAM is mapped by pages. */
static void
test_pages(void **state)
{
    SampledGuest *guest = sampled_guest_start(connect, "sampled", FALSE);

    assert_true(sample_reading(guest, AROUND_PAGES) > 900);
    sampled_guest_free(guest);
}

static guint
count_sampled(const SampledHeap *heap, const SampledGuest *guest)
{
    g_autofree guint64 *frames = sampled_guest_frames(guest);
    guint n = 0;

    for (guint i = 0; i < SAMPLED_PAGES; i++)
        n += frames[i] != 0 && sampled_heap_has(heap, frames[i]);
    return n;
}

/* Two guests, two sessions: each sees its own RAM and nothing of the other's. */
static void
test_two_guests(void **state)
{
    SampledGuest *guests[] = { sampled_guest_start(connect, "sampled", TRUE),
                               sampled_guest_start(connect, "other", TRUE) };
    FolioSourceSession *sessions[2];
    SampledHeap *heaps[2];

    for (guint i = 0; i < 2; i++) {
        heaps[i] = sampled_heap_new();
        sessions[i] = open_session(folio_perf_source_new(&folio_perf_minor_faults), guests[i]);
        sessions[i]->source->klass->enable(sessions[i], TRUE);
    }
    for (guint i = 0; i < 2; i++)
        sampled_guest_read(guests[i], sessions[i], heaps[i]);
    for (guint i = 0; i < 2; i++) {
        sampled_drain(sessions[i], heaps[i]);
        assert_true(count_sampled(heaps[i], guests[i]) >= 20);
        /* A frame that one QEMU gave back may be in the other's RAM by now: a few, no more. */
        assert_true(count_sampled(heaps[i], guests[1 - i]) < 5);
    }
    for (guint i = 0; i < 2; i++) {
        close_session(sessions[i]);
        sampled_heap_free(heaps[i]);
        sampled_guest_free(guests[i]);
    }
}

/* One session by CPU sees the RAM of both. */
static void
test_whole_host(void **state)
{
    SampledGuest *guests[] = { sampled_guest_start(connect, "sampled", TRUE),
                               sampled_guest_start(connect, "other", TRUE) };
    FolioPerfSourceOptions options = folio_perf_minor_faults;
    FolioSourceSession *session = NULL;
    SampledHeap *heap = sampled_heap_new();

    options.whole_host = TRUE;
    session = open_session(folio_perf_source_new(&options), NULL);
    session->source->klass->enable(session, TRUE);
    for (guint i = 0; i < 2; i++)
        sampled_guest_read(guests[i], session, heap);
    assert_int_equal(counters_of(session).threads, sysconf(_SC_NPROCESSORS_ONLN));
    if (counters_of(session).lost + counters_of(session).throttled == 0)
        for (guint i = 0; i < 2; i++)
            assert_true(count_sampled(heap, guests[i]) >= 20);
    assert_true(heap->n >= 40);
    close_session(session);
    sampled_heap_free(heap);
    for (guint i = 0; i < 2; i++)
        sampled_guest_free(guests[i]);
}

static guint
count_threads(const SampledGuest *guest)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) threads = folio_process_list_threads(guest->process, &error);

    assert_no_error(error);
    return threads->len;
}

/* QEMU's own worker threads come and go as well: look until both agree. */
static gboolean
follows(FolioSourceSession *session, const SampledGuest *guest)
{
    g_autoptr(GError) error = NULL;
    const guint n = count_threads(guest);

    session->source->klass->follow(session, &error);
    assert_no_error(error);
    return counters_of(session).threads == n && count_threads(guest) == n;
}

/* Threads of a real QEMU: iothreads added and removed. */
static void
test_iothreads_are_followed(void **state)
{
    SampledGuest *guest = sampled_guest_start(connect, "sampled", TRUE);
    FolioSourceSession *session =
        open_session(folio_perf_source_new(&folio_perf_minor_faults), guest);
    SampledHeap *heap = sampled_heap_new();
    const guint n_fds = folio_test_count_fds() - (guint) counters_of(session).threads;

    session->source->klass->enable(session, TRUE);
    for (guint round = 0; round < 5; round++) {
        guint64 n;

        folio_test_wait_until(follows(session, guest));
        n = counters_of(session).threads;
        assert_int_equal(virDomainAddIOThread(guest->domain, 7, VIR_DOMAIN_AFFECT_LIVE), 0);
        folio_test_wait_until(follows(session, guest) && counters_of(session).threads > n);
        assert_int_equal(virDomainDelIOThread(guest->domain, 7, VIR_DOMAIN_AFFECT_LIVE), 0);
        folio_test_wait_until(follows(session, guest) && counters_of(session).threads <= n);
        sampled_drain(session, heap);
        /* One descriptor for each thread, none for those that are gone. */
        assert_int_equal(folio_test_count_fds(), n_fds + counters_of(session).threads);
    }
    sampled_guest_read(guest, session, heap);
    assert_true(count_sampled(heap, guest) >= 20);
    close_session(session);
    sampled_heap_free(heap);
    sampled_guest_free(guest);
}

/* QEMU is killed while it is sampled: what it had done is handed over, then the session is dead. */
static void
test_killed_qemu(void **state)
{
    SampledGuest *guest = sampled_guest_start(connect, "sampled", TRUE);
    const guint n_fds = folio_test_count_fds();
    FolioSourceSession *session =
        open_session(folio_perf_source_new(&folio_perf_minor_faults), guest);
    const FolioSourceClass *klass = session->source->klass;
    SampledHeap *heap = sampled_heap_new();
    g_autofree guint64 *frames = NULL;
    g_autoptr(GError) error = NULL;
    guint n = 0;

    klass->enable(session, TRUE);
    sampled_guest_read(guest, NULL, NULL);
    frames = sampled_guest_frames(guest);
    folio_test_kill(folio_process_get_pid(guest->process));
    assert_false(klass->drain(session, sampled_heap_take, heap, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    for (guint i = 0; i < SAMPLED_PAGES; i++)
        n += frames[i] != 0 && sampled_heap_has(heap, frames[i]);
    assert_true(n >= 20);
    g_clear_error(&error);
    assert_false(klass->follow(session, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    close_session(session);
    assert_int_equal(folio_test_count_fds(), n_fds);
    sampled_heap_free(heap);
    folio_test_wait_until(virDomainIsActive(guest->domain) != 1);
    virDomainFree(guest->domain);
    guest->domain = NULL;
    sampled_guest_free(guest);
}

static gboolean
host_has_spe(void)
{
    g_autoptr(GDir) dir = g_dir_open("/sys/bus/event_source/devices", 0, NULL);
    const char *name = NULL;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
        if (g_str_has_prefix(name, "arm_spe_"))
            return TRUE;
    return FALSE;
}

static void
sample_spe(FolioSource *source)
{
    SampledGuest *guest = sampled_guest_start(connect, "sampled", TRUE);
    FolioSourceSession *session = open_session(source, guest);
    SampledHeap *heap = sampled_heap_new();

    source->klass->enable(session, TRUE);
    for (guint i = 0; i < 5; i++) {
        sampled_guest_read(guest, session, heap);
    }
    assert_true(heap->n > 0);
    assert_true(count_sampled(heap, guest) > 0);
    close_session(session);
    sampled_heap_free(heap);
    sampled_guest_free(guest);
}

/* On a host without it the reason is said; on one with it, samples come. */
static void
test_spe(void **state)
{
    const FolioSpeSourceOptions options = { .sys_root = "/sys", .period = 4096, .aux_bytes = MIB };
    g_autoptr(GError) error = NULL;
    FolioSource *source = folio_spe_source_new(&options, &error);

    if (host_has_spe()) {
        assert_no_error(error);
        sample_spe(source);
        return;
    }
    assert_null(source);
    assert_folio_error(error, FOLIO_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error->message, "no Arm SPE unit"));
}

/* expected: the RAM as a whole, or nothing. */
static void
assert_nominated(const SampledGuest *guest, gboolean expected)
{
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(FolioHugeRange));
    FolioSourceSession *session = open_session(folio_smaps_source_new(), guest);
    g_autoptr(GError) error = NULL;

    assert_true(session->source->klass->nominate(session, guest->ram, ranges, &error));
    assert_int_equal(ranges->len, expected);
    if (expected) {
        const FolioHugeRange *range = &g_array_index(ranges, FolioHugeRange, 0);

        assert_int_equal(range->start, guest->block->hva);
        assert_int_equal(range->bytes, SAMPLED_MIB * MIB);
        assert_int_equal(range->huge, SAMPLED_MIB * MIB);
        assert_int_equal(range->ram_block, 0);
    }
    close_session(session);
}

/* As kernels before 6.7 answer PAGEMAP_SCAN. */
static int
no_ioctl(int fd, unsigned long request, void *argument)
{
    errno = ENOTTY;
    return -1;
}

static int
plain_openat(int dir_fd, const char *path, int flags)
{
    return openat(dir_fd, path, flags);
}

/* An aligned guest's RAM is nominated as a whole once it is there, a misaligned one's never, by
 * PAGEMAP_SCAN and by smaps. */
static void
test_nominations(void **state)
{
    static const FolioFileCalls old_kernel = { .openat = plain_openat,
                                               .read = read,
                                               .ioctl = no_ioctl };
    SampledGuest *aligned = sampled_guest_start(connect, "sampled", TRUE);
    SampledGuest *askew = sampled_guest_start(connect, "other", FALSE);

    sampled_guest_read(aligned, NULL, NULL);
    sampled_guest_read(askew, NULL, NULL);
    for (guint round = 0; round < 2; round++) {
        assert_nominated(aligned, TRUE);
        assert_nominated(askew, FALSE);
        folio_file_set_calls(&old_kernel);
    }
    folio_file_set_calls(NULL);
    sampled_guest_free(aligned);
    sampled_guest_free(askew);
}

#define with_guests(test) cmocka_unit_test_teardown(test, destroy_guests)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(test_blocks),      with_guests(test_pages),
        with_guests(test_two_guests),  with_guests(test_whole_host),
        with_guests(test_killed_qemu), with_guests(test_iothreads_are_followed),
        with_guests(test_spe),         with_guests(test_nominations),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
