/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job from the call that begins it to its end. */
#pragma once

#include "ctl/cmd.h"

/* Calls method, "Split", "Collapse" or "Restore", of the guest at path with arguments (sunk), and
 * follows the job: its progress on standard error where that is a terminal, its result on standard
 * output. The first Ctrl-C cancels the job and waits for its end, the second leaves it alone. */
FolioExitStatus folio_follow_job(const FolioInvocation *invocation, const char *path,
                                 const char *method, GVariant *arguments, GError **error);
