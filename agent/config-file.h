/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One configuration file: what it holds line by line, before anybody asks what it means. */
#pragma once

#include "config.h"

/* 64 KiB: the shipped file, with all its comments, takes a twentieth of that. */
#define FOLIO_CONFIG_MAX_BYTES (64 * 1024)

/* A line with a group or a key. */
typedef struct {
    guint line; /* from 1 */
    char *group;
    char *key;   /* NULL: the line begins the group */
    char *value; /* escapes resolved, without white space around it; NULL: cannot be read */
} FolioConfigEntry;

/* What a file is: told apart before its text is looked at. */
typedef enum {
    FOLIO_CONFIG_FILE_BAD,  /* an error was appended */
    FOLIO_CONFIG_FILE_MASK, /* a link to /dev/null */
    FOLIO_CONFIG_FILE_TEXT,
} FolioConfigFileKind;

/* Reads path. Only a regular file of root's (or of the caller's own user) that not everybody may
 * write is taken, since it tells a daemon of root what to do. *text and *length are set for TEXT.
 */
FolioConfigFileKind folio_config_file_read(const char *path, char **text, gsize *length,
                                           GPtrArray *errors);

/* Splits text into FolioConfigEntry, in the order of the lines, by GKeyFile. Pure; path is for
 * errors only. Each line that cannot be used, and each key that comes twice in a group, is appended
 * to errors, up to a flood of them (below). Free with g_ptr_array_unref. */
GPtrArray *folio_config_file_parse(const char *path, const char *text, gsize length,
                                   GPtrArray *errors);

/* TRUE when info is of a file or directory that only root (or the caller's own user) may change;
 * otherwise *problem is set to what is wrong and how to mend it. */
gboolean folio_config_file_is_trusted(const char *path, guint owner, guint mode, char **problem);

/* Appends a FolioConfigError. line may be 0, key NULL. The text is made fit for one line. */
void folio_config_error_add(GPtrArray *errors, const char *file, guint line, const char *key,
                            const char *format, ...) G_GNUC_PRINTF(5, 6);

/* TRUE when a file has given its 20 errors beyond the first "before" of the array: then nothing
 * more of it is looked at, from that line on, which is added to errors once. */
gboolean folio_config_error_flood(GPtrArray *errors, guint before, const char *file, guint line);

/* Foreign text for use in a message: escaped, and cut after 160 characters. */
char *folio_config_excerpt(const char *text);

/* TRUE unless there is certainly nothing at path: what cannot be looked at is to be an error. */
gboolean folio_config_may_exist(const char *path);

/* Notes the drop-ins of the directory path, name (char *) -> path (char *), if there is one; of a
 * name that was there before the path is replaced. */
void folio_config_list_drop_ins(const char *path, GHashTable *drop_ins, GPtrArray *errors);
