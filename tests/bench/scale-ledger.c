/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scale-ledger: writes down that foliod has split blocks of guests, for agent-scale.
 * "STATE-DIR RUN-DIR BYTES BLOCKS UUID..." finds the guests guest-0, guest-1 ..., one for each
 * UUID, as foliod does, and says of the first BLOCKS blocks of each that they were split to order
 * 0. */
#include <stdlib.h>

#include "act/ledger.h"

static void G_GNUC_NORETURN
die(const char *what, const GError *error)
{
    g_printerr("scale-ledger: %s: %s\n", what, error != NULL ? error->message : "?");
    exit(1);
}

static void
write_down(FolioLedger *ledger, FolioActRequest *request, guint n)
{
    g_autoptr(FolioLedgerGuest) guest =
        folio_ledger_get_guest(ledger, request->uuid, request->process);
    const FolioRamBlock *ram = g_ptr_array_index(request->ram->blocks, 0);
    const FolioBlockRange range = { .start = ram->hva, .bytes = n * FOLIO_BLOCK_BYTES };
    g_autofree FolioOutcome *outcomes = g_new(FolioOutcome, n);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < n; i++)
        outcomes[i] = FOLIO_OUTCOME_DONE;
    if (!folio_ledger_begin(guest, request, &range, 1, &error))
        die(request->name, error);
    folio_ledger_ended(guest, request, &range, 1, outcomes);
}

static void
record_guest(FolioLedger *ledger, const char *run_dir, guint64 bytes, guint n, guint i, char *uuid)
{
    g_autofree char *name = g_strdup_printf("guest-%u", i);
    const FolioProcessQuery query = {
        .proc_root = "/proc", .run_dir = run_dir, .name = name, .uuid = uuid
    };
    const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, bytes, NULL };
    FolioReason reason = FOLIO_REASON_NONE;
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioProcess) process = folio_process_locate(&query, &reason, &error);
    g_autoptr(FolioGuestRam) ram = NULL;
    FolioActRequest request = {
        .kind = FOLIO_ACT_SPLIT, .uuid = uuid, .name = name, .by = (char[]){ "policy" }
    };

    if (process == NULL)
        die(name, error);
    ram = folio_guest_ram_locate(process, &spec, 1, "/sys", &reason, &error);
    if (ram == NULL)
        die(name, error);
    request.process = process;
    request.ram = ram;
    write_down(ledger, &request, n);
}

int
main(int argc, char **argv)
{
    FolioLedger *ledger;

    if (argc < 6)
        die("see the top of its source", NULL);
    ledger = folio_ledger_open(argv[1]);
    for (int i = 5; i < argc; i++)
        record_guest(ledger, argv[2], g_ascii_strtoull(argv[3], NULL, 10), (guint) atoi(argv[4]),
                     (guint) (i - 5), argv[i]);
    folio_ledger_free(ledger);
    return 0;
}
