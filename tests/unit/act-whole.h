/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All of acting together: the real actuator, way "damon", ledger and keeper, on real memory of a
 * child that plays QEMU. What is made up is below them: the kernel's DAMON is a tree of files
 * (fake-damon.h), whose passes split blocks by punching holes and collapse them by MADV_COLLAPSE,
 * so that what really became of a block is known without asking foliod; the process's THP setting
 * is a file, which a shell script in the place of foliod-inject changes. */
#pragma once

#include "act-child.h"
#include "fake-damon-files.h"

#include "act/damon.h"

#include <linux/falloc.h>
#include <sys/syscall.h>

#define WHOLE_BLOCKS 12u
#define WHOLE_HOLD   "kernel/mm/transparent_hugepage/khugepaged/split_backoff_millisecs"

typedef struct {
    char *dir, *run; /* of the child's RAM; foliod's run directory */
    char *program;   /* in the place of foliod-inject */
    FakeDamon *fake;
    ActChild *child;
    gboolean split[WHOLE_BLOCKS]; /* as they really are */
} Whole;

/* The kernel's part */

/* Every second page goes, so that what is left is single pages. */
static inline void
whole_split(Whole *whole, guint block)
{
    const off_t start = (off_t) (block * BLOCK);

    for (off_t at = start; at < start + (off_t) BLOCK && !whole->split[block];
         at += 2 * (off_t) PAGE)
        assert_int_equal(fallocate(whole->child->file_fd,
                                   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t) PAGE),
                         0);
    whole->split[block] = TRUE;
}

/* The kernel answers EAGAIN while somebody holds a page, which soon ends here. */
static inline void
whole_collapse(Whole *whole, guint block)
{
    const struct iovec range = { whole->child->ram + block * BLOCK, BLOCK };
    const int pidfd = folio_process_get_pidfd(whole->child->process);
    gssize done = -1;

    for (guint i = 0; i < 1000 && done < 0; i++) {
        done = syscall(SYS_process_madvise, pidfd, &range, 1, 25 /* MADV_COLLAPSE */, 0);
        if (done < 0 && errno == ESRCH)
            return; /* the process has ended */
        if (done < 0)
            g_usleep(1000);
    }
    if (done < 0)
        fail_msg("MADV_COLLAPSE: %s", g_strerror(errno));
    whole->split[block] = FALSE;
}

static inline void
whole_pass(const FakeDamonRun *run, gpointer user_data)
{
    Whole *whole = user_data;

    for (guint i = 0; i < run->ranges->len; i++) {
        const FolioBlockRange *range = &g_array_index(run->ranges, FolioBlockRange, i);
        const guint first = (guint) ((range->start - (gsize) whole->child->ram) / BLOCK);

        assert_true(first + range->bytes / BLOCK <= WHOLE_BLOCKS);
        for (guint j = first; j < first + range->bytes / BLOCK; j++) {
            if (g_str_equal(run->action, "split"))
                whole_split(whole, j);
            else
                whole_collapse(whole, j);
        }
    }
}

/* The script writes the whole file or none of it, whenever it is killed. */
static inline void
whole_write_program(Whole *whole)
{
    g_autofree char *script =
        g_strdup_printf("#!/bin/sh\n"
                        "case $3 in usual) e=1 k=1 ;; no-khugepaged) e=1 k=0 ;; *) exit 2 ;; esac\n"
                        "status=%s/$1/status\n"
                        "printf 'Name:\\tq\\nTHP_enabled:\\t%%s\\nTHP_khugepaged:\\t%%s\\n' $e $k "
                        ">$status.new &&\n"
                        "mv $status.new $status && echo done stop_usec=1 attempts=1\n",
                        whole->child->host->proc_root);

    fake_write(whole->program, script, -1);
    assert_int_equal(chmod(whole->program, 0700), 0);
}

/* A guest, all of whose memory is huge. */
static inline void
whole_start_guest(Whole *whole)
{
    whole->child = act_child_new(whole->dir, WHOLE_BLOCKS);
    for (guint i = 0; i < WHOLE_BLOCKS; i++)
        assert_true(act_child_tell(whole->child, CHILD_WRITE, i));
    assert_int_equal(pmd_mapped_of(whole->child->pid), WHOLE_BLOCKS * BLOCK);
    memset(whole->split, 0, sizeof whole->split);
    fake_proc_write(whole->child->host, "status", "Name:\tq\nTHP_enabled:\t1\nTHP_khugepaged:\t1\n",
                    -1);
    whole_write_program(whole);
    /* act_child_new has put others in their place. */
    folio_file_set_calls(fake_damon_get_calls());
    fake_damon_set_ending(whole->fake, FALSE);
}

/* Its zombie is reaped by whole_end_guest. */
static inline void
whole_kill_guest(Whole *whole)
{
    g_autofree char *status =
        g_strdup_printf("%s/%d/status", whole->child->host->proc_root, whole->child->pid);
    siginfo_t info;

    fake_damon_set_ending(whole->fake, TRUE);
    assert_int_equal(kill(whole->child->pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t) whole->child->pid, &info, WEXITED | WNOWAIT), 0);
    g_unlink(status);
}

static inline void
whole_end_guest(Whole *whole)
{
    g_clear_pointer(&whole->child, act_child_free);
}

static inline Whole *
whole_new(void)
{
    Whole *whole = g_new0(Whole, 1);

    whole->dir = mount_tmpfs("huge=always");
    whole->run = mount_tmpfs("mode=700");
    whole->program = g_build_filename(whole->run, "inject", NULL);
    whole->fake = fake_damon_new(FAKE_DAMON_CORE);
    fake_damon_on_pass(whole->fake, whole_pass, whole);
    fake_damon_make_file("[always] madvise never", "%s/kernel/mm/transparent_hugepage/enabled",
                         fake_damon_sys_root(whole->fake));
    fake_damon_make_file("0", "%s/" WHOLE_HOLD, fake_damon_sys_root(whole->fake));
    whole_start_guest(whole);
    return whole;
}

static inline void
whole_free(Whole *whole)
{
    whole_end_guest(whole);
    fake_damon_free(whole->fake);
    unmount_tmpfs(whole->dir);
    unmount_tmpfs(whole->run);
    g_free(whole->program);
    g_free(whole);
}

/* foliod's part */

typedef struct {
    Whole *whole;
    FolioActContext context;
    FolioActuator *actuator;
    FolioLedgerGuest *guest;
    gboolean ended; /* what was asked for last, and how */
    FolioActOutcome outcome;
    FolioActReport report;
    char error[256];
} Foliod;

static inline void
foliod_start(Foliod *foliod, Whole *whole)
{
    const char *sys_root = fake_damon_sys_root(whole->fake);
    const char *proc_root = fake_damon_proc_root(whole->fake);
    FolioLedger *ledger = folio_ledger_open(whole->run);

    *foliod = (Foliod){ .whole = whole };
    folio_ledger_forget_gone(ledger, whole->child->host->proc_root);
    foliod->context = (FolioActContext){
        .proc_root = "/proc",
        .ledger = ledger,
        .khugepaged = folio_khugepaged_new(sys_root, whole->program, ledger),
    };
    foliod->actuator =
        folio_way_actuator_new(folio_damon_way_new(sys_root, proc_root, ledger), &foliod->context);
    foliod->guest = folio_ledger_get_guest(ledger, FAKE_UUID, whole->child->process);
}

/* Also what of it may fail, and is tried again by the next one. */
static inline void
foliod_stop(Foliod *foliod)
{
    folio_way_actuator_close(foliod->actuator);
    folio_khugepaged_release_hold(foliod->context.khugepaged, NULL);
    folio_ledger_guest_unref(foliod->guest);
    foliod->actuator->klass->free(foliod->actuator);
    folio_khugepaged_free(foliod->context.khugepaged);
    folio_ledger_free(foliod->context.ledger);
}

static inline void
foliod_on_progress(guint64 done, guint64 total, gpointer user_data)
{
    assert_true(done <= total);
}

static inline void
foliod_on_ended(FolioActOutcome outcome, const FolioActReport *report, const char *error,
                gpointer user_data)
{
    Foliod *foliod = user_data;

    foliod->outcome = outcome;
    foliod->report = *report;
    g_strlcpy(foliod->error, error, sizeof foliod->error);
    foliod->ended = TRUE;
}

static inline void
foliod_act(Foliod *foliod, FolioActKind kind, guint first, guint n)
{
    static const FolioActEvents events = { .progress = foliod_on_progress,
                                           .ended = foliod_on_ended };
    const ActChild *child = foliod->whole->child;
    g_autoptr(FolioActRequest) request =
        act_child_request(child, kind, kind == FOLIO_ACT_SPLIT ? 0 : FOLIO_ORDER_HUGE, first, n);
    g_autoptr(GError) error = NULL;

    request->ram = act_child_ram(child);
    request->khugepaged = FOLIO_KHUGEPAGED_AUTO;
    request->may_inject = TRUE;
    foliod->ended = FALSE;
    assert_non_null(
        foliod->actuator->klass->start(foliod->actuator, request, &events, foliod, &error));
    while (!foliod->ended)
        g_main_context_iteration(NULL, TRUE);
}

/* What is to be seen afterwards */

/* Which blocks the ledger that is in the run directory says are, or may be, split. */
static inline void
whole_read_ledger(Whole *whole, gboolean found[WHOLE_BLOCKS], FolioLedgerCounters *counters)
{
    g_autofree char *aside = g_build_filename(whole->run, "ledger", FAKE_UUID ".damaged", NULL);
    g_autofree char *host_aside = g_build_filename(whole->run, "ledger", "host.damaged", NULL);
    g_autoptr(FolioLedger) ledger = folio_ledger_open(whole->run);
    g_autoptr(FolioLedgerGuest) guest =
        folio_ledger_get_guest(ledger, FAKE_UUID, whole->child->process);
    g_autoptr(FolioGuestRam) ram = act_child_ram(whole->child);
    g_autoptr(GArray) split = folio_ledger_get_split(guest, ram);

    assert_false(g_file_test(aside, G_FILE_TEST_EXISTS));
    assert_false(g_file_test(host_aside, G_FILE_TEST_EXISTS));
    memset(found, 0, WHOLE_BLOCKS * sizeof *found);
    for (guint i = 0; i < split->len; i++) {
        const FolioBlockRange *range = &g_array_index(split, FolioBlockRange, i);
        const guint first = (guint) ((range->start - (gsize) whole->child->ram) / BLOCK);

        for (guint j = first; j < first + range->bytes / BLOCK; j++)
            found[j] = TRUE;
    }
    *counters = folio_ledger_count(guest);
}

/* Of the host, nothing is left set. */
static inline void
whole_assert_host_clean(Whole *whole)
{
    static const char *const knobs[] = { "kernel/mm/damon/admin/kdamonds/nr_kdamonds", WHOLE_HOLD };
    const char *sys_root = fake_damon_sys_root(whole->fake);
    g_autoptr(FolioLedger) ledger = folio_ledger_open(whole->run);

    assert_int_equal(fake_damon_count_on(whole->fake), 0);
    assert_int_equal(fake_damon_count_kdamonds(whole->fake), 0);
    assert_int_equal(fake_damon_count_violations(whole->fake), 0);
    assert_false(fake_damon_has_instance(whole->fake));
    for (guint i = 0; i < G_N_ELEMENTS(knobs); i++) {
        g_autofree char *path = g_build_filename(sys_root, knobs[i], NULL);
        g_autofree char *value = folio_file_read_value(sys_root, knobs[i]);

        assert_string_equal(value, "0");
        assert_false(folio_ledger_get_knob(ledger, path, NULL, NULL));
    }
}

/* Neither of the guest, whose memory is as it was. */
static inline void
whole_assert_restored(Whole *whole)
{
    FolioLedgerCounters counters;
    gboolean found[WHOLE_BLOCKS];
    FolioThpStatus status;

    whole_assert_host_clean(whole);
    whole_read_ledger(whole, found, &counters);
    assert_int_equal(counters.split_now, 0);
    for (guint i = 0; i < WHOLE_BLOCKS; i++)
        assert_false(whole->split[i] || found[i]);
    assert_int_equal(pmd_mapped_of(whole->child->pid), WHOLE_BLOCKS * BLOCK);
    assert_true(folio_thp_read_status(whole->child->process, &status, NULL));
    assert_true(folio_thp_is(&status, FOLIO_THP_AS_USUAL));
}
