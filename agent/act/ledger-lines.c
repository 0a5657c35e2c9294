/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cutting a sealed text into lines and fields, in place. */
#include "act/ledger-lines.h"

#include "act/ledger-file.h"
#include "base/error.h"

#include <string.h>

#define SEAL          "sha256 "
#define DIGEST_LENGTH 64
#define SEAL_LENGTH   (strlen(SEAL) + DIGEST_LENGTH + 1)

void
folio_lines_seal(GString *text)
{
    g_autofree char *digest =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *) text->str, text->len);

    g_string_append_printf(text, SEAL "%s\n", digest);
}

void
folio_lines_clear(FolioLines *lines)
{
    g_free(lines->text);
}

gboolean
folio_lines_wrong(const FolioLines *lines, GError **error, const char *what)
{
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "line %u: %s", lines->line, what);
    return FALSE;
}

gboolean
folio_lines_open(FolioLines *lines, const char *text, gsize length, GError **error)
{
    const gsize body = length - MIN(length, SEAL_LENGTH);
    g_autofree char *digest = NULL;
    g_autofree char *seal = NULL;

    if (length > FOLIO_LEDGER_MAX_BYTES || memchr(text, '\0', length) != NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "too long, or not a text");
        return FALSE;
    }
    digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *) text, body);
    seal = g_strdup_printf(SEAL "%s\n", digest);
    if (length < SEAL_LENGTH || memcmp(text + body, seal, SEAL_LENGTH) != 0) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "the checksum at its end is missing or does not fit");
        return FALSE;
    }
    if (body > 0 && text[body - 1] != '\n') {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "the last line does not end");
        return FALSE;
    }
    lines->text = lines->next = lines->at = g_strndup(text, body);
    return TRUE;
}

gboolean
folio_lines_take(FolioLines *lines, const char *word)
{
    const gsize length = strlen(word);

    if (strncmp(lines->next, word, length) != 0 || lines->next[length] != ' ')
        return FALSE;
    lines->at = lines->next + length + 1;
    lines->next = strchr(lines->at, '\n');
    *lines->next++ = '\0';
    lines->line++;
    return TRUE;
}

gboolean
folio_lines_number(FolioLines *lines, guint64 max, guint64 *number)
{
    guint64 value = 0;
    const char *start = lines->at;

    for (; g_ascii_isdigit(*lines->at); lines->at++) {
        const guint64 digit = (guint64) (*lines->at - '0');

        if (digit > max || value > (max - digit) / 10)
            return FALSE;
        value = value * 10 + digit;
    }
    if (lines->at == start || (*lines->at != ' ' && *lines->at != '\0'))
        return FALSE;
    lines->at += *lines->at == ' ';
    *number = value;
    return TRUE;
}

gboolean
folio_lines_numbers(FolioLines *lines, guint64 max, guint64 *numbers, guint n)
{
    for (guint i = 0; i < n; i++) {
        if (!folio_lines_number(lines, max, &numbers[i]))
            return FALSE;
    }
    return TRUE;
}

char *
folio_lines_field(FolioLines *lines)
{
    char *field = lines->at;

    while (*lines->at != ' ' && *lines->at != '\0')
        lines->at++;
    if (*lines->at == ' ')
        *lines->at++ = '\0';
    return field;
}

char *
folio_lines_string(FolioLines *lines)
{
    g_autofree char *string = g_uri_unescape_string(folio_lines_field(lines), NULL);

    if (string == NULL || strlen(string) > FOLIO_LEDGER_MAX_STRING)
        return NULL;
    return g_steal_pointer(&string);
}

gboolean
folio_lines_at_end(const FolioLines *lines)
{
    return *lines->at == '\0';
}
