/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an administrator sets: a pause, and modes of guests. */
#include "manager-private.h"

#include "base/log.h"

/* What is being written down. */
typedef struct {
    FolioManager *manager; /* a reference */
    char *uuid, *name;     /* of the guest whose mode it is */
    gboolean paused;       /* the pause otherwise */
    gboolean has_mode;     /* FALSE: none is set any more */
    FolioMode mode;
    FolioManagerSet done;
    gpointer user_data;
} Setting;

static Setting *
setting_new(FolioManager *manager, FolioManagerSet done, gpointer user_data)
{
    Setting *setting = g_new0(Setting, 1);

    setting->manager = g_object_ref(manager);
    setting->done = done;
    setting->user_data = user_data;
    return setting;
}

static void
setting_end(Setting *setting, const GError *error)
{
    setting->done(error, setting->user_data);
    g_object_unref(setting->manager);
    g_free(setting->uuid);
    g_free(setting->name);
    g_free(setting);
}

static void
on_pause_written(const GError *error, gpointer user_data)
{
    Setting *setting = user_data;
    FolioManager *manager = setting->manager;

    if (error == NULL) {
        if (manager->settings->paused != setting->paused)
            folio_log(G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_PAUSE, NULL, NULL, "%s",
                      setting->paused ? "paused: nothing is sampled or changed"
                                      : "goes on after a pause");
        manager->settings->paused = setting->paused;
        folio_manager_apply_settings(manager);
        folio_manager_tell_changed(manager);
    }
    setting_end(setting, error);
}

void
folio_manager_set_paused(FolioManager *manager, gboolean paused, FolioManagerSet done,
                         gpointer user_data)
{
    Setting *setting = setting_new(manager, done, user_data);

    setting->paused = paused;
    folio_run_state_set_paused(manager->run_state, paused, on_pause_written, setting);
}

gboolean
folio_manager_get_paused(FolioManager *manager)
{
    return manager->settings->paused;
}

/* The guest may have ended meanwhile, or have come again. */
static void
on_mode_written(const GError *error, gpointer user_data)
{
    Setting *setting = user_data;
    FolioGuest *guest = folio_manager_find_uuid(setting->manager, setting->uuid);

    if (error == NULL)
        folio_log(G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_MODE, setting->name, setting->uuid,
                  "%s: mode set by an administrator: %s", setting->name,
                  setting->has_mode ? folio_mode_to_string(setting->mode) : "none any more");
    if (error == NULL && guest != NULL)
        folio_guest_set_admin_mode(guest, setting->has_mode ? &setting->mode : NULL);
    setting_end(setting, error);
}

void
folio_manager_set_admin_mode(FolioManager *manager, FolioGuest *guest, const FolioMode *mode,
                             FolioManagerSet done, gpointer user_data)
{
    Setting *setting = setting_new(manager, done, user_data);

    setting->uuid = g_strdup(folio_guest_get_uuid(guest));
    setting->name = g_strdup(folio_guest_get_name(guest));
    setting->has_mode = mode != NULL;
    if (mode != NULL)
        setting->mode = *mode;
    folio_run_state_set_mode(manager->run_state, setting->uuid, mode, on_mode_written, setting);
}
