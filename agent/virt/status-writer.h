/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing the status of guests into their live metadata, seldom, over a connection of its own that
 * may change guests, which nothing else uses. */
#pragma once

#include <glib.h>

/* The namespace and, in the domain's XML, the prefix of the element. */
#define FOLIO_STATUS_NAMESPACE "https://foliod.org/xmlns/status/1"
#define FOLIO_STATUS_KEY       "foliod-status"

typedef struct _FolioStatusWriter FolioStatusWriter;

/* The connection to the uri is opened by the first write. */
FolioStatusWriter *folio_status_writer_new(const char *uri);

/* No write begins afterwards; one under way ends by itself. */
void folio_status_writer_free(FolioStatusWriter *writer);

const char *folio_status_writer_get_uri(const FolioStatusWriter *writer);

/* Has the element written, unless it is the one of last time: at once if a minute has passed since,
 * otherwise then, and then the latest; the first one of a guest after 5 s. A write that fails, or
 * that would have to wait for another job of the domain such as a migration, is dropped, and not
 * tried again before the status is another. */
void folio_status_writer_write(FolioStatusWriter *writer, const char *uuid, const char *element);

/* The guest runs no more. */
void folio_status_writer_forget(FolioStatusWriter *writer, const char *uuid);
