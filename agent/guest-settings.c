/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest is told by its manager. */
#include "guest-settings.h"

FolioGuestSettings *
folio_guest_settings_new(const FolioConfig *config)
{
    FolioGuestSettings *settings = g_new0(FolioGuestSettings, 1);

    settings->guest_defaults = config->guest_defaults;
    settings->hint_ceiling = config->hint_ceiling;
    settings->guest_hints = g_hash_table_ref(config->guest_hints);
    settings->scan = config->scan;
    return settings;
}

FolioGuestSettings *
folio_guest_settings_copy(const FolioGuestSettings *settings)
{
    FolioGuestSettings *copy = g_new0(FolioGuestSettings, 1);

    copy->proc_root = g_strdup(settings->proc_root);
    copy->sys_root = g_strdup(settings->sys_root);
    copy->run_dir = g_strdup(settings->run_dir);
    copy->guest_defaults = settings->guest_defaults;
    copy->hint_ceiling = settings->hint_ceiling;
    copy->guest_hints = g_hash_table_ref(settings->guest_hints);
    copy->paused = settings->paused;
    copy->scan = settings->scan;
    copy->sampling = g_object_ref(settings->sampling);
    return copy;
}

void
folio_guest_settings_free(FolioGuestSettings *settings)
{
    g_free(settings->proc_root);
    g_free(settings->sys_root);
    g_free(settings->run_dir);
    g_clear_pointer(&settings->guest_hints, g_hash_table_unref);
    g_clear_object(&settings->sampling);
    g_free(settings);
}
