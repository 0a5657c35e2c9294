/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps the status in the metadata of guests. */
#include "status-keeper.h"

#include "guest-status.h"
#include "summaries.h"
#include "virt/status-writer.h"

/* How often the RAM of guests is measured for their status when nobody else asks. */
#define MEASURE_SECONDS 60

struct _FolioStatusKeeper {
    FolioManager *manager;
    FolioStatusWriter *writer; /* NULL: none is wanted */
    FolioSummaries *summaries; /* likewise; of heat */
    guint timer;
};

static void
write_status(FolioStatusKeeper *keeper, FolioGuest *guest)
{
    g_autofree char *element = NULL;
    FolioGuestStatus status;

    folio_guest_status_take(&status, guest,
                            folio_acting_get_actuators(folio_manager_get_acting(keeper->manager)));
    if (keeper->summaries != NULL)
        status.heat = folio_summaries_get(keeper->summaries, guest);
    element = folio_guest_status_print(&status);
    folio_status_writer_write(keeper->writer, folio_guest_get_uuid(guest), element);
}

/* What is found out on the way, right after a start, is not worth the one write of a minute. */
static gboolean
is_being_located(FolioGuest *guest)
{
    return folio_guest_get_state(guest) == FOLIO_GUEST_DISCOVERED &&
           folio_guest_get_reason(guest) != FOLIO_REASON_MODE_OFF;
}

static void
on_guest_changed(FolioManager *manager, FolioGuest *guest, FolioStatusKeeper *keeper)
{
    if (keeper->writer != NULL && !is_being_located(guest))
        write_status(keeper, guest);
}

static void
on_guest_removed(FolioManager *manager, FolioGuest *guest, FolioStatusKeeper *keeper)
{
    if (keeper->writer != NULL)
        folio_status_writer_forget(keeper->writer, folio_guest_get_uuid(guest));
    if (keeper->summaries != NULL)
        folio_summaries_forget(keeper->summaries, folio_guest_get_uuid(guest));
}

static void
on_summary(const char *uuid, gpointer user_data)
{
    FolioStatusKeeper *keeper = user_data;
    FolioGuest *guest = folio_manager_find_uuid(keeper->manager, uuid);

    if (guest != NULL)
        on_guest_changed(keeper->manager, guest, keeper);
}

static void
on_measured(GObject *source, GAsyncResult *result, gpointer user_data)
{
    folio_guest_refresh_finish(FOLIO_GUEST(source), result);
}

/* Writes what was measured last time, and measures again. */
static gboolean
on_measure(gpointer user_data)
{
    FolioStatusKeeper *keeper = user_data;
    g_autoptr(GPtrArray) guests = folio_manager_list_guests(keeper->manager);

    for (guint i = 0; i < guests->len; i++) {
        write_status(keeper, guests->pdata[i]);
        folio_guest_refresh_async(guests->pdata[i], on_measured, NULL);
    }
    return G_SOURCE_CONTINUE;
}

static void
stop(FolioStatusKeeper *keeper)
{
    g_clear_pointer(&keeper->writer, folio_status_writer_free);
    g_clear_pointer(&keeper->summaries, folio_summaries_free);
    g_clear_handle_id(&keeper->timer, g_source_remove);
}

static void
start(FolioStatusKeeper *keeper, const char *uri)
{
    g_autoptr(GPtrArray) guests = folio_manager_list_guests(keeper->manager);

    keeper->writer = folio_status_writer_new(uri);
    keeper->timer = g_timeout_add_seconds(MEASURE_SECONDS, on_measure, keeper);
    for (guint i = 0; i < guests->len; i++)
        write_status(keeper, guests->pdata[i]);
}

static void
follow_heat(FolioStatusKeeper *keeper, gboolean wanted)
{
    if (keeper->summaries == NULL && wanted)
        keeper->summaries = folio_summaries_new(on_summary, keeper);
    else if (keeper->summaries != NULL && !wanted)
        g_clear_pointer(&keeper->summaries, folio_summaries_free);
}

/* The configuration may be another. */
static void
on_changed(FolioManager *manager, FolioStatusKeeper *keeper)
{
    const char *uri = folio_manager_get_uri(manager);
    const FolioConfig *config = folio_manager_get_config(manager);
    gboolean wanted = config->status_metadata;

    if (keeper->writer != NULL &&
        (!wanted || !g_str_equal(uri, folio_status_writer_get_uri(keeper->writer))))
        stop(keeper);
    follow_heat(keeper, wanted && config->heat_in_metadata);
    if (keeper->writer == NULL && wanted)
        start(keeper, uri);
}

FolioStatusKeeper *
folio_status_keeper_new(FolioManager *manager)
{
    FolioStatusKeeper *keeper = g_new0(FolioStatusKeeper, 1);

    keeper->manager = manager;
    g_signal_connect(manager, "changed", G_CALLBACK(on_changed), keeper);
    g_signal_connect(manager, "guest-changed", G_CALLBACK(on_guest_changed), keeper);
    g_signal_connect(manager, "guest-removed", G_CALLBACK(on_guest_removed), keeper);
    on_changed(manager, keeper);
    return keeper;
}

void
folio_status_keeper_free(FolioStatusKeeper *keeper)
{
    g_signal_handlers_disconnect_by_data(keeper->manager, keeper);
    stop(keeper);
    g_free(keeper);
}
