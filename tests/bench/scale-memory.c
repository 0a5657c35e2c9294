/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that guests share, made to look as if each had its own. */
#include "scale-memory.h"

#include "base/file-io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENTRY_PRESENT (G_GUINT64_CONSTANT(1) << 63)
#define ENTRY_FRAME   ((G_GUINT64_CONSTANT(1) << 55) - 1)
#define CHUNK_FRAMES  512u
#define PAGE_BYTES    4096u

/* Not from frame 0 on: a pagemap that names that is one that hides all. */
#define FIRST_CHUNK 512u

#define MAX_FDS    65536
#define MAX_GUESTS 4096
#define MAX_CHUNK  (1u << 20) /* 2 TiB of this machine's own memory */

enum { FD_OTHER = 0, FD_KPAGEFLAGS = -1 }; /* above 0: pagemap of guest n - 1 */

static gint fds[MAX_FDS];
static pid_t pids[MAX_GUESTS];
static guint n_guests;
static guint32 moved[MAX_CHUNK]; /* chunk of this machine -> chunk of the file + 1 */
static guint32 original[SCALE_CHUNKS];
static guint n_chunks; /* the first ones are those of split blocks */
static guint n_split;
static guint64 *split_frames; /* of this machine, by page of the split blocks */
static GMutex lock;

guint
scale_memory_count_guests(void)
{
    return (guint) g_atomic_int_get(&n_guests);
}

guint
scale_memory_count_chunks(void)
{
    return (guint) g_atomic_int_get(&n_chunks);
}

guint64
scale_memory_frame(guint guest, guint chunk)
{
    return ((guint64) guest * SCALE_CHUNKS + chunk + FIRST_CHUNK) * CHUNK_FRAMES;
}

/* The process below whose open /proc/PID a file is opened. */
static pid_t
pid_of(int dir_fd)
{
    char link[32], target[64];
    ssize_t length;
    int pid = 0;

    snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd);
    length = readlink(link, target, sizeof target - 1);
    if (length <= 0)
        return 0;
    target[length] = '\0';
    return sscanf(target, "/proc/%d", &pid) == 1 ? pid : 0;
}

static gint
guest_of(pid_t pid)
{
    guint i = 0;

    g_mutex_lock(&lock);
    while (i < n_guests && pids[i] != pid)
        i++;
    if (i == n_guests && n_guests < MAX_GUESTS) {
        pids[i] = pid;
        g_atomic_int_inc(&n_guests);
    }
    g_mutex_unlock(&lock);
    return (gint) i + 1;
}

static int
scale_openat(int dir_fd, const char *path, int flags)
{
    const int fd = openat(dir_fd, path, flags);
    const pid_t pid = g_str_equal(path, "pagemap") ? pid_of(dir_fd) : 0;

    if (fd < 0)
        return fd;
    g_assert_cmpint(fd, <, MAX_FDS);
    if (pid > 0)
        g_atomic_int_set(&fds[fd], guest_of(pid));
    else
        g_atomic_int_set(&fds[fd], g_str_has_suffix(path, "kpageflags") ? FD_KPAGEFLAGS : FD_OTHER);
    return fd;
}

static guint32
move_chunk(guint64 chunk)
{
    guint32 to;

    g_assert_cmpuint(chunk, <, MAX_CHUNK);
    to = (guint32) g_atomic_int_get(&moved[chunk]);
    if (to != 0)
        return to - 1;
    g_mutex_lock(&lock);
    if (moved[chunk] == 0) {
        if (n_chunks == SCALE_CHUNKS)
            g_error("the guests' file is not of huge pages");
        original[n_chunks] = (guint32) chunk;
        g_atomic_int_inc(&n_chunks);
        g_atomic_int_set(&moved[chunk], n_chunks);
    }
    to = moved[chunk] - 1;
    g_mutex_unlock(&lock);
    return to;
}

/* The frame of a page that is not of a split block. */
static guint64
move_frame(guint guest, guint64 frame)
{
    return scale_memory_frame(guest, move_chunk(frame / CHUNK_FRAMES)) + frame % CHUNK_FRAMES;
}

/* That of the page with that number of the split blocks. */
static guint64
move_split_frame(guint guest, guint64 page, guint64 frame)
{
    __atomic_store_n(&split_frames[page], frame, __ATOMIC_RELAXED);
    return scale_memory_frame(guest, (guint) (page / CHUNK_FRAMES)) + page % CHUNK_FRAMES;
}

/* Of the pages from that number of the guest's RAM on. */
static void
move_entries(guint guest, guint64 page, guint64 *entries, gsize n)
{
    const guint64 n_split_pages = (guint64) n_split * CHUNK_FRAMES;

    for (gsize i = 0; i < n; i++) {
        const guint64 frame = entries[i] & ENTRY_FRAME;

        if (!(entries[i] & ENTRY_PRESENT) || frame == 0)
            continue;
        entries[i] &= ~ENTRY_FRAME;
        entries[i] |= page + i < n_split_pages ? move_split_frame(guest, page + i, frame)
                                               : move_frame(guest, frame);
    }
}

/* The frame of this machine that a frame stands for. */
static guint64
original_frame(guint64 frame)
{
    const guint64 chunk = (frame / CHUNK_FRAMES - FIRST_CHUNK) % SCALE_CHUNKS;
    const guint64 page = frame % CHUNK_FRAMES;

    if (chunk < n_split)
        return __atomic_load_n(&split_frames[chunk * CHUNK_FRAMES + page], __ATOMIC_RELAXED);
    return (guint64) original[chunk] * CHUNK_FRAMES + page;
}

/* Where they are in a row there, as many as are asked for; else fewer, which is a short read. */
static ssize_t
read_flags(int fd, void *buffer, size_t size, off_t offset)
{
    const guint64 frame = (guint64) offset / sizeof(guint64);
    const guint64 real = original_frame(frame);
    gsize n = 1;

    while (n < size / sizeof(guint64) && original_frame(frame + n) == real + n)
        n++;
    return pread(fd, buffer, n * sizeof(guint64), (off_t) (real * sizeof(guint64)));
}

static ssize_t
scale_pread(int fd, void *buffer, size_t size, off_t offset)
{
    const gint what = g_atomic_int_get(&fds[fd]);
    const guint64 page = (guint64) offset / sizeof(guint64) - SCALE_RAM_START / PAGE_BYTES;
    ssize_t got;

    if (what == FD_KPAGEFLAGS)
        return read_flags(fd, buffer, size, offset);
    got = pread(fd, buffer, size, offset);
    if (what > 0 && got > 0)
        move_entries((guint) what - 1, page, buffer, (gsize) got / sizeof(guint64));
    return got;
}

void
scale_memory_install(guint n)
{
    const FolioFileCalls calls = { .openat = scale_openat, .pread = scale_pread };

    n_split = n_chunks = n;
    split_frames = g_new0(guint64, (gsize) n * CHUNK_FRAMES);
    folio_file_set_calls(&calls);
}
