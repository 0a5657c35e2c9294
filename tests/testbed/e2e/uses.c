/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* uses RECORDS TRUTH: what was done to each block of the guest in each window, exactly:
 *
 *   WINDOW BLOCK PAGES ACCESSES HOST-PAGES HOST-ACCESSES
 *
 * of each block with any access. WINDOW is foliod's, the one that the record before names as ended,
 * and one more: so the last window before the first record has none. PAGES are the distinct
 * sub-pages that the guest accessed, its kernel included; the host's accesses are counted apart.
 *
 * A window has the accesses at the frames of its start and those at its end: what was collapsed in
 * between was at both. RECORDS are those of record.c, TRUTH is unit/truth-file.h's. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mapping.h"
#include "unit/truth-file.h"

#define MAX_BLOCKS (1u << 15)

struct record {
    unsigned window;
    uint32_t cut;
    size_t blocks;
    uint64_t *frames; /* of all pages */
};

struct use {
    uint64_t guest, host; /* accesses */
    uint64_t guest_pages[BLOCK_PAGES / 64], host_pages[BLOCK_PAGES / 64];
};

static void
die(const char *what)
{
    fprintf(stderr, "uses: %s\n", what);
    exit(1);
}

static void
read_frames(FILE *file, uint64_t *frames)
{
    char word[32];

    if (fscanf(file, "%31s", word) != 1)
        die("a block ends early");
    if (strcmp(word, "=") != 0) {
        for (size_t i = 0; i < BLOCK_PAGES; i++)
            frames[i] = strtoull(word, NULL, 10) + i;
        return;
    }
    for (size_t i = 0; i < BLOCK_PAGES; i++)
        if (fscanf(file, "%" SCNu64, &frames[i]) != 1)
            die("a block has too few frames");
}

/* False at the end of the file, or when the last record is not whole. */
static bool
read_record(FILE *file, struct record *record)
{
    size_t block;

    if (fscanf(file, " window %u cut %" SCNu32 " %*[^\n]", &record->window, &record->cut) != 2)
        return false;
    record->blocks = 0;
    while (fscanf(file, " block %zu %*s %*s", &block) == 1) {
        if (block != record->blocks || block >= MAX_BLOCKS)
            die("blocks are not in order");
        read_frames(file, record->frames + block * BLOCK_PAGES);
        record->blocks++;
    }
    return fscanf(file, " end %*u") == 0 && record->blocks > 0;
}

/* Where frames are in the guest: by (frame - first), number of the page + 1. */
struct places {
    uint32_t *page;
    size_t frames;
    struct truth_page *read; /* room for a window of all of them */
};

static void
enter_places(struct places *places, uint64_t base, const struct record *record)
{
    for (size_t i = 0; i < record->blocks * BLOCK_PAGES; i++) {
        uint64_t frame = record->frames[i] - base;

        if (record->frames[i] >= base && frame < places->frames)
            places->page[frame] = (uint32_t) i + 1;
    }
}

static void
count_page(struct use *uses, uint32_t page, const uint64_t *counts)
{
    struct use *use = &uses[page / BLOCK_PAGES];
    size_t sub = page % BLOCK_PAGES;
    uint64_t guest = counts[UNIT_GUEST_EL0] + counts[UNIT_GUEST_EL1];
    uint64_t host = counts[UNIT_HOST_EL0] + counts[UNIT_HOST_EL2];

    use->guest += guest;
    use->host += host;
    if (guest > 0)
        use->guest_pages[sub / 64] |= UINT64_C(1) << sub % 64;
    if (host > 0)
        use->host_pages[sub / 64] |= UINT64_C(1) << sub % 64;
}

static unsigned
count_bits(const uint64_t *words)
{
    unsigned n = 0;

    for (size_t i = 0; i < BLOCK_PAGES / 64; i++)
        n += (unsigned) __builtin_popcountll(words[i]);
    return n;
}

static void
print_uses(unsigned window, const struct use *uses, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++)
        if (uses[b].guest + uses[b].host > 0)
            printf("%u %zu %u %" PRIu64 " %u %" PRIu64 "\n", window, b,
                   count_bits(uses[b].guest_pages), uses[b].guest, count_bits(uses[b].host_pages),
                   uses[b].host);
}

/* Goes to the truth's window that the cut ended, and counts; uses may be NULL. */
static void
take_truth(FILE *truth, uint32_t cut, const struct places *places, struct use *uses)
{
    struct truth_window window;

    do {
        if (fread(&window, sizeof(window), 1, truth) != 1)
            die("the truth ends before the records do");
        if (window.pages > places->frames ||
            fread(places->read, sizeof(*places->read), window.pages, truth) != window.pages)
            die("the truth ends in a window");
        for (uint64_t i = 0; uses && window.cut == cut && i < window.pages; i++) {
            const struct truth_page *page = &places->read[i];

            if (places->page[page->index] != 0)
                count_page(uses, places->page[page->index] - 1, page->counts);
        }
    } while (window.cut != cut);
}

static struct record
new_record(void)
{
    return (struct record){ .frames = calloc((size_t) MAX_BLOCKS * BLOCK_PAGES, sizeof(uint64_t)) };
}

int
main(int argc, char **argv)
{
    FILE *records = argc == 3 ? fopen(argv[1], "r") : NULL;
    FILE *truth = argc == 3 ? fopen(argv[2], "r") : NULL;
    struct record before = new_record(), now = new_record(), other;
    struct truth_header header;
    struct places places;
    struct use *uses = calloc(MAX_BLOCKS, sizeof(*uses));

    if (!records || !truth || fread(&header, sizeof(header), 1, truth) != 1 ||
        header.magic != TRUTH_MAGIC || header.version != TRUTH_VERSION)
        die("usage: uses RECORDS TRUTH");
    places.frames = header.ram_size / PAGE_SIZE;
    places.page = calloc(places.frames, sizeof(*places.page));
    places.read = malloc(places.frames * sizeof(*places.read));
    if (!before.frames || !now.frames || !uses || !places.page || !places.read)
        die("no memory");
    if (!read_record(records, &before))
        die("there is no record");
    take_truth(truth, before.cut, &places, NULL);
    while (read_record(records, &now)) {
        memset(places.page, 0, places.frames * sizeof(*places.page));
        enter_places(&places, header.ram_base / PAGE_SIZE, &before);
        enter_places(&places, header.ram_base / PAGE_SIZE, &now);
        memset(uses, 0, MAX_BLOCKS * sizeof(*uses));
        take_truth(truth, now.cut, &places, uses);
        print_uses(now.window, uses, now.blocks);
        other = before;
        before = now;
        now = other;
    }
    return 0;
}
