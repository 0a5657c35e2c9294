/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is told of changes: those that called Subscribe, by unicast, and of each guest only those
 * that pass org.foliod1.view for it. They are asked about once, and again whenever polkit says that
 * something has changed; until it has answered they are told nothing. */
#pragma once

#include "bus/bouncer.h"
#include "bus/jobs.h"
#include "manager.h"

/* As many as there may be callers (bus/callers.h), so that one user alone cannot take all places:
 * a system bus gives a user 256 connections at most. A sender has one place. */
#define FOLIO_SUBSCRIBERS_MAX 1024

/* The properties that emit changes, a{sv}, of the host (guest NULL) or of a guest; floating. */
typedef GVariant *(*FolioSubscribersDescribe)(FolioManager *manager, FolioJobs *jobs,
                                              FolioGuest *guest);

typedef struct _FolioSubscribers FolioSubscribers;

/* Follows manager. jobs is what describe is given. */
FolioSubscribers *folio_subscribers_new(GDBusConnection *connection, FolioManager *manager,
                                        FolioBouncer *bouncer, FolioJobs *jobs,
                                        FolioSubscribersDescribe describe);

FolioSubscribers *folio_subscribers_ref(FolioSubscribers *subscribers);
void folio_subscribers_unref(FolioSubscribers *subscribers);

/* Tells nobody any more; call it before the last reference goes. */
void folio_subscribers_stop(FolioSubscribers *subscribers);

/* From now on the sender is told, first everything that it may see as it is. Until it leaves the
 * bus or is removed; a second time changes nothing. BUSY: there are too many. */
gboolean folio_subscribers_add(FolioSubscribers *subscribers, const char *sender, GError **error);

/* A sender that is none does not matter. */
void folio_subscribers_remove(FolioSubscribers *subscribers, const char *sender);

/* Tells of a job. */
void folio_subscribers_tell_job(FolioSubscribers *subscribers, const FolioJob *job);
