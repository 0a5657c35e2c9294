/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests that are defined, and what virsh does with their metadata. Whatever goes wrong in here
 * fails the test. */
#pragma once

#include "fixture.h"

#define POLICY_URI "https://foliod.org/xmlns/policy/1"
#define STATUS_URI "https://foliod.org/xmlns/status/1"

/* Defines a guest with that inside <metadata> (NULL: none) and starts it; the result is foliod's
 * object of it, once it is located. */
char *metadata_start(const Fixture *fixture, const char *name, const char *uuid,
                     const char *metadata);

/* For cmocka: ends and undefines all guests. */
int metadata_remove_guests(void **state);

/* Runs virsh with those words, NULL at the end, and returns what it printed. */
char *metadata_virsh(const char *const *words);

/* virsh metadata GUEST ... HOW --set ELEMENT; how is such as "--live". */
void metadata_set(const char *guest, const char *how, const char *element);

/* Ends the guest and starts it again; foliod sees it go. */
void metadata_restart(const Fixture *fixture, const char *name);

/* Waits until a text property of the guest has that value. */
void metadata_wait(const Fixture *fixture, const char *path, const char *property,
                   const char *expected);

void metadata_assert(const Fixture *fixture, const char *path, const char *property,
                     const char *expected);
