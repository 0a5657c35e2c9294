/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of an SPE unit in sysfs: its number, its CPUs, its limits, and where each
 * setting lies in perf_event_attr. No bit position is known beforehand. */
#pragma once

#include <glib.h>
#include <linux/perf_event.h>

/* Where a setting lies: bits of one of config, config1, config2. */
typedef struct {
    guint word;   /* 0 to 2 */
    guint64 bits; /* 0: this unit does not have the setting */
} FolioPmuFormat;

/* Parses a format file: "config:1", "config2:0-11", "config:0-7,32-35". FOLIO_ERROR_INVALID when it
 * is anything else. Pure. */
gboolean folio_pmu_format_parse(const char *text, FolioPmuFormat *format, GError **error);

/* Puts the value into those bits, its lowest bit into the lowest of them. FALSE, and attr
 * untouched, when it does not fit or there are none. Pure. */
gboolean folio_pmu_format_set(const FolioPmuFormat *format, guint64 value,
                              struct perf_event_attr *attr);

typedef struct {
    char *name;           /* "arm_spe_0" */
    guint32 type;         /* perf_event_attr.type */
    GArray *cpus;         /* guint, ascending */
    guint64 min_interval; /* operations; the smallest period that the hardware takes */
    FolioPmuFormat ts_enable;
    FolioPmuFormat pa_enable;
    FolioPmuFormat pct_enable;
    FolioPmuFormat jitter;
    FolioPmuFormat load_filter;
    FolioPmuFormat store_filter;
} FolioSpePmu;

/* The SPE units of this machine (one of each kind of CPU): FolioSpePmu by name. UNSUPPORTED when
 * there is none or one cannot give physical addresses; the error of whatever file is not as it
 * should be, named. sys_root is "/sys". */
GPtrArray *folio_spe_pmu_read_all(const char *sys_root, GError **error);

/* The attributes of an event of all loads and stores of guests and host, user and kernel, with
 * physical addresses and timestamps. by_class: have the hardware drop all but loads and stores; it
 * may not be able to (EOPNOTSUPP from perf_event_open). */
void folio_spe_pmu_attr(const FolioSpePmu *pmu, gboolean by_class, struct perf_event_attr *attr);
