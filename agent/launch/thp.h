/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The transparent-huge-page setting that a QEMU starts with, as its starter asked for it. */
#pragma once

#include <glib.h>

/* Beside the arguments "-foliod thp=VALUE", which win. */
#define FOLIO_LAUNCH_THP_VARIABLE "FOLIOD_QEMU_THP"

typedef enum {
    FOLIO_LAUNCH_THP_KEEP,           /* nothing was asked for */
    FOLIO_LAUNCH_THP_OFF,            /* "off" */
    FOLIO_LAUNCH_THP_KHUGEPAGED_OFF, /* "khugepaged-off" */
} FolioLaunchThp;

/* Takes "-foliod thp=VALUE" out of arguments (without the program's name). environment is the value
 * of the variable or NULL. Returns the other arguments in their order and sets *thp. NULL with
 * FOLIO_ERROR_INVALID for an unknown value, another word than thp=, or none. */
char **folio_launch_take_thp(const char *const *arguments, const char *environment,
                             FolioLaunchThp *thp, GError **error);

/* Sets it for this process and what it executes. FOLIO_ERROR_UNSUPPORTED when the kernel cannot;
 * nothing was changed then. */
gboolean folio_launch_apply_thp(FolioLaunchThp thp, GError **error);
