/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Printing and parsing the file of a plan. */
#include "plan-file.h"

#include "act/ledger-file.h"
#include "act/ledger-lines.h"

#include <string.h>

#define MAGIC "foliod-plan 1"

/* Of the fractions in the text. */
#define PARTS 1000

FolioPlanRecord *
folio_plan_record_new(void)
{
    FolioPlanRecord *record = g_new0(FolioPlanRecord, 1);

    record->marks = g_array_new(FALSE, FALSE, sizeof(FolioPlanMark));
    record->decisions = g_array_new(FALSE, FALSE, sizeof(FolioPlanDecision));
    return record;
}

void
folio_plan_record_free(FolioPlanRecord *record)
{
    g_free(record->owner.uuid);
    g_free(record->owner.boot);
    g_free(record->owner.layout);
    g_array_unref(record->marks);
    g_array_unref(record->decisions);
    g_free(record);
}

char *
folio_plan_file_layout(const FolioGuestRam *ram)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);

    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *block = ram->blocks->pdata[i];
        g_autofree char *line = g_strdup_printf("%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
                                                block->id, block->inode, block->bytes);

        g_checksum_update(checksum, (const guchar *) line, -1);
    }
    return g_strdup(g_checksum_get_string(checksum));
}

gboolean
folio_plan_owner_equals(const FolioPlanOwner *a, const FolioPlanOwner *b)
{
    return g_str_equal(a->uuid, b->uuid) && g_str_equal(a->boot, b->boot) && a->pid == b->pid &&
           a->start_time == b->start_time && a->n_blocks == b->n_blocks &&
           g_str_equal(a->layout, b->layout);
}

/* Printing */

/* A line of blocks of which the same is remembered, and the run of them that is to be written to it
 * next. */
typedef struct {
    guint key;
    GString *text;
    guint first, count;
} Line;

static void
line_free(gpointer data)
{
    Line *line = data;

    g_string_free(line->text, TRUE);
    g_free(line);
}

/* Lines are in the order of this. */
static guint
key_of(const FolioPlanMark *mark)
{
    return (mark->action * (FOLIO_PLAN_SINCE_MAX + 1) + mark->since) * (FOLIO_PLAN_DOUBLINGS + 1) +
           mark->doublings;
}

static Line *
get_line(GHashTable *lines, const FolioPlanMark *mark)
{
    const guint key = key_of(mark);
    Line *line = g_hash_table_lookup(lines, GUINT_TO_POINTER(key));

    if (line != NULL)
        return line;
    line = g_new0(Line, 1);
    line->key = key;
    line->text = g_string_new(NULL);
    g_string_append_printf(line->text, "acted %s %u %u", folio_plan_action_token(mark->action),
                           mark->since, mark->doublings);
    g_hash_table_insert(lines, GUINT_TO_POINTER(key), line);
    return line;
}

static void
end_run(Line *line)
{
    if (line->count > 0)
        folio_lines_append_run(line->text, line->first, line->count);
    line->count = 0;
}

static int
compare_lines(gconstpointer one, gconstpointer other)
{
    const Line *a = one, *b = other;

    return a->key < b->key ? -1 : a->key > b->key;
}

/* There may be hundreds of thousands of marks, and there are few lines. */
static void
append_marks(GString *text, const GArray *marks)
{
    g_autoptr(GHashTable) lines = g_hash_table_new_full(NULL, NULL, NULL, line_free);
    g_autoptr(GList) sorted = NULL;

    for (guint i = 0; i < marks->len; i++) {
        const FolioPlanMark *mark = &g_array_index(marks, FolioPlanMark, i);
        Line *line = get_line(lines, mark);

        if (mark->block != line->first + line->count)
            end_run(line);
        if (line->count == 0)
            line->first = mark->block;
        line->count++;
    }
    sorted = g_list_sort(g_hash_table_get_values(lines), compare_lines);
    for (GList *l = sorted; l != NULL; l = l->next) {
        Line *line = l->data;

        end_run(line);
        g_string_append_len(text, line->text->str, (gssize) line->text->len);
        g_string_append_c(text, '\n');
    }
}

static guint
parts_of(double value)
{
    return (guint) (CLAMP(value, 0, G_MAXUINT16) * PARTS + 0.5);
}

static void
append_decision(GString *text, const FolioPlanDecision *decision)
{
    const FolioPlanStep *step = &decision->step;

    g_string_append_printf(
        text, "decision %s %s %s %s %u %u %u %u %u %u %u %u %u %u %u %u %" G_GINT64_FORMAT "\n",
        folio_plan_result_token(decision->result), folio_plan_action_token(step->action),
        folio_plan_cause_token(step->cause), folio_verdict_token(step->verdict), step->block,
        step->order, step->held, step->seen, step->footprint, parts_of((double) step->in_use),
        parts_of((double) step->reach), parts_of(MIN(step->confidence, 1)),
        parts_of((double) step->cost_before), parts_of((double) step->cost_now), step->doublings,
        decision->window, decision->usec);
}

GString *
folio_plan_file_print(const FolioPlanRecord *record)
{
    const FolioPlanOwner *owner = &record->owner;
    const FolioLinesOwner run = { owner->uuid, owner->boot, owner->pid, owner->start_time };
    GString *text = g_string_new(NULL);

    folio_lines_append_owner(text, MAGIC, &run);
    g_string_append_printf(text, "blocks %u %s\n", owner->n_blocks, owner->layout);
    append_marks(text, record->marks);
    for (guint i = 0; i < record->decisions->len; i++)
        append_decision(text, &g_array_index(record->decisions, FolioPlanDecision, i));
    folio_lines_seal(text);
    return text;
}

/* Parsing */

static const char *
token_of_action(guint value)
{
    return folio_plan_action_token((FolioPlanAction) value);
}

static const char *
token_of_cause(guint value)
{
    return folio_plan_cause_token((FolioPlanCause) value);
}

static const char *
token_of_result(guint value)
{
    return folio_plan_result_token((FolioPlanResult) value);
}

static const char *
token_of_verdict(guint value)
{
    return folio_verdict_token((FolioVerdict) value);
}

/* The next field is one of these words, of the values from 0 to last. */
static gboolean
take_token(FolioLines *lines, const char *(*token)(guint value), guint last, guint *value)
{
    const char *field = folio_lines_field(lines);

    for (*value = 0; *value <= last; ++*value) {
        if (g_str_equal(field, token(*value)))
            return TRUE;
    }
    return FALSE;
}

static gboolean
parse_owner(FolioLines *lines, FolioPlanOwner *owner, GError **error)
{
    g_auto(FolioLinesOwner) run = { 0 };
    guint64 n_blocks;

    if (!folio_lines_take_owner(lines, MAGIC, &run, error))
        return FALSE;
    if (!folio_lines_take(lines, "blocks") ||
        !folio_lines_number(lines, FOLIO_LEDGER_MAX_BLOCKS, &n_blocks))
        return folio_lines_wrong(lines, error, "no number of blocks, or too many");
    owner->layout = g_strdup(folio_lines_field(lines));
    if (*owner->layout == '\0' || !folio_lines_at_end(lines))
        return folio_lines_wrong(lines, error, "no layout");
    owner->uuid = g_steal_pointer(&run.uuid);
    owner->boot = g_steal_pointer(&run.boot);
    owner->pid = run.pid;
    owner->start_time = run.start_time;
    owner->n_blocks = (guint) n_blocks;
    return TRUE;
}

static gboolean
parse_acted(FolioLines *lines, FolioPlanRecord *record, GError **error)
{
    FolioPlanMark mark = { 0 };
    guint action, first, count;
    guint64 since, doublings;

    if (!take_token(lines, token_of_action, FOLIO_PLAN_COLLAPSE, &action) ||
        !folio_lines_number(lines, FOLIO_PLAN_SINCE_MAX, &since) ||
        !folio_lines_number(lines, FOLIO_PLAN_DOUBLINGS, &doublings))
        return folio_lines_wrong(lines, error, "not an action, a time and doublings");
    mark.action = (FolioPlanAction) action;
    mark.since = (guint) since;
    mark.doublings = (guint) doublings;
    do {
        if (!folio_lines_run(lines, record->owner.n_blocks, &first, &count) ||
            record->marks->len + count > record->owner.n_blocks)
            return folio_lines_wrong(lines, error, "not blocks of the guest");
        for (mark.block = first; mark.block < first + count; mark.block++)
            g_array_append_val(record->marks, mark);
    } while (!folio_lines_at_end(lines));
    return TRUE;
}

/* The numbers of a decision's line, in their order. */
enum {
    BLOCK,
    ORDER,
    HELD,
    SEEN,
    FOOTPRINT,
    IN_USE,
    REACH,
    CONFIDENCE,
    COST_BEFORE,
    COST_NOW,
    DOUBLINGS,
    WINDOW,
    USEC,
    N_NUMBERS
};

static gboolean
take_numbers(FolioLines *lines, guint n_blocks, guint64 *numbers)
{
    const guint64 most[N_NUMBERS] = {
        [BLOCK] = n_blocks - 1,
        [ORDER] = FOLIO_ORDER_HUGE,
        [HELD] = G_MAXUINT8,
        [SEEN] = G_MAXUINT16,
        [FOOTPRINT] = G_MAXUINT16,
        [IN_USE] = G_MAXUINT16 * PARTS,
        [REACH] = G_MAXUINT16 * PARTS,
        [CONFIDENCE] = PARTS,
        [COST_BEFORE] = G_MAXUINT16 * PARTS,
        [COST_NOW] = G_MAXUINT16 * PARTS,
        [DOUBLINGS] = FOLIO_PLAN_DOUBLINGS,
        [WINDOW] = G_MAXUINT32,
        [USEC] = G_MAXINT64,
    };

    for (guint i = 0; i < N_NUMBERS; i++) {
        if (!folio_lines_number(lines, most[i], &numbers[i]))
            return FALSE;
    }
    return n_blocks > 0 && folio_lines_at_end(lines);
}

static gboolean
parse_decision(FolioLines *lines, FolioPlanRecord *record, GError **error)
{
    guint64 numbers[N_NUMBERS];
    guint result, action, cause, verdict;
    FolioPlanDecision decision;

    if (!take_token(lines, token_of_result, FOLIO_PLAN_VOID, &result) ||
        !take_token(lines, token_of_action, FOLIO_PLAN_COLLAPSE, &action) ||
        !take_token(lines, token_of_cause, FOLIO_N_PLAN_CAUSES - 1, &cause) ||
        !take_token(lines, token_of_verdict, FOLIO_VERDICT_DENSE, &verdict) ||
        !take_numbers(lines, record->owner.n_blocks, numbers) ||
        record->decisions->len >= FOLIO_PLAN_DECISIONS)
        return folio_lines_wrong(lines, error, "not a decision, or too many");
    decision = (FolioPlanDecision){
        .step = { .block = (guint) numbers[BLOCK],
                  .action = (FolioPlanAction) action,
                  .order = (guint) numbers[ORDER],
                  .cause = (FolioPlanCause) cause,
                  .verdict = (FolioVerdict) verdict,
                  .held = (guint) numbers[HELD],
                  .seen = (guint) numbers[SEEN],
                  .footprint = (guint) numbers[FOOTPRINT],
                  .in_use = (float) numbers[IN_USE] / PARTS,
                  .reach = (float) numbers[REACH] / PARTS,
                  .confidence = (double) numbers[CONFIDENCE] / PARTS,
                  .cost_before = (float) numbers[COST_BEFORE] / PARTS,
                  .cost_now = (float) numbers[COST_NOW] / PARTS,
                  .doublings = (guint) numbers[DOUBLINGS] },
        .window = (guint32) numbers[WINDOW],
        .usec = (gint64) numbers[USEC],
        .result = (FolioPlanResult) result,
    };
    g_array_append_val(record->decisions, decision);
    return TRUE;
}

static int
compare_blocks(gconstpointer one, gconstpointer other)
{
    const FolioPlanMark *a = one, *b = other;

    return a->block < b->block ? -1 : a->block > b->block;
}

/* Puts the marks in order; FALSE when a block has two. */
static gboolean
order_marks(GArray *marks)
{
    g_array_sort(marks, compare_blocks);
    for (guint i = 1; i < marks->len; i++) {
        if (g_array_index(marks, FolioPlanMark, i).block ==
            g_array_index(marks, FolioPlanMark, i - 1).block)
            return FALSE;
    }
    return TRUE;
}

FolioPlanRecord *
folio_plan_file_parse(const char *text, gsize length, GError **error)
{
    g_autoptr(FolioPlanRecord) record = folio_plan_record_new();
    g_auto(FolioLines) lines = { 0 };

    if (!folio_lines_open(&lines, text, length, error) ||
        !parse_owner(&lines, &record->owner, error))
        return NULL;
    while (folio_lines_take(&lines, "acted")) {
        if (!parse_acted(&lines, record, error))
            return NULL;
    }
    while (folio_lines_take(&lines, "decision")) {
        if (!parse_decision(&lines, record, error))
            return NULL;
    }
    if (*lines.next == '\0' && order_marks(record->marks))
        return g_steal_pointer(&record);
    lines.line++;
    folio_lines_wrong(&lines, error, "not known here, or a block twice");
    return NULL;
}
