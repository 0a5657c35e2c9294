/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl set-mode, pause and resume: what holds until the next boot. */
#include "ctl/cmd.h"
#include "ctl/json.h"

#include <stdio.h>

FolioExitStatus
folio_cmd_set_mode(const FolioInvocation *invocation, GError **error)
{
    g_autofree char *path = folio_client_find_guest(invocation->client, invocation->guest, error);
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) guest = NULL;

    if (path == NULL)
        return FOLIO_EXIT_FAILED;
    reply = folio_client_call(invocation->client, path, FOLIO_CLIENT_GUEST, "SetMode",
                              g_variant_new("(s)", invocation->words[0]), "()", error);
    if (reply == NULL)
        return FOLIO_EXIT_FAILED;
    guest = folio_client_get_guest(invocation->client, path, error);
    if (guest == NULL)
        return FOLIO_EXIT_FAILED;
    if (invocation->json) {
        g_autofree char *json =
            folio_json_mode(folio_dict_string(guest, "Uuid"), folio_dict_string(guest, "Mode"));

        fputs(json, stdout);
    } else {
        g_autofree char *text = folio_wrap(folio_dict_string(guest, "ReasonText"), 0, 0);

        printf("The mode is %s: %s", folio_dict_string(guest, "Mode"), text);
    }
    return FOLIO_EXIT_OK;
}

static FolioExitStatus
print_paused(const FolioInvocation *invocation, gboolean paused)
{
    if (invocation->json) {
        g_autofree char *json = folio_json_paused(paused);

        fputs(json, stdout);
    } else {
        puts(paused ? "foliod is paused." : "foliod goes on.");
    }
    return FOLIO_EXIT_OK;
}

FolioExitStatus
folio_cmd_pause(const FolioInvocation *invocation, GError **error)
{
    g_autoptr(GVariant) reply = NULL;
    GVariantDict options;

    g_variant_dict_init(&options, NULL);
    if (invocation->restore)
        g_variant_dict_insert(&options, "restore", "b", TRUE);
    reply = folio_client_call(invocation->client, FOLIO_CLIENT_MANAGER_PATH, FOLIO_CLIENT_MANAGER,
                              "Pause", g_variant_new("(@a{sv})", g_variant_dict_end(&options)),
                              "()", error);
    return reply != NULL ? print_paused(invocation, TRUE) : FOLIO_EXIT_FAILED;
}

FolioExitStatus
folio_cmd_resume(const FolioInvocation *invocation, GError **error)
{
    g_autoptr(GVariant) reply =
        folio_client_call(invocation->client, FOLIO_CLIENT_MANAGER_PATH, FOLIO_CLIENT_MANAGER,
                          "Resume", NULL, "()", error);

    return reply != NULL ? print_paused(invocation, FALSE) : FOLIO_EXIT_FAILED;
}
