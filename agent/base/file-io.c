/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and writing files that the agent does not own; the seam for fault injection. */
#include "base/file-io.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_MAX_BYTES  (64 * 1024)
#define FIRST_READ_BYTES (16 * 1024)

static int
system_openat(int dir_fd, const char *path, int flags)
{
    return openat(dir_fd, path, flags);
}

static int
system_ioctl(int fd, unsigned long request, void *argument)
{
    return ioctl(fd, request, argument);
}

static int
system_getlk(int fd, struct flock *lock)
{
    return fcntl(fd, F_GETLK, lock);
}

static ssize_t
system_madvise(int pidfd, const struct iovec *range, int advice)
{
    return syscall(SYS_process_madvise, pidfd, range, 1, advice, 0);
}

static int
system_createat(int dir_fd, const char *path, int flags, mode_t mode)
{
    return openat(dir_fd, path, flags, mode);
}

static int
system_renameat(int dir_fd, const char *from, const char *to)
{
    return renameat(dir_fd, from, dir_fd, to);
}

/* Once for the two that start alike. */
#define SYSTEM_CALLS                                                                              \
    {                                                                                             \
        .openat = system_openat, .read = read, .pread = pread, .ioctl = system_ioctl,             \
        .getlk = system_getlk, .write = write, .madvise = system_madvise,                         \
        .createat = system_createat, .renameat = system_renameat, .mkdir = mkdir, .rmdir = rmdir, \
    }

static const FolioFileCalls system_calls = SYSTEM_CALLS;
static FolioFileCalls calls = SYSTEM_CALLS;

void
folio_file_set_calls(const FolioFileCalls *new_calls)
{
    calls = system_calls;
    if (new_calls == NULL)
        return;
    if (new_calls->openat != NULL)
        calls.openat = new_calls->openat;
    if (new_calls->read != NULL)
        calls.read = new_calls->read;
    if (new_calls->pread != NULL)
        calls.pread = new_calls->pread;
    if (new_calls->ioctl != NULL)
        calls.ioctl = new_calls->ioctl;
    if (new_calls->getlk != NULL)
        calls.getlk = new_calls->getlk;
    if (new_calls->write != NULL)
        calls.write = new_calls->write;
    if (new_calls->madvise != NULL)
        calls.madvise = new_calls->madvise;
    if (new_calls->createat != NULL)
        calls.createat = new_calls->createat;
    if (new_calls->renameat != NULL)
        calls.renameat = new_calls->renameat;
    if (new_calls->mkdir != NULL)
        calls.mkdir = new_calls->mkdir;
    if (new_calls->rmdir != NULL)
        calls.rmdir = new_calls->rmdir;
}

int
folio_file_open(int dir_fd, const char *path, int flags, GError **error)
{
    int fd;

    do {
        fd = calls.openat(dir_fd, path, flags | O_CLOEXEC | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        folio_set_error_errno(error, errno, "%s", path);
    return fd;
}

int
folio_file_ioctl(int fd, unsigned long request, void *argument)
{
    return calls.ioctl(fd, request, argument);
}

pid_t
folio_file_get_lock_owner(int fd)
{
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1 };

    if (calls.getlk(fd, &lock) != 0 || lock.l_type != F_WRLCK)
        return 0;
    return lock.l_pid;
}

gssize
folio_file_read_at(int fd, guint64 offset, void *buffer, gsize size)
{
    gsize done = 0;

    while (done < size) {
        ssize_t got = calls.pread(fd, (char *) buffer + done, size - done, (off_t) (offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (gsize) got;
    }
    return (gssize) done;
}

/* Appends what one read gives. Returns its size, 0 at the end of the file, -1 on error. */
static gssize
read_more(int fd, GByteArray *bytes, gsize room)
{
    guint used = bytes->len;
    ssize_t got;

    g_byte_array_set_size(bytes, used + (guint) room);
    do {
        got = calls.read(fd, bytes->data + used, room);
    } while (got < 0 && errno == EINTR);
    g_byte_array_set_size(bytes, used + (guint) MAX(got, 0));
    return got;
}

char *
folio_file_read_fd(int fd, const char *name, gsize max_bytes, gsize *length, GError **error)
{
    /* The sizes of proc and sysfs files are not known before they are read. */
    g_autoptr(GByteArray) bytes = g_byte_array_sized_new(FIRST_READ_BYTES);
    gssize got = 0;

    do {
        got = read_more(fd, bytes, MAX(FIRST_READ_BYTES, bytes->len));
    } while (got > 0 && bytes->len <= max_bytes);

    if (got < 0) {
        folio_set_error_errno(error, errno, "%s", name);
        return NULL;
    }
    if (bytes->len > max_bytes) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "%s: larger than %" G_GSIZE_FORMAT " bytes", name, max_bytes);
        return NULL;
    }
    if (length != NULL)
        *length = bytes->len;
    g_byte_array_append(bytes, (const guint8 *) "", 1);
    return (char *) g_byte_array_free(g_steal_pointer(&bytes), FALSE);
}

char *
folio_file_read(int dir_fd, const char *path, gsize max_bytes, gsize *length, GError **error)
{
    /* Not to wait for the other end of a FIFO that somebody put there. */
    int fd = folio_file_open(dir_fd, path, O_RDONLY | O_NONBLOCK, error);
    char *text;

    if (fd < 0)
        return NULL;
    text = folio_file_read_fd(fd, path, max_bytes, length, error);
    close(fd);
    return text;
}

char *
folio_file_read_value(const char *root, const char *path)
{
    g_autofree char *full = g_build_filename(root, path, NULL);
    char *text = folio_file_read(AT_FDCWD, full, VALUE_MAX_BYTES, NULL, NULL);

    return text != NULL ? g_strchomp(text) : NULL;
}

gboolean
folio_file_write(int dir_fd, const char *path, const char *text, GError **error)
{
    const gsize size = strlen(text);
    int fd = folio_file_open(dir_fd, path, O_WRONLY | O_NONBLOCK, error);
    int saved_errno;
    ssize_t done;

    if (fd < 0)
        return FALSE;
    do {
        done = calls.write(fd, text, size);
    } while (done < 0 && errno == EINTR);
    saved_errno = errno;
    close(fd);
    if (done < 0)
        folio_set_error_errno(error, saved_errno, "%s", path);
    else if ((gsize) done < size)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s: only a part was taken", path);
    return done == (ssize_t) size;
}

gboolean
folio_process_madvise(int pidfd, guint64 start, guint64 bytes, int advice)
{
    const struct iovec range = { .iov_base = (void *) (gsize) start, .iov_len = bytes };
    ssize_t done;

    do {
        done = calls.madvise(pidfd, &range, advice);
    } while (done < 0 && errno == EINTR);
    return done >= 0;
}

/* A new file, and never through a link that somebody put there. Returns a descriptor or -1. */
static int
create_anew(int dir_fd, const char *name, GError **error)
{
    int fd;

    unlinkat(dir_fd, name, 0); /* left over by one who was killed; what stays is found below */
    do {
        fd = calls.createat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                            0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        folio_set_error_errno(error, errno, "%s", name);
    return fd;
}

static gboolean
write_all(int fd, const char *name, const char *bytes, gsize size, GError **error)
{
    gsize done = 0;

    while (done < size) {
        const ssize_t n = calls.write(fd, bytes + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            folio_set_error_errno(error, n < 0 ? errno : EIO, "%s", name);
            return FALSE;
        }
        done += (gsize) n;
    }
    return TRUE;
}

gboolean
folio_file_replace(int dir_fd, const char *name, const char *bytes, gsize size, GError **error)
{
    g_autofree char *temporary = g_strconcat(name, ".new", NULL);
    int fd = create_anew(dir_fd, temporary, error);
    gboolean written;

    if (fd < 0)
        return FALSE;
    written = write_all(fd, temporary, bytes, size, error);
    close(fd);
    if (written && calls.renameat(dir_fd, temporary, name) != 0) {
        folio_set_error_errno(error, errno, "%s", name);
        written = FALSE;
    }
    if (!written)
        unlinkat(dir_fd, temporary, 0);
    return written;
}

gboolean
folio_file_make_dir(const char *path, GError **error)
{
    if (calls.mkdir(path, 0700) == 0 || errno == EEXIST)
        return TRUE;
    folio_set_error_errno(error, errno, "%s", path);
    return FALSE;
}

gboolean
folio_file_remove_dir(const char *path, GError **error)
{
    if (calls.rmdir(path) == 0 || errno == ENOENT)
        return TRUE;
    folio_set_error_errno(error, errno, "%s", path);
    return FALSE;
}
