/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of one guest. What blocks (guest-look.c, measuring) runs in tasks, one at a time for
 * each guest; this file takes the results and keeps the state. */
#include "guest-private.h"

#include "base/log.h"
#include "brought-heat.h"

#include <glib-unix.h>

/* A guest that was not located is looked at again, since its PID file or threads may come late: at
 * first soon, then ever more seldom. */
#define RETRY_FIRST_MSEC 250
#define RETRY_LAST_MSEC  30000

#define REFRESH_MIN_USEC    G_USEC_PER_SEC
#define REFRESH_MAX_USEC    (60 * G_USEC_PER_SEC)
#define REFRESH_COST_FACTOR 100

/* A process may be stuck in the kernel, and whoever reads its files with it. So long a refresh
 * waits for that; then what is known is the answer. */
#define PATIENCE_MSEC 2000

G_DEFINE_FINAL_TYPE(FolioGuest, folio_guest, G_TYPE_OBJECT)

enum { SIGNAL_OUTDATED, SIGNAL_CHANGED, N_SIGNALS };

static guint signals[N_SIGNALS];

static void start_look(FolioGuest *guest);

/* State */

static void
set_state(FolioGuest *guest, FolioGuestState state, FolioReason reason, const char *detail)
{
    const char *text = folio_reason_text(reason);
    g_autofree char *full =
        *detail != '\0' ? g_strdup_printf("%s: %s", text, detail) : g_strdup(text);
    gboolean moved = state != guest->state || reason != guest->reason;
    /* Runs may be many, and are told of by themselves. */
    gboolean acting = state == FOLIO_GUEST_ACTING || guest->state == FOLIO_GUEST_ACTING;

    if (!moved && g_strcmp0(full, guest->reason_text) == 0)
        return;
    guest->state = state;
    guest->reason = reason;
    g_free(guest->reason_text);
    guest->reason_text = g_steal_pointer(&full);
    if (moved)
        folio_log(acting ? G_LOG_LEVEL_DEBUG : G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_GUEST_STATE,
                  guest->domain->name, guest->domain->uuid, "%s: %s (%s)", guest->domain->name,
                  folio_guest_state_token(state), guest->reason_text);
}

/* What was seen that led to the reason; "" when there is nothing to add. */
static char *
describe_reason(FolioGuest *guest, FolioReason reason, const FolioSamplingFigures *sampling)
{
    if (reason == FOLIO_REASON_NO_SAMPLER)
        return g_strdup(sampling->error);
    if (reason == FOLIO_REASON_EVIDENCE_SHORT && sampling->windows > 0)
        return g_strdup_printf("%u windows, %" G_GUINT64_FORMAT " samples", sampling->windows,
                               sampling->samples);
    if (guest->look != NULL && guest->look->reason == reason)
        return g_strdup(guest->look->detail);
    return g_strdup("");
}

/* A guest that could be served is sampled, whatever becomes of the samples. */
static void
update_sampling(FolioGuest *guest)
{
    const FolioSamplingFigures none = { .state = FOLIO_SAMPLING_OFF };
    FolioLook *look = guest->look;
    gboolean served =
        folio_guest_judge(look, folio_guest_get_mode(guest), FALSE, &none, &guest->prospect)
            .state == FOLIO_GUEST_LOCATED;

    if (guest->sampling == NULL) /* stopped */
        return;
    folio_guest_sampling_follow(guest->sampling, served ? look->process : NULL,
                                served ? look->ram : NULL);
    folio_guest_sampling_pause(guest->sampling,
                               guest->domain->suspended || guest->settings->paused);
}

static void
update_state(FolioGuest *guest)
{
    g_autofree char *detail = NULL;
    FolioSamplingFigures sampling;
    FolioStanding standing;

    update_sampling(guest);
    folio_guest_sampling_get(guest->sampling, &sampling);
    standing = folio_guest_judge(guest->look, folio_guest_get_mode(guest), guest->domain->suspended,
                                 &sampling, &guest->prospect);
    if (guest->settings->paused)
        standing = folio_guest_judge_paused(standing);
    if (guest->acting)
        standing = folio_guest_judge_acting(standing);
    if (guest->ended)
        standing = (FolioStanding){ FOLIO_GUEST_LEAVING, FOLIO_REASON_PROCESS_GONE };
    detail = describe_reason(guest, standing.reason, &sampling);
    set_state(guest, standing.state, standing.reason, detail);
    g_signal_emit(guest, signals[SIGNAL_CHANGED], 0);
}

static void
on_sampling_changed(gpointer user_data)
{
    update_state(user_data);
}

static void
answer_waiters(FolioGuest *guest)
{
    GTask *task;

    g_clear_handle_id(&guest->patience_source, g_source_remove);
    while ((task = g_queue_pop_head(&guest->waiters)) != NULL) {
        g_task_return_boolean(task, TRUE);
        g_object_unref(task);
    }
}

static gboolean
on_patience_over(gpointer user_data)
{
    FolioGuest *guest = user_data;

    guest->patience_source = 0;
    answer_waiters(guest);
    return G_SOURCE_REMOVE;
}

/* Looking */

static void
forget_look(FolioGuest *guest)
{
    g_clear_handle_id(&guest->exit_source, g_source_remove);
    g_clear_pointer(&guest->look, folio_look_free);
}

static gboolean
on_process_exit(int fd, GIOCondition condition, gpointer user_data)
{
    FolioGuest *guest = user_data;

    guest->exit_source = 0;
    guest->ended = TRUE;
    forget_look(guest);
    update_state(guest);
    return G_SOURCE_REMOVE;
}

/* The process contradicts what libvirt said: it may have said it too early, and it tells of no vCPU
 * that is plugged in. */
static gboolean
contradicts_libvirt(const FolioLook *look)
{
    return look->reason == FOLIO_REASON_VCPU_MISMATCH || look->reason == FOLIO_REASON_PROCESS_GONE;
}

static gboolean
on_retry(gpointer user_data)
{
    FolioGuest *guest = user_data;

    guest->retry_source = 0;
    if (guest->look != NULL && contradicts_libvirt(guest->look))
        g_signal_emit(guest, signals[SIGNAL_OUTDATED], 0);
    start_look(guest);
    return G_SOURCE_REMOVE;
}

static void
schedule_retry(FolioGuest *guest)
{
    if (guest->retry_source != 0)
        return;
    guest->retry_source = g_timeout_add(guest->retry_msec, on_retry, guest);
    guest->retry_msec = MIN(guest->retry_msec * 2, RETRY_LAST_MSEC);
}

static gboolean
look_may_do_better_later(const FolioLook *look)
{
    return look->reason != FOLIO_REASON_NONE && look->reason != FOLIO_REASON_NOT_QEMU_DOMAIN &&
           look->reason != FOLIO_REASON_BAD_XML;
}

/* The domain is first seen, or another run of it. */
static void
receive_heat(FolioGuest *guest)
{
    if (guest->sampling != NULL)
        folio_guest_sampling_bring(guest->sampling, NULL);
    folio_heat_element_clear(&guest->brought);
    folio_heat_element_copy(&guest->brought, &guest->domain->heat);
}

static void
read_heat(FolioGuest *guest)
{
    folio_guest_sampling_bring(
        guest->sampling, folio_brought_heat_read(guest->domain, &guest->brought, guest->look->ram));
    folio_heat_element_clear(&guest->brought);
}

static void
take_look(FolioGuest *guest, FolioLook *look)
{
    forget_look(guest);
    guest->look = look;
    if (look->ram != NULL && (guest->brought.text != NULL || guest->brought.error != NULL))
        read_heat(guest);
    if (look->process != NULL) {
        guest->ended = FALSE; /* a new libvirtd may give the next run the number of the last */
        guest->exit_source =
            g_unix_fd_add(folio_process_get_pidfd(look->process), G_IO_IN, on_process_exit, guest);
    }
    if (look_may_do_better_later(look))
        schedule_retry(guest);
    else
        guest->retry_msec = RETRY_FIRST_MSEC;
    update_state(guest);
}

static void
look_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    g_task_return_pointer(task, folio_look_at_guest(task_data), (GDestroyNotify) folio_look_free);
}

static void
on_look_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioGuest *guest = FOLIO_GUEST(source);
    const FolioLookRequest *request = g_task_get_task_data(G_TASK(result));
    g_autoptr(FolioLook) look = g_task_propagate_pointer(G_TASK(result), NULL);
    gboolean same_run = request->domain->id == guest->domain->id;

    guest->looking = FALSE;
    if (same_run && !guest->stopped && folio_guest_get_mode(guest) != FOLIO_MODE_OFF)
        take_look(guest, g_steal_pointer(&look));
    if (guest->look_again)
        start_look(guest);
    if (!guest->looking)
        answer_waiters(guest);
}

static void
start_look(FolioGuest *guest)
{
    g_autoptr(GTask) task = NULL;
    FolioLookRequest *request = NULL;

    g_clear_handle_id(&guest->retry_source, g_source_remove);
    if (guest->stopped || folio_guest_get_mode(guest) == FOLIO_MODE_OFF)
        return;
    guest->look_again = guest->looking || guest->measuring;
    if (guest->look_again)
        return;

    request = g_new0(FolioLookRequest, 1);
    request->domain = folio_domain_copy(guest->domain);
    request->run_dir = g_strdup(guest->settings->run_dir);
    request->proc_root = g_strdup(guest->settings->proc_root);
    request->sys_root = g_strdup(guest->settings->sys_root);
    request->scan = guest->settings->scan;
    request->nominate = folio_guest_lacks_evidence(guest);

    guest->looking = TRUE;
    task = g_task_new(guest, NULL, on_look_done, NULL);
    g_task_set_task_data(task, request, (GDestroyNotify) folio_look_request_free);
    g_task_run_in_thread(task, look_in_thread);
}

static gboolean
same_domain(const FolioDomain *a, const FolioDomain *b)
{
    return a->id == b->id && a->n_vcpus == b->n_vcpus && g_str_equal(a->name, b->name) &&
           g_str_equal(a->xml, b->xml);
}

static gboolean
is_known(FolioGuest *guest)
{
    return guest->look != NULL && guest->look->reason == FOLIO_REASON_NONE;
}

/* The mode may be another now, or the settings. */
static void
heed_mode(FolioGuest *guest)
{
    if (folio_guest_get_mode(guest) == FOLIO_MODE_OFF)
        forget_look(guest);
    update_state(guest);
    start_look(guest);
}

void
folio_guest_take_hints(FolioGuest *guest, const FolioDomainHints *hints)
{
    const FolioMode before = folio_guest_get_mode(guest);

    if (!folio_guest_hints_take(guest->hints, hints))
        return;
    if (folio_guest_get_mode(guest) != before)
        heed_mode(guest);
    else
        g_signal_emit(guest, signals[SIGNAL_CHANGED], 0);
}

void
folio_guest_update(FolioGuest *guest, const FolioDomain *domain)
{
    gboolean same = same_domain(guest->domain, domain);
    gboolean suspended = guest->domain->suspended;
    gboolean other_run = domain->id != guest->domain->id;

    if (other_run) {
        forget_look(guest); /* another run: nothing known of the last one holds */
        folio_guest_hints_forget(guest->hints);
        guest->ended = FALSE;
    }
    folio_domain_free(guest->domain);
    guest->domain = folio_domain_copy(domain);
    if (other_run)
        receive_heat(guest);
    folio_guest_take_hints(guest, domain->hints);
    if (suspended != domain->suspended && guest->look != NULL && guest->look->ram != NULL)
        guest->look->ram->measured_usec = 0; /* the figures of before are no longer fresh */
    /* What is known stays known; a look that failed keeps its own pace. */
    if (same && (guest->looking || is_known(guest) || guest->retry_source != 0)) {
        update_state(guest);
        return;
    }
    guest->retry_msec = RETRY_FIRST_MSEC;
    start_look(guest);
}

void
folio_guest_configure(FolioGuest *guest, const FolioGuestSettings *settings)
{
    folio_guest_settings_free(guest->settings);
    guest->settings = folio_guest_settings_copy(settings);
    folio_guest_hints_configure(guest->hints, settings);
    heed_mode(guest);
}

void
folio_guest_set_admin_mode(FolioGuest *guest, const FolioMode *mode)
{
    folio_guest_hints_set_admin_mode(guest->hints, mode);
    heed_mode(guest);
}

void
folio_guest_set_prospect(FolioGuest *guest, const FolioProspect *prospect)
{
    if (guest->stopped || (guest->prospect.can_act == prospect->can_act &&
                           guest->prospect.khugepaged_undoes == prospect->khugepaged_undoes))
        return;
    guest->prospect = *prospect;
    update_state(guest);
}

void
folio_guest_set_acting(FolioGuest *guest, gboolean acting)
{
    if (guest->stopped || guest->acting == acting)
        return;
    guest->acting = acting;
    update_state(guest);
}

/* Measuring */

static void
measure_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    g_task_return_boolean(task, folio_measurement_run(task_data));
}

static void
on_measured(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioGuest *guest = FOLIO_GUEST(source);
    FolioMeasurement *measurement = g_task_get_task_data(G_TASK(result));
    gboolean measured = g_task_propagate_boolean(G_TASK(result), NULL);
    FolioLook *look = guest->look;

    guest->measuring = FALSE;
    if (measured && look != NULL && look->process == measurement->process && look->ram != NULL) {
        folio_guest_ram_free(look->ram);
        look->ram = g_steal_pointer(&measurement->ram);
        look->nomination = measurement->nomination;
        guest->measure_cost_usec = measurement->cost_usec;
    }
    /* Its mappings are not as they were: find them anew, and let the callers wait for that. */
    if (guest->look_again || !measured)
        start_look(guest);
    if (!guest->looking)
        answer_waiters(guest);
}

static void
start_measurement(FolioGuest *guest)
{
    g_autoptr(GTask) task = g_task_new(guest, NULL, on_measured, NULL);

    guest->measuring = TRUE;
    g_task_set_task_data(task,
                         folio_measurement_new(guest->look->ram, guest->look->process,
                                               guest->settings->scan,
                                               folio_guest_lacks_evidence(guest)),
                         (GDestroyNotify) folio_measurement_free);
    g_task_run_in_thread(task, measure_in_thread);
}

static gboolean
is_fresh(FolioGuest *guest)
{
    gint64 age = g_get_monotonic_time() - guest->look->ram->measured_usec;
    gint64 bound = guest->measure_cost_usec * REFRESH_COST_FACTOR;

    return age < CLAMP(bound, REFRESH_MIN_USEC, REFRESH_MAX_USEC);
}

void
folio_guest_refresh_async(FolioGuest *guest, GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(guest, NULL, callback, user_data);
    gboolean has_ram = guest->look != NULL && guest->look->ram != NULL;

    g_queue_push_tail(&guest->waiters, task);
    if (guest->patience_source == 0)
        guest->patience_source = g_timeout_add(PATIENCE_MSEC, on_patience_over, guest);
    if (guest->looking || guest->measuring)
        return;
    if (has_ram && !guest->stopped && !is_fresh(guest))
        start_measurement(guest);
    else
        answer_waiters(guest);
}

void
folio_guest_refresh_finish(FolioGuest *guest, GAsyncResult *result)
{
    g_task_propagate_boolean(G_TASK(result), NULL);
}

/* The object */

FolioGuest *
folio_guest_new(const FolioDomain *domain, const FolioGuestSettings *settings)
{
    FolioGuest *guest = g_object_new(FOLIO_TYPE_GUEST, NULL);

    guest->domain = folio_domain_copy(domain);
    receive_heat(guest);
    guest->settings = folio_guest_settings_copy(settings);
    guest->hints = folio_guest_hints_new(domain, settings);
    guest->sampling = folio_guest_sampling_new(settings->sampling, on_sampling_changed, guest);
    g_signal_connect_swapped(settings->sampling, "changed", G_CALLBACK(update_state), guest);
    update_state(guest);
    start_look(guest);
    return guest;
}

void
folio_guest_stop(FolioGuest *guest)
{
    guest->stopped = TRUE;
    g_clear_handle_id(&guest->retry_source, g_source_remove);
    forget_look(guest);
    if (guest->settings != NULL)
        g_signal_handlers_disconnect_by_data(guest->settings->sampling, guest);
    g_clear_pointer(&guest->sampling, folio_guest_sampling_free);
}

static void
folio_guest_dispose(GObject *object)
{
    folio_guest_stop(FOLIO_GUEST(object));
    G_OBJECT_CLASS(folio_guest_parent_class)->dispose(object);
}

static void
folio_guest_finalize(GObject *object)
{
    FolioGuest *guest = FOLIO_GUEST(object);

    folio_heat_element_clear(&guest->brought);
    folio_domain_free(guest->domain);
    folio_guest_settings_free(guest->settings);
    folio_guest_hints_free(guest->hints);
    g_free(guest->reason_text);
    G_OBJECT_CLASS(folio_guest_parent_class)->finalize(object);
}

static void
folio_guest_class_init(FolioGuestClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = folio_guest_dispose;
    G_OBJECT_CLASS(klass)->finalize = folio_guest_finalize;
    signals[SIGNAL_OUTDATED] = g_signal_new("outdated", FOLIO_TYPE_GUEST, G_SIGNAL_RUN_LAST, 0,
                                            NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_CHANGED] = g_signal_new("changed", FOLIO_TYPE_GUEST, G_SIGNAL_RUN_LAST, 0, NULL,
                                           NULL, NULL, G_TYPE_NONE, 0);
}

static void
folio_guest_init(FolioGuest *guest)
{
    g_queue_init(&guest->waiters);
    guest->retry_msec = RETRY_FIRST_MSEC;
    guest->reason = FOLIO_REASON_LAST; /* so that the first state is logged */
}
