/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one error domain of foliod; each code has its D-Bus name, org.foliod1.Error.*. */
#pragma once

#include <glib.h>

typedef enum {
    FOLIO_ERROR_FAILED,
    FOLIO_ERROR_NOT_FOUND,
    FOLIO_ERROR_NOT_PERMITTED,
    FOLIO_ERROR_UNSUPPORTED,
    FOLIO_ERROR_BUSY,
    FOLIO_ERROR_INVALID,
} FolioErrorCode;

#define FOLIO_ERROR (folio_error_quark())

/* Also registers the codes with GDBus, so that an error crosses the bus both ways unchanged. */
GQuark folio_error_quark(void);

/* The code that fits an errno value: ENOENT and ESRCH are NOT_FOUND, EACCES and EPERM
 * NOT_PERMITTED, ENOSYS, EOPNOTSUPP and ENOTTY UNSUPPORTED, EBUSY and EAGAIN BUSY, EINVAL INVALID,
 * all else FAILED. */
FolioErrorCode folio_error_code_from_errno(int saved_errno);

/* Sets an error of that code with the message "WHAT: <text of saved_errno>". */
void folio_set_error_errno(GError **error, int saved_errno, const char *what_format, ...)
    G_GNUC_PRINTF(3, 4);
