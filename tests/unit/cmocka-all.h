/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmocka with the headers that it wants before itself, and what every test needs. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

/* Fails with the error's text; a GError * that is NULL passes. */
#define assert_no_error(error)                                  \
    do {                                                        \
        if ((error) != NULL)                                    \
            fail_msg("unexpected error: %s", (error)->message); \
    } while (0)

/* Fails unless error is set, of foliod's domain and that code. */
#define assert_folio_error(error, expected)                     \
    do {                                                        \
        if ((error) == NULL)                                    \
            fail_msg("no error, expected " #expected);          \
        if (!g_error_matches((error), FOLIO_ERROR, (expected))) \
            fail_msg("wrong error: %s", (error)->message);      \
    } while (0)
