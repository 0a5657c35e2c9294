/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures in the text format of Prometheus. */
#include "ctl/metrics.h"

#include "base/log.h"
#include "ctl/client.h"
#include "ctl/cmd.h"

typedef enum { GAUGE, COUNTER } Type;

/* A figure that nobody knows is left out. */
typedef enum { ALWAYS, AFTER_A_WINDOW, NOMINATED } When;

typedef struct {
    const char *name, *property, *help;
    Type type;
    When when; /* of guests */
} Family;

static const Family host_families[] = {
    { "foliod_connected", "Connected", "1: libvirt answers", GAUGE, ALWAYS },
    { "foliod_paused", "Paused", "1: nothing is sampled or changed", GAUGE, ALWAYS },
    { "foliod_host_samples_total", "HostSamples", "Samples of the whole host, sampled by CPU",
      COUNTER, ALWAYS },
    { "foliod_host_unmapped_samples_total", "HostUnmappedSamples", "Of these, those of no guest",
      COUNTER, ALWAYS },
    { "foliod_max_tracked_split", "MaxTrackedSplit",
      "Split blocks of which it is followed what they cost, at most", GAUGE, ALWAYS },
    { "foliod_host_lost_samples_total", "HostLostSamples",
      "Samples of the whole host that were lost", COUNTER, ALWAYS },
    { "foliod_jobs_started_total", "JobsStarted", "Jobs that were begun", COUNTER, ALWAYS },
    { "foliod_jobs_done_total", "JobsDone", "Jobs that were done", COUNTER, ALWAYS },
    { "foliod_jobs_cancelled_total", "JobsCancelled", "Jobs that were cancelled", COUNTER, ALWAYS },
    { "foliod_jobs_failed_total", "JobsFailed", "Jobs that failed", COUNTER, ALWAYS },
};

static const Family guest_families[] = {
    { "foliod_guest_ram_bytes", "RamBytes", "RAM of the guest", GAUGE, ALWAYS },
    { "foliod_guest_present_bytes", "PresentBytes", "Of its RAM, what is in memory", GAUGE,
      ALWAYS },
    { "foliod_guest_huge_bytes", "HugeBytes", "Of that, what huge pages map", GAUGE, ALWAYS },
    { "foliod_guest_swapped_bytes", "SwappedBytes", "Of its RAM, what is swapped out", GAUGE,
      ALWAYS },
    { "foliod_guest_sparse_bytes", "SparseBytes", "Blocks of which little is used", GAUGE,
      AFTER_A_WINDOW },
    { "foliod_guest_dense_bytes", "DenseBytes", "Blocks of which much is used", GAUGE,
      AFTER_A_WINDOW },
    { "foliod_guest_undecided_bytes", "UndecidedBytes", "Blocks without a verdict", GAUGE,
      AFTER_A_WINDOW },
    { "foliod_guest_idle_bytes", "IdleBytes", "Blocks that were never seen in use", GAUGE,
      AFTER_A_WINDOW },
    { "foliod_guest_nominated_bytes", "NominatedBytes", "What huge pages map, not judged", GAUGE,
      NOMINATED },
    { "foliod_guest_split_blocks_total", "SplitBlocks", "Blocks that foliod has split", COUNTER,
      ALWAYS },
    { "foliod_guest_collapsed_blocks_total", "CollapsedBlocks", "Blocks that foliod has collapsed",
      COUNTER, ALWAYS },
    { "foliod_guest_left_blocks_total", "LeftBlocks",
      "Blocks that were to be split or collapsed and are as they were", COUNTER, ALWAYS },
    { "foliod_guest_partly_blocks_total", "PartlyBlocks",
      "Blocks that were split or collapsed in part", COUNTER, ALWAYS },
    { "foliod_guest_recollapsed_blocks_total", "RecollapsedBlocks",
      "Blocks that foliod has split and others have made huge again", COUNTER, ALWAYS },
    { "foliod_guest_split_now_blocks", "SplitNowBlocks", "Blocks that foliod has split for now",
      GAUGE, ALWAYS },
    { "foliod_guest_samples_total", "Samples", "Samples in its RAM", COUNTER, ALWAYS },
    { "foliod_guest_unmapped_samples_total", "UnmappedSamples", "Samples of its process elsewhere",
      COUNTER, ALWAYS },
    { "foliod_guest_lost_samples_total", "LostSamples", "Samples that were lost", COUNTER, ALWAYS },
    { "foliod_guest_tracked_blocks", "TrackedBlocks",
      "Split blocks of which it is followed what they cost", GAUGE, ALWAYS },
    { "foliod_guest_split_samples_total", "SplitSamples", "Samples in blocks that foliod has split",
      COUNTER, ALWAYS },
    { "foliod_guest_split_walks_total", "SplitWalks", "Of these, those that walked page tables",
      COUNTER, ALWAYS },
    { "foliod_guest_split_timed_samples_total", "SplitTimedSamples",
      "Of these, those whose translation latency is known", COUNTER, ALWAYS },
    { "foliod_guest_split_translation_cycles_total", "SplitTranslationCycles",
      "Cycles of these latencies", COUNTER, ALWAYS },
    { "foliod_guest_other_samples_total", "OtherSamples", "Samples in other blocks", COUNTER,
      ALWAYS },
    { "foliod_guest_other_walks_total", "OtherWalks", "Of these, those that walked page tables",
      COUNTER, ALWAYS },
    { "foliod_guest_other_timed_samples_total", "OtherTimedSamples",
      "Of these, those whose translation latency is known", COUNTER, ALWAYS },
    { "foliod_guest_other_translation_cycles_total", "OtherTranslationCycles",
      "Cycles of these latencies", COUNTER, ALWAYS },
    { "foliod_guest_windows_total", "Windows", "Windows that have ended", COUNTER, ALWAYS },
};

static void
append_head(GString *out, const char *name, const char *help, Type type)
{
    g_string_append_printf(out, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name,
                           type == COUNTER ? "counter" : "gauge");
}

/* Foreign text as a label: first safe for a terminal, then quoted as the format has it. */
static void
append_label(GString *out, const char *name, const char *value)
{
    g_autofree char *safe = folio_escape(value);

    g_string_append_printf(out, "%s=\"", name);
    for (const char *at = safe; *at != '\0'; at++) {
        if (*at == '\\' || *at == '"')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *at);
    }
    g_string_append_c(out, '"');
}

static guint64
value_of(GVariant *dict, const char *property)
{
    return folio_dict_boolean(dict, property) ? 1 : folio_dict_number(dict, property);
}

static void
append_host(GString *out, GVariant *manager, guint n_guests)
{
    append_head(out, "foliod_info", "Which foliod it is", GAUGE);
    g_string_append(out, "foliod_info{");
    append_label(out, "version", folio_dict_string(manager, "Version"));
    g_string_append(out, "} 1\n");
    append_head(out, "foliod_guests", "Guests that the caller may see", GAUGE);
    g_string_append_printf(out, "foliod_guests %u\n", n_guests);
    for (gsize i = 0; i < G_N_ELEMENTS(host_families); i++) {
        const Family *family = &host_families[i];

        append_head(out, family->name, family->help, family->type);
        g_string_append_printf(out, "%s %" G_GUINT64_FORMAT "\n", family->name,
                               value_of(manager, family->property));
    }
}

static void
append_info(GString *out, GVariant *guest)
{
    static const struct {
        const char *label, *property;
    } labels[] = {
        { "uuid", "Uuid" }, { "name", "Name" },     { "state", "State" },   { "reason", "Reason" },
        { "mode", "Mode" }, { "source", "Source" }, { "keeper", "Keeper" },
    };

    g_string_append(out, "foliod_guest_info{");
    for (gsize i = 0; i < G_N_ELEMENTS(labels); i++) {
        if (i > 0)
            g_string_append_c(out, ',');
        append_label(out, labels[i].label, folio_dict_string(guest, labels[i].property));
    }
    g_string_append(out, "} 1\n");
}

static gboolean
is_known(const Family *family, GVariant *guest)
{
    if (family->when == NOMINATED)
        return folio_guest_is_nominated(guest);
    return family->when == ALWAYS || folio_dict_number(guest, "Windows") > 0;
}

static void
append_guests(GString *out, const Family *family, GPtrArray *guests)
{
    append_head(out, family->name, family->help, family->type);
    for (guint i = 0; i < guests->len; i++) {
        GVariant *guest = guests->pdata[i];

        if (!is_known(family, guest))
            continue;
        g_string_append_printf(out, "%s{", family->name);
        append_label(out, "uuid", folio_dict_string(guest, "Uuid"));
        g_string_append_printf(out, "} %" G_GUINT64_FORMAT "\n",
                               folio_dict_number(guest, family->property));
    }
}

char *
folio_metrics_text(GVariant *manager, GPtrArray *guests)
{
    g_autoptr(GString) out = g_string_new(NULL);

    append_host(out, manager, guests->len);
    append_head(out, "foliod_guest_info", "What is known of a guest in words", GAUGE);
    for (guint i = 0; i < guests->len; i++)
        append_info(out, guests->pdata[i]);
    for (gsize i = 0; i < G_N_ELEMENTS(guest_families); i++)
        append_guests(out, &guest_families[i], guests);
    return g_string_free(g_steal_pointer(&out), FALSE);
}
