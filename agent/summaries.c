/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat summaries of guests for their status. */
#include "summaries.h"

#include "heat/heat-summary.h"

/* Between two of one guest, as between two writes of its status (virt/status-writer.c). */
#define PAUSE_USEC (60 * G_USEC_PER_SEC)

struct _FolioSummaries {
    GHashTable *entries; /* char *uuid -> Entry, referenced */
    void (*made)(const char *uuid, gpointer user_data);
    gpointer user_data;
};

/* Of one run of a guest. */
typedef struct {
    FolioSummaries *summaries; /* NULL: the guest has left, or they have */
    char *uuid;
    char *text;        /* NULL: none */
    guint32 windows;   /* of the snapshot that it, or the one that is being made, is of */
    gint64 not_before; /* monotonic */
    gboolean busy;
} Entry;

static void
entry_clear(gpointer data)
{
    Entry *entry = data;

    g_free(entry->uuid);
    g_free(entry->text);
}

static void
entry_release(gpointer data)
{
    g_rc_box_release_full(data, entry_clear);
}

/* From the table. */
static void
entry_leave(gpointer data)
{
    ((Entry *) data)->summaries = NULL;
    entry_release(data);
}

FolioSummaries *
folio_summaries_new(void (*made)(const char *uuid, gpointer user_data), gpointer user_data)
{
    FolioSummaries *summaries = g_new0(FolioSummaries, 1);

    summaries->entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_leave);
    summaries->made = made;
    summaries->user_data = user_data;
    return summaries;
}

void
folio_summaries_free(FolioSummaries *summaries)
{
    g_hash_table_unref(summaries->entries);
    g_free(summaries);
}

static void
print_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    g_task_return_pointer(task, folio_heat_summary_print(task_data), g_free);
}

/* Takes the reference of the task. */
static void
on_printed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Entry *entry = user_data;
    const FolioSummaries *summaries = entry->summaries;

    g_free(entry->text);
    entry->text = g_task_propagate_pointer(G_TASK(result), NULL);
    entry->busy = FALSE;
    if (summaries != NULL && entry->text != NULL)
        summaries->made(entry->uuid, summaries->user_data);
    entry_release(entry);
}

/* Takes the snapshot. */
static void
start_printing(Entry *entry, FolioHeatSnapshot *snapshot)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_printed, g_rc_box_acquire(entry));

    entry->busy = TRUE;
    entry->windows = snapshot->windows;
    entry->not_before = g_get_monotonic_time() + PAUSE_USEC;
    g_task_set_task_data(task, snapshot, (GDestroyNotify) folio_heat_snapshot_unref);
    g_task_set_priority(task, G_PRIORITY_LOW);
    g_task_run_in_thread(task, print_in_thread);
}

static Entry *
get_entry(FolioSummaries *summaries, const char *uuid)
{
    Entry *entry = g_hash_table_lookup(summaries->entries, uuid);

    if (entry != NULL)
        return entry;
    entry = g_rc_box_new0(Entry);
    entry->summaries = summaries;
    entry->uuid = g_strdup(uuid);
    g_hash_table_insert(summaries->entries, entry->uuid, entry);
    return entry;
}

const char *
folio_summaries_get(FolioSummaries *summaries, FolioGuest *guest)
{
    g_autoptr(FolioHeatSnapshot) snapshot =
        folio_guest_sampling_ref_heat(folio_guest_peek_sampling(guest));
    Entry *entry;

    if (snapshot == NULL) { /* and what was known is of what it was before */
        folio_summaries_forget(summaries, folio_guest_get_uuid(guest));
        return NULL;
    }
    entry = get_entry(summaries, folio_guest_get_uuid(guest));
    if (!entry->busy && snapshot->windows != entry->windows &&
        g_get_monotonic_time() >= entry->not_before)
        start_printing(entry, g_steal_pointer(&snapshot));
    return entry->text;
}

void
folio_summaries_forget(FolioSummaries *summaries, const char *uuid)
{
    g_hash_table_remove(summaries->entries, uuid);
}
