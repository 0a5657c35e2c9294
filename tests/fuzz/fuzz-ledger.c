/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzzes the reading of the ledger's files. The checksum is added here, since no fuzzer finds it:
 * whatever is accepted is within bounds and reads the same when it is printed; what is refused has
 * a reason. */
#include "act/ledger-file.h"
#include "act/ledger-lines.h"
#include "base/error.h"
#include "fuzz.h"

#include <string.h>

static void
check_record(const FolioLedgerRecord *record)
{
    GString *text = folio_ledger_file_print_guest(record);
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioLedgerRecord) again =
        folio_ledger_file_parse_guest(text->str, text->len, &error);
    GString *once_more;
    guint64 n_blocks = 0;

    /* What is read may be a little shorter than what we print of it. */
    if (again == NULL && text->len > FOLIO_LEDGER_MAX_BYTES) {
        g_string_free(text, TRUE);
        return;
    }
    g_assert_no_error(error);
    once_more = folio_ledger_file_print_guest(again);
    g_assert_true(g_string_equal(text, once_more));
    for (guint i = 0; i < record->rams->len; i++)
        n_blocks += ((FolioLedgerRam *) record->rams->pdata[i])->n_blocks;
    g_assert_cmpuint(n_blocks, <=, FOLIO_LEDGER_MAX_BLOCKS);
    g_assert_cmpuint(folio_ledger_record_count(record), <=, n_blocks);
    g_assert_cmpuint(folio_ledger_record_count(record), ==, folio_ledger_record_count(again));
    g_assert_cmpuint(record->actions->len, <=, FOLIO_LEDGER_ACTIONS);
    g_string_free(text, TRUE);
    g_string_free(once_more, TRUE);
}

static void
check_guest(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioLedgerRecord) record = folio_ledger_file_parse_guest(text, length, &error);

    if (record != NULL)
        check_record(record);
    else
        g_assert_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID);
}

static void
check_host(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *boot = NULL;
    g_autofree char *boot_again = NULL;
    g_autoptr(GPtrArray) knobs = folio_ledger_file_parse_host(text, length, &boot, &error);
    g_autoptr(GPtrArray) again = NULL;
    GString *printed;

    if (knobs == NULL) {
        g_assert_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID);
        return;
    }
    printed = folio_ledger_file_print_host(boot, knobs);
    again = folio_ledger_file_parse_host(printed->str, printed->len, &boot_again, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(boot, ==, boot_again);
    g_assert_cmpuint(knobs->len, ==, again->len);
    g_assert_cmpuint(knobs->len, <=, FOLIO_LEDGER_MAX_KNOBS);
    g_string_free(printed, TRUE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GString *sealed = g_string_new_len((const char *) data, (gssize) size);

    check_guest((const char *) data, size);
    check_host((const char *) data, size);
    folio_lines_seal(sealed);
    check_guest(sealed->str, sealed->len);
    check_host(sealed->str, sealed->len);
    g_string_free(sealed, TRUE);
    return 0;
}
