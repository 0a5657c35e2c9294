/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmocka, with the headers that it wants before it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* cmocka hands a state to every test, and most have no use for it. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#include "damon.h"

/* A test of both kinds of memory: mapping_for() makes the kind that the state says. */
#define TEST_ANON(test)                                 \
    {                                                   \
#test "_anon", test, NULL, damon_teardown, NULL \
    }
#define TEST_SHMEM(test)                                             \
    {                                                                \
#test "_shmem", test, NULL, damon_teardown, (void *) "shmem" \
    }
#define TEST_BOTH(test) TEST_ANON(test), TEST_SHMEM(test)
#define TEST(test)      cmocka_unit_test_teardown(test, damon_teardown)
