/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One configuration file: safe to read, and split into its lines. */
#include "config-file.h"

#include "base/error.h"
#include "base/file-io.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define EXCERPT_CHARACTERS 160
/* More would hide the first, which is the one to mend. */
#define MAX_ERRORS_PER_FILE 20

static void
entry_free(FolioConfigEntry *entry)
{
    g_free(entry->group);
    g_free(entry->key);
    g_free(entry->value);
    g_free(entry);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioConfigEntry, entry_free)

char *
folio_config_excerpt(const char *text)
{
    g_autofree char *escaped = folio_escape(text);
    g_autofree char *start = NULL;

    if (g_utf8_strlen(escaped, -1) <= EXCERPT_CHARACTERS)
        return g_steal_pointer(&escaped);
    start = g_utf8_substring(escaped, 0, EXCERPT_CHARACTERS);
    return g_strconcat(start, "...", NULL);
}

void
folio_config_error_add(GPtrArray *errors, const char *file, guint line, const char *key,
                       const char *format, ...)
{
    FolioConfigError *error = g_new0(FolioConfigError, 1);
    g_autofree char *what = NULL;
    g_autoptr(GString) text = g_string_new(file);
    va_list args;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);

    if (line > 0)
        g_string_append_printf(text, ":%u", line);
    g_string_append(text, ": ");
    if (key != NULL) {
        g_autofree char *excerpt = folio_config_excerpt(key);

        g_string_append_printf(text, "%s: ", excerpt);
    }
    g_string_append(text, what);
    error->file = g_strdup(file);
    error->line = line;
    error->key = g_strdup(key != NULL ? key : "");
    error->text = folio_escape(text->str);
    g_ptr_array_add(errors, error);
}

gboolean
folio_config_error_flood(GPtrArray *errors, guint before, const char *file, guint line)
{
    if (errors->len < before + MAX_ERRORS_PER_FILE)
        return FALSE;
    if (errors->len == before + MAX_ERRORS_PER_FILE)
        folio_config_error_add(errors, file, line, NULL,
                               "too many errors: the lines from here on were not looked at");
    return TRUE;
}

gboolean
folio_config_file_is_trusted(const char *path, guint owner, guint mode, char **problem)
{
    g_autofree char *quoted = g_shell_quote(path);

    if (owner != 0 && owner != geteuid()) {
        *problem = g_strdup_printf("belongs to user %u, who could thereby tell a daemon of root "
                                   "what to do: chown root %s",
                                   owner, quoted);
        return FALSE;
    }
    if ((mode & S_IWOTH) != 0) {
        *problem = g_strdup_printf("everybody may write it (mode %04o), and thereby tell a daemon "
                                   "of root what to do: chmod o-w %s",
                                   mode & 07777, quoted);
        return FALSE;
    }
    return TRUE;
}

static FolioConfigFileKind
examine(int fd, const char *path, GPtrArray *errors)
{
    g_autofree char *problem = NULL;
    struct stat info;

    if (fstat(fd, &info) != 0) {
        folio_config_error_add(errors, path, 0, NULL, "%s", g_strerror(errno));
        return FOLIO_CONFIG_FILE_BAD;
    }
    /* Linux: memory devices, the null device (Documentation/admin-guide/devices.txt). */
    if (S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3))
        return FOLIO_CONFIG_FILE_MASK;
    if (!S_ISREG(info.st_mode)) {
        folio_config_error_add(errors, path, 0, NULL, "not a regular file");
        return FOLIO_CONFIG_FILE_BAD;
    }
    if (!folio_config_file_is_trusted(path, info.st_uid, info.st_mode, &problem)) {
        folio_config_error_add(errors, path, 0, NULL, "%s", problem);
        return FOLIO_CONFIG_FILE_BAD;
    }
    return FOLIO_CONFIG_FILE_TEXT;
}

/* The errors of base name the path first; here it is there already. */
static void
add_base_error(GPtrArray *errors, const char *path, const GError *error)
{
    const char *message = error->message;

    if (g_str_has_prefix(message, path) && g_str_has_prefix(message + strlen(path), ": "))
        message += strlen(path) + 2;
    folio_config_error_add(errors, path, 0, NULL, "%s", message);
}

FolioConfigFileKind
folio_config_file_read(const char *path, char **text, gsize *length, GPtrArray *errors)
{
    g_autoptr(GError) error = NULL;
    FolioConfigFileKind kind;
    /* Not blocking: it may be a FIFO. */
    int fd = folio_file_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, &error);

    if (fd < 0) {
        add_base_error(errors, path, error);
        return FOLIO_CONFIG_FILE_BAD;
    }
    kind = examine(fd, path, errors);
    if (kind == FOLIO_CONFIG_FILE_TEXT) {
        *text = folio_file_read_fd(fd, path, FOLIO_CONFIG_MAX_BYTES, length, &error);
        if (*text == NULL) {
            add_base_error(errors, path, error);
            kind = FOLIO_CONFIG_FILE_BAD;
        }
    }
    close(fd);
    return kind;
}

static guint
line_of(const char *text, const char *position)
{
    guint line = 1;

    for (const char *p = text; p < position; p++)
        line += *p == '\n';
    return line;
}

/* GKeyFile knows no continuation lines: one line, below its group, means the same as in its file,
 * and so each error and each key has its line. Sets *entry to NULL for a comment or an empty line.
 */
static gboolean
parse_line(const char *line, const char *group, FolioConfigEntry **entry, GError **error)
{
    g_autoptr(GKeyFile) key_file = g_key_file_new();
    g_autoptr(FolioConfigEntry) found = g_new0(FolioConfigEntry, 1);
    g_autoptr(GError) no_group = NULL;
    g_autoptr(GError) bad_escape = NULL;
    g_autofree char *text = NULL;
    g_auto(GStrv) names = NULL;

    *entry = NULL;
    if (g_key_file_load_from_data(key_file, line, (gsize) -1, G_KEY_FILE_NONE, &no_group)) {
        found->group = g_key_file_get_start_group(key_file);
        if (found->group != NULL)
            *entry = g_steal_pointer(&found);
        return TRUE;
    }
    if (group == NULL ||
        !g_error_matches(no_group, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&no_group));
        return FALSE;
    }

    text = g_strdup_printf("[%s]\n%s\n", group, line);
    if (!g_key_file_load_from_data(key_file, text, (gsize) -1, G_KEY_FILE_KEEP_TRANSLATIONS, error))
        return FALSE;
    names = g_key_file_get_keys(key_file, group, NULL, error);
    if (names == NULL || names[0] == NULL)
        return names != NULL;
    found->group = g_strdup(group);
    found->key = g_strdup(names[0]);
    found->value = g_key_file_get_string(key_file, group, names[0], &bad_escape);
    /* With a bad escape there is a value none the less, of some kind. */
    if (bad_escape != NULL)
        g_clear_pointer(&found->value, g_free);
    else
        g_strstrip(found->value);
    *entry = g_steal_pointer(&found);
    return TRUE;
}

/* What is wrong with a key whatever it means. GKeyFile itself would silently take the last of two.
 */
static void
check_key(const FolioConfigEntry *entry, GHashTable *seen, const char *path, GPtrArray *errors)
{
    char *name = g_strconcat(entry->group, "]", entry->key, NULL);
    guint before = GPOINTER_TO_UINT(g_hash_table_lookup(seen, name));

    if (entry->value == NULL)
        folio_config_error_add(
            errors, path, entry->line, entry->key,
            "the value has a backslash that starts no escape; \\\\ is one backslash");
    else if (before != 0)
        folio_config_error_add(errors, path, entry->line, entry->key,
                               "is already set in line %u of this file", before);
    g_hash_table_insert(seen, name, GUINT_TO_POINTER(entry->line));
}

static void
add_syntax_error(GPtrArray *errors, const char *path, guint line, const GError *error)
{
    g_autofree char *excerpt = folio_config_excerpt(error->message);

    folio_config_error_add(errors, path, line, NULL, "syntax error: %s", excerpt);
}

static void
parse_lines(const char *path, char **lines, GPtrArray *entries, GPtrArray *errors)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    guint errors_before = errors->len;
    gboolean group_is_lost = FALSE;
    const char *group = NULL;

    for (guint i = 0; lines[i] != NULL; i++) {
        g_autoptr(GError) error = NULL;
        FolioConfigEntry *entry;

        if (folio_config_error_flood(errors, errors_before, path, i + 1))
            return;
        if (!parse_line(g_strstrip(lines[i]), group, &entry, &error)) {
            gboolean no_group =
                g_error_matches(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND);

            if (!no_group || !group_is_lost)
                add_syntax_error(errors, path, i + 1, error);
            /* What follows belongs to a group that nobody knows: one error says it. */
            if (no_group || lines[i][0] == '[') {
                group_is_lost = TRUE;
                group = NULL;
            }
            continue;
        }
        if (entry == NULL)
            continue;
        entry->line = i + 1;
        g_ptr_array_add(entries, entry);
        group = entry->group;
        group_is_lost = FALSE;
        if (entry->key != NULL)
            check_key(entry, seen, path, errors);
    }
}

GPtrArray *
folio_config_file_parse(const char *path, const char *text, gsize length, GPtrArray *errors)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify) entry_free);
    g_auto(GStrv) lines = NULL;
    const char *end;

    if (!g_utf8_validate_len(text, length, &end)) {
        folio_config_error_add(errors, path, line_of(text, end), NULL, "not UTF-8 text");
        return g_steal_pointer(&entries);
    }
    lines = g_strsplit(text, "\n", -1);
    parse_lines(path, lines, entries, errors);
    return g_steal_pointer(&entries);
}

gboolean
folio_config_may_exist(const char *path)
{
    GStatBuf info;

    return g_lstat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* A drop-in's name ends in .conf and does not start with a dot, so backup files are none. */
static gboolean
is_drop_in(const char *name)
{
    return name[0] != '.' && g_str_has_suffix(name, ".conf");
}

void
folio_config_list_drop_ins(const char *path, GHashTable *drop_ins, GPtrArray *errors)
{
    g_autofree char *problem = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = NULL;
    const char *name;
    GStatBuf info;

    if (!folio_config_may_exist(path))
        return;
    dir = g_dir_open(path, 0, &error);
    if (dir == NULL || g_stat(path, &info) != 0) {
        folio_config_error_add(errors, path, 0, NULL, "%s",
                               error != NULL ? error->message : g_strerror(errno));
        return;
    }
    if (!folio_config_file_is_trusted(path, info.st_uid, info.st_mode, &problem)) {
        folio_config_error_add(errors, path, 0, NULL, "%s", problem);
        return;
    }
    while ((name = g_dir_read_name(dir)) != NULL) {
        if (is_drop_in(name))
            g_hash_table_insert(drop_ins, g_strdup(name), g_build_filename(path, name, NULL));
    }
}
