/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl doctor: each precondition, and what to do about those that are not met. */
#include "ctl/cmd.h"
#include "ctl/json.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *token;
    const char *symbol;
    FolioColour colour;
} Result;

/* A result of a newer foliod that this table lacks counts as the gravest, the last. */
static const Result results[] = {
    { "pass", "✔", FOLIO_COLOUR_GREEN },
    { "warn", "!", FOLIO_COLOUR_YELLOW },
    { "fail", "✘", FOLIO_COLOUR_RED },
};

#define FAIL (G_N_ELEMENTS(results) - 1)

static gsize
find_result(const char *token)
{
    for (gsize i = 0; i < FAIL; i++) {
        if (g_str_equal(token, results[i].token))
            return i;
    }
    return FAIL;
}

static guint
check_width(GVariant *checks)
{
    const char *check;
    GVariantIter iter;
    guint width = 0;

    g_variant_iter_init(&iter, checks);
    while (g_variant_iter_next(&iter, "(&s&s&s&s)", &check, NULL, NULL, NULL))
        width = MAX(width, (guint) strlen(check));
    return width;
}

/* The text stands in its own column, the remedy below it. */
static void
append_check(const FolioInvocation *invocation, const Result *result, const char *check,
             guint check_columns, const char *text, const char *remedy, GString *out)
{
    const char *mark = invocation->symbols ? result->symbol : result->token;
    guint indent = folio_display_width(mark) + 2 + check_columns + 2;
    g_autofree char *painted = folio_paint(result->colour, mark, invocation->coloured);
    g_autofree char *wrapped = folio_wrap(text, indent, invocation->width);

    g_string_append_printf(out, "%s  %-*s  %s", painted, (int) check_columns, check,
                           wrapped + indent);
    if (result != results && *remedy != '\0') {
        g_autofree char *below = folio_wrap(remedy, indent + 2, invocation->width);

        g_string_append(out, below);
    }
}

static char *
render(const FolioInvocation *invocation, GVariant *checks)
{
    guint counts[G_N_ELEMENTS(results)] = { 0 };
    guint columns = check_width(checks);
    GString *out = g_string_new(NULL);
    const char *check, *token, *text, *remedy;
    GVariantIter iter;

    g_variant_iter_init(&iter, checks);
    while (g_variant_iter_next(&iter, "(&s&s&s&s)", &check, &token, &text, &remedy)) {
        gsize result = find_result(token);

        counts[result]++;
        append_check(invocation, &results[result], check, columns, text, remedy, out);
    }
    g_string_append_printf(out, "\n%u checks: %u pass, %u warn, %u fail\n",
                           counts[0] + counts[1] + counts[2], counts[0], counts[1], counts[2]);
    return g_string_free(out, FALSE);
}

static gboolean
any_failed(GVariant *checks)
{
    const char *token;
    GVariantIter iter;

    g_variant_iter_init(&iter, checks);
    while (g_variant_iter_next(&iter, "(&s&s&s&s)", NULL, &token, NULL, NULL)) {
        if (find_result(token) == FAIL)
            return TRUE;
    }
    return FALSE;
}

/* The UUID of the guest that was named. */
static char *
find_uuid(const FolioInvocation *invocation, GError **error)
{
    g_autofree char *path = folio_client_find_guest(invocation->client, invocation->guest, error);
    g_autoptr(GVariant) guest = NULL;

    if (path != NULL)
        guest = folio_client_get_guest(invocation->client, path, error);
    return guest != NULL ? g_strdup(folio_dict_string(guest, "Uuid")) : NULL;
}

FolioExitStatus
folio_cmd_doctor(const FolioInvocation *invocation, GError **error)
{
    g_autofree char *uuid = NULL;
    g_autofree char *output = NULL;
    g_autoptr(GVariant) checks = NULL;

    if (invocation->guest != NULL) {
        uuid = find_uuid(invocation, error);
        if (uuid == NULL)
            return FOLIO_EXIT_FAILED;
    }
    checks = folio_client_doctor(invocation->client, uuid != NULL ? uuid : "", error);
    if (checks == NULL)
        return FOLIO_EXIT_FAILED;
    output = invocation->json ? folio_json_doctor(uuid, checks) : render(invocation, checks);
    fputs(output, stdout);
    return any_failed(checks) ? FOLIO_EXIT_FAILED : FOLIO_EXIT_OK;
}
