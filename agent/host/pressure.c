/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How short of memory the host is. */
#include "host/pressure.h"

#include "base/file-io.h"

#include <string.h>

#define SOME "some avg10="

double
folio_pressure_parse(const char *text)
{
    const double percent =
        g_str_has_prefix(text, SOME) ? g_ascii_strtod(text + strlen(SOME), NULL) : 0;

    return percent >= 0 && percent <= 100 ? percent : 0;
}

double
folio_pressure_read(const char *proc_root)
{
    g_autofree char *text = folio_file_read_value(proc_root, "pressure/memory");

    return text != NULL ? folio_pressure_parse(text) : 0;
}
