/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From page tables to the frame map, step by step. */
#include "sample/frame-refresh.h"

#include "base/file-io.h"
#include "memory/block-frames.h"

#include <fcntl.h>
#include <unistd.h>

/* 64 MiB: 0.03 ms when PMDs map them, 1 to 8 ms when all are in small pages. */
#define STEP_BYTES (FOLIO_SUMMARY_GRANULE * FOLIO_BLOCK_BYTES)

/* A RAM block. */
typedef struct {
    guint64 start, end; /* in the process */
    guint first_block;
    gboolean keeps; /* a page that is not mapped may still stand where it stood: a file's */
} Stretch;

/* What is read at a time. */
typedef struct {
    guint stretch;
    guint64 start, end;
} Step;

struct _FolioFrameRefresh {
    FolioFrameMap *map;
    int pagemap_fd;
    int kpageflags_fd;
    guint first_block, n_blocks;
    GArray *stretches;
    GArray *steps; /* of a pass, in their order */
    guint step;    /* the next one */
    guint turn;    /* passes that have ended */
    gboolean all;
    gboolean fell_short, is_short; /* in this pass, and in the last */
};

static guint
count_blocks(const FolioRamBlock *ram)
{
    return (guint) ((ram->bytes + FOLIO_BLOCK_BYTES - 1) / FOLIO_BLOCK_BYTES);
}

guint
folio_frame_refresh_count_blocks(const FolioGuestRam *ram)
{
    guint n = 0;

    for (guint i = 0; i < ram->blocks->len; i++)
        n += count_blocks(g_ptr_array_index(ram->blocks, i));
    return n;
}

static void
add_stretches(FolioFrameRefresh *refresh, const FolioGuestRam *ram)
{
    guint block = refresh->first_block;

    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *part = g_ptr_array_index(ram->blocks, i);
        const Stretch stretch = {
            .start = part->hva,
            .end = part->hva + part->bytes,
            .first_block = block,
            .keeps = part->shared && part->inode != 0,
        };

        g_array_append_val(refresh->stretches, stretch);
        block += count_blocks(part);
    }
}

FolioFrameRefresh *
folio_frame_refresh_new(FolioFrameMap *map, const FolioProcess *process, const FolioGuestRam *ram,
                        guint first_block, int kpageflags_fd, GError **error)
{
    FolioFrameRefresh *refresh;
    int fd = folio_file_open(folio_process_get_proc_fd(process), "pagemap", O_RDONLY, error);

    if (fd < 0)
        return NULL;
    refresh = g_new0(FolioFrameRefresh, 1);
    refresh->map = map;
    refresh->pagemap_fd = fd;
    refresh->kpageflags_fd = kpageflags_fd;
    refresh->first_block = first_block;
    refresh->n_blocks = folio_frame_refresh_count_blocks(ram);
    refresh->stretches = g_array_new(FALSE, FALSE, sizeof(Stretch));
    refresh->steps = g_array_new(FALSE, FALSE, sizeof(Step));
    add_stretches(refresh, ram);
    folio_frame_refresh_order(refresh, NULL);
    return refresh;
}

void
folio_frame_refresh_free(FolioFrameRefresh *refresh)
{
    if (refresh == NULL)
        return;
    for (guint i = 0; i < refresh->n_blocks; i++)
        folio_frame_map_drop_block(refresh->map, refresh->first_block + i);
    close(refresh->pagemap_fd);
    g_array_unref(refresh->stretches);
    g_array_unref(refresh->steps);
    g_free(refresh);
}

/* Those of one level of the summary; all of them, without one. */
static void
add_steps(FolioFrameRefresh *refresh, const FolioHeatSummary *summary, guint level)
{
    for (guint i = 0; i < refresh->stretches->len; i++) {
        const Stretch *stretch = &g_array_index(refresh->stretches, Stretch, i);
        guint block = stretch->first_block - refresh->first_block;

        for (guint64 at = stretch->start; at < stretch->end; at += STEP_BYTES) {
            const Step step = { i, at, MIN(at + STEP_BYTES, stretch->end) };

            if (summary == NULL || summary->levels[block] == level)
                g_array_append_val(refresh->steps, step);
            block += FOLIO_SUMMARY_GRANULE;
        }
    }
}

void
folio_frame_refresh_order(FolioFrameRefresh *refresh, const FolioHeatSummary *summary)
{
    g_array_set_size(refresh->steps, 0);
    refresh->step = 0;
    if (summary == NULL || summary->n_blocks != refresh->n_blocks) {
        add_steps(refresh, NULL, 0);
        return;
    }
    for (guint level = FOLIO_SUMMARY_LEVELS; level > 0; level--)
        add_steps(refresh, summary, level - 1);
}

static const Step *
current_step(const FolioFrameRefresh *refresh)
{
    return &g_array_index(refresh->steps, Step, refresh->step);
}

static const Stretch *
current_stretch(const FolioFrameRefresh *refresh)
{
    return &g_array_index(refresh->stretches, Stretch, current_step(refresh)->stretch);
}

/* Pages of the block that were known, are not mapped now, and stand in a row of frames. */
typedef struct {
    FolioPlace place;
    guint64 frame;
    guint n;
} Run;

static void
check_run(const FolioFrameRefresh *refresh, const Run *run)
{
    guint64 flags[FOLIO_BLOCK_PAGES];
    const gboolean told =
        run->n > 0 && refresh->kpageflags_fd >= 0 &&
        folio_frame_flags_read(refresh->kpageflags_fd, run->frame, run->n, flags, NULL);

    for (guint i = 0; i < run->n; i++) {
        if (!told || !folio_frame_may_be_shmem(flags[i]))
            folio_frame_map_drop_page(refresh->map, run->place + i);
    }
}

static void
check_absent(const FolioFrameRefresh *refresh, const FolioBlockFrames *block, FolioPlace first)
{
    const gboolean keeps = current_stretch(refresh)->keeps;
    Run run = { 0 };

    for (guint i = 0; i < block->n_pages; i++) {
        guint64 frame;

        if ((block->n_present > 0 && block->frames[i] != FOLIO_NO_FRAME) ||
            !folio_frame_map_frame_of(refresh->map, first + i, &frame))
            continue;
        if (!keeps) {
            folio_frame_map_drop_page(refresh->map, first + i);
            continue;
        }
        if (run.n > 0 && run.place + run.n == first + i && run.frame + run.n == frame) {
            run.n++;
            continue;
        }
        check_run(refresh, &run);
        run = (Run){ first + i, frame, 1 };
    }
    check_run(refresh, &run);
}

static guint
block_at(const Stretch *stretch, guint64 address)
{
    return stretch->first_block + (guint) ((address - stretch->start) / FOLIO_BLOCK_BYTES);
}

/* One that stands in one piece is looked at when it is its turn. */
static gboolean
may_skip(guint64 address, gpointer user_data)
{
    const FolioFrameRefresh *refresh = user_data;
    const guint block = block_at(current_stretch(refresh), address);

    return !refresh->all && (block + refresh->turn) % FOLIO_REFRESH_TURNS != 0 &&
           folio_frame_map_is_whole(refresh->map, block);
}

static void
take_block(const FolioBlockFrames *frames, gpointer user_data)
{
    FolioFrameRefresh *refresh = user_data;
    const Stretch *stretch = current_stretch(refresh);
    const guint block = block_at(stretch, frames->address);
    const FolioPlace first = block * FOLIO_BLOCK_PAGES;

    if (frames->in_one) {
        folio_frame_map_set_block(refresh->map, block, frames->frames[0]);
        return;
    }
    for (guint i = 0; frames->n_present > 0 && i < frames->n_pages; i++) {
        if (frames->frames[i] != FOLIO_NO_FRAME &&
            !folio_frame_map_set_page(refresh->map, first + i, frames->frames[i]))
            refresh->fell_short = TRUE;
    }
    if (frames->n_present < frames->n_pages && folio_frame_map_knows(refresh->map, block))
        check_absent(refresh, frames, first);
}

void
folio_frame_refresh_all(FolioFrameRefresh *refresh)
{
    refresh->all = TRUE;
}

gboolean
folio_frame_refresh_is_short(const FolioFrameRefresh *refresh)
{
    return refresh->is_short;
}

/* The next one begins where this one did. */
static void
end_pass(FolioFrameRefresh *refresh)
{
    refresh->step = 0;
    refresh->turn++;
    refresh->all = FALSE;
    refresh->is_short = refresh->fell_short;
    refresh->fell_short = FALSE;
}

gboolean
folio_frame_refresh_step(FolioFrameRefresh *refresh, gboolean *done, GError **error)
{
    const Step *step = current_step(refresh);

    *done = FALSE;
    if (!folio_block_frames_read(refresh->pagemap_fd, step->start, step->end, may_skip, take_block,
                                 refresh, error)) {
        refresh->step = 0;
        return FALSE;
    }
    refresh->step++;
    *done = refresh->step == refresh->steps->len;
    if (*done)
        end_pass(refresh);
    return TRUE;
}
