/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the service manager is told. sd_notify waits while the manager does not read its socket, so
 * a thread of its own does it, in order. */
#pragma once

#include <glib.h>

/* Queues one message, as sd_notify takes it; thrown away when the manager has not read the last 64.
 */
void folio_notify(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Waits until all that was queued is sent, at most a second. */
void folio_notify_flush(void);
