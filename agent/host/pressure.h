/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How short of memory the host is. */
#pragma once

#include <glib.h>

/* "some avg10" of /proc/pressure/memory: percent of the last ten seconds in which some task waited
 * for memory. 0 where the kernel does not tell (no CONFIG_PSI, or psi=0). Blocking. */
double folio_pressure_read(const char *proc_root);

/* The same from the text of that file. Pure. */
double folio_pressure_parse(const char *text);
