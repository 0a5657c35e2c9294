/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the RAM of a nested guest is in this host, as the page table of its QEMU says. All of these
 * fail the running test when something is wrong. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GUEST_RAM_BASE 0x40000000UL /* of QEMU's "virt" machine, in the guest's view */

struct guest_ram {
    pid_t pid;
    uintptr_t addr; /* in the QEMU process */
    size_t bytes;
    uint64_t offset;     /* in its file */
    uintptr_t first_end; /* where the first of its lines in /proc/PID/maps ends */
};

/* The RAM of a guest that has been started: the largest shared memory that its QEMU may write. */
struct guest_ram guest_ram_open(pid_t pid);
/* The RAM as this process maps it: shared, from a multiple of 2 MiB on. Touches nothing. */
unsigned char *guest_ram_map(const struct guest_ram *ram);
/* The physical address in the host of one in the guest; 0 when nothing is there yet. */
uint64_t guest_ram_pa(const struct guest_ram *ram, uint64_t guest_pa);
/* The host's frame of each page of RAM, 0 where there is none yet; to be freed by the caller. */
uint64_t *guest_ram_frames(const struct guest_ram *ram);
/* The same as the file has them: a split leaves memory unmapped in QEMU. Makes no page. The caller
 * should have no huge pages (PR_SET_THP_DISABLE), or khugepaged comes to the RAM through its view.
 */
uint64_t *guest_ram_file_frames(const struct guest_ram *ram);
