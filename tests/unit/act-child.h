/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child process that plays QEMU: its RAM is a file on a tmpfs, and it touches that when told. */
#pragma once

#include "fake-proc.h"
#include "private-tmpfs.h"

#include "act/act-run.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

typedef struct {
    FakeHost *host;
    FolioProcess *process;
    pid_t pid;
    char *ram; /* where it is in the child; no memory of ours */
    guint n_blocks;
    int file_fd;
    int orders, replies; /* pipes */
} ActChild;

enum {
    CHILD_WRITE,    /* every page of the block */
    CHILD_WRITE_5,  /* its first five pages */
    CHILD_BY_PAGES, /* writes it, has its PMD split, and touches every page again */
    CHILD_FORGET,   /* out of its page tables */
    CHILD_DISABLE,  /* no huge pages for this process, whatever block */
    CHILD_ENABLE,   /* as before */
    CHILD_SUM,      /* reads every page; the reply says whether each holds what was written */
};

typedef struct {
    int what;
    guint block;
} ChildOrder;

static inline void
child_write(char *block, guint n_pages)
{
    for (guint i = 0; i < n_pages; i++)
        *(guint *) (gpointer) (block + i * PAGE) = i + 1;
}

static inline char
child_sum(const char *block)
{
    gboolean right = TRUE;

    for (guint i = 0; i < BLOCK / PAGE; i++)
        right &= *(const volatile guint *) (gconstpointer) (block + i * PAGE) == i + 1;
    return right ? 1 : 2;
}

static inline char
child_obey(char *block, int what)
{
    switch (what) {
    case CHILD_WRITE:
        child_write(block, BLOCK / PAGE);
        return 1;
    case CHILD_WRITE_5:
        child_write(block, 5);
        return 1;
    case CHILD_BY_PAGES:
        child_write(block, BLOCK / PAGE);
        /* While no VMA has all of it, no PMD can map it. */
        if (mprotect(block + 7 * PAGE, PAGE, PROT_READ) != 0 || child_sum(block) != 1)
            return 2;
        return mprotect(block + 7 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0 ? 1 : 2;
    case CHILD_FORGET:
        return madvise(block, BLOCK, MADV_DONTNEED) == 0 ? 1 : 2;
    case CHILD_ENABLE:
    case CHILD_DISABLE:
        return prctl(PR_SET_THP_DISABLE, what == CHILD_DISABLE, 0, 0, 0) == 0 ? 1 : 2;
    default:
        return child_sum(block);
    }
}

static inline void
child_main(const ActChild *child, int orders, int replies)
{
    ChildOrder order;

    if (mmap(child->ram, child->n_blocks * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             child->file_fd, 0) != child->ram)
        _exit(1);
    while (read(orders, &order, sizeof order) == sizeof order) {
        const char reply = child_obey(child->ram + order.block * BLOCK, order.what);

        if (write(replies, &reply, 1) != 1)
            _exit(1);
    }
    _exit(0);
}

/* TRUE when the child did it and all was right. */
static inline gboolean
act_child_tell(ActChild *child, int what, guint block)
{
    const ChildOrder order = { what, block };
    char reply = 0;

    assert_int_equal(write(child->orders, &order, sizeof order), sizeof order);
    assert_int_equal(read(child->replies, &reply, 1), 1);
    return reply == 1;
}

static inline void
act_child_link(const ActChild *child, const char *name)
{
    g_autofree char *target = g_strdup_printf("/proc/%d/%s", child->pid, name);

    fake_proc_link(child->host, name, target);
}

/* dir is on a tmpfs. */
static inline ActChild *
act_child_new(const char *dir, guint n_blocks)
{
    ActChild *child = g_new0(ActChild, 1);
    g_autofree char *path = g_build_filename(dir, "ram", NULL);
    int orders[2], replies[2];

    child->n_blocks = n_blocks;
    child->file_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(child->file_fd >= 0);
    assert_int_equal(ftruncate(child->file_fd, (off_t) (n_blocks * BLOCK)), 0);
    child->ram = reserve(n_blocks * BLOCK);
    assert_true(pipe2(orders, O_CLOEXEC) == 0 && pipe2(replies, O_CLOEXEC) == 0);
    child->pid = fork();
    if (child->pid == 0) {
        close(orders[1]);
        child_main(child, orders[0], replies[1]);
    }
    close(orders[0]);
    close(replies[1]);
    child->orders = orders[1];
    child->replies = replies[0];
    child->host = fake_host_new(child->pid);
    act_child_link(child, "stat");
    act_child_link(child, "pagemap");
    act_child_link(child, "maps");
    act_child_link(child, "map_files");
    child->process = fake_locate(child->host, 0, &(FolioReason){ 0 }, NULL);
    assert_non_null(child->process);
    return child;
}

static inline void
act_child_free(ActChild *child)
{
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    folio_process_unref(child->process);
    fake_host_free(child->host);
    munmap(child->ram, child->n_blocks * BLOCK);
    close(child->file_fd);
    close(child->orders);
    close(child->replies);
    g_free(child);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ActChild, act_child_free)

/* A request of its blocks first to first + n - 1; free with folio_act_request_free. */
static inline FolioActRequest *
act_child_request(const ActChild *child, FolioActKind kind, guint order, guint first, guint n)
{
    const FolioBlockRange range = { (gsize) child->ram + first * BLOCK, n * BLOCK };
    FolioActRequest *request = g_new0(FolioActRequest, 1);

    request->kind = kind;
    request->order = order;
    request->process = folio_process_ref(child->process);
    request->ranges = g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));
    g_array_append_val(request->ranges, range);
    request->uuid = g_strdup(FAKE_UUID);
    request->name = g_strdup(FAKE_NAME);
    request->by = g_strdup("test");
    return request;
}

/* Its RAM as foliod has found it. */
static inline FolioGuestRam *
act_child_ram(const ActChild *child)
{
    FolioRamBlock block = {
        .id = (char *) "ram",
        .hva = (gsize) child->ram,
        .bytes = child->n_blocks * BLOCK,
        .inode = 7,
        .shared = TRUE,
    };
    g_autoptr(GPtrArray) blocks = g_ptr_array_new();
    const FolioGuestRam ram = { .blocks = blocks, .bytes = block.bytes };

    g_ptr_array_add(blocks, &block);
    return folio_guest_ram_copy(&ram);
}
