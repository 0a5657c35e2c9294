/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of outcomes, and a report in words. */
#include "act/outcome.h"

const char *
folio_outcome_token(FolioOutcome outcome)
{
    static const char *const tokens[FOLIO_N_OUTCOMES] = { "done", "already", "partly",
                                                          "left", "absent",  "gone" };

    return tokens[outcome];
}

const char *
folio_left_token(FolioLeft left)
{
    static const char *const tokens[FOLIO_N_LEFT] = { "unsaid", "busy", "no-memory", "refused" };

    return tokens[left];
}

/* What DONE and ALREADY are called for a kind of action. */
typedef struct {
    const char *kind, *done, *already;
} Words;

static const Words *
words_of(const char *kind)
{
    static const Words words[] = {
        { "split", "split", "were split before" },
        { "collapse", "collapsed", "were huge before" },
        { "restore", "restored", "were huge before" },
    };

    for (guint i = 0; i + 1 < G_N_ELEMENTS(words); i++) {
        if (g_str_equal(kind, words[i].kind))
            return &words[i];
    }
    return &words[G_N_ELEMENTS(words) - 1];
}

static void
append(GString *text, const char *what, guint64 n)
{
    if (n > 0)
        g_string_append_printf(text, "%s%s %" G_GUINT64_FORMAT, text->len > 0 ? ", " : "", what, n);
}

/* "busy 1, refused 2": the reasons that were said, "" when none was. */
static char *
print_reasons(const FolioActReport *report)
{
    GString *text = g_string_new(NULL);

    for (guint i = FOLIO_LEFT_UNSAID + 1; i < FOLIO_N_LEFT; i++)
        append(text, folio_left_token(i), report->left[i]);
    return g_string_free(text, FALSE);
}

char *
folio_act_report_print(const FolioActReport *report, const char *kind)
{
    const Words *words = words_of(kind);
    g_autofree char *reasons = print_reasons(report);
    GString *text = g_string_new(NULL);

    append(text, words->done, report->outcomes[FOLIO_OUTCOME_DONE]);
    append(text, words->already, report->outcomes[FOLIO_OUTCOME_ALREADY]);
    append(text, "done in part", report->outcomes[FOLIO_OUTCOME_PARTLY]);
    append(text, "left", report->outcomes[FOLIO_OUTCOME_LEFT]);
    if (*reasons != '\0')
        g_string_append_printf(text, " (%s)", reasons);
    append(text, "not in memory", report->outcomes[FOLIO_OUTCOME_ABSENT]);
    append(text, "gone or not known", report->outcomes[FOLIO_OUTCOME_GONE]);
    if (text->len == 0)
        g_string_append(text, "nothing to do");
    return g_string_free(text, FALSE);
}
