/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The transparent-huge-page setting that a QEMU starts with. */
#include "launch/thp.h"

#include "base/error.h"
#include "base/file-io.h"
#include "memory/thp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>

#define STATUS_MAX_BYTES (64 * 1024)

static gboolean
parse_thp(const char *value, const char *where, FolioLaunchThp *thp, GError **error)
{
    if (g_str_equal(value, "off")) {
        *thp = FOLIO_LAUNCH_THP_OFF;
        return TRUE;
    }
    if (g_str_equal(value, "khugepaged-off")) {
        *thp = FOLIO_LAUNCH_THP_KHUGEPAGED_OFF;
        return TRUE;
    }
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "%s: \"%s\" is not known; it can be off or khugepaged-off", where, value);
    return FALSE;
}

char **
folio_launch_take_thp(const char *const *arguments, const char *environment, FolioLaunchThp *thp,
                      GError **error)
{
    g_autoptr(GStrvBuilder) others = g_strv_builder_new();

    *thp = FOLIO_LAUNCH_THP_KEEP;
    if (environment != NULL && !parse_thp(environment, FOLIO_LAUNCH_THP_VARIABLE, thp, error))
        return NULL;
    for (const char *const *argument = arguments; *argument != NULL; argument++) {
        if (!g_str_equal(*argument, "-foliod") && !g_str_equal(*argument, "--foliod")) {
            g_strv_builder_add(others, *argument);
            continue;
        }
        argument++;
        if (*argument == NULL || !g_str_has_prefix(*argument, "thp=")) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                        "-foliod: \"%s\" is not known; it can be thp=off or thp=khugepaged-off",
                        *argument != NULL ? *argument : "");
            return NULL;
        }
        if (!parse_thp(*argument + strlen("thp="), "-foliod thp=", thp, error))
            return NULL;
    }
    return g_strv_builder_end(others);
}

/* On any other kernel the bit may come to mean something else, and an older one refuses it: so the
 * call itself is no probe. */
static gboolean
kernel_knows_khugepaged(void)
{
    g_autofree char *text =
        folio_file_read(AT_FDCWD, "/proc/self/status", STATUS_MAX_BYTES, NULL, NULL);
    FolioThpStatus status = { 0 };

    if (text != NULL)
        folio_thp_parse_status(text, &status);
    return status.knows_khugepaged;
}

gboolean
folio_launch_apply_thp(FolioLaunchThp thp, GError **error)
{
    unsigned long disable = 0;
    unsigned long flags = 0;

    if (thp == FOLIO_LAUNCH_THP_KEEP)
        return TRUE;
    if (thp == FOLIO_LAUNCH_THP_KHUGEPAGED_OFF && !kernel_knows_khugepaged()) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "thp=khugepaged-off: this kernel cannot stop khugepaged for one process");
        return FALSE;
    }
    folio_thp_get_arguments(thp == FOLIO_LAUNCH_THP_OFF ? FOLIO_THP_NO_HUGE_PAGES
                                                        : FOLIO_THP_NO_KHUGEPAGED,
                            &disable, &flags);
    /* Without flags this is far stronger than "no khugepaged": the RAM of the guest is then never
     * mapped by huge pages, not at a fault nor by MADV_COLLAPSE, for as long as the process lives
     * or until somebody takes it back. It is for guests that are to be small from the start. */
    if (prctl(PR_SET_THP_DISABLE, disable, flags, 0UL, 0UL) < 0) {
        int saved_errno = errno;

        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED, "prctl(PR_SET_THP_DISABLE): %s",
                    g_strerror(saved_errno));
        return FALSE;
    }
    return TRUE;
}
