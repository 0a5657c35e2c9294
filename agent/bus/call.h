/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One call of a method, or of Properties.Get or GetAll, from its arrival to its reply. It reaches
 * the object that carries it out only when the bouncer lets it in. */
#pragma once

#include "bus/access.h"
#include "bus/bouncer.h"
#include "bus/jobs.h"
#include "bus/subscribers.h"
#include "manager.h"

typedef struct _FolioCall FolioCall;

/* Carries out a call; ends it with one of folio_call_return and folio_call_fail, now or later. */
typedef void (*FolioCallRun)(FolioCall *call);

/* What calls are carried out with. */
typedef struct {
    FolioManager *manager;
    FolioBouncer *bouncer;
    FolioJobs *jobs;
    FolioSubscribers *subscribers;
} FolioBusHouse;

/* All public; only call.c writes. */
struct _FolioCall {
    FolioManager *manager;
    FolioBouncer *bouncer;
    FolioJobs *jobs;
    FolioSubscribers *subscribers;
    GDBusMethodInvocation *invocation;
    GVariant *arguments; /* borrowed from invocation */
    const FolioAccess *access;
    gboolean is_property; /* Properties.Get of access->member, or Properties.GetAll */
    FolioCallRun run;
    char *name;        /* the guest asked for, as far as the call told it; "" otherwise */
    char *uuid;        /* likewise */
    FolioGuest *guest; /* the guest that the call is about; NULL: about the host */
    char *by;          /* "uid 0"; NULL before folio_call_find_caller */
};

/* Begins a call; what is in the house is referenced. Takes invocation. path_uuid is the UUID in the
 * object path, NULL when the manager is called or the path is of no guest. */
void folio_call_begin(const FolioBusHouse *house, GDBusMethodInvocation *invocation,
                      const char *path_uuid, FolioCallRun run);

/* The unique name of the caller. */
const char *folio_call_get_sender(FolioCall *call);

/* Both free the call. value is a tuple, NULL for (); a floating reference is sunk. */
void folio_call_return(FolioCall *call, GVariant *value);

/* Takes error. */
void folio_call_fail(FolioCall *call, GError *error);

/* For a member that the table of access knows and its object does not. */
void folio_call_fail_unsupported(FolioCall *call);

/* The call's guest may have gone while something was waited for. FALSE: it has; the call has been
 * failed with NotFound and freed. */
gboolean folio_call_keeps_guest(FolioCall *call);

/* Asks the bus daemon which user is calling, then goes on with then, by set. A caller who has left
 * is denied, and then is not called when the guest has gone meanwhile either: the call has ended.
 */
void folio_call_find_caller(FolioCall *call, FolioCallRun then);

/* Asks whether the caller may do action, without a dialog, with that guest. */
void folio_call_ask_async(FolioCall *call, const char *action, FolioGuest *guest,
                          GAsyncReadyCallback callback, gpointer user_data);

/* The value of a property, floating. It reads the call's manager, jobs and guest, nothing else. */
typedef GVariant *(*FolioPropertyGet)(FolioCall *call);

typedef struct {
    const char *name;
    FolioPropertyGet get;
} FolioProperty;

/* Answers a call that is_property from the properties of its interface. */
void folio_call_return_property(FolioCall *call, const FolioProperty *properties, gsize n);

/* Those of the properties whose changes subscribers are told of, a{sv}, floating. guest is NULL for
 * those of the manager. */
GVariant *folio_properties_emitted(const char *interface, const FolioProperty *properties, gsize n,
                                   FolioManager *manager, FolioJobs *jobs, FolioGuest *guest);

/* A string of any bytes as a variant: what is not UTF-8 is replaced. NULL is "". */
GVariant *folio_bus_string(const char *text);
