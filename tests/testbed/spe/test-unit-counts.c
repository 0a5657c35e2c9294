/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The truth of the SPE unit: each access is counted once, at the page it was to, by whose it was.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hammer.h"
#include "mapping.h"
#include "test.h"
#include "unit-sampling.h"
#include "unit/truth-file.h"

#define PAGES      8
#define ALL_WORDS  512 /* of a page */
#define COPIES     100
#define COPY_STEP  8 /* bytes that the kernel copies by one access */
#define IDLE_READS 10000

static struct hammer hammer;

static int
set_up(void **state)
{
    unit_open();
    hammer = hammer_new(PAGES);
    return 0;
}

static int
tear_down(void **state)
{
    hammer_free(&hammer);
    return 0;
}

struct counts {
    uint64_t of[PAGES][UNIT_CLASSES];
};

static struct counts
read_counts(void)
{
    struct counts counts;

    for (size_t page = 0; page < PAGES; page++)
        for (unsigned class = 0; class < UNIT_CLASSES; class ++)
            counts.of[page][class] = unit_count(hammer.pa[page], (enum unit_class) class);
    return counts;
}

/* Since before, each of the first pages was accessed as often as that, or up to extra times more,
 * by one class, and nothing else happened to any. */
static void
check_counts(const struct counts *before, size_t pages, enum unit_class expected, uint64_t accesses,
             uint64_t extra)
{
    struct counts now = read_counts();

    for (size_t page = 0; page < PAGES; page++)
        for (unsigned class = 0; class < UNIT_CLASSES; class ++)
            if (page < pages && class == expected)
                assert_in_range(now.of[page][class] - before->of[page][class], accesses,
                                accesses + extra);
            else
                assert_int_equal(now.of[page][class], before->of[page][class]);
}

static void
a_program_is_host_el0(void **state)
{
    for (unsigned cpu = 0; cpu < unit_header()->cpus; cpu++) {
        struct counts before;

        pin_to_cpu(cpu);
        before = read_counts();
        hammer_load(&hammer, PAGES, 1000, ALL_WORDS);
        hammer_store(&hammer, PAGES / 2, 1, ALL_WORDS);
        hammer_load(&hammer, PAGES / 2, 4, ALL_WORDS);
        /* 1 + 4 more for the first half */
        hammer_load(&(struct hammer){ .addr = hammer.addr + PAGES / 2 * PAGE_SIZE }, PAGES / 2, 5,
                    ALL_WORDS);
        check_counts(&before, PAGES, UNIT_HOST_EL0, 1005, 0);
        before = read_counts();
        hammer_store(&hammer, 1, 123457, ALL_WORDS);
        check_counts(&before, 1, UNIT_HOST_EL0, 123457, 0);
    }
}

/* The kernel copies to and from a program's page with the program's rights, but it is the kernel.
 */
static void
a_copy_of_the_kernel_is_host_el2(void **state)
{
    int fd = memfd_create("copy", MFD_CLOEXEC);
    struct counts before = read_counts();

    assert_true(fd >= 0);
    for (int i = 0; i < COPIES; i++)
        assert_int_equal(pwrite(fd, hammer.addr, PAGE_SIZE, 0), PAGE_SIZE);
    /* It looks at a byte or two before it copies, to have the page there. */
    check_counts(&before, 1, UNIT_HOST_EL2, COPIES * PAGE_SIZE / COPY_STEP, 2 * COPIES);
    before = read_counts();
    for (int i = 0; i < COPIES; i++)
        assert_int_equal(pread(fd, hammer.addr, PAGE_SIZE, 0), PAGE_SIZE);
    check_counts(&before, 1, UNIT_HOST_EL2, COPIES * PAGE_SIZE / COPY_STEP, 0);
    close(fd);
}

/* The unit's own memory is none of the host's RAM, whatever its addresses look like. */
static void
what_is_no_ram_is_elsewhere(void **state)
{
    const volatile struct unit_header *header = unit_header();
    const volatile struct unit_cpu *words = unit_cpu(0);
    uint64_t accesses, elsewhere;

    pin_to_cpu(0);
    accesses = words->accesses;
    elsewhere = words->elsewhere;
    for (int i = 0; i < IDLE_READS; i++)
        (void) header->magic;
    elsewhere = words->elsewhere - elsewhere;
    accesses = words->accesses - accesses;
    /* Reading the counters is one more; devices may be accessed at any time. */
    assert_in_range(elsewhere, IDLE_READS + 1, IDLE_READS + 1000);
    /* An interrupt may come, 10000 may not. */
    assert_true(accesses < IDLE_READS);
}

/* One of the windows that the file has. */
struct window {
    uint32_t cut, last;
    long at; /* of its pages in the file */
    uint64_t pages;
};

static FILE *
open_truth(struct truth_header *header)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/truth", getenv("TESTBED_OUT"));
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(header, sizeof *header, 1, file), 1);
    return file;
}

static bool
next_window(FILE *file, struct window *window)
{
    struct truth_window read;

    if (fread(&read, sizeof read, 1, file) != 1)
        return false;
    *window = (struct window){ read.cut, read.last, ftell(file), read.pages };
    assert_int_equal(fseek(file, (long) (read.pages * sizeof(struct truth_page)), SEEK_CUR), 0);
    return true;
}

/* What the window has of the hammered pages, with the order of its pages checked. */
static struct counts
counts_in_window(FILE *file, const struct window *window, uint64_t ram_base)
{
    struct counts counts = { 0 };
    uint64_t expected = 0;

    assert_int_equal(fseek(file, window->at, SEEK_SET), 0);
    for (uint64_t i = 0; i < window->pages; i++) {
        struct truth_page page;

        assert_int_equal(fread(&page, sizeof page, 1, file), 1);
        assert_true(page.index >= expected);
        expected = page.index + 1;
        for (size_t mine = 0; mine < PAGES; mine++)
            for (unsigned class = 0; class < UNIT_CLASSES; class ++)
                if (ram_base + page.index * PAGE_SIZE == hammer.pa[mine])
                    counts.of[mine][class] = page.counts[class];
    }
    return counts;
}

static void
check_window(FILE *file, const struct window *window, uint64_t ram_base, uint32_t cut,
             uint64_t accesses)
{
    struct counts counts = counts_in_window(file, window, ram_base);

    assert_int_equal(window->cut, cut);
    assert_int_equal(window->last, 0);
    for (size_t page = 0; page < PAGES; page++) {
        assert_int_equal(counts.of[page][UNIT_HOST_EL0], accesses);
        assert_int_equal(counts.of[page][UNIT_HOST_EL2], 0);
    }
}

/* Three windows, of which the second has no access to the pages. */
static void
a_cut_ends_a_window(void **state)
{
    struct window windows[3] = { 0 }, window; /* the last */
    struct truth_header header;
    uint32_t cut;
    FILE *file;

    unit_cut();
    hammer_store(&hammer, PAGES, 2000, ALL_WORDS);
    unit_cut();
    unit_cut();
    hammer_load(&hammer, PAGES, 30, ALL_WORDS);
    unit_cut();
    cut = unit_header()->cuts;

    file = open_truth(&header);
    assert_int_equal(header.magic, TRUTH_MAGIC);
    assert_int_equal(header.version, TRUTH_VERSION);
    assert_int_equal(header.classes, UNIT_CLASSES);
    assert_int_equal(header.ram_base, unit_header()->ram_base);
    assert_int_equal(header.ram_size, unit_header()->ram_size);
    while (next_window(file, &window)) {
        windows[0] = windows[1];
        windows[1] = windows[2];
        windows[2] = window;
    }
    check_window(file, &windows[0], header.ram_base, cut - 2, 2000);
    check_window(file, &windows[1], header.ram_base, cut - 1, 0);
    check_window(file, &windows[2], header.ram_base, cut, 30);
    fclose(file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_host_el0),
        cmocka_unit_test(a_copy_of_the_kernel_is_host_el2),
        cmocka_unit_test(what_is_no_ram_is_elsewhere),
        cmocka_unit_test(a_cut_ends_a_window),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("unit-counts", tests, set_up, tear_down);
}
