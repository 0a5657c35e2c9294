/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A foliod, and users to whom polkit's rules allow more or less. */
#pragma once

#include "integration/caller.h"
#include "integration/daemon.h"

#define ALPHA_NAME  "alpha"
#define ALPHA_UUID  "aaaaaaaa-0000-4000-8000-00000000000a"
#define SECRET_NAME "secret"
#define SECRET_UUID "5ec2e700-0000-4000-8000-00000000000b"
#define ABSENT_NAME "absent"
#define ABSENT_UUID "ab5e0700-0000-4000-8000-00000000000c"

#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

/* Users that every Debian has. */
typedef enum {
    USER_ROOT,      /* root */
    USER_ALLOWED,   /* daemon: a rule allows everything */
    USER_PLAIN,     /* bin: no rule */
    USER_BLINKERED, /* sys: a rule denies view of the guest named SECRET_NAME */
    USER_BARRED,    /* sync: a rule denies view of the guest with SECRET_UUID */
    USER_BLIND,     /* games: a rule denies view */
    N_USERS,
} User;

typedef struct {
    Daemon *daemon;
    GDBusConnection *users[N_USERS];
    GDBusNodeInfo *interfaces; /* data/org.foliod1.xml of the source tree */
    pid_t polkitd;
} BusFixture;

/* Adds a rules file of that name, such as "20-more.rules", which polkitd reads when the kernel
 * tells it; text NULL: takes it away. It goes with the sandbox. */
void write_rule(const char *name, const char *text);

/* Tells polkitd the rules, starts foliod on that libvirt, and connects every user. */
BusFixture *bus_fixture_new(const char *uri);

/* Likewise, on libvirt's test driver with ALPHA, SECRET and that many more guests. */
BusFixture *bus_fixture_new_test_driver(guint n_more_guests);

/* Stops the daemon if that has not been done. */
void bus_fixture_free(BusFixture *fixture);

/* For a group of tests: on the test driver with ALPHA and SECRET; and its end, of any BusFixture.
 */
int bus_fixture_set_up(void **state);
int bus_fixture_tear_down(void **state);

/* After a test that freezes polkitd: one that failed must not leave it so for the next. */
int bus_fixture_go_on(void **state);

/* Mode of ALPHA. */
char *get_mode(BusFixture *fixture);

/* A process stops to work, though it is there, and goes on. */
void freeze(pid_t pid);
void thaw(pid_t pid);

/* The process that owns a name on the bus; 0 when nobody does. */
pid_t find_owner(GDBusConnection *bus, const char *name);

/* All that a user can hear about one guest, errors included. */
char *ask_everything(BusFixture *fixture, User user, const char *name, const char *uuid);

/* Adds what one call brings. */
void append_answer(GString *all, GDBusConnection *user, const char *path, const char *interface,
                   const char *method, const char *arguments);

/* Runs the main loop until *n is wanted. */
void run_until(const guint *n, guint wanted);

/* Object path of a guest. */
char *guest_path(const char *uuid);
