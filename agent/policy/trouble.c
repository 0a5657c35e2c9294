/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs that fail one after the other. */
#include "policy/trouble.h"

gboolean
folio_trouble_add(FolioTrouble *trouble, const char *reason, gint64 now_usec, guint *unsaid)
{
    trouble->wait =
        trouble->failures == 0 ? 1 : MIN(1u << MIN(trouble->failures, 16), FOLIO_TROUBLE_WINDOWS);
    trouble->failures += trouble->failures < G_MAXUINT;
    g_free(trouble->reason);
    trouble->reason = g_strdup(reason);
    if (g_strcmp0(trouble->said, reason) == 0 &&
        now_usec - trouble->said_usec < FOLIO_TROUBLE_SILENT_USEC) {
        trouble->unsaid++;
        return FALSE;
    }
    g_free(trouble->said);
    trouble->said = g_strdup(reason);
    trouble->said_usec = now_usec;
    *unsaid = trouble->unsaid;
    trouble->unsaid = 0;
    return TRUE;
}

void
folio_trouble_pass(FolioTrouble *trouble)
{
    trouble->wait -= trouble->wait > 0;
}

gboolean
folio_trouble_waits(const FolioTrouble *trouble)
{
    return trouble->wait > 0;
}

guint
folio_trouble_end(FolioTrouble *trouble)
{
    const guint failures = trouble->failures;

    g_free(trouble->reason);
    g_free(trouble->said);
    *trouble = (FolioTrouble){ 0 };
    return failures;
}

char *
folio_trouble_print(const FolioTrouble *trouble, const char *what)
{
    const char *windows = trouble->wait == 1 ? "window" : "windows";

    if (trouble->failures == 0)
        return NULL;
    if (trouble->wait == 0)
        return g_strdup_printf("%s failed %u time%s, is tried again: %s", what, trouble->failures,
                               trouble->failures == 1 ? "" : "s", trouble->reason);
    return g_strdup_printf("%s failed %u time%s, next try in %u %s: %s", what, trouble->failures,
                           trouble->failures == 1 ? "" : "s", trouble->wait, windows,
                           trouble->reason);
}
