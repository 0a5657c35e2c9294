/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One virConnect from its opening to its end, with the events that come through it. A link is made
 * for each attempt to connect and never opened twice. */
#pragma once

#include "virt/vir.h"

#include <glib.h>

/* The daemon is asked for a sign of life after 5 s without traffic (the interval that libvirtd.conf
 * has by default), and given up when 3 of these went unanswered for as long: a daemon that hangs is
 * noticed within 20 s. */
#define FOLIO_KEEPALIVE_SECONDS 5
#define FOLIO_KEEPALIVE_COUNT   3

typedef struct _FolioLink FolioLink;

/* Called on the main context only, and not after folio_link_disown. */
typedef struct {
    void (*changed)(gpointer owner, const char *uuid); /* this domain should be looked at */
    void (*hints)(gpointer owner, const char *uuid);   /* at the policy in its metadata only */
    void (*lost)(gpointer owner, const char *why);     /* the connection has broken */
} FolioLinkEvents;

/* Main context. The link belongs to its owner until folio_link_disown. */
FolioLink *folio_link_new(const FolioLinkEvents *events, gpointer owner);

/* Main context. The owner lets go: no event comes afterwards. */
void folio_link_disown(FolioLink *link);

/* Main context. A use keeps the connection open while a task works with it. When the owner and all
 * uses are gone, tasks drop the callbacks and close the connection. */
FolioLink *folio_link_use(FolioLink *link);
void folio_link_release(FolioLink *link);

/* Blocking, in a task that holds a use: opens uri read-only and registers the events. A daemon that
 * accepts and then says nothing blocks it for as long: libvirt has no time limit for this. */
gboolean folio_link_open(FolioLink *link, const char *uri, GError **error);

/* Valid after folio_link_open, for tasks that hold a use. */
virConnectPtr folio_link_get_connect(FolioLink *link);
