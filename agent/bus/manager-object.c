/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /org/foliod1: the interface org.foliod1.Manager. */
#include "bus/manager-object.h"

#include "bus/actions.h"
#include "bus/path.h"
#include "build-config.h"

/* Questions that one list has open: as many as keep polkit busy, so that a flood of lists of many
 * guests takes little memory. */
#define LISTING_QUESTIONS 8

/* ListGuests while polkit is asked about each guest. */
typedef struct {
    FolioCall *call;
    GPtrArray *guests;  /* FolioGuest, in the order of the answer */
    gboolean *may_view; /* of each guest */
    guint n_asked;
    guint n_answered;
} Listing;

typedef struct {
    Listing *listing;
    guint index;
} ListingItem;

/* A guest that has gone meanwhile is left out as well. */
static void
return_listing(Listing *listing)
{
    FolioCall *call = listing->call;
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("a(sos)"));
    for (guint i = 0; i < listing->guests->len; i++) {
        FolioGuest *guest = listing->guests->pdata[i];
        const char *uuid = folio_guest_get_uuid(guest);
        g_autofree char *path = folio_path_from_uuid(uuid);

        if (listing->may_view[i] && folio_manager_find_uuid(call->manager, uuid) == guest)
            g_variant_builder_add(&list, "(so@s)", uuid, path,
                                  folio_bus_string(folio_guest_get_name(guest)));
    }
    folio_call_return(call, g_variant_new("(a(sos))", &list));
    g_ptr_array_unref(listing->guests);
    g_free(listing->may_view);
    g_free(listing);
}

static void go_on_listing(Listing *listing);

static void
on_guest_answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree ListingItem *item = user_data;
    Listing *listing = item->listing;

    listing->may_view[item->index] = folio_bouncer_ask_finish(listing->call->bouncer, result, NULL);
    listing->n_answered++;
    go_on_listing(listing);
}

static void
go_on_listing(Listing *listing)
{
    if (listing->n_answered == listing->guests->len) {
        return_listing(listing);
        return;
    }
    while (listing->n_asked < listing->guests->len &&
           listing->n_asked - listing->n_answered < LISTING_QUESTIONS) {
        ListingItem *item = g_new0(ListingItem, 1);

        item->listing = listing;
        item->index = listing->n_asked++;
        folio_call_ask_async(listing->call, FOLIO_ACTION_VIEW, listing->guests->pdata[item->index],
                             on_guest_answered, item);
    }
}

static void
list_guests(FolioCall *call)
{
    Listing *listing = g_new0(Listing, 1);

    listing->call = call;
    listing->guests = folio_manager_list_guests(call->manager);
    listing->may_view = g_new0(gboolean, listing->guests->len);
    go_on_listing(listing);
}

static void
get_guest(FolioCall *call)
{
    g_autofree char *path = folio_path_from_uuid(folio_guest_get_uuid(call->guest));

    folio_call_return(call, g_variant_new("(o)", path));
}

static void
subscribe(FolioCall *call)
{
    GError *error = NULL;

    if (folio_subscribers_add(call->subscribers, folio_call_get_sender(call), &error))
        folio_call_return(call, NULL);
    else
        folio_call_fail(call, error);
}

static void
unsubscribe(FolioCall *call)
{
    folio_subscribers_remove(call->subscribers, folio_call_get_sender(call));
    folio_call_return(call, NULL);
}

static void
reload(FolioCall *call)
{
    GError *error = NULL;

    if (folio_manager_reload(call->manager, &error))
        folio_call_return(call, NULL);
    else
        folio_call_fail(call, error);
}

static void
on_doctor_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioCall *call = user_data;
    GError *error = NULL;
    g_autoptr(GPtrArray) checks = folio_manager_doctor_finish(call->manager, result, &error);
    GVariantBuilder list;

    if (call->guest != NULL && !folio_call_keeps_guest(call)) {
        g_clear_error(&error);
        return;
    }
    if (checks == NULL) {
        folio_call_fail(call, error);
        return;
    }
    g_variant_builder_init(&list, G_VARIANT_TYPE("a(ssss)"));
    for (guint i = 0; i < checks->len; i++) {
        const FolioCheck *check = checks->pdata[i];

        g_variant_builder_add(&list, "(ss@s@s)", check->check,
                              folio_check_result_token(check->result),
                              folio_bus_string(check->text), folio_bus_string(check->remedy));
    }
    folio_call_return(call, g_variant_new("(a(ssss))", &list));
}

static void
doctor(FolioCall *call)
{
    folio_manager_doctor_async(call->manager, call->guest, on_doctor_done, call);
}

static GVariant *
strings(const char *const *texts)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE_STRING_ARRAY);
    for (gsize i = 0; texts[i] != NULL; i++)
        g_variant_builder_add_value(&list, folio_bus_string(texts[i]));
    return g_variant_builder_end(&list);
}

static GVariant *
get_version(FolioCall *call)
{
    return g_variant_new_string(FOLIO_VERSION);
}

static GVariant *
get_features(FolioCall *call)
{
    return strings(folio_manager_get_features(call->manager));
}

static GVariant *
get_uri(FolioCall *call)
{
    return folio_bus_string(folio_manager_get_uri(call->manager));
}

static GVariant *
get_connected(FolioCall *call)
{
    return g_variant_new_boolean(folio_manager_is_connected(call->manager));
}

static GVariant *
get_connection_error(FolioCall *call)
{
    return folio_bus_string(folio_manager_get_connection_error(call->manager));
}

static GVariant *
get_config_errors(FolioCall *call)
{
    return strings(folio_manager_get_config_errors(call->manager));
}

static GVariant *
get_paused(FolioCall *call)
{
    return g_variant_new_boolean(folio_manager_get_paused(call->manager));
}

/* Actions */

/* What there is to do. */
static const struct {
    FolioActKind kind;
    guint order; /* one of those that are told of together */
    const char *text;
} deeds[] = {
    { FOLIO_ACT_SPLIT, 0, "split to order 0" },
    { FOLIO_ACT_SPLIT, 1, "split to orders 1 to 8" },
    { FOLIO_ACT_COLLAPSE, FOLIO_ORDER_HUGE, "collapse" },
};

/* Whether it can do anything here, and what it is taken for, since it is the first that can; else
 * why it cannot. */
static gboolean
describe_actuator(const FolioActuators *actuators, FolioActuator *actuator, char **text)
{
    g_autoptr(GString) taken = g_string_new(NULL);
    g_autofree char *reason = NULL;
    gboolean usable = FALSE;

    if (!folio_actuators_is_chosen(actuators, actuator)) {
        *text = g_strdup("Actuators= in foliod.conf leaves it out");
        return FALSE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(deeds); i++) {
        g_autofree char *why = NULL;

        if (!actuator->klass->probe(actuator, deeds[i].kind, deeds[i].order, &why)) {
            if (reason == NULL)
                reason = g_steal_pointer(&why);
            continue;
        }
        usable = TRUE;
        if (folio_actuators_pick(actuators, deeds[i].kind, deeds[i].order, NULL) == actuator)
            g_string_append_printf(taken, "%s%s", taken->len > 0 ? ", " : "taken to ",
                                   deeds[i].text);
    }
    if (usable)
        *text = g_strdup(taken->len > 0 ? taken->str : "not taken: others come first");
    else
        *text = g_steal_pointer(&reason);
    return usable;
}

static GVariant *
get_actuators(FolioCall *call)
{
    const FolioActuators *actuators =
        folio_acting_get_actuators(folio_manager_get_acting(call->manager));
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("a(sbs)"));
    for (guint i = 0; i < folio_actuators_count(actuators); i++) {
        FolioActuator *actuator = folio_actuators_get(actuators, i);
        g_autofree char *text = NULL;
        const gboolean usable = describe_actuator(actuators, actuator, &text);

        g_variant_builder_add(&list, "(sb@s)", actuator->klass->name, usable,
                              folio_bus_string(text));
    }
    return g_variant_builder_end(&list);
}

static GVariant *
get_jobs_started(FolioCall *call)
{
    return g_variant_new_uint64(folio_jobs_get_counters(call->jobs).started);
}

static GVariant *
get_jobs_done(FolioCall *call)
{
    return g_variant_new_uint64(folio_jobs_get_counters(call->jobs).done);
}

static GVariant *
get_jobs_cancelled(FolioCall *call)
{
    return g_variant_new_uint64(folio_jobs_get_counters(call->jobs).cancelled);
}

static GVariant *
get_jobs_failed(FolioCall *call)
{
    return g_variant_new_uint64(folio_jobs_get_counters(call->jobs).failed);
}

/* Sampling */

static FolioSampling *
sampling_of(FolioCall *call)
{
    return folio_manager_get_sampling(call->manager);
}

static FolioSamplingHostFigures
host_of(FolioCall *call)
{
    FolioSamplingHostFigures figures;

    folio_sampler_get_host_figures(folio_sampling_get_sampler(sampling_of(call)), &figures);
    return figures;
}

static GVariant *
get_sources(FolioCall *call)
{
    /* smaps only says what huge pages map, and needs nothing. */
    static const struct {
        const char *name;
        const char *without;
    } sources[] = {
        { "spe", "there is no SPE unit that the kernel drives" },
        { "perf", "no perf event can be opened" },
        { "smaps", "" },
    };
    const char *const *features = folio_manager_get_features(call->manager);
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("a(sbs)"));
    for (gsize i = 0; i < G_N_ELEMENTS(sources); i++) {
        const gboolean usable =
            *sources[i].without == '\0' || g_strv_contains(features, sources[i].name);

        g_variant_builder_add(&list, "(sbs)", sources[i].name, usable,
                              usable ? "" : sources[i].without);
    }
    return g_variant_builder_end(&list);
}

static GVariant *
get_source(FolioCall *call)
{
    return g_variant_new_string(folio_sampling_get_source(sampling_of(call)));
}

static GVariant *
get_sampled_by(FolioCall *call)
{
    return g_variant_new_string(folio_sampling_get_sampled_by(sampling_of(call)));
}

static GVariant *
get_sampling_error(FolioCall *call)
{
    const FolioSamplingHostFigures host = host_of(call);
    const char *problem = folio_sampling_get_problem(sampling_of(call));

    return folio_bus_string(*problem != '\0' ? problem : host.error);
}

static GVariant *
get_sampled_cpus(FolioCall *call)
{
    return g_variant_new_uint32(host_of(call).cpus);
}

static GVariant *
get_host_samples(FolioCall *call)
{
    return g_variant_new_uint64(host_of(call).samples);
}

static GVariant *
get_host_unmapped_samples(FolioCall *call)
{
    return g_variant_new_uint64(host_of(call).unmapped);
}

static GVariant *
get_host_lost_samples(FolioCall *call)
{
    return g_variant_new_uint64(host_of(call).lost);
}

static GVariant *
get_max_tracked_split(FolioCall *call)
{
    return g_variant_new_uint32(folio_manager_get_config(call->manager)->acting.max_tracked_split);
}

static const FolioProperty properties[] = {
    { "Version", get_version },
    { "Features", get_features },
    { "Paused", get_paused },
    { "Sources", get_sources },
    { "Actuators", get_actuators },
    { "JobsStarted", get_jobs_started },
    { "JobsDone", get_jobs_done },
    { "JobsCancelled", get_jobs_cancelled },
    { "JobsFailed", get_jobs_failed },
    { "Uri", get_uri },
    { "Connected", get_connected },
    { "ConnectionError", get_connection_error },
    { "ConfigErrors", get_config_errors },
    { "Source", get_source },
    { "SampledBy", get_sampled_by },
    { "SamplingError", get_sampling_error },
    { "SampledCpus", get_sampled_cpus },
    { "HostSamples", get_host_samples },
    { "HostUnmappedSamples", get_host_unmapped_samples },
    { "HostLostSamples", get_host_lost_samples },
    { "MaxTrackedSplit", get_max_tracked_split },
};

static const struct {
    const char *name;
    FolioCallRun run;
} methods[] = {
    { "ListGuests", list_guests },
    { "GetGuestByUuid", get_guest },
    { "GetGuestByName", get_guest },
    { "Subscribe", subscribe },
    { "Unsubscribe", unsubscribe },
    { "Pause", folio_action_pause },
    { "Resume", folio_action_resume },
    { "GetJob", folio_action_get_job },
    { "CancelJob", folio_action_cancel_job },
    { "Reload", reload },
    { "Doctor", doctor },
};

void
folio_manager_object_run(FolioCall *call)
{
    if (call->is_property) {
        folio_call_return_property(call, properties, G_N_ELEMENTS(properties));
        return;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
        if (g_str_equal(call->access->member, methods[i].name)) {
            methods[i].run(call);
            return;
        }
    }
    folio_call_fail_unsupported(call);
}

GVariant *
folio_manager_object_describe(FolioManager *manager, FolioJobs *jobs)
{
    return folio_properties_emitted(FOLIO_MANAGER_INTERFACE, properties, G_N_ELEMENTS(properties),
                                    manager, jobs, NULL);
}
