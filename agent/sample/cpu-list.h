/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of CPUs as sysfs writes them: "0-3,8,10-11". */
#pragma once

#include <glib.h>

/* Parses such a list: guint, ascending. Numbers go up to 65,535 (Linux has at most 8,192 CPUs); an
 * empty list is none. FOLIO_ERROR_INVALID when it is anything else. Pure. */
GArray *folio_cpu_list_parse(const char *text, GError **error);

/* As above of ROOT/path; the error names the file. */
GArray *folio_cpu_list_read(const char *root, const char *path, GError **error);

gboolean folio_cpu_list_has(const GArray *cpus, guint cpu);
