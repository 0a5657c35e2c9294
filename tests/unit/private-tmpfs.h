/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tmpfs of the test's own, in its own mount namespace (so it needs root), and memory on it. */
#pragma once

#include "cmocka-all.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#define BLOCK ((gsize) 2 * 1024 * 1024)
#define PAGE  ((gsize) 4096)

static inline void
enter_mount_namespace(void)
{
    if (unshare(CLONE_NEWNS) != 0)
        fail_msg("a mount namespace of our own (needs root): %s", g_strerror(errno));
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

/* Returns the directory that it is mounted on. */
static inline char *
mount_tmpfs(const char *options)
{
    char *path = g_dir_make_tmp("foliod-test-ram.XXXXXX", NULL);

    assert_non_null(path);
    if (mount("foliod-test", path, "tmpfs", 0, options) != 0)
        fail_msg("a tmpfs with %s: %s", options, g_strerror(errno));
    return path;
}

static inline void
unmount_tmpfs(char *path)
{
    assert_int_equal(umount2(path, MNT_DETACH), 0);
    assert_int_equal(g_rmdir(path), 0);
    g_free(path);
}

/* Address space without access, from a multiple of 2 MiB on, to put mappings in. */
static inline char *
reserve(gsize bytes)
{
    char *start = mmap(NULL, bytes + BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *aligned = (char *) (((gsize) start + BLOCK - 1) / BLOCK * BLOCK);

    assert_true(start != MAP_FAILED);
    if (aligned > start)
        munmap(start, (gsize) (aligned - start));
    munmap(aligned + bytes, (gsize) (start + BLOCK - aligned));
    return aligned;
}

/* Maps fd at that place and closes it. */
static inline void
map_fd_at(char *at, gsize bytes, int fd, int flags)
{
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t) bytes), 0);
    assert_ptr_equal(mmap(at, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0), at);
    close(fd);
}

/* Makes DIR/name, empties it if it is there, and maps it at that place. */
static inline void
map_file_at(char *at, gsize bytes, const char *dir, const char *name, int flags)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    map_fd_at(at, bytes, open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), flags);
}

typedef struct {
    guint64 present;
    guint64 pmd_mapped;
} SmapsSum;

/* What smaps says of a range; by its own simple reading, not by the parser under test. */
static inline void
sum_smaps(const char *start, gsize bytes, SmapsSum *sum)
{
    FILE *smaps = fopen("/proc/self/smaps", "r");
    char line[8192];
    gboolean inside = FALSE;

    assert_non_null(smaps);
    *sum = (SmapsSum){ 0, 0 };
    while (fgets(line, sizeof(line), smaps) != NULL) {
        unsigned long from;
        unsigned long to;
        unsigned long kib;
        char key[64];

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = from >= (gsize) start && to <= (gsize) start + bytes;
        else if (inside && sscanf(line, "%63[^:]: %lu kB", key, &kib) == 2) {
            if (g_str_equal(key, "Rss"))
                sum->present += kib * 1024;
            else if (g_str_equal(key, "AnonHugePages") || g_str_equal(key, "ShmemPmdMapped") ||
                     g_str_equal(key, "FilePmdMapped"))
                sum->pmd_mapped += kib * 1024;
        }
    }
    fclose(smaps);
}

/* Bytes of shared memory of a process that PMDs map, by its smaps: where foliod acts, it does not
 * look there. */
static inline gsize
pmd_mapped_of(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/smaps", pid);
    FILE *smaps = fopen(path, "r");
    char line[8192];
    gsize sum = 0;

    assert_non_null(smaps);
    while (fgets(line, sizeof line, smaps) != NULL) {
        unsigned long kib;

        if (sscanf(line, "ShmemPmdMapped: %lu kB", &kib) == 1)
            sum += kib * 1024;
    }
    fclose(smaps);
    return sum;
}
