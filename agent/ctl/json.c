/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What folioctl --json prints. */
#include "ctl/json.h"

#include "ctl/client.h"
#include "ctl/cmd.h"
#include "ctl/cost-text.h"
#include "ctl/job-report.h"
#include "ctl/json-text.h"

static void
add_boolean(JsonBuilder *builder, const char *member, gboolean value)
{
    json_builder_set_member_name(builder, member);
    json_builder_add_boolean_value(builder, value);
}

/* null unless known. */
static void
add_known(JsonBuilder *builder, const char *member, guint64 value, gboolean known)
{
    if (known) {
        folio_json_add_number(builder, member, value);
        return;
    }
    json_builder_set_member_name(builder, member);
    json_builder_add_null_value(builder);
}

static void
add_strings(JsonBuilder *builder, const char *member, GVariant *dict, const char *key)
{
    g_autofree const char **strings = NULL;

    json_builder_set_member_name(builder, member);
    json_builder_begin_array(builder);
    g_variant_lookup(dict, key, "^a&s", &strings);
    for (gsize i = 0; strings != NULL && strings[i] != NULL; i++)
        json_builder_add_string_value(builder, strings[i]);
    json_builder_end_array(builder);
}

static void
add_sampling(JsonBuilder *builder, GVariant *guest)
{
    guint64 windows = folio_dict_number(guest, "Windows");
    gboolean nominated = folio_guest_is_nominated(guest);

    folio_json_add_string(builder, "source", folio_dict_string(guest, "Source"));
    folio_json_add_string(builder, "sampled_by", folio_dict_string(guest, "SampledBy"));
    folio_json_add_string(builder, "coverage", folio_dict_string(guest, "Coverage"));
    add_known(builder, "sparse_bytes", folio_dict_number(guest, "SparseBytes"), windows > 0);
    add_known(builder, "dense_bytes", folio_dict_number(guest, "DenseBytes"), windows > 0);
    add_known(builder, "undecided_bytes", folio_dict_number(guest, "UndecidedBytes"), windows > 0);
    add_known(builder, "idle_bytes", folio_dict_number(guest, "IdleBytes"), windows > 0);
    folio_json_add_number(builder, "samples", folio_dict_number(guest, "Samples"));
    folio_json_add_number(builder, "unmapped_samples", folio_dict_number(guest, "UnmappedSamples"));
    folio_json_add_number(builder, "lost_samples", folio_dict_number(guest, "LostSamples"));
    folio_json_add_number(builder, "windows", windows);
    add_known(builder, "window_seconds", folio_dict_number(guest, "WindowSeconds"), windows > 0);
    folio_json_add_string(builder, "waits", folio_dict_string(guest, "Waits"));
    add_known(builder, "nominated_ranges", folio_dict_number(guest, "NominatedRanges"), nominated);
    add_known(builder, "nominated_bytes", folio_dict_number(guest, "NominatedBytes"), nominated);
}

static void
add_acts(JsonBuilder *builder, GVariant *guest)
{
    static const char *const numbers[][2] = {
        { "split_blocks", "SplitBlocks" },        { "collapsed_blocks", "CollapsedBlocks" },
        { "left_blocks", "LeftBlocks" },          { "partly_blocks", "PartlyBlocks" },
        { "split_now_blocks", "SplitNowBlocks" }, { "recollapsed_blocks", "RecollapsedBlocks" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        folio_json_add_number(builder, numbers[i][0], folio_dict_number(guest, numbers[i][1]));
    folio_json_add_string(builder, "keeper", folio_dict_string(guest, "Keeper"));
    folio_json_add_number(builder, "tracked_blocks", folio_dict_number(guest, "TrackedBlocks"));
    folio_cost_add_json(builder, guest);
}

static void
add_policy(JsonBuilder *builder, GVariant *guest)
{
    folio_json_add_string(builder, "mode", folio_dict_string(guest, "Mode"));
    folio_json_add_string(builder, "mode_in_force", folio_dict_string(guest, "ModeInForce"));
    folio_json_add_string(builder, "mode_source", folio_dict_string(guest, "ModeSource"));
    folio_json_add_number(builder, "split_order", folio_dict_number(guest, "SplitOrder"));
    folio_json_add_number(builder, "sparse_below", folio_dict_number(guest, "SparseBelow"));
    folio_json_add_number(builder, "max_rate", folio_dict_number(guest, "MaxRate"));
    folio_json_add_string(builder, "khugepaged", folio_dict_string(guest, "Khugepaged"));
    folio_json_add_string(builder, "hint_error", folio_dict_string(guest, "HintError"));
    folio_json_add_string(builder, "hint_capped", folio_dict_string(guest, "HintCapped"));
}

static void
add_guest(JsonBuilder *builder, GVariant *guest)
{
    guint64 pid = folio_dict_number(guest, "Pid");
    guint64 ram = folio_dict_number(guest, "RamBytes");

    json_builder_begin_object(builder);
    folio_json_add_string(builder, "uuid", folio_dict_string(guest, "Uuid"));
    folio_json_add_string(builder, "name", folio_dict_string(guest, "Name"));
    add_known(builder, "pid", pid, pid != 0);
    folio_json_add_string(builder, "state", folio_dict_string(guest, "State"));
    folio_json_add_string(builder, "reason", folio_dict_string(guest, "Reason"));
    folio_json_add_string(builder, "reason_text", folio_dict_string(guest, "ReasonText"));
    folio_json_add_string(builder, "remedy", folio_dict_string(guest, "Remedy"));
    add_policy(builder, guest);
    add_boolean(builder, "suspended", folio_dict_boolean(guest, "Suspended"));
    add_known(builder, "ram_bytes", ram, ram != 0);
    add_known(builder, "present_bytes", folio_dict_number(guest, "PresentBytes"), ram != 0);
    add_known(builder, "huge_bytes", folio_dict_number(guest, "HugeBytes"), ram != 0);
    add_known(builder, "swapped_bytes", folio_dict_number(guest, "SwappedBytes"), ram != 0);
    add_sampling(builder, guest);
    add_acts(builder, guest);
    json_builder_end_object(builder);
}

static void
add_sum(JsonBuilder *builder, const char *member, GPtrArray *guests, const char *key)
{
    guint64 sum = 0;

    for (guint i = 0; i < guests->len; i++)
        sum += folio_dict_number(guests->pdata[i], key);
    folio_json_add_number(builder, member, sum);
}

static void
add_guests_by_state(JsonBuilder *builder, GPtrArray *guests)
{
    g_autoptr(JsonObject) states = json_object_new();
    JsonNode *node = json_node_alloc();

    for (guint i = 0; i < guests->len; i++) {
        const char *state = folio_dict_string(guests->pdata[i], "State");
        gint64 before = json_object_get_int_member_with_default(states, state, 0);

        json_object_set_int_member(states, state, before + 1);
    }
    json_builder_set_member_name(builder, "guests_by_state");
    json_builder_add_value(builder, json_node_init_object(node, states));
}

static void
add_host_sampling(JsonBuilder *builder, GVariant *manager)
{
    const char *by = folio_dict_string(manager, "SampledBy");
    gboolean by_host = g_str_equal(by, "host");

    folio_json_add_string(builder, "source", folio_dict_string(manager, "Source"));
    folio_json_add_string(builder, "sampled_by", by);
    folio_json_add_string(builder, "sampling_error", folio_dict_string(manager, "SamplingError"));
    add_known(builder, "sampled_cpus", folio_dict_number(manager, "SampledCpus"), by_host);
    add_known(builder, "host_samples", folio_dict_number(manager, "HostSamples"), by_host);
    add_known(builder, "host_unmapped_samples", folio_dict_number(manager, "HostUnmappedSamples"),
              by_host);
    add_known(builder, "host_lost_samples", folio_dict_number(manager, "HostLostSamples"), by_host);
}

static void
add_actuators(JsonBuilder *builder, GVariant *manager)
{
    g_autoptr(GVariant) list =
        g_variant_lookup_value(manager, "Actuators", G_VARIANT_TYPE("a(sbs)"));
    const char *name, *text;
    GVariantIter iter;
    gboolean usable;

    json_builder_set_member_name(builder, "actuators");
    json_builder_begin_array(builder);
    if (list != NULL)
        g_variant_iter_init(&iter, list);
    while (list != NULL && g_variant_iter_next(&iter, "(&sb&s)", &name, &usable, &text)) {
        json_builder_begin_object(builder);
        folio_json_add_string(builder, "name", name);
        add_boolean(builder, "usable", usable);
        folio_json_add_string(builder, "text", text);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

char *
folio_json_status(GVariant *manager, GPtrArray *guests)
{
    g_autoptr(JsonBuilder) builder = folio_json_begin();

    folio_json_add_string(builder, "foliod_version", folio_dict_string(manager, "Version"));
    folio_json_add_string(builder, "uri", folio_dict_string(manager, "Uri"));
    add_boolean(builder, "connected", folio_dict_boolean(manager, "Connected"));
    folio_json_add_string(builder, "connection_error",
                          folio_dict_string(manager, "ConnectionError"));
    add_boolean(builder, "paused", folio_dict_boolean(manager, "Paused"));
    add_strings(builder, "features", manager, "Features");
    add_actuators(builder, manager);
    add_strings(builder, "config_errors", manager, "ConfigErrors");
    add_host_sampling(builder, manager);
    folio_json_add_number(builder, "max_tracked_split",
                          folio_dict_number(manager, "MaxTrackedSplit"));
    add_sum(builder, "tracked_blocks", guests, "TrackedBlocks");
    add_guests_by_state(builder, guests);
    add_sum(builder, "ram_bytes", guests, "RamBytes");
    add_sum(builder, "present_bytes", guests, "PresentBytes");
    add_sum(builder, "huge_bytes", guests, "HugeBytes");
    add_sum(builder, "swapped_bytes", guests, "SwappedBytes");
    add_sum(builder, "sparse_bytes", guests, "SparseBytes");
    add_sum(builder, "dense_bytes", guests, "DenseBytes");
    add_sum(builder, "undecided_bytes", guests, "UndecidedBytes");
    add_sum(builder, "idle_bytes", guests, "IdleBytes");
    add_sum(builder, "nominated_ranges", guests, "NominatedRanges");
    add_sum(builder, "nominated_bytes", guests, "NominatedBytes");
    json_builder_set_member_name(builder, "not_located");
    json_builder_begin_array(builder);
    for (guint i = 0; i < guests->len; i++) {
        if (!folio_state_is_served(folio_dict_string(guests->pdata[i], "State")))
            add_guest(builder, guests->pdata[i]);
    }
    json_builder_end_array(builder);
    return folio_json_finish(builder, TRUE);
}

char *
folio_json_list(GPtrArray *guests)
{
    g_autoptr(JsonBuilder) builder = folio_json_begin();

    json_builder_set_member_name(builder, "guests");
    json_builder_begin_array(builder);
    for (guint i = 0; i < guests->len; i++)
        add_guest(builder, guests->pdata[i]);
    json_builder_end_array(builder);
    return folio_json_finish(builder, TRUE);
}

static void
add_block(JsonBuilder *builder, GVariant *block)
{
    json_builder_begin_object(builder);
    folio_json_add_string(builder, "id", folio_dict_string(block, "id"));
    folio_json_add_string(builder, "kind", folio_dict_string(block, "kind"));
    folio_json_add_string(builder, "backing", folio_dict_string(block, "backing"));
    folio_json_add_string(builder, "file", folio_dict_string(block, "file"));
    add_boolean(builder, "file_deleted", folio_dict_boolean(block, "file-deleted"));
    folio_json_add_string(builder, "fs_type", folio_dict_string(block, "fs-type"));
    folio_json_add_string(builder, "fs_options", folio_dict_string(block, "fs-options"));
    folio_json_add_string(builder, "huge", folio_dict_string(block, "huge"));
    folio_json_add_number(builder, "hva", folio_dict_number(block, "hva"));
    folio_json_add_number(builder, "offset", folio_dict_number(block, "offset"));
    folio_json_add_number(builder, "alignment", folio_dict_number(block, "alignment"));
    folio_json_add_number(builder, "bytes", folio_dict_number(block, "bytes"));
    folio_json_add_number(builder, "present", folio_dict_number(block, "present"));
    folio_json_add_number(builder, "huge_bytes", folio_dict_number(block, "huge-bytes"));
    folio_json_add_number(builder, "swapped", folio_dict_number(block, "swapped"));
    add_boolean(builder, "locked", folio_dict_boolean(block, "locked"));
    folio_json_add_string(builder, "reason", folio_dict_string(block, "reason"));
    folio_json_add_string(builder, "reason_text", folio_dict_string(block, "reason-text"));
    folio_json_add_string(builder, "remedy", folio_dict_string(block, "remedy"));
    json_builder_end_object(builder);
}

static void
add_ram(JsonBuilder *builder, GVariant *ram)
{
    g_autoptr(GVariantIter) blocks = NULL;
    const char *scan = NULL;
    GVariant *block;

    g_variant_get(ram, "(&saa{sv})", &scan, &blocks);
    json_builder_set_member_name(builder, "scan");
    json_builder_add_string_value(builder, *scan != '\0' ? scan : NULL);
    json_builder_set_member_name(builder, "ram");
    json_builder_begin_array(builder);
    while ((block = g_variant_iter_next_value(blocks)) != NULL) {
        add_block(builder, block);
        g_variant_unref(block);
    }
    json_builder_end_array(builder);
}

char *
folio_json_show(GVariant *guest, GVariant *ram)
{
    g_autoptr(JsonBuilder) builder = folio_json_begin();

    json_builder_set_member_name(builder, "guest");
    add_guest(builder, guest);
    if (ram != NULL) {
        add_ram(builder, ram);
        return folio_json_finish(builder, TRUE);
    }
    json_builder_set_member_name(builder, "scan");
    json_builder_add_null_value(builder);
    json_builder_set_member_name(builder, "ram");
    json_builder_add_null_value(builder);
    return folio_json_finish(builder, TRUE);
}

char *
folio_json_doctor(const char *uuid, GVariant *checks)
{
    static const char *const results[] = { "pass", "warn", "fail" };
    g_autoptr(JsonBuilder) builder = folio_json_begin();
    guint counts[G_N_ELEMENTS(results)] = { 0 };
    const char *check, *result, *text, *remedy;
    GVariantIter iter;

    json_builder_set_member_name(builder, "guest");
    json_builder_add_string_value(builder, uuid);
    json_builder_set_member_name(builder, "checks");
    json_builder_begin_array(builder);
    g_variant_iter_init(&iter, checks);
    while (g_variant_iter_next(&iter, "(&s&s&s&s)", &check, &result, &text, &remedy)) {
        json_builder_begin_object(builder);
        folio_json_add_string(builder, "check", check);
        folio_json_add_string(builder, "result", result);
        folio_json_add_string(builder, "text", text);
        folio_json_add_string(builder, "remedy", remedy);
        json_builder_end_object(builder);
        for (gsize i = 0; i < G_N_ELEMENTS(results); i++)
            counts[i] += g_str_equal(result, results[i]);
    }
    json_builder_end_array(builder);
    for (gsize i = 0; i < G_N_ELEMENTS(results); i++)
        folio_json_add_number(builder, results[i], counts[i]);
    return folio_json_finish(builder, TRUE);
}

char *
folio_json_reload(void)
{
    g_autoptr(JsonBuilder) builder = folio_json_begin();

    add_boolean(builder, "reloaded", TRUE);
    return folio_json_finish(builder, TRUE);
}

char *
folio_json_mode(const char *uuid, const char *mode)
{
    g_autoptr(JsonBuilder) builder = folio_json_begin();

    folio_json_add_string(builder, "guest", uuid);
    folio_json_add_string(builder, "mode", mode);
    return folio_json_finish(builder, TRUE);
}

char *
folio_json_paused(gboolean paused)
{
    g_autoptr(JsonBuilder) builder = folio_json_begin();

    add_boolean(builder, "paused", paused);
    return folio_json_finish(builder, TRUE);
}

static void
add_numbers(JsonBuilder *builder, GVariant *about, const char *of, const char *const *tokens)
{
    json_builder_set_member_name(builder, of);
    json_builder_begin_object(builder);
    for (gsize i = 0; tokens[i] != NULL; i++) {
        g_autofree char *member = g_strdelimit(g_strdup(tokens[i]), "-", '_');

        folio_json_add_number(builder, member, folio_job_report_number(about, of, tokens[i]));
    }
    json_builder_end_object(builder);
}

char *
folio_json_job(guint job, GVariant *about)
{
    static const char *const outcomes[] = { "done",   "already", "partly", "left",
                                            "absent", "gone",    NULL };
    static const char *const reasons[] = { "busy", "no-memory", "refused", "unsaid", NULL };
    static const char *const strings[] = { "guest", "name",  "kind", "by",
                                           "state", "error", "way",  NULL };
    g_autoptr(JsonBuilder) builder = folio_json_begin();

    folio_json_add_number(builder, "job", job);
    for (gsize i = 0; strings[i] != NULL; i++)
        folio_json_add_string(builder, strings[i], folio_dict_string(about, strings[i]));
    folio_json_add_number(builder, "order", folio_dict_number(about, "order"));
    folio_json_add_number(builder, "done", folio_dict_number(about, "done"));
    folio_json_add_number(builder, "total", folio_dict_number(about, "total"));
    add_numbers(builder, about, "blocks", outcomes);
    add_numbers(builder, about, "left", reasons);
    return folio_json_finish(builder, TRUE);
}

char *
folio_json_no_job(void)
{
    g_autoptr(JsonBuilder) builder = folio_json_begin();

    json_builder_set_member_name(builder, "job");
    json_builder_add_null_value(builder);
    return folio_json_finish(builder, TRUE);
}

static void
add_fraction(JsonBuilder *builder, const char *member, GVariant *dict, const char *key)
{
    json_builder_set_member_name(builder, member);
    json_builder_add_double_value(builder, folio_dict_double(dict, key));
}

static void
add_why(JsonBuilder *builder, guint64 block, const char *verdict, GVariant *evidence,
        const char *text)
{
    static const char *const numbers[] = { "seen", "sightings", "again", "footprint" };
    guint64 unseen = folio_dict_number(evidence, "unseen");

    json_builder_begin_object(builder);
    folio_json_add_number(builder, "block", block);
    folio_json_add_string(builder, "verdict", verdict);
    folio_json_add_string(builder, "cause", folio_dict_string(evidence, "cause"));
    add_fraction(builder, "in_use", evidence, "in-use");
    add_fraction(builder, "reach", evidence, "reach");
    add_fraction(builder, "reach_limit", evidence, "reach-limit");
    add_fraction(builder, "confidence", evidence, "confidence");
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        folio_json_add_number(builder, numbers[i], folio_dict_number(evidence, numbers[i]));
    add_fraction(builder, "growth", evidence, "growth");
    folio_json_add_number(builder, "age", folio_dict_number(evidence, "age"));
    add_known(builder, "unseen", unseen, unseen != FOLIO_VIEW_NEVER);
    folio_cost_add_block_json(builder, evidence);
    folio_json_add_string(builder, "text", text);
    json_builder_end_object(builder);
}

static void
add_decision(JsonBuilder *builder, GVariant *decision)
{
    static const char *const numbers[] = { "order", "window",    "held",
                                           "seen",  "footprint", "doublings" };
    const char *action, *result, *text;
    g_autoptr(GVariant) evidence = NULL;
    guint64 block;
    gint64 usec;

    g_variant_get(decision, "(xt&s&s@a{sv}&s)", &usec, &block, &action, &result, &evidence, &text);
    json_builder_begin_object(builder);
    folio_json_add_number(builder, "usec", (guint64) usec);
    folio_json_add_number(builder, "block", block);
    folio_json_add_string(builder, "action", action);
    folio_json_add_string(builder, "result", result);
    folio_json_add_string(builder, "cause", folio_dict_string(evidence, "cause"));
    folio_json_add_string(builder, "verdict", folio_dict_string(evidence, "verdict"));
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        folio_json_add_number(builder, numbers[i], folio_dict_number(evidence, numbers[i]));
    add_fraction(builder, "in_use", evidence, "in-use");
    add_fraction(builder, "reach", evidence, "reach");
    add_fraction(builder, "confidence", evidence, "confidence");
    folio_json_add_string(builder, "text", text);
    json_builder_end_object(builder);
}

static void
add_decisions(JsonBuilder *builder, GVariant *decided)
{
    g_autoptr(GVariant) decisions = NULL;
    const char *plan;

    g_variant_get(decided, "(&s@a(xtssa{sv}s))", &plan, &decisions);
    folio_json_add_string(builder, "plan", plan);
    json_builder_set_member_name(builder, "decisions");
    json_builder_begin_array(builder);
    for (gsize i = 0; i < g_variant_n_children(decisions); i++) {
        g_autoptr(GVariant) decision = g_variant_get_child_value(decisions, i);

        add_decision(builder, decision);
    }
    json_builder_end_array(builder);
}

char *
folio_json_explain(GVariant *guest, GVariant *explained, GVariant *decided)
{
    g_autoptr(JsonBuilder) builder = folio_json_begin();
    g_autoptr(GVariant) blocks = NULL;
    const char *waits, *verdict, *text;
    GVariant *evidence;
    GVariantIter iter;
    guint64 block;

    g_variant_get(explained, "(&s@a(tsa{sv}s))", &waits, &blocks);
    folio_json_add_string(builder, "uuid", folio_dict_string(guest, "Uuid"));
    folio_json_add_string(builder, "name", folio_dict_string(guest, "Name"));
    folio_json_add_string(builder, "reason", folio_dict_string(guest, "Reason"));
    folio_json_add_string(builder, "reason_text", folio_dict_string(guest, "ReasonText"));
    folio_json_add_string(builder, "waits", waits);
    json_builder_set_member_name(builder, "blocks");
    json_builder_begin_array(builder);
    g_variant_iter_init(&iter, blocks);
    while (g_variant_iter_loop(&iter, "(t&s@a{sv}&s)", &block, &verdict, &evidence, &text))
        add_why(builder, block, verdict, evidence, text);
    json_builder_end_array(builder);
    add_decisions(builder, decided);
    return folio_json_finish(builder, TRUE);
}
