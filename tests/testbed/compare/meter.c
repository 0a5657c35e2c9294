/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest does and costs while it makes so many accesses of its own (EL0):
 *
 * meter PID ACCESSES [FILE]     "NAME NUMBER", a line for each of what is counted; PID of its QEMU
 *
 * FILE gets a line for each block of 2 MiB: "NUMBER ORDER USED", where ORDER is that of its folios
 * (0..9), "mixed" or "part", or "absent", and USED the number of its 512 sub-pages that the guest
 * accessed meanwhile; and, after that, "moved N": pages that were somewhere else at the end, whose
 * accesses are not all known.
 *
 * Instructions are all that the emulated host executes, whoever for. The model of the TLB
 * (unit/tlb.h) is told which blocks are huge when the count begins. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "frames.h"
#include "guest-ram.h"
#include "mapping.h"
#include "test.h"
#include "unit.h"
#include "unit/meter.h"

#define LOOK_US      100000
#define LONGEST_S    1800
#define ORDER_PART   (-3)
#define ORDER_ABSENT (-4)

struct page {
    uint64_t frame, accesses; /* by the guest */
};

static struct guest_ram ram;
static size_t n_pages;

static struct meter_control *
control(void)
{
    return (struct meter_control *) ((uint8_t *) unit_header() + METER_AT);
}

static void
add_cpu(struct meter_cpu *sum, const volatile struct meter_cpu *cpu)
{
    sum->instructions += cpu->instructions;
    for (unsigned class = 0; class < UNIT_CLASSES; class ++)
        sum->accesses[class] += cpu->accesses[class];
    sum->lookups += cpu->lookups;
    sum->l1_misses += cpu->l1_misses;
    sum->walks += cpu->walks;
}

static struct meter_cpu
read_cpus(void)
{
    struct meter_cpu sum = { 0 };

    for (unsigned cpu = 0; cpu < unit_header()->cpus; cpu++)
        add_cpu(&sum, (struct meter_cpu *) ((uint8_t *) unit_cpu(cpu) + METER_AT));
    return sum;
}

static struct page *
read_pages(void)
{
    uint64_t *frames = guest_ram_file_frames(&ram);
    struct page *pages = calloc(n_pages, sizeof *pages);

    assert_non_null(pages);
    for (size_t i = 0; i < n_pages; i++) {
        pages[i].frame = frames[i];
        if (frames[i] != 0)
            pages[i].accesses = unit_count(frames[i] * PAGE_SIZE, UNIT_GUEST_EL0) +
                                unit_count(frames[i] * PAGE_SIZE, UNIT_GUEST_EL1);
    }
    free(frames);
    return pages;
}

/* Of the folios of a block: 0..9, or why there is no such order. */
static int
order_of(const struct page *pages)
{
    uint64_t frames[BLOCK_PAGES];
    size_t present = 0;

    for (size_t i = 0; i < BLOCK_PAGES; i++) {
        frames[i] = pages[i].frame;
        present += frames[i] != 0;
    }
    if (present < BLOCK_PAGES)
        return present == 0 ? ORDER_ABSENT : ORDER_PART;
    return frames_order_of(frames);
}

/* Of the orders; returns how many blocks are huge. */
static size_t
tell_model(const int *orders, const struct page *pages)
{
    volatile struct meter_control *to = control();
    size_t n = 0;

    for (size_t i = 0; i < METER_HUGE_WORDS; i++)
        to->huge[i] = 0;
    for (size_t block = 0; block < n_pages / BLOCK_PAGES; block++) {
        uint64_t pa = pages[block * BLOCK_PAGES].frame * PAGE_SIZE;
        uint64_t at = (pa - unit_header()->ram_base) >> METER_HUGE_SHIFT;

        if (orders[block] != PMD_ORDER)
            continue;
        assert_true(at / 64 < METER_HUGE_WORDS);
        to->huge[at / 64] |= UINT64_C(1) << at % 64;
        n++;
    }
    to->tlb++;
    return n;
}

/* Until the guest has made so many accesses of its own. */
static void
wait_for_accesses(uint64_t from, uint64_t accesses)
{
    uint64_t looks = 0;

    while (read_cpus().accesses[UNIT_GUEST_EL0] - from < accesses) {
        if (++looks > (uint64_t) LONGEST_S * 1000000 / LOOK_US)
            fail_msg("the guest makes no accesses");
        usleep(LOOK_US);
    }
}

static void
print_counts(const struct meter_cpu *from, const struct meter_cpu *to)
{
    printf("instructions %" PRIu64 "\n", to->instructions - from->instructions);
    printf("accesses %" PRIu64 "\n", to->accesses[UNIT_GUEST_EL0] - from->accesses[UNIT_GUEST_EL0]);
    printf("lookups %" PRIu64 "\n", to->lookups - from->lookups);
    printf("l1_misses %" PRIu64 "\n", to->l1_misses - from->l1_misses);
    printf("walks %" PRIu64 "\n", to->walks - from->walks);
}

static const char *
name_of(int order)
{
    static char number[4];

    switch (order) {
    case ORDER_ABSENT:
        return "absent";
    case ORDER_PART:
        return "part";
    case FRAMES_MIXED:
        return "mixed";
    case FRAMES_GONE:
        return "gone";
    }
    snprintf(number, sizeof number, "%d", order);
    return number;
}

static void
write_blocks(const char *path, const int *orders, const struct page *before,
             const struct page *after)
{
    FILE *file = fopen(path, "w");
    size_t used = 0, moved = 0;

    assert_non_null(file);
    for (size_t i = 0; i < n_pages; i++) {
        if (before[i].frame != after[i].frame)
            moved++;
        else
            used += after[i].accesses > before[i].accesses;
        if (i % BLOCK_PAGES != BLOCK_PAGES - 1)
            continue;
        fprintf(file, "%zu %s %zu\n", i / BLOCK_PAGES, name_of(orders[i / BLOCK_PAGES]), used);
        used = 0;
    }
    fprintf(file, "moved %zu\n", moved);
    assert_int_equal(fclose(file), 0);
}

static void
measure(uint64_t accesses, const char *path)
{
    struct page *before = read_pages(), *after;
    int *orders = calloc(n_pages / BLOCK_PAGES, sizeof *orders);
    struct meter_cpu from, to;
    size_t n_huge;

    assert_non_null(orders);
    for (size_t block = 0; block < n_pages / BLOCK_PAGES; block++)
        orders[block] = order_of(before + block * BLOCK_PAGES);
    n_huge = tell_model(orders, before);
    from = read_cpus();
    wait_for_accesses(from.accesses[UNIT_GUEST_EL0], accesses);
    to = read_cpus();
    control()->tlb = 0;
    after = read_pages();
    print_counts(&from, &to);
    printf("huge_blocks %zu\n", n_huge);
    if (path)
        write_blocks(path, orders, before, after);
    free(before);
    free(after);
    free(orders);
}

int
main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        fputs("usage: meter PID ACCESSES [FILE]\n", stderr);
        return 2;
    }
    assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    unit_open();
    ram = guest_ram_open((pid_t) strtol(argv[1], NULL, 10));
    n_pages = ram.bytes / PAGE_SIZE;
    measure(strtoull(argv[2], NULL, 10), argc == 4 ? argv[3] : NULL);
    return 0;
}
