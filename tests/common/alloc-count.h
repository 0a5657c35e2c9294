/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts the allocations of a test program, those of libraries included. */
#pragma once

#include <glib.h>

/* Allocations since the first call, whoever made them. */
guint64 alloc_count(void);
