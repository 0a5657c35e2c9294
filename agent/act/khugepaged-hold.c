/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The knob of the kernel's hold. */
#include "act/khugepaged-hold.h"

#include "base/error.h"
#include "base/file-io.h"

#include <fcntl.h>

#define KNOB "kernel/mm/transparent_hugepage/khugepaged/split_backoff_millisecs"

/* An hour: long enough to outlast a restart or an upgrade of foliod, which renews it all the while
 * that something is split; short enough that the files of a foliod that never comes back are left
 * to khugepaged again the same day. The knob is one for the whole host, but only files that DAMON
 * has split obey it. */
#define HOLD_MSEC 3600000
#define HOLD_TEXT G_STRINGIFY(HOLD_MSEC)

#define VALUE_MAX_BYTES 64

struct _FolioKhugepagedHold {
    FolioLedger *ledger;
    char *path;
    GMutex lock;
};

FolioKhugepagedHold *
folio_khugepaged_hold_new(const char *sys_root, FolioLedger *ledger)
{
    FolioKhugepagedHold *hold = g_new0(FolioKhugepagedHold, 1);

    hold->ledger = ledger;
    hold->path = g_build_filename(sys_root, KNOB, NULL);
    g_mutex_init(&hold->lock);
    return hold;
}

void
folio_khugepaged_hold_free(FolioKhugepagedHold *hold)
{
    g_mutex_clear(&hold->lock);
    g_free(hold->path);
    g_free(hold);
}

/* The text of the knob and its number. */
static char *
read_knob(FolioKhugepagedHold *hold, guint64 *msec, GError **error)
{
    g_autofree char *text = folio_file_read(AT_FDCWD, hold->path, VALUE_MAX_BYTES, NULL, error);

    if (text == NULL)
        return NULL;
    g_strchomp(text);
    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT, msec, NULL)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: holds no number of milliseconds",
                    hold->path);
        return NULL;
    }
    return g_steal_pointer(&text);
}

/* Is it written down, and does it hold what it held before foliod or what foliod made of it? What
 * somebody else has set since is a new beginning, and is forgotten. */
static gboolean
is_taken(FolioKhugepagedHold *hold, const char *now)
{
    g_autofree char *original = NULL;
    g_autofree char *ours = NULL;

    if (!folio_ledger_get_knob(hold->ledger, hold->path, &original, &ours))
        return FALSE;
    if (g_strcmp0(now, original) == 0 || g_strcmp0(now, ours) == 0)
        return TRUE;
    return !folio_ledger_drop_knob(hold->ledger, hold->path, NULL);
}

static gboolean
raise_knob(FolioKhugepagedHold *hold, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    g_autofree char *now = NULL;
    guint64 msec = 0;
    gboolean taken;

    now = read_knob(hold, &msec, &local_error);
    if (g_error_matches(local_error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND))
        return TRUE;
    if (now == NULL) {
        g_propagate_error(error, g_steal_pointer(&local_error));
        return FALSE;
    }
    if (msec >= HOLD_MSEC)
        return TRUE;
    taken = is_taken(hold, now);
    if (!folio_ledger_take_knob(hold->ledger, hold->path, now, HOLD_TEXT, error))
        return FALSE;
    if (folio_file_write(AT_FDCWD, hold->path, HOLD_TEXT, error))
        return TRUE;
    if (!taken)
        folio_ledger_drop_knob(hold->ledger, hold->path, NULL);
    return FALSE;
}

gboolean
folio_khugepaged_hold_raise(FolioKhugepagedHold *hold, GError **error)
{
    gboolean raised;

    g_mutex_lock(&hold->lock);
    raised = raise_knob(hold, error);
    g_mutex_unlock(&hold->lock);
    return raised;
}

static gboolean
release_knob(FolioKhugepagedHold *hold, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    g_autofree char *original = NULL;
    g_autofree char *ours = NULL;
    g_autofree char *now = NULL;
    guint64 msec;

    if (folio_ledger_has_split(hold->ledger) ||
        !folio_ledger_get_knob(hold->ledger, hold->path, &original, &ours))
        return TRUE;
    now = read_knob(hold, &msec, &local_error);
    if (now == NULL && !g_error_matches(local_error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local_error));
        return FALSE;
    }
    if (g_strcmp0(now, ours) == 0 && !folio_file_write(AT_FDCWD, hold->path, original, error))
        return FALSE;
    return folio_ledger_drop_knob(hold->ledger, hold->path, error);
}

gboolean
folio_khugepaged_hold_release(FolioKhugepagedHold *hold, GError **error)
{
    gboolean released;

    g_mutex_lock(&hold->lock);
    released = release_knob(hold, error);
    g_mutex_unlock(&hold->lock);
    return released;
}

guint
folio_khugepaged_hold_read(FolioKhugepagedHold *hold)
{
    guint64 msec = 0;
    g_autofree char *now = read_knob(hold, &msec, NULL);

    return now != NULL ? (guint) msec : 0;
}
