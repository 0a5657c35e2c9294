/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod-inject is told on its command line. */
#include "inject/arguments.h"

#include "base/error.h"

gboolean
folio_inject_parse_arguments(const char *const *arguments, FolioInjectArguments *parsed,
                             GError **error)
{
    guint64 pid = 0;

    if (g_strv_length((char **) (gpointer) arguments) != 3) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "usage: foliod-inject PID START-TIME usual|no-khugepaged|no-huge-pages");
        return FALSE;
    }
    /* 1 is init, or the first process of our container: never a guest. */
    if (!g_ascii_string_to_unsigned(arguments[0], 10, 2, G_MAXINT, &pid, error) ||
        !g_ascii_string_to_unsigned(arguments[1], 10, 0, G_MAXUINT64, &parsed->start_time, error)) {
        if (error != NULL) {
            (*error)->domain = FOLIO_ERROR;
            (*error)->code = FOLIO_ERROR_INVALID;
        }
        return FALSE;
    }
    parsed->pid = (pid_t) pid;
    if (folio_thp_from_token(arguments[2], &parsed->thp))
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "\"%s\" is not known; it can be usual, no-khugepaged or no-huge-pages",
                arguments[2]);
    return FALSE;
}
