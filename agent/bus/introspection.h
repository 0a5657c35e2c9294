/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interfaces as data/org.foliod1.xml declares them, compiled in. */
#pragma once

#include <gio/gio.h>

/* Owned by the library; ends the program when the XML that it was built with is no good. */
GDBusNodeInfo *folio_introspection_get(void);

GDBusInterfaceInfo *folio_introspection_find(const char *interface);

/* Are subscribers told of changes of that property? So its annotation
 * org.freedesktop.DBus.Property.EmitsChangedSignal says, or that of the interface; FALSE when there
 * is no such property. */
gboolean folio_introspection_emits(const char *interface, const char *property);
