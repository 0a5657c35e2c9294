/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Examinations by the doctor. */
#include "base/error.h"
#include "examination.h"
#include "manager-private.h"

/* Anybody may ask the doctor, and each examination reads some dozen files: so many at a time, that
 * they cannot take all threads of GTask's pool (10) from libvirt and the guests. */
#define EXAMINATIONS_MAX 4

static void
examine_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    g_task_return_pointer(task, folio_examination_run(task_data),
                          (GDestroyNotify) g_ptr_array_unref);
}

static void
start_examination(GTask *task, FolioGuest *guest)
{
    FolioManager *manager = g_task_get_source_object(task);
    const FolioExaminationHost host = {
        .proc_root = manager->proc_root,
        .sys_root = manager->sys_root,
        .uri = folio_manager_get_uri(manager),
        .connection_error = folio_manager_get_connection_error(manager),
        .config_errors = folio_manager_get_config_errors(manager),
        .actuators = folio_acting_get_actuators(manager->acting),
    };

    g_task_set_task_data(task, folio_examination_new(&host, guest),
                         (GDestroyNotify) folio_examination_free);
    /* Anybody may ask the doctor: looking and measuring come first. */
    g_task_set_priority(task, G_PRIORITY_LOW);
    g_task_run_in_thread(task, examine_in_thread);
}

static void
on_refreshed_for_doctor(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;

    folio_guest_refresh_finish(FOLIO_GUEST(source), result);
    start_examination(task, FOLIO_GUEST(source));
}

static void
on_examined(GTask *task, GParamSpec *completed, FolioManager *manager)
{
    manager->examinations--;
}

void
folio_manager_doctor_async(FolioManager *manager, FolioGuest *guest, GAsyncReadyCallback callback,
                           gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(manager, NULL, callback, user_data);

    if (manager->examinations >= EXAMINATIONS_MAX) {
        g_task_return_new_error(task, FOLIO_ERROR, FOLIO_ERROR_BUSY,
                                "the doctor has %d patients: try again", EXAMINATIONS_MAX);
        return;
    }
    manager->examinations++;
    g_signal_connect_object(task, "notify::completed", G_CALLBACK(on_examined), manager, 0);
    if (guest == NULL)
        start_examination(task, NULL);
    else
        folio_guest_refresh_async(guest, on_refreshed_for_doctor, g_steal_pointer(&task));
}

GPtrArray *
folio_manager_doctor_finish(FolioManager *manager, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
