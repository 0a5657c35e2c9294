/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may: the one table from D-Bus member to polkit action. What has no row is denied. Pure. */
#pragma once

#include <glib.h>

#define FOLIO_MANAGER_INTERFACE "org.foliod1.Manager"
#define FOLIO_GUEST_INTERFACE   "org.foliod1.Guest"

/* Actions of polkit/org.foliod1.policy. */
#define FOLIO_ACTION_VIEW     "org.foliod1.view"
#define FOLIO_ACTION_HEAT     "org.foliod1.heat"
#define FOLIO_ACTION_SET_MODE "org.foliod1.set-mode"
#define FOLIO_ACTION_ACT      "org.foliod1.act"
#define FOLIO_ACTION_MANAGE   "org.foliod1.manage"

/* The member that stands for Properties.GetAll. It answers with the properties of the interface
 * whose own row has the same action, and leaves the others out. */
#define FOLIO_ALL_PROPERTIES "*"

/* What a call is about; polkit is told the guest's name and uuid. */
typedef enum {
    FOLIO_SCOPE_HOST,
    FOLIO_SCOPE_GUEST,         /* the guest whose object is called */
    FOLIO_SCOPE_UUID_ARGUMENT, /* the guest whose uuid is the first argument */
    FOLIO_SCOPE_NAME_ARGUMENT, /* the guest whose name is the first argument */
    FOLIO_SCOPE_UUID_OR_HOST,  /* as UUID_ARGUMENT, "" for the host */
    FOLIO_SCOPE_JOB_ARGUMENT,  /* the guest of the job whose number is the first argument */
} FolioScope;

typedef struct {
    const char *interface;
    const char *member; /* a method, a property, or FOLIO_ALL_PROPERTIES */
    const char *action;
    FolioScope scope;
} FolioAccess;

/* The row of a member; NULL when there is none, which means denied. */
const FolioAccess *folio_access_find(const char *interface, const char *member);

/* All rows, for tests. */
const FolioAccess *folio_access_list(gsize *n_rows);
