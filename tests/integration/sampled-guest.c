/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real guest to be sampled. */
#include "sampled-guest.h"

#include <fcntl.h>
#include <libvirt/virterror.h>
#include <unistd.h>

#define MIB          (1024 * 1024ULL)
#define ON_TMPFS     "<source type='file'/><access mode='shared'/>"
#define PFN_MASK     ((1ULL << 55) - 1)
#define PAGE_PRESENT (1ULL << 63)

static FolioProcess *
locate_process(virDomainPtr domain)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    FolioReason reason = FOLIO_REASON_NONE;
    g_autoptr(GError) error = NULL;
    FolioProcess *process = NULL;
    FolioProcessQuery query = { .proc_root = "/proc",
                                .run_dir = "/run/libvirt/qemu",
                                .name = virDomainGetName(domain),
                                .uuid = uuid };

    assert_int_equal(virDomainGetUUIDString(domain, uuid), 0);
    process = folio_process_locate(&query, &reason, &error);
    assert_no_error(error);
    return process;
}

SampledGuest *
sampled_guest_start(virConnectPtr connect, const char *name, gboolean aligned)
{
    g_autofree char *launcher =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "launch", "qemu-system-x86_64", NULL);
    const FolioTestGuest description = {
        .name = name, .emulator = aligned ? launcher : NULL, .backing = ON_TMPFS, .mib = SAMPLED_MIB
    };
    const FolioRamSpec spec = { .kind = FOLIO_RAM_MAIN,
                                .backing = FOLIO_BACKING_FILE,
                                .bytes = SAMPLED_MIB * MIB };
    SampledGuest *guest = g_new0(SampledGuest, 1);
    FolioReason reason = FOLIO_REASON_NONE;
    g_autoptr(GError) error = NULL;

    assert_non_null(g_getenv("FOLIOD_BUILD"));
    guest->domain = folio_test_guest_start(connect, &description);
    guest->process = locate_process(guest->domain);
    guest->ram = folio_guest_ram_locate(guest->process, &spec, 1, "/sys", &reason, &error);
    assert_no_error(error);
    guest->block = g_ptr_array_index(guest->ram->blocks, 0);
    if (aligned)
        assert_int_equal(guest->block->reason, FOLIO_REASON_NONE);
    return guest;
}

void
sampled_guest_free(SampledGuest *guest)
{
    if (guest->domain != NULL)
        folio_test_guest_destroy(guest->domain);
    folio_guest_ram_free(guest->ram);
    folio_process_unref(guest->process);
    g_free(guest);
}

guint64 *
sampled_guest_frames(const SampledGuest *guest)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%d/pagemap", folio_process_get_pid(guest->process));
    guint64 *frames = g_new0(guint64, SAMPLED_PAGES);
    const gsize bytes = SAMPLED_PAGES * sizeof(guint64);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, frames, bytes,
                           (off_t) (guest->block->hva / SAMPLED_PAGE_BYTES * sizeof(guint64))),
                     bytes);
    close(fd);
    for (guint i = 0; i < SAMPLED_PAGES; i++)
        frames[i] = (frames[i] & PAGE_PRESENT) != 0 ? frames[i] & PFN_MASK : 0;
    return frames;
}

SampledHeap *
sampled_heap_new(void)
{
    SampledHeap *heap = g_new0(SampledHeap, 1);

    heap->frames = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return heap;
}

void
sampled_heap_free(SampledHeap *heap)
{
    g_hash_table_unref(heap->frames);
    g_free(heap);
}

void
sampled_heap_take(const FolioSample *samples, gsize n, gpointer user_data)
{
    SampledHeap *heap = user_data;

    for (gsize i = 0; i < n; i++) {
        assert_true(samples[i].pa != 0);
        g_hash_table_add(heap->frames,
                         g_memdup2(&(guint64){ samples[i].pa / SAMPLED_PAGE_BYTES }, 8));
    }
    heap->n += n;
}

void
sampled_drain(FolioSourceSession *session, SampledHeap *heap)
{
    g_autoptr(GError) error = NULL;

    session->source->klass->drain(session, sampled_heap_take, heap, &error);
    assert_no_error(error);
}

void
sampled_guest_read(const SampledGuest *guest, FolioSourceSession *session, SampledHeap *heap)
{
    g_autofree char *buffer = g_malloc(MIB / 2);

    for (guint64 at = MIB; at < SAMPLED_MIB * MIB; at += MIB / 2) {
        if (virDomainMemoryPeek(guest->domain, at, MIB / 2, buffer, VIR_MEMORY_PHYSICAL) != 0)
            fail_msg("reading guest RAM: %s", virGetLastErrorMessage());
        if (session != NULL)
            sampled_drain(session, heap);
    }
}

gboolean
sampled_heap_has(const SampledHeap *heap, guint64 frame)
{
    return g_hash_table_contains(heap->frames, &frame);
}
