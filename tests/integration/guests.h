/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real guests for integration tests, in the libvirt of contrib/sandbox: SeaBIOS and nothing else,
 * so that one starts in half a second. Whatever fails here fails the test. */
#pragma once

#include "cmocka-all.h"

#include <libvirt/libvirt.h>
#include <sys/types.h>

/* A domain of type qemu, so that it runs with or without KVM. NULL and 0 leave a part out. */
typedef struct {
    const char *name;
    const char *uuid;     /* NULL: libvirt makes one */
    const char *emulator; /* NULL: FOLIO_TEST_QEMU */
    const char *metadata; /* inside <metadata> */
    const char *backing;  /* inside <memoryBacking> */
    const char *numa;     /* inside <numa> */
    const char *devices;  /* inside <devices> */
    guint mib;            /* 0: 16 */
    guint max_mib;        /* <maxMemory> with 8 slots */
    guint max_vcpus;      /* 0: 1; one is online */
} FolioTestGuest;

#define FOLIO_TEST_QEMU "/usr/bin/qemu-system-x86_64"

/* RAM in a file of the tmpfs that is mounted huge=always, touched at the start. */
#define FOLIO_TEST_ON_TMPFS \
    "<source type='file'/><access mode='shared'/><allocation mode='immediate'/>"

char *folio_test_guest_xml(const FolioTestGuest *guest);

/* A connection that may change things; to be closed with virConnectClose. */
virConnectPtr folio_test_connect(const char *uri);

/* A transient guest that runs; to be freed with virDomainFree. */
virDomainPtr folio_test_guest_start(virConnectPtr connect, const FolioTestGuest *guest);

/* Destroys and frees it. */
void folio_test_guest_destroy(virDomainPtr domain);

/* By libvirt's PID file. */
pid_t folio_test_guest_pid(const char *name);

/* SIGKILL, and waits until the process is no more. */
void folio_test_kill(pid_t pid);

/* One turn of the main loop, of 10 ms at most. */
void folio_test_iterate(void);

/* Turns the main loop until the expression is true; fails after 30 s. */
#define folio_test_wait_until(expression)                                \
    do {                                                                 \
        gint64 folio_end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC; \
        while (!(expression)) {                                          \
            if (g_get_monotonic_time() > folio_end)                      \
                fail_msg("not within 30 s: " #expression);               \
            folio_test_iterate();                                        \
        }                                                                \
    } while (0)

/* Turns the main loop for so long. */
void folio_test_wait_msec(guint msec);

/* How many descriptors this process has open. */
guint folio_test_count_fds(void);
