/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which actuators there are, and which of them can do what is wanted. */
#include "act/actuator.h"

#include "base/error.h"

struct _FolioActuators {
    GPtrArray *list;
    char **chosen; /* NULL: all, in the order of the list */
};

static void
free_actuator(gpointer data)
{
    FolioActuator *actuator = data;

    actuator->klass->free(actuator);
}

const char *
folio_act_kind_token(FolioActKind kind)
{
    static const char *const tokens[] = { "split", "collapse", "restore" };

    return tokens[kind];
}

FolioActRequest *
folio_act_request_copy(const FolioActRequest *request)
{
    FolioActRequest *copy = g_memdup2(request, sizeof *request);

    copy->process = request->process != NULL ? folio_process_ref(request->process) : NULL;
    copy->ranges = request->ranges != NULL ? g_array_copy(request->ranges) : NULL;
    copy->uuid = g_strdup(request->uuid);
    copy->name = g_strdup(request->name);
    copy->ram = request->ram != NULL ? folio_guest_ram_copy(request->ram) : NULL;
    copy->by = g_strdup(request->by);
    return copy;
}

void
folio_act_request_free(FolioActRequest *request)
{
    g_clear_pointer(&request->process, folio_process_unref);
    g_clear_pointer(&request->ranges, g_array_unref);
    g_clear_pointer(&request->ram, folio_guest_ram_free);
    g_free(request->uuid);
    g_free(request->name);
    g_free(request->by);
    g_free(request);
}

FolioActuators *
folio_actuators_new(void)
{
    FolioActuators *actuators = g_new0(FolioActuators, 1);

    actuators->list = g_ptr_array_new_with_free_func(free_actuator);
    return actuators;
}

void
folio_actuators_add(FolioActuators *actuators, FolioActuator *actuator)
{
    g_ptr_array_add(actuators->list, actuator);
}

guint
folio_actuators_count(const FolioActuators *actuators)
{
    return actuators->list->len;
}

FolioActuator *
folio_actuators_get(const FolioActuators *actuators, guint index)
{
    return actuators->list->pdata[index];
}

void
folio_actuators_choose(FolioActuators *actuators, const char *const *names)
{
    g_strfreev(actuators->chosen);
    actuators->chosen = g_strdupv((char **) names);
}

/* The one that is the n-th choice, NULL when there are no more. */
static FolioActuator *
nth_choice(const FolioActuators *actuators, guint n)
{
    if (actuators->chosen == NULL)
        return n < actuators->list->len ? actuators->list->pdata[n] : NULL;
    if (n >= g_strv_length(actuators->chosen))
        return NULL;
    for (guint i = 0; i < actuators->list->len; i++) {
        FolioActuator *actuator = actuators->list->pdata[i];

        if (g_str_equal(actuator->klass->name, actuators->chosen[n]))
            return actuator;
    }
    return NULL;
}

gboolean
folio_actuators_is_chosen(const FolioActuators *actuators, const FolioActuator *actuator)
{
    return actuators->chosen == NULL ||
           g_strv_contains((const char *const *) actuators->chosen, actuator->klass->name);
}

FolioActuator *
folio_actuators_pick(const FolioActuators *actuators, FolioActKind kind, guint order,
                     GError **error)
{
    g_autoptr(GString) reasons = g_string_new(NULL);

    FolioActuator *actuator;

    for (guint i = 0; (actuator = nth_choice(actuators, i)) != NULL; i++) {
        g_autofree char *reason = NULL;

        if (actuator->klass->probe(actuator, kind, order, &reason))
            return actuator;
        g_string_append_printf(reasons, "%s%s: %s", reasons->len > 0 ? "; " : "",
                               actuator->klass->name, reason);
    }
    if (reasons->len == 0)
        g_string_append(reasons, "this version of foliod has no way to do it");
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED, "%s to order %u: %s",
                folio_act_kind_token(kind), order, reasons->str);
    return NULL;
}

void
folio_actuators_free(FolioActuators *actuators)
{
    g_ptr_array_unref(actuators->list);
    g_strfreev(actuators->chosen);
    g_free(actuators);
}
