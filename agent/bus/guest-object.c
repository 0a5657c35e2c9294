/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /org/foliod1/guest/UUID: the interface org.foliod1.Guest. */
#include "bus/guest-object.h"

#include "bus/actions.h"
#include "bus/guest-cost.h"
#include "bus/guest-heat.h"
#include "guest-status.h"

static const char *
kind_token(FolioRamKind kind)
{
    static const char *const tokens[] = {
        [FOLIO_RAM_MAIN] = "main",   [FOLIO_RAM_CELL] = "cell",
        [FOLIO_RAM_DIMM] = "dimm",   [FOLIO_RAM_VIRTIO_MEM] = "virtio-mem",
        [FOLIO_RAM_OTHER] = "other",
    };

    return tokens[kind];
}

static void
add_string(GVariantBuilder *dict, const char *key, const char *value)
{
    g_variant_builder_add(dict, "{sv}", key, folio_bus_string(value));
}

static void
add_bytes(GVariantBuilder *dict, const char *key, guint64 value)
{
    g_variant_builder_add(dict, "{sv}", key, g_variant_new_uint64(value));
}

static void
add_flag(GVariantBuilder *dict, const char *key, gboolean value)
{
    g_variant_builder_add(dict, "{sv}", key, g_variant_new_boolean(value));
}

static GVariant *
describe_block(const FolioRamBlock *block)
{
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    add_string(&dict, "id", block->id);
    add_string(&dict, "kind", kind_token(block->spec.kind));
    add_string(&dict, "backing", folio_backing_token(block->spec.backing));
    add_string(&dict, "file", block->file);
    add_flag(&dict, "file-deleted", block->file_deleted);
    add_string(&dict, "fs-type", block->fs_type);
    add_string(&dict, "fs-options", block->fs_options);
    add_string(&dict, "huge", block->huge);
    add_string(&dict, "reason", folio_reason_token(block->reason));
    add_string(&dict, "reason-text", folio_reason_text(block->reason));
    add_string(&dict, "remedy", folio_reason_remedy(block->reason));
    add_bytes(&dict, "hva", block->hva);
    add_bytes(&dict, "bytes", block->bytes);
    add_bytes(&dict, "offset", block->offset);
    add_bytes(&dict, "alignment", block->alignment);
    add_bytes(&dict, "present", block->now.present);
    add_bytes(&dict, "huge-bytes", block->now.pmd_mapped);
    add_bytes(&dict, "swapped", block->now.swapped);
    add_flag(&dict, "locked", block->locked);
    return g_variant_builder_end(&dict);
}

static void
list_ram(FolioCall *call)
{
    const FolioGuestRam *ram = folio_guest_get_ram(call->guest);
    const char *scan = "";
    GVariantBuilder blocks;

    g_variant_builder_init(&blocks, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; ram != NULL && i < ram->blocks->len; i++)
        g_variant_builder_add_value(&blocks, describe_block(ram->blocks->pdata[i]));
    if (ram != NULL)
        scan = ram->scan == FOLIO_SCAN_SMAPS ? "smaps" : "pagemap-scan";
    folio_call_return(call, g_variant_new("(saa{sv})", scan, &blocks));
}

static GVariant *
get_name(FolioCall *call)
{
    return folio_bus_string(folio_guest_get_name(call->guest));
}

static GVariant *
get_uuid(FolioCall *call)
{
    return g_variant_new_string(folio_guest_get_uuid(call->guest));
}

static GVariant *
get_pid(FolioCall *call)
{
    return g_variant_new_uint32(folio_guest_get_pid(call->guest));
}

static GVariant *
get_state(FolioCall *call)
{
    return g_variant_new_string(folio_guest_state_token(folio_guest_get_state(call->guest)));
}

static GVariant *
get_reason(FolioCall *call)
{
    return g_variant_new_string(folio_reason_token(folio_guest_get_reason(call->guest)));
}

static GVariant *
get_reason_text(FolioCall *call)
{
    return folio_bus_string(folio_guest_get_reason_text(call->guest));
}

static GVariant *
get_remedy(FolioCall *call)
{
    return g_variant_new_string(folio_reason_remedy(folio_guest_get_reason(call->guest)));
}

static GVariant *
get_mode(FolioCall *call)
{
    return g_variant_new_string(folio_mode_to_string(folio_guest_get_mode(call->guest)));
}

static const FolioGuestPolicy *
policy_of(FolioCall *call)
{
    return folio_guest_get_policy(call->guest);
}

static GVariant *
get_mode_in_force(FolioCall *call)
{
    const FolioActuators *actuators =
        folio_acting_get_actuators(folio_manager_get_acting(call->manager));

    return g_variant_new_string(
        folio_mode_to_string(folio_guest_mode_in_force(call->guest, actuators)));
}

static GVariant *
get_mode_source(FolioCall *call)
{
    return g_variant_new_string(folio_policy_from_token(policy_of(call)->from[FOLIO_HINT_MODE]));
}

static GVariant *
get_policy(FolioCall *call)
{
    return g_variant_new_take_string(folio_guest_policy_describe(policy_of(call)));
}

static GVariant *
get_split_order(FolioCall *call)
{
    return g_variant_new_uint32(policy_of(call)->values.split_order);
}

static GVariant *
get_sparse_below(FolioCall *call)
{
    return g_variant_new_uint32(policy_of(call)->values.sparse_below);
}

static GVariant *
get_max_rate(FolioCall *call)
{
    return g_variant_new_uint64(policy_of(call)->values.max_rate);
}

static GVariant *
get_khugepaged(FolioCall *call)
{
    return g_variant_new_string(folio_khugepaged_token(policy_of(call)->values.khugepaged));
}

static GVariant *
get_hint_error(FolioCall *call)
{
    return folio_bus_string(folio_guest_get_hint_error(call->guest));
}

static GVariant *
get_hint_capped(FolioCall *call)
{
    return g_variant_new_string(policy_of(call)->capped);
}

static GVariant *
get_suspended(FolioCall *call)
{
    return g_variant_new_boolean(folio_guest_get_suspended(call->guest));
}

static GVariant *
get_ram_bytes(FolioCall *call)
{
    const FolioGuestRam *ram = folio_guest_get_ram(call->guest);

    return g_variant_new_uint64(ram != NULL ? ram->bytes : 0);
}

static GVariant *
get_present_bytes(FolioCall *call)
{
    const FolioGuestRam *ram = folio_guest_get_ram(call->guest);

    return g_variant_new_uint64(ram != NULL ? ram->now.present : 0);
}

static GVariant *
get_huge_bytes(FolioCall *call)
{
    const FolioGuestRam *ram = folio_guest_get_ram(call->guest);

    return g_variant_new_uint64(ram != NULL ? ram->now.pmd_mapped : 0);
}

static GVariant *
get_swapped_bytes(FolioCall *call)
{
    const FolioGuestRam *ram = folio_guest_get_ram(call->guest);

    return g_variant_new_uint64(ram != NULL ? ram->now.swapped : 0);
}

/* Sampling */

static FolioSamplingFigures
sampling_of(FolioCall *call)
{
    FolioSamplingFigures figures;

    folio_guest_get_sampling(call->guest, &figures);
    return figures;
}

static GVariant *
get_source(FolioCall *call)
{
    return g_variant_new_string(sampling_of(call).source);
}

static GVariant *
get_sampled_by(FolioCall *call)
{
    const FolioSamplingFigures figures = sampling_of(call);

    if (g_str_equal(figures.source, "none"))
        return g_variant_new_string("none");
    return g_variant_new_string(figures.by_host ? "host" : "process");
}

static GVariant *
get_coverage(FolioCall *call)
{
    const FolioSamplingFigures figures = sampling_of(call);

    return g_variant_new_string(folio_guest_coverage(&figures));
}

static GVariant *
get_sparse_bytes(FolioCall *call)
{
    return g_variant_new_uint64(sampling_of(call).bytes[FOLIO_VERDICT_SPARSE]);
}

static GVariant *
get_dense_bytes(FolioCall *call)
{
    return g_variant_new_uint64(sampling_of(call).bytes[FOLIO_VERDICT_DENSE]);
}

static GVariant *
get_idle_bytes(FolioCall *call)
{
    return g_variant_new_uint64(sampling_of(call).bytes[FOLIO_VERDICT_IDLE]);
}

static GVariant *
get_undecided_bytes(FolioCall *call)
{
    return g_variant_new_uint64(sampling_of(call).bytes[FOLIO_VERDICT_UNDECIDED]);
}

static GVariant *
get_samples(FolioCall *call)
{
    return g_variant_new_uint64(sampling_of(call).samples);
}

static GVariant *
get_unmapped_samples(FolioCall *call)
{
    return g_variant_new_uint64(sampling_of(call).unmapped);
}

static GVariant *
get_lost_samples(FolioCall *call)
{
    return g_variant_new_uint64(sampling_of(call).lost);
}

static GVariant *
get_windows(FolioCall *call)
{
    return g_variant_new_uint64(sampling_of(call).windows);
}

static GVariant *
get_window_seconds(FolioCall *call)
{
    const guint64 usec = sampling_of(call).window_usec;

    return g_variant_new_uint64((usec + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC);
}

static GVariant *
get_waits(FolioCall *call)
{
    const FolioSamplingFigures figures = sampling_of(call);

    return g_variant_new_take_string(folio_guest_waits(&figures));
}

static GVariant *
get_nominated_ranges(FolioCall *call)
{
    return g_variant_new_uint32(folio_guest_get_nomination(call->guest).ranges);
}

static GVariant *
get_nominated_bytes(FolioCall *call)
{
    return g_variant_new_uint64(folio_guest_get_nomination(call->guest).bytes);
}

/* What translation costs */

#define COST_GETTER(getter, class, figure)                                       \
    static GVariant *getter(FolioCall *call)                                     \
    {                                                                            \
        return g_variant_new_uint64(sampling_of(call).costs.ever[class].figure); \
    }

COST_GETTER(get_split_samples, FOLIO_COST_SPLIT, samples)
COST_GETTER(get_split_walks, FOLIO_COST_SPLIT, walks)
COST_GETTER(get_split_timed_samples, FOLIO_COST_SPLIT, timed)
COST_GETTER(get_split_translation_cycles, FOLIO_COST_SPLIT, cycles)
COST_GETTER(get_other_samples, FOLIO_COST_OTHER, samples)
COST_GETTER(get_other_walks, FOLIO_COST_OTHER, walks)
COST_GETTER(get_other_timed_samples, FOLIO_COST_OTHER, timed)
COST_GETTER(get_other_translation_cycles, FOLIO_COST_OTHER, cycles)

static GVariant *
get_translation(FolioCall *call)
{
    const FolioSamplingFigures figures = sampling_of(call);

    return folio_guest_cost_describe(&figures.costs);
}

static GVariant *
get_tracked_blocks(FolioCall *call)
{
    return g_variant_new_uint64(sampling_of(call).costs.tracked);
}

/* What was done to it */

static FolioLedgerCounters
counters_of(FolioCall *call)
{
    FolioLedgerCounters counters;

    folio_acting_count(folio_manager_get_acting(call->manager), call->guest, &counters);
    return counters;
}

static GVariant *
get_split_blocks(FolioCall *call)
{
    return g_variant_new_uint64(counters_of(call).split);
}

static GVariant *
get_collapsed_blocks(FolioCall *call)
{
    return g_variant_new_uint64(counters_of(call).collapsed);
}

static GVariant *
get_left_blocks(FolioCall *call)
{
    return g_variant_new_uint64(counters_of(call).left);
}

static GVariant *
get_partly_blocks(FolioCall *call)
{
    return g_variant_new_uint64(counters_of(call).partly);
}

static GVariant *
get_recollapsed_blocks(FolioCall *call)
{
    return g_variant_new_uint64(counters_of(call).recollapsed);
}

static GVariant *
get_split_now_blocks(FolioCall *call)
{
    return g_variant_new_uint64(counters_of(call).split_now);
}

static GVariant *
get_keeper(FolioCall *call)
{
    FolioActing *acting = folio_manager_get_acting(call->manager);

    return g_variant_new_string(folio_keeper_token(folio_acting_get_keeper(acting, call->guest)));
}

static const FolioProperty properties[] = {
    { "Name", get_name },
    { "Uuid", get_uuid },
    { "Pid", get_pid },
    { "State", get_state },
    { "Reason", get_reason },
    { "ReasonText", get_reason_text },
    { "Remedy", get_remedy },
    { "Mode", get_mode },
    { "ModeInForce", get_mode_in_force },
    { "ModeSource", get_mode_source },
    { "Policy", get_policy },
    { "SplitOrder", get_split_order },
    { "SparseBelow", get_sparse_below },
    { "MaxRate", get_max_rate },
    { "Khugepaged", get_khugepaged },
    { "HintError", get_hint_error },
    { "HintCapped", get_hint_capped },
    { "Suspended", get_suspended },
    { "RamBytes", get_ram_bytes },
    { "PresentBytes", get_present_bytes },
    { "HugeBytes", get_huge_bytes },
    { "SwappedBytes", get_swapped_bytes },
    { "Source", get_source },
    { "SampledBy", get_sampled_by },
    { "Coverage", get_coverage },
    { "SparseBytes", get_sparse_bytes },
    { "DenseBytes", get_dense_bytes },
    { "IdleBytes", get_idle_bytes },
    { "UndecidedBytes", get_undecided_bytes },
    { "SplitBlocks", get_split_blocks },
    { "CollapsedBlocks", get_collapsed_blocks },
    { "LeftBlocks", get_left_blocks },
    { "PartlyBlocks", get_partly_blocks },
    { "RecollapsedBlocks", get_recollapsed_blocks },
    { "SplitNowBlocks", get_split_now_blocks },
    { "Keeper", get_keeper },
    { "Samples", get_samples },
    { "UnmappedSamples", get_unmapped_samples },
    { "LostSamples", get_lost_samples },
    { "Windows", get_windows },
    { "WindowSeconds", get_window_seconds },
    { "Waits", get_waits },
    { "Translation", get_translation },
    { "TrackedBlocks", get_tracked_blocks },
    { "SplitSamples", get_split_samples },
    { "SplitWalks", get_split_walks },
    { "SplitTimedSamples", get_split_timed_samples },
    { "SplitTranslationCycles", get_split_translation_cycles },
    { "OtherSamples", get_other_samples },
    { "OtherWalks", get_other_walks },
    { "OtherTimedSamples", get_other_timed_samples },
    { "OtherTranslationCycles", get_other_translation_cycles },
    { "NominatedRanges", get_nominated_ranges },
    { "NominatedBytes", get_nominated_bytes },
};

static const struct {
    const char *name;
    FolioCallRun run;
} methods[] = {
    { "ListRam", list_ram },
    { "SetMode", folio_action_set_mode },
    { "Split", folio_action_act },
    { "Collapse", folio_action_act },
    { "Restore", folio_action_act },
    { "Heat", folio_guest_heat_run },
    { "Explain", folio_guest_explain_run },
    { "Decisions", folio_guest_decisions_run },
};

static void
run_method(FolioCall *call)
{
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
        if (g_str_equal(call->access->member, methods[i].name)) {
            methods[i].run(call);
            return;
        }
    }
    folio_call_fail_unsupported(call);
}

static void
on_measured(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioCall *call = user_data;

    folio_guest_refresh_finish(call->guest, result);
    if (!folio_call_keeps_guest(call))
        return;
    if (call->is_property)
        folio_call_return_property(call, properties, G_N_ELEMENTS(properties));
    else
        run_method(call);
}

/* Measuring bounds itself, so every member may ask for it. */
void
folio_guest_object_run(FolioCall *call)
{
    folio_guest_refresh_async(call->guest, on_measured, call);
}

GVariant *
folio_guest_object_describe(FolioManager *manager, FolioJobs *jobs, FolioGuest *guest)
{
    return folio_properties_emitted(FOLIO_GUEST_INTERFACE, properties, G_N_ELEMENTS(properties),
                                    manager, jobs, guest);
}
