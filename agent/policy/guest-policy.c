/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to be done with a guest, out of all that is said of it. */
#include "policy/guest-policy.h"

/* What a mode does. */
enum { LOOKS = 1 << 0, SPLITS = 1 << 1, COLLAPSES = 1 << 2 };

static const guint deeds[] = {
    [FOLIO_MODE_OFF] = 0,
    [FOLIO_MODE_OBSERVE] = LOOKS,
    [FOLIO_MODE_SPLIT] = LOOKS | SPLITS,
    [FOLIO_MODE_COLLAPSE] = LOOKS | COLLAPSES,
    [FOLIO_MODE_ADAPTIVE] = LOOKS | SPLITS | COLLAPSES,
};

const char *
folio_policy_from_token(FolioPolicyFrom from)
{
    static const char *const tokens[] = { "default", "drop-in", "nova", "metadata",
                                          "administrator" };

    return tokens[from];
}

/* What both modes do. */
static FolioMode
common_mode(FolioMode a, FolioMode b)
{
    guint wanted = deeds[a] & deeds[b];
    gsize mode = 0;

    while (deeds[mode] != wanted)
        mode++;
    return (FolioMode) mode;
}

FolioMode
folio_mode_in_force(FolioMode mode, gboolean can_split, gboolean can_collapse)
{
    if (can_split && can_collapse)
        return common_mode(mode, FOLIO_MODE_ADAPTIVE);
    if (can_split)
        return common_mode(mode, FOLIO_MODE_SPLIT);
    return common_mode(mode, can_collapse ? FOLIO_MODE_COLLAPSE : FOLIO_MODE_OBSERVE);
}

static gboolean
is_hint(FolioPolicyFrom from)
{
    return from == FOLIO_FROM_NOVA || from == FOLIO_FROM_METADATA;
}

/* Makes values no firmer in that respect than the default. */
static void
cap(FolioHints *values, FolioHint hint, const FolioHints *bound, FolioMode ceiling)
{
    switch (hint) {
    case FOLIO_HINT_MODE:
        values->mode = common_mode(values->mode, ceiling);
        break;
    case FOLIO_HINT_SPLIT_ORDER:
        values->split_order = MAX(values->split_order, bound->split_order);
        break;
    case FOLIO_HINT_SPARSE_BELOW:
        values->sparse_below = MIN(values->sparse_below, bound->sparse_below);
        break;
    case FOLIO_HINT_MAX_RATE:
        values->max_rate = MIN(values->max_rate, bound->max_rate);
        break;
    case FOLIO_HINT_KHUGEPAGED:
        values->khugepaged = MIN(values->khugepaged, MIN(bound->khugepaged, FOLIO_KHUGEPAGED_AUTO));
        break;
    case FOLIO_N_HINTS:
    default:
        g_assert_not_reached();
    }
}

/* What kept values at what they are: "by SplitOrder=2". */
static char *
name_limit(const FolioHints *values, FolioHint hint, const FolioPolicyInput *input)
{
    const FolioHints *bound = input->said[FOLIO_FROM_DEFAULT];
    g_autofree char *limit = NULL;

    if (hint == FOLIO_HINT_MODE)
        return g_strdup_printf("by HintCeiling=%s", folio_mode_to_string(input->ceiling));
    if (hint == FOLIO_HINT_KHUGEPAGED && values->khugepaged < bound->khugepaged)
        return g_strdup("since no hint can ask for more");
    limit = folio_hints_print(bound, hint);
    return g_strdup_printf("by %s=%s", folio_hint_key(hint), limit);
}

/* "split-order=0 (metadata) is capped to 2 by SplitOrder=2" */
static void
cap_and_tell(FolioHints *values, FolioHint hint, FolioPolicyFrom from,
             const FolioPolicyInput *input, GString *capped)
{
    g_autofree char *asked = folio_hints_print(values, hint);
    g_autofree char *got = NULL;
    g_autofree char *limit = NULL;

    cap(values, hint, input->said[FOLIO_FROM_DEFAULT], input->ceiling);
    got = folio_hints_print(values, hint);
    if (g_str_equal(asked, got))
        return;
    limit = name_limit(values, hint, input);
    g_string_append_printf(capped, "%s%s=%s (%s) is capped to %s %s", capped->len > 0 ? "; " : "",
                           folio_hint_name(hint), asked, folio_policy_from_token(from), got, limit);
}

static FolioPolicyFrom
last_who_said(const FolioPolicyInput *input, FolioHint hint)
{
    gsize from = FOLIO_N_FROM - 1;

    while (from > FOLIO_FROM_DEFAULT &&
           (input->said[from] == NULL || !folio_hints_has(input->said[from], hint)))
        from--;
    return (FolioPolicyFrom) from;
}

FolioGuestPolicy *
folio_guest_policy_resolve(const FolioPolicyInput *input)
{
    FolioGuestPolicy *policy = g_new0(FolioGuestPolicy, 1);
    g_autoptr(GString) capped = g_string_new(NULL);

    for (guint i = 0; i < FOLIO_N_HINTS; i++) {
        const FolioHint hint = (FolioHint) i;
        const FolioPolicyFrom from = last_who_said(input, hint);

        policy->from[hint] = from;
        folio_hints_take(&policy->values, input->said[from], hint);
        if (is_hint(from))
            cap_and_tell(&policy->values, hint, from, input, capped);
    }
    policy->capped = g_string_free(g_steal_pointer(&capped), FALSE);
    return policy;
}

gboolean
folio_guest_policy_equal(const FolioGuestPolicy *a, const FolioGuestPolicy *b)
{
    for (guint i = 0; i < FOLIO_N_HINTS; i++) {
        if (a->from[i] != b->from[i])
            return FALSE;
    }
    return folio_hints_equal(&a->values, &b->values) && g_str_equal(a->capped, b->capped);
}

gboolean
folio_guest_policy_is_default(const FolioGuestPolicy *policy)
{
    for (guint i = 0; i < FOLIO_N_HINTS; i++) {
        if (policy->from[i] != FOLIO_FROM_DEFAULT)
            return FALSE;
    }
    return TRUE;
}

char *
folio_guest_policy_describe(const FolioGuestPolicy *policy)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < FOLIO_N_HINTS; i++) {
        g_autofree char *value = folio_hints_print(&policy->values, (FolioHint) i);

        if (i == FOLIO_HINT_MODE || policy->from[i] != FOLIO_FROM_DEFAULT)
            g_string_append_printf(text, "%s%s=%s (%s)", text->len > 0 ? ", " : "",
                                   folio_hint_name((FolioHint) i), value,
                                   folio_policy_from_token(policy->from[i]));
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

void
folio_guest_policy_free(FolioGuestPolicy *policy)
{
    g_free(policy->capped);
    g_free(policy);
}
