/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl reload: foliod reads its configuration again. */
#include "ctl/cmd.h"
#include "ctl/json.h"

#include <stdio.h>

FolioExitStatus
folio_cmd_reload(const FolioInvocation *invocation, GError **error)
{
    if (!folio_client_reload(invocation->client, error))
        return FOLIO_EXIT_FAILED;
    if (invocation->json) {
        g_autofree char *json = folio_json_reload();

        fputs(json, stdout);
    } else {
        puts("The configuration was read again.");
    }
    return FOLIO_EXIT_OK;
}
