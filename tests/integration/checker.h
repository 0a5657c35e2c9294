/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that checks its memory for as long as it runs, and says so. */
#pragma once

#include <glib.h>

/* Writes its disk into the directory. Returns <devices> for it, to be freed, and where its console
 * comes to stand, likewise; each QEMU that runs it adds to that. */
char *checker_make(const char *directory, char **console);

/* What its console has: some 18 bytes more in each second in which it ran. That it ever found wrong
 * memory fails the test. */
gsize checker_bytes(const char *console);

/* The same, right or wrong. */
gsize checker_ticks(const char *console);
