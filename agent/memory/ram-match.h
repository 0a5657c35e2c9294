/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which mappings of a QEMU process are the guest's RAM blocks that libvirt speaks of. Pure: maps
 * and specs in, an assignment out. */
#pragma once

#include "base/ram-spec.h"
#include "base/reason.h"
#include "memory/maps.h"

/* A stretch of VMAs that could be a RAM block: adjacent, readable and writable, and of one file
 * with continuing offsets, or anonymous (madvise and mbind split a mapping into several VMAs). */
typedef struct {
    guint first, n; /* VMAs of the maps */
    guint64 bytes;
    FolioBacking backing; /* as the path tells: ANONYMOUS, MEMFD, or FILE, hugetlbfs too */
    /* The order in which equal memfds were made: when, and what decides between equals. */
    guint64 born;
    guint64 tie;
} FolioRamRun;

/* FolioRamRun.born when it is not known. */
#define FOLIO_RUN_BORN_UNKNOWN G_MAXUINT64

/* "ram", "cell0", or a device's alias ("dimm0", "virtiomem0"). */
char *folio_ram_spec_id(const FolioRamSpec *spec);

/* The runs whose length some spec has: FolioRamRun by address, 4097 at most (which is too many for
 * folio_ram_match). Those of anonymous memory may overlap. born is FOLIO_RUN_BORN_UNKNOWN for
 * memfds. */
GArray *folio_ram_runs(const FolioMaps *maps, const FolioRamSpec *specs, guint n_specs);

/* Sets run_of_spec[i] to the index of the run that is specs[i] (n_specs > 0, none of kind OTHER). A
 * file is told by its length and by the name that libvirt gives it, after QEMU's backend id; by its
 * length alone when it has another name and only one is left. Several memfds of one length are
 * taken in the order they were made, which is that of specs: libvirt names NUMA cells on QEMU's
 * command line in order, and adds memory devices to its list as they come. Several anonymous
 * mappings of one length are taken from the highest address down, as the kernel places them
 * (mmap_base(), top-down); all that depends on it is which NUMA cell is called which. On failure
 * *reason is RAM_NOT_FOUND or RAM_AMBIGUOUS and the error says what was looked for and how many
 * were found; it tells nothing else of the process. */
gboolean folio_ram_match(const FolioMaps *maps, const GArray *runs, const FolioRamSpec *specs,
                         guint n_specs, guint *run_of_spec, FolioReason *reason, GError **error);

/* The four largest runs that could be RAM at all, for a log: "4096 bytes of /ram/pc.ram, 64 bytes
 * of anonymous memory", or "none". Paths are escaped; no addresses. To be freed. */
char *folio_ram_describe_largest(const FolioMaps *maps);
