/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has been done to one guest. */
#include "acted-guest.h"

#include "act/watch.h"
#include "base/log.h"

/* So many split blocks of all guests together are looked at each time: some 8 us each
 * (act/watch.h), so that it takes a thousandth of a core; of 100,000 each one is looked at every 17
 * minutes. */
#define LOOK_BLOCKS 1024u

struct _FolioActedGuest {
    FolioActedHost *host;
    FolioGuest *guest; /* NULL: it has gone */
    void (*looked)(FolioGuest *guest, gpointer user_data);
    gpointer user_data;
    FolioProcess *process;    /* NULL: not known */
    FolioLedgerGuest *record; /* of that process; NULL: not known yet */
    FolioKeeper keeper;
    gboolean keepable;
    gint64 renewed_usec;
    gboolean looking;
    gboolean may_inject; /* of the last look */
};

/* A look: what it needs, and what it finds. */
typedef struct {
    FolioActedGuest *acted; /* a reference, given back on the main context */
    char *uuid, *name;
    FolioProcess *process;
    FolioGuestRam *ram;
    FolioLedgerGuest *record; /* NULL: to be asked for, which may take a while */
    FolioKhugepaged handling;
    gboolean may_inject;
    guint64 n_split; /* blocks of all guests */
    gint64 renewed_usec;
    FolioKeeper keeper;
    gboolean keepable;
} Look;

FolioActedGuest *
folio_acted_guest_new(FolioActedHost *host, FolioGuest *guest,
                      void (*looked)(FolioGuest *guest, gpointer user_data), gpointer user_data)
{
    FolioActedGuest *acted = g_rc_box_new0(FolioActedGuest);

    acted->host = host;
    acted->guest = guest;
    acted->looked = looked;
    acted->user_data = user_data;
    acted->keepable = TRUE;
    return acted;
}

FolioGuest *
folio_acted_guest_get(const FolioActedGuest *acted)
{
    return acted->guest;
}

static void
drop_process(FolioActedGuest *acted)
{
    g_clear_pointer(&acted->record, folio_ledger_guest_unref);
    g_clear_pointer(&acted->process, folio_process_unref);
    acted->keeper = FOLIO_KEEPER_FREE;
    acted->keepable = TRUE;
    acted->renewed_usec = 0;
}

static void
release(FolioActedGuest *acted)
{
    g_rc_box_release_full(acted, (GDestroyNotify) drop_process);
}

void
folio_acted_guest_free(FolioActedGuest *acted)
{
    acted->guest = NULL;
    release(acted);
}

static void
look_free(gpointer data)
{
    Look *look = data;

    folio_process_unref(look->process);
    folio_guest_ram_free(look->ram);
    g_clear_pointer(&look->record, folio_ledger_guest_unref);
    g_free(look->uuid);
    g_free(look->name);
    g_free(look);
}

/* An action says what is wrong when it comes to one; here the next look may do better. */
static void
tell(const Look *look, GError *error)
{
    if (error != NULL)
        folio_log(G_LOG_LEVEL_DEBUG, NULL, look->name, look->uuid, "%s: %s", look->name,
                  error->message);
    g_clear_error(&error);
}

/* The guest's part of LOOK_BLOCKS. */
static guint
blocks_to_look_at(const Look *look)
{
    const guint64 own = folio_ledger_count(look->record).split_now;

    return (guint) MAX(own * LOOK_BLOCKS / MAX(look->n_split, LOOK_BLOCKS), 1);
}

static void
look_at_splits(Look *look, const FolioActedHost *host)
{
    const guint hold_msec = folio_khugepaged_hold_msec(host->khugepaged);
    GError *error = NULL;
    guint64 recollapsed = 0;

    if (!folio_watch_look(look->process, look->ram, look->record, host->proc_root,
                          blocks_to_look_at(look), &recollapsed, &error))
        tell(look, g_steal_pointer(&error));
    if (recollapsed > 0)
        folio_log(G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_LEDGER, look->name, look->uuid,
                  "%s: %" G_GUINT64_FORMAT " blocks that were split have been made huge by others",
                  look->name, recollapsed);
    if (!folio_watch_renew(host->damon, look->process, look->ram, look->record, host->proc_root,
                           hold_msec, &look->renewed_usec, NULL, &error))
        tell(look, g_steal_pointer(&error));
}

static void
look_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    Look *look = task_data;
    const FolioActedHost *host = look->acted->host;

    if (look->record != NULL && folio_ledger_count(look->record).split_now > 0)
        look_at_splits(look, host);
    /* The first look is short, so that what is written is soon known. Of a process that has ended
     * the record of the next one must not be asked away. */
    if (look->record == NULL && folio_process_is_alive(look->process))
        look->record = folio_ledger_get_guest(host->ledger, look->uuid, look->process);
    look->keeper = folio_khugepaged_look(host->khugepaged, look->process);
    look->keepable = look->keeper != FOLIO_KEEPER_FREE ||
                     folio_khugepaged_could_keep_away(host->khugepaged, look->process,
                                                      look->handling, look->may_inject);
    g_task_return_boolean(task, TRUE);
}

static void
take(FolioActedGuest *acted, const Look *look)
{
    const gboolean first = acted->record == NULL;

    if (first)
        acted->record = folio_ledger_guest_ref(look->record);
    acted->keeper = look->keeper;
    acted->keepable = look->keepable;
    acted->renewed_usec = look->renewed_usec;
    acted->looked(acted->guest, acted->user_data);
    if (first && acted->guest != NULL)
        folio_acted_guest_look(acted, acted->may_inject);
}

static void
on_looked(GObject *source, GAsyncResult *result, gpointer user_data)
{
    const Look *look = g_task_get_task_data(G_TASK(result));
    FolioActedGuest *acted = look->acted;

    acted->host->looks--;
    acted->looking = FALSE;
    if (acted->guest != NULL && acted->process == look->process && look->record != NULL)
        take(acted, look);
    else if (acted->guest != NULL && acted->process != look->process)
        folio_acted_guest_look(acted, acted->may_inject); /* at the one that there is now */
    /* Not with the task, which may be freed by its thread. */
    release(acted);
}

gboolean
folio_acted_guest_is_outdated(const FolioActedGuest *acted)
{
    return folio_guest_get_process(acted->guest) != acted->process;
}

static void
follow(FolioActedGuest *acted)
{
    FolioProcess *process = folio_guest_get_process(acted->guest);

    if (process == acted->process)
        return;
    drop_process(acted);
    if (process == NULL)
        return;
    acted->process = folio_process_ref(process);
    acted->record =
        folio_ledger_peek_guest(acted->host->ledger, folio_guest_get_uuid(acted->guest), process);
}

void
folio_acted_guest_look(FolioActedGuest *acted, gboolean may_inject)
{
    FolioGuest *guest = acted->guest;
    const FolioGuestRam *ram = folio_guest_get_ram(guest);
    g_autoptr(GTask) task = NULL;
    Look *look;

    acted->may_inject = may_inject;
    follow(acted);
    if (acted->process == NULL || ram == NULL || acted->looking)
        return;
    look = g_new0(Look, 1);
    look->acted = g_rc_box_acquire(acted);
    look->uuid = g_strdup(folio_guest_get_uuid(guest));
    look->name = g_strdup(folio_guest_get_name(guest));
    look->process = folio_process_ref(acted->process);
    look->ram = folio_guest_ram_copy(ram);
    look->record = acted->record != NULL ? folio_ledger_guest_ref(acted->record) : NULL;
    look->handling = folio_guest_get_policy(guest)->values.khugepaged;
    look->may_inject = may_inject;
    look->n_split = acted->host->n_split;
    look->renewed_usec = acted->renewed_usec;
    acted->looking = TRUE;
    acted->host->looks++;
    task = g_task_new(NULL, NULL, on_looked, NULL);
    g_task_set_task_data(task, look, look_free);
    g_task_run_in_thread(task, look_in_thread);
}

FolioLedgerCounters
folio_acted_guest_count(const FolioActedGuest *acted)
{
    const FolioLedgerCounters none = { 0 };

    return acted->record != NULL ? folio_ledger_count(acted->record) : none;
}

FolioLedgerGuest *
folio_acted_guest_get_record(const FolioActedGuest *acted)
{
    return acted->record;
}

FolioKeeper
folio_acted_guest_get_keeper(const FolioActedGuest *acted)
{
    return acted->keeper;
}

gboolean
folio_acted_guest_is_keepable(const FolioActedGuest *acted)
{
    return acted->keepable;
}
