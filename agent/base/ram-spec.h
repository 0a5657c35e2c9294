/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libvirt says of one RAM block of a guest, before anybody looked for it in the process. */
#pragma once

#include <glib.h>

typedef enum {
    FOLIO_BACKING_ANONYMOUS, /* no memoryBacking, or source type='anonymous' */
    FOLIO_BACKING_FILE,      /* source type='file': a file below memory_backing_dir */
    FOLIO_BACKING_MEMFD,
    FOLIO_BACKING_HUGETLB, /* <hugepages/>, as files or as memfd */
} FolioBacking;

typedef enum {
    FOLIO_RAM_MAIN,       /* all RAM of a guest without NUMA cells */
    FOLIO_RAM_CELL,       /* the RAM of one NUMA cell */
    FOLIO_RAM_DIMM,       /* <memory model='dimm'> */
    FOLIO_RAM_VIRTIO_MEM, /* <memory model='virtio-mem'>: bytes is the largest it may become */
    FOLIO_RAM_OTHER,      /* nvdimm, virtio-pmem, sgx-epc: not RAM that foliod looks at */
} FolioRamKind;

typedef struct {
    FolioRamKind kind;
    FolioBacking backing;
    guint index;   /* of its kind, from 0: cell 1 is { CELL, 1 } */
    guint64 bytes; /* > 0 */
    char *alias;   /* of a <memory> device, such as "dimm0"; NULL otherwise */
} FolioRamSpec;

/* "tmpfs file", "anonymous", ... as people read it; and the stable token of the same. */
static inline const char *
folio_backing_token(FolioBacking backing)
{
    static const char *const tokens[] = { "anonymous", "file", "memfd", "hugetlb" };

    return tokens[backing];
}
