/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one error domain of foliod. */
#include "base/error.h"

#include <errno.h>
#include <gio/gio.h>

static const GDBusErrorEntry entries[] = {
    { FOLIO_ERROR_FAILED, "org.foliod1.Error.Failed" },
    { FOLIO_ERROR_NOT_FOUND, "org.foliod1.Error.NotFound" },
    { FOLIO_ERROR_NOT_PERMITTED, "org.foliod1.Error.NotPermitted" },
    { FOLIO_ERROR_UNSUPPORTED, "org.foliod1.Error.Unsupported" },
    { FOLIO_ERROR_BUSY, "org.foliod1.Error.Busy" },
    { FOLIO_ERROR_INVALID, "org.foliod1.Error.Invalid" },
};

GQuark
folio_error_quark(void)
{
    static gsize quark = 0;

    g_dbus_error_register_error_domain("foliod-error-quark", &quark, entries,
                                       G_N_ELEMENTS(entries));
    return (GQuark) quark;
}

FolioErrorCode
folio_error_code_from_errno(int saved_errno)
{
    switch (saved_errno) {
    case ENOENT:
    case ESRCH:
        return FOLIO_ERROR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return FOLIO_ERROR_NOT_PERMITTED;
    case ENOSYS:
    case EOPNOTSUPP:
    case ENOTTY:
        return FOLIO_ERROR_UNSUPPORTED;
    case EBUSY:
    case EAGAIN:
        return FOLIO_ERROR_BUSY;
    case EINVAL:
        return FOLIO_ERROR_INVALID;
    default:
        return FOLIO_ERROR_FAILED;
    }
}

void
folio_set_error_errno(GError **error, int saved_errno, const char *what_format, ...)
{
    g_autofree char *what = NULL;
    va_list args;

    va_start(args, what_format);
    what = g_strdup_vprintf(what_format, args);
    va_end(args);
    g_set_error(error, FOLIO_ERROR, folio_error_code_from_errno(saved_errno), "%s: %s", what,
                g_strerror(saved_errno));
}
