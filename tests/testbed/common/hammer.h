/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Known accesses to pages whose frames are known. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hammer {
    uint8_t *addr; /* page-aligned, small pages, locked and filled */
    size_t pages;
    uint64_t *pa; /* of each page, in bytes */
};

/* Both fail the running test when memory is short. */
struct hammer hammer_new(size_t pages);
void hammer_free(struct hammer *hammer);

/* Loads or stores a word of each of the first pages in turn, and that in rounds: each page is
 * accessed once a round, at word (round % words), words being a power of two. */
void hammer_load(const struct hammer *hammer, size_t pages, size_t rounds, size_t words);
void hammer_store(const struct hammer *hammer, size_t pages, size_t rounds, size_t words);

/* Where the code of the two above is: the linker's names for a section of such a name. */
extern const uint8_t __start_hammer_code[], __stop_hammer_code[];

/* The physical address that stands at an address within the pages; 0 for any other. */
uint64_t hammer_pa(const struct hammer *hammer, uint64_t va);
