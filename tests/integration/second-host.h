/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A second host beside that of the test: a contrib/sandbox within the one of the test, with a
 * libvirtd, a system bus and a foliod of its own. Both see /tmp. Whatever fails here fails the
 * test. */
#pragma once

#include "guests.h"
#include "integration/daemon.h"

typedef struct {
    char *directory;       /* on both hosts */
    GPid sandbox;          /* contrib/sandbox, whose exit status is that of foliod */
    pid_t init;            /* the first process on that host, as it is numbered here */
    virConnectPtr connect; /* to its libvirtd */
    Daemon *daemon;        /* its foliod, for what is called and logged; it is not ours to start */
} SecondHost;

/* Starts it with that foliod.conf, and waits until its foliod is connected. */
SecondHost *second_host_new(const char *configuration);

/* Ends its foliod, which must end well, and all of it. */
void second_host_free(SecondHost *host);

/* Migrates a guest of the connection to it, live and by way of this process, as virsh does. */
void second_host_migrate(const SecondHost *host, virDomainPtr domain);

/* The guest of that name there, which must run; to be freed with virDomainFree. */
virDomainPtr second_host_find(const SecondHost *host, const char *name);
