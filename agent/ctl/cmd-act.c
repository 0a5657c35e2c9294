/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl split, collapse and restore: jobs on the memory of a guest. */
#include "base/error.h"
#include "ctl/blocks.h"
#include "ctl/follow.h"
#include "ctl/json.h"

#include <stdio.h>

#define ORDER_HUGE 9

/* NULL with an error. */
static GArray *
read_blocks(const FolioInvocation *invocation, const char *path, GError **error)
{
    g_autoptr(GVariant) ram = NULL;

    if (invocation->sparse)
        return folio_blocks_find_sparse(invocation->client, path, error);
    if (folio_blocks_has_addresses(invocation->words)) {
        ram = folio_client_list_ram(invocation->client, path, error);
        if (ram == NULL)
            return NULL;
    }
    return folio_blocks_parse(invocation->words, ram, error);
}

static FolioExitStatus
print_nothing_to_do(const FolioInvocation *invocation)
{
    if (invocation->json) {
        g_autofree char *json = folio_json_no_job();

        fputs(json, stdout);
    } else {
        puts("no block has a verdict of sparse: nothing to split");
    }
    return FOLIO_EXIT_OK;
}

static FolioExitStatus
act(const FolioInvocation *invocation, const char *method, guint order, GError **error)
{
    g_autofree char *path = folio_client_find_guest(invocation->client, invocation->guest, error);
    g_autoptr(GArray) blocks = NULL;

    if (path == NULL)
        return FOLIO_EXIT_FAILED;
    if (!invocation->all) {
        blocks = read_blocks(invocation, path, error);
        if (blocks == NULL)
            return FOLIO_EXIT_FAILED;
        if (blocks->len == 0)
            return print_nothing_to_do(invocation);
    }
    return folio_follow_job(invocation, path, method,
                            folio_blocks_arguments(blocks, order, invocation->force), error);
}

FolioExitStatus
folio_cmd_split(const FolioInvocation *invocation, GError **error)
{
    return act(invocation, "Split", invocation->order, error);
}

FolioExitStatus
folio_cmd_collapse(const FolioInvocation *invocation, GError **error)
{
    return act(invocation, "Collapse", ORDER_HUGE, error);
}

FolioExitStatus
folio_cmd_restore(const FolioInvocation *invocation, GError **error)
{
    g_autofree char *path = folio_client_find_guest(invocation->client, invocation->guest, error);

    if (path == NULL)
        return FOLIO_EXIT_FAILED;
    return folio_follow_job(
        invocation, path, "Restore",
        g_variant_new("(@a{sv})", g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0)), error);
}
