/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What became of the blocks of a job, in words. */
#include "ctl/job-report.h"

#include "base/format.h"

#define BLOCK_BYTES (2 * 1024 * 1024ULL)

guint64
folio_job_report_number(GVariant *about, const char *of, const char *token)
{
    g_autoptr(GVariant) numbers = g_variant_lookup_value(about, of, G_VARIANT_TYPE("a{st}"));
    guint64 number = 0;

    if (numbers != NULL)
        g_variant_lookup(numbers, token, "t", &number);
    return number;
}

static guint64
blocks(GVariant *about, const char *token)
{
    return folio_job_report_number(about, "blocks", token);
}

gboolean
folio_job_report_has_left(GVariant *about)
{
    return blocks(about, "left") + blocks(about, "partly") + blocks(about, "gone") > 0;
}

gboolean
folio_job_report_is_known(GVariant *about)
{
    return blocks(about, "done") + blocks(about, "already") + blocks(about, "absent") > 0 ||
           folio_job_report_has_left(about);
}

/* "split 37 blocks (74 MiB) to order 0". */
static void
append_done(GString *out, GVariant *about)
{
    const char *kind = folio_dict_string(about, "kind");
    const gboolean splits = g_str_equal(kind, "split");
    const guint64 done = blocks(about, "done");
    g_autofree char *bytes = folio_format_bytes(done * BLOCK_BYTES);

    g_string_append(out, splits ? "split " : "collapsed ");
    if (done == 0)
        g_string_append(out, "no block");
    else
        g_string_append_printf(out, "%" G_GUINT64_FORMAT " block%s (%s)", done,
                               done == 1 ? "" : "s", bytes);
    if (splits)
        g_string_append_printf(out, " to order %" G_GUINT64_FORMAT,
                               folio_dict_number(about, "order"));
}

/* "N" and the one or the other text; nothing for none. */
static void
append_number(GString *out, guint64 n, const char *one, const char *several)
{
    if (n > 0)
        g_string_append_printf(out, "; %" G_GUINT64_FORMAT " %s", n, n == 1 ? one : several);
}

/* " (busy)", or " (2 busy, 1 unsaid)" of several. */
static void
append_reasons(GString *out, GVariant *about)
{
    static const struct {
        const char *token, *text;
    } reasons[] = {
        { "busy", "busy" },
        { "no-memory", "no huge page free" },
        { "refused", "refused" },
        { "unsaid", "the kernel does not say why" },
    };
    g_autoptr(GString) all = g_string_new(NULL);
    const char *only = NULL;
    guint n = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++) {
        const guint64 number = folio_job_report_number(about, "left", reasons[i].token);

        if (number == 0)
            continue;
        g_string_append_printf(all, "%s%" G_GUINT64_FORMAT " %s", n > 0 ? ", " : "", number,
                               reasons[i].text);
        only = reasons[i].text;
        n++;
    }
    if (n > 0)
        g_string_append_printf(out, " (%s)", n == 1 ? only : all->str);
}

char *
folio_job_report_text(GVariant *about)
{
    GString *out = g_string_new(NULL);

    append_done(out, about);
    append_number(out, blocks(about, "already"), "was so before", "were so before");
    append_number(out, blocks(about, "partly"), "in part", "in part");
    append_number(out, blocks(about, "left"), "left", "left");
    if (blocks(about, "partly") + blocks(about, "left") > 0)
        append_reasons(out, about);
    append_number(out, blocks(about, "absent"), "not in memory", "not in memory");
    append_number(out, blocks(about, "gone"), "given back or moved meanwhile",
                  "given back or moved meanwhile");
    return g_string_free(out, FALSE);
}
