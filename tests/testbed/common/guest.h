/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A nested KVM guest whose RAM is a file of this test. All of these fail the running test when
 * something is wrong. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct guest {
    pid_t pid;          /* of QEMU; 0: not started */
    int console, input; /* what it prints and what it is told */
    int ram;            /* the file that is its RAM, on a tmpfs of huge pages */
    size_t ram_bytes;
    char line[512]; /* the last that it printed, or as much of one as has come */
    size_t used;    /* of a line that is not complete */
};

/* One vCPU. program: of tests/testbed/guest, its first process; append: more of the kernel's
 * command line. keep_split: khugepaged may not collapse the RAM. */
void guest_start(struct guest *guest, size_t mib, const char *program, const char *append,
                 bool keep_split);
/* Takes what the guest has printed up to the end of a line, waiting for it for so long at most.
 * Returns whether there is a whole one. */
bool guest_read_line(struct guest *guest, int ms);
/* Waits for a line that begins with that, for so long at most. */
void guest_wait_for(struct guest *guest, const char *text, int seconds);
void guest_end(struct guest *guest);
