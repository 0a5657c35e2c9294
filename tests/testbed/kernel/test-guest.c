/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real KVM guest, nested in the emulated host, checks its memory over and over (guest/init.c)
 * while DAMON splits a third of the blocks below it and collapses them again. khugepaged scans all
 * the time; the prctl flag and the hold must keep it off the split blocks, as they do for foliod's
 * guests. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "damon.h"
#include "frames.h"
#include "guest.h"
#include "guest-ram.h"
#include "mapping.h"
#include "system.h"
#include "test.h"

#define GUEST_MIB      512
#define GUEST_BLOCKS   (GUEST_MIB / 2)
#define SPLIT_ONE_OF   3
#define SPLIT_BLOCKS   ((GUEST_BLOCKS + SPLIT_ONE_OF - 1) / SPLIT_ONE_OF)
#define BOOT_SECONDS   600
#define PASSES_SECONDS 600

enum entry {
    ENTRY_NONE = 0,
    ENTRY_BLOCK = 2, /* the level of the page table it stands on */
    ENTRY_PAGE = 3,
};

/* What KVM maps the guest with: the entry over each block, and the number of entries by kind. */
struct stage2 {
    enum entry of[GUEST_BLOCKS];
    size_t entries[ENTRY_PAGE + 1];
};

static struct guest guest;
static struct guest_ram ram;
static unsigned long passes, checked_pages, errors; /* as the guest's checker said last */
static struct mapping at_first; /* only the frames: those that its RAM had at the start */

static void
take_line(void)
{
    if (strncmp(guest.line, "memcheck: pass", 14) != 0) {
        printf("guest: %s\n", guest.line);
        return;
    }
    if (sscanf(guest.line, "memcheck: pass %lu pages %lu errors %lu", &passes, &checked_pages,
               &errors) != 3)
        fail_msg("no report: %s", guest.line);
}

static void
wait_for_pass(unsigned long pass, int seconds)
{
    time_t end = time(NULL) + seconds;

    while (passes < pass) {
        if (time(NULL) > end)
            fail_msg("pass %lu did not end in %d s; at %lu", pass, seconds, passes);
        if (guest_read_line(&guest, 1000))
            take_line();
    }
}

/* One pass that began after now, so that all memory is read in the state it has now. */
static void
wait_for_whole_pass(void)
{
    while (guest_read_line(&guest, 0))
        take_line();
    wait_for_pass(passes + 2, PASSES_SECONDS);
    assert_int_equal(errors, 0);
}

/* The frames of the guest's RAM, seen through a short-lived mapping of the same file. */
static struct mapping
ram_frames(void)
{
    size_t size = (size_t) GUEST_MIB << 20;
    struct mapping map = { .blocks = GUEST_BLOCKS, .fd = -1 };

    map.addr = map_aligned(size, PROT_READ, MAP_SHARED, guest.ram, 0);
    for (size_t at = 0; at < size; at += PAGE_SIZE)
        (void) *(volatile unsigned char *) (map.addr + at);
    map.frame = calloc(GUEST_BLOCKS * BLOCK_PAGES, sizeof(*map.frame));
    assert_non_null(map.frame);
    frames_record(&map);
    munmap(map.addr, size);
    map.addr = NULL;
    return map;
}

static void
read_stage2_line(const char *line, struct stage2 *stage2)
{
    uintptr_t start, end;
    int level, flags;

    /* "0x0000000040000000-0x0000000060000000   512M 2  R W AF BLK": no flags, no entry. */
    if (sscanf(line, "0x%" SCNxPTR "-0x%" SCNxPTR " %*s %d %n", &start, &end, &level, &flags) !=
            3 ||
        strspn(line + flags, " \n") == strlen(line + flags) || level < ENTRY_BLOCK)
        return;
    stage2->entries[level] += (end - start) / (level == ENTRY_BLOCK ? BLOCK_BYTES : PAGE_SIZE);
    for (size_t i = 0; i < GUEST_BLOCKS; i++) {
        uintptr_t block = GUEST_RAM_BASE + i * BLOCK_BYTES;

        if (block < end && start < block + BLOCK_BYTES)
            stage2->of[i] = (enum entry) level;
    }
}

static struct stage2
read_stage2(const char *when)
{
    struct stage2 stage2 = { 0 };
    char path[96], line[256];
    FILE *table = NULL;

    /* The second number is QEMU's descriptor of the guest. */
    for (int fd = 0; fd < 64 && !table; fd++) {
        snprintf(path, sizeof path, "/sys/kernel/debug/kvm/%d-%d/stage2_page_tables", guest.pid,
                 fd);
        table = fopen(path, "r");
    }
    assert_non_null(table);
    while (fgets(line, sizeof line, table))
        read_stage2_line(line, &stage2);
    fclose(table);
    printf("stage 2 %s: %zu entries of 2 MiB, %zu of 4 KiB; the guest: pass %lu, %lu errors\n",
           when, stage2.entries[ENTRY_BLOCK], stage2.entries[ENTRY_PAGE], passes, errors);
    return stage2;
}

/* Of the blocks that are split in this test. */
static size_t
count_split(const struct stage2 *stage2, enum entry kind)
{
    size_t n = 0;

    for (size_t i = 0; i < GUEST_BLOCKS; i += SPLIT_ONE_OF)
        n += stage2->of[i] == kind;
    return n;
}

/* Blocks that are never split keep the entry that they have; others get theirs when first touched.
 */
static void
others_are_as_before(const struct stage2 *before, const struct stage2 *now)
{
    for (size_t i = 0; i < GUEST_BLOCKS; i++)
        assert_true(i % SPLIT_ONE_OF == 0 || before->of[i] == ENTRY_NONE ||
                    before->of[i] == now->of[i]);
}

/* Until every chosen block is done: one that the guest or QEMU has in hand at that moment is left
 * out. */
static void
act(const char *action)
{
    struct damon_range ranges[GUEST_BLOCKS];
    struct damon_job job = { .pid = guest.pid, .action = action, .ranges = ranges };
    size_t applied = 0;
    bool split = strcmp(action, "split") == 0;

    for (size_t i = 0; i < GUEST_BLOCKS; i += SPLIT_ONE_OF) {
        uintptr_t start = ram.addr + i * BLOCK_BYTES;

        ranges[job.n_ranges++] = (struct damon_range){ start, start + BLOCK_BYTES };
    }
    for (int pass = 1; applied < SPLIT_BLOCKS; pass++) {
        struct damon_stats stats = damon_once(&job);

        printf("%s: pass %d: applied to %lu of %d blocks\n", action, pass, stats.nr_applied,
               SPLIT_BLOCKS);
        assert_int_equal(stats.sz_applied, stats.nr_applied * BLOCK_BYTES);
        assert_true(pass < 10);
        /* What is split already counts as applied no more, what is huge already does. */
        applied = (split ? applied : 0) + stats.nr_applied;
    }
    assert_int_equal(applied, SPLIT_BLOCKS);
}

/* The guest is up, every block is one folio, and KVM maps with nothing but 2 MiB entries. */
static void
ram_is_huge_at_first(void **state)
{
    struct stage2 stage2;

    (void) state;
    guest_start(&guest, GUEST_MIB, "init", "PERCENT=75", true);
    wait_for_pass(1, BOOT_SECONDS);
    ram = guest_ram_open(guest.pid);
    assert_int_equal(ram.bytes, (size_t) GUEST_MIB << 20);
    assert_int_equal(ram.addr % BLOCK_BYTES, 0);
    at_first = ram_frames();
    assert_int_equal(frames_not_whole(&at_first, 0, GUEST_BLOCKS), 0);
    wait_for_whole_pass();
    stage2 = read_stage2("at first");
    assert_int_equal(stage2.entries[ENTRY_PAGE], 0);
    assert_in_range(stage2.entries[ENTRY_BLOCK], GUEST_BLOCKS / 2, GUEST_BLOCKS);
}

/* Each split block is 512 folios at the frames it had, each other block is as it was. */
static void
a_third_is_split(void **state)
{
    struct stage2 before = read_stage2("before the split"), after;

    (void) state;
    act("split");
    wait_for_whole_pass();
    for (size_t i = 0; i < GUEST_BLOCKS; i++)
        assert_int_equal(frames_order(&at_first, i), i % SPLIT_ONE_OF ? PMD_ORDER : 0);
    after = read_stage2("after the split");
    assert_int_equal(count_split(&after, ENTRY_BLOCK), 0);
    /* The checker has most of the guest's memory: it has met most of the split blocks since, and of
     * its own pages about a third is in them. (A debug kernel keeps more for itself.) */
    assert_in_range(count_split(&after, ENTRY_PAGE), SPLIT_BLOCKS / 2, SPLIT_BLOCKS);
    assert_true(checked_pages >= GUEST_BLOCKS * BLOCK_PAGES / 4);
    assert_true(after.entries[ENTRY_PAGE] > checked_pages / SPLIT_ONE_OF / 2);
    others_are_as_before(&before, &after);
}

static void
it_is_collapsed_again(void **state)
{
    struct stage2 before = read_stage2("before the collapse"), after;
    struct mapping now;

    (void) state;
    act("collapse");
    wait_for_whole_pass();
    now = ram_frames();
    for (size_t i = 0; i < GUEST_BLOCKS; i++) {
        bool same = now.frame[i * BLOCK_PAGES] == at_first.frame[i * BLOCK_PAGES];

        assert_int_equal(frames_order(&now, i), PMD_ORDER);
        assert_int_equal(same, i % SPLIT_ONE_OF != 0);
    }
    free(now.frame);
    after = read_stage2("after the collapse");
    assert_int_equal(after.entries[ENTRY_PAGE], 0);
    assert_in_range(count_split(&after, ENTRY_BLOCK), SPLIT_BLOCKS / 2, SPLIT_BLOCKS);
    others_are_as_before(&before, &after);
}

static int
scan_without_pause(void **state)
{
    (void) state;
    setting(THP_DIR "khugepaged/pages_to_scan", "65536");
    setting(THP_DIR "khugepaged/alloc_sleep_millisecs", "0");
    setting(THP_DIR "khugepaged/split_backoff_millisecs", "600000");
    setting(THP_DIR "khugepaged/scan_sleep_millisecs", "100");
    return 0;
}

static int
end_guest(void **state)
{
    (void) state;
    guest_end(&guest);
    free(at_first.frame);
    return 0;
}

int
main(void)
{
    /* Each builds on what the one before it left. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ram_is_huge_at_first),
        cmocka_unit_test(a_third_is_split),
        cmocka_unit_test(it_is_collapsed_again),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("guest", tests, scan_without_pause, end_guest);
}
