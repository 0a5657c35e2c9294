/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a block of a mapping must look like after a run. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "frames.h"
#include "test.h"
#include "trace.h"

/* A split moves nothing, and what looks at it must not change it: so the order is read twice,
 * before the pages are faulted in and after. */
void
check_split(const struct mapping *map, size_t block, int order)
{
    assert_int_equal(frames_order(map, block), order);
    assert_int_equal(frames_moved(map, block), 0);
    assert_int_equal(mapping_wrong_block(map, block), 0);
    assert_int_equal(frames_order(map, block), order);
}

void
check_collapsed(const struct mapping *map, size_t block)
{
    const void *addr = (const void *) mapping_block(map, block);

    assert_int_equal(folio_order_now(addr), PMD_ORDER);
    assert_true(mapped_by_pmd(addr));
    assert_int_equal(frames_moved(map, block), BLOCK_PAGES);
    assert_int_equal(mapping_wrong_block(map, block), 0);
}

void
check_untouched(const struct mapping *map, size_t first, size_t last)
{
    assert_int_equal(frames_not_whole(map, first, last), 0);
    for (size_t block = first; block < last; block++) {
        assert_true(mapped_by_pmd((const void *) mapping_block(map, block)));
        assert_int_equal(frames_moved(map, block), 0);
        assert_int_equal(mapping_wrong_block(map, block), 0);
    }
}

void
check_run(const char *action, int order, uintptr_t start, uintptr_t end, size_t applied,
          const char *result)
{
    struct trace *trace = trace_start("damon:" RESULT_EVENT, NULL);
    struct damon_stats stats = damon_act_range(action, order, start, end - start);
    char *lines = trace_stop(trace), by[32], with[32];

    snprintf(by, sizeof(by), "action=%s ", action);
    snprintf(with, sizeof(with), "result=%s", result ? result : "");
    if (stats.sz_applied != applied)
        fail_msg("%s: %lu bytes applied, not %zu:\n%s", action, stats.sz_applied, applied, lines);
    if (result && !trace_count(lines, by, with, NULL))
        fail_msg("%s: no part was %s:\n%s", action, result, lines);
    free(lines);
}
