/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What may be said of one guest: names and values. */
#include "hint-set.h"

#include <string.h>

/* As in the pattern of data/foliod-policy.rng. */
#define RATE_DIGITS_MAX  6
#define SPLIT_ORDER_MAX  8
#define SPARSE_BELOW_MAX 512

static const struct {
    const char *name;
    const char *key;
    const char *allowed;
} table[FOLIO_N_HINTS] = {
    [FOLIO_HINT_MODE] = { "mode", "Mode", "off, observe, split, collapse, adaptive" },
    [FOLIO_HINT_SPLIT_ORDER] = { "split-order", "SplitOrder", "0 to 8" },
    [FOLIO_HINT_SPARSE_BELOW] = { "sparse-below", "SparseBelow", "1 to 512" },
    [FOLIO_HINT_MAX_RATE] = { "max-rate", "MaxRate",
                              "bytes per second such as 64M: up to six digits, then K, M, G or T" },
    [FOLIO_HINT_KHUGEPAGED] = { "khugepaged", "Khugepaged", "auto, keep, strict" },
};

static const char rate_units[] = "KMGT";

static const char *const khugepaged_tokens[] = {
    [FOLIO_KHUGEPAGED_KEEP] = "keep",
    [FOLIO_KHUGEPAGED_AUTO] = "auto",
    [FOLIO_KHUGEPAGED_STRICT] = "strict",
};

const char *
folio_hint_name(FolioHint hint)
{
    return table[hint].name;
}

const char *
folio_hint_key(FolioHint hint)
{
    return table[hint].key;
}

char *
folio_hint_list(const char *(*name)(FolioHint hint))
{
    const char *names[FOLIO_N_HINTS + 1] = { NULL };

    for (guint i = 0; i < FOLIO_N_HINTS; i++)
        names[i] = name((FolioHint) i);
    return g_strjoinv(", ", (char **) names);
}

const char *
folio_hint_allowed(FolioHint hint)
{
    return table[hint].allowed;
}

const char *
folio_hint_allowed_to_guests(FolioHint hint)
{
    return hint == FOLIO_HINT_KHUGEPAGED ? "auto, keep" : folio_hint_allowed(hint);
}

gboolean
folio_hint_from_name(const char *name, FolioHint *hint)
{
    for (guint i = 0; i < FOLIO_N_HINTS; i++) {
        if (g_str_equal(table[i].name, name)) {
            *hint = (FolioHint) i;
            return TRUE;
        }
    }
    return FALSE;
}

const char *
folio_khugepaged_token(FolioKhugepaged khugepaged)
{
    return khugepaged_tokens[khugepaged];
}

gboolean
folio_hints_has(const FolioHints *hints, FolioHint hint)
{
    return (hints->set & 1u << hint) != 0;
}

/* Digits only, at most six of them, and no zero before others. */
static gboolean
read_number(const char *text, gsize length, guint64 min, guint64 max, guint64 *number)
{
    guint64 value = 0;

    if (length == 0 || length > RATE_DIGITS_MAX || (text[0] == '0' && length > 1))
        return FALSE;
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isdigit(text[i]))
            return FALSE;
        value = value * 10 + (guint64) g_ascii_digit_value(text[i]);
    }
    *number = value;
    return value >= min && value <= max;
}

static gboolean
read_rate(const char *text, guint64 *rate)
{
    gsize length = strlen(text);
    const char *unit = length > 0 ? strchr(rate_units, text[length - 1]) : NULL;
    guint64 number;

    if (unit == NULL || !read_number(text, length - 1, 1, G_MAXUINT64, &number))
        return FALSE;
    *rate = number << (10 * (unit - rate_units + 1));
    return TRUE;
}

static gboolean
read_khugepaged(const char *text, FolioKhugepaged *khugepaged)
{
    for (gsize i = 0; i < G_N_ELEMENTS(khugepaged_tokens); i++) {
        if (g_str_equal(text, khugepaged_tokens[i])) {
            *khugepaged = (FolioKhugepaged) i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean
read_value(FolioHints *hints, FolioHint hint, const char *value)
{
    guint64 number;

    switch (hint) {
    case FOLIO_HINT_MODE:
        return folio_mode_parse(value, &hints->mode, NULL);
    case FOLIO_HINT_SPLIT_ORDER:
        if (!read_number(value, strlen(value), 0, SPLIT_ORDER_MAX, &number))
            return FALSE;
        hints->split_order = (guint) number;
        return TRUE;
    case FOLIO_HINT_SPARSE_BELOW:
        if (!read_number(value, strlen(value), 1, SPARSE_BELOW_MAX, &number))
            return FALSE;
        hints->sparse_below = (guint) number;
        return TRUE;
    case FOLIO_HINT_MAX_RATE:
        return read_rate(value, &hints->max_rate);
    case FOLIO_HINT_KHUGEPAGED:
        return read_khugepaged(value, &hints->khugepaged);
    case FOLIO_N_HINTS:
    default:
        g_assert_not_reached();
    }
}

gboolean
folio_hints_read(FolioHints *hints, FolioHint hint, const char *value)
{
    if (!read_value(hints, hint, value))
        return FALSE;
    hints->set |= 1u << hint;
    return TRUE;
}

gboolean
folio_hints_read_of_guest(FolioHints *hints, FolioHint hint, const char *value)
{
    FolioHints read = *hints;

    if (!folio_hints_read(&read, hint, value) ||
        (hint == FOLIO_HINT_KHUGEPAGED && read.khugepaged == FOLIO_KHUGEPAGED_STRICT))
        return FALSE;
    *hints = read;
    return TRUE;
}

void
folio_hints_take(FolioHints *hints, const FolioHints *from, FolioHint hint)
{
    switch (hint) {
    case FOLIO_HINT_MODE:
        hints->mode = from->mode;
        break;
    case FOLIO_HINT_SPLIT_ORDER:
        hints->split_order = from->split_order;
        break;
    case FOLIO_HINT_SPARSE_BELOW:
        hints->sparse_below = from->sparse_below;
        break;
    case FOLIO_HINT_MAX_RATE:
        hints->max_rate = from->max_rate;
        break;
    case FOLIO_HINT_KHUGEPAGED:
        hints->khugepaged = from->khugepaged;
        break;
    case FOLIO_N_HINTS:
    default:
        g_assert_not_reached();
    }
    hints->set |= 1u << hint;
}

/* The largest unit that leaves a whole number; what was read always has one. */
static char *
print_rate(guint64 rate)
{
    guint unit = 0;

    while (unit + 1 < strlen(rate_units) && rate % (1024ULL << (10 * (unit + 1))) == 0)
        unit++;
    return g_strdup_printf("%" G_GUINT64_FORMAT "%c", rate >> (10 * (unit + 1)), rate_units[unit]);
}

char *
folio_hints_print(const FolioHints *hints, FolioHint hint)
{
    switch (hint) {
    case FOLIO_HINT_MODE:
        return g_strdup(folio_mode_to_string(hints->mode));
    case FOLIO_HINT_SPLIT_ORDER:
        return g_strdup_printf("%u", hints->split_order);
    case FOLIO_HINT_SPARSE_BELOW:
        return g_strdup_printf("%u", hints->sparse_below);
    case FOLIO_HINT_MAX_RATE:
        return print_rate(hints->max_rate);
    case FOLIO_HINT_KHUGEPAGED:
        return g_strdup(folio_khugepaged_token(hints->khugepaged));
    case FOLIO_N_HINTS:
    default:
        g_assert_not_reached();
    }
}

gboolean
folio_hints_equal(const FolioHints *a, const FolioHints *b)
{
    if (a->set != b->set)
        return FALSE;
    for (guint i = 0; i < FOLIO_N_HINTS; i++) {
        g_autofree char *one = NULL;
        g_autofree char *other = NULL;

        if (!folio_hints_has(a, (FolioHint) i))
            continue;
        one = folio_hints_print(a, (FolioHint) i);
        other = folio_hints_print(b, (FolioHint) i);
        if (!g_str_equal(one, other))
            return FALSE;
    }
    return TRUE;
}
