/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who else uses DAMON: programs such as damo by its sysfs files, modules of the kernel, and
 * whatever a vendor's kernel has. They come first: nothing of theirs is touched. */
#pragma once

#include <glib.h>

/* Of modules and of the sysfs files alone, which is quick: one sentence without a full stop that
 * names who it is, to be freed; NULL when it is nobody. The own_pool kdamonds of sysfs are ours, if
 * there are just so many; 0: none is. */
char *folio_damon_find_users(const char *sys_root, guint own_pool);

/* As that, and of all kernel threads. */
char *folio_damon_find_others(const char *sys_root, const char *proc_root, guint own_pool);
