/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parser of /proc/PID/maps and smaps, in one pass and without a copy of the text: a guest with
 * 100,000 VMAs is parsed in tens of milliseconds. */
#include "memory/maps.h"

#include "base/error.h"

#include <string.h>

#define DELETED " (deleted)"

/* What is left of a line. */
typedef struct {
    const char *at;
    const char *end;
} Cursor;

static gboolean
take_char(Cursor *cursor, char expected)
{
    if (cursor->at == cursor->end || *cursor->at != expected)
        return FALSE;
    cursor->at++;
    return TRUE;
}

static void
skip_spaces(Cursor *cursor)
{
    while (take_char(cursor, ' '))
        ;
}

/* A number of the given base without sign or prefix; FALSE when there is none or it is larger than
 * max. Letters are lower case, as the kernel writes them. */
static gboolean
take_number(Cursor *cursor, guint base, guint64 max, guint64 *value)
{
    const char *start = cursor->at;
    guint64 sum = 0;

    for (; cursor->at < cursor->end; cursor->at++) {
        const char c = *cursor->at;
        guint digit = base;

        if (c >= '0' && c <= '9')
            digit = (guint) (c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (guint) (c - 'a') + 10;
        if (digit >= base)
            break;
        if (digit > max || sum > (max - digit) / base)
            return FALSE;
        sum = sum * base + digit;
    }
    *value = sum;
    return cursor->at > start;
}

static gboolean
take_hex(Cursor *cursor, guint64 max, guint64 *value)
{
    return take_number(cursor, 16, max, value);
}

/* The four letters such as "rw-s". */
static gboolean
take_permissions(Cursor *cursor, FolioVma *vma)
{
    static const char letters[] = "rwxs";
    static const char others[] = "---p";
    static const guint32 flags[] = { FOLIO_VMA_READ, FOLIO_VMA_WRITE, FOLIO_VMA_EXEC,
                                     FOLIO_VMA_SHARED };

    for (guint i = 0; i < G_N_ELEMENTS(flags); i++) {
        if (take_char(cursor, letters[i]))
            vma->flags |= flags[i];
        else if (!take_char(cursor, others[i]))
            return FALSE;
    }
    return TRUE;
}

/* Everything of a VMA's line but its path. */
static gboolean
take_vma(Cursor *cursor, FolioVma *vma)
{
    guint64 major = 0;
    guint64 minor = 0;

    if (!take_hex(cursor, G_MAXUINT64, &vma->start) || !take_char(cursor, '-') ||
        !take_hex(cursor, G_MAXUINT64, &vma->end) || !take_char(cursor, ' ') ||
        !take_permissions(cursor, vma) || !take_char(cursor, ' ') ||
        !take_hex(cursor, G_MAXUINT64, &vma->offset) || !take_char(cursor, ' ') ||
        !take_hex(cursor, G_MAXUINT32, &major) || !take_char(cursor, ':') ||
        !take_hex(cursor, G_MAXUINT32, &minor) || !take_char(cursor, ' ') ||
        !take_number(cursor, 10, G_MAXUINT64, &vma->inode))
        return FALSE;
    if (cursor->at < cursor->end && *cursor->at != ' ')
        return FALSE;
    vma->dev_major = (guint32) major;
    vma->dev_minor = (guint32) minor;
    return vma->start < vma->end;
}

/* The kernel escapes nothing but the newline. */
static const char *
insert_path(GStringChunk *paths, const char *text, gsize length)
{
    char *path = g_string_chunk_insert_len(paths, text, (gssize) length);
    char *escape = strstr(path, "\\012");
    char *to = escape;

    if (escape == NULL)
        return path;
    for (const char *from = escape; *from != '\0'; to++) {
        if (strncmp(from, "\\012", 4) == 0) {
            *to = '\n';
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
    return path;
}

static void
set_path(FolioMaps *maps, FolioVma *vma, const Cursor *rest)
{
    gsize length = (gsize) (rest->end - rest->at);
    const FolioVma *last = NULL;

    if (*rest->at == '/' && length > strlen(DELETED) &&
        memcmp(rest->end - strlen(DELETED), DELETED, strlen(DELETED)) == 0) {
        vma->flags |= FOLIO_VMA_DELETED;
        length -= strlen(DELETED);
    }
    /* Most files have several VMAs in a row; they share one copy of the path. */
    if (maps->vmas->len > 0)
        last = &g_array_index(maps->vmas, FolioVma, maps->vmas->len - 1);
    if (last != NULL && strlen(last->path) == length && memcmp(last->path, rest->at, length) == 0)
        vma->path = last->path;
    else
        vma->path = insert_path(maps->paths, rest->at, length);
}

static gboolean
parse_vma(FolioMaps *maps, Cursor line)
{
    FolioVma vma = { .path = "" };
    const FolioVma *last = NULL;

    if (!take_vma(&line, &vma))
        return FALSE;
    if (maps->vmas->len > 0)
        last = &g_array_index(maps->vmas, FolioVma, maps->vmas->len - 1);
    if (last != NULL && vma.start < last->end)
        return FALSE;
    skip_spaces(&line);
    if (line.at < line.end)
        set_path(maps, &vma, &line);
    g_array_append_val(maps->vmas, vma);
    return TRUE;
}

/* The two-letter words of VmFlags, Documentation/filesystems/proc.rst. */
static void
parse_vm_flags(FolioVma *vma, Cursor value)
{
    static const struct {
        char word[3];
        guint32 flag;
    } known[] = {
        { "lo", FOLIO_VMA_LOCKED }, { "hg", FOLIO_VMA_HUGEPAGE }, { "ht", FOLIO_VMA_HUGETLB },
        { "pf", FOLIO_VMA_PFNMAP }, { "io", FOLIO_VMA_PFNMAP },
    };

    for (skip_spaces(&value); value.end - value.at >= 2; skip_spaces(&value)) {
        for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
            if (memcmp(value.at, known[i].word, 2) == 0)
                vma->flags |= known[i].flag;
        }
        while (value.at < value.end && *value.at != ' ')
            value.at++;
    }
}

/* Adds "   1234 kB" to *sum, in bytes. */
static gboolean
add_kib(Cursor value, guint64 *sum)
{
    guint64 kib = 0;

    skip_spaces(&value);
    if (!take_number(&value, 10, (G_MAXUINT64 - *sum) / 1024, &kib) || value.end - value.at != 3 ||
        memcmp(value.at, " kB", 3) != 0)
        return FALSE;
    *sum += kib * 1024;
    return TRUE;
}

static gboolean
parse_value(FolioVma *vma, const char *key, gsize key_length, Cursor value)
{
    static const struct {
        const char *key;
        gsize offset;
    } known[] = {
        { "Rss", G_STRUCT_OFFSET(FolioVma, rss) },
        { "AnonHugePages", G_STRUCT_OFFSET(FolioVma, pmd_mapped) },
        { "ShmemPmdMapped", G_STRUCT_OFFSET(FolioVma, pmd_mapped) },
        { "FilePmdMapped", G_STRUCT_OFFSET(FolioVma, pmd_mapped) },
        { "Shared_Hugetlb", G_STRUCT_OFFSET(FolioVma, hugetlb) },
        { "Private_Hugetlb", G_STRUCT_OFFSET(FolioVma, hugetlb) },
        { "Swap", G_STRUCT_OFFSET(FolioVma, swap) },
        { "Locked", G_STRUCT_OFFSET(FolioVma, locked) },
        { "KernelPageSize", G_STRUCT_OFFSET(FolioVma, kernel_page_size) },
    };

    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        if (strlen(known[i].key) == key_length && memcmp(known[i].key, key, key_length) == 0)
            return add_kib(value, G_STRUCT_MEMBER_P(vma, known[i].offset));
    }
    if (key_length == strlen("VmFlags") && memcmp(key, "VmFlags", key_length) == 0)
        parse_vm_flags(vma, value);
    return TRUE;
}

/* "Key:   value" of the VMA above it. */
static gboolean
parse_key(FolioMaps *maps, Cursor line)
{
    Cursor value = line;

    while (value.at < value.end && (g_ascii_isalnum(*value.at) || *value.at == '_'))
        value.at++;
    if (value.at == line.at || value.at == value.end || *value.at != ':' || maps->vmas->len == 0)
        return FALSE;
    value.at++;
    return parse_value(&g_array_index(maps->vmas, FolioVma, maps->vmas->len - 1), line.at,
                       (gsize) (value.at - 1 - line.at), value);
}

static gboolean
parse_line(FolioMaps *maps, Cursor line)
{
    Cursor start = line;

    if (memchr(line.at, '\0', (gsize) (line.end - line.at)) != NULL)
        return FALSE;
    /* A VMA starts with "7f00-"; no key has a dash. */
    while (start.at < start.end && g_ascii_isxdigit(*start.at))
        start.at++;
    if (start.at < start.end && *start.at == '-')
        return parse_vma(maps, line);
    return parse_key(maps, line);
}

FolioMaps *
folio_maps_parse(const char *text, gsize length, GError **error)
{
    g_autoptr(FolioMaps) maps = g_new0(FolioMaps, 1);
    const char *end = text + length;
    guint number = 1;

    maps->vmas = g_array_new(FALSE, FALSE, sizeof(FolioVma));
    maps->paths = g_string_chunk_new(4096);
    for (const char *at = text; at < end; number++) {
        const char *newline = memchr(at, '\n', (gsize) (end - at));

        if (newline == NULL) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "line %u: cut off", number);
            return NULL;
        }
        if (!parse_line(maps, (Cursor){ .at = at, .end = newline })) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                        "line %u: neither a mapping nor a value of one", number);
            return NULL;
        }
        at = newline + 1;
    }
    return g_steal_pointer(&maps);
}

void
folio_maps_free(FolioMaps *maps)
{
    if (maps == NULL)
        return;
    g_array_unref(maps->vmas);
    g_string_chunk_free(maps->paths);
    g_free(maps);
}
