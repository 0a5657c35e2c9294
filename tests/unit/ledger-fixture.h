/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest with two RAM blocks, none of which is there, and requests for it. */
#pragma once

#include "act/ledger-file.h"
#include "base/error.h"

#include "cmocka-all.h"

#define BLOCK       FOLIO_BLOCK_BYTES
#define RAM_HVA     (0x7f00ULL << 32)
#define RAM_BLOCKS  600u
#define DIMM_HVA    (0x7e00ULL << 32) /* below, though it is the second */
#define DIMM_BLOCKS 8u

static inline FolioRamBlock
fixture_block(const char *id, guint64 hva, guint64 inode, guint64 n_blocks)
{
    return (FolioRamBlock){
        .id = (char *) id,
        .spec = { .bytes = n_blocks * BLOCK },
        .hva = hva,
        .bytes = n_blocks * BLOCK,
        .inode = inode,
        .shared = TRUE,
        .file = (char *) "/dev/shm/ram",
        .fs_type = (char *) "tmpfs",
        .fs_options = (char *) "",
        .huge = (char *) "always",
    };
}

/* The first n of "ram" and "dimm0", which may be of another length. */
static inline FolioGuestRam *
fixture_ram(guint n, guint dimm_blocks)
{
    FolioRamBlock blocks[] = { fixture_block("ram", RAM_HVA, 11, RAM_BLOCKS),
                               fixture_block("dimm0", DIMM_HVA, 12, dimm_blocks) };
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    FolioGuestRam ram = { .blocks = list };

    for (guint i = 0; i < n; i++) {
        g_ptr_array_add(list, &blocks[i]);
        ram.bytes += blocks[i].bytes;
    }
    return folio_guest_ram_copy(&ram);
}

static inline FolioBlockRange
range_of(guint64 first, guint64 n)
{
    return (FolioBlockRange){ RAM_HVA + first * BLOCK, n * BLOCK };
}

static inline FolioActRequest
request_of(FolioActKind kind, guint order, FolioGuestRam *ram)
{
    return (FolioActRequest){ .kind = kind, .order = order, .ram = ram, .by = (char *) "uid 0" };
}
