/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is calling: how many calls of each sender are pending, and whose check comes next. One
 * sender can neither fill the daemon nor keep the others waiting. Pure. */
#pragma once

#include <glib.h>

/* Pending calls of one sender. */
#define FOLIO_CALLS_PER_SENDER 16

/* Senders with pending calls. A system bus gives one user 256 connections at most
 * (max_connections_per_user of dbus-daemon's system bus), so one user alone cannot fill this. */
#define FOLIO_SENDERS_MAX 1024

/* Dialogs for a password: of one sender, and of all together. */
#define FOLIO_DIALOGS_PER_SENDER 1
#define FOLIO_DIALOGS_MAX        32

typedef struct _FolioCallers FolioCallers;

FolioCallers *folio_callers_new(void);

/* Nothing may be waiting. */
void folio_callers_free(FolioCallers *callers);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioCallers, folio_callers_free)

/* A call of sender begins. FOLIO_ERROR_BUSY when it has too many; then it is not counted. */
gboolean folio_callers_enter(FolioCallers *callers, const char *sender, GError **error);

/* A call that was let in has been answered. None of its checks may be waiting any more. */
void folio_callers_leave(FolioCallers *callers, const char *sender);

/* Calls of sender that are pending; it has one at least. */
guint folio_callers_count_calls(FolioCallers *callers, const char *sender);

/* A dialog of sender opens, within a call that was let in; FOLIO_ERROR_BUSY when there are too many
 * of them. */
gboolean folio_callers_enter_dialog(FolioCallers *callers, const char *sender, GError **error);

void folio_callers_leave_dialog(FolioCallers *callers, const char *sender);

/* Lets item, which is not NULL, wait for its turn. sender has a pending call. */
void folio_callers_push(FolioCallers *callers, const char *sender, gpointer item);

/* The next item: the senders take turns, and what one sender has pushed stays in order. NULL when
 * nothing waits. */
gpointer folio_callers_pop(FolioCallers *callers);

gboolean folio_callers_has_waiting(FolioCallers *callers);

/* Senders that have a pending call now. */
guint folio_callers_count(FolioCallers *callers);
