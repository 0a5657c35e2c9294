/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod on the system bus: the name org.foliod1 and the objects below /org/foliod1. */
#pragma once

#include "manager.h"

#define FOLIO_BUS_NAME "org.foliod1"

typedef struct _FolioService FolioService;

/* What the service tells its owner, on the main context. Neither is called before
 * folio_service_start returns, nor after folio_service_free. */
typedef struct {
    /* The name is ours and calls are answered. */
    void (*acquired)(gpointer user_data);
    /* There is no service, or not any longer: the bus cannot be reached, the name is taken or
     * refused, or the connection has closed. why is one line for a person. Called at most once;
     * nothing is called after it. The process is not ended: that is the owner's part. */
    void (*lost)(const char *why, gpointer user_data);
} FolioServiceEvents;

/* Keeps a reference to manager. Nothing is on the bus yet. */
FolioService *folio_service_new(FolioManager *manager);

/* Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS where set), exports the objects, then asks
 * for the name. Asynchronous; call it once. events is copied. */
void folio_service_start(FolioService *service, const FolioServiceEvents *events,
                         gpointer user_data);

/* Begins to give back all that was done to guests; folio_service_is_restoring until it has ended.
 */
void folio_service_restore_all(FolioService *service);
gboolean folio_service_is_restoring(FolioService *service);

/* Gives the name back and takes the objects from the bus. Calls that are still being worked on may
 * be left without a reply. NULL is fine. */
void folio_service_free(FolioService *service);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioService, folio_service_free)
