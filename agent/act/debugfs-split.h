/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way "debugfs-split": the file split_huge_pages of debugfs, which is for debugging the kernel
 * but there on most hosts. Order 0 only. */
#pragma once

#include "act/way.h"

/* sys_root is "/sys". */
FolioWay *folio_debugfs_split_way_new(const char *sys_root);
