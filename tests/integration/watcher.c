/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listens to a FolioConnection. */
#include "watcher.h"

#include <stdlib.h>

static void
on_domain(FolioConnection *connection, const FolioDomain *domain, FolioTestWatcher *watcher)
{
    const FolioDomain *before = g_hash_table_lookup(watcher->domains, domain->uuid);

    assert_true(folio_connection_is_connected(connection));
    /* Another run is told by a "gone" between. */
    assert_true(before == NULL || before->id == domain->id);
    watcher->n_domain++;
    g_hash_table_replace(watcher->domains, g_strdup(domain->uuid), folio_domain_copy(domain));
}

static void
on_hints(FolioConnection *connection, const char *uuid, const FolioDomainHints *hints,
         FolioTestWatcher *watcher)
{
    FolioDomain *domain = g_hash_table_lookup(watcher->domains, uuid);

    assert_true(folio_connection_is_connected(connection));
    assert_non_null(domain);
    watcher->n_hints++;
    folio_domain_hints_free(domain->hints);
    domain->hints = folio_domain_hints_copy(hints);
}

static void
on_gone(FolioConnection *connection, const char *uuid, FolioTestWatcher *watcher)
{
    assert_true(folio_connection_is_connected(connection));
    assert_true(g_hash_table_remove(watcher->domains, uuid));
    watcher->n_gone++;
}

static void
on_synced(FolioConnection *connection, FolioTestWatcher *watcher)
{
    assert_true(folio_connection_is_connected(connection));
    watcher->n_synced++;
    assert_int_equal(watcher->n_synced, folio_connection_get_generation(connection));
}

static void
on_state(FolioConnection *connection, FolioTestWatcher *watcher)
{
    gboolean has_error = *folio_connection_get_error(connection) != '\0';

    assert_true(has_error != folio_connection_is_connected(connection));
    watcher->n_state++;
}

FolioTestWatcher *
folio_test_watcher_new(const char *uri)
{
    FolioTestWatcher *watcher = g_new0(FolioTestWatcher, 1);

    watcher->domains =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) folio_domain_free);
    watcher->connection = folio_connection_new(uri);
    g_signal_connect(watcher->connection, "domain", G_CALLBACK(on_domain), watcher);
    g_signal_connect(watcher->connection, "hints", G_CALLBACK(on_hints), watcher);
    g_signal_connect(watcher->connection, "gone", G_CALLBACK(on_gone), watcher);
    g_signal_connect(watcher->connection, "synced", G_CALLBACK(on_synced), watcher);
    g_signal_connect(watcher->connection, "state", G_CALLBACK(on_state), watcher);
    folio_connection_start(watcher->connection);
    return watcher;
}

void
folio_test_watcher_free(FolioTestWatcher *watcher)
{
    g_object_unref(watcher->connection);
    g_hash_table_unref(watcher->domains);
    g_free(watcher);
}

const FolioDomain *
folio_test_watcher_find(FolioTestWatcher *watcher, const char *name)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, watcher->domains);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const FolioDomain *domain = value;

        if (g_str_equal(domain->name, name))
            return domain;
    }
    return NULL;
}

static gboolean
is_reported(FolioTestWatcher *watcher, virDomainPtr domain)
{
    const FolioDomain *found = folio_test_watcher_find(watcher, virDomainGetName(domain));
    char uuid[VIR_UUID_STRING_BUFLEN];

    assert_int_equal(virDomainGetUUIDString(domain, uuid), 0);
    return found != NULL && g_str_equal(found->uuid, uuid) &&
           (unsigned int) found->id == virDomainGetID(domain);
}

gboolean
folio_test_watcher_agrees(FolioTestWatcher *watcher, virConnectPtr connect)
{
    virDomainPtr *domains;
    int n = virConnectListAllDomains(connect, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    gboolean agrees;

    assert_true(n >= 0);
    agrees = g_hash_table_size(watcher->domains) == (guint) n;
    for (int i = 0; i < n; i++) {
        agrees = agrees && is_reported(watcher, domains[i]);
        virDomainFree(domains[i]);
    }
    free(domains);
    return agrees;
}
