/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the settings of the host make khugepaged do. */
#pragma once

#include <glib.h>

/* May khugepaged collapse RAM of guests, by the settings below SYS_ROOT ("/sys")? Blocking: four
 * small files, of which those that cannot be read set nothing. */
gboolean folio_thp_khugepaged_runs(const char *sys_root);
