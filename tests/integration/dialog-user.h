/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A user whom polkit asks for a password, and who gives none. A process of its own, since polkit
 * wants the agent's process to be that user's. */
#pragma once

/* Runs a test program as that user. */
#define DIALOG_USER_OPTION "--dialog-user"

/* Becomes the user bin, registers an agent with polkit, calls foliod, and prints a line about each
 * thing that happens. Goes on until it is killed. */
int dialog_user_main(void);
