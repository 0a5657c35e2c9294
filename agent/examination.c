/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One examination by the doctor. */
#include "examination.h"

#include "host/doctor-check.h"

/* What does it: the name of an actuator; NULL for none, and then why not. */
typedef struct {
    const char *actuator;
    char *obstacle;
} Deed;

struct _FolioExamination {
    char *proc_root;
    char *sys_root;
    char *uri;
    char *connection_error;
    char **config_errors;
    Deed split, collapse;

    gboolean has_guest;
    FolioDoctorGuest guest; /* its pointers are those below */
    char *name;
    char *reason_text;
    char *emulator;
    char *exe;
    char *hint_error;
    char *hint_capped;
    FolioGuestRam *ram;
};

static void
copy_guest(FolioExamination *examination, FolioGuest *guest)
{
    FolioDoctorGuest *copy = &examination->guest;

    folio_guest_describe(guest, copy);
    copy->name = examination->name = g_strdup(copy->name);
    copy->reason_text = examination->reason_text = g_strdup(copy->reason_text);
    copy->emulator = examination->emulator = g_strdup(copy->emulator);
    copy->exe = examination->exe = g_strdup(copy->exe);
    copy->hint_error = examination->hint_error = g_strdup(copy->hint_error);
    copy->hint_capped = examination->hint_capped = g_strdup(copy->hint_capped);
    if (copy->ram != NULL)
        copy->ram = examination->ram = folio_guest_ram_copy(copy->ram);
    examination->has_guest = TRUE;
}

static void
ask_actuators(Deed *deed, const FolioActuators *actuators, FolioActKind kind, guint order)
{
    g_autoptr(GError) error = NULL;
    const FolioActuator *actuator = folio_actuators_pick(actuators, kind, order, &error);

    deed->actuator = actuator != NULL ? actuator->klass->name : NULL;
    deed->obstacle = g_strdup(error != NULL ? error->message : NULL);
}

FolioExamination *
folio_examination_new(const FolioExaminationHost *host, FolioGuest *guest)
{
    FolioExamination *examination = g_new0(FolioExamination, 1);

    examination->proc_root = g_strdup(host->proc_root);
    examination->sys_root = g_strdup(host->sys_root);
    examination->uri = g_strdup(host->uri);
    examination->connection_error = g_strdup(host->connection_error);
    examination->config_errors = g_strdupv((char **) host->config_errors);
    ask_actuators(&examination->split, host->actuators, FOLIO_ACT_SPLIT, 0);
    ask_actuators(&examination->collapse, host->actuators, FOLIO_ACT_COLLAPSE, FOLIO_ORDER_HUGE);
    if (guest != NULL)
        copy_guest(examination, guest);
    return examination;
}

static void
check_configuration(const FolioExamination *examination, GPtrArray *checks)
{
    if (examination->config_errors[0] == NULL)
        folio_checks_pass(checks, "configuration", "every file of it was read");
    for (char **error = examination->config_errors; *error != NULL; error++)
        folio_checks_object(checks, FOLIO_CHECK_FAIL, "configuration",
                            "Correct that line, then: systemctl reload foliod", "%s", *error);
}

static void
check_libvirt(const FolioExamination *examination, GPtrArray *checks)
{
    if (*examination->connection_error == '\0') {
        folio_checks_pass(checks, "libvirt", "%s answers", examination->uri);
        return;
    }
    folio_checks_object(checks, FOLIO_CHECK_FAIL, "libvirt",
                        "Start libvirt (systemctl start virtqemud.socket, or libvirtd.socket), or "
                        "set Connect= in foliod.conf. foliod keeps trying.",
                        "%s does not answer: %s", examination->uri, examination->connection_error);
}

static void
check_deed(const Deed *deed, const char *check, const char *well, const char *remedy,
           GPtrArray *checks)
{
    if (deed->actuator != NULL)
        folio_checks_pass(checks, check, "%s %s", deed->actuator, well);
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, check, remedy, "nothing here can: %s",
                            deed->obstacle);
}

GPtrArray *
folio_examination_run(const FolioExamination *examination)
{
    const FolioHostPaths paths = { .proc_root = examination->proc_root,
                                   .sys_root = examination->sys_root };
    g_autoptr(FolioFeatures) features = folio_features_probe(&paths);
    GPtrArray *checks = folio_doctor_check_host(features);

    check_configuration(examination, checks);
    check_libvirt(examination, checks);
    check_deed(&examination->split, "split", "splits huge pages",
               "See damon, damon-actions, debugfs-split and lockdown above, and Actuators= in "
               "foliod.conf.",
               checks);
    check_deed(&examination->collapse, "collapse", "makes huge pages",
               "See damon, damon-actions and capabilities above, and Actuators= in foliod.conf; "
               "MADV_COLLAPSE takes Linux 6.1.",
               checks);
    if (examination->has_guest)
        folio_doctor_check_guest(&examination->guest, checks);
    return checks;
}

void
folio_examination_free(FolioExamination *examination)
{
    g_free(examination->proc_root);
    g_free(examination->sys_root);
    g_free(examination->uri);
    g_free(examination->connection_error);
    g_strfreev(examination->config_errors);
    g_free(examination->split.obstacle);
    g_free(examination->collapse.obstacle);
    g_free(examination->name);
    g_free(examination->reason_text);
    g_free(examination->emulator);
    g_free(examination->exe);
    g_free(examination->hint_error);
    g_free(examination->hint_capped);
    g_clear_pointer(&examination->ram, folio_guest_ram_free);
    g_free(examination);
}
