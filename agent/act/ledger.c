/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records of all guests and of the host, each written before it counts. */
#include "act/ledger.h"

#include "act/ledger-file.h"
#include "act/ledger-host.h"
#include "act/ledger-store.h"
#include "base/error.h"
#include "base/log.h"

/* No host has so many guests; each may have a file of FOLIO_LEDGER_MAX_BYTES. */
#define MAX_GUESTS 1024u

/* What a run adds to a file when it ends must find room: a chunk of 256 blocks of which no two
 * became the same takes 6 KiB. */
#define RESERVE_BYTES (64 * 1024)

struct _FolioLedger {
    FolioLedgerStore *store;
    FolioLedgerHost *host;
    GMutex lock;
    GHashTable *guests; /* uuid -> FolioLedgerGuest */
};

/* writer is held while a new record is made and written, lock only to look at the record or to put
 * another in its place: whoever asks never waits for a file. */
struct _FolioLedgerGuest {
    FolioLedgerStore *store;
    GMutex writer;
    GError *refusal; /* under writer; why nothing is written of it; NULL: it is */
    GMutex lock;
    FolioLedgerRecord *record;
    guint64 split_now; /* of the record */
    guint64 turn;      /* actions that have begun or ended */
    guint64 looked_until;
};

static FolioLedgerGuest *
guest_new(FolioLedgerStore *store, FolioLedgerRecord *record)
{
    FolioLedgerGuest *guest = g_atomic_rc_box_new0(FolioLedgerGuest);

    guest->store = folio_ledger_store_ref(store);
    guest->record = record;
    guest->split_now = folio_ledger_record_count(record);
    g_mutex_init(&guest->writer);
    g_mutex_init(&guest->lock);
    return guest;
}

static void
guest_clear(gpointer data)
{
    FolioLedgerGuest *guest = data;

    folio_ledger_store_unref(guest->store);
    g_clear_error(&guest->refusal);
    folio_ledger_record_free(guest->record);
    g_mutex_clear(&guest->writer);
    g_mutex_clear(&guest->lock);
}

FolioLedgerGuest *
folio_ledger_guest_ref(FolioLedgerGuest *guest)
{
    return g_atomic_rc_box_acquire(guest);
}

void
folio_ledger_guest_unref(FolioLedgerGuest *guest)
{
    g_atomic_rc_box_release_full(guest, guest_clear);
}

/* Under writer. */
static void
put_record(FolioLedgerGuest *guest, FolioLedgerRecord *record, gboolean turn)
{
    const guint64 split_now = folio_ledger_record_count(record);
    FolioLedgerRecord *before;

    g_mutex_lock(&guest->lock);
    before = guest->record;
    guest->record = record;
    guest->split_now = split_now;
    guest->turn += turn ? 1 : 0;
    g_mutex_unlock(&guest->lock);
    folio_ledger_record_free(before);
}

/* Under writer. */
static gboolean
write_record(FolioLedgerGuest *guest, const FolioLedgerRecord *record, gsize max_bytes,
             GError **error)
{
    GString *text;
    gboolean written = FALSE;

    if (guest->refusal != NULL) {
        g_propagate_error(error, g_error_copy(guest->refusal));
        return FALSE;
    }
    text = folio_ledger_file_print_guest(record);
    if (text->len > max_bytes)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY,
                    "ledger of %s: there is too much in it already: restore some of the guest",
                    record->uuid);
    else
        written = folio_ledger_store_write(guest->store, record->uuid, text->str, text->len, error);
    g_string_free(text, TRUE);
    return written;
}

/* Takes next. Only what is written counts. Under writer. */
static gboolean
commit(FolioLedgerGuest *guest, FolioLedgerRecord *next, gboolean turn, gsize max_bytes,
       GError **error)
{
    if (!write_record(guest, next, max_bytes, error)) {
        folio_ledger_record_free(next);
        return FALSE;
    }
    put_record(guest, next, turn);
    return TRUE;
}

/* Takes next, of what has happened already: it counts whether it can be written or not. Under
 * writer. */
static void
note(FolioLedgerGuest *guest, FolioLedgerRecord *next, gboolean turn)
{
    g_autoptr(GError) error = NULL;

    if (guest->refusal == NULL && !write_record(guest, next, FOLIO_LEDGER_MAX_BYTES, &error))
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_LEDGER, NULL, next->uuid,
                  "what was done cannot be written down; what was written before stays: %s",
                  error->message);
    put_record(guest, next, turn);
}

/* Reading what is there */

static FolioLedgerRecord *
load_record(FolioLedgerStore *store, const char *uuid, GError **error)
{
    gsize length = 0;
    g_autofree char *text =
        folio_ledger_store_read(store, uuid, FOLIO_LEDGER_MAX_BYTES, &length, error);
    g_autoptr(FolioLedgerRecord) record = NULL;

    if (text == NULL)
        return NULL;
    record = folio_ledger_file_parse_guest(text, length, error);
    if (record != NULL && !g_str_equal(record->uuid, uuid)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "it is of another guest, %s",
                    record->uuid);
        return NULL;
    }
    return g_steal_pointer(&record);
}

static void
load_guest(FolioLedger *ledger, const char *uuid)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioLedgerRecord) record = load_record(ledger->store, uuid, &error);

    if (record == NULL)
        folio_ledger_store_set_aside(ledger->store, uuid, error->message);
    else if (!folio_ledger_store_is_of_this_boot(ledger->store, record->boot))
        folio_ledger_store_remove(ledger->store, uuid);
    else
        g_hash_table_insert(ledger->guests, g_strdup(uuid),
                            guest_new(ledger->store, g_steal_pointer(&record)));
}

static void
load(FolioLedger *ledger)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) uuids = folio_ledger_store_list_guests(ledger->store, MAX_GUESTS, &error);

    if (uuids == NULL) {
        if (!g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND))
            folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_LEDGER, NULL, NULL,
                      "what was done before cannot be read: %s", error->message);
        return;
    }
    for (guint i = 0; i < uuids->len; i++)
        load_guest(ledger, uuids->pdata[i]);
}

FolioLedger *
folio_ledger_open(const char *directory)
{
    FolioLedger *ledger = g_new0(FolioLedger, 1);

    ledger->store = folio_ledger_store_new(directory, "ledger");
    ledger->host = folio_ledger_host_load(ledger->store);
    ledger->guests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                           (GDestroyNotify) folio_ledger_guest_unref);
    g_mutex_init(&ledger->lock);
    load(ledger);
    return ledger;
}

void
folio_ledger_free(FolioLedger *ledger)
{
    g_hash_table_unref(ledger->guests);
    folio_ledger_host_free(ledger->host);
    folio_ledger_store_unref(ledger->store);
    g_mutex_clear(&ledger->lock);
    g_free(ledger);
}

/* Knobs */

gboolean
folio_ledger_take_knob(FolioLedger *ledger, const char *path, const char *original,
                       const char *ours, GError **error)
{
    return folio_ledger_host_take(ledger->host, path, original, ours, error);
}

gboolean
folio_ledger_get_knob(FolioLedger *ledger, const char *path, char **original, char **ours)
{
    return folio_ledger_host_get(ledger->host, path, original, ours);
}

gboolean
folio_ledger_drop_knob(FolioLedger *ledger, const char *path, GError **error)
{
    return folio_ledger_host_drop(ledger->host, path, error);
}

/* Guests */

/* From now on nothing is written of it: what its holders still do to it is of the past. */
static void
retire(FolioLedgerGuest *guest)
{
    g_mutex_lock(&guest->writer);
    if (guest->refusal == NULL)
        g_set_error(&guest->refusal, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND,
                    "ledger of %s: that run of the guest has ended", guest->record->uuid);
    folio_ledger_store_remove(guest->store, guest->record->uuid);
    g_mutex_unlock(&guest->writer);
}

/* Under lock. */
static FolioLedgerGuest *
add_guest(FolioLedger *ledger, const char *uuid, const FolioProcess *process)
{
    GError *no_boot = NULL;
    const char *boot = folio_ledger_store_get_boot(ledger->store, &no_boot);
    FolioLedgerGuest *guest =
        guest_new(ledger->store, folio_ledger_record_new(uuid, boot, folio_process_get_pid(process),
                                                         folio_process_get_start_time(process)));

    guest->refusal = no_boot;
    if (no_boot != NULL)
        return guest;
    if (!g_uuid_string_is_valid(uuid))
        g_set_error(&guest->refusal, FOLIO_ERROR, FOLIO_ERROR_INVALID, "ledger: %.64s: not a UUID",
                    uuid);
    else if (g_hash_table_size(ledger->guests) >= MAX_GUESTS)
        g_set_error(&guest->refusal, FOLIO_ERROR, FOLIO_ERROR_BUSY,
                    "ledger of %s: there are %u guests in it already", uuid, MAX_GUESTS);
    else
        g_hash_table_insert(ledger->guests, g_strdup(uuid), folio_ledger_guest_ref(guest));
    return guest;
}

static gboolean
is_of_process(FolioLedgerGuest *guest, const FolioProcess *process)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

    return guest->record->pid == folio_process_get_pid(process) &&
           guest->record->start_time == folio_process_get_start_time(process);
}

static gboolean
is_running(FolioLedgerGuest *guest, const char *proc_root)
{
    guint64 start_time;
    pid_t pid;

    g_mutex_lock(&guest->lock);
    pid = guest->record->pid;
    start_time = guest->record->start_time;
    g_mutex_unlock(&guest->lock);
    return folio_process_is_running(proc_root, pid, start_time);
}

FolioLedgerGuest *
folio_ledger_get_guest(FolioLedger *ledger, const char *uuid, const FolioProcess *process)
{
    g_autofree char *lower = g_ascii_strdown(uuid, -1);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&ledger->lock);
    FolioLedgerGuest *guest = g_hash_table_lookup(ledger->guests, lower);

    if (guest != NULL && is_of_process(guest, process))
        return folio_ledger_guest_ref(guest);
    if (guest != NULL) {
        retire(guest);
        g_hash_table_remove(ledger->guests, lower);
    }
    return add_guest(ledger, lower, process);
}

FolioLedgerGuest *
folio_ledger_peek_guest(FolioLedger *ledger, const char *uuid, const FolioProcess *process)
{
    g_autofree char *lower = g_ascii_strdown(uuid, -1);
    FolioLedgerGuest *guest;

    if (!g_mutex_trylock(&ledger->lock))
        return NULL;
    guest = g_hash_table_lookup(ledger->guests, lower);
    if (guest != NULL)
        guest = is_of_process(guest, process) ? folio_ledger_guest_ref(guest) : NULL;
    g_mutex_unlock(&ledger->lock);
    return guest;
}

void
folio_ledger_forget_guest(FolioLedger *ledger, const char *uuid)
{
    g_autofree char *lower = g_ascii_strdown(uuid, -1);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&ledger->lock);
    FolioLedgerGuest *guest = g_hash_table_lookup(ledger->guests, lower);

    if (guest == NULL)
        return;
    retire(guest);
    g_hash_table_remove(ledger->guests, lower);
}

void
folio_ledger_forget_gone(FolioLedger *ledger, const char *proc_root)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&ledger->lock);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, ledger->guests);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FolioLedgerGuest *guest = value;

        if (is_running(guest, proc_root))
            continue;
        retire(guest);
        g_hash_table_iter_remove(&iter);
    }
}

static guint64
get_split_now(FolioLedgerGuest *guest)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

    return guest->split_now;
}

gboolean
folio_ledger_has_split(FolioLedger *ledger)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&ledger->lock);
    GHashTableIter iter;
    gpointer guest;

    g_hash_table_iter_init(&iter, ledger->guests);
    while (g_hash_table_iter_next(&iter, NULL, &guest)) {
        if (get_split_now(guest) > 0)
            return TRUE;
    }
    return FALSE;
}

static gint64
now_seconds(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

gboolean
folio_ledger_begin(FolioLedgerGuest *guest, const FolioActRequest *request,
                   const FolioBlockRange *ranges, guint n_ranges, GError **error)
{
    g_autoptr(GMutexLocker) writer = g_mutex_locker_new(&guest->writer);
    g_autoptr(FolioLedgerRecord) next = folio_ledger_record_copy(guest->record);

    if (!folio_ledger_record_begin(next, request, ranges, n_ranges, now_seconds(), error))
        return FALSE;
    return commit(guest, g_steal_pointer(&next), TRUE, FOLIO_LEDGER_MAX_BYTES - RESERVE_BYTES,
                  error);
}

void
folio_ledger_ended(FolioLedgerGuest *guest, const FolioActRequest *request,
                   const FolioBlockRange *ranges, guint n_ranges, const FolioOutcome *outcomes)
{
    g_autoptr(GMutexLocker) writer = g_mutex_locker_new(&guest->writer);
    g_autoptr(FolioLedgerRecord) next = folio_ledger_record_copy(guest->record);
    g_autoptr(GError) error = NULL;

    if (folio_ledger_record_end(next, request, ranges, n_ranges, outcomes, now_seconds(), &error))
        note(guest, g_steal_pointer(&next), TRUE);
    else
        folio_warning("what became of blocks was not noted: %s", error->message);
}

static void
prune(FolioLedgerGuest *guest, const FolioGuestRam *ram)
{
    g_autoptr(GMutexLocker) writer = g_mutex_locker_new(&guest->writer);
    FolioLedgerRecord *next = folio_ledger_record_copy(guest->record);

    folio_ledger_record_prune(next, ram, TRUE);
    note(guest, next, FALSE);
}

GArray *
folio_ledger_get_split(FolioLedgerGuest *guest, const FolioGuestRam *ram)
{
    gboolean gone;
    GArray *ranges;

    g_mutex_lock(&guest->lock);
    ranges = folio_ledger_record_get_split(guest->record, ram);
    gone = folio_ledger_record_prune(guest->record, ram, FALSE);
    g_mutex_unlock(&guest->lock);
    if (gone)
        prune(guest, ram);
    return ranges;
}

gboolean
folio_ledger_find_split(FolioLedgerGuest *guest, const FolioRamBlock *block, guint64 from,
                        guint64 *address, guint *order)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

    return folio_ledger_record_find_split(guest->record, block, from, address, order);
}

guint64
folio_ledger_get_turn(FolioLedgerGuest *guest)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

    return guest->turn;
}

gboolean
folio_ledger_looked(FolioLedgerGuest *guest, const FolioGuestRam *ram, guint64 turn,
                    const FolioLedgerSight *sights, guint n_sights, guint64 *recollapsed)
{
    g_autoptr(GMutexLocker) writer = g_mutex_locker_new(&guest->writer);
    FolioLedgerRecord *next;

    *recollapsed = 0;
    /* Only a writer moves it, or changes the record. */
    if (guest->turn != turn)
        return FALSE;
    if (!folio_ledger_record_look(guest->record, ram, sights, n_sights, FALSE))
        return TRUE;
    next = folio_ledger_record_copy(guest->record);
    folio_ledger_record_look(next, ram, sights, n_sights, TRUE);
    *recollapsed = next->counters.recollapsed - guest->record->counters.recollapsed;
    note(guest, next, FALSE);
    return TRUE;
}

guint64
folio_ledger_get_looked_until(FolioLedgerGuest *guest)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

    return guest->looked_until;
}

void
folio_ledger_set_looked_until(FolioLedgerGuest *guest, guint64 address)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

    guest->looked_until = address;
}

FolioLedgerCounters
folio_ledger_count(FolioLedgerGuest *guest)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
    FolioLedgerCounters counters = guest->record->counters;

    counters.split_now = guest->split_now;
    return counters;
}

GArray *
folio_ledger_list_actions(FolioLedgerGuest *guest)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

    return folio_ledger_actions_copy(guest->record->actions);
}

FolioLedgerThp
folio_ledger_get_thp(FolioLedgerGuest *guest)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

    return guest->record->thp;
}

gboolean
folio_ledger_set_thp(FolioLedgerGuest *guest, const FolioLedgerThp *thp, GError **error)
{
    g_autoptr(GMutexLocker) writer = g_mutex_locker_new(&guest->writer);
    FolioLedgerRecord *next = folio_ledger_record_copy(guest->record);

    next->thp = *thp;
    return commit(guest, next, FALSE, FOLIO_LEDGER_MAX_BYTES, error);
}
