/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl on another host. */
#pragma once

#include <glib.h>

/* The words of the call there, each quoted for the shell that ssh gives them to: "folioctl" and
 * words (NULL-terminated), without the option that names the host. Pure; to be freed. */
char *folio_remote_command(const char *const *words);

/* Becomes "ssh -- host COMMAND"; returns, with an exit status, only when that fails. */
int folio_run_on_host(const char *host, char **words);
