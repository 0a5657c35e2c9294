/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One virConnect from its opening to its end. */
#include "virt/link.h"

#include "base/log.h"
#include "virt/hints.h"

#include <gio/gio.h>

enum {
    EVENT_LIFECYCLE,
    EVENT_REBOOT,
    EVENT_METADATA,
    EVENT_DEVICE_ADDED,
    EVENT_DEVICE_REMOVED,
    EVENT_MEMORY_SIZE,
    N_EVENTS,
};

struct _FolioLink {
    const FolioLinkEvents *events;
    gpointer owner;       /* main context only; NULL once disowned */
    guint n_uses;         /* main context only; the owner's is one */
    gatomicrefcount refs; /* libvirt's callbacks have one each, all uses together one */
    virConnectPtr connect;
    gboolean has_close_callback;
    int event_ids[N_EVENTS]; /* -1: not registered */
};

/* The last step: closes in a task, where a daemon that does not answer may block it. */
static void
close_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    FolioLink *link = data;
    int references = virConnectClose(link->connect);

    if (references != 0)
        folio_warning("libvirt connection closed with result %d: it leaks", references);
    g_free(link);
    g_task_return_boolean(task, TRUE);
}

static gboolean
start_close(gpointer data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, NULL, NULL);

    g_task_set_task_data(task, data, NULL);
    g_task_run_in_thread(task, close_in_thread);
    return G_SOURCE_REMOVE;
}

static FolioLink *
link_ref(FolioLink *link)
{
    g_atomic_ref_count_inc(&link->refs);
    return link;
}

/* libvirt gives up its references after calling this, on the main loop when it was just handing out
 * events. The way through an idle source makes ours the last one, so that the closing, which talks
 * to the daemon, can never happen on the main loop. */
static void
link_unref(void *data)
{
    FolioLink *link = data;

    if (!g_atomic_ref_count_dec(&link->refs))
        return;
    if (link->connect != NULL)
        g_idle_add_full(G_PRIORITY_DEFAULT, start_close, link, NULL);
    else
        g_free(link);
}

static void
tell(FolioLink *link, virDomainPtr domain, void (*event)(gpointer owner, const char *uuid))
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (link->owner != NULL && virDomainGetUUIDString(domain, uuid) == 0)
        event(link->owner, uuid);
}

static void
changed(FolioLink *link, virDomainPtr domain)
{
    tell(link, domain, link->events->changed);
}

static int
on_lifecycle(virConnectPtr connect, virDomainPtr domain, int event, int detail, void *data)
{
    changed(data, domain);
    return 0;
}

static void
on_reboot(virConnectPtr connect, virDomainPtr domain, void *data)
{
    changed(data, domain);
}

/* Metadata of others, and the status that foliod itself writes, are passed over at once. */
static void
on_metadata(virConnectPtr connect, virDomainPtr domain, int type, const char *uri, void *data)
{
    FolioLink *link = data;

    if (type == VIR_DOMAIN_METADATA_ELEMENT && g_strcmp0(uri, FOLIO_POLICY_NAMESPACE) == 0)
        tell(link, domain, link->events->hints);
}

static void
on_device(virConnectPtr connect, virDomainPtr domain, const char *alias, void *data)
{
    changed(data, domain);
}

static void
on_memory_size(virConnectPtr connect, virDomainPtr domain, const char *alias,
               unsigned long long bytes, void *data)
{
    changed(data, domain);
}

static const struct {
    int id;
    virConnectDomainEventGenericCallback callback;
} event_table[N_EVENTS] = {
    [EVENT_LIFECYCLE] = { VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle) },
    [EVENT_REBOOT] = { VIR_DOMAIN_EVENT_ID_REBOOT, on_reboot },
    [EVENT_METADATA] = { VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
                         VIR_DOMAIN_EVENT_CALLBACK(on_metadata) },
    [EVENT_DEVICE_ADDED] = { VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
                             VIR_DOMAIN_EVENT_CALLBACK(on_device) },
    [EVENT_DEVICE_REMOVED] = { VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                               VIR_DOMAIN_EVENT_CALLBACK(on_device) },
    [EVENT_MEMORY_SIZE] = { VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE,
                            VIR_DOMAIN_EVENT_CALLBACK(on_memory_size) },
};

typedef struct {
    FolioLink *link;
    const char *why;
} Loss;

static gboolean
deliver_loss(gpointer data)
{
    Loss *loss = data;

    if (loss->link->owner != NULL)
        loss->link->events->lost(loss->link->owner, loss->why);
    return G_SOURCE_REMOVE;
}

static void
loss_free(gpointer data)
{
    Loss *loss = data;

    link_unref(loss->link);
    g_free(loss);
}

/* On whichever thread noticed it. */
static void
on_close(virConnectPtr connect, int reason, void *data)
{
    static const char *const texts[] = {
        [VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection to libvirt broke",
        [VIR_CONNECT_CLOSE_REASON_EOF] = "libvirt closed the connection",
        [VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "libvirt does not answer any more",
        [VIR_CONNECT_CLOSE_REASON_CLIENT] = "the connection was closed on our side",
    };
    Loss *loss = g_new0(Loss, 1);

    loss->link = link_ref(data);
    loss->why = reason >= 0 && reason < (int) G_N_ELEMENTS(texts) ? texts[reason] : texts[0];
    g_idle_add_full(G_PRIORITY_DEFAULT, deliver_loss, loss, loss_free);
}

FolioLink *
folio_link_new(const FolioLinkEvents *events, gpointer owner)
{
    FolioLink *link = g_new0(FolioLink, 1);

    link->events = events;
    link->owner = owner;
    link->n_uses = 1;
    g_atomic_ref_count_init(&link->refs);
    for (guint i = 0; i < N_EVENTS; i++)
        link->event_ids[i] = -1;
    return link;
}

/* A connection that has broken fails each call at once, but lets go of the callbacks all the same.
 */
static void
shut_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    FolioLink *link = data;

    for (guint i = 0; i < N_EVENTS; i++) {
        if (link->event_ids[i] >= 0)
            virConnectDomainEventDeregisterAny(link->connect, link->event_ids[i]);
    }
    if (link->has_close_callback)
        virConnectUnregisterCloseCallback(link->connect, on_close);
    link_unref(link);
    g_task_return_boolean(task, TRUE);
}

FolioLink *
folio_link_use(FolioLink *link)
{
    link->n_uses++;
    return link;
}

void
folio_link_release(FolioLink *link)
{
    g_autoptr(GTask) task = NULL;

    if (--link->n_uses > 0)
        return;
    task = g_task_new(NULL, NULL, NULL, NULL);
    g_task_set_task_data(task, link, NULL);
    g_task_run_in_thread(task, shut_in_thread);
}

void
folio_link_disown(FolioLink *link)
{
    link->owner = NULL;
    folio_link_release(link);
}

virConnectPtr
folio_link_get_connect(FolioLink *link)
{
    return link->connect;
}

/* Without lifecycle events nothing works. Another kind may be missing in a driver: the regular look
 * at everything makes up for it. */
static gboolean
register_events(FolioLink *link, GError **error)
{
    for (guint i = 0; i < N_EVENTS; i++) {
        link->event_ids[i] =
            virConnectDomainEventRegisterAny(link->connect, NULL, event_table[i].id,
                                             event_table[i].callback, link_ref(link), link_unref);
        if (link->event_ids[i] >= 0)
            continue;
        /* libvirt does not call the free function of a callback that it refuses. */
        link_unref(link);
        if (i == EVENT_LIFECYCLE) {
            folio_set_error_vir(error, "lifecycle events");
            return FALSE;
        }
        folio_debug("libvirt event %d: %s", event_table[i].id, virGetLastErrorMessage());
    }
    return TRUE;
}

gboolean
folio_link_open(FolioLink *link, const char *uri, GError **error)
{
    link->connect = virConnectOpenReadOnly(uri);
    if (link->connect == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s", virGetLastErrorMessage());
        return FALSE;
    }
    /* No free function for this one: drivers without the callback would never call it. libvirt
     * holds a lock around the callback that unregistering it takes. */
    link->has_close_callback =
        virConnectRegisterCloseCallback(link->connect, on_close, link, NULL) == 0;
    /* Drivers that live in this process refuse keepalive and need none. */
    if (virConnectSetKeepAlive(link->connect, FOLIO_KEEPALIVE_SECONDS, FOLIO_KEEPALIVE_COUNT) != 0)
        folio_debug("%s: no keepalive", uri);
    return register_events(link, error);
}
