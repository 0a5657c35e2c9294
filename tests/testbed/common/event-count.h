/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts tracepoints that pass a filter, however many there are: in an instance of its own below
 * tracefs, whose buffer may overflow. */
#pragma once

/* A counter's name is one of the caller's choice; it exists from its first event on. @event is
 * "group/event", @filter an expression of its fields. Fails the running test when the kernel knows
 * no such event or field. */
void event_count_add(const char *name, const char *event, const char *filter);
/* Since the events were added. */
unsigned long event_count_read(const char *name);
/* Fine when there is none. */
void event_count_remove(const char *name);
