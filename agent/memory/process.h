/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU process of a guest: found by libvirt's PID file, believed only when everything about it
 * agrees, and held by a pidfd and an open /proc/PID, so that a reused PID can never take its place.
 */
#pragma once

#include "base/reason.h"

#include <glib.h>
#include <sys/types.h>

typedef enum {
    FOLIO_THREAD_MAIN,
    FOLIO_THREAD_VCPU,  /* "CPU n/KVM", "CPU n/TCG" */
    FOLIO_THREAD_VCPUS, /* "ALL CPUs/TCG": TCG with one thread for all vCPUs */
    FOLIO_THREAD_IO,    /* "IO name" */
    FOLIO_THREAD_VHOST, /* "vhost-PID" */
    FOLIO_THREAD_OTHER,
} FolioThreadKind;

typedef struct {
    pid_t tid;
    FolioThreadKind kind;
    guint vcpu; /* of a VCPU thread */
} FolioThread;

typedef struct {
    const char *proc_root; /* "/proc" */
    const char *run_dir;   /* where libvirt keeps NAME.pid, such as "/run/libvirt/qemu" */
    const char *name;      /* of the guest, as libvirt gives it; untrusted */
    const char *uuid;      /* lower case, with dashes */
    guint n_vcpus;         /* online vCPUs that libvirt knows; 0: do not compare */
} FolioProcessQuery;

typedef struct _FolioProcess FolioProcess;

/* Finds and checks the process. Blocking (some file reads): call it in a task. On failure returns
 * NULL, sets *reason to one of NO_PID_FILE, BAD_PID_FILE, PROCESS_GONE, NOT_QEMU, UUID_MISMATCH,
 * VCPU_MISMATCH, NO_ACCESS, and an error that names the file and what was found there. */
FolioProcess *folio_process_locate(const FolioProcessQuery *query, FolioReason *reason,
                                   GError **error);

/* Holds a process that is known already, by its PID and start time (field 22 of /proc/PID/stat);
 * nothing else about it is checked, and get_exe gives NULL. NOT_FOUND when it has ended, whatever
 * has its PID now. */
FolioProcess *folio_process_hold(const char *proc_root, pid_t pid, guint64 start_time,
                                 GError **error);

FolioProcess *folio_process_ref(FolioProcess *process);

void folio_process_unref(FolioProcess *process);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioProcess, folio_process_unref)

pid_t folio_process_get_pid(const FolioProcess *process);

/* In clock ticks since boot, field 22 of /proc/PID/stat. */
guint64 folio_process_get_start_time(const FolioProcess *process);

/* The target of /proc/PID/exe. */
const char *folio_process_get_exe(const FolioProcess *process);

/* /proc/PID, open; files below it fail with ESRCH or ENOENT once the process is gone. */
int folio_process_get_proc_fd(const FolioProcess *process);

/* Readable (POLLIN) when the process ends. Stays with the FolioProcess. */
int folio_process_get_pidfd(const FolioProcess *process);

/* TRUE until the process has ended (a zombie has ended). */
gboolean folio_process_is_alive(const FolioProcess *process);

/* Is the process of that PID the one that began then? For one that nobody holds. FALSE when it has
 * ended, a zombie included; TRUE when that cannot be told. */
gboolean folio_process_is_running(const char *proc_root, pid_t pid, guint64 start_time);

/* How many threads it has; 0 when it has ended. One system call, whatever their number. */
guint folio_process_count_threads(const FolioProcess *process);

/* Its threads now, FolioThread by tid, to be freed with g_array_unref. NOT_FOUND when the process
 * has ended. */
GArray *folio_process_list_threads(const FolioProcess *process, GError **error);
