/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing the status of guests into their live metadata. */
#include "virt/status-writer.h"

#include "base/log.h"
#include "virt/link.h"
#include "virt/vir.h"

#include <gio/gio.h>

/* Between two writes of one guest. Each rewrites libvirt's own file of the domain's state, and is
 * an event for whoever follows it. */
#define PAUSE_USEC (60 * G_USEC_PER_SEC)

/* Before the first: a guest that has just started is suspended for a moment, and then found. */
#define SETTLE_USEC (5 * G_USEC_PER_SEC)

typedef struct {
    char *last;        /* what was last tried to write; NULL: nothing */
    char *wanted;      /* to be written when it is time; NULL: nothing */
    gint64 not_before; /* monotonic */
    gboolean failing;  /* the last write failed, which has been logged */
} Entry;

struct _FolioStatusWriter {
    char *uri;
    virConnectPtr connect; /* the task's while one is under way; NULL: not open */
    GHashTable *entries;   /* char *uuid -> Entry * */
    gboolean writing;
    gboolean freed;
    guint timer;
};

/* One write; the data of its task. */
typedef struct {
    FolioStatusWriter *writer;
    char *uuid;
    char *element;
} Write;

static void schedule(FolioStatusWriter *writer);

static void
entry_free(gpointer data)
{
    Entry *entry = data;

    g_free(entry->last);
    g_free(entry->wanted);
    g_free(entry);
}

FolioStatusWriter *
folio_status_writer_new(const char *uri)
{
    FolioStatusWriter *writer = g_new0(FolioStatusWriter, 1);

    writer->uri = g_strdup(uri);
    writer->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
    return writer;
}

static void
close_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    FolioStatusWriter *writer = data;

    if (writer->connect != NULL)
        virConnectClose(writer->connect);
    g_free(writer->uri);
    g_free(writer);
    g_task_return_boolean(task, TRUE);
}

static void
finish(FolioStatusWriter *writer)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, NULL, NULL);

    g_task_set_task_data(task, writer, NULL);
    g_task_run_in_thread(task, close_in_thread);
}

void
folio_status_writer_free(FolioStatusWriter *writer)
{
    writer->freed = TRUE;
    g_clear_handle_id(&writer->timer, g_source_remove);
    g_clear_pointer(&writer->entries, g_hash_table_unref);
    if (!writer->writing)
        finish(writer);
}

const char *
folio_status_writer_get_uri(const FolioStatusWriter *writer)
{
    return writer->uri;
}

/* In the task. */

static gboolean
open_connection(FolioStatusWriter *writer, GError **error)
{
    if (writer->connect != NULL && virConnectIsAlive(writer->connect) == 1)
        return TRUE;
    if (writer->connect != NULL)
        virConnectClose(writer->connect);
    writer->connect = virConnectOpen(writer->uri);
    if (writer->connect == NULL) {
        folio_set_error_vir(error, writer->uri);
        return FALSE;
    }
    /* Drivers that live in this process refuse keepalive and need none. */
    if (virConnectSetKeepAlive(writer->connect, FOLIO_KEEPALIVE_SECONDS, FOLIO_KEEPALIVE_COUNT) !=
        0)
        folio_debug("%s: no keepalive", writer->uri);
    return TRUE;
}

/* libvirt would wait for up to 30 s (QEMU_JOB_WAIT_TIME) until a job that lasts is over. */
static gboolean
has_long_job(virDomainPtr domain)
{
    virDomainJobInfo job = { 0 };

    return virDomainGetJobInfo(domain, &job) == 0 && job.type != VIR_DOMAIN_JOB_NONE;
}

static gboolean
write_element(const Write *write, GError **error)
{
    g_autoptr(virDomain) domain = NULL;

    if (!open_connection(write->writer, error))
        return FALSE;
    domain = virDomainLookupByUUIDString(write->writer->connect, write->uuid);
    if (domain == NULL) {
        folio_set_error_vir(error, "not written");
        return FALSE;
    }
    if (has_long_job(domain)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "not written: the domain is busy");
        return FALSE;
    }
    if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, write->element, FOLIO_STATUS_KEY,
                             FOLIO_STATUS_NAMESPACE, VIR_DOMAIN_AFFECT_LIVE) == 0)
        return TRUE;
    folio_set_error_vir(error, "not written");
    return FALSE;
}

static void
write_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GError *error = NULL;

    if (write_element(data, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

/* On the main context. */

static void
write_free(gpointer data)
{
    Write *write = data;

    g_free(write->uuid);
    g_free(write->element);
    g_free(write);
}

static void
on_written(GObject *source, GAsyncResult *result, gpointer data)
{
    const Write *write = g_task_get_task_data(G_TASK(result));
    FolioStatusWriter *writer = write->writer;
    g_autoptr(GError) error = NULL;
    gboolean written = g_task_propagate_boolean(G_TASK(result), &error);
    Entry *entry;

    writer->writing = FALSE;
    if (writer->freed) {
        finish(writer);
        return;
    }
    entry = g_hash_table_lookup(writer->entries, write->uuid);
    if (!written && entry != NULL && !entry->failing)
        folio_log(G_LOG_LEVEL_WARNING, NULL, NULL, write->uuid, "Guest %s: its status metadata: %s",
                  write->uuid, error->message);
    if (entry != NULL)
        entry->failing = !written;
    schedule(writer);
}

static void
start_write(FolioStatusWriter *writer, const char *uuid, Entry *entry)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_written, NULL);
    Write *write = g_new0(Write, 1);

    g_free(entry->last);
    entry->last = g_steal_pointer(&entry->wanted);
    entry->not_before = g_get_monotonic_time() + PAUSE_USEC;
    write->writer = writer;
    write->uuid = g_strdup(uuid);
    write->element = g_strdup(entry->last);
    writer->writing = TRUE;
    g_task_set_task_data(task, write, write_free);
    g_task_set_priority(task, G_PRIORITY_LOW);
    g_task_run_in_thread(task, write_in_thread);
}

/* The guest whose turn is first; NULL: nothing is to be written. */
static Entry *
find_first(FolioStatusWriter *writer, const char **uuid)
{
    Entry *first = NULL;
    GHashTableIter iter;
    gpointer key, value;

    g_hash_table_iter_init(&iter, writer->entries);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        Entry *entry = value;

        if (entry->wanted == NULL || (first != NULL && first->not_before <= entry->not_before))
            continue;
        first = entry;
        *uuid = key;
    }
    return first;
}

static gboolean
on_due(gpointer data)
{
    FolioStatusWriter *writer = data;

    writer->timer = 0;
    schedule(writer);
    return G_SOURCE_REMOVE;
}

/* One write at a time: a libvirt that hangs holds one thread. */
static void
schedule(FolioStatusWriter *writer)
{
    const char *uuid = NULL;
    Entry *first = writer->writing ? NULL : find_first(writer, &uuid);
    gint64 wait;

    g_clear_handle_id(&writer->timer, g_source_remove);
    if (first == NULL)
        return;
    wait = first->not_before - g_get_monotonic_time();
    if (wait <= 0)
        start_write(writer, uuid, first);
    else
        writer->timer = g_timeout_add((guint) (wait / 1000) + 1, on_due, writer);
}

void
folio_status_writer_write(FolioStatusWriter *writer, const char *uuid, const char *element)
{
    Entry *entry = g_hash_table_lookup(writer->entries, uuid);

    if (entry == NULL) {
        entry = g_new0(Entry, 1);
        entry->not_before = g_get_monotonic_time() + SETTLE_USEC;
        g_hash_table_insert(writer->entries, g_strdup(uuid), entry);
    }
    if (g_strcmp0(entry->wanted, element) == 0)
        return;
    g_clear_pointer(&entry->wanted, g_free);
    if (g_strcmp0(entry->last, element) != 0)
        entry->wanted = g_strdup(element);
    schedule(writer);
}

void
folio_status_writer_forget(FolioStatusWriter *writer, const char *uuid)
{
    g_hash_table_remove(writer->entries, uuid);
}
