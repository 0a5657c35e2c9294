/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checks' common part: writing one down. */
#include "host/doctor-check.h"

#include "base/log.h"

static void
check_free(gpointer data)
{
    FolioCheck *check = data;

    g_free(check->text);
    g_free(check->remedy);
    g_free(check);
}

GPtrArray *
folio_checks_new(void)
{
    return g_ptr_array_new_with_free_func(check_free);
}

static void
add(GPtrArray *checks, FolioCheckResult result, const char *check, const char *remedy,
    const char *text)
{
    FolioCheck *added = g_new0(FolioCheck, 1);

    added->check = check;
    added->result = result;
    added->text = folio_escape(text);
    added->remedy = folio_escape(remedy);
    g_ptr_array_add(checks, added);
}

void
folio_checks_pass(GPtrArray *checks, const char *check, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    add(checks, FOLIO_CHECK_PASS, check, "", text);
}

void
folio_checks_object(GPtrArray *checks, FolioCheckResult result, const char *check,
                    const char *remedy, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    add(checks, result, check, remedy, text);
}

const char *
folio_check_result_token(FolioCheckResult result)
{
    static const char *const tokens[] = { "pass", "warn", "fail" };

    return tokens[result];
}
