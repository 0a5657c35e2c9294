/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON from its beginning, the version, to text that is safe on any terminal. Pure. */
#pragma once

#include "ctl/json.h"

#include <json-glib/json-glib.h>

/* An object with its version. */
JsonBuilder *folio_json_begin(void);

void folio_json_add_string(JsonBuilder *builder, const char *member, const char *value);
void folio_json_add_number(JsonBuilder *builder, const char *member, guint64 value);

/* Ends that object; its text with a line feed behind, over several lines if pretty, else on one. */
char *folio_json_finish(JsonBuilder *builder, gboolean pretty);
