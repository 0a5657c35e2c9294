/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options of a method. */
#include "bus/options.h"

#include "base/error.h"
#include "base/log.h"

/* Of a name that somebody made up, as much is told. */
#define EXCERPT_BYTES 40

static const FolioBusOption *
find_option(const FolioBusOption *table, gsize n, const char *name)
{
    for (gsize i = 0; i < n; i++) {
        if (g_str_equal(table[i].name, name))
            return &table[i];
    }
    return NULL;
}

/* Only a name of the table goes into a message as it came. */
static gboolean
refuse_unknown(const char *name, GError **error)
{
    g_autofree char *start = g_strndup(name, EXCERPT_BYTES);
    g_autofree char *excerpt = folio_escape(start);

    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "options: \"%s\" is not known", excerpt);
    return FALSE;
}

static gboolean
read_option(GVariant *value, const FolioBusOption *option, GError **error)
{
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE(option->type))) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "options: \"%s\" is of type %s, not %s", option->name, option->type,
                    g_variant_get_type_string(value));
        return FALSE;
    }
    if (*option->type == 't')
        *(guint64 *) option->value = g_variant_get_uint64(value);
    else if (*option->type == 'u')
        *(guint32 *) option->value = g_variant_get_uint32(value);
    else if (*option->type == 'a')
        *(GVariant **) option->value = g_variant_ref(value);
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
        const FolioBusOption *option = find_option(table, n, name);

        if (option == NULL)
            return refuse_unknown(name, error);
        if (!g_hash_table_add(seen, (gpointer) option->name)) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "options: \"%s\" comes twice",
                        name);
            return FALSE;
        }
        if (!read_option(owned, option, error))
            return FALSE;
    }
    return TRUE;
}
