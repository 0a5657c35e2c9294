/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking through guests that are kept by UUID. */
#include "guest-list.h"

static int
compare_guests(gconstpointer a, gconstpointer b)
{
    FolioGuest *guest_a = *(FolioGuest *const *) a;
    FolioGuest *guest_b = *(FolioGuest *const *) b;
    int by_name = g_strcmp0(folio_guest_get_name(guest_a), folio_guest_get_name(guest_b));

    return by_name != 0 ? by_name
                        : g_strcmp0(folio_guest_get_uuid(guest_a), folio_guest_get_uuid(guest_b));
}

GPtrArray *
folio_guest_list_sorted(GHashTable *guests)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_object_unref);
    GHashTableIter iter;
    gpointer guest;

    g_hash_table_iter_init(&iter, guests);
    while (g_hash_table_iter_next(&iter, NULL, &guest))
        g_ptr_array_add(list, g_object_ref(guest));
    g_ptr_array_sort(list, compare_guests);
    return list;
}

FolioGuest *
folio_guest_list_find_name(GHashTable *guests, const char *name)
{
    GHashTableIter iter;
    gpointer guest;

    g_hash_table_iter_init(&iter, guests);
    while (g_hash_table_iter_next(&iter, NULL, &guest)) {
        if (g_str_equal(folio_guest_get_name(guest), name))
            return guest;
    }
    return NULL;
}
