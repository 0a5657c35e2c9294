/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking the metadata out of a domain's XML before anybody parses it. Pure. */
#pragma once

#include <glib.h>

/* A copy of a domain's XML without its <metadata> and the white space before it: they are other
 * people's, may be as large and as deep as these like, and say nothing of the domain. Text that
 * cannot be followed is copied as it is. */
char *folio_xml_cut_metadata(const char *text);
