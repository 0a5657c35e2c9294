/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The transparent-huge-page setting of a process. */
#include "memory/thp.h"

#include "base/error.h"
#include "base/file-io.h"

#include <string.h>

#define STATUS_MAX_BYTES (64 * 1024)

static const char *const tokens[] = {
    [FOLIO_THP_AS_USUAL] = "usual",
    [FOLIO_THP_NO_KHUGEPAGED] = "no-khugepaged",
    [FOLIO_THP_NO_HUGE_PAGES] = "no-huge-pages",
};

const char *
folio_thp_token(FolioThp thp)
{
    return tokens[thp];
}

gboolean
folio_thp_from_token(const char *token, FolioThp *thp)
{
    for (gsize i = 0; i < G_N_ELEMENTS(tokens); i++) {
        if (g_str_equal(token, tokens[i])) {
            *thp = (FolioThp) i;
            return TRUE;
        }
    }
    return FALSE;
}

void
folio_thp_get_arguments(FolioThp thp, unsigned long *disable, unsigned long *flags)
{
    *disable = thp == FOLIO_THP_AS_USUAL ? 0 : 1;
    *flags = thp == FOLIO_THP_NO_KHUGEPAGED ? FOLIO_THP_DISABLE_KHUGEPAGED : 0;
}

/* The digit of a line; -1 when there is none. The name begins with a line feed: the first line is
 * the process's name, which anybody can choose, but the kernel escapes line feeds in it. */
static int
find_value(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    if (line == NULL)
        return -1;
    line += strlen(name);
    return g_ascii_digit_value(line[strspn(line, " \t")]);
}

void
folio_thp_parse_status(const char *text, FolioThpStatus *status)
{
    const int khugepaged = find_value(text, "\nTHP_khugepaged:");

    status->knows_khugepaged = khugepaged >= 0;
    status->khugepaged = khugepaged != 0;
    status->enabled = find_value(text, "\nTHP_enabled:") != 0;
}

gboolean
folio_thp_read_status(const FolioProcess *process, FolioThpStatus *status, GError **error)
{
    g_autofree char *text = folio_file_read(folio_process_get_proc_fd(process), "status",
                                            STATUS_MAX_BYTES, NULL, error);

    if (text == NULL) {
        g_prefix_error(error, "/proc/%d/", folio_process_get_pid(process));
        return FALSE;
    }
    /* Of a process that is being killed the memory goes first, and with it these lines. */
    if (strstr(text, "\nTHP_enabled:") == NULL && strstr(text, "\nVmSize:") == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "the process %d is ending",
                    (int) folio_process_get_pid(process));
        return FALSE;
    }
    folio_thp_parse_status(text, status);
    return TRUE;
}

gboolean
folio_thp_is(const FolioThpStatus *status, FolioThp thp)
{
    /* khugepaged is off too where nothing is enabled. */
    if (thp == FOLIO_THP_NO_HUGE_PAGES)
        return !status->enabled;
    return status->enabled && status->khugepaged == (thp == FOLIO_THP_AS_USUAL);
}
