/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of a block's state when something is done to it. */
#include "act/ledger-record.h"

#include "base/error.h"

#include <string.h>

/* The chunks of one run follow each other well within this; 64 actions would else be 64 chunks. */
#define SAME_ACTION_SECONDS 60

static void
ram_free(gpointer data)
{
    FolioLedgerRam *ram = data;

    g_free(ram->id);
    g_free(ram->states);
    g_free(ram);
}

static void
action_clear(gpointer data)
{
    g_free(((FolioLedgerAction *) data)->by);
}

GArray *
folio_ledger_actions_new(void)
{
    GArray *actions = g_array_new(FALSE, FALSE, sizeof(FolioLedgerAction));

    g_array_set_clear_func(actions, action_clear);
    return actions;
}

GArray *
folio_ledger_actions_copy(GArray *actions)
{
    GArray *copy = folio_ledger_actions_new();

    for (guint i = 0; i < actions->len; i++) {
        FolioLedgerAction action = g_array_index(actions, FolioLedgerAction, i);

        action.by = g_strdup(action.by);
        g_array_append_val(copy, action);
    }
    return copy;
}

FolioLedgerRecord *
folio_ledger_record_new(const char *uuid, const char *boot, pid_t pid, guint64 start_time)
{
    FolioLedgerRecord *record = g_new0(FolioLedgerRecord, 1);

    record->uuid = g_strdup(uuid);
    record->boot = g_strdup(boot);
    record->pid = pid;
    record->start_time = start_time;
    record->rams = g_ptr_array_new_with_free_func(ram_free);
    record->actions = folio_ledger_actions_new();
    return record;
}

FolioLedgerRecord *
folio_ledger_record_copy(const FolioLedgerRecord *record)
{
    FolioLedgerRecord *copy =
        folio_ledger_record_new(record->uuid, record->boot, record->pid, record->start_time);

    copy->thp = record->thp;
    copy->counters = record->counters;
    for (guint i = 0; i < record->rams->len; i++) {
        const FolioLedgerRam *ram = record->rams->pdata[i];
        FolioLedgerRam *added = g_memdup2(ram, sizeof *ram);

        added->id = g_strdup(ram->id);
        added->states = g_memdup2(ram->states, ram->n_blocks);
        g_ptr_array_add(copy->rams, added);
    }
    g_array_unref(copy->actions);
    copy->actions = folio_ledger_actions_copy(record->actions);
    return copy;
}

void
folio_ledger_record_free(FolioLedgerRecord *record)
{
    g_ptr_array_unref(record->rams);
    g_array_unref(record->actions);
    g_free(record->uuid);
    g_free(record->boot);
    g_free(record);
}

FolioLedgerRam *
folio_ledger_record_add_ram(FolioLedgerRecord *record, const char *id, guint64 inode, guint64 bytes)
{
    guint64 room = FOLIO_LEDGER_MAX_BLOCKS;
    FolioLedgerRam *ram;

    for (guint i = 0; i < record->rams->len; i++)
        room -= ((FolioLedgerRam *) record->rams->pdata[i])->n_blocks;
    if (bytes / FOLIO_BLOCK_BYTES > room || record->rams->len >= FOLIO_LEDGER_MAX_RAMS ||
        strlen(id) > FOLIO_LEDGER_MAX_STRING)
        return NULL;
    ram = g_new0(FolioLedgerRam, 1);
    ram->id = g_strdup(id);
    ram->inode = inode;
    ram->bytes = bytes;
    ram->n_blocks = (guint) (bytes / FOLIO_BLOCK_BYTES);
    ram->states = g_malloc0(MAX(ram->n_blocks, 1));
    g_ptr_array_add(record->rams, ram);
    return ram;
}

static gboolean
is_same_ram(const FolioLedgerRam *ram, const FolioRamBlock *block)
{
    return g_str_equal(ram->id, block->id) && ram->inode == block->inode &&
           ram->bytes == block->bytes;
}

static FolioLedgerRam *
find_ram(const FolioLedgerRecord *record, const FolioRamBlock *block)
{
    for (guint i = 0; i < record->rams->len; i++) {
        FolioLedgerRam *ram = record->rams->pdata[i];

        if (is_same_ram(ram, block))
            return ram;
    }
    return NULL;
}

/* The RAM block that all of the range is of; NULL when there is none, or it is not of whole blocks.
 */
static const FolioRamBlock *
find_block(const FolioGuestRam *ram, const FolioBlockRange *range)
{
    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *block = ram->blocks->pdata[i];

        if (range->start >= block->hva && range->start - block->hva < block->bytes)
            return range->bytes > 0 && range->bytes <= block->bytes - (range->start - block->hva) &&
                           (range->start - block->hva) % FOLIO_BLOCK_BYTES == 0 &&
                           range->bytes % FOLIO_BLOCK_BYTES == 0
                       ? block
                       : NULL;
    }
    return NULL;
}

/* The states of the blocks of a range, *n of them; add: also of a RAM block that is new. Without an
 * error NULL says that the record has nothing of that RAM block. */
static guint8 *
find_states(FolioLedgerRecord *record, const FolioGuestRam *guest_ram, const FolioBlockRange *range,
            gboolean add, guint *n, GError **error)
{
    const FolioRamBlock *block = find_block(guest_ram, range);
    FolioLedgerRam *ram;

    if (block == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "ledger of %s: 0x%" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT
                    " bytes: not blocks of one RAM block",
                    record->uuid, range->start, range->bytes);
        return NULL;
    }
    ram = find_ram(record, block);
    if (ram == NULL && add) {
        ram = folio_ledger_record_add_ram(record, block->id, block->inode, block->bytes);
        if (ram == NULL)
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY,
                        "ledger of %s: no room for the RAM block %s", record->uuid, block->id);
    }
    *n = (guint) (range->bytes / FOLIO_BLOCK_BYTES);
    return ram != NULL ? &ram->states[(range->start - block->hva) / FOLIO_BLOCK_BYTES] : NULL;
}

static FolioLedgerAction *
last_action(const FolioLedgerRecord *record, const FolioActRequest *request)
{
    FolioLedgerAction *last;

    if (record->actions->len == 0)
        return NULL;
    last = &g_array_index(record->actions, FolioLedgerAction, record->actions->len - 1);
    return last->kind == request->kind && last->order == request->order &&
                   g_str_equal(last->by, request->by)
               ? last
               : NULL;
}

static void
note_begun(FolioLedgerRecord *record, const FolioActRequest *request, guint64 n_blocks, gint64 now)
{
    FolioLedgerAction *last = last_action(record, request);
    FolioLedgerAction action = { .first = now,
                                 .last = now,
                                 .kind = request->kind,
                                 .order = request->order,
                                 .blocks = n_blocks };

    if (last != NULL && now >= last->last && now - last->last <= SAME_ACTION_SECONDS) {
        last->last = now;
        last->blocks += n_blocks;
        return;
    }
    if (record->actions->len >= FOLIO_LEDGER_ACTIONS)
        g_array_remove_index(record->actions, 0);
    action.by = g_strdup(request->by);
    g_array_append_val(record->actions, action);
}

static guint8
state_begun(guint8 state, guint order)
{
    return (state != 0 ? state : order) | FOLIO_LEDGER_BEGUN;
}

static gboolean
check_request(const FolioLedgerRecord *record, const FolioActRequest *request, GError **error)
{
    const guint max = request->kind == FOLIO_ACT_SPLIT ? FOLIO_ORDER_HUGE - 1 : FOLIO_ORDER_HUGE;

    if (request->order <= max && strlen(request->by) <= FOLIO_LEDGER_MAX_STRING)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "ledger of %s: %s to order %u, for %.64s",
                record->uuid, folio_act_kind_token(request->kind), request->order, request->by);
    return FALSE;
}

gboolean
folio_ledger_record_begin(FolioLedgerRecord *record, const FolioActRequest *request,
                          const FolioBlockRange *ranges, guint n_ranges, gint64 now, GError **error)
{
    const guint order = request->kind == FOLIO_ACT_SPLIT ? request->order : FOLIO_ORDER_HUGE;
    guint64 n_blocks = 0;

    if (!check_request(record, request, error))
        return FALSE;
    folio_ledger_record_prune(record, request->ram, TRUE);
    for (guint i = 0; i < n_ranges; i++) {
        guint n = 0;
        guint8 *states = find_states(record, request->ram, &ranges[i], TRUE, &n, error);

        if (states == NULL)
            return FALSE;
        for (guint j = 0; j < n; j++)
            states[j] = state_begun(states[j], order);
        n_blocks += n;
    }
    note_begun(record, request, n_blocks, now);
    return TRUE;
}

static guint8
state_ended(guint8 state, const FolioActRequest *request, FolioOutcome outcome)
{
    const gboolean was_split = (state & (FOLIO_LEDGER_SPLIT | FOLIO_LEDGER_PERHAPS)) != 0;
    const guint8 before = was_split ? state & ~FOLIO_LEDGER_BEGUN : 0;
    const gboolean split = request->kind == FOLIO_ACT_SPLIT;

    switch (outcome) {
    case FOLIO_OUTCOME_DONE:
        return split ? FOLIO_LEDGER_SPLIT | request->order : 0;
    case FOLIO_OUTCOME_PARTLY:
        return split ? FOLIO_LEDGER_SPLIT | request->order : before;
    case FOLIO_OUTCOME_ALREADY:
    case FOLIO_OUTCOME_ABSENT:
        /* What is huge, or has nothing in it after a collapse, is not split. */
        return split ? before : 0;
    case FOLIO_OUTCOME_GONE:
        if (split)
            return FOLIO_LEDGER_PERHAPS | request->order;
        return was_split ? FOLIO_LEDGER_PERHAPS | (before & FOLIO_LEDGER_ORDER) : 0;
    case FOLIO_OUTCOME_LEFT:
    case FOLIO_N_OUTCOMES:
    default:
        return before;
    }
}

static void
count_outcome(FolioLedgerCounters *counters, FolioActKind kind, FolioOutcome outcome)
{
    if (outcome == FOLIO_OUTCOME_DONE && kind == FOLIO_ACT_SPLIT)
        counters->split++;
    else if (outcome == FOLIO_OUTCOME_DONE)
        counters->collapsed++;
    counters->left += outcome == FOLIO_OUTCOME_LEFT;
    counters->partly += outcome == FOLIO_OUTCOME_PARTLY;
}

gboolean
folio_ledger_record_end(FolioLedgerRecord *record, const FolioActRequest *request,
                        const FolioBlockRange *ranges, guint n_ranges, const FolioOutcome *outcomes,
                        gint64 now, GError **error)
{
    FolioLedgerAction *action = last_action(record, request);
    guint64 n_done = 0;

    if (!check_request(record, request, error))
        return FALSE;
    for (guint i = 0; i < n_ranges; i++) {
        guint n = 0;
        guint8 *states = find_states(record, request->ram, &ranges[i], TRUE, &n, error);

        if (states == NULL)
            return FALSE;
        for (guint j = 0; j < n; j++, outcomes++) {
            states[j] = state_ended(states[j], request, *outcomes);
            count_outcome(&record->counters, request->kind, *outcomes);
            n_done += *outcomes == FOLIO_OUTCOME_DONE;
        }
    }
    if (action != NULL) {
        action->last = MAX(action->last, now);
        action->done += n_done;
    }
    return TRUE;
}

static guint8
state_seen(guint8 state, gboolean huge)
{
    if (state == 0 || (state & FOLIO_LEDGER_BEGUN))
        return state;
    /* Of order 9: it was to be collapsed, and was not; foliod has not split it. */
    if (huge || (state & FOLIO_LEDGER_ORDER) == FOLIO_ORDER_HUGE)
        return 0;
    return FOLIO_LEDGER_SPLIT | (state & FOLIO_LEDGER_ORDER);
}

gboolean
folio_ledger_record_look(FolioLedgerRecord *record, const FolioGuestRam *ram,
                         const FolioLedgerSight *sights, guint n_sights, gboolean change)
{
    gboolean any = FALSE;

    for (guint i = 0; i < n_sights; i++) {
        const FolioBlockRange range = { .start = sights[i].address, .bytes = FOLIO_BLOCK_BYTES };
        guint n = 0;
        guint8 *state = find_states(record, ram, &range, FALSE, &n, NULL);
        guint8 after;

        if (state == NULL)
            continue;
        after = state_seen(*state, sights[i].huge);
        any = any || after != *state;
        if (!change)
            continue;
        record->counters.recollapsed += after == 0 && (*state & FOLIO_LEDGER_SPLIT);
        *state = after;
    }
    return any;
}

static int
compare_ranges(gconstpointer a, gconstpointer b)
{
    const guint64 first = ((const FolioBlockRange *) a)->start;
    const guint64 second = ((const FolioBlockRange *) b)->start;

    return first < second ? -1 : first > second;
}

static void
append_split(GArray *ranges, const FolioLedgerRam *ram, guint64 hva)
{
    for (guint i = 0; i < ram->n_blocks; i++) {
        FolioBlockRange range = { .start = hva + i * FOLIO_BLOCK_BYTES };
        const guint first = i;

        while (i < ram->n_blocks && ram->states[i] != 0)
            i++;
        range.bytes = (i - first) * FOLIO_BLOCK_BYTES;
        if (range.bytes > 0)
            g_array_append_val(ranges, range);
    }
}

GArray *
folio_ledger_record_get_split(const FolioLedgerRecord *record, const FolioGuestRam *ram)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));

    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *block = ram->blocks->pdata[i];
        const FolioLedgerRam *found = find_ram(record, block);

        if (found != NULL)
            append_split(ranges, found, block->hva);
    }
    g_array_sort(ranges, compare_ranges);
    return ranges;
}

gboolean
folio_ledger_record_find_split(const FolioLedgerRecord *record, const FolioRamBlock *block,
                               guint64 from, guint64 *address, guint *order)
{
    const FolioLedgerRam *ram = find_ram(record, block);
    const guint64 first = from > block->hva ? (from - block->hva) / FOLIO_BLOCK_BYTES +
                                                  ((from - block->hva) % FOLIO_BLOCK_BYTES > 0)
                                            : 0;

    for (guint64 i = first; ram != NULL && i < ram->n_blocks; i++) {
        if ((ram->states[i] & ~FOLIO_LEDGER_ORDER) != FOLIO_LEDGER_SPLIT)
            continue;
        *address = block->hva + i * FOLIO_BLOCK_BYTES;
        *order = ram->states[i] & FOLIO_LEDGER_ORDER;
        return TRUE;
    }
    return FALSE;
}

static gboolean
is_of(const FolioLedgerRam *ram, const FolioGuestRam *guest_ram)
{
    for (guint i = 0; i < guest_ram->blocks->len; i++) {
        if (is_same_ram(ram, guest_ram->blocks->pdata[i]))
            return TRUE;
    }
    return FALSE;
}

gboolean
folio_ledger_record_prune(FolioLedgerRecord *record, const FolioGuestRam *ram, gboolean change)
{
    gboolean found = FALSE;

    for (guint i = record->rams->len; i-- > 0;) {
        if (is_of(record->rams->pdata[i], ram))
            continue;
        found = TRUE;
        if (change)
            g_ptr_array_remove_index(record->rams, i);
    }
    return found;
}

guint64
folio_ledger_record_count(const FolioLedgerRecord *record)
{
    guint64 n = 0;

    for (guint i = 0; i < record->rams->len; i++) {
        const FolioLedgerRam *ram = record->rams->pdata[i];

        for (guint j = 0; j < ram->n_blocks; j++)
            n += ram->states[j] != 0;
    }
    return n;
}
