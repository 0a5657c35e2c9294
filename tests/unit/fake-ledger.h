/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ledger and a keeper of khugepaged that write all that is asked of them into one text, and say
 * what the test wants. */
#pragma once

#include "act/act-run.h"
#include "base/error.h"

#include "cmocka-all.h"

struct _FolioLedgerGuest {
    int n_references;
};

struct _FolioLedger {
    FolioLedgerGuest guest;
    GString *steps; /* "begin 3; apply; ended 3; " */
    GArray *split;  /* FolioBlockRange */
    gboolean refuses;
    guint64 split_now;
};

struct _FolioKhugepagedControl {
    FolioLedger *ledger;
    FolioKeeper keeper;
    gboolean fails_before, fails_after;
};

static FolioLedger fake_ledger;
static FolioKhugepagedControl fake_keeper;

static inline void
fake_ledger_reset(void)
{
    g_clear_pointer(&fake_ledger.split, g_array_unref);
    if (fake_ledger.steps != NULL)
        g_string_free(fake_ledger.steps, TRUE);
    fake_ledger = (FolioLedger){ .steps = g_string_new(NULL) };
    fake_ledger.split = g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));
    fake_keeper = (FolioKhugepagedControl){ &fake_ledger, FOLIO_KEEPER_FLAG, FALSE, FALSE };
}

static inline guint64
count_blocks(const FolioBlockRange *ranges, guint n_ranges)
{
    guint64 bytes = 0;

    for (guint i = 0; i < n_ranges; i++) {
        assert_true(i == 0 || ranges[i].start > ranges[i - 1].start + ranges[i - 1].bytes);
        bytes += ranges[i].bytes;
    }
    return bytes / FOLIO_BLOCK_BYTES;
}

FolioLedgerGuest *
folio_ledger_get_guest(FolioLedger *ledger, const char *uuid, const FolioProcess *process)
{
    ledger->guest.n_references++;
    return &ledger->guest;
}

void
folio_ledger_guest_unref(FolioLedgerGuest *guest)
{
    guest->n_references--;
}

gboolean
folio_ledger_begin(FolioLedgerGuest *guest, const FolioActRequest *request,
                   const FolioBlockRange *ranges, guint n_ranges, GError **error)
{
    if (fake_ledger.refuses) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "the ledger is full");
        return FALSE;
    }
    g_string_append_printf(fake_ledger.steps, "begin %d; ", (int) count_blocks(ranges, n_ranges));
    return TRUE;
}

void
folio_ledger_ended(FolioLedgerGuest *guest, const FolioActRequest *request,
                   const FolioBlockRange *ranges, guint n_ranges, const FolioOutcome *outcomes)
{
    const guint n = (guint) count_blocks(ranges, n_ranges);

    for (guint i = 0; i < n; i++)
        assert_true(outcomes[i] < FOLIO_N_OUTCOMES);
    g_string_append_printf(fake_ledger.steps, "ended %u; ", n);
}

GArray *
folio_ledger_get_split(FolioLedgerGuest *guest, const FolioGuestRam *ram)
{
    return g_array_ref(fake_ledger.split);
}

FolioLedgerCounters
folio_ledger_count(FolioLedgerGuest *guest)
{
    return (FolioLedgerCounters){ .split_now = fake_ledger.split_now };
}

FolioKeeper
folio_khugepaged_keep_away(FolioKhugepagedControl *control, const FolioActRequest *request,
                           FolioLedgerGuest *guest, char **reason)
{
    g_string_append(control->ledger->steps, "keep away; ");
    if (control->keeper == FOLIO_KEEPER_FREE)
        *reason = g_strdup("nothing keeps it");
    return control->keeper;
}

static inline gboolean
fake_keeper_step(FolioKhugepagedControl *control, const char *step, gboolean fails, GError **error)
{
    g_string_append_printf(control->ledger->steps, "%s; ", step);
    if (fails)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "%s: no", step);
    return !fails;
}

gboolean
folio_khugepaged_before_collapse(FolioKhugepagedControl *control, const FolioActRequest *request,
                                 FolioLedgerGuest *guest, GError **error)
{
    return fake_keeper_step(control, "before", control->fails_before, error);
}

gboolean
folio_khugepaged_after_collapse(FolioKhugepagedControl *control, const FolioActRequest *request,
                                FolioLedgerGuest *guest, GError **error)
{
    return fake_keeper_step(control, "after", control->fails_after, error);
}

gboolean
folio_khugepaged_give_back(FolioKhugepagedControl *control, const FolioActRequest *request,
                           FolioLedgerGuest *guest, GError **error)
{
    return fake_keeper_step(control, "give back", FALSE, error);
}
