/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hostile input to each sysfs file that the patches add: an error, and nothing is changed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../common/mapping.h"
#include "../common/system.h"
#include "../common/test.h"

#define SCHEME_DIR "/sys/kernel/mm/damon/admin/kdamonds/0/" DAMON_SCHEME
#define BACKOFF    THP_DIR "khugepaged/split_backoff_millisecs"
#define INPUT_SIZE 4096 /* more than a sysfs file can take is cut off there */

/* What is no number, whatever the type behind the file is. */
static const char *const no_numbers[] = {
    "",  "\n",  " ",     "-1",  "-9",  "--1", "1 2", "3x", "0x",
    "x", "max", "split", "nan", "1e3", "1.5", "%d",  "+",  "4,",
};

/* Numbers that do not fit into 64 bits. */
static const char *const too_large[] = {
    "18446744073709551616",
    "99999999999999999999999999",
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

struct file {
    const char *path;
    const char *const *also; /* numbers that are too large or make no sense here */
    size_t n_also;
    const char *good; /* not the default */
};

static const char *const no_orders[] = { "11",         "64",         "255",
                                         "256",        "2147483648", "4294967295",
                                         "4294967296", "4294967305", "18446744073709551615" };
static const char *const no_millisecs[] = { "2147483648", "4294967296", "4294967297",
                                            "18446744073709551615" };

static const struct file target_order = { SCHEME_DIR "target_order", no_orders, N(no_orders), "4" };
static const struct file max_snapshots = { SCHEME_DIR "stats/max_nr_snapshots", NULL, 0, "7" };
static const struct file backoff = { BACKOFF, no_millisecs, N(no_millisecs), "1234" };

static int
write_bytes(const char *path, const char *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), error = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, bytes, size) < 0)
        error = -errno;
    close(fd);
    return error;
}

static void
assert_reads(const char *path, const char *expected)
{
    char buf[64];

    assert_true(file_read(path, buf, sizeof(buf)) >= 0);
    assert_string_equal(buf, expected);
}

static void
assert_refuses(const struct file *file, const char *text, size_t size)
{
    int error = write_bytes(file->path, text, size);

    /* write() of no bytes does not reach the file. */
    if (size && error != -EINVAL && error != -ERANGE)
        fail_msg("%s: '%.40s' gives %d", file->path, text, error);
    assert_reads(file->path, file->good);
}

static void
hostile(const struct file *file)
{
    char input[INPUT_SIZE];

    assert_int_equal(file_write(file->path, file->good), 0);
    assert_reads(file->path, file->good);
    for (size_t i = 0; i < N(no_numbers); i++)
        assert_refuses(file, no_numbers[i], strlen(no_numbers[i]));
    for (size_t i = 0; i < N(too_large); i++)
        assert_refuses(file, too_large[i], strlen(too_large[i]));
    for (size_t i = 0; i < file->n_also; i++)
        assert_refuses(file, file->also[i], strlen(file->also[i]));
    memset(input, '9', sizeof(input));
    assert_refuses(file, input, sizeof(input));
    memset(input, 0, sizeof(input));
    assert_refuses(file, input, 1);
    assert_refuses(file, input, sizeof(input));
    memset(input, 0xff, sizeof(input));
    assert_refuses(file, input, sizeof(input));
    assert_int_equal(file_write(file->path, file->good), 0);
}

/* A scheme to write to; the range does not matter. */
static struct damon_job
configure(struct damon_range *range, uintptr_t start)
{
    struct damon_job job = { .action = "split", .ranges = range, .n_ranges = 1 };

    *range = (struct damon_range){ start, start + BLOCK_BYTES };
    assert_int_equal(damon_configure(&job), 0);
    return job;
}

static void
file_target_order(void **state)
{
    struct damon_range range;

    configure(&range, BLOCK_BYTES);
    assert_reads(target_order.path, "0");
    hostile(&target_order);
}

static void
file_max_nr_snapshots(void **state)
{
    struct damon_range range;

    configure(&range, BLOCK_BYTES);
    assert_reads(max_snapshots.path, "0");
    hostile(&max_snapshots);
}

static void
file_nr_snapshots_cannot_be_written(void **state)
{
    struct damon_range range;

    configure(&range, BLOCK_BYTES);
    assert_reads(SCHEME_DIR "stats/nr_snapshots", "0");
    /* Root may open it, but there is nothing behind it that takes the bytes. */
    assert_true(file_write(SCHEME_DIR "stats/nr_snapshots", "1") < 0);
    assert_reads(SCHEME_DIR "stats/nr_snapshots", "0");
}

static void
file_split_backoff(void **state)
{
    assert_reads(BACKOFF, "0");
    setting(BACKOFF, backoff.good);
    hostile(&backoff);
    settings_restore();
    assert_reads(BACKOFF, "0");
}

/* Words that are nearly the names of the actions. */
static void
file_action(void **state)
{
    static const char *const wrong[] = { "Split",     "spli",      "splits", "split collapse",
                                         "collapse_", "16",        "SPLIT",  "split\nstat",
                                         "-split",    "mthp_split" };
    struct damon_range range;

    configure(&range, BLOCK_BYTES);
    for (size_t i = 0; i < N(wrong); i++) {
        assert_int_equal(file_write(SCHEME_DIR "action", wrong[i]), -EINVAL);
        assert_reads(SCHEME_DIR "action", "split");
    }
    assert_int_equal(file_write(SCHEME_DIR "action", "collapse\n"), 0);
    assert_reads(SCHEME_DIR "action", "collapse");
}

/* The files of a running kdamond are no different, and it does not mind. */
static void
while_it_runs(void **state)
{
    struct mapping map = mapping_anon(1, STEP_SPARSE);
    struct damon_range range;
    pid_t pid;

    configure(&range, mapping_block(&map, 0));
    assert_int_equal(file_write(SCHEME_DIR "action", "stat"), 0);
    assert_int_equal(damon_state(0, "on"), 0);
    pid = damon_pid(0);
    hostile(&target_order);
    hostile(&max_snapshots);
    assert_int_equal(damon_pid(0), pid);
    mapping_free(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file_target_order),
        TEST(file_max_nr_snapshots),
        TEST(file_nr_snapshots_cannot_be_written),
        TEST(file_split_backoff),
        TEST(file_action),
        TEST(while_it_runs),
    };

    return cmocka_run_group_tests_name("input", tests, khugepaged_quiet, NULL);
}
