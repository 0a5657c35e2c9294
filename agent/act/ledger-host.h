/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ledger's knobs of the host, each written before it counts; for several threads. What the
 * functions do is told in act/ledger.h, where they are folio_ledger_*_knob. */
#pragma once

#include "act/ledger-store.h"

typedef struct _FolioLedgerHost FolioLedgerHost;

/* Reads what is there. */
FolioLedgerHost *folio_ledger_host_load(FolioLedgerStore *store);
void folio_ledger_host_free(FolioLedgerHost *host);

gboolean folio_ledger_host_take(FolioLedgerHost *host, const char *path, const char *original,
                                const char *ours, GError **error);
gboolean folio_ledger_host_get(FolioLedgerHost *host, const char *path, char **original,
                               char **ours);
gboolean folio_ledger_host_drop(FolioLedgerHost *host, const char *path, GError **error);
