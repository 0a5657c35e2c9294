/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of the test itself, in 2 MiB THPs with contents that can be checked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE_SIZE   ((size_t) 4096)
#define BLOCK_BYTES ((size_t) 2 << 20) /* a PMD's worth with 4 KiB pages */
#define BLOCK_PAGES (BLOCK_BYTES / PAGE_SIZE)
#define PMD_ORDER   9

/* How densely the contents are written and checked: bytes from one word to the next. */
#define STEP_EVERY_WORD sizeof(uint64_t)
#define STEP_SPARSE     ((size_t) 1032) /* 4 words a page, a different place in each */

struct mapping {
    unsigned char *addr; /* aligned to BLOCK_BYTES */
    size_t blocks;
    int fd;          /* of the tmpfs file, unlinked; -1 when anonymous */
    uint64_t seed;   /* of the contents */
    size_t step;     /* STEP_* */
    uint64_t *frame; /* of each page, by frames_record(); 0: not present */
};

/* Both fail the running test when memory is short or a block did not become one THP, mapped by
 * a PMD. The mapping is filled, and its frames are recorded.
 * mapping_shmem(): MAP_SHARED, a file on a tmpfs mount of its own with huge=always. */
struct mapping mapping_anon(size_t blocks, size_t step);
struct mapping mapping_shmem(size_t blocks, size_t step);
/* The kind that the state of a test of TEST_BOTH() says. */
struct mapping mapping_for(void **state, size_t blocks, size_t step);
void mapping_free(struct mapping *map);

/* A file of size bytes on a new tmpfs with huge=always, which lives as long as the descriptor. */
int shmem_file(size_t size);
/* Address space of whole blocks, aligned to BLOCK_BYTES. Arguments as those of mmap(). */
void *map_aligned(size_t size, int prot, int flags, int fd, off_t offset);

static inline uintptr_t
mapping_block(const struct mapping *map, size_t block)
{
    return (uintptr_t) map->addr + block * BLOCK_BYTES;
}

/* Writes the contents that mapping_wrong() expects. [start, start + size) is relative to addr. */
void mapping_fill(const struct mapping *map, size_t start, size_t size);
/* Words of the mapping (of one block) that do not read as written. Faults pages in. */
size_t mapping_wrong(const struct mapping *map);
size_t mapping_wrong_block(const struct mapping *map, size_t block);

/* True when a PMD maps [addr, addr + 2 MiB) in this process now. */
bool mapped_by_pmd(const void *addr);
/* In any process. */
bool mapped_by_pmd_in(pid_t pid, uintptr_t addr);
