/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel's DAMON made of files, below the seam of base/file-io.h: a sys root in a temporary
 * directory whose files answer to writes as DAMON's do. nr_kdamonds, nr_contexts and the like make
 * directories, bad values are EINVAL, "on" looks at all that was set and starts a kdamond, which is
 * a kernel thread in a proc root of its own, and "update_schemes_stats" has it make a pass.
 *
 * Any write can be made to fail (fake_damon_fail). What no user of DAMON should do (set up a
 * running kdamond, commit, touch kdamonds of others) is counted in violations. One at a time;
 * threads may use it. */
#pragma once

#include "base/file-io.h"
#include "memory/block-ranges.h"

#include <sys/types.h>

typedef enum {
    FAKE_DAMON_NONE,     /* a kernel without it */
    FAKE_DAMON_6_1,      /* no split, no collapse, no filters */
    FAKE_DAMON_6_12,     /* as Debian has it: filters, which can only take memory out */
    FAKE_DAMON_PATCHED,  /* that with kernel/patches */
    FAKE_DAMON_NO_LIMIT, /* that without a limit of snapshots */
    FAKE_DAMON_ALLOW,    /* PATCHED, with filters of 6.14, which have "allow" */
    FAKE_DAMON_CORE,     /* PATCHED, with core_filters and ops_filters */
    FAKE_DAMON_COLLAPSE, /* core_filters and collapse, but no split and no target_order */
} FakeDamonLayout;

/* What a kdamond was turned on with. */
typedef struct {
    guint slot;
    pid_t kdamond;
    pid_t pid;
    char *action;
    guint order;
    GArray *ranges; /* FolioBlockRange */
    guint min_regions, max_regions;
    guint max_snapshots;
    gboolean has_filter; /* that lets in memory of these addresses alone */
    guint64 filter_start, filter_end;
} FakeDamonRun;

typedef struct _FakeDamon FakeDamon;

/* Replaces the calls below the seam, until it is freed. */
FakeDamon *fake_damon_new(FakeDamonLayout layout);
void fake_damon_free(FakeDamon *fake);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakeDamon, fake_damon_free)

/* The calls that it puts below the seam: for whoever has others in front of them. */
const FolioFileCalls *fake_damon_get_calls(void);

const char *fake_damon_sys_root(const FakeDamon *fake);
const char *fake_damon_proc_root(const FakeDamon *fake);

/* Kinds of failures besides errno numbers. */
#define FAKE_DAMON_SHORT (-1) /* less is written than was given, to no effect */
#define FAKE_DAMON_GONE  (-2) /* somebody has taken all kdamonds away just before: ENODEV */

/* The write number nth from now, from 0, fails, once. An errno; SHORT; GONE; 0: none does. */
void fake_damon_fail(FakeDamon *fake, guint nth, int failure);
/* So many writes from now on fail with EBUSY. */
void fake_damon_set_busy(FakeDamon *fake, guint writes);
/* Of any kind, to any file of the tree, since the beginning. */
guint fake_damon_count_writes(const FakeDamon *fake);

/* So many passes from now on leave out the last range of a run. */
void fake_damon_leave_out(FakeDamon *fake, guint passes);
/* Stats have to be asked for so often before a pass is over; 0 is at once. */
void fake_damon_set_slow(FakeDamon *fake, guint updates);
/* Kdamonds end by themselves when they are asked for stats: their process has ended. */
void fake_damon_set_ending(FakeDamon *fake, gboolean ending);
/* The tracepoint says that of the 2 MiB at the address in each pass. word is the kernel's, such as
 * "pinned"; static. */
void fake_damon_say(FakeDamon *fake, guint64 address, const char *word);
/* Called within that command, after it took effect. word is what is written to "state", static. */
void fake_damon_on_command(FakeDamon *fake, const char *word, void (*called)(gpointer user_data),
                           gpointer user_data);

/* Called for each pass of a kdamond, with what it was turned on with: what becomes of the memory is
 * for the test to say. */
void fake_damon_on_pass(FakeDamon *fake,
                        void (*called)(const FakeDamonRun *run, gpointer user_data),
                        gpointer user_data);
/* Kdamonds that are on make the passes that they have not made, though nobody asks for stats. */
void fake_damon_make_passes(FakeDamon *fake);

/* Others: n kdamonds of another program, the first of them on if so said, which nobody may touch
 * from now on; a module that is enabled; a kernel thread, or a program that has its name. */
void fake_damon_add_program(FakeDamon *fake, guint n, gboolean on);
void fake_damon_add_module(FakeDamon *fake, const char *name, gboolean enabled);
void fake_damon_add_thread(FakeDamon *fake, pid_t pid, const char *name, gboolean kernel_thread);
/* The other program gives back all kdamonds. */
void fake_damon_remove_program(FakeDamon *fake);

/* Each time that a kdamond was turned on. */
guint fake_damon_count_runs(const FakeDamon *fake);
const FakeDamonRun *fake_damon_get_run(const FakeDamon *fake, guint index);

guint fake_damon_count_kdamonds(const FakeDamon *fake);
guint fake_damon_count_on(FakeDamon *fake);
/* That have a context. */
guint fake_damon_count_configured(const FakeDamon *fake);
gboolean fake_damon_has_instance(const FakeDamon *fake);
guint fake_damon_count_violations(const FakeDamon *fake);
