/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every guest of this host: the list follows libvirt's, the settings follow the configuration. */
#include "manager-private.h"

#include "base/error.h"
#include "base/log.h"
#include "build-config.h"
#include "guest-list.h"

G_DEFINE_FINAL_TYPE(FolioManager, folio_manager, G_TYPE_OBJECT)

enum {
    SIGNAL_READY,
    SIGNAL_RELOADING,
    SIGNAL_CONNECTION,
    SIGNAL_CHANGED,
    SIGNAL_GUEST_ADDED,
    SIGNAL_GUEST_REMOVED,
    SIGNAL_GUEST_CHANGED,
    N_SIGNALS
};

static guint signals[N_SIGNALS];

void
folio_manager_tell_changed(FolioManager *manager)
{
    g_signal_emit(manager, signals[SIGNAL_CHANGED], 0);
}

/* Configuration */

static FolioConfig *
load_config(FolioManager *manager)
{
    g_autoptr(GPtrArray) errors = folio_config_errors_new();
    FolioConfig *config = folio_config_load(manager->vendor_dir, manager->conf_dir, errors);

    g_strfreev(manager->config_errors);
    manager->config_errors = folio_config_errors_to_strv(errors);
    return config;
}

static const char *
wanted_uri(FolioManager *manager, const FolioConfig *config)
{
    return manager->connect_override != NULL ? manager->connect_override : config->connect;
}

static FolioGuestSettings *
settings_from_config(FolioManager *manager, const FolioConfig *config)
{
    FolioGuestSettings *settings = folio_guest_settings_new(config);

    settings->proc_root = g_strdup(manager->proc_root);
    settings->sys_root = g_strdup(manager->sys_root);
    settings->run_dir = g_strdup(manager->run_dir_override);
    if (settings->run_dir == NULL)
        settings->run_dir = folio_config_dup_run_directory(config, wanted_uri(manager, config));
    settings->paused = folio_run_state_get_paused(manager->run_state);
    settings->sampling = g_object_ref(manager->sampling);
    return settings;
}

/* Guests */

static void
remove_guest(FolioManager *manager, FolioGuest *guest)
{
    g_autoptr(FolioGuest) held = g_object_ref(guest);

    g_hash_table_remove(manager->guests, folio_guest_get_uuid(held));
    g_signal_handlers_disconnect_by_data(held, manager);
    folio_deciding_leave(manager->deciding, held);
    folio_acting_leave(manager->acting, held);
    folio_guest_stop(held);
    g_signal_emit(manager, signals[SIGNAL_GUEST_REMOVED], 0, held);
}

static void
on_guest_changed(FolioGuest *guest, FolioManager *manager)
{
    folio_acting_notice(manager->acting, guest);
    folio_deciding_notice(manager->deciding, guest);
    g_signal_emit(manager, signals[SIGNAL_GUEST_CHANGED], 0, guest);
}

static void
on_guest_outdated(FolioGuest *guest, FolioManager *manager)
{
    folio_connection_look_again(manager->connection, folio_guest_get_uuid(guest));
}

static void
on_domain(FolioConnection *connection, const FolioDomain *domain, FolioManager *manager)
{
    FolioGuest *guest = g_hash_table_lookup(manager->guests, domain->uuid);
    FolioMode mode;

    if (guest != NULL) {
        folio_guest_update(guest, domain);
        return;
    }
    guest = folio_guest_new(domain, manager->settings);
    if (folio_run_state_get_mode(manager->run_state, domain->uuid, &mode))
        folio_guest_set_admin_mode(guest, &mode);
    g_signal_connect(guest, "outdated", G_CALLBACK(on_guest_outdated), manager);
    g_signal_connect(guest, "changed", G_CALLBACK(on_guest_changed), manager);
    g_hash_table_insert(manager->guests, g_strdup(domain->uuid), guest);
    g_signal_emit(manager, signals[SIGNAL_GUEST_ADDED], 0, guest);
}

static void
on_hints(FolioConnection *connection, const char *uuid, const FolioDomainHints *hints,
         FolioManager *manager)
{
    FolioGuest *guest = g_hash_table_lookup(manager->guests, uuid);

    if (guest != NULL)
        folio_guest_take_hints(guest, hints);
}

static void
on_gone(FolioConnection *connection, const char *uuid, FolioManager *manager)
{
    FolioGuest *guest = g_hash_table_lookup(manager->guests, uuid);

    if (guest == NULL)
        return;
    folio_log(G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_GUEST_STATE, folio_guest_get_name(guest), uuid,
              "%s: does not run any more", folio_guest_get_name(guest));
    remove_guest(manager, guest);
}

/* Connection */

/* Whoever asks once foliod is ready gets whole answers. */
static void
become_ready(FolioManager *manager)
{
    if (manager->ready || !manager->libvirt_answered || !manager->probed)
        return;
    manager->ready = TRUE;
    g_signal_emit(manager, signals[SIGNAL_READY], 0);
}

static void
on_libvirt_answered(FolioManager *manager)
{
    manager->libvirt_answered = TRUE;
    become_ready(manager);
}

/* The first refusal will do: foliod serves whoever asks while libvirt is not there yet. */
static void
on_connection_state(FolioConnection *connection, FolioManager *manager)
{
    g_signal_emit(manager, signals[SIGNAL_CONNECTION], 0);
    folio_manager_tell_changed(manager);
    if (!folio_connection_is_connected(connection) &&
        *folio_connection_get_error(connection) != '\0')
        on_libvirt_answered(manager);
}

static void
drop_connection(FolioManager *manager)
{
    if (manager->connection == NULL)
        return;
    g_signal_handlers_disconnect_by_data(manager->connection, manager);
    folio_connection_stop(manager->connection);
    g_clear_object(&manager->connection);
}

static void
connect_to(FolioManager *manager, const char *uri)
{
    manager->connection = folio_connection_new(uri);
    g_signal_connect(manager->connection, "domain", G_CALLBACK(on_domain), manager);
    g_signal_connect(manager->connection, "hints", G_CALLBACK(on_hints), manager);
    g_signal_connect(manager->connection, "gone", G_CALLBACK(on_gone), manager);
    g_signal_connect_swapped(manager->connection, "synced", G_CALLBACK(on_libvirt_answered),
                             manager);
    g_signal_connect(manager->connection, "state", G_CALLBACK(on_connection_state), manager);
    if (manager->running)
        folio_connection_start(manager->connection);
}

static void
drop_guests(FolioManager *manager)
{
    g_autoptr(GList) guests = g_hash_table_get_values(manager->guests);

    for (GList *l = guests; l != NULL; l = l->next)
        remove_guest(manager, l->data);
}

/* Reload */

void
folio_manager_apply_settings(FolioManager *manager)
{
    GHashTableIter iter;
    gpointer guest;

    g_hash_table_iter_init(&iter, manager->guests);
    while (g_hash_table_iter_next(&iter, NULL, &guest))
        folio_guest_configure(guest, manager->settings);
}

static void
configure_acting(FolioManager *manager)
{
    const FolioActingConfig *config = &manager->config->acting;

    folio_acting_configure(manager->acting, config);
    folio_deciding_configure(manager->deciding, config);
    folio_sampler_set_max_tracked(folio_sampling_get_sampler(manager->sampling),
                                  config->max_tracked_split);
}

static void
apply_config(FolioManager *manager, FolioConfig *config)
{
    g_autoptr(FolioConfig) old = manager->config;
    const char *uri = wanted_uri(manager, config);

    manager->config = config;
    g_clear_pointer(&manager->settings, folio_guest_settings_free);
    manager->settings = settings_from_config(manager, config);
    folio_sampling_configure(manager->sampling, &config->sampling);
    configure_acting(manager);

    if (!g_str_equal(uri, folio_connection_get_uri(manager->connection))) {
        drop_connection(manager);
        drop_guests(manager);
        connect_to(manager, uri);
    }
    folio_manager_apply_settings(manager);
}

static gboolean
reload(FolioManager *manager, GError **error)
{
    g_autoptr(FolioConfig) config = load_config(manager);
    g_autofree char *lines = NULL;

    if (manager->config_errors[0] == NULL) {
        apply_config(manager, g_steal_pointer(&config));
        folio_log(G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_CONFIG, NULL, NULL, "configuration reloaded");
        return TRUE;
    }
    for (char **text = manager->config_errors; *text != NULL; text++)
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_BAD_CONFIG, NULL, NULL,
                  "reload refused, the configuration stays as it was: %s", *text);
    lines = g_strjoinv("\n", manager->config_errors);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s", lines);
    return FALSE;
}

gboolean
folio_manager_reload(FolioManager *manager, GError **error)
{
    gboolean reloaded;

    g_signal_emit(manager, signals[SIGNAL_RELOADING], 0, TRUE);
    reloaded = reload(manager, error);
    g_signal_emit(manager, signals[SIGNAL_RELOADING], 0, FALSE);
    folio_manager_tell_changed(manager);
    return reloaded;
}

FolioActing *
folio_manager_get_acting(FolioManager *manager)
{
    return manager->acting;
}

FolioDeciding *
folio_manager_get_deciding(FolioManager *manager)
{
    return manager->deciding;
}

/* Features */

static void
probe_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    FolioManager *manager = source;
    const FolioHostPaths paths = { .proc_root = manager->proc_root, .sys_root = manager->sys_root };

    g_task_return_pointer(task, folio_features_probe(&paths), (GDestroyNotify) folio_features_free);
}

static void
on_probed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioManager *manager = FOLIO_MANAGER(source);
    g_autoptr(FolioFeatures) features = g_task_propagate_pointer(G_TASK(result), NULL);

    g_strfreev(manager->features);
    manager->features = folio_features_list(features);
    manager->probed = TRUE;
    folio_manager_tell_changed(manager);
    become_ready(manager);
}

/* What is known */

GPtrArray *
folio_manager_list_guests(FolioManager *manager)
{
    return folio_guest_list_sorted(manager->guests);
}

FolioGuest *
folio_manager_find_uuid(FolioManager *manager, const char *uuid)
{
    return g_hash_table_lookup(manager->guests, uuid);
}

FolioGuest *
folio_manager_find_name(FolioManager *manager, const char *name)
{
    return folio_guest_list_find_name(manager->guests, name);
}

const FolioConfig *
folio_manager_get_config(FolioManager *manager)
{
    return manager->config;
}

const char *const *
folio_manager_get_config_errors(FolioManager *manager)
{
    return (const char *const *) manager->config_errors;
}

const char *
folio_manager_get_uri(FolioManager *manager)
{
    return folio_connection_get_uri(manager->connection);
}

gboolean
folio_manager_is_connected(FolioManager *manager)
{
    return folio_connection_is_connected(manager->connection);
}

const char *
folio_manager_get_connection_error(FolioManager *manager)
{
    return folio_connection_get_error(manager->connection);
}

FolioSampling *
folio_manager_get_sampling(FolioManager *manager)
{
    return manager->sampling;
}

gboolean
folio_manager_has_progressed(FolioManager *manager)
{
    return folio_sampler_has_progressed(folio_sampling_get_sampler(manager->sampling));
}

const char *const *
folio_manager_get_features(FolioManager *manager)
{
    return (const char *const *) manager->features;
}

/* The object */

FolioManager *
folio_manager_new(const FolioManagerOptions *options)
{
    FolioManager *manager = g_object_new(FOLIO_TYPE_MANAGER, NULL);
    const FolioActingOptions acting = { .state_dir = options->state_dir,
                                        .proc_root = options->proc_root,
                                        .sys_root = options->sys_root,
                                        .inject_program = FOLIO_LIBEXEC_DIR "/foliod-inject" };

    manager->connect_override = g_strdup(options->connect);
    manager->run_dir_override = g_strdup(options->run_dir);
    manager->vendor_dir = g_strdup(options->vendor_dir);
    manager->conf_dir = g_strdup(options->conf_dir);
    manager->proc_root = g_strdup(options->proc_root);
    manager->sys_root = g_strdup(options->sys_root);

    manager->run_state = folio_run_state_load(options->state_dir);
    manager->acting =
        folio_acting_new(&acting, (void (*)(gpointer)) folio_manager_tell_changed, manager);
    manager->deciding = folio_deciding_new(manager->acting, options->proc_root, options->state_dir);
    manager->sampling = folio_sampling_new(manager->proc_root, manager->sys_root);
    g_signal_connect_swapped(manager->sampling, "changed", G_CALLBACK(folio_manager_tell_changed),
                             manager);
    manager->config = load_config(manager);
    for (char **text = manager->config_errors; *text != NULL; text++)
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_BAD_CONFIG, NULL, NULL,
                  "starting without this file: %s", *text);
    manager->settings = settings_from_config(manager, manager->config);
    connect_to(manager, wanted_uri(manager, manager->config));
    return manager;
}

void
folio_manager_start(FolioManager *manager)
{
    g_autoptr(GTask) task = g_task_new(manager, NULL, on_probed, NULL);

    manager->running = TRUE;
    folio_sampling_configure(manager->sampling, &manager->config->sampling);
    configure_acting(manager);
    folio_acting_start(manager->acting);
    g_task_run_in_thread(task, probe_in_thread);
    folio_connection_start(manager->connection);
}

void
folio_manager_stop(FolioManager *manager)
{
    manager->running = FALSE;
    drop_connection(manager);
    drop_guests(manager);
}

static void
folio_manager_finalize(GObject *object)
{
    FolioManager *manager = FOLIO_MANAGER(object);

    drop_connection(manager);
    g_hash_table_unref(manager->guests);
    g_clear_pointer(&manager->config, folio_config_free);
    g_clear_pointer(&manager->settings, folio_guest_settings_free);
    g_signal_handlers_disconnect_by_data(manager->sampling, manager);
    g_clear_object(&manager->sampling);
    g_clear_pointer(&manager->run_state, folio_run_state_free);
    g_clear_pointer(&manager->deciding, folio_deciding_free);
    g_clear_pointer(&manager->acting, folio_acting_free);
    g_strfreev(manager->config_errors);
    g_strfreev(manager->features);
    g_free(manager->connect_override);
    g_free(manager->run_dir_override);
    g_free(manager->vendor_dir);
    g_free(manager->conf_dir);
    g_free(manager->proc_root);
    g_free(manager->sys_root);
    G_OBJECT_CLASS(folio_manager_parent_class)->finalize(object);
}

/* argument G_TYPE_NONE: it has none. */
static guint
add_signal(const char *name, GType argument)
{
    if (argument == G_TYPE_NONE)
        return g_signal_new(name, FOLIO_TYPE_MANAGER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                            G_TYPE_NONE, 0);
    return g_signal_new(name, FOLIO_TYPE_MANAGER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                        G_TYPE_NONE, 1, argument);
}

static void
folio_manager_class_init(FolioManagerClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = folio_manager_finalize;
    signals[SIGNAL_READY] = add_signal("ready", G_TYPE_NONE);
    signals[SIGNAL_RELOADING] = add_signal("reloading", G_TYPE_BOOLEAN);
    signals[SIGNAL_CONNECTION] = add_signal("connection", G_TYPE_NONE);
    signals[SIGNAL_CHANGED] = add_signal("changed", G_TYPE_NONE);
    signals[SIGNAL_GUEST_ADDED] = add_signal("guest-added", FOLIO_TYPE_GUEST);
    signals[SIGNAL_GUEST_REMOVED] = add_signal("guest-removed", FOLIO_TYPE_GUEST);
    signals[SIGNAL_GUEST_CHANGED] = add_signal("guest-changed", FOLIO_TYPE_GUEST);
}

static void
folio_manager_init(FolioManager *manager)
{
    manager->guests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_object_unref);
    manager->features = g_new0(char *, 1);
}
