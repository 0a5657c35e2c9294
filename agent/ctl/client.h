/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod as its client sees it: the calls of data/org.foliod1.xml. Blocking; each call takes 30 s
 * at most, or two minutes when a dialog may ask for a password meanwhile. Errors carry one message
 * for people; folio_client_exit_status sorts them. */
#pragma once

#include <gio/gio.h>

#define FOLIO_CLIENT_BUS_NAME     "org.foliod1"
#define FOLIO_CLIENT_MANAGER_PATH "/org/foliod1"
#define FOLIO_CLIENT_MANAGER      "org.foliod1.Manager"
#define FOLIO_CLIENT_GUEST        "org.foliod1.Guest"

typedef struct _FolioClient FolioClient;

/* Connects to the system bus. interactive: polkit may ask somebody for a password, on this terminal
 * if there is no other way. */
FolioClient *folio_client_new(gboolean interactive, GError **error);

void folio_client_free(FolioClient *client);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioClient, folio_client_free)

/* The properties of the manager or of a guest as a{sv}, by the names in the XML. */
GVariant *folio_client_get_manager(FolioClient *client, GError **error);
GVariant *folio_client_get_guest(FolioClient *client, const char *path, GError **error);

/* The same of all guests that the caller may see, in foliod's order (by name); a guest that ends
 * meanwhile is left out. Free with g_ptr_array_unref. */
GPtrArray *folio_client_get_guests(FolioClient *client, GError **error);

/* The object path of a guest, by its UUID or, when there is none of that, by its name. INVALID: it
 * is the UUID of one and the name of another. */
char *folio_client_find_guest(FolioClient *client, const char *uuid_or_name, GError **error);

/* Calls foliod; arguments is sunk. The reply is a tuple of reply_type. */
GVariant *folio_client_call(FolioClient *client, const char *path, const char *interface,
                            const char *method, GVariant *arguments, const char *reply_type,
                            GError **error);

/* Puts errors of the bus and of GDBus in words of this program; foliod's messages are for people
 * already. */
void folio_client_explain_error(GError *error);

/* The connection to the bus. */
GDBusConnection *folio_client_get_bus(FolioClient *client);

/* The reply of ListRam, (saa{sv}). */
GVariant *folio_client_list_ram(FolioClient *client, const char *path, GError **error);

/* The reply of Decisions, (sa(xtssa{sv}s)). */
GVariant *folio_client_decisions(FolioClient *client, const char *path, GError **error);

/* The replies of Heat, (a{sv}aa{sv}), and of Explain, (sa(tsa{sv}s)). options is sunk. */
GVariant *folio_client_heat(FolioClient *client, const char *path, GVariant *options,
                            GError **error);
GVariant *folio_client_explain(FolioClient *client, const char *path, GVariant *options,
                               GError **error);

/* The checks of Doctor, a(ssss). uuid "" for the host alone. */
GVariant *folio_client_doctor(FolioClient *client, const char *uuid, GError **error);

/* What GetJob says of a job, a{sv}. */
GVariant *folio_client_get_job(FolioClient *client, guint job, GError **error);

gboolean folio_client_reload(FolioClient *client, GError **error);

typedef enum {
    FOLIO_EXIT_OK = 0,
    FOLIO_EXIT_FAILED = 1,
    FOLIO_EXIT_USAGE = 2,
    FOLIO_EXIT_NOT_RUNNING = 3,
    FOLIO_EXIT_NOT_PERMITTED = 4,
    FOLIO_EXIT_CANCELLED = 5,
    FOLIO_EXIT_LEFT = 6, /* a job is done, and not all of its blocks are as was wanted */
} FolioExitStatus;

FolioExitStatus folio_client_exit_status(const GError *error);

/* Members of an a{sv}: "", 0 or FALSE when there is none of that name and type. Integers may be of
 * any unsigned type; strings are borrowed. */
const char *folio_dict_string(GVariant *dict, const char *key);
guint64 folio_dict_number(GVariant *dict, const char *key);
gboolean folio_dict_boolean(GVariant *dict, const char *key);
double folio_dict_double(GVariant *dict, const char *key);
