/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records tracepoints in an instance of its own below tracefs, and hands the lines over as text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The tracepoint of the group "damon" with the result of an action. */
#define RESULT_EVENT "damos_result"

struct trace;

/* Starts recording of "group:event" names, NULL at the end. Fails the running test when one is
 * missing. */
struct trace *trace_start(const char *event, ...) __attribute__((sentinel));
/* Stops, and returns all lines, to be freed by the caller; removes the instance. */
char *trace_stop(struct trace *trace);
/* Lines that hold all of the given texts (NULL at the end). */
size_t trace_count(const char *lines, const char *text, ...) __attribute__((sentinel));
/* Seconds from the first line with one text to the last with the other; -1 when one is missing. */
double trace_seconds(const char *lines, const char *from, const char *to);
/* Seconds from each line that holds the text to the next such line; at most max of them. Returns
 * how many. */
size_t trace_intervals(const char *lines, const char *text, double *seconds, size_t max);
