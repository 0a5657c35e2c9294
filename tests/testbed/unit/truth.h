/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ends the windows of the truth, and writes their file (truth-file.h). */
#pragma once

#include "shared.h"

/* Without a path, windows end and nothing is written. False, and a message on standard error, when
 * the file cannot be made. */
bool truth_open(const struct shared *shared, const char *path);

/* Serves header->cut when it changed. The counts of no CPU may grow meanwhile: truth_wait(). Ends
 * the emulator when the file cannot be written. */
void truth_look_at_cut(void);

/* True while a window is being ended; then the CPUs call truth_wait() before they count. */
extern bool truth_is_cutting;
void truth_wait(void);

/* The last window. */
void truth_close(void);
