/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod may do with a guest. Pure. */
#pragma once

#include <glib.h>

typedef enum {
    FOLIO_MODE_OFF,      /* the guest is not looked at */
    FOLIO_MODE_OBSERVE,  /* measured and reported, never changed */
    FOLIO_MODE_SPLIT,    /* huge pages that are hardly used are split */
    FOLIO_MODE_COLLAPSE, /* small pages that are used a lot are collapsed */
    FOLIO_MODE_ADAPTIVE, /* both */
} FolioMode;

/* "off", "observe", "split", "collapse", "adaptive". */
const char *folio_mode_to_string(FolioMode mode);

/* The mode of that name. FOLIO_ERROR_INVALID when there is none; mode is then left alone. */
gboolean folio_mode_parse(const char *text, FolioMode *mode, GError **error);
