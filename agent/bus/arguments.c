/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether arguments of a call make sense. */
#include "bus/arguments.h"

#include "base/error.h"
#include "base/log.h"

#include <string.h>

/* Of a key that somebody made up, as much is told. */
#define EXCERPT_BYTES 40

static const FolioOption *
find_option(const char *key, const FolioOption *known, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        if (g_str_equal(known[i].key, key))
            return &known[i];
    }
    return NULL;
}

static gboolean
check_option(const char *key, GVariant *value, const FolioOption *known, gsize n, GError **error)
{
    const FolioOption *option = find_option(key, known, n);
    g_autofree char *start = g_strndup(key, EXCERPT_BYTES);
    g_autofree char *excerpt = folio_escape(start);

    if (option == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "options: \"%s\" is not known",
                    excerpt);
        return FALSE;
    }
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE(option->type))) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "options: \"%s\" is of the type %s, not %s", key, option->type,
                    g_variant_get_type_string(value));
        return FALSE;
    }
    return TRUE;
}

gboolean
folio_arguments_check_options(GVariant *options, const FolioOption *known, gsize n, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GVariantIter iter;
    const char *key;
    GVariant *child;

    g_variant_iter_init(&iter, options);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &child)) {
        g_autoptr(GVariant) value = child;

        if (!check_option(key, value, known, n, error))
            return FALSE;
        if (!g_hash_table_add(seen, (gpointer) key)) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "options: \"%s\" is there twice",
                        key);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean
folio_arguments_check_order(FolioActKind kind, guint order, GError **error)
{
    if (kind == FOLIO_ACT_COLLAPSE) {
        if (order == FOLIO_ORDER_HUGE)
            return TRUE;
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "order: %u is none that memory can be collapsed to: %d is", order,
                    FOLIO_ORDER_HUGE);
        return FALSE;
    }
    if (order < FOLIO_ORDER_HUGE && order != 1)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "order: %u is none that memory can be split to: 0 and 2 to %d are", order,
                FOLIO_ORDER_HUGE - 1);
    return FALSE;
}

gboolean
folio_arguments_check_range(guint64 first_block, guint64 blocks, guint64 n_blocks, GError **error)
{
    if (first_block >= n_blocks) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "first_block: %" G_GUINT64_FORMAT
                    " is beyond the guest, which has %" G_GUINT64_FORMAT " blocks",
                    first_block, n_blocks);
        return FALSE;
    }
    if (blocks == 0 || blocks > n_blocks - first_block) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "blocks: %" G_GUINT64_FORMAT " is not from 1 to %" G_GUINT64_FORMAT
                    ", as many as the guest has from first_block on",
                    blocks, n_blocks - first_block);
        return FALSE;
    }
    return TRUE;
}
