/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at split blocks by one page of each, and splitting one of them once more. */
#include "act/watch.h"

#include "base/file-io.h"
#include "memory/block-frames.h"
#include "memory/pagemap-abi.h"

#include <linux/kernel-page-flags.h>
#include <unistd.h>

/* The ledger is told after so many blocks: each time it may write its file, and when an action
 * begins what was seen since is in vain. */
#define PIECE_BLOCKS 1024u
/* How many blocks that have become huge are passed by to find one that is split. */
#define MAX_TRIES 64u

#define KPF(name) (G_GUINT64_CONSTANT(1) << KPF_##name)

/* The guest's memory as it is looked at. */
typedef struct {
    int pagemap_fd;
    int kpageflags_fd;
    gboolean can_scan;
    GArray *sights; /* FolioLedgerSight, by address */
    guint64 turn;   /* of the ledger, since when the sights were seen */
    guint n_blocks; /* that were looked at since then */
} Look;

static void
look_clear(Look *look)
{
    if (look->pagemap_fd >= 0)
        close(look->pagemap_fd);
    if (look->kpageflags_fd >= 0)
        close(look->kpageflags_fd);
    g_clear_pointer(&look->sights, g_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Look, look_clear)

static gboolean
look_open(Look *look, const FolioProcess *process, const char *proc_root, GError **error)
{
    g_autofree char *kpageflags = g_build_filename(proc_root, "kpageflags", NULL);

    look->sights = g_array_new(FALSE, FALSE, sizeof(FolioLedgerSight));
    look->kpageflags_fd = folio_file_open(AT_FDCWD, kpageflags, O_RDONLY, error);
    if (look->kpageflags_fd < 0)
        return FALSE;
    look->pagemap_fd =
        folio_file_open(folio_process_get_proc_fd(process), "pagemap", O_RDONLY, error);
    if (look->pagemap_fd < 0)
        return FALSE;
    look->can_scan = folio_pagemap_can_scan(look->pagemap_fd);
    return TRUE;
}

static void
add_sight(Look *look, guint64 address, gboolean huge)
{
    const FolioLedgerSight sight = { .address = address, .huge = huge };

    g_array_append_val(look->sights, sight);
}

/* Is the page with that number in its block, in that frame, of a folio of 2 MiB that fills the
 * block? What was split keeps its frames, so that only flags tell it from that. */
static gboolean
is_of_huge(Look *look, guint page, guint64 frame, gboolean *huge, GError **error)
{
    guint64 flags[FOLIO_BLOCK_PAGES];

    *huge = FALSE;
    if (frame % FOLIO_BLOCK_PAGES != page)
        return TRUE;
    if (!folio_frame_flags_read(look->kpageflags_fd, frame, 1, flags, error))
        return FALSE;
    if (!(flags[0] & (KPF(COMPOUND_HEAD) | KPF(COMPOUND_TAIL))))
        return TRUE;
    if (!folio_frame_flags_read(look->kpageflags_fd, frame - page, FOLIO_BLOCK_PAGES, flags, error))
        return FALSE;
    *huge = (flags[0] & KPF(COMPOUND_HEAD)) != 0;
    for (guint i = 1; i < FOLIO_BLOCK_PAGES; i++)
        *huge = *huge && (flags[i] & KPF(COMPOUND_TAIL));
    return TRUE;
}

static gboolean
look_at_page(Look *look, guint64 address, guint64 frame, GError **error)
{
    const guint page = (guint) (address % FOLIO_BLOCK_BYTES / FOLIO_PAGE_BYTES);
    guint64 again = frame;
    gboolean huge;

    if (!is_of_huge(look, page, frame, &huge, error))
        return FALSE;
    /* If it has moved meanwhile, what was seen is somebody else's. */
    if (huge && !folio_frames_read(look->pagemap_fd, address, &again, 1, error))
        return FALSE;
    if (again != frame)
        return TRUE;
    add_sight(look, address - address % FOLIO_BLOCK_BYTES, huge);
    return TRUE;
}

/* Of each block in a stretch of mapped pages the first page says all. */
static gboolean
visit(guint64 start, guint64 end, guint64 categories, gpointer user_data, GError **error)
{
    Look *look = user_data;

    if (!(categories & FOLIO_PAGE_IS_PRESENT))
        return TRUE;
    while (start < end) {
        const guint64 block = start - start % FOLIO_BLOCK_BYTES;
        const FolioLedgerSight *last =
            look->sights->len > 0
                ? &g_array_index(look->sights, FolioLedgerSight, look->sights->len - 1)
                : NULL;
        guint64 frame = FOLIO_NO_FRAME;

        if (last != NULL && last->address == block) {
            start = block + FOLIO_BLOCK_BYTES;
            continue;
        }
        if (categories & FOLIO_PAGE_IS_HUGE && start == block && end >= block + FOLIO_BLOCK_BYTES)
            add_sight(look, block, TRUE);
        else if (!folio_frames_read(look->pagemap_fd, start, &frame, 1, error))
            return FALSE;
        else if (frame != FOLIO_NO_FRAME && !look_at_page(look, start, frame, error))
            return FALSE;
        start = block + FOLIO_BLOCK_BYTES;
    }
    return TRUE;
}

/* As Linux before 6.7 allows it. */
static gboolean
read_blocks(Look *look, guint64 start, guint64 end, GError **error)
{
    guint64 frames[FOLIO_BLOCK_PAGES];

    for (; start < end; start += FOLIO_BLOCK_BYTES) {
        guint i = 0;

        if (!folio_frames_read(look->pagemap_fd, start, frames, FOLIO_BLOCK_PAGES, error))
            return FALSE;
        while (i < FOLIO_BLOCK_PAGES && frames[i] == FOLIO_NO_FRAME)
            i++;
        if (i < FOLIO_BLOCK_PAGES &&
            !look_at_page(look, start + i * FOLIO_PAGE_BYTES, frames[i], error))
            return FALSE;
    }
    return TRUE;
}

/* Adds to the sights those of the blocks, from start (a multiple of 2 MiB) to end, of which a page
 * is mapped. */
static gboolean
look_at(Look *look, guint64 start, guint64 end, GError **error)
{
    return look->can_scan ? folio_pagemap_walk(look->pagemap_fd, start, end, visit, look, error)
                          : read_blocks(look, start, end, error);
}

/* What is to be done, and what has been. */
typedef struct {
    const FolioGuestRam *ram;
    FolioLedgerGuest *guest;
    guint64 room; /* blocks that may be looked at */
    guint64 recollapsed;
} Watch;

/* Tells the ledger what was seen up to that address. */
static void
tell(Watch *watch, Look *look, guint64 until)
{
    const FolioLedgerSight *sights = (gpointer) look->sights->data;
    guint64 counted;

    folio_ledger_looked(watch->guest, watch->ram, look->turn, sights, look->sights->len, &counted);
    folio_ledger_set_looked_until(watch->guest, until);
    watch->recollapsed += counted;
    g_array_set_size(look->sights, 0);
    look->n_blocks = 0;
}

static gboolean
watch_range(Watch *watch, Look *look, const FolioBlockRange *range, GError **error)
{
    guint64 left = MIN(range->bytes / FOLIO_BLOCK_BYTES, watch->room);
    guint64 start = range->start;

    watch->room -= left;
    while (left > 0) {
        const guint n = (guint) MIN(left, PIECE_BLOCKS - look->n_blocks);

        if (look->n_blocks == 0)
            look->turn = folio_ledger_get_turn(watch->guest);
        if (!look_at(look, start, start + n * FOLIO_BLOCK_BYTES, error))
            return FALSE;
        start += n * FOLIO_BLOCK_BYTES;
        left -= n;
        look->n_blocks += n;
        if (look->n_blocks == PIECE_BLOCKS || watch->room == 0)
            tell(watch, look, start);
    }
    return TRUE;
}

/* What is left of the range from that address on. */
static FolioBlockRange
rest_of(const FolioBlockRange *range, guint64 from)
{
    const guint64 end = range->start + range->bytes;
    const guint64 start = CLAMP(from, range->start, end);

    return (FolioBlockRange){ .start = start, .bytes = end - start };
}

gboolean
folio_watch_look(const FolioProcess *process, const FolioGuestRam *ram, FolioLedgerGuest *guest,
                 const char *proc_root, guint max_blocks, guint64 *recollapsed, GError **error)
{
    g_autoptr(GArray) split = folio_ledger_get_split(guest, ram);
    g_auto(Look) look = { .pagemap_fd = -1, .kpageflags_fd = -1 };
    const guint64 from = folio_ledger_get_looked_until(guest);
    Watch watch = { .ram = ram, .guest = guest, .room = max_blocks };
    gboolean seen = TRUE;

    *recollapsed = 0;
    if (split->len == 0)
        return TRUE;
    if (!look_open(&look, process, proc_root, error))
        return FALSE;
    for (guint i = 0; i < split->len && watch.room > 0 && seen; i++) {
        const FolioBlockRange range = rest_of(&g_array_index(split, FolioBlockRange, i), from);

        seen = watch_range(&watch, &look, &range, error);
    }
    /* All has been looked at when there was room for more. */
    if (seen && watch.room > 0)
        tell(&watch, &look, 0);
    *recollapsed = watch.recollapsed;
    return seen;
}

/* A block of that RAM block that is split, and still is as far as can be seen: what has become huge
 * is not split again by the way. */
static gboolean
find_split(Look *look, FolioLedgerGuest *guest, const FolioRamBlock *block, FolioBlockRange *range,
           guint *order, GError **error)
{
    guint64 from = block->hva;

    for (guint i = 0; i < MAX_TRIES; i++) {
        if (!folio_ledger_find_split(guest, block, from, &range->start, order))
            return FALSE;
        from = range->start + FOLIO_BLOCK_BYTES;
        range->bytes = FOLIO_BLOCK_BYTES;
        g_array_set_size(look->sights, 0);
        if (!look_at(look, range->start, from, error))
            return FALSE;
        if (look->sights->len == 0 || !g_array_index(look->sights, FolioLedgerSight, 0).huge)
            return TRUE;
    }
    return FALSE;
}

static gboolean
split_again(FolioWay *way, FolioProcess *process, const FolioBlockRange *range, guint order,
            GCancellable *cancellable, GError **error)
{
    FolioLeft said = FOLIO_LEFT_UNSAID;
    FolioChunk chunk = {
        .kind = FOLIO_ACT_SPLIT,
        .order = order,
        .process = process,
        .ranges = range,
        .n_ranges = 1,
        .n_blocks = 1,
        .said = &said,
    };

    return way->klass->apply(way, &chunk, cancellable, error);
}

gboolean
folio_watch_renew(FolioWay *damon, FolioProcess *process, const FolioGuestRam *ram,
                  FolioLedgerGuest *guest, const char *proc_root, guint hold_msec,
                  gint64 *renewed_usec, GCancellable *cancellable, GError **error)
{
    const gint64 now = g_get_monotonic_time();
    g_auto(Look) look = { .pagemap_fd = -1, .kpageflags_fd = -1 };
    GError *first = NULL;

    if (hold_msec == 0 || (*renewed_usec != 0 && now - *renewed_usec < hold_msec * 1000LL / 2))
        return TRUE;
    if (!look_open(&look, process, proc_root, error))
        return FALSE;
    for (guint i = 0; i < ram->blocks->len; i++) {
        GError *local = NULL;
        FolioBlockRange range;
        guint order;

        if (find_split(&look, guest, ram->blocks->pdata[i], &range, &order, &local))
            split_again(damon, process, &range, order, cancellable, &local);
        if (first == NULL)
            first = local;
        else
            g_clear_error(&local);
    }
    if (first != NULL) {
        g_propagate_error(error, first);
        return FALSE;
    }
    *renewed_usec = now;
    return TRUE;
}
