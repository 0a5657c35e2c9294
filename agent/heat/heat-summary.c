/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The summary of a guest's heat that travels with it. */
#include "heat/heat-summary.h"

#include "base/error.h"

#include <string.h>

/* Digits of the largest number that there may be. */
#define MAX_DIGITS 9

static guint
count_blocks(const GArray *ranges)
{
    guint n = 0;

    for (guint r = 0; r < ranges->len; r++)
        n += g_array_index(ranges, FolioHeatRange, r).n_blocks;
    return n;
}

/* ---- Printing */

static guint
level_of(const FolioHeatEvidence *evidence, guint n)
{
    const guint mean = folio_estimate_mean_in_use(evidence, n);

    if (mean == 0)
        return 0;
    return mean < 8 * 64 ? 1 : mean < 64 * 64 ? 2 : 3;
}

static void
print_run(GString *text, guint level, guint n)
{
    if (n == 0)
        return;
    g_string_append_c(text, (char) ('a' + level));
    if (n > 1)
        g_string_append_printf(text, "%u", n);
}

static void
print_range(GString *text, const FolioHeatEvidence *evidence, guint n_blocks, guint granule)
{
    guint level = 0, run = 0;

    for (guint first = 0; first < n_blocks; first += granule) {
        const guint next = level_of(evidence + first, MIN(granule, n_blocks - first));

        if (run > 0 && next != level) {
            print_run(text, level, run);
            run = 0;
        }
        level = next;
        run++;
    }
    print_run(text, level, run);
}

static GString *
print_by(const FolioHeatSnapshot *snapshot, guint granule)
{
    GString *text = g_string_new(NULL);

    g_string_printf(text, "%d:%u:%u:", FOLIO_SUMMARY_VERSION, snapshot->n_blocks, granule);
    for (guint r = 0; r < snapshot->ranges->len; r++) {
        const FolioHeatRange *range = &g_array_index(snapshot->ranges, FolioHeatRange, r);

        if (r > 0)
            g_string_append_c(text, ',');
        print_range(text, snapshot->evidence + range->first_block, range->n_blocks, granule);
    }
    return text;
}

char *
folio_heat_summary_print(const FolioHeatSnapshot *snapshot)
{
    guint granule = FOLIO_SUMMARY_GRANULE;

    for (;; granule *= 2) {
        GString *text = print_by(snapshot, granule);

        if (text->len <= FOLIO_SUMMARY_MAX)
            return g_string_free(text, FALSE);
        g_string_free(text, TRUE);
        if (granule >= snapshot->n_blocks)
            return NULL;
    }
}

/* ---- Reading */

typedef struct {
    const char *text;
    const char *at;
    GError **error;
} Reader;

G_GNUC_PRINTF(2, 3)
static gboolean
refuse(const Reader *reader, const char *format, ...)
{
    g_autofree char *what = NULL;
    va_list args;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(reader->error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "byte %u: %s",
                (guint) (reader->at - reader->text), what);
    return FALSE;
}

/* Without a sign or leading zeros; no overflow is possible. */
static gboolean
read_number(Reader *reader, const char *what, guint *number)
{
    const gsize digits = strspn(reader->at, "0123456789");

    if (digits == 0 || digits > MAX_DIGITS || reader->at[0] == '0')
        return refuse(reader, "%s should be here, a number from 1 on", what);
    *number = (guint) g_ascii_strtoull(reader->at, NULL, 10);
    reader->at += digits;
    return TRUE;
}

static gboolean
read_field(Reader *reader, const char *what, guint *number)
{
    if (!read_number(reader, what, number))
        return FALSE;
    if (*reader->at != ':')
        return refuse(reader, "a colon should be here, behind %s", what);
    reader->at++;
    return TRUE;
}

static gboolean
read_head(Reader *reader, guint n_blocks, guint *granule)
{
    guint version, blocks;

    if (!read_field(reader, "the version", &version))
        return FALSE;
    if (version != FOLIO_SUMMARY_VERSION) {
        g_set_error(reader->error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "it is of version %u; known is %d", version, FOLIO_SUMMARY_VERSION);
        return FALSE;
    }
    if (!read_field(reader, "the number of blocks", &blocks) ||
        !read_field(reader, "the blocks of a granule", granule))
        return FALSE;
    if (blocks != n_blocks) {
        g_set_error(reader->error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "it is of %u blocks of RAM; the guest has %u", blocks, n_blocks);
        return FALSE;
    }
    if (*granule % FOLIO_SUMMARY_GRANULE != 0 || (*granule & (*granule - 1)) != 0)
        return refuse(reader, "granules of %u blocks; there are those of %u, 2 times that, 4 times",
                      *granule, FOLIO_SUMMARY_GRANULE);
    return TRUE;
}

/* One run, of granules of which so many are left. */
static gboolean
read_run(Reader *reader, guint left, guint *level, guint *n)
{
    if (*reader->at < 'a' || *reader->at >= 'a' + (int) FOLIO_SUMMARY_LEVELS)
        return refuse(reader, "%u more granules should be here, of levels a to %c", left,
                      'a' + (int) FOLIO_SUMMARY_LEVELS - 1);
    *level = (guint) (*reader->at++ - 'a');
    if (!g_ascii_isdigit(*reader->at))
        return TRUE;
    if (!read_number(reader, "the length of a run", n))
        return FALSE;
    if (*n == 1)
        return refuse(reader, "a run of one granule has no number");
    return *n <= left ||
           refuse(reader, "a run of %u granules, where the RAM block has %u left", *n, left);
}

static gboolean
read_range(Reader *reader, FolioHeatSummary *summary, const FolioHeatRange *range)
{
    guint8 *levels = summary->levels + range->first_block;
    guint left = range->n_blocks / summary->granule + (range->n_blocks % summary->granule != 0);
    guint blocks_left = range->n_blocks;

    while (left > 0) {
        guint level = 0, n = 1, blocks;

        if (!read_run(reader, left, &level, &n))
            return FALSE;
        left -= n;
        blocks = left > 0 ? n * summary->granule : blocks_left;
        memset(levels, (int) level, blocks);
        levels += blocks;
        blocks_left -= blocks;
    }
    return TRUE;
}

static gboolean
read_ranges(Reader *reader, FolioHeatSummary *summary, const GArray *ranges)
{
    for (guint r = 0; r < ranges->len; r++) {
        if (r > 0 && *reader->at != ',')
            return refuse(reader, "a comma should be here: the guest has %u RAM blocks",
                          ranges->len);
        reader->at += r > 0;
        if (!read_range(reader, summary, &g_array_index(ranges, FolioHeatRange, r)))
            return FALSE;
    }
    return *reader->at == '\0' ||
           refuse(reader, "more than the guest's %u RAM blocks have", ranges->len);
}

FolioHeatSummary *
folio_heat_summary_parse(const char *text, const GArray *ranges, GError **error)
{
    Reader reader = { .text = text, .at = text, .error = error };
    const guint n_blocks = count_blocks(ranges);
    const gsize length = strlen(text);
    g_autofree FolioHeatSummary *summary = NULL;
    guint granule;

    if (length > FOLIO_SUMMARY_MAX) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "it has %" G_GSIZE_FORMAT " bytes; more than %d are not looked at", length,
                    FOLIO_SUMMARY_MAX);
        return NULL;
    }
    if (!read_head(&reader, n_blocks, &granule))
        return NULL;
    summary = g_malloc0(sizeof *summary + n_blocks);
    summary->n_blocks = n_blocks;
    summary->granule = granule;
    return read_ranges(&reader, summary, ranges) ? g_steal_pointer(&summary) : NULL;
}
