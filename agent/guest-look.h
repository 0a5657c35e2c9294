/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One look at a guest: from what libvirt says of it to its process and its RAM. All that blocks is
 * here and runs in a task; guest.c only takes the result. */
#pragma once

#include "memory/guest-ram.h"
#include "nomination.h"
#include "virt/connection.h"
#include "virt/domain-xml.h"

typedef struct {
    FolioDomain *domain;
    char *run_dir;
    char *proc_root;
    char *sys_root;
    FolioScan scan;
    gboolean nominate; /* nobody samples the guest */
} FolioLookRequest;

void folio_look_request_free(FolioLookRequest *request);

/* What was found, as far as the look came. */
typedef struct {
    FolioDomainXml *xml;        /* NULL: reason is BAD_XML */
    FolioProcess *process;      /* NULL: reason says why */
    FolioGuestRam *ram;         /* located and measured; NULL: reason says why */
    FolioNomination nomination; /* if asked for, of the last measurement */
    FolioReason reason;         /* NONE when all three are there */
    char *detail;               /* what was seen, for people; "" */
} FolioLook;

/* Blocking: some dozen file reads and one measurement. Never fails: see reason. */
FolioLook *folio_look_at_guest(const FolioLookRequest *request);

void folio_look_free(FolioLook *look);

/* Measuring again what a look has found, likewise in a task. */
typedef struct {
    FolioGuestRam *ram; /* a copy, with the new figures once it was run */
    FolioProcess *process;
    FolioScan scan;
    gboolean nominate;
    FolioNomination nomination;
    gint64 cost_usec; /* CPU time that it took */
} FolioMeasurement;

FolioMeasurement *folio_measurement_new(const FolioGuestRam *ram, FolioProcess *process,
                                        FolioScan scan, gboolean nominate);

/* Blocking. FALSE: the mappings are not as they were, or the process has ended. */
gboolean folio_measurement_run(FolioMeasurement *measurement);

void folio_measurement_free(FolioMeasurement *measurement);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioLookRequest, folio_look_request_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioLook, folio_look_free)
