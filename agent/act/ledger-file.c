/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Printing and parsing the ledger's files. */
#include "act/ledger-file.h"

#include "act/ledger-lines.h"

#include <string.h>

#define MAGIC    "foliod-ledger 1"
#define N_ORDERS (FOLIO_ORDER_HUGE + 1)

void
folio_ledger_knob_free(FolioLedgerKnob *knob)
{
    g_free(knob->path);
    g_free(knob->original);
    g_free(knob->ours);
    g_free(knob);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioLedgerKnob, folio_ledger_knob_free)

static void
append_string(GString *text, const char *string)
{
    g_autofree char *escaped = g_uri_escape_string(string, NULL, FALSE);

    g_string_append_printf(text, " %s", escaped);
}

static const char *
word_of(guint8 state)
{
    return (state & ~FOLIO_LEDGER_ORDER) == FOLIO_LEDGER_SPLIT ? "split" : "perhaps";
}

/* Blocks that make one run in the text: those with the same word and order. */
static gboolean
same_in_text(guint8 a, guint8 b)
{
    return a != 0 && b != 0 && (a & FOLIO_LEDGER_ORDER) == (b & FOLIO_LEDGER_ORDER) &&
           word_of(a) == word_of(b);
}

static void
append_run(GString **lines, guint8 state, guint first, guint count)
{
    const guint order = state & FOLIO_LEDGER_ORDER;
    GString **line = &lines[2 * order + (*word_of(state) == 's' ? 0 : 1)];

    if (*line == NULL) {
        *line = g_string_new(NULL);
        g_string_append_printf(*line, "%s %u", word_of(state), order);
    }
    folio_lines_append_run(*line, first, count);
}

static void
append_ram(GString *text, const FolioLedgerRam *ram)
{
    GString *lines[2 * N_ORDERS] = { NULL };

    g_string_append_printf(text, "ram %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, ram->inode,
                           ram->bytes);
    append_string(text, ram->id);
    g_string_append_c(text, '\n');
    for (guint i = 0, next; i < ram->n_blocks; i = next) {
        next = i + 1;
        while (next < ram->n_blocks && same_in_text(ram->states[i], ram->states[next]))
            next++;
        if (ram->states[i] != 0)
            append_run(lines, ram->states[i], i, next - i);
    }
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        if (lines[i] == NULL)
            continue;
        g_string_append_len(text, lines[i]->str, (gssize) lines[i]->len);
        g_string_append_c(text, '\n');
        g_string_free(lines[i], TRUE);
    }
}

static void
append_action(GString *text, const FolioLedgerAction *action)
{
    g_string_append_printf(text,
                           "action %s %u %" G_GINT64_FORMAT " %" G_GINT64_FORMAT
                           " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                           folio_act_kind_token(action->kind), action->order, action->first,
                           action->last, action->blocks, action->done);
    append_string(text, action->by);
    g_string_append_c(text, '\n');
}

GString *
folio_ledger_file_print_guest(const FolioLedgerRecord *record)
{
    const FolioLedgerCounters *counters = &record->counters;
    const FolioLedgerThp *thp = &record->thp;
    const FolioLinesOwner owner = { record->uuid, record->boot, record->pid, record->start_time };
    GString *text = g_string_new(NULL);

    folio_lines_append_owner(text, MAGIC, &owner);
    g_string_append_printf(text, "thp %d %d %d\n", thp->changed != FALSE,
                           thp->khugepaged_before != FALSE, thp->enabled_before != FALSE);
    g_string_append_printf(text,
                           "counters %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                           " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
                           counters->split, counters->collapsed, counters->left, counters->partly,
                           counters->recollapsed);
    for (guint i = 0; i < record->rams->len; i++)
        append_ram(text, record->rams->pdata[i]);
    for (guint i = 0; i < record->actions->len; i++)
        append_action(text, &g_array_index(record->actions, FolioLedgerAction, i));
    folio_lines_seal(text);
    return text;
}

GString *
folio_ledger_file_print_host(const char *boot, GPtrArray *knobs)
{
    GString *text = g_string_new(MAGIC " host\n");

    g_string_append_printf(text, "boot %s\n", boot);
    for (guint i = 0; i < knobs->len; i++) {
        const FolioLedgerKnob *knob = knobs->pdata[i];

        g_string_append(text, "knob");
        append_string(text, knob->path);
        append_string(text, knob->original);
        append_string(text, knob->ours);
        g_string_append_c(text, '\n');
    }
    folio_lines_seal(text);
    return text;
}

static gboolean
parse_run(FolioLines *lines, FolioLedgerRam *ram, guint8 state)
{
    guint first, count;

    if (!folio_lines_run(lines, ram->n_blocks, &first, &count))
        return FALSE;
    for (guint i = first; i < first + count; i++) {
        if (ram->states[i] != 0)
            return FALSE;
        ram->states[i] = state;
    }
    return TRUE;
}

/* "split" is of orders below 9. */
static gboolean
parse_runs(FolioLines *lines, FolioLedgerRam *ram, guint8 flag, GError **error)
{
    const guint max = flag == FOLIO_LEDGER_SPLIT ? FOLIO_ORDER_HUGE - 1 : FOLIO_ORDER_HUGE;
    guint64 order;

    if (!folio_lines_number(lines, max, &order))
        return folio_lines_wrong(lines, error, "no order");
    do {
        if (!parse_run(lines, ram, (guint8) (flag | order)))
            return folio_lines_wrong(lines, error, "not blocks of their RAM, or twice the same");
    } while (!folio_lines_at_end(lines));
    return TRUE;
}

static gboolean
parse_ram(FolioLines *lines, FolioLedgerRecord *record, GError **error)
{
    guint64 numbers[2];
    g_autofree char *id =
        folio_lines_numbers(lines, G_MAXUINT64, numbers, 2) ? folio_lines_string(lines) : NULL;
    FolioLedgerRam *ram;

    if (id == NULL || *id == '\0' || !folio_lines_at_end(lines))
        return folio_lines_wrong(lines, error, "not a RAM block");
    ram = folio_ledger_record_add_ram(record, id, numbers[0], numbers[1]);
    if (ram == NULL)
        return folio_lines_wrong(lines, error, "too many RAM blocks, or too large");
    for (;;) {
        if (folio_lines_take(lines, "split")) {
            if (!parse_runs(lines, ram, FOLIO_LEDGER_SPLIT, error))
                return FALSE;
        } else if (folio_lines_take(lines, "perhaps")) {
            if (!parse_runs(lines, ram, FOLIO_LEDGER_PERHAPS, error))
                return FALSE;
        } else {
            return TRUE;
        }
    }
}

static gboolean
kind_from_token(const char *token, FolioActKind *kind)
{
    for (guint i = FOLIO_ACT_SPLIT; i <= FOLIO_ACT_RESTORE; i++) {
        *kind = (FolioActKind) i;
        if (g_str_equal(token, folio_act_kind_token(*kind)))
            return TRUE;
    }
    return FALSE;
}

static gboolean
parse_action(FolioLines *lines, FolioLedgerRecord *record, GError **error)
{
    FolioLedgerAction action = { 0 };
    guint64 order, numbers[4];

    if (record->actions->len >= FOLIO_LEDGER_ACTIONS)
        return folio_lines_wrong(lines, error, "too many actions");
    if (!kind_from_token(folio_lines_field(lines), &action.kind) ||
        !folio_lines_number(lines, FOLIO_ORDER_HUGE, &order) ||
        !folio_lines_numbers(lines, G_MAXINT64, numbers, G_N_ELEMENTS(numbers)))
        return folio_lines_wrong(lines, error, "not an action");
    action.by = folio_lines_string(lines);
    if (action.by == NULL || !folio_lines_at_end(lines)) {
        g_free(action.by);
        return folio_lines_wrong(lines, error, "nobody wanted this action");
    }
    action.order = (guint) order;
    action.first = (gint64) numbers[0];
    action.last = (gint64) numbers[1];
    action.blocks = numbers[2];
    action.done = numbers[3];
    g_array_append_val(record->actions, action);
    return TRUE;
}

static FolioLedgerRecord *
parse_process(FolioLines *lines, GError **error)
{
    g_auto(FolioLinesOwner) owner = { 0 };

    if (!folio_lines_take_owner(lines, MAGIC, &owner, error))
        return NULL;
    return folio_ledger_record_new(owner.uuid, owner.boot, owner.pid, owner.start_time);
}

static gboolean
parse_numbers(FolioLines *lines, FolioLedgerRecord *record, GError **error)
{
    FolioLedgerCounters *counters = &record->counters;
    guint64 thp[3], numbers[5];

    if (!folio_lines_take(lines, "thp") || !folio_lines_numbers(lines, 1, thp, 3) ||
        !folio_lines_at_end(lines))
        return folio_lines_wrong(lines, error, "no THP setting");
    record->thp.changed = thp[0] != 0;
    record->thp.khugepaged_before = thp[1] != 0;
    record->thp.enabled_before = thp[2] != 0;
    if (!folio_lines_take(lines, "counters") ||
        !folio_lines_numbers(lines, G_MAXUINT64, numbers, 5) || !folio_lines_at_end(lines))
        return folio_lines_wrong(lines, error, "no counters");
    counters->split = numbers[0];
    counters->collapsed = numbers[1];
    counters->left = numbers[2];
    counters->partly = numbers[3];
    counters->recollapsed = numbers[4];
    return TRUE;
}

FolioLedgerRecord *
folio_ledger_file_parse_guest(const char *text, gsize length, GError **error)
{
    g_autoptr(FolioLedgerRecord) record = NULL;
    g_auto(FolioLines) lines = { 0 };

    if (!folio_lines_open(&lines, text, length, error))
        return NULL;
    record = parse_process(&lines, error);
    if (record == NULL || !parse_numbers(&lines, record, error))
        return NULL;
    while (folio_lines_take(&lines, "ram")) {
        if (!parse_ram(&lines, record, error))
            return NULL;
    }
    while (folio_lines_take(&lines, "action")) {
        if (!parse_action(&lines, record, error))
            return NULL;
    }
    if (*lines.next == '\0')
        return g_steal_pointer(&record);
    lines.line++;
    folio_lines_wrong(&lines, error, "not known here");
    return NULL;
}

static gboolean
parse_knob(FolioLines *lines, GPtrArray *knobs, GError **error)
{
    g_autoptr(FolioLedgerKnob) knob = g_new0(FolioLedgerKnob, 1);

    knob->path = folio_lines_string(lines);
    knob->original = folio_lines_string(lines);
    knob->ours = folio_lines_string(lines);
    if (knob->path == NULL || *knob->path != '/' || knob->original == NULL || knob->ours == NULL ||
        !folio_lines_at_end(lines) || knobs->len >= FOLIO_LEDGER_MAX_KNOBS)
        return folio_lines_wrong(lines, error, "not a knob, or too many");
    g_ptr_array_add(knobs, g_steal_pointer(&knob));
    return TRUE;
}

GPtrArray *
folio_ledger_file_parse_host(const char *text, gsize length, char **boot, GError **error)
{
    g_autoptr(GPtrArray) knobs =
        g_ptr_array_new_with_free_func((GDestroyNotify) folio_ledger_knob_free);
    g_autofree char *found = NULL;
    g_auto(FolioLines) lines = { 0 };

    if (!folio_lines_open(&lines, text, length, error))
        return NULL;
    if (!folio_lines_take(&lines, MAGIC) || !g_str_equal(lines.at, "host")) {
        folio_lines_wrong(&lines, error, "not a host's ledger of this version");
        return NULL;
    }
    found = folio_lines_take_boot(&lines);
    if (found == NULL) {
        folio_lines_wrong(&lines, error, "no boot");
        return NULL;
    }
    while (folio_lines_take(&lines, "knob")) {
        if (!parse_knob(&lines, knobs, error))
            return NULL;
    }
    if (*lines.next != '\0') {
        lines.line++;
        folio_lines_wrong(&lines, error, "not known here");
        return NULL;
    }
    *boot = g_steal_pointer(&found);
    return g_steal_pointer(&knobs);
}
