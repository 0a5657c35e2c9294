/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and parses /proc/PID/maps or smaps of a process that is held. */
#pragma once

#include "memory/maps.h"
#include "memory/process.h"

/* Blocking; smaps walks the page tables. NOT_FOUND when the process has ended, INVALID when the
 * file is over 64 MiB: a guest with more VMAs than vm.max_map_count allows by default (65,530) may
 * reach that with smaps.
 *
 * Of smaps, one text at a time is in memory: calls in other threads wait until it is read and
 * parsed. A text may be tens of MiB, and there may be as many calls as guests.
 *
 * Linux 6.17 and later write maps without stopping the process: a mapping that goes and comes
 * meanwhile can be in the text twice, as VMAs that overlap. Such a text is read again. */
FolioMaps *folio_read_maps(const FolioProcess *process, gboolean smaps, GError **error);

/* The same of any process; proc_fd is its /proc/PID. */
FolioMaps *folio_read_maps_at(int proc_fd, gboolean smaps, GError **error);
