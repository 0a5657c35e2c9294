/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to libvirt. It tells what runs, level-triggered: an event only says that a domain
 * is to be looked at again, and what the look finds is reported, so that neither the order of
 * events nor a lost one matters. It survives libvirtd: close callback, keepalive, back-off with
 * jitter, then a look at everything. All libvirt calls run in tasks, none on the main loop. */
#pragma once

#include "virt/heat-element.h"
#include "virt/hints.h"

#include <gio/gio.h>

/* A running domain as one look found it. Immutable. */
typedef struct {
    char *uuid;         /* lower case, with dashes */
    char *name;         /* as libvirt gives it: any bytes but '/' and NUL */
    int id;             /* libvirt's number of this run; another one after each start, as long as
                           libvirtd is the same (a new libvirtd may count from 1 again) */
    gboolean suspended; /* paused, pmsuspended or in a crash that is kept */
    guint n_vcpus;      /* online vCPUs; 0: libvirt did not say. No event tells of a change: see
                           folio_connection_look_again */
    char *xml;          /* live XML, without <metadata> */
    FolioDomainHints *hints; /* what its metadata ask for */
    FolioHeatElement heat;   /* what another host's foliod may have left in them */
} FolioDomain;

FolioDomain *folio_domain_copy(const FolioDomain *domain);

void folio_domain_free(FolioDomain *domain);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioDomain, folio_domain_free)

#define FOLIO_TYPE_CONNECTION (folio_connection_get_type())
G_DECLARE_FINAL_TYPE(FolioConnection, folio_connection, FOLIO, CONNECTION, GObject)

/* The uri is opened read-only, by tasks, once folio_connection_start is called. The program must
 * have called gvir_event_register() before (folio_connection_init_libvirt does).
 *
 * Signals, all on the main context, and all but "state" only while connected:
 *  "domain"  (const FolioDomain *)  a running domain was looked at (new, changed or the same)
 *  "hints"   (const char *uuid, const FolioDomainHints *)
 *                                   the metadata of a domain that was reported may ask for
 * something else now; read at most once a second, however often they change "gone"    (const char
 * *uuid)     a domain that was reported does not run any more; comes before another run (id) of it,
 * even if nobody saw it stopped "synced"  ()                     everything that ran when the
 * connection came up has been reported, and what is gone has been reported gone. A domain that
 * libvirt refuses to describe is logged, is neither reported nor gone, and is tried again. "state"
 * ()                     connected or the last error has changed A receiver may stop or drop the
 * connection. */
FolioConnection *folio_connection_new(const char *uri);

/* Once per process, before any connection is made: event bridge, error handler. */
void folio_connection_init_libvirt(void);

void folio_connection_start(FolioConnection *connection);

/* Drops callbacks and closes in a task; no signal comes afterwards. What was reported is forgotten.
 * Dropping the last reference does the same. */
void folio_connection_stop(FolioConnection *connection);

/* Has this domain looked at soon, as if an event had named it, and just as bounded: for what
 * libvirt tells of by no event, such as vCPUs that come and go. */
void folio_connection_look_again(FolioConnection *connection, const char *uuid);

const char *folio_connection_get_uri(FolioConnection *connection);

gboolean folio_connection_is_connected(FolioConnection *connection);

/* Why it is not connected, "" when it is; and how often it came up (1 after the first time). */
const char *folio_connection_get_error(FolioConnection *connection);

guint folio_connection_get_generation(FolioConnection *connection);
