/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The directory that the ledger's files are in, or others like them: foliod's own, mode 0700, in
 * memory. No file is followed through a symbolic link, and only one of the agent's own user is
 * believed. */
#pragma once

#include <glib.h>

typedef struct _FolioLedgerStore FolioLedgerStore;

/* Of DIRECTORY/NAME, which is not touched yet. */
FolioLedgerStore *folio_ledger_store_new(const char *directory, const char *name);
FolioLedgerStore *folio_ledger_store_ref(FolioLedgerStore *store);
void folio_ledger_store_unref(FolioLedgerStore *store);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioLedgerStore, folio_ledger_store_unref)

/* The boot that is now, a UUID; NULL when it cannot be read, which is an error that names the file
 * to whoever wants to write. */
const char *folio_ledger_store_get_boot(FolioLedgerStore *store, GError **error);

/* Is what was written at that boot of this one? So it is when it cannot be told: the directory is
 * in memory. */
gboolean folio_ledger_store_is_of_this_boot(FolioLedgerStore *store, const char *boot);

/* The files that have names of guests, which are UUIDs in lower case, but no more than max of them.
 * What an interrupted write left is removed. Free with g_ptr_array_unref. */
GPtrArray *folio_ledger_store_list_guests(FolioLedgerStore *store, guint max, GError **error);

/* All of it, at most max_bytes, with a NUL behind. */
char *folio_ledger_store_read(FolioLedgerStore *store, const char *name, gsize max_bytes,
                              gsize *length, GError **error);

/* Replaces it as a whole, and makes the directory when it is not there. FALSE: the old one is as it
 * was; errors name the path. */
gboolean folio_ledger_store_write(FolioLedgerStore *store, const char *name, const char *bytes,
                                  gsize size, GError **error);

/* Renames it to NAME.damaged, in place of an older one of that name, and logs why. */
void folio_ledger_store_set_aside(FolioLedgerStore *store, const char *name, const char *why);

/* Nothing if it is not there; logs when it cannot be removed. */
void folio_ledger_store_remove(FolioLedgerStore *store, const char *name);
