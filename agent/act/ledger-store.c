/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading, replacing and setting aside the ledger's files. */
#include "act/ledger-store.h"

#include "base/error.h"
#include "base/file-io.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

struct _FolioLedgerStore {
    char *path;
    char *boot; /* NULL: cannot be read */
};

FolioLedgerStore *
folio_ledger_store_new(const char *directory, const char *name)
{
    FolioLedgerStore *store = g_atomic_rc_box_new0(FolioLedgerStore);

    store->path = g_build_filename(directory, name, NULL);
    store->boot = folio_file_read_value("/", BOOT_ID);
    return store;
}

FolioLedgerStore *
folio_ledger_store_ref(FolioLedgerStore *store)
{
    return g_atomic_rc_box_acquire(store);
}

static void
store_clear(gpointer data)
{
    FolioLedgerStore *store = data;

    g_free(store->path);
    g_free(store->boot);
}

void
folio_ledger_store_unref(FolioLedgerStore *store)
{
    g_atomic_rc_box_release_full(store, store_clear);
}

const char *
folio_ledger_store_get_boot(FolioLedgerStore *store, GError **error)
{
    if (store->boot == NULL)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s: cannot be read", BOOT_ID);
    return store->boot;
}

gboolean
folio_ledger_store_is_of_this_boot(FolioLedgerStore *store, const char *boot)
{
    return store->boot == NULL || g_str_equal(store->boot, boot);
}

/* Whoever else may write into the directory or the file could say anything in our name. */
static gboolean
check_ours(const char *path, const struct stat *info, GError **error)
{
    if (info->st_uid == geteuid() && (info->st_mode & 022) == 0)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED,
                "%s: owner %u, mode %04o: others may write to it", path, info->st_uid,
                info->st_mode & 07777);
    return FALSE;
}

/* Returns a descriptor or -1. */
static int
open_directory(FolioLedgerStore *store, GError **error)
{
    const int fd =
        folio_file_open(AT_FDCWD, store->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, error);
    struct stat info;

    if (fd < 0)
        return -1;
    if (fstat(fd, &info) != 0)
        folio_set_error_errno(error, errno, "%s", store->path);
    else if (check_ours(store->path, &info, error))
        return fd;
    close(fd);
    return -1;
}

static gboolean
is_guest(const char *name)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);

    return g_uuid_string_is_valid(name) && g_str_equal(lower, name);
}

static void
list(DIR *dir, guint max, GPtrArray *names)
{
    const struct dirent *entry;

    while ((entry = readdir(dir)) != NULL) {
        if (g_str_has_suffix(entry->d_name, ".new"))
            unlinkat(dirfd(dir), entry->d_name, 0);
        else if (is_guest(entry->d_name) && names->len < max)
            g_ptr_array_add(names, g_strdup(entry->d_name));
    }
}

GPtrArray *
folio_ledger_store_list_guests(FolioLedgerStore *store, guint max, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const int fd = open_directory(store, error);
    DIR *dir;

    if (fd < 0)
        return NULL;
    dir = fdopendir(fd);
    if (dir == NULL) {
        folio_set_error_errno(error, errno, "%s", store->path);
        close(fd);
        return NULL;
    }
    list(dir, max, names);
    closedir(dir);
    return g_steal_pointer(&names);
}

static char *
read_file(int dir_fd, const char *name, gsize max_bytes, gsize *length, GError **error)
{
    /* A FIFO would be waited for without O_NONBLOCK. */
    const int fd = folio_file_open(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, error);
    struct stat info;
    char *text = NULL;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &info) != 0)
        folio_set_error_errno(error, errno, "%s", name);
    else if (!S_ISREG(info.st_mode))
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: not a regular file", name);
    else if (check_ours(name, &info, error))
        text = folio_file_read_fd(fd, name, max_bytes, length, error);
    close(fd);
    return text;
}

char *
folio_ledger_store_read(FolioLedgerStore *store, const char *name, gsize max_bytes, gsize *length,
                        GError **error)
{
    const int dir_fd = open_directory(store, error);
    char *text;

    if (dir_fd < 0)
        return NULL;
    text = read_file(dir_fd, name, max_bytes, length, error);
    close(dir_fd);
    return text;
}

gboolean
folio_ledger_store_write(FolioLedgerStore *store, const char *name, const char *bytes, gsize size,
                         GError **error)
{
    gboolean written;
    int dir_fd;

    if (g_mkdir_with_parents(store->path, 0700) != 0) {
        folio_set_error_errno(error, errno, "%s", store->path);
        return FALSE;
    }
    dir_fd = open_directory(store, error);
    if (dir_fd < 0)
        return FALSE;
    written = folio_file_replace(dir_fd, name, bytes, size, error);
    if (!written)
        g_prefix_error(error, "%s/", store->path);
    close(dir_fd);
    return written;
}

void
folio_ledger_store_set_aside(FolioLedgerStore *store, const char *name, const char *why)
{
    g_autofree char *aside = g_strconcat(name, ".damaged", NULL);
    const int dir_fd = open_directory(store, NULL);
    const gboolean guest = !g_str_equal(name, "host");
    gboolean moved = FALSE;

    if (dir_fd >= 0) {
        /* Neither a file nor a directory takes the place of the other by itself. */
        unlinkat(dir_fd, aside, 0);
        unlinkat(dir_fd, aside, AT_REMOVEDIR);
        moved = renameat(dir_fd, name, dir_fd, aside) == 0;
        close(dir_fd);
    }
    folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_LEDGER, NULL, guest ? name : NULL,
              "%s/%s is damaged and counts for nothing: %s; %s %s", store->path, name, why,
              moved ? "set aside as" : "it could not be set aside as", aside);
}

void
folio_ledger_store_remove(FolioLedgerStore *store, const char *name)
{
    const int dir_fd = open_directory(store, NULL);

    if (dir_fd < 0)
        return;
    if (unlinkat(dir_fd, name, 0) != 0 && errno != ENOENT)
        folio_warning("%s/%s: cannot be removed: %s", store->path, name, g_strerror(errno));
    close(dir_fd);
}
