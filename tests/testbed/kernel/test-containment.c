/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nothing outside of the range is ever touched: folios that lie in it in part stay as they are. */
#include <string.h>
#include <sys/mman.h>

#include "../common/check.h"
#include "../common/frames.h"
#include "../common/mapping.h"
#include "../common/system.h"
#include "../common/test.h"

/* Starts in block 1 and ends in block 3, a page from their edges: only block 2 is whole in it. */
static void
parts_of_blocks(void **state)
{
    struct mapping map = mapping_for(state, 5, STEP_EVERY_WORD);

    check_run("split", 0, mapping_block(&map, 1) + PAGE_SIZE, mapping_block(&map, 4) - PAGE_SIZE,
              BLOCK_BYTES, NULL);
    check_untouched(&map, 0, 2);
    check_split(&map, 2, 0);
    check_untouched(&map, 3, 5);
    mapping_free(&map);
}

/* Ranges that hold no whole block. */
static void
nothing_whole(void **state)
{
    static const size_t ends[][2] = {
        { 0, BLOCK_BYTES - PAGE_SIZE },
        { PAGE_SIZE, BLOCK_BYTES },
        { PAGE_SIZE, 2 * BLOCK_BYTES - PAGE_SIZE },
        { BLOCK_BYTES / 2, BLOCK_BYTES / 2 + PAGE_SIZE },
        { 0, PAGE_SIZE },
    };
    struct mapping map = mapping_for(state, 3, STEP_EVERY_WORD);
    uint64_t splits = vmstat("thp_split_page"), pmds = vmstat("thp_split_pmd");

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        check_run("split", 0, mapping_block(&map, 1) + ends[i][0],
                  mapping_block(&map, 1) + ends[i][1], 0, NULL);
        check_untouched(&map, 0, 3);
    }
    assert_int_equal(vmstat("thp_split_page"), splits);
    assert_int_equal(vmstat("thp_split_pmd"), pmds);
    mapping_free(&map);
}

/* A folio across the border of two areas of memory is whole in neither. */
static void
across_two_areas(void **state)
{
    struct mapping map = mapping_for(state, 3, STEP_EVERY_WORD);
    void *end = (void *) (mapping_block(&map, 2) - PAGE_SIZE);

    assert_int_equal(mprotect(end, PAGE_SIZE, PROT_READ), 0);
    check_run("split", 0, mapping_block(&map, 0), mapping_block(&map, 3), 2 * BLOCK_BYTES,
              "partial");
    check_split(&map, 0, 0);
    assert_int_equal(frames_order(&map, 1), PMD_ORDER);
    assert_int_equal(frames_moved(&map, 1), 0);
    assert_int_equal(mapping_wrong_block(&map, 1), 0);
    check_split(&map, 2, 0);
    mapping_free(&map);
}

/* Some pages of an anonymous folio were moved to where no range is: it is not whole at either
 * place. */
static void
moved_in_part(void **state)
{
    struct mapping map = mapping_anon(3, STEP_EVERY_WORD);
    unsigned char *from = (unsigned char *) mapping_block(&map, 1);
    size_t size = 8 * PAGE_SIZE;
    unsigned char *to = map_aligned(BLOCK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_equal(mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    assert_int_equal(frames_order(&map, 1), PMD_ORDER);
    /* Fresh memory where the pages were makes one area of the range again. */
    assert_ptr_equal(
        mmap(from, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
        from);
    check_run("split", 0, mapping_block(&map, 0), mapping_block(&map, 3), 2 * BLOCK_BYTES,
              "partial");
    check_split(&map, 0, 0);
    assert_int_equal(frames_order(&map, 1), PMD_ORDER);
    check_split(&map, 2, 0);
    memcpy(from, to, size);
    assert_int_equal(mapping_wrong(&map), 0);
    munmap(to, BLOCK_BYTES);
    mapping_free(&map);
}

/* A private view has pages of the file, and its own where it was written to. */
static void
private_view_of_a_file(void **state)
{
    struct mapping map = mapping_shmem(2, STEP_EVERY_WORD);
    unsigned char *view =
        map_aligned(2 * BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, map.fd, 0);
    uintptr_t start = (uintptr_t) view;

    view[BLOCK_BYTES] = 'v';
    for (size_t i = 0; i < 2 * BLOCK_BYTES; i += PAGE_SIZE)
        (void) *(volatile unsigned char *) (view + i);
    check_run("split", 0, start + BLOCK_BYTES, start + 2 * BLOCK_BYTES, BLOCK_BYTES, "done");
    check_untouched(&map, 0, 1);
    check_split(&map, 1, 0);
    assert_int_equal(view[BLOCK_BYTES], 'v');
    munmap(view, 2 * BLOCK_BYTES);
    mapping_free(&map);
}

/* A view of a file from the middle of its first block on: that block lies outside of what is
 * mapped, in part, and so of the range. The second one is whole. */
static void
part_of_a_file(void **state)
{
    struct mapping map = mapping_shmem(2, STEP_EVERY_WORD);
    size_t half = BLOCK_BYTES / 2;
    unsigned char *room =
        map_aligned(2 * BLOCK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *view = mmap(room + half, 2 * BLOCK_BYTES - half, PROT_READ,
                               MAP_SHARED | MAP_FIXED, map.fd, (off_t) half);
    uintptr_t start = (uintptr_t) view;

    assert_ptr_equal(view, room + half);
    for (size_t i = 0; i < 2 * BLOCK_BYTES - half; i += PAGE_SIZE)
        (void) *(volatile unsigned char *) (view + i);
    check_run("split", 0, start, start + 2 * BLOCK_BYTES - half, BLOCK_BYTES, NULL);
    assert_int_equal(frames_order(&map, 0), PMD_ORDER);
    check_split(&map, 1, 0);
    munmap(room, 2 * BLOCK_BYTES);
    mapping_free(&map);
}

/* A view at an odd place has no PMD to map with, and the folios lie across 2 MiB of addresses. */
static void
odd_view_of_a_file(void **state)
{
    struct mapping map = mapping_shmem(3, STEP_EVERY_WORD);
    unsigned char *room =
        map_aligned(4 * BLOCK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *view =
        mmap(room + 7 * PAGE_SIZE, 3 * BLOCK_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, map.fd, 0);
    uintptr_t start = (uintptr_t) view;

    assert_ptr_equal(view, room + 7 * PAGE_SIZE);
    for (size_t i = 0; i < 3 * BLOCK_BYTES; i += PAGE_SIZE)
        (void) *(volatile unsigned char *) (view + i);
    check_run("split", 0, start + PAGE_SIZE, start + 3 * BLOCK_BYTES - PAGE_SIZE, BLOCK_BYTES,
              NULL);
    assert_int_equal(frames_order(&map, 0), PMD_ORDER);
    check_split(&map, 1, 0);
    assert_int_equal(frames_order(&map, 2), PMD_ORDER);
    munmap(room, 4 * BLOCK_BYTES);
    mapping_free(&map);
}

/* A block of the huge zero page is nobody's memory. */
static void
zero_page(void **state)
{
    unsigned char *addr =
        map_aligned(BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_int_equal(madvise(addr, BLOCK_BYTES, MADV_HUGEPAGE), 0);
    assert_int_equal(*(volatile unsigned char *) addr, 0);
    check_run("split", 0, (uintptr_t) addr, (uintptr_t) addr + BLOCK_BYTES, 0, NULL);
    assert_int_equal(addr[BLOCK_BYTES / 2], 0);
    munmap(addr, BLOCK_BYTES);
}

/* Addresses of no memory at all, of the kernel's own pages, and of this program. */
static void
whole_address_space(void **state)
{
    struct mapping map = mapping_for(state, 3, STEP_EVERY_WORD);
    uintptr_t top = (uintptr_t) 1 << 48;

    check_run("split", 0, PAGE_SIZE, top, 3 * BLOCK_BYTES, "done");
    for (size_t i = 0; i < 3; i++)
        check_split(&map, i, 0);
    mapping_free(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(whole_address_space), TEST_BOTH(parts_of_blocks), TEST_BOTH(nothing_whole),
        TEST_BOTH(across_two_areas),    TEST(moved_in_part),        TEST(private_view_of_a_file),
        TEST(part_of_a_file),           TEST(odd_view_of_a_file),   TEST(zero_page),
    };

    return cmocka_run_group_tests_name("containment", tests, khugepaged_quiet, NULL);
}
