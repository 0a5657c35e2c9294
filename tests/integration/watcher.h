/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listens to a FolioConnection as the daemon does, and checks what must hold at any time. */
#pragma once

#include "guests.h"
#include "virt/connection.h"

typedef struct {
    FolioConnection *connection;
    GHashTable *domains; /* uuid -> FolioDomain: what was reported and is not gone, with the hints
                          * that were reported last */
    guint n_domain, n_hints, n_gone, n_synced, n_state;
} FolioTestWatcher;

/* Makes the connection, listens and starts it. These fail the test at once: a domain that is gone
 * without having been reported, and anything reported while there is no connection. */
FolioTestWatcher *folio_test_watcher_new(const char *uri);

/* Drops the connection without stopping it first. */
void folio_test_watcher_free(FolioTestWatcher *watcher);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioTestWatcher, folio_test_watcher_free)

/* The one of that name, NULL when none is reported. */
const FolioDomain *folio_test_watcher_find(FolioTestWatcher *watcher, const char *name);

/* Whether exactly those are reported that libvirt says are active, with their names and ids. */
gboolean folio_test_watcher_agrees(FolioTestWatcher *watcher, virConnectPtr connect);
