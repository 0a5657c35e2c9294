/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl split, collapse and restore: jobs on the memory of a guest. */
#include "base/error.h"
#include "ctl/cmd.h"
#include "ctl/follow.h"

#include <string.h>

#define BLOCK_BYTES (2 * 1024 * 1024ULL)
#define ORDER_HUGE  9

/* What is wanted, in blocks as foliod numbers them. */
typedef struct {
    guint64 first, count;
} Blocks;

static gboolean
parse_number(const char *text, const char *what, guint64 *number, GError **error)
{
    if (g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, number, NULL))
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: \"%s\" is no number of blocks", what,
                text);
    return FALSE;
}

/* "0xSTART-0xEND", as folioctl analyze --pid prints it. */
static gboolean
parse_addresses(const char *text, guint64 *start, guint64 *end)
{
    g_auto(GStrv) parts = g_strsplit(text, "-", 2);

    return g_strv_length(parts) == 2 && g_str_has_prefix(parts[0], "0x") &&
           g_str_has_prefix(parts[1], "0x") &&
           g_ascii_string_to_unsigned(parts[0] + 2, 16, 0, G_MAXUINT64, start, NULL) &&
           g_ascii_string_to_unsigned(parts[1] + 2, 16, 0, G_MAXUINT64, end, NULL) &&
           *start < *end && *start % BLOCK_BYTES == 0 && *end % BLOCK_BYTES == 0;
}

/* The numbers of the blocks at those addresses, which must be of one RAM block. */
static gboolean
find_blocks(GVariant *ram, guint64 start, guint64 end, Blocks *blocks)
{
    g_autoptr(GVariantIter) iter = NULL;
    guint64 before = 0;
    GVariant *child;

    g_variant_get(ram, "(saa{sv})", NULL, &iter);
    while ((child = g_variant_iter_next_value(iter)) != NULL) {
        g_autoptr(GVariant) block = child;
        const guint64 hva = folio_dict_number(block, "hva");
        const guint64 bytes = folio_dict_number(block, "bytes");

        if (start >= hva && end <= hva + bytes && (start - hva) % BLOCK_BYTES == 0) {
            blocks->first = before + (start - hva) / BLOCK_BYTES;
            blocks->count = (end - start) / BLOCK_BYTES;
            return TRUE;
        }
        before += (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    }
    return FALSE;
}

static gboolean
blocks_at(const FolioInvocation *invocation, const char *path, const char *text, Blocks *blocks,
          GError **error)
{
    g_autoptr(GVariant) ram = NULL;
    guint64 start, end;

    if (!parse_addresses(text, &start, &end)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "\"%s\" is no range such as 0x7f0000000000-0x7f0000200000, from and to "
                    "multiples of 2 MiB",
                    text);
        return FALSE;
    }
    ram = folio_client_list_ram(invocation->client, path, error);
    if (ram == NULL)
        return FALSE;
    if (find_blocks(ram, start, end, blocks))
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "%s is not within one RAM block of the guest", text);
    return FALSE;
}

static gboolean
read_blocks(const FolioInvocation *invocation, const char *path, Blocks *blocks, GError **error)
{
    const char *const *words = invocation->words;

    if (words[1] == NULL)
        return blocks_at(invocation, path, words[0], blocks, error);
    return parse_number(words[0], "FIRST", &blocks->first, error) &&
           parse_number(words[1], "COUNT", &blocks->count, error);
}

static FolioExitStatus
act(const FolioInvocation *invocation, const char *method, guint order, GError **error)
{
    g_autofree char *path = folio_client_find_guest(invocation->client, invocation->guest, error);
    Blocks blocks;

    if (path == NULL || !read_blocks(invocation, path, &blocks, error))
        return FOLIO_EXIT_FAILED;
    return folio_follow_job(invocation, path, method,
                            g_variant_new("(ttu@a{sv})", blocks.first, blocks.count, order,
                                          g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0)),
                            error);
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
