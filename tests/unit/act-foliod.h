/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process that plays foliod, and hands its writes to sysfs over a socket to the one that plays
 * the kernel. */
#pragma once

#include "act-whole.h"

#include <sys/socket.h>

/* What foliod says: the first three wait for an answer. */
typedef enum { SAY_WRITE, SAY_MKDIR, SAY_RMDIR, SAY_BEGIN, SAY_END } Word;

typedef struct {
    Word word;
    char path[256], text[128]; /* of writes; the error of an end */
    FolioActKind kind;         /* of what begins */
    guint first, n;
    FolioActOutcome outcome;
    FolioLedgerCounters counters;
} Message;

typedef struct {
    gssize result;
    int error;
} Answer;

static struct {
    int fd;
    GMutex lock;
    const char *sys_root;
} kernel;

static inline void
say(const Message *message)
{
    if (send(kernel.fd, message, sizeof *message, MSG_NOSIGNAL) != sizeof *message)
        _exit(3);
}

static inline gssize
ask(Word word, const char *path, const char *text, gsize size)
{
    Message message = { .word = word };
    Answer answer;

    assert_true(strlen(path) < sizeof message.path && size < sizeof message.text);
    g_strlcpy(message.path, path, sizeof message.path);
    memcpy(message.text, text, size);
    g_mutex_lock(&kernel.lock);
    say(&message);
    if (recv(kernel.fd, &answer, sizeof answer, 0) != sizeof answer)
        _exit(3);
    g_mutex_unlock(&kernel.lock);
    errno = answer.error;
    return answer.result;
}

static inline ssize_t
asking_write(int fd, const void *buffer, size_t size)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *path = g_file_read_link(link, NULL);

    if (path == NULL || !g_str_has_prefix(path, kernel.sys_root))
        return write(fd, buffer, size);
    return ask(SAY_WRITE, path, buffer, size);
}

static inline int
asking_mkdir(const char *path, mode_t mode)
{
    if (!g_str_has_prefix(path, kernel.sys_root))
        return mkdir(path, mode);
    return (int) ask(SAY_MKDIR, path, "", 0);
}

static inline int
asking_rmdir(const char *path)
{
    return (int) ask(SAY_RMDIR, path, "", 0);
}

static inline gboolean
do_job(Foliod *foliod, FolioActKind kind, guint first, guint n)
{
    Message message = { .word = SAY_BEGIN, .kind = kind, .first = first, .n = n };

    say(&message);
    foliod_act(foliod, kind, first, n);
    message.word = SAY_END;
    message.outcome = foliod->outcome;
    message.counters = folio_ledger_count(foliod->guest);
    g_strlcpy(message.text, foliod->error, sizeof message.text);
    say(&message);
    return foliod->outcome == FOLIO_ACT_DONE;
}

/* A split, and others as the seed has it, until one fails. */
static inline void
do_jobs(Foliod *foliod, guint seed, guint max_jobs)
{
    static const FolioActKind kinds[] = { FOLIO_ACT_SPLIT, FOLIO_ACT_SPLIT, FOLIO_ACT_COLLAPSE,
                                          FOLIO_ACT_RESTORE };
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    for (guint i = 0; i < max_jobs; i++) {
        const guint first = (guint) g_rand_int_range(rand, 0, WHOLE_BLOCKS);
        const guint n = (guint) g_rand_int_range(rand, 1, (gint) (WHOLE_BLOCKS - first) + 1);

        const guint kind = i == 0 ? 0 : (guint) g_rand_int_range(rand, 0, G_N_ELEMENTS(kinds));

        if (!do_job(foliod, kinds[kind], first, n))
            return;
    }
}

/* What a foliod is started for. */
typedef struct {
    guint seed, max_jobs;
    gboolean restores; /* instead, as folioctl restore does */
} Task;

static inline void G_GNUC_NORETURN
play_foliod(Whole *whole, const Task *task, int fd)
{
    static const FolioFileCalls calls = {
        .write = asking_write, .mkdir = asking_mkdir, .rmdir = asking_rmdir, .getlk = fake_getlk
    };
    Foliod foliod;

    kernel.fd = fd;
    kernel.sys_root = fake_damon_sys_root(whole->fake);
    folio_file_set_calls(&calls);
    foliod_start(&foliod, whole);
    if (task->restores)
        do_job(&foliod, FOLIO_ACT_RESTORE, 0, WHOLE_BLOCKS);
    else
        do_jobs(&foliod, task->seed, task->max_jobs);
    if (!folio_process_is_alive(whole->child->process))
        folio_ledger_forget_gone(foliod.context.ledger, whole->child->host->proc_root);
    foliod_stop(&foliod);
    _exit(0);
}
