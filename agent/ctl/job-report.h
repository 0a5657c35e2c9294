/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What became of the blocks of a job, in words. Pure. */
#pragma once

#include "ctl/client.h"

/* about is what GetJob said. "split 37 blocks (74 MiB) to order 0; 2 were so before; 1 left
 * (busy)", without a full stop. */
char *folio_job_report_text(GVariant *about);

/* Some blocks are not as they were to be, or nobody knows. */
gboolean folio_job_report_has_left(GVariant *about);

/* Is there anything to report? */
gboolean folio_job_report_is_known(GVariant *about);

/* Members of the a{st} "blocks" or "left" of about; 0 when there is none of that name. */
guint64 folio_job_report_number(GVariant *about, const char *of, const char *token);
