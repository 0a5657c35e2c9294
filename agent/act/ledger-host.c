/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The knobs that foliod has written to, and what they held before. */
#include "act/ledger-host.h"

#include "act/ledger-file.h"
#include "base/error.h"

#include <string.h>

#define NAME "host"

struct _FolioLedgerHost {
    FolioLedgerStore *store;
    GMutex lock;
    GPtrArray *knobs; /* FolioLedgerKnob */
};

static void
load(FolioLedgerHost *host)
{
    g_autoptr(GError) error = NULL;
    gsize length = 0;
    g_autofree char *text =
        folio_ledger_store_read(host->store, NAME, FOLIO_LEDGER_MAX_BYTES, &length, &error);
    g_autofree char *boot = NULL;
    g_autoptr(GPtrArray) knobs =
        text != NULL ? folio_ledger_file_parse_host(text, length, &boot, &error) : NULL;

    if (knobs != NULL && folio_ledger_store_is_of_this_boot(host->store, boot)) {
        g_ptr_array_unref(host->knobs);
        host->knobs = g_steal_pointer(&knobs);
    } else if (knobs != NULL) {
        folio_ledger_store_remove(host->store, NAME);
    } else if (!g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND)) {
        folio_ledger_store_set_aside(host->store, NAME, error->message);
    }
}

static GPtrArray *
knobs_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify) folio_ledger_knob_free);
}

FolioLedgerHost *
folio_ledger_host_load(FolioLedgerStore *store)
{
    FolioLedgerHost *host = g_new0(FolioLedgerHost, 1);

    host->store = folio_ledger_store_ref(store);
    host->knobs = knobs_new();
    g_mutex_init(&host->lock);
    load(host);
    return host;
}

void
folio_ledger_host_free(FolioLedgerHost *host)
{
    folio_ledger_store_unref(host->store);
    g_ptr_array_unref(host->knobs);
    g_mutex_clear(&host->lock);
    g_free(host);
}

static FolioLedgerKnob *
knob_new(const char *path, const char *original, const char *ours)
{
    FolioLedgerKnob *knob = g_new0(FolioLedgerKnob, 1);

    knob->path = g_strdup(path);
    knob->original = g_strdup(original);
    knob->ours = g_strdup(ours);
    return knob;
}

/* All but that of path. */
static GPtrArray *
copy_without(GPtrArray *knobs, const char *path)
{
    GPtrArray *copy = knobs_new();

    for (guint i = 0; i < knobs->len; i++) {
        const FolioLedgerKnob *knob = knobs->pdata[i];

        if (!g_str_equal(knob->path, path))
            g_ptr_array_add(copy, knob_new(knob->path, knob->original, knob->ours));
    }
    return copy;
}

static const FolioLedgerKnob *
find(const FolioLedgerHost *host, const char *path)
{
    for (guint i = 0; i < host->knobs->len; i++) {
        const FolioLedgerKnob *knob = host->knobs->pdata[i];

        if (g_str_equal(knob->path, path))
            return knob;
    }
    return NULL;
}

/* Only what is written counts. */
static gboolean
commit(FolioLedgerHost *host, GPtrArray *knobs, GError **error)
{
    const char *boot = folio_ledger_store_get_boot(host->store, error);
    gboolean written;
    GString *text;

    if (boot == NULL)
        return FALSE;
    text = folio_ledger_file_print_host(boot, knobs);
    written = folio_ledger_store_write(host->store, NAME, text->str, text->len, error);
    g_string_free(text, TRUE);
    if (written) {
        g_ptr_array_unref(host->knobs);
        host->knobs = g_ptr_array_ref(knobs);
    }
    return written;
}

gboolean
folio_ledger_host_take(FolioLedgerHost *host, const char *path, const char *original,
                       const char *ours, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
    const FolioLedgerKnob *before = find(host, path);
    g_autoptr(GPtrArray) knobs = copy_without(host->knobs, path);

    if (*path != '/' || strlen(path) > FOLIO_LEDGER_MAX_STRING ||
        strlen(original) > FOLIO_LEDGER_MAX_STRING || strlen(ours) > FOLIO_LEDGER_MAX_STRING) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "ledger: %.64s: not a knob", path);
        return FALSE;
    }
    if (knobs->len >= FOLIO_LEDGER_MAX_KNOBS) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "ledger: %s: there are %u knobs already",
                    path, knobs->len);
        return FALSE;
    }
    g_ptr_array_add(knobs, knob_new(path, before != NULL ? before->original : original, ours));
    return commit(host, knobs, error);
}

gboolean
folio_ledger_host_get(FolioLedgerHost *host, const char *path, char **original, char **ours)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
    const FolioLedgerKnob *knob = find(host, path);

    if (knob == NULL)
        return FALSE;
    if (original != NULL)
        *original = g_strdup(knob->original);
    if (ours != NULL)
        *ours = g_strdup(knob->ours);
    return TRUE;
}

gboolean
folio_ledger_host_drop(FolioLedgerHost *host, const char *path, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
    g_autoptr(GPtrArray) knobs = copy_without(host->knobs, path);

    return knobs->len == host->knobs->len || commit(host, knobs, error);
}
