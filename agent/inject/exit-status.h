/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How foliod-inject ends: 0 when it is done, otherwise this and the code of what went wrong, whose
 * text is on standard error. */
#pragma once

#include "base/error.h"

/* Above what a shell and the C library use themselves is none: so the codes begin here. */
#define FOLIO_INJECT_EXIT_ERROR 16

#define FOLIO_INJECT_EXIT_LAST (FOLIO_INJECT_EXIT_ERROR + FOLIO_ERROR_INVALID)
