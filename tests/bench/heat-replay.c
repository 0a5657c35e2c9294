/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* heat-replay: what would each rule have decided on a recorded trace, and what would have come of
 * it? */
#include <json-glib/json-glib.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "replay.h"

typedef struct {
    char *trace;
    char *policies;
    int period, epoch_windows;
    gint64 seed;
    gboolean json;
} Options;

static double
ratio(gint64 part, gint64 whole)
{
    return whole != 0 ? (double) part / (double) whole : 0;
}

static gboolean
read_options(Options *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        { "trace", 't', 0, G_OPTION_ARG_FILENAME, &options->trace, "Trace to replay", "FILE" },
        { "period", 'p', 0, G_OPTION_ARG_INT, &options->period, "One sample in N accesses (1000)",
          "N" },
        { "epoch-windows", 'k', 0, G_OPTION_ARG_INT, &options->epoch_windows,
          "Trace windows in an epoch (1); a window is 10 epochs", "K" },
        { "seed", 's', 0, G_OPTION_ARG_INT64, &options->seed, "Seed of the sampler (1)", "S" },
        { "policy", 0, 0, G_OPTION_ARG_STRING, &options->policies,
          "Rules by name, separated by commas (all)", "LIST" },
        { "json", 'j', 0, G_OPTION_ARG_NONE, &options->json, "Print JSON", NULL },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GString) summary = g_string_new("Rules:");
    const Rule *rule;

    for (guint i = 0; (rule = rule_at(i)); i++)
        g_string_append_printf(summary, "\n  %-10s %s", rule->name, rule->what);
    g_option_context_set_summary(context, summary->str);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (!options->trace || *argc > 1 || options->period < 1 || options->epoch_windows < 1 ||
        options->seed < 0 || options->seed > G_MAXUINT32) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "--trace is needed; --period and --epoch-windows are at least 1, --seed 0 to "
                    "%u; see --help",
                    G_MAXUINT32);
        return FALSE;
    }
    return TRUE;
}

static GPtrArray *
choose_rules(const char *policies, GError **error)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    g_auto(GStrv) names = g_strsplit(policies ? policies : "", ",", -1);

    for (guint i = 0; !policies && rule_at(i); i++)
        g_ptr_array_add(chosen, (gpointer) rule_at(i));
    for (char **name = names; *name; name++) {
        const Rule *rule = rule_find(*name);

        if (!rule) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "no rule named \"%s\"", *name);
            return NULL;
        }
        g_ptr_array_add(chosen, (gpointer) rule);
    }
    return g_steal_pointer(&chosen);
}

static void
add_double(JsonBuilder *builder, const char *name, double value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_double_value(builder, value);
}

static void
add_int(JsonBuilder *builder, const char *name, gint64 value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, value);
}

static void
add_recall_by_hot(JsonBuilder *builder, const ReplayTally *tally)
{
    static const char *const names[] = { "1-4", "5-25", "26-51" };

    json_builder_set_member_name(builder, "recall_by_hot");
    json_builder_begin_object(builder);
    for (guint i = 0; i < REPLAY_HOT_CLASSES; i++)
        add_double(builder, names[i], ratio(tally->split_hot[i], tally->hot[i]));
    json_builder_end_object(builder);
}

static void
add_collapse(JsonBuilder *builder, const ReplayTally *tally)
{
    json_builder_set_member_name(builder, "collapse");
    json_builder_begin_object(builder);
    add_double(builder, "score", ratio(tally->collapse_net, tally->collapse_best));
    add_double(builder, "harmful_rate", ratio(tally->collapse_sparse, tally->active_sparse));
    add_int(builder, "collapses", tally->collapses);
    add_int(builder, "active_sparse", tally->active_sparse);
    json_builder_end_object(builder);
}

static void
add_rule(JsonBuilder *builder, const char *name, const ReplayTally *tally)
{
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "name");
    json_builder_add_string_value(builder, name);
    add_double(builder, "score", ratio(tally->split_net, tally->split_best));
    add_double(builder, "harmful_rate", ratio(tally->split_dense, tally->active_dense));
    add_int(builder, "splits", tally->splits);
    add_int(builder, "active_dense", tally->active_dense);
    add_double(builder, "precision", ratio(tally->split_now_sparse, tally->splits));
    add_double(builder, "recall", ratio(tally->split_now_sparse, tally->now_sparse));
    add_double(builder, "false_positive_rate", ratio(tally->split_now_other, tally->now_other));
    add_recall_by_hot(builder, tally);
    add_collapse(builder, tally);
    json_builder_end_object(builder);
}

static void
print_json(const Options *options, const GPtrArray *chosen, const ReplayTally *tallies)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "trace");
    json_builder_add_string_value(builder, options->trace);
    add_int(builder, "period", options->period);
    add_int(builder, "epoch_windows", options->epoch_windows);
    add_int(builder, "seed", options->seed);
    json_builder_set_member_name(builder, "rules");
    json_builder_begin_array(builder);
    for (guint i = 0; i < chosen->len; i++)
        add_rule(builder, ((const Rule *) chosen->pdata[i])->name, &tallies[i]);
    json_builder_end_array(builder);
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    text = json_to_string(root, TRUE);
    puts(text);
}

static void
print_table(const GPtrArray *chosen, const ReplayTally *tallies)
{
    printf("%-10s %7s %9s %7s %9s %7s %7s | %8s %8s\n", "rule", "score", "harmful%", "splits",
           "precis.%", "recall%", "false%", "collapse", "harmful%");
    for (guint i = 0; i < chosen->len; i++) {
        const ReplayTally *t = &tallies[i];

        printf("%-10s %+7.3f %9.2f %7u %9.1f %7.1f %7.2f | %+8.3f %8.2f\n",
               ((const Rule *) chosen->pdata[i])->name, ratio(t->split_net, t->split_best),
               100 * ratio(t->split_dense, t->active_dense), t->splits,
               100 * ratio(t->split_now_sparse, t->splits),
               100 * ratio(t->split_now_sparse, t->now_sparse),
               100 * ratio(t->split_now_other, t->now_other),
               ratio(t->collapse_net, t->collapse_best),
               100 * ratio(t->collapse_sparse, t->active_sparse));
    }
}

static gboolean
run(const Options *options, GError **error)
{
    g_autoptr(GPtrArray) chosen = choose_rules(options->policies, error);
    g_autoptr(Trace) trace = chosen ? trace_read(options->trace, error) : NULL;
    g_autofree ReplayTally *tallies = chosen ? g_new(ReplayTally, chosen->len) : NULL;
    ReplayOptions replay = {
        .period = (guint) options->period,
        .epoch_windows = (guint) options->epoch_windows,
        .seed = (guint32) options->seed,
    };

    if (!trace || !replay_run(trace, &replay, (const Rule *const *) chosen->pdata, chosen->len,
                              tallies, error))
        return FALSE;
    if (options->json)
        print_json(options, chosen, tallies);
    else
        print_table(chosen, tallies);
    return TRUE;
}

int
main(int argc, char **argv)
{
    Options options = { .period = 1000, .epoch_windows = 1, .seed = 1 };
    g_autoptr(GError) error = NULL;
    gboolean done;

    setlocale(LC_ALL, "");
    done = read_options(&options, &argc, &argv, &error) && run(&options, &error);
    if (!done)
        fprintf(stderr, "heat-replay: %s\n", error->message);
    g_free(options.trace);
    g_free(options.policies);
    return done ? 0 : 1;
}
