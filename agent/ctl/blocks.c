/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which blocks of a guest a job is for. */
#include "ctl/blocks.h"

#include "base/error.h"
#include "ctl/heat-view.h"

#include <string.h>

#define BLOCK_BYTES (2 * 1024 * 1024ULL)

/* Of a guest as many are asked for at once: Heat has fewer than 1048576 entries. */
#define BLOCKS_AT_ONCE 1000000

/* Words */

static gboolean
parse_number(const char *text, const char *what, guint64 *number, GError **error)
{
    if (text != NULL && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, number, NULL))
        return TRUE;
    if (text == NULL)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: a number of blocks is missing",
                    what);
    else
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: \"%s\" is no number of blocks",
                    what, text);
    return FALSE;
}

static gboolean
is_addresses(const char *word)
{
    return g_str_has_prefix(word, "0x");
}

gboolean
folio_blocks_has_addresses(const char *const *words)
{
    for (guint i = 0; words[i] != NULL; i++) {
        if (is_addresses(words[i]))
            return TRUE;
    }
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
find_blocks(GVariant *ram, guint64 start, guint64 end, FolioBlocks *blocks)
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
            blocks->n = (end - start) / BLOCK_BYTES;
            return TRUE;
        }
        before += (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    }
    return FALSE;
}

static gboolean
blocks_at(const char *word, GVariant *ram, FolioBlocks *blocks, GError **error)
{
    guint64 start, end;

    if (!parse_addresses(word, &start, &end)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "\"%s\" is no range such as 0x7f0000000000-0x7f0000200000, from and to "
                    "multiples of 2 MiB",
                    word);
        return FALSE;
    }
    if (find_blocks(ram, start, end, blocks))
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "%s is not within one RAM block of the guest", word);
    return FALSE;
}

/* "FIRST+COUNT", or "FIRST" with COUNT as the next word. How many words it took; 0: an error. */
static guint
parse_blocks(const char *const *words, FolioBlocks *blocks, GError **error)
{
    const char *plus = strchr(words[0], '+');
    g_autofree char *first = NULL;

    if (plus == NULL)
        return parse_number(words[0], "FIRST", &blocks->first, error) &&
                       parse_number(words[1], "COUNT", &blocks->n, error)
                   ? 2
                   : 0;
    first = g_strndup(words[0], (gsize) (plus - words[0]));
    return parse_number(first, "FIRST", &blocks->first, error) &&
           parse_number(plus + 1, "COUNT", &blocks->n, error);
}

GArray *
folio_blocks_parse(const char *const *words, GVariant *ram, GError **error)
{
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(FolioBlocks));

    for (guint i = 0, taken = 0; words[i] != NULL; i += taken) {
        FolioBlocks blocks;

        if (is_addresses(words[i]))
            taken = blocks_at(words[i], ram, &blocks, error) ? 1 : 0;
        else
            taken = parse_blocks(words + i, &blocks, error);
        if (taken == 0)
            return NULL;
        g_array_append_val(list, blocks);
    }
    return g_steal_pointer(&list);
}

/* Heat */

static FolioHeatView *
ask_heat(FolioClient *client, const char *path, guint64 first, guint64 n, GError **error)
{
    g_autoptr(GVariant) reply = NULL;
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "first-block", g_variant_new_uint64(first));
    g_variant_builder_add(&options, "{sv}", "blocks", g_variant_new_uint64(n));
    reply = folio_client_heat(client, path, g_variant_builder_end(&options), error);
    return reply != NULL ? folio_heat_view_new(reply, error) : NULL;
}

static void
append_block(GArray *list, guint64 number)
{
    FolioBlocks *last = list->len > 0 ? &g_array_index(list, FolioBlocks, list->len - 1) : NULL;
    const FolioBlocks one = { number, 1 };

    if (last != NULL && last->first + last->n == number)
        last->n++;
    else
        g_array_append_val(list, one);
}

static void
append_sparse(GArray *list, const FolioHeatView *view)
{
    for (guint i = 0; i < view->ranges->len; i++) {
        const FolioHeatViewRange *range = view->ranges->pdata[i];

        for (guint j = 0; j < range->n; j++) {
            if (range->verdict[j] == FOLIO_VERDICT_SPARSE)
                append_block(list, range->first_block + j);
        }
    }
}

GArray *
folio_blocks_find_sparse(FolioClient *client, const char *path, GError **error)
{
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(FolioBlocks));
    guint64 first = 0, all;

    do {
        g_autoptr(FolioHeatView) view = ask_heat(client, path, first, BLOCKS_AT_ONCE, error);

        if (view == NULL)
            return NULL;
        if (view->windows == 0) {
            g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                                "nothing is known of its heat, so no block is known to be sparse: "
                                "no window of samples has ended");
            return NULL;
        }
        append_sparse(list, view);
        all = view->blocks;
        first += BLOCKS_AT_ONCE;
    } while (first < all);
    return g_steal_pointer(&list);
}

/* Arguments */

GVariant *
folio_blocks_arguments(GArray *blocks, guint order, gboolean force)
{
    const FolioBlocks none = { 0, 0 };
    const FolioBlocks *first = blocks != NULL ? &g_array_index(blocks, FolioBlocks, 0) : &none;
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    if (force)
        g_variant_builder_add(&options, "{sv}", "force", g_variant_new_boolean(TRUE));
    if (blocks == NULL)
        g_variant_builder_add(&options, "{sv}", "all", g_variant_new_boolean(TRUE));
    if (blocks != NULL && blocks->len > 1)
        g_variant_builder_add(&options, "{sv}", "more",
                              g_variant_new_fixed_array(G_VARIANT_TYPE("(tt)"), first + 1,
                                                        blocks->len - 1, sizeof *first));
    return g_variant_new("(ttua{sv})", first->first, first->n, order, &options);
}
