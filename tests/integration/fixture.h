/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a test of the whole of foliod stands on: a connection to libvirt, the daemon, the launcher.
 */
#pragma once

#include "guests.h"
#include "integration/daemon.h"

typedef struct {
    virConnectPtr connect;
    Daemon *daemon;
    char *launcher;   /* foliod-qemu of this build */
    const char *scan; /* what Scan=auto comes to on this kernel, for tests that set it */
} Fixture;

/* Starts the daemon with that configuration; NULL: its defaults. */
Fixture *fixture_new(const char *configuration);

/* For cmocka, with a Fixture as the state: ends all of it; and, after a test, the guests that one
 * which failed has left. */
int fixture_tear_down(void **state);
int fixture_destroy_guests(void **state);
