/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel's DAMON made of files. */
#include "fake-damon-files.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SLOTS     16
#define ADMIN         "kernel/mm/damon/admin/kdamonds"
#define TRACING       "kernel/tracing"
#define BLOCK_BYTES   (G_GUINT64_CONSTANT(2097152))
#define FIRST_KDAMOND 900001

typedef struct {
    gboolean on;
    gboolean foreign;
    FakeDamonRun *run; /* of the list */
    guint updates;     /* since it was turned on */
    guint passes;
} Slot;

typedef struct {
    guint64 address;
    const char *word;
} Saying;

struct _FakeDamon {
    char *root, *sys_root, *proc_root, *dir;
    GMutex lock;
    guint n_slots;
    Slot slots[MAX_SLOTS];
    GPtrArray *runs;
    GArray *sayings;
    guint writes, violations, busy;
    guint fail_at;
    int failure; /* 0: none */
    guint leave_out, slow;
    gboolean ending;
    const char *watched; /* command; NULL: none */
    void (*called)(gpointer user_data);
    gpointer called_with;
    void (*passed)(const FakeDamonRun *run, gpointer user_data); /* NULL: nobody asks */
    gpointer passed_with;
};

static FakeDamon *the_fake;

/* Kdamonds */

static void
show_kdamond(FakeDamon *fake, guint number, gboolean on, pid_t pid)
{
    g_autofree char *text = g_strdup_printf("%d", on ? pid : -1);

    fake->slots[number].on = on;
    fake_damon_make_file(on ? "on" : "off", "%s/%u/state", fake->dir, number);
    fake_damon_make_file(text, "%s/%u/pid", fake->dir, number);
}

static void
end_kdamond(FakeDamon *fake, guint number)
{
    Slot *slot = &fake->slots[number];

    if (slot->on && slot->run != NULL) {
        g_autofree char *path = g_strdup_printf("%s/%d", fake->proc_root, (int) slot->run->kdamond);

        fake_damon_remove_tree(path);
    }
    show_kdamond(fake, number, FALSE, -1);
}

static int
turn_on(FakeDamon *fake, guint number)
{
    Slot *slot = &fake->slots[number];
    g_autofree char *name = g_strdup_printf("kdamond.%u", number);
    FakeDamonRun *run;

    if (slot->on)
        return EBUSY;
    if (fake_damon_read_number("%s/%u/contexts/nr_contexts", fake->dir, number) != 1)
        return EINVAL;
    run = fake_damon_read_run(fake->dir, number);
    run->kdamond = (pid_t) (FIRST_KDAMOND + fake->runs->len);
    if (!fake_damon_is_run_valid(fake->dir, run)) {
        fake_damon_free_run(run);
        return EINVAL;
    }
    g_ptr_array_add(fake->runs, run);
    slot->run = run;
    slot->updates = slot->passes = 0;
    fake_damon_add_thread(fake, run->kdamond, name, TRUE);
    show_kdamond(fake, number, TRUE, run->kdamond);
    return 0;
}

static void
trace_pass(FakeDamon *fake, const FakeDamonRun *run)
{
    const char *instance = "kernel/tracing/instances/foliod";
    g_autofree char *enabled =
        fake_damon_read("%s/%s/events/damon/damos_result/enable", fake->sys_root, instance);
    g_autofree char *path = g_build_filename(fake->sys_root, instance, "trace", NULL);
    FILE *file = g_str_equal(enabled, "1") ? fopen(path, "a") : NULL;

    for (guint i = 0; file != NULL && i < fake->sayings->len; i++) {
        const Saying *saying = &g_array_index(fake->sayings, Saying, i);

        fprintf(file,
                "       kdamond.%u-%d  [001] .....    12.345678: damos_result: pid=%d action=%s "
                "0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER
                "x order=9 target_order=%u result=%s\n",
                run->slot, (int) run->kdamond, (int) run->pid, run->action, saying->address,
                saying->address + BLOCK_BYTES, run->order, saying->word);
    }
    if (file != NULL)
        fclose(file);
}

/* All regions that the filter lets through are tried. */
static void
make_pass(FakeDamon *fake, guint number)
{
    Slot *slot = &fake->slots[number];
    const FakeDamonRun *run = slot->run;
    g_autofree char *stats = g_strdup_printf("%s/%u/contexts/0/schemes/0/stats", fake->dir, number);
    guint n = run->ranges->len;
    guint64 tried = fake_damon_read_number("%s/nr_tried", stats),
            bytes = fake_damon_read_number("%s/sz_tried", stats);
    g_autofree char *nr_tried = NULL;
    g_autofree char *sz_tried = NULL;
    g_autofree char *snapshots = g_strdup_printf("%u", ++slot->passes);

    if (fake->leave_out > 0) {
        fake->leave_out--;
        n--;
    }
    for (guint i = 0; i < n; i++) {
        const FolioBlockRange *range = &g_array_index(run->ranges, FolioBlockRange, i);
        const guint64 end = range->start + range->bytes;
        const guint64 from = run->has_filter ? MAX(range->start, run->filter_start) : range->start;
        const guint64 to = run->has_filter ? MIN(end, run->filter_end) : end;

        tried++;
        bytes += to > from ? to - from : 0;
    }
    nr_tried = g_strdup_printf("%" G_GUINT64_FORMAT, tried);
    sz_tried = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
    fake_damon_make_file(nr_tried, "%s/nr_tried", stats);
    fake_damon_make_file(sz_tried, "%s/sz_tried", stats);
    if (fake_damon_has_limit())
        fake_damon_make_file(snapshots, "%s/nr_snapshots", stats);
    trace_pass(fake, run);
    if (fake->passed != NULL)
        fake->passed(run, fake->passed_with);
}

static gboolean
is_pass_due(const Slot *slot)
{
    return slot->run->max_snapshots == 0 || slot->passes < slot->run->max_snapshots;
}

static int
update_stats(FakeDamon *fake, guint number)
{
    Slot *slot = &fake->slots[number];

    if (!slot->on)
        return EINVAL;
    if (fake->ending) {
        end_kdamond(fake, number);
        return ECANCELED;
    }
    if (slot->updates++ >= fake->slow && is_pass_due(slot))
        make_pass(fake, number);
    return 0;
}

static int
obey(FakeDamon *fake, guint number, const char *word)
{
    if (g_str_equal(word, "on"))
        return turn_on(fake, number);
    if (g_str_equal(word, "update_schemes_stats"))
        return update_stats(fake, number);
    if (g_str_equal(word, "off")) {
        if (!fake->slots[number].on)
            return EPERM;
        end_kdamond(fake, number);
        return 0;
    }
    if (g_str_equal(word, "commit"))
        fake->violations++;
    return EINVAL;
}

static int
command(FakeDamon *fake, guint number, const char *word)
{
    const int error = obey(fake, number, word);

    if (error == 0 && g_strcmp0(fake->watched, word) == 0)
        fake->called(fake->called_with);
    return error;
}

static int
resize(FakeDamon *fake, const char *text)
{
    g_autofree char *path = g_build_filename(fake->dir, "nr_kdamonds", NULL);
    int error;

    for (guint i = 0; i < fake->n_slots; i++) {
        if (fake->slots[i].foreign)
            fake->violations++;
        if (fake->slots[i].on)
            return EBUSY;
    }
    error = fake_damon_make_numbered(path, text, MAX_SLOTS, fake_damon_make_kdamond);
    if (error != 0)
        return error;
    fake_damon_make_file(text, "%s", path);
    memset(fake->slots, 0, sizeof fake->slots);
    fake->n_slots = (guint) g_ascii_strtoull(text, NULL, 10);
    return 0;
}

static int
store(FakeDamon *fake, const char *path, const char *text)
{
    const char *below = path + strlen(fake->dir) + 1;
    const guint number = (guint) g_ascii_strtoull(below, NULL, 10);

    if (g_str_equal(below, "nr_kdamonds"))
        return resize(fake, text);
    if (fake->slots[number].foreign)
        fake->violations++;
    if (g_str_has_suffix(path, "/state"))
        return command(fake, number, text);
    if (fake->slots[number].on)
        fake->violations++;
    return fake_damon_store(path, text);
}

/* The calls below the seam */

/* Nobody but a test takes them away while one is on. */
static int
take_all_away(FakeDamon *fake)
{
    for (guint i = 0; i < fake->n_slots; i++) {
        if (fake->slots[i].on)
            end_kdamond(fake, i);
    }
    resize(fake, "0");
    return ENODEV;
}

static int
find_failure(FakeDamon *fake)
{
    const guint number = fake->writes++;

    if (fake->busy > 0) {
        fake->busy--;
        return EBUSY;
    }
    if (fake->failure == 0 || number != fake->fail_at)
        return 0;
    return fake->failure == FAKE_DAMON_GONE ? take_all_away(fake) : fake->failure;
}

static ssize_t
write_locked(FakeDamon *fake, const char *path, const char *text, size_t size)
{
    int failure = find_failure(fake);

    if (failure == FAKE_DAMON_SHORT)
        return (ssize_t) size - 1;
    if (failure == 0 && g_str_has_prefix(path, fake->dir))
        failure = store(fake, path, text);
    else if (failure == 0)
        fake_damon_make_file(text, "%s", path);
    errno = failure;
    return failure == 0 ? (ssize_t) size : -1;
}

static ssize_t
fake_write(int fd, const void *buffer, size_t size)
{
    FakeDamon *fake = the_fake;
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *path = g_file_read_link(link, NULL);
    g_autofree char *text = g_strndup(buffer, size);
    ssize_t done;
    int saved_errno;

    if (path == NULL || !g_str_has_prefix(path, fake->sys_root))
        return write(fd, buffer, size);
    g_mutex_lock(&fake->lock);
    done = write_locked(fake, path, text, size);
    saved_errno = errno;
    g_mutex_unlock(&fake->lock);
    errno = saved_errno;
    return done;
}

static int
fake_mkdir(const char *path, mode_t mode)
{
    if (!strstr(path, "/instances/"))
        return mkdir(path, mode);
    if (mkdir(path, mode) != 0)
        return -1;
    fake_damon_make_file("1408", "%s/buffer_size_kb", path);
    fake_damon_make_file("", "%s/trace", path);
    fake_damon_make_file("0", "%s/events/damon/damos_result/enable", path);
    return 0;
}

static int
fake_rmdir(const char *path)
{
    if (!strstr(path, "/instances/"))
        return rmdir(path);
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        errno = ENOENT;
        return -1;
    }
    fake_damon_remove_tree(path);
    return 0;
}

static const FolioFileCalls calls = {
    .write = fake_write,
    .mkdir = fake_mkdir,
    .rmdir = fake_rmdir,
};

FakeDamon *
fake_damon_new(FakeDamonLayout layout)
{
    FakeDamon *fake = g_new0(FakeDamon, 1);
    g_autofree char *instances = NULL;

    fake_damon_set_layout(layout);
    /* In memory, where there is such a place: a run is a hundred files. */
    fake->root = g_mkdtemp(g_strdup("/dev/shm/foliod-damon.XXXXXX"));
    if (fake->root == NULL)
        fake->root = g_dir_make_tmp("foliod-damon.XXXXXX", NULL);
    fake_damon_must(fake->root != NULL, "temporary directory");
    fake->sys_root = g_build_filename(fake->root, "sys", NULL);
    fake->proc_root = g_build_filename(fake->root, "proc", NULL);
    fake->dir = g_build_filename(fake->sys_root, ADMIN, NULL);
    fake->runs = g_ptr_array_new_with_free_func(fake_damon_free_run);
    fake->sayings = g_array_new(FALSE, FALSE, sizeof(Saying));
    g_mutex_init(&fake->lock);
    instances = g_build_filename(fake->sys_root, TRACING, "instances", NULL);
    fake_damon_must(g_mkdir_with_parents(instances, 0700) == 0, instances);
    fake_damon_must(g_mkdir_with_parents(fake->proc_root, 0700) == 0, fake->proc_root);
    if (layout != FAKE_DAMON_NONE)
        fake_damon_make_file("0", "%s/nr_kdamonds", fake->dir);
    if (fake_damon_is_patched())
        fake_damon_make_file("0", "%s/" TRACING "/events/damon/damos_result/enable",
                             fake->sys_root);
    the_fake = fake;
    folio_file_set_calls(&calls);
    return fake;
}

void
fake_damon_free(FakeDamon *fake)
{
    folio_file_set_calls(NULL);
    the_fake = NULL;
    fake_damon_remove_tree(fake->root);
    g_free(fake->root);
    g_free(fake->sys_root);
    g_free(fake->proc_root);
    g_free(fake->dir);
    g_ptr_array_unref(fake->runs);
    g_array_unref(fake->sayings);
    g_mutex_clear(&fake->lock);
    g_free(fake);
}

const FolioFileCalls *
fake_damon_get_calls(void)
{
    return &calls;
}

const char *
fake_damon_sys_root(const FakeDamon *fake)
{
    return fake->sys_root;
}

const char *
fake_damon_proc_root(const FakeDamon *fake)
{
    return fake->proc_root;
}

void
fake_damon_fail(FakeDamon *fake, guint nth, int failure)
{
    fake->fail_at = fake->writes + nth;
    fake->failure = failure;
}

void
fake_damon_set_busy(FakeDamon *fake, guint writes)
{
    fake->busy = writes;
}

guint
fake_damon_count_writes(const FakeDamon *fake)
{
    return fake->writes;
}

void
fake_damon_leave_out(FakeDamon *fake, guint passes)
{
    fake->leave_out = passes;
}

void
fake_damon_set_slow(FakeDamon *fake, guint updates)
{
    fake->slow = updates;
}

void
fake_damon_set_ending(FakeDamon *fake, gboolean ending)
{
    fake->ending = ending;
}

void
fake_damon_say(FakeDamon *fake, guint64 address, const char *word)
{
    const Saying saying = { address, word };

    g_array_append_val(fake->sayings, saying);
}

void
fake_damon_on_command(FakeDamon *fake, const char *word, void (*called)(gpointer user_data),
                      gpointer user_data)
{
    fake->watched = word;
    fake->called = called;
    fake->called_with = user_data;
}

void
fake_damon_on_pass(FakeDamon *fake, void (*called)(const FakeDamonRun *run, gpointer user_data),
                   gpointer user_data)
{
    fake->passed = called;
    fake->passed_with = user_data;
}

void
fake_damon_make_passes(FakeDamon *fake)
{
    for (guint i = 0; i < fake->n_slots; i++) {
        const Slot *slot = &fake->slots[i];

        if (slot->on && slot->run != NULL && is_pass_due(slot))
            make_pass(fake, i);
    }
}

void
fake_damon_add_program(FakeDamon *fake, guint n, gboolean on)
{
    g_autofree char *text = g_strdup_printf("%u", n);

    fake_damon_must(resize(fake, text) == 0, "nr_kdamonds");
    if (on)
        show_kdamond(fake, 0, TRUE, FIRST_KDAMOND - 1);
    for (guint i = 0; i < n; i++)
        fake->slots[i].foreign = TRUE;
}

void
fake_damon_remove_program(FakeDamon *fake)
{
    memset(fake->slots, 0, sizeof fake->slots);
    take_all_away(fake);
}

void
fake_damon_add_module(FakeDamon *fake, const char *name, gboolean enabled)
{
    fake_damon_make_file(enabled ? "Y" : "N", "%s/module/%s/parameters/enabled", fake->sys_root,
                         name);
}

void
fake_damon_add_thread(FakeDamon *fake, pid_t pid, const char *name, gboolean kernel_thread)
{
    /* PF_KTHREAD, PF_NOFREEZE, PF_NO_SETAFFINITY and the like; PF_RANDOMIZE and the like. */
    g_autofree char *stat =
        g_strdup_printf("%d (%s) S 2 0 0 0 -1 %u 0 0 0 0 0 1 0 0 20 0 1 0 4711 0 0", (int) pid,
                        name, kernel_thread ? 2129984u : 4194304u);

    fake_damon_make_file(stat, "%s/%d/stat", fake->proc_root, (int) pid);
}

guint
fake_damon_count_runs(const FakeDamon *fake)
{
    return fake->runs->len;
}

const FakeDamonRun *
fake_damon_get_run(const FakeDamon *fake, guint index)
{
    return fake->runs->pdata[index];
}

guint
fake_damon_count_kdamonds(const FakeDamon *fake)
{
    return fake->n_slots;
}

guint
fake_damon_count_on(FakeDamon *fake)
{
    guint n = 0;

    g_mutex_lock(&fake->lock);
    for (guint i = 0; i < fake->n_slots; i++)
        n += fake->slots[i].on ? 1 : 0;
    g_mutex_unlock(&fake->lock);
    return n;
}

guint
fake_damon_count_configured(const FakeDamon *fake)
{
    guint n = 0;

    for (guint i = 0; i < fake->n_slots; i++)
        n += fake_damon_read_number("%s/%u/contexts/nr_contexts", fake->dir, i) > 0 ? 1 : 0;
    return n;
}

gboolean
fake_damon_has_instance(const FakeDamon *fake)
{
    g_autofree char *path = g_build_filename(fake->sys_root, TRACING, "instances/foliod", NULL);

    return g_file_test(path, G_FILE_TEST_IS_DIR);
}

guint
fake_damon_count_violations(const FakeDamon *fake)
{
    return fake->violations;
}
