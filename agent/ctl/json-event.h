/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What folioctl --json monitor prints: an object a line, each whole by itself. Pure.
 *
 * Common: {"version": 1, "time": ISO 8601 in UTC, "event"}; beyond that, by event:
 * host   {"changed": {PROPERTY: VALUE}}: properties of org.foliod1.Manager
 * guest  {"uuid", "name", "changed": {PROPERTY: VALUE}}: of org.foliod1.Guest; the first event of a
 *        guest has all that tell of their changes
 * gone   {"uuid", "name"}: it has ended, or may not be seen any more
 * job    {"job", "state", "done", "total", "error"}
 * ended  {}: foliod has; host and guest follow when it is back
 *
 * PROPERTY is the D-Bus name in small letters: "reason_text" for ReasonText. */
#pragma once

#include <gio/gio.h>

/* when is in UTC. changed is an a{sv}. */
char *folio_json_event_host(GDateTime *when, GVariant *changed);
char *folio_json_event_guest(GDateTime *when, const char *uuid, const char *name,
                             GVariant *changed);
char *folio_json_event_gone(GDateTime *when, const char *uuid, const char *name);
char *folio_json_event_job(GDateTime *when, guint job, const char *state, guint64 done,
                           guint64 total, const char *error);
char *folio_json_event_ended(GDateTime *when);
