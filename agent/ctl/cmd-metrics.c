/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl metrics: figures for a monitoring system. */
#include "ctl/cmd.h"
#include "ctl/metrics.h"

#include <stdio.h>

FolioExitStatus
folio_cmd_metrics(const FolioInvocation *invocation, GError **error)
{
    g_autoptr(GVariant) manager = folio_client_get_manager(invocation->client, error);
    g_autoptr(GPtrArray) guests = NULL;
    g_autofree char *text = NULL;

    if (manager == NULL)
        return FOLIO_EXIT_FAILED;
    guests = folio_client_get_guests(invocation->client, error);
    if (guests == NULL)
        return FOLIO_EXIT_FAILED;
    text = folio_metrics_text(manager, guests);
    fputs(text, stdout);
    return FOLIO_EXIT_OK;
}
