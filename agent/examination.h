/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One examination by the doctor: copies of all that it wants to know, so that a task can look at
 * them while the guests go on, and the checks that concern the daemon itself, behind those of the
 * host:
 *   configuration *  every file of it was read; one for each error
 *   libvirt          it answers
 *   split            something splits huge pages here, or why nothing does
 *   collapse         likewise */
#pragma once

#include "act/actuator.h"
#include "guest.h"

typedef struct _FolioExamination FolioExamination;

typedef struct {
    const char *proc_root;
    const char *sys_root;
    const char *uri;                  /* of libvirt */
    const char *connection_error;     /* "" when connected */
    const char *const *config_errors; /* NULL-terminated */
    const FolioActuators *actuators;
} FolioExaminationHost;

/* Copies what it is given, and asks the actuators. guest may be NULL: the host alone. */
FolioExamination *folio_examination_new(const FolioExaminationHost *host, FolioGuest *guest);

/* Blocking. FolioCheck, to be freed with g_ptr_array_unref. */
GPtrArray *folio_examination_run(const FolioExamination *examination);

void folio_examination_free(FolioExamination *examination);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioExamination, folio_examination_free)
