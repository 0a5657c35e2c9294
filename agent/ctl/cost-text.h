/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What translation costs a guest, for people and programs. Pure. */
#pragma once

#include <json-glib/json-glib.h>

/* Of the properties of a guest, before any window has ended "". "split blocks: 12.0% of accesses
 * walk page tables, 41.3 cycles each for translation; others: 2.1%, 3.0 cycles; ...", or that it is
 * not measured. */
char *folio_cost_text(GVariant *guest);

/* Of the evidence on a block by Explain: "translation takes 41.3 cycles an access (200
 * samples), 9.8 before the split (64)". "" when it is not followed. */
char *folio_cost_block_text(GVariant *evidence);

/* The member "translation": null when nothing is measured. */
void folio_cost_add_json(JsonBuilder *builder, GVariant *guest);

/* The member "cost" of a block: null when it is not followed. */
void folio_cost_add_block_json(JsonBuilder *builder, GVariant *evidence);
