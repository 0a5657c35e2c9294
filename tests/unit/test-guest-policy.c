/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy/guest-policy: who counts, and what bounds whom. */
#include "cmocka-all.h"
#include "policy/guest-policy.h"

/* A set of hints as "mode=split max-rate=64M"; NULL says nothing. */
static const FolioHints *
hints(const char *text, FolioHints *into)
{
    g_auto(GStrv) words = g_strsplit(text != NULL ? text : "", " ", -1);

    memset(into, 0, sizeof *into);
    for (char **word = words; *word != NULL && **word != '\0'; word++) {
        g_auto(GStrv) pair = g_strsplit(*word, "=", 2);
        FolioHint hint;

        assert_true(folio_hint_from_name(pair[0], &hint));
        assert_true(folio_hints_read(into, hint, pair[1]));
    }
    return text != NULL ? into : NULL;
}

#define DEFAULT "mode=observe split-order=2 sparse-below=100 max-rate=256M khugepaged=auto"
#define STRICT  "mode=observe split-order=2 sparse-below=100 max-rate=256M khugepaged=strict"

typedef struct {
    const char *said[FOLIO_N_FROM]; /* from the default on */
    FolioMode ceiling;
    const char *values; /* what comes out, in the order of FolioHint */
    const char *from;   /* of the mode */
    const char *capped;
} Case;

#define REST  " 2 100 256M auto"
#define NOVA  FOLIO_FROM_NOVA
#define ADMIN FOLIO_FROM_ADMINISTRATOR
#define META  FOLIO_FROM_METADATA
#define DROP  FOLIO_FROM_DROP_IN

static const Case cases[] = {
    /* Nobody says anything. */
    { { DEFAULT }, FOLIO_MODE_ADAPTIVE, "observe" REST, "default", "" },
    { { "mode=split split-order=0 sparse-below=512 max-rate=1G khugepaged=keep" },
      FOLIO_MODE_OBSERVE,
      "split 0 512 1G keep",
      "default",
      "" },
    /* Precedence, from below. */
    { { DEFAULT, [DROP] = "mode=split" }, FOLIO_MODE_ADAPTIVE, "split" REST, "drop-in", "" },
    { { DEFAULT, [DROP] = "mode=split", [NOVA] = "mode=collapse" },
      FOLIO_MODE_ADAPTIVE,
      "collapse" REST,
      "nova",
      "" },
    { { DEFAULT, [DROP] = "mode=split", [NOVA] = "mode=collapse", [META] = "mode=adaptive" },
      FOLIO_MODE_ADAPTIVE,
      "adaptive" REST,
      "metadata",
      "" },
    { { DEFAULT, [DROP] = "mode=split", [NOVA] = "mode=collapse", [META] = "mode=adaptive",
        [ADMIN] = "mode=off" },
      FOLIO_MODE_ADAPTIVE,
      "off" REST,
      "administrator",
      "" },
    /* Each thing by itself: who says one leaves the others to those below. */
    { { DEFAULT, [DROP] = "split-order=5", [NOVA] = "max-rate=1M", [META] = "mode=split",
        [ADMIN] = "mode=collapse" },
      FOLIO_MODE_ADAPTIVE,
      "collapse 5 100 1M auto",
      "administrator",
      "" },
    { { DEFAULT, [META] = "" }, FOLIO_MODE_ADAPTIVE, "observe" REST, "default", "" },
    /* The ceiling bounds hints, and hints alone. */
    { { DEFAULT, [META] = "mode=adaptive" },
      FOLIO_MODE_SPLIT,
      "split" REST,
      "metadata",
      "mode=adaptive (metadata) is capped to split by HintCeiling=split" },
    { { DEFAULT, [NOVA] = "mode=adaptive" },
      FOLIO_MODE_COLLAPSE,
      "collapse" REST,
      "nova",
      "mode=adaptive (nova) is capped to collapse by HintCeiling=collapse" },
    { { DEFAULT, [META] = "mode=collapse" },
      FOLIO_MODE_SPLIT,
      "observe" REST,
      "metadata",
      "mode=collapse (metadata) is capped to observe by HintCeiling=split" },
    { { DEFAULT, [META] = "mode=split" },
      FOLIO_MODE_OBSERVE,
      "observe" REST,
      "metadata",
      "mode=split (metadata) is capped to observe by HintCeiling=observe" },
    { { DEFAULT, [META] = "mode=observe" }, FOLIO_MODE_OBSERVE, "observe" REST, "metadata", "" },
    { { DEFAULT, [META] = "mode=off" }, FOLIO_MODE_OBSERVE, "off" REST, "metadata", "" },
    { { DEFAULT, [DROP] = "mode=adaptive" }, FOLIO_MODE_OBSERVE, "adaptive" REST, "drop-in", "" },
    { { DEFAULT, [ADMIN] = "mode=adaptive", [META] = "mode=split" },
      FOLIO_MODE_OBSERVE,
      "adaptive" REST,
      "administrator",
      "" },
    /* The host's own values bound hints on the firm side. */
    { { DEFAULT, [META] = "split-order=0 sparse-below=512 max-rate=1T khugepaged=auto" },
      FOLIO_MODE_ADAPTIVE,
      "observe" REST,
      "default",
      "split-order=0 (metadata) is capped to 2 by SplitOrder=2; "
      "sparse-below=512 (metadata) is capped to 100 by SparseBelow=100; "
      "max-rate=1T (metadata) is capped to 256M by MaxRate=256M" },
    { { DEFAULT, [META] = "split-order=8 sparse-below=1 max-rate=1K khugepaged=keep" },
      FOLIO_MODE_ADAPTIVE,
      "observe 8 1 1K keep",
      "default",
      "" },
    { { "mode=observe split-order=2 sparse-below=100 max-rate=256M khugepaged=keep",
        [NOVA] = "khugepaged=auto" },
      FOLIO_MODE_ADAPTIVE,
      "observe 2 100 256M keep",
      "default",
      "khugepaged=auto (nova) is capped to keep by Khugepaged=keep" },
    /* Strict is the administrator's alone, for one guest or for all. */
    { { DEFAULT, [DROP] = "khugepaged=strict" },
      FOLIO_MODE_ADAPTIVE,
      "observe 2 100 256M strict",
      "default",
      "" },
    { { DEFAULT, [META] = "khugepaged=strict" },
      FOLIO_MODE_ADAPTIVE,
      "observe" REST,
      "default",
      "khugepaged=strict (metadata) is capped to auto by Khugepaged=auto" },
    { { STRICT, [NOVA] = "khugepaged=strict" },
      FOLIO_MODE_ADAPTIVE,
      "observe" REST,
      "default",
      "khugepaged=strict (nova) is capped to auto since no hint can ask for more" },
    { { STRICT, [DROP] = "khugepaged=keep", [META] = "khugepaged=auto" },
      FOLIO_MODE_ADAPTIVE,
      "observe" REST,
      "default",
      "" },
    { { STRICT, [META] = "khugepaged=keep" },
      FOLIO_MODE_ADAPTIVE,
      "observe 2 100 256M keep",
      "default",
      "" },
    { { STRICT }, FOLIO_MODE_ADAPTIVE, "observe 2 100 256M strict", "default", "" },
    { { DEFAULT, [DROP] = "split-order=0 sparse-below=512 max-rate=1T" },
      FOLIO_MODE_OBSERVE,
      "observe 0 512 1T auto",
      "default",
      "" },
};

static char *
print(const FolioGuestPolicy *policy)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < FOLIO_N_HINTS; i++) {
        g_autofree char *value = folio_hints_print(&policy->values, (FolioHint) i);

        g_string_append_printf(text, "%s%s", i > 0 ? " " : "", value);
    }
    return g_string_free(text, FALSE);
}

static void
test_table(void **state)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        FolioHints sets[FOLIO_N_FROM];
        FolioPolicyInput input = { .ceiling = cases[i].ceiling };
        g_autoptr(FolioGuestPolicy) policy = NULL;
        g_autofree char *values = NULL;

        for (guint from = 0; from < FOLIO_N_FROM; from++)
            input.said[from] = hints(cases[i].said[from], &sets[from]);
        policy = folio_guest_policy_resolve(&input);
        values = print(policy);
        print_message("case %zu\n", i);
        assert_string_equal(values, cases[i].values);
        assert_string_equal(folio_policy_from_token(policy->from[FOLIO_HINT_MODE]), cases[i].from);
        assert_string_equal(policy->capped, cases[i].capped);
        assert_true(folio_guest_policy_equal(policy, policy));
    }
}

/* However hints are combined, they never get more than the ceiling does. */
static void
test_ceiling_of_every_mode(void **state)
{
    FolioHints set;
    const FolioHints *all = hints(DEFAULT, &set);

    for (guint ceiling = FOLIO_MODE_OBSERVE; ceiling <= FOLIO_MODE_ADAPTIVE; ceiling++) {
        for (guint mode = FOLIO_MODE_OFF; mode <= FOLIO_MODE_ADAPTIVE; mode++) {
            const FolioHints hint = { .set = 1u << FOLIO_HINT_MODE, .mode = (FolioMode) mode };
            const FolioPolicyInput input = { .said = { all, [META] = &hint },
                                             .ceiling = (FolioMode) ceiling };
            g_autoptr(FolioGuestPolicy) policy = folio_guest_policy_resolve(&input);
            FolioMode got = policy->values.mode;

            assert_true(got <= FOLIO_MODE_OBSERVE || got == mode || got == ceiling);
            assert_int_equal(got == FOLIO_MODE_OFF, mode == FOLIO_MODE_OFF);
            assert_true(mode != ceiling || got == mode);
        }
    }
}

static void
test_mode_in_force(void **state)
{
    /* By what is wanted; where neither, only splits, only collapses, both can be done. */
    static const FolioMode expected[][4] = {
        [FOLIO_MODE_OFF] = { FOLIO_MODE_OFF, FOLIO_MODE_OFF, FOLIO_MODE_OFF, FOLIO_MODE_OFF },
        [FOLIO_MODE_OBSERVE] = { FOLIO_MODE_OBSERVE, FOLIO_MODE_OBSERVE, FOLIO_MODE_OBSERVE,
                                 FOLIO_MODE_OBSERVE },
        [FOLIO_MODE_SPLIT] = { FOLIO_MODE_OBSERVE, FOLIO_MODE_SPLIT, FOLIO_MODE_OBSERVE,
                               FOLIO_MODE_SPLIT },
        [FOLIO_MODE_COLLAPSE] = { FOLIO_MODE_OBSERVE, FOLIO_MODE_OBSERVE, FOLIO_MODE_COLLAPSE,
                                  FOLIO_MODE_COLLAPSE },
        [FOLIO_MODE_ADAPTIVE] = { FOLIO_MODE_OBSERVE, FOLIO_MODE_SPLIT, FOLIO_MODE_COLLAPSE,
                                  FOLIO_MODE_ADAPTIVE },
    };

    for (guint mode = 0; mode < G_N_ELEMENTS(expected); mode++) {
        for (guint can = 0; can < 4; can++)
            assert_int_equal(folio_mode_in_force((FolioMode) mode, can & 1, (can & 2) != 0),
                             expected[mode][can]);
    }
}

static void
test_equal(void **state)
{
    FolioHints set, one, other;
    const FolioPolicyInput base = { .said = { hints(DEFAULT, &set) } };
    const FolioPolicyInput same_values = { .said = { &set, [DROP] = hints("mode=observe", &one) } };
    const FolioPolicyInput slower = { .said = { &set, [DROP] = hints("max-rate=1M", &other) } };
    g_autoptr(FolioGuestPolicy) a = folio_guest_policy_resolve(&base);
    g_autoptr(FolioGuestPolicy) b = folio_guest_policy_resolve(&same_values);
    g_autoptr(FolioGuestPolicy) c = folio_guest_policy_resolve(&slower);

    assert_true(folio_guest_policy_equal(a, a));
    assert_false(folio_guest_policy_equal(a, b)); /* by another source */
    assert_false(folio_guest_policy_equal(a, c));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_ceiling_of_every_mode),
        cmocka_unit_test(test_mode_in_force),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests_name("guest-policy", tests, NULL, NULL);
}
