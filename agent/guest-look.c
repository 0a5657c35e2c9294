/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One look at a guest: XML, process, RAM, in that order, as far as it goes. */
#include "guest-look.h"

#include "base/error.h"

#include <time.h>

void
folio_look_request_free(FolioLookRequest *request)
{
    folio_domain_free(request->domain);
    g_free(request->run_dir);
    g_free(request->proc_root);
    g_free(request->sys_root);
    g_free(request);
}

void
folio_look_free(FolioLook *look)
{
    g_clear_pointer(&look->xml, folio_domain_xml_free);
    g_clear_pointer(&look->process, folio_process_unref);
    g_clear_pointer(&look->ram, folio_guest_ram_free);
    g_free(look->detail);
    g_free(look);
}

static void
look_failed(FolioLook *look, FolioReason reason, const GError *error)
{
    look->reason = reason;
    g_free(look->detail);
    look->detail = g_strdup(error != NULL ? error->message : "");
}

static gboolean
is_qemu_domain(const FolioDomainXml *xml)
{
    return g_str_equal(xml->type, "kvm") || g_str_equal(xml->type, "qemu");
}

static gboolean
look_at_xml(const FolioLookRequest *request, FolioLook *look)
{
    g_autoptr(GError) error = NULL;
    const char *text = request->domain->xml;

    look->xml = folio_domain_xml_parse(text, strlen(text), &error);
    if (look->xml == NULL) {
        look_failed(look, FOLIO_REASON_BAD_XML, error);
        return FALSE;
    }
    if (!is_qemu_domain(look->xml)) {
        look_failed(look, FOLIO_REASON_NOT_QEMU_DOMAIN, NULL);
        g_free(look->detail);
        look->detail = g_strdup_printf("its domain type is %s", look->xml->type);
        return FALSE;
    }
    return TRUE;
}

static gboolean
look_at_process(const FolioLookRequest *request, FolioLook *look)
{
    const FolioProcessQuery query = {
        .proc_root = request->proc_root,
        .run_dir = request->run_dir,
        .name = request->domain->name,
        .uuid = request->domain->uuid,
        .n_vcpus = request->domain->n_vcpus,
    };
    g_autoptr(GError) error = NULL;
    FolioReason reason = FOLIO_REASON_NONE;

    look->process = folio_process_locate(&query, &reason, &error);
    if (look->process == NULL)
        look_failed(look, reason, error);
    return look->process != NULL;
}

static void
look_at_ram(const FolioLookRequest *request, FolioLook *look)
{
    g_autofree FolioRamSpec *specs = g_new(FolioRamSpec, look->xml->ram->len);
    g_autoptr(FolioGuestRam) ram = NULL;
    g_autoptr(GError) error = NULL;
    FolioReason reason = FOLIO_REASON_NONE;

    for (guint i = 0; i < look->xml->ram->len; i++)
        specs[i] = *(const FolioRamSpec *) g_ptr_array_index(look->xml->ram, i);

    ram = folio_guest_ram_locate(look->process, specs, look->xml->ram->len, request->sys_root,
                                 &reason, &error);
    if (ram == NULL) {
        look_failed(look, reason, error);
        return;
    }
    if (!folio_guest_ram_measure(ram, look->process, request->scan, &error)) {
        reason = folio_process_is_alive(look->process) ? FOLIO_REASON_RAM_UNREADABLE
                                                       : FOLIO_REASON_PROCESS_GONE;
        look_failed(look, reason, error);
        return;
    }
    if (request->nominate)
        folio_nomination_take(&look->nomination, ram, look->process);
    look->ram = g_steal_pointer(&ram);
}

FolioLook *
folio_look_at_guest(const FolioLookRequest *request)
{
    FolioLook *look = g_new0(FolioLook, 1);

    look->reason = FOLIO_REASON_NONE;
    look->detail = g_strdup("");
    if (look_at_xml(request, look) && look_at_process(request, look))
        look_at_ram(request, look);
    return look;
}

FolioMeasurement *
folio_measurement_new(const FolioGuestRam *ram, FolioProcess *process, FolioScan scan,
                      gboolean nominate)
{
    FolioMeasurement *measurement = g_new0(FolioMeasurement, 1);

    measurement->ram = folio_guest_ram_copy(ram);
    measurement->process = folio_process_ref(process);
    measurement->scan = scan;
    measurement->nominate = nominate;
    return measurement;
}

static gint64
thread_cpu_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

gboolean
folio_measurement_run(FolioMeasurement *measurement)
{
    gint64 start = thread_cpu_usec();
    gboolean measured =
        folio_guest_ram_measure(measurement->ram, measurement->process, measurement->scan, NULL);

    if (measured && measurement->nominate)
        folio_nomination_take(&measurement->nomination, measurement->ram, measurement->process);
    measurement->cost_usec = thread_cpu_usec() - start;
    return measured;
}

void
folio_measurement_free(FolioMeasurement *measurement)
{
    g_clear_pointer(&measurement->ram, folio_guest_ram_free);
    folio_process_unref(measurement->process);
    g_free(measurement);
}
