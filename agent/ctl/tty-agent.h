/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polkit's own agent for terminals, which asks for a password when nothing else can. */
#pragma once

#include <glib.h>

typedef struct _FolioTtyAgent FolioTtyAgent;

/* Starts pkttyagent for this process, whatever agent its session has, and waits, five seconds at
 * most, until polkit knows it. NULL when there is no pkttyagent, which is no error: polkit
 * then denies what needs a password. */
FolioTtyAgent *folio_tty_agent_start(void);

/* Ends it. NULL is fine. */
void folio_tty_agent_stop(FolioTtyAgent *agent);
