/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every guest of this host. The guest list follows libvirt's; configuration and features are here.
 */
#pragma once

#include "acting.h"
#include "config.h"
#include "deciding.h"
#include "guest.h"
#include "host/features.h"

typedef struct {
    const char *connect;    /* overrides Connect= of the configuration when not NULL */
    const char *run_dir;    /* overrides RunDirectory= when not NULL */
    const char *vendor_dir; /* of folio_config_load */
    const char *conf_dir;
    const char *state_dir; /* foliod's own run directory, of folio_run_state_load */
    const char *proc_root;
    const char *sys_root;
} FolioManagerOptions;

#define FOLIO_TYPE_MANAGER (folio_manager_get_type())
G_DECLARE_FINAL_TYPE(FolioManager, folio_manager, FOLIO, MANAGER, GObject)

/* Loads the configuration (a bad file is logged and left out). Signals:
 *  "ready" ()             once: libvirt's first complete answer, or its first refusal, is in, and
 *                        features are known
 *  "connection" ()        it came up or was lost, or the error is another
 *  "reloading" (gboolean) TRUE before the configuration is read again, FALSE afterwards
 *  "guest-added" (FolioGuest), "guest-removed" (FolioGuest)
 *                        it runs now; it does not any more
 *  "guest-changed" (FolioGuest)
 *                        its own signal "changed"
 *  "changed" ()          what is known of the host may be another: connection, configuration,
 * pause, features, source of samples */
FolioManager *folio_manager_new(const FolioManagerOptions *options);

void folio_manager_start(FolioManager *manager);
void folio_manager_stop(FolioManager *manager);

/* FolioGuest, by name then uuid; free with g_ptr_array_unref. */
GPtrArray *folio_manager_list_guests(FolioManager *manager);
/* Borrowed; NULL when there is none. */
FolioGuest *folio_manager_find_uuid(FolioManager *manager, const char *uuid);
FolioGuest *folio_manager_find_name(FolioManager *manager, const char *name);

/* Reads the configuration again. All or nothing: with any error the old one stays, and the error
 * (FOLIO_ERROR_INVALID) lists every one. */
gboolean folio_manager_reload(FolioManager *manager, GError **error);

/* error NULL: it is written down, and holds. Otherwise it could not be, and nothing has changed. */
typedef void (*FolioManagerSet)(const GError *error, gpointer user_data);

/* While paused, nothing is sampled, changed or begun, until resumed or until the next boot. Pauses
 * and modes take effect in the order of the calls, each when it is written down; then done is
 * called. */
void folio_manager_set_paused(FolioManager *manager, gboolean paused, FolioManagerSet done,
                              gpointer user_data);
gboolean folio_manager_get_paused(FolioManager *manager);

/* An administrator's mode of a guest, until it is taken back (NULL) or the next boot; the guest may
 * end and come again meanwhile. */
void folio_manager_set_admin_mode(FolioManager *manager, FolioGuest *guest, const FolioMode *mode,
                                  FolioManagerSet done, gpointer user_data);

/* What can be done to guests. The manager's. */
FolioActing *folio_manager_get_acting(FolioManager *manager);

/* What is done to guests of foliod's own accord. The manager's. */
FolioDeciding *folio_manager_get_deciding(FolioManager *manager);

/* As it is in force; valid until the main loop runs again. */
const FolioConfig *folio_manager_get_config(FolioManager *manager);
/* Errors of the configuration as it was read last, char *, "FILE:LINE: KEY: text". NULL-terminated,
 * owned by the manager. */
const char *const *folio_manager_get_config_errors(FolioManager *manager);
const char *folio_manager_get_uri(FolioManager *manager);
gboolean folio_manager_is_connected(FolioManager *manager);
/* "" when connected. */
const char *folio_manager_get_connection_error(FolioManager *manager);
/* Tokens of folio_features_list; never NULL, empty until the probe of the start has ended. */
const char *const *folio_manager_get_features(FolioManager *manager);

/* Borrowed. */
FolioSampling *folio_manager_get_sampling(FolioManager *manager);

/* FALSE when the sampling thread has done nothing since the last call, which bade it do a round. */
gboolean folio_manager_has_progressed(FolioManager *manager);

/* Checks of the host and, if guest is not NULL, of that guest. The result is a GPtrArray of
 * FolioCheck, to be freed with g_ptr_array_unref. FOLIO_ERROR_BUSY when too many are under way. */
void folio_manager_doctor_async(FolioManager *manager, FolioGuest *guest,
                                GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *folio_manager_doctor_finish(FolioManager *manager, GAsyncResult *result, GError **error);
