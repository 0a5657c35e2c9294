/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Can this process open a perf event at all? */
#pragma once

#include <glib.h>

/* The message of the error when foliod was built so. */
#define FOLIO_PERF_NOT_BUILT "built without libperf"

/* Opens a software event (page faults, which every kernel with perf has) on the calling thread and
 * closes it. FALSE with FOLIO_ERROR_UNSUPPORTED when foliod was built without libperf, otherwise
 * with the code and the text of the errno. */
gboolean folio_perf_probe(GError **error);
