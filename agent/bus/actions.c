/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The members that change something. */
#include "bus/actions.h"

#include "base/error.h"
#include "bus/arguments.h"
#include "bus/options.h"

/* Mode */

void
folio_action_set_mode(FolioCall *call)
{
    const char *text = NULL;
    gboolean resets;
    FolioMode mode;
    GError *error = NULL;

    g_variant_get(call->arguments, "(&s)", &text);
    resets = *text == '\0' || g_str_equal(text, "default");
    if (!resets && !folio_mode_parse(text, &mode, &error)) {
        g_prefix_error(&error, "mode: ");
        folio_call_fail(call, error);
        return;
    }
    if (folio_manager_set_admin_mode(call->manager, call->guest, resets ? NULL : &mode, &error))
        folio_call_return(call, NULL);
    else
        folio_call_fail(call, error);
}

/* Split, collapse, restore */

/* What the call wants. n_blocks 0: all there are. */
typedef struct {
    FolioActKind kind;
    guint order;
    guint64 first_block, n_blocks;
} Wish;

/* What can be said of the arguments before the guest is looked at. */
static gboolean
read_wish(FolioCall *call, Wish *wish, GError **error)
{
    g_autoptr(GVariant) options = NULL;

    wish->order = FOLIO_ORDER_HUGE;
    if (wish->kind == FOLIO_ACT_RESTORE) {
        g_variant_get(call->arguments, "(@a{sv})", &options);
        return folio_bus_options_read(options, NULL, 0, error);
    }
    g_variant_get(call->arguments, "(ttu@a{sv})", &wish->first_block, &wish->n_blocks, &wish->order,
                  &options);
    return folio_arguments_check_range(wish->first_block, wish->n_blocks, G_MAXUINT64, error) &&
           folio_arguments_check_order(wish->kind, wish->order, error) &&
           folio_bus_options_read(options, NULL, 0, error);
}

/* The blocks that are meant, as far as a huge page can map them. */
static GArray *
find_ranges(FolioCall *call, const Wish *wish, GError **error)
{
    const FolioGuestRam *ram = folio_guest_get_ram(call->guest);
    g_autoptr(GArray) ranges = NULL;
    guint64 all;

    if (ram == NULL || folio_guest_get_process(call->guest) == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "the RAM of the guest is not known: %s",
                    folio_guest_get_reason_text(call->guest));
        return NULL;
    }
    all = folio_block_ranges_count(ram);
    if (wish->kind == FOLIO_ACT_RESTORE)
        return folio_block_ranges_new(ram, 0, all);
    if (!folio_arguments_check_range(wish->first_block, wish->n_blocks, all, error))
        return NULL;
    ranges = folio_block_ranges_new(ram, wish->first_block, wish->n_blocks);
    if (ranges->len > 0)
        return g_steal_pointer(&ranges);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                "no huge page can map these blocks: %s", folio_reason_text(ram->reason));
    return NULL;
}

/* A guest that is not fit for it, or a time that is not. Giving back is fit always. */
static gboolean
check_guest(FolioCall *call, const Wish *wish, GError **error)
{
    if (folio_guest_get_state(call->guest) == FOLIO_GUEST_INELIGIBLE) {
        g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                            folio_guest_get_reason_text(call->guest));
        return FALSE;
    }
    if (wish->kind == FOLIO_ACT_RESTORE || !folio_manager_get_paused(call->manager))
        return TRUE;
    g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "foliod is paused");
    return FALSE;
}

/* 0 on error. */
static guint
start_job(FolioCall *call, const Wish *wish, GError **error)
{
    FolioActRequest request = { .kind = wish->kind, .order = wish->order };
    g_autoptr(GArray) ranges = find_ranges(call, wish, error);
    FolioActuator *actuator;

    if (ranges == NULL || !check_guest(call, wish, error))
        return 0;
    actuator =
        folio_actuators_pick(folio_acting_get_actuators(folio_manager_get_acting(call->manager)),
                             wish->kind, wish->order, error);
    if (actuator == NULL)
        return 0;
    request.process = folio_guest_get_process(call->guest);
    request.ranges = ranges;
    return folio_jobs_start(call->jobs, folio_guest_get_uuid(call->guest),
                            folio_guest_get_name(call->guest), actuator, &request, error);
}

static void
act(FolioCall *call, FolioActKind kind)
{
    Wish wish = { .kind = kind };
    GError *error = NULL;
    guint job = 0;

    if (read_wish(call, &wish, &error))
        job = start_job(call, &wish, &error);
    if (job != 0)
        folio_call_return(call, g_variant_new("(u)", job));
    else
        folio_call_fail(call, error);
}

void
folio_action_split(FolioCall *call)
{
    act(call, FOLIO_ACT_SPLIT);
}

void
folio_action_collapse(FolioCall *call)
{
    act(call, FOLIO_ACT_COLLAPSE);
}

void
folio_action_restore(FolioCall *call)
{
    act(call, FOLIO_ACT_RESTORE);
}

void
folio_action_cancel_job(FolioCall *call)
{
    guint id = 0;

    g_variant_get(call->arguments, "(u)", &id);
    if (folio_jobs_find(call->jobs, id) == NULL) {
        folio_call_fail(call,
                        g_error_new_literal(FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "no such job"));
        return;
    }
    folio_jobs_cancel(call->jobs, id);
    folio_call_return(call, NULL);
}

/* Pause */

static void
restore_guest(FolioCall *call, FolioGuest *guest, FolioActuator *actuator)
{
    const FolioGuestRam *ram = folio_guest_get_ram(guest);
    FolioActRequest request = { .kind = FOLIO_ACT_RESTORE,
                                .order = FOLIO_ORDER_HUGE,
                                .process = folio_guest_get_process(guest) };
    g_autoptr(GArray) ranges = NULL;

    if (ram == NULL || request.process == NULL)
        return;
    ranges = folio_block_ranges_new(ram, 0, folio_block_ranges_count(ram));
    request.ranges = ranges;
    folio_jobs_replace(call->jobs, folio_guest_get_uuid(guest), folio_guest_get_name(guest),
                       actuator, &request);
}

/* Without an actuator nothing was ever changed, and there is nothing to give back. */
static void
restore_all(FolioCall *call)
{
    FolioActuator *actuator =
        folio_actuators_pick(folio_acting_get_actuators(folio_manager_get_acting(call->manager)),
                             FOLIO_ACT_RESTORE, FOLIO_ORDER_HUGE, NULL);
    g_autoptr(GPtrArray) guests = folio_manager_list_guests(call->manager);

    for (guint i = 0; actuator != NULL && i < guests->len; i++)
        restore_guest(call, guests->pdata[i], actuator);
}

void
folio_action_pause(FolioCall *call)
{
    g_autoptr(GVariant) options = NULL;
    gboolean restore = FALSE;
    const FolioBusOption table[] = { { "restore", "b", &restore } };
    GError *error = NULL;

    g_variant_get(call->arguments, "(@a{sv})", &options);
    if (!folio_bus_options_read(options, table, G_N_ELEMENTS(table), &error) ||
        !folio_manager_set_paused(call->manager, TRUE, &error)) {
        folio_call_fail(call, error);
        return;
    }
    folio_jobs_cancel_all(call->jobs);
    if (restore)
        restore_all(call);
    folio_call_return(call, NULL);
}

void
folio_action_resume(FolioCall *call)
{
    GError *error = NULL;

    if (folio_manager_set_paused(call->manager, FALSE, &error))
        folio_call_return(call, NULL);
    else
        folio_call_fail(call, error);
}
