/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod-inject is told on its command line. */
#pragma once

#include "memory/thp.h"

typedef struct {
    pid_t pid;
    guint64 start_time; /* clock ticks since boot, field 22 of /proc/PID/stat */
    FolioThp thp;
} FolioInjectArguments;

/* arguments without the program's name: PID START-TIME WORD. INVALID, naming the argument. Pure. */
gboolean folio_inject_parse_arguments(const char *const *arguments, FolioInjectArguments *parsed,
                                      GError **error);
