/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parser of /proc/PID/mountinfo, see Documentation/filesystems/proc.rst, section 3.5:
 * 36 35 98:0 /root /mount-point rw,noatime master:1 - ext3 /dev/root rw,errors=continue */
#include "memory/mountinfo.h"

#include <string.h>

#define SEPARATOR " - "

/* The kernel writes space, tab, newline, backslash and more as \ooo. */
static char *
unescape(const char *text)
{
    char *plain = g_strdup(text);
    char *to = plain;

    while (*text != '\0') {
        if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
            text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
            *to++ = (char) ((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text += 4;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
    return plain;
}

/* Is the third word of the line "MAJOR:MINOR"? */
static gboolean
line_is_of_device(const char *line, guint32 major, guint32 minor)
{
    g_autofree char *device = g_strdup_printf(" %u:%u ", major, minor);
    const char *second = strchr(line, ' ');
    const char *third = second != NULL ? strchr(second + 1, ' ') : NULL;

    return third != NULL && g_str_has_prefix(third, device);
}

static gboolean
parse_line(const char *line, guint32 major, guint32 minor, char **fs_type, char **fs_options)
{
    const char *separator = strstr(line, SEPARATOR);
    g_auto(GStrv) words = NULL;

    if (separator == NULL || !line_is_of_device(line, major, minor))
        return FALSE;
    words = g_strsplit(separator + strlen(SEPARATOR), " ", 3);
    if (g_strv_length(words) != 3)
        return FALSE;
    *fs_type = unescape(words[0]);
    *fs_options = unescape(words[2]);
    return TRUE;
}

gboolean
folio_mountinfo_find(const char *text, gsize length, guint32 major, guint32 minor, char **fs_type,
                     char **fs_options)
{
    const char *end = text + length;

    for (const char *at = text; at < end;) {
        const char *newline = memchr(at, '\n', (gsize) (end - at));
        const char *line_end = newline != NULL ? newline : end;
        g_autofree char *line = g_strndup(at, (gsize) (line_end - at));

        if (parse_line(line, major, minor, fs_type, fs_options))
            return TRUE;
        at = line_end + 1;
    }
    return FALSE;
}

char *
folio_mount_option(const char *fs_options, const char *name)
{
    g_auto(GStrv) options = g_strsplit(fs_options, ",", -1);
    const gsize length = strlen(name);

    for (char **option = options; *option != NULL; option++) {
        if (strncmp(*option, name, length) == 0 && (*option)[length] == '=')
            return g_strdup(*option + length + 1);
    }
    return NULL;
}
