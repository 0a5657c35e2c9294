/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which mappings of a QEMU process are the guest's RAM blocks that libvirt speaks of. */
#include "memory/ram-match.h"

#include "base/error.h"
#include "base/log.h"

#include <string.h>

#define NO_RUN G_MAXUINT
/* As many of the process's largest mappings as are described. */
#define N_DESCRIBED 4
/* More runs of the right lengths than any guest has blocks: a process that means to cost us time.
 */
#define MAX_RUNS 4096

char *
folio_ram_spec_id(const FolioRamSpec *spec)
{
    if (spec->alias != NULL)
        return g_strdup(spec->alias);
    switch (spec->kind) {
    case FOLIO_RAM_CELL:
        return g_strdup_printf("cell%u", spec->index);
    case FOLIO_RAM_DIMM:
        return g_strdup_printf("dimm%u", spec->index);
    case FOLIO_RAM_VIRTIO_MEM:
        return g_strdup_printf("virtiomem%u", spec->index);
    case FOLIO_RAM_MAIN:
    case FOLIO_RAM_OTHER:
    default:
        return g_strdup("ram");
    }
}

static const FolioVma *
vma_at(const FolioMaps *maps, guint i)
{
    return &g_array_index(maps->vmas, FolioVma, i);
}

static guint64
vma_bytes(const FolioVma *vma)
{
    return vma->end - vma->start;
}

/* Guards are mapped without access, QEMU's translated code is executable, and names in brackets are
 * the heap, stacks and the like. */
static gboolean
may_be_ram(const FolioVma *vma)
{
    return (vma->flags & (FOLIO_VMA_READ | FOLIO_VMA_WRITE | FOLIO_VMA_EXEC)) ==
               (FOLIO_VMA_READ | FOLIO_VMA_WRITE) &&
           *vma->path != '[';
}

static gboolean
continues(const FolioVma *a, const FolioVma *b)
{
    return a->end == b->start && may_be_ram(a) && may_be_ram(b) && a->inode == b->inode &&
           a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
           (a->flags & FOLIO_VMA_SHARED) == (b->flags & FOLIO_VMA_SHARED) &&
           (a->inode == 0 || b->offset - a->offset == vma_bytes(a));
}

/* The VMAs from first on that hang together. */
static void
set_run_from(FolioRamRun *run, const FolioMaps *maps, guint first)
{
    const FolioVma *vma = vma_at(maps, first);

    *run = (FolioRamRun){ .first = first, .n = 1, .bytes = vma_bytes(vma) };
    while (first + run->n < maps->vmas->len &&
           continues(vma_at(maps, first + run->n - 1), vma_at(maps, first + run->n)))
        run->bytes += vma_bytes(vma_at(maps, first + run->n++));
    if (vma->inode == 0)
        run->backing = FOLIO_BACKING_ANONYMOUS;
    else if (g_str_has_prefix(vma->path, "/memfd:"))
        run->backing = FOLIO_BACKING_MEMFD;
    else
        run->backing = FOLIO_BACKING_FILE;
    run->born = run->backing == FOLIO_BACKING_MEMFD ? FOLIO_RUN_BORN_UNKNOWN : 0;
}

static gboolean
spec_has_bytes(const FolioRamSpec *specs, guint n_specs, guint64 bytes)
{
    for (guint i = 0; i < n_specs; i++) {
        if (specs[i].bytes == bytes)
            return TRUE;
    }
    return FALSE;
}

/* Anonymous RAM may touch other anonymous memory of QEMU (a stack, an arena of malloc): each part
 * of the run that has the right length counts. */
static void
append_parts(const FolioMaps *maps, const FolioRamRun *run, guint64 bytes, GArray *runs)
{
    FolioRamRun part = { .backing = FOLIO_BACKING_ANONYMOUS, .first = run->first };

    for (guint i = run->first; i < run->first + run->n; i++) {
        part.bytes += vma_bytes(vma_at(maps, i));
        part.n++;
        for (; part.bytes > bytes; part.n--)
            part.bytes -= vma_bytes(vma_at(maps, part.first++));
        if (part.bytes == bytes && runs->len <= MAX_RUNS) {
            part.tie = ~vma_at(maps, part.first)->start;
            g_array_append_val(runs, part);
        }
    }
}

static void
append_anonymous(const FolioMaps *maps, const FolioRamRun *run, const FolioRamSpec *specs,
                 guint n_specs, GArray *runs)
{
    for (guint i = 0; i < n_specs; i++) {
        if (!spec_has_bytes(specs, i, specs[i].bytes))
            append_parts(maps, run, specs[i].bytes, runs);
    }
}

GArray *
folio_ram_runs(const FolioMaps *maps, const FolioRamSpec *specs, guint n_specs)
{
    GArray *runs = g_array_new(FALSE, FALSE, sizeof(FolioRamRun));
    FolioRamRun run;

    for (guint i = 0; i < maps->vmas->len && runs->len <= MAX_RUNS; i += run.n) {
        set_run_from(&run, maps, i);
        if (!may_be_ram(vma_at(maps, i)))
            continue;
        if (run.backing == FOLIO_BACKING_ANONYMOUS)
            append_anonymous(maps, &run, specs, n_specs, runs);
        else if (spec_has_bytes(specs, n_specs, run.bytes))
            g_array_append_val(runs, run);
    }
    return runs;
}

/* QEMU's backend id in the name of a file: libvirt names a tmpfs file after the id (of a device:
 * after its alias, the id being "mem" + alias); where it names a directory only, as for hugetlbfs,
 * QEMU makes "qemu_back_mem.ID.XXXXXX", ID perhaps as "_objects_ID" (file_ram_open() in
 * softmmu/physmem.c). */
static char *
backend_id(const char *path)
{
    static const char prefix[] = "qemu_back_mem.";
    static const gsize suffix = sizeof(".XXXXXX") - 1;
    g_autofree char *name = g_path_get_basename(path);
    const char *id = name;

    if (g_str_has_prefix(id, prefix)) {
        id += strlen(prefix);
        if (strlen(id) > suffix)
            name[strlen(name) - suffix] = '\0';
        if (g_str_has_prefix(id, "_objects_"))
            id += strlen("_objects_");
    }
    return g_strdup(id);
}

static gboolean
name_fits(const FolioRamSpec *spec, const char *path)
{
    g_autofree char *found = backend_id(path);
    g_autofree char *cell = g_strdup_printf("ram-node%u", spec->index);

    switch (spec->kind) {
    case FOLIO_RAM_MAIN:
        /* "pc.ram", "mach-virt.ram": each machine type has its own. */
        return g_str_has_suffix(found, ".ram");
    case FOLIO_RAM_CELL:
        return g_str_equal(found, cell);
    case FOLIO_RAM_DIMM:
    case FOLIO_RAM_VIRTIO_MEM:
        return spec->alias != NULL &&
               (g_str_equal(found, spec->alias) ||
                (g_str_has_prefix(found, "mem") && g_str_equal(found + 3, spec->alias)));
    case FOLIO_RAM_OTHER:
    default:
        return FALSE;
    }
}

static gboolean
run_fits(const FolioRamRun *run, const FolioRamSpec *spec)
{
    if (run->bytes != spec->bytes)
        return FALSE;
    if (spec->backing == FOLIO_BACKING_HUGETLB)
        return run->backing != FOLIO_BACKING_ANONYMOUS;
    return run->backing == spec->backing;
}

char *
folio_ram_describe_largest(const FolioMaps *maps)
{
    g_autoptr(GArray) largest = g_array_new(FALSE, FALSE, sizeof(FolioRamRun));
    GString *text = g_string_new("");
    FolioRamRun run;

    for (guint i = 0; i < maps->vmas->len; i += run.n) {
        guint at = largest->len;

        set_run_from(&run, maps, i);
        while (at > 0 && g_array_index(largest, FolioRamRun, at - 1).bytes < run.bytes)
            at--;
        if (!may_be_ram(vma_at(maps, i)) || at == N_DESCRIBED)
            continue;
        g_array_insert_val(largest, at, run);
        g_array_set_size(largest, MIN(largest->len, N_DESCRIBED));
    }
    for (guint i = 0; i < largest->len; i++) {
        const FolioRamRun *found = &g_array_index(largest, FolioRamRun, i);
        g_autofree char *path = folio_escape(vma_at(maps, found->first)->path);

        g_string_append_printf(text, "%s%" G_GUINT64_FORMAT " bytes of %s", i > 0 ? ", " : "",
                               found->bytes, *path != '\0' ? path : "anonymous memory");
    }
    if (largest->len == 0)
        g_string_append(text, "none");
    return g_string_free(text, FALSE);
}

static gboolean
refuse(const FolioRamSpec *spec, guint n_wanted, guint n_found, FolioReason *reason, GError **error)
{
    g_autofree char *id = folio_ram_spec_id(spec);
    g_autofree char *shown = folio_escape(id);

    *reason = n_found < n_wanted ? FOLIO_REASON_RAM_NOT_FOUND : FOLIO_REASON_RAM_AMBIGUOUS;
    g_set_error(
        error, FOLIO_ERROR, n_found < n_wanted ? FOLIO_ERROR_NOT_FOUND : FOLIO_ERROR_INVALID,
        "%s: looked for %u %s mapping%s of %" G_GUINT64_FORMAT " bytes, found %u", shown, n_wanted,
        folio_backing_token(spec->backing), n_wanted == 1 ? "" : "s", spec->bytes, n_found);
    return FALSE;
}

typedef struct {
    const FolioMaps *maps;
    const GArray *runs;
    const FolioRamSpec *specs;
    guint n_specs;
    guint *run_of_spec;
} Match;

static gboolean
run_is_taken(const Match *match, guint run)
{
    for (guint i = 0; i < match->n_specs; i++) {
        if (match->run_of_spec[i] == run)
            return TRUE;
    }
    return FALSE;
}

/* Gives files to the specs whose name they bear. */
static gboolean
match_by_name(const Match *match, guint spec_index, FolioReason *reason, GError **error)
{
    const FolioRamSpec *spec = &match->specs[spec_index];
    guint n_found = 0;

    for (guint i = 0; i < match->runs->len; i++) {
        const FolioRamRun *run = &g_array_index(match->runs, FolioRamRun, i);

        if (run->backing != FOLIO_BACKING_FILE || !run_fits(run, spec) || run_is_taken(match, i) ||
            !name_fits(spec, vma_at(match->maps, run->first)->path))
            continue;
        match->run_of_spec[spec_index] = i;
        if (++n_found > 1)
            return refuse(spec, 1, n_found, reason, error);
    }
    return TRUE;
}

static gint
compare_births(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const GArray *runs = user_data;
    const FolioRamRun *x = &g_array_index(runs, FolioRamRun, *(const guint *) a);
    const FolioRamRun *y = &g_array_index(runs, FolioRamRun, *(const guint *) b);

    if (x->born != y->born)
        return x->born < y->born ? -1 : 1;
    return x->tie == y->tie ? 0 : x->tie < y->tie ? -1 : 1;
}

/* Can the order of births tell these runs apart? They are sorted by it. */
static gboolean
births_differ(const Match *match, GArray *found)
{
    for (guint i = 1; i < found->len; i++) {
        const guint last = g_array_index(found, guint, i);

        if (g_array_index(match->runs, FolioRamRun, last).born == FOLIO_RUN_BORN_UNKNOWN ||
            compare_births(&g_array_index(found, guint, i - 1), &last, (gpointer) match->runs) == 0)
            return FALSE;
    }
    return TRUE;
}

/* The specs that are like the given one and have no run yet, and the runs that fit them. */
static void
collect_alike(const Match *match, const FolioRamSpec *like, GArray *wanted, GArray *found)
{
    for (guint i = 0; i < match->n_specs; i++) {
        if (match->run_of_spec[i] == NO_RUN && match->specs[i].bytes == like->bytes &&
            match->specs[i].backing == like->backing)
            g_array_append_val(wanted, i);
    }
    for (guint i = 0; i < match->runs->len; i++) {
        if (!run_is_taken(match, i) && run_fits(&g_array_index(match->runs, FolioRamRun, i), like))
            g_array_append_val(found, i);
    }
}

/* Gives the runs that no name tells apart to the specs that are left of the given one's like. */
static gboolean
match_by_order(const Match *match, const FolioRamSpec *like, FolioReason *reason, GError **error)
{
    g_autoptr(GArray) wanted = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(guint));

    collect_alike(match, like, wanted, found);
    g_array_sort_with_data(found, compare_births, (gpointer) match->runs);
    if (wanted->len != found->len || !births_differ(match, found))
        return refuse(like, wanted->len, found->len, reason, error);
    for (guint i = 0; i < wanted->len; i++)
        match->run_of_spec[g_array_index(wanted, guint, i)] = g_array_index(found, guint, i);
    return TRUE;
}

gboolean
folio_ram_match(const FolioMaps *maps, const GArray *runs, const FolioRamSpec *specs, guint n_specs,
                guint *run_of_spec, FolioReason *reason, GError **error)
{
    const Match match = { maps, runs, specs, n_specs, run_of_spec };

    if (runs->len > MAX_RUNS)
        return refuse(&specs[0], 1, runs->len, reason, error);
    for (guint i = 0; i < n_specs; i++)
        run_of_spec[i] = NO_RUN;
    for (guint i = 0; i < n_specs; i++) {
        if (!match_by_name(&match, i, reason, error))
            return FALSE;
    }
    for (guint i = 0; i < n_specs; i++) {
        if (run_of_spec[i] == NO_RUN && !match_by_order(&match, &specs[i], reason, error))
            return FALSE;
    }
    return TRUE;
}
