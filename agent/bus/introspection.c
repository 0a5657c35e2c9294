/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interfaces as data/org.foliod1.xml declares them. */
#include "bus/introspection.h"

#include "bus/introspection-resource.h"

GDBusNodeInfo *
folio_introspection_get(void)
{
    static GDBusNodeInfo *node = NULL;

    if (g_once_init_enter(&node)) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) xml = g_resource_lookup_data(folio_introspection_get_resource(),
                                                       "/org/foliod1/org.foliod1.xml",
                                                       G_RESOURCE_LOOKUP_FLAGS_NONE, &error);
        GDBusNodeInfo *parsed = NULL;

        if (xml != NULL)
            parsed = g_dbus_node_info_new_for_xml(g_bytes_get_data(xml, NULL), &error);
        if (parsed == NULL)
            g_error("org.foliod1.xml: %s", error->message);
        g_once_init_leave(&node, parsed);
    }
    return node;
}

GDBusInterfaceInfo *
folio_introspection_find(const char *interface)
{
    GDBusInterfaceInfo *info =
        g_dbus_node_info_lookup_interface(folio_introspection_get(), interface);

    g_assert(info != NULL);
    return info;
}

gboolean
folio_introspection_emits(const char *interface, const char *property)
{
    static const char key[] = "org.freedesktop.DBus.Property.EmitsChangedSignal";
    GDBusInterfaceInfo *info = folio_introspection_find(interface);
    GDBusPropertyInfo *found = g_dbus_interface_info_lookup_property(info, property);
    const char *emits = NULL;

    if (found == NULL)
        return FALSE;
    emits = g_dbus_annotation_info_lookup(found->annotations, key);
    if (emits == NULL)
        emits = g_dbus_annotation_info_lookup(info->annotations, key);
    return g_strcmp0(emits, "true") == 0 || g_strcmp0(emits, "const") == 0;
}
