/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and writing the files of plans. */
#include "plan-store.h"

#include "act/ledger-file.h"
#include "act/ledger-store.h"
#include "base/error.h"
#include "memory/block-ranges.h"

/* No host has so many guests. */
#define MAX_FILES 1024u

struct _FolioPlanStore {
    FolioLedgerStore *files;
    char *proc_root;
    GMutex lock; /* while files are read or written */
};

FolioPlanStore *
folio_plan_store_new(const char *directory, const char *proc_root)
{
    FolioPlanStore *store = g_atomic_rc_box_new0(FolioPlanStore);

    store->files = folio_ledger_store_new(directory, "plans");
    store->proc_root = g_strdup(proc_root);
    g_mutex_init(&store->lock);
    return store;
}

FolioPlanStore *
folio_plan_store_ref(FolioPlanStore *store)
{
    return g_atomic_rc_box_acquire(store);
}

static void
store_clear(gpointer data)
{
    FolioPlanStore *store = data;

    folio_ledger_store_unref(store->files);
    g_free(store->proc_root);
    g_mutex_clear(&store->lock);
}

void
folio_plan_store_unref(FolioPlanStore *store)
{
    g_atomic_rc_box_release_full(store, store_clear);
}

/* Of a sound file of this boot; one of another is removed, one that is damaged set aside. NULL:
 * there is none. Under lock. */
static FolioPlanRecord *
read_record(FolioPlanStore *store, const char *uuid)
{
    g_autoptr(GError) error = NULL;
    gsize length = 0;
    g_autofree char *text =
        folio_ledger_store_read(store->files, uuid, FOLIO_LEDGER_MAX_BYTES, &length, &error);
    g_autoptr(FolioPlanRecord) record =
        text != NULL ? folio_plan_file_parse(text, length, &error) : NULL;

    if (record != NULL && !g_str_equal(record->owner.uuid, uuid))
        g_set_error(&error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "it is of another guest, %s",
                    record->owner.uuid);
    if (error == NULL) {
        if (folio_ledger_store_is_of_this_boot(store->files, record->owner.boot))
            return g_steal_pointer(&record);
        folio_ledger_store_remove(store->files, uuid);
    } else if (!g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND)) {
        folio_ledger_store_set_aside(store->files, uuid, error->message);
    }
    return NULL;
}

/* FALSE: what would be written could not be believed later. */
static gboolean
fill_owner(FolioPlanStore *store, const char *uuid, const FolioProcess *process,
           const FolioGuestRam *ram, FolioPlanOwner *owner, GError **error)
{
    const char *boot = folio_ledger_store_get_boot(store->files, error);

    if (boot == NULL)
        return FALSE;
    if (!g_uuid_string_is_valid(uuid)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "plan of %.64s: not a UUID", uuid);
        return FALSE;
    }
    owner->uuid = g_ascii_strdown(uuid, -1);
    owner->boot = g_strdup(boot);
    owner->pid = folio_process_get_pid(process);
    owner->start_time = folio_process_get_start_time(process);
    owner->n_blocks = (guint) folio_block_ranges_count(ram);
    owner->layout = folio_plan_file_layout(ram);
    return TRUE;
}

gboolean
folio_plan_store_recall(FolioPlanStore *store, const char *uuid, const FolioProcess *process,
                        const FolioGuestRam *ram, FolioPlan *plan)
{
    g_autoptr(FolioPlanRecord) now = folio_plan_record_new();
    g_autoptr(FolioPlanRecord) found = NULL;
    g_autoptr(GMutexLocker) locker = NULL;

    if (!fill_owner(store, uuid, process, ram, &now->owner, NULL))
        return FALSE;
    locker = g_mutex_locker_new(&store->lock);
    found = read_record(store, now->owner.uuid);
    if (found == NULL || !folio_plan_owner_equals(&found->owner, &now->owner))
        return FALSE;
    folio_plan_recall(plan, found->owner.n_blocks, found->marks, found->decisions);
    return TRUE;
}

static gboolean
is_running(FolioPlanStore *store, const FolioPlanOwner *owner)
{
    return folio_process_is_running(store->proc_root, owner->pid, owner->start_time);
}

/* Of that process; another run of the guest may have left its own there. Under lock. */
static void
remove_own(FolioPlanStore *store, const FolioPlanOwner *owner)
{
    g_autoptr(FolioPlanRecord) found = read_record(store, owner->uuid);

    if (found != NULL && found->owner.pid == owner->pid &&
        found->owner.start_time == owner->start_time)
        folio_ledger_store_remove(store->files, owner->uuid);
}

static gboolean
write_record(FolioPlanStore *store, const FolioPlanRecord *record, GError **error)
{
    GString *text = folio_plan_file_print(record);
    gboolean written = FALSE;

    if (text->len > FOLIO_LEDGER_MAX_BYTES)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY,
                    "plan of %s: %" G_GSIZE_FORMAT " bytes are more than a file may have",
                    record->owner.uuid, text->len);
    else
        written =
            folio_ledger_store_write(store->files, record->owner.uuid, text->str, text->len, error);
    g_string_free(text, TRUE);
    return written;
}

gboolean
folio_plan_store_keep(FolioPlanStore *store, const char *uuid, const FolioProcess *process,
                      const FolioGuestRam *ram, const FolioPlan *plan, GError **error)
{
    g_autoptr(FolioPlanRecord) record = folio_plan_record_new();
    g_autoptr(GMutexLocker) locker = NULL;

    if (!fill_owner(store, uuid, process, ram, &record->owner, error))
        return FALSE;
    if (record->owner.n_blocks != folio_plan_count_blocks(plan))
        return TRUE; /* it is of other RAM */
    g_array_unref(record->marks);
    g_array_unref(record->decisions);
    record->marks = folio_plan_list_marks(plan);
    record->decisions = folio_plan_list_decisions(plan);
    locker = g_mutex_locker_new(&store->lock);
    if (record->marks->len + record->decisions->len > 0 && is_running(store, &record->owner))
        return write_record(store, record, error);
    remove_own(store, &record->owner);
    return TRUE;
}

/* In a task */

typedef struct {
    FolioPlanStore *store;
    char *uuid;
    FolioProcess *process;
    FolioGuestRam *ram;
    FolioPlan *plan;
    GArray *notes; /* NULL: none */
} Keep;

static void
keep_free(gpointer data)
{
    Keep *keep = data;

    folio_plan_store_unref(keep->store);
    g_free(keep->uuid);
    folio_process_unref(keep->process);
    folio_guest_ram_free(keep->ram);
    folio_plan_free(keep->plan);
    g_clear_pointer(&keep->notes, g_array_unref);
    g_free(keep);
}

static void
add_notes(const Keep *keep)
{
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, 1);

    if (!folio_plan_store_recall(keep->store, keep->uuid, keep->process, keep->ram, keep->plan))
        folio_plan_recall(keep->plan, (guint) folio_block_ranges_count(keep->ram), none, none);
    for (guint i = 0; i < keep->notes->len; i++) {
        const FolioPlanNote *note = &g_array_index(keep->notes, FolioPlanNote, i);

        folio_plan_note(keep->plan, note->block, note->action);
    }
}

static void
keep_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    const Keep *keep = task_data;
    GError *error = NULL;

    if (keep->notes != NULL)
        add_notes(keep);
    if (folio_plan_store_keep(keep->store, keep->uuid, keep->process, keep->ram, keep->plan,
                              &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

void
folio_plan_store_keep_async(FolioPlanStore *store, const char *uuid, FolioProcess *process,
                            const FolioGuestRam *ram, FolioPlan *plan, GArray *notes,
                            GAsyncReadyCallback callback, gpointer user_data)
{
    Keep *keep = g_new0(Keep, 1);
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);

    keep->store = folio_plan_store_ref(store);
    keep->uuid = g_strdup(uuid);
    keep->process = folio_process_ref(process);
    keep->ram = folio_guest_ram_copy(ram);
    keep->plan = plan;
    keep->notes = notes != NULL ? g_array_ref(notes) : NULL;
    g_task_set_task_data(task, keep, keep_free);
    g_task_run_in_thread(task, keep_in_thread);
}

gboolean
folio_plan_store_keep_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

void
folio_plan_store_forget_gone(FolioPlanStore *store)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    g_autoptr(GPtrArray) uuids = folio_ledger_store_list_guests(store->files, MAX_FILES, NULL);

    for (guint i = 0; uuids != NULL && i < uuids->len; i++) {
        g_autoptr(FolioPlanRecord) record = read_record(store, uuids->pdata[i]);

        if (record != NULL && !is_running(store, &record->owner))
            folio_ledger_store_remove(store->files, uuids->pdata[i]);
    }
}
