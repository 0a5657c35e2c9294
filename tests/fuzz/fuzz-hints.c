/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzzes the reading of metadata: whatever is accepted is within bounds and reads the same when it
 * is printed, what is refused has a reason and changes nothing; and what is cut out of a domain's
 * XML is at most one piece of it. */
#include "base/error.h"
#include "fuzz.h"
#include "virt/hints.h"
#include "virt/xml-cut.h"

#include <string.h>

static void
check_set(const FolioHints *hints)
{
    FolioHints again = { 0 };

    for (guint i = 0; i < FOLIO_N_HINTS; i++) {
        g_autofree char *value = NULL;

        if (!folio_hints_has(hints, (FolioHint) i))
            continue;
        value = folio_hints_print(hints, (FolioHint) i);
        g_assert_true(folio_hints_read_of_guest(&again, (FolioHint) i, value));
    }
    g_assert_true(folio_hints_equal(hints, &again));
    g_assert_true(hints->mode <= FOLIO_MODE_ADAPTIVE);
    g_assert_cmpuint(hints->split_order, <=, 8);
    g_assert_cmpuint(hints->sparse_below, <=, 512);
}

static void
check_parser(const char *text, gsize size,
             gboolean (*parse)(const char *, gsize, FolioHints *, GError **))
{
    const FolioHints before = { .set = 1u << FOLIO_HINT_SPLIT_ORDER, .split_order = 3 };
    FolioHints hints = before;
    g_autoptr(GError) error = NULL;

    if (parse(text, size, &hints, &error)) {
        g_assert_no_error(error);
        check_set(&hints);
        return;
    }
    g_assert_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID);
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    g_assert_true(folio_hints_equal(&hints, &before));
}

/* The rest is a beginning and an end of the text. */
static void
check_cut(const char *text)
{
    g_autofree char *rest = folio_xml_cut_metadata(text);
    gsize length = strlen(text), left = strlen(rest), same = 0;

    g_assert_cmpuint(left, <=, length);
    while (same < left && text[same] == rest[same])
        same++;
    g_assert_true(memcmp(text + length - (left - same), rest + same, left - same) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);

    check_parser((const char *) data, size, folio_hints_parse_policy);
    check_parser((const char *) data, size, folio_hints_parse_nova);
    check_cut(text);
    return 0;
}
