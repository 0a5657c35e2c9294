/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What folioctl --json prints: one object and a line feed. Pure.
 *
 * "version" is 1; it changes when a member changes its meaning or goes, not when one is added.
 * Sizes are bytes, states and reasons the stable tokens of the D-Bus interface
 * (data/org.foliod1.xml), and what is not known is null. Characters that are not printable are
 * escaped. On failure nothing is printed here, and the exit status says of what kind it was.
 *
 * status  {"version", "foliod_version", "uri", "connected", "connection_error", "paused",
 * "features": [TOKEN], "actuators": [{"name", "usable", "text"}], "config_errors": [TEXT],
 * "max_tracked_split", "tracked_blocks", "guests_by_state": {STATE: NUMBER}, "ram_bytes",
 * "present_bytes", "huge_bytes", "swapped_bytes", "sparse_bytes", "dense_bytes", "undecided_bytes",
 * "idle_bytes", "not_located": [GUEST]} list
 * {"version", "guests": [GUEST]} show    {"version", "guest": GUEST, "scan", "ram": [BLOCK]}; scan
 * and ram are null when the caller may not call ListRam doctor  {"version", "guest": UUID or null,
 * "checks":
 * [{"check", "result", "text", "remedy"}], "pass": NUMBER, "warn": NUMBER, "fail": NUMBER} reload
 * {"version", "reloaded": true}
 * set-mode {"version", "guest": UUID, "mode": the one in force}
 * pause, resume {"version", "paused"}
 * split, collapse, restore {"version", "job", "guest": UUID, "name", "kind", "by", "state": "done",
 *          "cancelled" or "failed", "error", "way", "order", "done", "total", "blocks": {OUTCOME:
 *          NUMBER}, "left": {REASON: NUMBER}}, as of GetJob, in blocks of 2 MiB, with _ for - in
 *          names; a job that failed is printed too, when it had come to any block. {"version",
 *          "job": null}: there was nothing to do
 * monitor: ctl/json-event.h
 * analyze {"version", "file", "damage": TEXT or null, "period", "midr", "exclude_guest",
 *          "aux_events", "aux_truncated", "aux_partial", "aux_collisions", "events_lost",
 *          "events_compressed", "records", "samples", "operations": {OPERATION: NUMBER},
 *          "guest_records", "guest_samples": "yes" or "host-side-only", "trace_bytes",
 *          "garbage_bytes", "garbage_places", "cut_bytes", "samples_left_out", "cpus", "threads",
 *          "time_unit": "ns", "ticks" or null, "first_time", "last_time", "backward_records",
 *          "windows", "window": LENGTH or null, "tail_samples", "confirmed", "pid",
 *          "samples_elsewhere", "block_bytes", "blocks": [HEAT], "ranges": [RANGE]}; pid and
 *          samples_elsewhere are null, and ranges is not there, without --pid and --guest;
 *          report/analysis.h says what the figures are
 *
 * heat    {"version", "uuid", "name", "source", "waits", "windows", "ended_usec", "window_usec",
 *          "block_bytes", "granule", "history_granule", "history_ended_usec": [NUMBER],
 *          "ranges": [PART]}; the two of the history are there with --by=time
 * explain {"version", "uuid", "name", "reason", "reason_text", "waits", "blocks": [WHY], "plan",
 *          "decisions": [DECISION]}
 *
 * GUEST   {"uuid", "name", "pid", "state", "reason", "reason_text", "remedy", "mode", "suspended",
 *          "ram_bytes", "present_bytes", "huge_bytes", "swapped_bytes", "source", "coverage",
 *          "sparse_bytes", "dense_bytes", "undecided_bytes", "idle_bytes", "samples",
 *          "unmapped_samples", "lost_samples", "windows", "window_seconds", "waits",
 *          "split_blocks", "collapsed_blocks", "left_blocks", "partly_blocks", "split_now_blocks",
 *          "recollapsed_blocks", "keeper", "tracked_blocks", "translation": null where it is not
 *          measured, or {"split_walks", "split_cycles", "other_walks", ...}, as of Translation in
 *          data/org.foliod1.xml}; those by heat are null before the first window
 * BLOCK   {"id", "kind", "backing", "file", "file_deleted", "fs_type", "fs_options", "huge", "hva",
 *          "offset", "alignment", "bytes", "present", "huge_bytes", "swapped", "locked", "reason",
 *          "reason_text", "remedy"}
 * PART    {"name", "first_block", "blocks", "verdict": [TOKEN], "in_use": [NUMBER], "footprint":
 *          [NUMBER], "unseen": [NUMBER or null], "idle", "undecided", "sparse", "dense": [NUMBER],
 *          "history": [[NUMBER]]}: as of Heat in data/org.foliod1.xml, an entry a granule, numbers
 *          of sub-pages whole and not in 64ths; the blocks by verdict are there when a granule is
 * of more than one, the history with --by=time WHY     {"block", "verdict", "cause", "in_use",
 * "reach", "reach_limit", "confidence", "seen", "sightings", "again", "footprint", "growth", "age",
 * "unseen", "cost": null or {"before_samples", "before_walks", "before_cycles",
 * "after_samples", "after_walks", "after_cycles"}, "text"}: as of Explain HEAT    {"address",
 * "samples", "sub_pages", "windows", "in_use", "verdict", "confirmed"} RANGE   {"verdict": "sparse"
 * or "dense", "start", "end"} DECISION {"usec", "block", "action", "result", "order", "window",
 * "cause", "verdict", "held", "seen", "footprint", "in_use", "reach", "confidence", "doublings",
 * "text"}: as of Decisions */
#pragma once

#include "ctl/heat-view.h"

#include <gio/gio.h>

#define FOLIO_JSON_VERSION 1

/* text, which may be foreign, as a JSON string with its quotation marks. */
char *folio_json_quote(const char *text);

/* manager is an a{sv}, guests holds a{sv}, as client.h gives them. */
char *folio_json_status(GVariant *manager, GPtrArray *guests);

char *folio_json_list(GPtrArray *guests);

/* ram is the reply of ListRam, or NULL when it was not permitted. */
char *folio_json_show(GVariant *guest, GVariant *ram);

/* uuid NULL: the host alone. checks is an a(ssss). */
char *folio_json_doctor(const char *uuid, GVariant *checks);

char *folio_json_reload(void);

char *folio_json_mode(const char *uuid, const char *mode);

char *folio_json_paused(gboolean paused);

/* about is what GetJob said of it. */
char *folio_json_job(guint job, GVariant *about);
char *folio_json_no_job(void);

/* The replies of Explain and Decisions. */
char *folio_json_explain(GVariant *guest, GVariant *explained, GVariant *decided);

/* To standard output. */
void folio_json_print_heat(GVariant *guest, const FolioHeatView *view);
