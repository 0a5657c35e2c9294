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

gboolean
folio_lines_run(FolioLines *lines, guint n, guint *first, guint *count)
{
    char *field = folio_lines_field(lines);
    char *plus = strchr(field, '+');
    guint64 from = 0, length = 1;

    if (plus != NULL)
        *plus = '\0';
    if (n == 0 || !g_ascii_string_to_unsigned(field, 10, 0, n, &from, NULL) ||
        (plus != NULL && !g_ascii_string_to_unsigned(plus + 1, 10, 1, n, &length, NULL)) ||
        from + length > n)
        return FALSE;
    *first = (guint) from;
    *count = (guint) length;
    return TRUE;
}

/* As printf does it, in a tenth of the time: there may be hundreds of thousands. */
static void
append_number(GString *text, char before, guint number)
{
    char digits[12];
    guint at = sizeof digits;

    do {
        digits[--at] = (char) ('0' + number % 10);
        number /= 10;
    } while (number > 0);
    digits[--at] = before;
    g_string_append_len(text, &digits[at], sizeof digits - at);
}

void
folio_lines_append_run(GString *text, guint first, guint count)
{
    append_number(text, ' ', first);
    if (count > 1)
        append_number(text, '+', count);
}

/* Whose it is */

void
folio_lines_owner_clear(FolioLinesOwner *owner)
{
    g_clear_pointer(&owner->uuid, g_free);
    g_clear_pointer(&owner->boot, g_free);
}

void
folio_lines_append_owner(GString *text, const char *magic, const FolioLinesOwner *owner)
{
    g_string_append_printf(text, "%s guest %s\nboot %s\nprocess %d %" G_GUINT64_FORMAT "\n", magic,
                           owner->uuid, owner->boot, owner->pid, owner->start_time);
}

/* The rest of the line, a UUID in lower case; NULL when it is none. */
static char *
take_uuid(FolioLines *lines)
{
    char *field = folio_lines_field(lines);
    g_autofree char *lower = g_ascii_strdown(field, -1);

    if (!g_uuid_string_is_valid(field) || !g_str_equal(lower, field) || !folio_lines_at_end(lines))
        return NULL;
    return g_steal_pointer(&lower);
}

char *
folio_lines_take_boot(FolioLines *lines)
{
    return folio_lines_take(lines, "boot") ? take_uuid(lines) : NULL;
}

gboolean
folio_lines_take_owner(FolioLines *lines, const char *magic, FolioLinesOwner *owner, GError **error)
{
    g_autofree char *first = g_strconcat(magic, " guest", NULL);
    guint64 pid;

    owner->uuid = folio_lines_take(lines, first) ? take_uuid(lines) : NULL;
    if (owner->uuid == NULL)
        return folio_lines_wrong(lines, error, "not of a guest, or of another version");
    owner->boot = folio_lines_take_boot(lines);
    if (owner->boot == NULL)
        return folio_lines_wrong(lines, error, "no boot");
    if (!folio_lines_take(lines, "process") || !folio_lines_number(lines, G_MAXINT, &pid) ||
        !folio_lines_number(lines, G_MAXUINT64, &owner->start_time) || !folio_lines_at_end(lines))
        return folio_lines_wrong(lines, error, "no process");
    owner->pid = (pid_t) pid;
    return TRUE;
}
