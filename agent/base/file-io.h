/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All reading and writing of files that the agent does not own (proc, sysfs, libvirt's run
 * directory), replacing those that it does, and the one seam below which tests inject faults. */
#pragma once

#include <fcntl.h>
#include <glib.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The system calls below the seam. Each sets errno and returns as its namesake does. */
typedef struct {
    int (*openat)(int dir_fd, const char *path, int flags);
    ssize_t (*read)(int fd, void *buffer, size_t size);
    ssize_t (*pread)(int fd, void *buffer, size_t size, off_t offset);
    int (*ioctl)(int fd, unsigned long request, void *argument);
    int (*getlk)(int fd, struct flock *lock); /* fcntl with F_GETLK */
    ssize_t (*write)(int fd, const void *buffer, size_t size);
    ssize_t (*madvise)(int pidfd, const struct iovec *range, int advice);  /* process_madvise */
    int (*createat)(int dir_fd, const char *path, int flags, mode_t mode); /* openat with a mode */
    int (*renameat)(int dir_fd, const char *from, const char *to); /* both in that directory */
    int (*mkdir)(const char *path, mode_t mode);
    int (*rmdir)(const char *path);
} FolioFileCalls;

/* Replaces the calls, those that are not NULL; NULL puts all of the system's own back. For tests
 * only. */
void folio_file_set_calls(const FolioFileCalls *calls);

/* Opens path below dir_fd (AT_FDCWD for none), close-on-exec. Returns a descriptor or -1. */
int folio_file_open(int dir_fd, const char *path, int flags, GError **error);

/* ioctl through the seam; returns its result, -1 with errno set on failure. */
int folio_file_ioctl(int fd, unsigned long request, void *argument);

/* The process that holds a write lock (POSIX) on the first byte of what fd is open on; 0 when there
 * is none, or none that can be told. A process never sees its own. */
pid_t folio_file_get_lock_owner(int fd);

/* Reads size bytes at offset, wherever fd stands; fewer only at the end of the file. Returns how
 * many, or -1 with errno set. */
gssize folio_file_read_at(int fd, guint64 offset, void *buffer, gsize size);

/* Reads all of path below dir_fd, at most max_bytes; a FIFO without a writer is an empty file, and
 * a longer file is FOLIO_ERROR_INVALID and
 * nothing is returned. The text is NUL-terminated beyond *length (which may be NULL) and may hold
 * any byte. Errors name the path; their code is that of the errno (base/error.h). */
char *folio_file_read(int dir_fd, const char *path, gsize max_bytes, gsize *length, GError **error);

/* As folio_file_read of what fd is open on, from where it stands; fd stays open. name is what
 * errors call it. */
char *folio_file_read_fd(int fd, const char *name, gsize max_bytes, gsize *length, GError **error);

/* As folio_file_read of "ROOT/path", for sysfs and proc values: white space at the end is cut.
 * Returns NULL without an error when the file cannot be read. */
char *folio_file_read_value(const char *root, const char *path);

/* Writes text to path below dir_fd, a file of proc, sysfs or debugfs that is there, by one write:
 * such a file takes a value whole or refuses it. A short write is FAILED. Errors name the path;
 * their code is that of the errno. */
gboolean folio_file_write(int dir_fd, const char *path, const char *text, GError **error);

/* process_madvise of one range of the process of a pidfd, through the seam. The kernel looks at the
 * process and at what the caller may even when bytes is 0. TRUE, or FALSE with errno set. */
gboolean folio_process_madvise(int pidfd, guint64 start, guint64 bytes, int advice);

/* Makes name in the directory dir_fd, or replaces it, with these bytes and mode 0600: whoever opens
 * it finds all of the old file or all of the new one, whenever we are killed. It is written as
 * "NAME.new" first; both are names without a slash. Nothing is waited for: after a power failure
 * either may be found, or none, so this is for files in memory. FALSE: the old file is as it was;
 * errors name the file. */
gboolean folio_file_replace(int dir_fd, const char *name, const char *bytes, gsize size,
                            GError **error);

/* Makes a directory where making one is how something is set up, as in tracefs. TRUE also when
 * there is one. Errors as of folio_file_write. */
gboolean folio_file_make_dir(const char *path, GError **error);

/* The opposite; TRUE also when there is none. */
gboolean folio_file_remove_dir(const char *path, GError **error);
