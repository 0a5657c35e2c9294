/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Giving back what was done to guests, at the end of foliod. */
#include "stop.h"

#include "base/log.h"

/* Less than systemd waits for a service to stop (DefaultTimeoutStopSec=90s), and far more than a
 * collapse of some thousand blocks takes. */
#define RESTORE_MSEC 60000

#define ASK_MSEC 1000

/* FALSE also where there is no systemd. */
static gboolean
host_shuts_down(void)
{
    g_autoptr(GDBusConnection) bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, NULL);
    g_autoptr(GVariant) reply = NULL, value = NULL;

    if (bus == NULL)
        return FALSE;
    reply = g_dbus_connection_call_sync(
        bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
        "org.freedesktop.DBus.Properties", "Get",
        g_variant_new("(ss)", "org.freedesktop.systemd1.Manager", "SystemState"),
        G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NO_AUTO_START, ASK_MSEC, NULL, NULL);
    if (reply == NULL)
        return FALSE;
    g_variant_get(reply, "(v)", &value);
    return g_variant_is_of_type(value, G_VARIANT_TYPE_STRING) &&
           g_str_equal(g_variant_get_string(value, NULL), "stopping");
}

static gboolean
on_time_over(gpointer user_data)
{
    gboolean *over = user_data;

    *over = TRUE;
    return G_SOURCE_CONTINUE;
}

void
folio_stop_restore(FolioService *service)
{
    gboolean over = FALSE;
    guint source;

    if (host_shuts_down())
        return;
    folio_service_restore_all(service);
    source = g_timeout_add(RESTORE_MSEC, on_time_over, &over);
    while (!over && folio_service_is_restoring(service))
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(source);
    if (over)
        folio_warning("not everything could be given back within %d s: the ledger knows the rest, "
                      "for the next start and \"folioctl restore\"",
                      RESTORE_MSEC / 1000);
}
