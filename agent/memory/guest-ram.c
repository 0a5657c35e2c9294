/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the RAM blocks of a guest in its QEMU process, and why they cannot be served. */
#include "memory/guest-ram.h"

#include "base/error.h"
#include "base/file-io.h"
#include "base/format.h"
#include "base/log.h"
#include "memory/maps.h"
#include "memory/memfd-order.h"
#include "memory/mountinfo.h"
#include "memory/ram-match.h"
#include "memory/read-maps.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STATUS_MAX_BYTES    (64 * 1024)
#define MOUNTINFO_MAX_BYTES (16 * 1024 * 1024)
#define MAX_ALIGNMENT       (1024 * 1024 * 1024ULL)
#define SHMEM_ENABLED       "kernel/mm/transparent_hugepage/shmem_enabled"

/* What is read once for all blocks of a guest. */
typedef struct {
    const FolioProcess *process;
    FolioMaps *maps;     /* smaps when something is locked, otherwise maps */
    char *mountinfo;     /* as the process sees it */
    char *own_mountinfo; /* as we see it; read when it is needed */
    char *shmem_enabled; /* the word in brackets; "" when it cannot be read */
} Host;

static void
host_free(Host *host)
{
    g_clear_pointer(&host->maps, folio_maps_free);
    g_free(host->mountinfo);
    g_free(host->own_mountinfo);
    g_free(host->shmem_enabled);
    g_free(host);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Host, host_free)

/* VmLck counts locked memory, and what VFIO pinned. It spares reading smaps, whose VmFlags say
 * which VMAs are locked, for nearly all guests. */
static gboolean
something_is_locked(const char *status)
{
    const char *value = strstr(status, "\nVmLck:");

    return value == NULL || g_ascii_strtoull(value + strlen("\nVmLck:"), NULL, 10) > 0;
}

static Host *
host_read(const FolioProcess *process, const char *sys_root, GError **error)
{
    g_autoptr(Host) host = g_new0(Host, 1);
    const int proc_fd = folio_process_get_proc_fd(process);
    g_autofree char *status = NULL;
    g_autofree char *shmem_enabled = NULL;

    host->process = process;
    status = folio_file_read(proc_fd, "status", STATUS_MAX_BYTES, NULL, error);
    if (status == NULL)
        return NULL;
    host->maps = folio_read_maps(process, something_is_locked(status), error);
    if (host->maps == NULL)
        return NULL;
    host->mountinfo = folio_file_read(proc_fd, "mountinfo", MOUNTINFO_MAX_BYTES, NULL, error);
    if (host->mountinfo == NULL)
        return NULL;
    shmem_enabled = folio_file_read_value(sys_root, SHMEM_ENABLED);
    host->shmem_enabled = folio_bracketed_word(shmem_enabled);
    return g_steal_pointer(&host);
}

static void
block_free(gpointer data)
{
    FolioRamBlock *block = data;

    g_free(block->id);
    g_free(block->file);
    g_free(block->fs_type);
    g_free(block->fs_options);
    g_free(block->huge);
    g_free(block);
}

static gboolean
block_is_memfd(const FolioRamBlock *block)
{
    return g_str_has_prefix(block->file, "/memfd:");
}

static gboolean
find_mount(FolioRamBlock *block, const char *mountinfo)
{
    return folio_mountinfo_find(mountinfo, strlen(mountinfo), block->dev_major, block->dev_minor,
                                &block->fs_type, &block->fs_options);
}

/* A file's mount may be gone from the namespace of the process (or from ours) while the file is
 * still in use; when it is gone from both, its kind stays unknown. */
static gboolean
set_mount(FolioRamBlock *block, Host *host, GError **error)
{
    gboolean found = block->inode == 0 || block_is_memfd(block);

    if (!found && !find_mount(block, host->mountinfo)) {
        if (host->own_mountinfo == NULL)
            host->own_mountinfo =
                folio_file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX_BYTES, NULL, error);
        if (host->own_mountinfo == NULL)
            return FALSE;
        find_mount(block, host->own_mountinfo);
    }
    if (block->fs_type == NULL) {
        block->fs_type = g_strdup("");
        block->fs_options = g_strdup("");
    }
    block->huge = block_is_memfd(block) ? g_strdup(host->shmem_enabled)
                                        : folio_mount_option(block->fs_options, "huge");
    if (block->huge == NULL)
        block->huge = g_strdup("");
    return TRUE;
}

static gboolean
has_large_base_pages(const FolioRamBlock *block, const Host *host)
{
    return sysconf(_SC_PAGESIZE) != 4096;
}

static gboolean
is_on_hugetlb(const FolioRamBlock *block, const Host *host)
{
    return block->spec.backing == FOLIO_BACKING_HUGETLB || g_str_equal(block->fs_type, "hugetlbfs");
}

static gboolean
is_on_no_tmpfs(const FolioRamBlock *block, const Host *host)
{
    return !g_str_equal(block->fs_type, "tmpfs");
}

static gboolean
is_private(const FolioRamBlock *block, const Host *host)
{
    return !block->shared;
}

/* shmem_enabled overrides the mount option of a tmpfs both ways, see
 * Documentation/admin-guide/mm/transhuge.rst. */
static gboolean
is_on_small_tmpfs(const FolioRamBlock *block, const Host *host)
{
    if (g_str_equal(host->shmem_enabled, "deny"))
        return TRUE;
    if (g_str_equal(host->shmem_enabled, "force"))
        return FALSE;
    return *block->huge == '\0' || g_str_equal(block->huge, "never");
}

static gboolean
is_misaligned(const FolioRamBlock *block, const Host *host)
{
    return block->alignment < FOLIO_BLOCK_BYTES;
}

static gboolean
is_locked(const FolioRamBlock *block, const Host *host)
{
    return block->locked;
}

/* The gravest first; see guest-ram.h. */
static const struct {
    FolioReason reason;
    gboolean (*applies)(const FolioRamBlock *block, const Host *host);
} obstacles[] = {
    { FOLIO_REASON_PAGE_SIZE, has_large_base_pages },
    { FOLIO_REASON_HUGETLB, is_on_hugetlb },
    { FOLIO_REASON_NOT_TMPFS, is_on_no_tmpfs },
    { FOLIO_REASON_PRIVATE, is_private },
    { FOLIO_REASON_TMPFS_NOT_HUGE, is_on_small_tmpfs },
    { FOLIO_REASON_MISALIGNED, is_misaligned },
    { FOLIO_REASON_LOCKED, is_locked },
};

static FolioReason
reason_of_block(const FolioRamBlock *block, const Host *host)
{
    for (gsize i = 0; i < G_N_ELEMENTS(obstacles); i++) {
        if (obstacles[i].applies(block, host))
            return obstacles[i].reason;
    }
    return FOLIO_REASON_NONE;
}

static guint64
alignment_of(guint64 hva, guint64 offset)
{
    const guint64 difference = hva - offset;

    /* The lowest bit that is set. */
    return difference == 0 ? MAX_ALIGNMENT : MIN(difference & -difference, MAX_ALIGNMENT);
}

/* NULL on error. */
static FolioRamBlock *
block_new(const FolioRamSpec *spec, const FolioRamRun *run, Host *host, GError **error)
{
    const FolioVma *vma = &g_array_index(host->maps->vmas, FolioVma, run->first);
    FolioRamBlock *block = g_new0(FolioRamBlock, 1);

    block->id = folio_ram_spec_id(spec);
    block->spec = *spec;
    block->spec.alias = NULL;
    block->hva = vma->start;
    block->bytes = run->bytes;
    block->offset = vma->offset;
    block->inode = vma->inode;
    block->dev_major = vma->dev_major;
    block->dev_minor = vma->dev_minor;
    block->shared = (vma->flags & FOLIO_VMA_SHARED) != 0;
    block->file = g_strdup(vma->path);
    block->file_deleted = (vma->flags & FOLIO_VMA_DELETED) != 0;
    block->alignment = alignment_of(block->hva, block->offset);
    for (guint i = 0; i < run->n; i++)
        block->locked |= (vma[i].flags & FOLIO_VMA_LOCKED) != 0;
    if (!set_mount(block, host, error)) {
        block_free(block);
        return NULL;
    }
    block->reason = reason_of_block(block, host);
    return block;
}

static FolioReason
gravest(const GPtrArray *blocks)
{
    for (gsize i = 0; i < G_N_ELEMENTS(obstacles); i++) {
        for (guint j = 0; j < blocks->len; j++) {
            if (((const FolioRamBlock *) g_ptr_array_index(blocks, j))->reason ==
                obstacles[i].reason)
                return obstacles[i].reason;
        }
    }
    return FOLIO_REASON_NONE;
}

static FolioGuestRam *
ram_new(const FolioRamSpec *specs, guint n_specs, const GArray *runs, const guint *run_of_spec,
        Host *host, GError **error)
{
    g_autoptr(FolioGuestRam) ram = g_new0(FolioGuestRam, 1);

    ram->blocks = g_ptr_array_new_with_free_func(block_free);
    for (guint i = 0; i < n_specs; i++) {
        FolioRamBlock *block =
            block_new(&specs[i], &g_array_index(runs, FolioRamRun, run_of_spec[i]), host, error);

        if (block == NULL)
            return NULL;
        g_ptr_array_add(ram->blocks, block);
        ram->bytes += block->bytes;
    }
    ram->reason = gravest(ram->blocks);
    return g_steal_pointer(&ram);
}

static FolioReason
reason_of_error(const FolioProcess *process, const GError *error)
{
    if (!folio_process_is_alive(process) ||
        g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND))
        return FOLIO_REASON_PROCESS_GONE;
    if (g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED))
        return FOLIO_REASON_NO_ACCESS;
    return FOLIO_REASON_RAM_UNREADABLE;
}

/* For who may read the log: an error reaches everybody who may see the guest's state. */
static void
log_largest(const FolioProcess *process, const FolioMaps *maps)
{
    g_autofree char *largest = folio_ram_describe_largest(maps);

    folio_debug("/proc/%d/maps: the largest mappings are %s", folio_process_get_pid(process),
                largest);
}

/* As folio_guest_ram_locate. *reason stays as it is when a file could not be read. */
static FolioGuestRam *
locate(const FolioProcess *process, const FolioRamSpec *specs, guint n_specs, const char *sys_root,
       FolioReason *reason, GError **error)
{
    g_autoptr(Host) host = host_read(process, sys_root, error);
    g_autoptr(GArray) runs = NULL;
    g_autofree guint *run_of_spec = g_new(guint, n_specs);

    if (host == NULL)
        return NULL;
    runs = folio_ram_runs(host->maps, specs, n_specs);
    if (!folio_memfd_order(process, host->maps, runs, error))
        return NULL;
    if (!folio_ram_match(host->maps, runs, specs, n_specs, run_of_spec, reason, error)) {
        log_largest(process, host->maps);
        return NULL;
    }
    return ram_new(specs, n_specs, runs, run_of_spec, host, error);
}

FolioGuestRam *
folio_guest_ram_locate(const FolioProcess *process, const FolioRamSpec *specs, guint n_specs,
                       const char *sys_root, FolioReason *reason, GError **error)
{
    g_autofree FolioRamSpec *wanted = g_new(FolioRamSpec, n_specs);
    g_autoptr(GError) cause = NULL;
    FolioReason why = FOLIO_REASON_NONE;
    FolioGuestRam *ram = NULL;
    guint n_wanted = 0;

    for (guint i = 0; i < n_specs; i++) {
        if (specs[i].kind != FOLIO_RAM_OTHER)
            wanted[n_wanted++] = specs[i];
    }
    if (n_wanted == 0) {
        *reason = FOLIO_REASON_RAM_NOT_FOUND;
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "libvirt says of no RAM at all");
        return NULL;
    }
    ram = locate(process, wanted, n_wanted, sys_root, &why, &cause);
    if (ram != NULL)
        return ram;
    /* Without a reason it was a file below /proc/PID, and the error names only that. */
    if (why == FOLIO_REASON_NONE)
        g_prefix_error(&cause, "/proc/%d/", folio_process_get_pid(process));
    *reason = why != FOLIO_REASON_NONE && folio_process_is_alive(process)
                  ? why
                  : reason_of_error(process, cause);
    g_propagate_error(error, g_steal_pointer(&cause));
    return NULL;
}

static gpointer
block_copy(gconstpointer source, gpointer user_data)
{
    const FolioRamBlock *block = source;
    FolioRamBlock *copy = g_memdup2(block, sizeof(*block));

    copy->id = g_strdup(block->id);
    copy->file = g_strdup(block->file);
    copy->fs_type = g_strdup(block->fs_type);
    copy->fs_options = g_strdup(block->fs_options);
    copy->huge = g_strdup(block->huge);
    return copy;
}

FolioGuestRam *
folio_guest_ram_copy(const FolioGuestRam *ram)
{
    FolioGuestRam *copy = g_memdup2(ram, sizeof(*ram));

    copy->blocks = g_ptr_array_copy(ram->blocks, block_copy, NULL);
    g_ptr_array_set_free_func(copy->blocks, block_free);
    return copy;
}

void
folio_guest_ram_free(FolioGuestRam *ram)
{
    if (ram == NULL)
        return;
    g_clear_pointer(&ram->blocks, g_ptr_array_unref);
    g_free(ram);
}
