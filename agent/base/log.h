/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log messages with structured fields; they reach the journal when standard error is the journal,
 * and standard error as text otherwise. Foreign text in a message is escaped, so that no guest name
 * can forge a line. */
#pragma once

#include <glib.h>

/* Each has its entry in data/foliod.catalog. */
#define FOLIO_MESSAGE_GUEST_STATE "7a1f5a0b8d3c4c59a6a5a51fb1a1b6e0"
#define FOLIO_MESSAGE_CONNECTION  "3f0f6a4f3a0e4b55b3f1c0a7a9ce1d52"
#define FOLIO_MESSAGE_BAD_CONFIG  "b5d7f1f28f1e4a2f9a6f5b0b7d1a7c34"
#define FOLIO_MESSAGE_CONFIG      "0c6d5d1e53f94f6c8b5e9a4b6f0d2e11"
#define FOLIO_MESSAGE_PAUSE       "5b0b7c61f7cb4a0fa1d03b0d6a2c8e75"
#define FOLIO_MESSAGE_MODE        "c2a4f0f1de6b4d4c8d1f1c5e0b9a7d36"
#define FOLIO_MESSAGE_HINTS       "d94f2a6be31c4d0c8a7f5e1b6c20a3f8"
#define FOLIO_MESSAGE_BAD_HINTS   "e07b35c1f8a94b6e9d2c4a1f7b58d063"
#define FOLIO_MESSAGE_LEDGER      "1d3c8f7a52e94b06a4c7e90b6f2d81e5"
#define FOLIO_MESSAGE_JOB         "8e6d21c4b7f34e0c9a57d2f8c1b0e4a9"
#define FOLIO_MESSAGE_HEAT        "4f7be0a92c5d48e1b36c0d9e8a51f274"

/* message_id may be NULL. guest_name and guest_uuid (fields FOLIOD_GUEST_NAME, FOLIOD_GUEST_UUID)
 * may be NULL when the message is about no guest. */
void folio_log(GLogLevelFlags level, const char *message_id, const char *guest_name,
               const char *guest_uuid, const char *format, ...) G_GNUC_PRINTF(5, 6);

#define folio_info(...)    folio_log(G_LOG_LEVEL_INFO, NULL, NULL, NULL, __VA_ARGS__)
#define folio_message(...) folio_log(G_LOG_LEVEL_MESSAGE, NULL, NULL, NULL, __VA_ARGS__)
#define folio_warning(...) folio_log(G_LOG_LEVEL_WARNING, NULL, NULL, NULL, __VA_ARGS__)
#define folio_debug(...)   folio_log(G_LOG_LEVEL_DEBUG, NULL, NULL, NULL, __VA_ARGS__)

/* FALSE for what a terminal may obey, and for what ends a line: to GLib the separators of lines and
 * of paragraphs are printable, to many a reader they are not. */
gboolean folio_is_printable(gunichar c);

/* A copy of text on one line of printable UTF-8: control characters and bytes that are no UTF-8
 * become \xHH. For terminals and logs. */
char *folio_escape(const char *text);
