/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options of a method. */
#include "bus/options.h"

#include "base/error.h"

static const FolioBusOption *
find_option(const FolioBusOption *table, gsize n, const char *name)
{
    for (gsize i = 0; i < n; i++) {
        if (g_str_equal(table[i].name, name))
            return &table[i];
    }
    return NULL;
}

static gboolean
read_option(const char *name, GVariant *value, const FolioBusOption *option, GError **error)
{
    if (option == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "there is no option \"%s\"", name);
        return FALSE;
    }
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE(option->type))) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "option %s is of type %s, not %s",
                    name, option->type, g_variant_get_type_string(value));
        return FALSE;
    }
    if (*option->type == 't')
        *(guint64 *) option->value = g_variant_get_uint64(value);
    else if (*option->type == 'u')
        *(guint32 *) option->value = g_variant_get_uint32(value);
    else
        *(gboolean *) option->value = g_variant_get_boolean(value);
    return TRUE;
}

gboolean
folio_bus_options_read(GVariant *options, const FolioBusOption *table, gsize n, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GVariantIter iter;
    const char *name;
    GVariant *value;

    g_variant_iter_init(&iter, options);
    while (g_variant_iter_next(&iter, "{&sv}", &name, &value)) {
        g_autoptr(GVariant) owned = value;

        if (!g_hash_table_add(seen, (gpointer) name)) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "option %s comes twice", name);
            return FALSE;
        }
        if (!read_option(name, owned, find_option(table, n, name), error))
            return FALSE;
    }
    return TRUE;
}
