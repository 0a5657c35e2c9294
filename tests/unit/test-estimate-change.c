/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest's account makes of many blocks at once: of dense ones, and of a change. */
#include "cmocka-all.h"

#include "heat/estimate.h"

#define SPARSE 200u
#define DENSE  120u
#define BLOCKS (SPARSE + DENSE)

typedef struct {
    FolioHeatEvidence blocks[BLOCKS];
    FolioOutcomes outcomes;
} Guest;

/* A block watched for long, of which so many sub-pages are in use in each epoch. */
static FolioHeatEvidence
settled(guint pages)
{
    return (FolioHeatEvidence){ .incidences = (guint16) (pages * 10),
                                .seen = (guint16) pages,
                                .footprint = (guint16) pages,
                                .age = 40,
                                .again = G_MAXUINT8 };
}

/* From now on blocks [first, first + n) use so many sub-pages; what was known of them stays. */
static void
use(Guest *guest, guint first, guint n, guint pages)
{
    for (guint b = first; b < first + n; b++) {
        const guint16 history = guest->blocks[b].history;

        guest->blocks[b] = settled(pages);
        guest->blocks[b].history = history;
    }
}

static Guest *
guest_new(guint dense)
{
    Guest *guest = g_new0(Guest, 1);

    use(guest, 0, SPARSE, 4);
    use(guest, SPARSE, dense, 400);
    return guest;
}

/* Verdicts of sparse in a window. */
static guint
window(Guest *guest)
{
    guint sparse = 0;

    for (guint b = 0; b < BLOCKS; b++)
        folio_outcomes_enter(&guest->outcomes, &guest->blocks[b]);
    folio_outcomes_settle(&guest->outcomes);
    for (guint b = 0; b < BLOCKS; b++)
        sparse +=
            folio_outcomes_verdict(&guest->outcomes, &guest->blocks[b]) == FOLIO_VERDICT_SPARSE;
    return sparse;
}

static guint
windows(Guest *guest, guint n)
{
    guint sparse = 0;

    for (guint i = 0; i < n; i++)
        sparse = window(guest);
    return sparse;
}

/* The more dense blocks a window has, the less a mistake weighs: with 120 of them what was clean
 * counts twelve times. */
static void
test_trusted_sooner_among_dense(void **state)
{
    g_autofree Guest *among_dense = guest_new(DENSE), *alone = guest_new(0);

    assert_int_equal(window(among_dense), 6 + 1);
    assert_int_equal(window(among_dense), 6 + 2 + 12 * SPARSE / 100);
    assert_int_equal(windows(among_dense, 7), SPARSE);

    alone->outcomes.shown = FOLIO_DENSE_TO_START;
    assert_int_equal(window(alone), 6);
    assert_int_equal(window(alone), 6 + SPARSE / 100);
}

/* Trusted in full, and then half of its sparse blocks become dense. */
static Guest *
changed_guest(guint n)
{
    Guest *guest = guest_new(DENSE);

    assert_int_equal(windows(guest, 12), SPARSE);
    use(guest, 0, n, 400);
    assert_int_equal(window(guest), 0);
    return guest;
}

static void
test_change_that_lasts(void **state)
{
    g_autofree Guest *guest = changed_guest(100);

    assert_int_equal(windows(guest, 3), 0);
    assert_true(window(guest) > 6);
    assert_int_equal(windows(guest, 6), SPARSE - 100);
}

/* What was in wide use before a change, and is not now, is to be forgotten, once; nothing else is.
 */
static void
test_change_outdates(void **state)
{
    g_autofree Guest *guest = changed_guest(100);
    const FolioHeatEvidence former = { .seen = 4, .once = 0, .footprint = 400, .age = 40 };
    const FolioHeatEvidence *dense = &guest->blocks[0], *sparse = &guest->blocks[150];

    windows(guest, 3);
    assert_false(folio_outcomes_outdates(&guest->outcomes, &former));
    window(guest);
    assert_true(folio_outcomes_outdates(&guest->outcomes, &former));
    assert_false(folio_outcomes_outdates(&guest->outcomes, dense));
    assert_false(folio_outcomes_outdates(&guest->outcomes, sparse));
    window(guest);
    assert_false(folio_outcomes_outdates(&guest->outcomes, &former));
}

/* Dense for a window or two: as any surprises. */
static void
test_sweep_is_no_change(void **state)
{
    g_autofree Guest *guest = changed_guest(100);

    use(guest, 0, 100, 4);
    assert_int_equal(windows(guest, 40), 0);
}

static void
test_few_are_no_change(void **state)
{
    g_autofree Guest *guest = changed_guest(FOLIO_CHANGE_BLOCKS - 1);

    assert_int_equal(windows(guest, 40), 0);
}

static void
test_second_change_counts(void **state)
{
    g_autofree Guest *guest = changed_guest(100);

    windows(guest, 12);
    use(guest, 100, 60, 400);
    assert_int_equal(windows(guest, 40), 0);
}

/* Once half of the account has faded the next one is a first one again. */
static void
test_change_is_forgotten(void **state)
{
    g_autofree Guest *guest = changed_guest(100);

    windows(guest, 12);
    assert_true(guest->outcomes.changed);
    folio_outcomes_fade(&guest->outcomes);
    use(guest, 100, 60, 400);
    assert_int_equal(window(guest), 0);
    assert_int_equal(windows(guest, 8), SPARSE - 160);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trusted_sooner_among_dense),
        cmocka_unit_test(test_change_that_lasts),
        cmocka_unit_test(test_change_outdates),
        cmocka_unit_test(test_sweep_is_no_change),
        cmocka_unit_test(test_few_are_no_change),
        cmocka_unit_test(test_second_change_counts),
        cmocka_unit_test(test_change_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
