/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-judge: from what a look found to state and reason. */
#include "cmocka-all.h"
#include "guest-judge.h"

static const FolioSamplingFigures nothing = { .state = FOLIO_SAMPLING_OFF, .source = "none" };
static const FolioProspect no_prospect;

/* A look that found all there is to find. Its two RAM blocks have these reasons. */
typedef struct {
    FolioLook look;
    FolioDomainXml xml;
    FolioGuestRam ram;
    FolioRamBlock blocks[2];
} Found;

static void
found_init(Found *found, FolioReason first, FolioReason second, FolioReason gravest)
{
    memset(found, 0, sizeof(*found));
    found->blocks[0].reason = first;
    found->blocks[1].reason = second;
    found->ram.blocks = g_ptr_array_new();
    g_ptr_array_add(found->ram.blocks, &found->blocks[0]);
    g_ptr_array_add(found->ram.blocks, &found->blocks[1]);
    found->ram.reason = gravest;
    found->look.xml = &found->xml;
    found->look.ram = &found->ram;
}

static void
found_clear(Found *found)
{
    g_ptr_array_unref(found->ram.blocks);
}

static void
assert_standing(const FolioLook *look, FolioMode mode, gboolean suspended, FolioGuestState state,
                FolioReason reason)
{
    const FolioStanding standing = folio_guest_judge(look, mode, suspended, &nothing, &no_prospect);

    assert_string_equal(folio_guest_state_token(standing.state), folio_guest_state_token(state));
    assert_string_equal(folio_reason_token(standing.reason), folio_reason_token(reason));
}

static void
test_before_the_first_look(void **state)
{
    assert_standing(NULL, FOLIO_MODE_OBSERVE, FALSE, FOLIO_GUEST_DISCOVERED, FOLIO_REASON_LOCATING);
    assert_standing(NULL, FOLIO_MODE_OFF, FALSE, FOLIO_GUEST_DISCOVERED, FOLIO_REASON_MODE_OFF);
}

static void
test_failed_looks(void **state)
{
    FolioLook look = { .reason = FOLIO_REASON_UUID_MISMATCH };

    assert_standing(&look, FOLIO_MODE_OBSERVE, FALSE, FOLIO_GUEST_DISCOVERED,
                    FOLIO_REASON_UUID_MISMATCH);
    look.reason = FOLIO_REASON_PROCESS_GONE;
    assert_standing(&look, FOLIO_MODE_OBSERVE, FALSE, FOLIO_GUEST_LEAVING,
                    FOLIO_REASON_PROCESS_GONE);
    look.reason = FOLIO_REASON_NOT_QEMU_DOMAIN;
    assert_standing(&look, FOLIO_MODE_OBSERVE, FALSE, FOLIO_GUEST_INELIGIBLE,
                    FOLIO_REASON_NOT_QEMU_DOMAIN);
    assert_standing(&look, FOLIO_MODE_OFF, FALSE, FOLIO_GUEST_DISCOVERED, FOLIO_REASON_MODE_OFF);
}

static void
test_located(void **state)
{
    Found found;

    found_init(&found, FOLIO_REASON_NONE, FOLIO_REASON_NONE, FOLIO_REASON_NONE);
    assert_standing(&found.look, FOLIO_MODE_OBSERVE, FALSE, FOLIO_GUEST_LOCATED,
                    FOLIO_REASON_MODE_OBSERVE);
    assert_standing(&found.look, FOLIO_MODE_OBSERVE, TRUE, FOLIO_GUEST_LOCATED,
                    FOLIO_REASON_SUSPENDED);
    found.xml.locked = TRUE;
    assert_standing(&found.look, FOLIO_MODE_OBSERVE, TRUE, FOLIO_GUEST_INELIGIBLE,
                    FOLIO_REASON_LOCKED);
    found.xml.n_vfio = 1;
    assert_standing(&found.look, FOLIO_MODE_OBSERVE, FALSE, FOLIO_GUEST_INELIGIBLE,
                    FOLIO_REASON_VFIO);
    found_clear(&found);
}

static void
test_one_good_block_is_enough(void **state)
{
    Found found;

    found_init(&found, FOLIO_REASON_NONE, FOLIO_REASON_MISALIGNED, FOLIO_REASON_MISALIGNED);
    assert_standing(&found.look, FOLIO_MODE_OBSERVE, FALSE, FOLIO_GUEST_LOCATED,
                    FOLIO_REASON_PARTLY);
    found.blocks[0].reason = FOLIO_REASON_NOT_TMPFS;
    assert_standing(&found.look, FOLIO_MODE_OBSERVE, FALSE, FOLIO_GUEST_INELIGIBLE,
                    FOLIO_REASON_MISALIGNED);
    found_clear(&found);
}

/* A guest that is to be acted on says that nothing can, unless something graver is the matter. */
static void
test_modes_that_act(void **state)
{
    static const FolioMode modes[] = { FOLIO_MODE_SPLIT, FOLIO_MODE_COLLAPSE, FOLIO_MODE_ADAPTIVE };
    Found found;

    found_init(&found, FOLIO_REASON_NONE, FOLIO_REASON_NONE, FOLIO_REASON_NONE);
    for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
        assert_standing(&found.look, modes[i], FALSE, FOLIO_GUEST_LOCATED,
                        FOLIO_REASON_NO_ACTUATOR);
        assert_standing(&found.look, modes[i], TRUE, FOLIO_GUEST_LOCATED, FOLIO_REASON_SUSPENDED);
    }
    found.ram.reason = FOLIO_REASON_MISALIGNED;
    assert_standing(&found.look, FOLIO_MODE_SPLIT, FALSE, FOLIO_GUEST_LOCATED, FOLIO_REASON_PARTLY);
    found_clear(&found);
}

/* What can be done, and what khugepaged would make of it. */
static void
test_prospects(void **state)
{
    static const struct {
        FolioMode mode;
        FolioProspect prospect;
        FolioReason reason;
    } cases[] = {
        { FOLIO_MODE_OBSERVE, { TRUE, TRUE }, FOLIO_REASON_MODE_OBSERVE },
        { FOLIO_MODE_SPLIT, { FALSE, TRUE }, FOLIO_REASON_NO_ACTUATOR },
        { FOLIO_MODE_SPLIT, { TRUE, TRUE }, FOLIO_REASON_KHUGEPAGED_UNDOES },
        { FOLIO_MODE_ADAPTIVE, { TRUE, TRUE }, FOLIO_REASON_KHUGEPAGED_UNDOES },
        { FOLIO_MODE_COLLAPSE, { TRUE, TRUE }, FOLIO_REASON_ON_REQUEST },
        { FOLIO_MODE_SPLIT, { TRUE, FALSE }, FOLIO_REASON_ON_REQUEST }, /* nothing is sampled */
    };
    Found found;

    found_init(&found, FOLIO_REASON_NONE, FOLIO_REASON_NONE, FOLIO_REASON_NONE);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const FolioStanding standing =
            folio_guest_judge(&found.look, cases[i].mode, FALSE, &nothing, &cases[i].prospect);

        assert_int_equal(standing.state, FOLIO_GUEST_LOCATED);
        assert_string_equal(folio_reason_token(standing.reason),
                            folio_reason_token(cases[i].reason));
    }
    found_clear(&found);
}

static void
test_pause_holds_those_that_could_be_served(void **state)
{
    for (FolioGuestState s = FOLIO_GUEST_DISCOVERED; s <= FOLIO_GUEST_LEAVING; s++) {
        const FolioStanding before = { s, FOLIO_REASON_SUSPENDED };
        const FolioStanding after = folio_guest_judge_paused(before);
        const gboolean held =
            s == FOLIO_GUEST_LOCATED || s == FOLIO_GUEST_SAMPLING || s == FOLIO_GUEST_DECIDING;

        assert_int_equal(after.state, held ? FOLIO_GUEST_PAUSED : s);
        assert_int_equal(after.reason, held ? FOLIO_REASON_PAUSED : FOLIO_REASON_SUSPENDED);
    }
    assert_string_equal(folio_guest_state_token(FOLIO_GUEST_PAUSED), "paused");
}

static void
test_acting_keeps_the_reason(void **state)
{
    const FolioStanding held = { FOLIO_GUEST_PAUSED, FOLIO_REASON_PAUSED };
    const FolioStanding deciding = { FOLIO_GUEST_DECIDING, FOLIO_REASON_KHUGEPAGED_UNDOES };
    FolioStanding standing = folio_guest_judge_acting(held);

    assert_int_equal(standing.state, FOLIO_GUEST_PAUSED);
    standing = folio_guest_judge_acting(deciding);
    assert_int_equal(standing.state, FOLIO_GUEST_ACTING);
    assert_int_equal(standing.reason, FOLIO_REASON_KHUGEPAGED_UNDOES);
    assert_string_equal(folio_guest_state_token(FOLIO_GUEST_ACTING), "acting");
}

static void
assert_sampled(const Found *found, const FolioSamplingFigures *sampling, FolioGuestState state,
               FolioReason reason)
{
    const FolioStanding standing =
        folio_guest_judge(&found->look, FOLIO_MODE_OBSERVE, FALSE, sampling, &no_prospect);

    assert_string_equal(folio_guest_state_token(standing.state), folio_guest_state_token(state));
    assert_string_equal(folio_reason_token(standing.reason), folio_reason_token(reason));
}

static void
test_sampled(void **state)
{
    char tcg[] = "qemu", kvm[] = "kvm";
    FolioSamplingFigures sampling = { .state = FOLIO_SAMPLING_STARTING, .source = "spe" };
    Found found;

    found_init(&found, FOLIO_REASON_NONE, FOLIO_REASON_NONE, FOLIO_REASON_NONE);
    found.xml.type = kvm;
    assert_sampled(&found, &sampling, FOLIO_GUEST_SAMPLING, FOLIO_REASON_EVIDENCE_SHORT);
    sampling.state = FOLIO_SAMPLING_ON;
    sampling.windows = 1;
    assert_sampled(&found, &sampling, FOLIO_GUEST_SAMPLING, FOLIO_REASON_EVIDENCE_SHORT);
    assert_string_equal(folio_guest_coverage(&sampling), "none");

    /* Samples, and none of them of guest code: a finding under KVM, as it should be under TCG. */
    sampling.samples = 100;
    sampling.bytes[FOLIO_VERDICT_SPARSE] = FOLIO_BLOCK_BYTES;
    assert_sampled(&found, &sampling, FOLIO_GUEST_SAMPLING, FOLIO_REASON_NO_GUEST_SAMPLES);
    assert_string_equal(folio_guest_coverage(&sampling), "host-only");
    found.xml.type = tcg;
    assert_sampled(&found, &sampling, FOLIO_GUEST_DECIDING, FOLIO_REASON_MODE_OBSERVE);
    found.xml.type = kvm;
    sampling.guest_made = 1;
    assert_sampled(&found, &sampling, FOLIO_GUEST_DECIDING, FOLIO_REASON_MODE_OBSERVE);
    assert_string_equal(folio_guest_coverage(&sampling), "guest");
    sampling.state = FOLIO_SAMPLING_PAUSED;
    assert_sampled(&found, &sampling, FOLIO_GUEST_DECIDING, FOLIO_REASON_MODE_OBSERVE);

    sampling.state = FOLIO_SAMPLING_FAILED;
    assert_sampled(&found, &sampling, FOLIO_GUEST_LOCATED, FOLIO_REASON_NO_SAMPLER);
    sampling.state = FOLIO_SAMPLING_ENDED;
    assert_sampled(&found, &sampling, FOLIO_GUEST_LOCATED, FOLIO_REASON_MODE_OBSERVE);
    found.xml.locked = TRUE;
    assert_sampled(&found, &sampling, FOLIO_GUEST_INELIGIBLE, FOLIO_REASON_LOCKED);
    found_clear(&found);
}

/* Once there are verdicts nothing keeps a guest whose mode acts from that, unless khugepaged does.
 */
static void
test_sampled_modes_that_act(void **state)
{
    const FolioSamplingFigures sampling = { .state = FOLIO_SAMPLING_ON,
                                            .source = "spe",
                                            .windows = 24,
                                            .samples = 1,
                                            .guest_made = 1,
                                            .bytes[FOLIO_VERDICT_DENSE] = FOLIO_BLOCK_BYTES };
    const FolioSamplingFigures early = { .state = FOLIO_SAMPLING_ON, .source = "spe" };
    const FolioProspect free = { .can_act = TRUE };
    const FolioProspect undone = { .can_act = TRUE, .khugepaged_undoes = TRUE };
    char kvm[] = "kvm";
    Found found;

    found_init(&found, FOLIO_REASON_NONE, FOLIO_REASON_NONE, FOLIO_REASON_NONE);
    found.xml.type = kvm;
    for (FolioMode mode = FOLIO_MODE_SPLIT; mode <= FOLIO_MODE_ADAPTIVE; mode++) {
        assert_int_equal(folio_guest_judge(&found.look, mode, FALSE, &sampling, &free).reason,
                         FOLIO_REASON_NONE);
        assert_int_equal(folio_guest_judge(&found.look, mode, FALSE, &early, &free).reason,
                         FOLIO_REASON_EVIDENCE_SHORT);
        assert_int_equal(folio_guest_judge(&found.look, mode, FALSE, &sampling, &undone).reason,
                         mode == FOLIO_MODE_COLLAPSE ? FOLIO_REASON_NONE
                                                     : FOLIO_REASON_KHUGEPAGED_UNDOES);
    }
    found_clear(&found);
}

static void
assert_waits(const FolioSamplingFigures *sampling, const char *expected)
{
    g_autofree char *text = folio_guest_waits(sampling);

    assert_string_equal(text, expected);
}

static void
test_waits(void **state)
{
    FolioSamplingFigures sampling = nothing;

    assert_waits(&sampling, "");
    sampling.state = FOLIO_SAMPLING_ON;
    sampling.epoch = 3;
    assert_waits(&sampling, "the first window: 3 of 10 epochs have ended");
    sampling.windows = 12;
    sampling.account_quiet = 12;
    sampling.account_shown = 3;
    assert_waits(&sampling, "evidence short: 12 of 24 quiet windows, 3 of 100 dense blocks");
    sampling.account_shown = 100;
    assert_waits(&sampling, "");
    sampling.account_shown = 0;
    sampling.account_quiet = 24;
    assert_waits(&sampling, "");
    sampling.state = FOLIO_SAMPLING_PAUSED;
    assert_waits(&sampling, "it stands still, or it is the turn of others to be sampled");
    sampling.state = FOLIO_SAMPLING_FAILED;
    assert_waits(&sampling, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_the_first_look),
        cmocka_unit_test(test_failed_looks),
        cmocka_unit_test(test_located),
        cmocka_unit_test(test_one_good_block_is_enough),
        cmocka_unit_test(test_modes_that_act),
        cmocka_unit_test(test_prospects),
        cmocka_unit_test(test_pause_holds_those_that_could_be_served),
        cmocka_unit_test(test_acting_keeps_the_reason),
        cmocka_unit_test(test_sampled),
        cmocka_unit_test(test_sampled_modes_that_act),
        cmocka_unit_test(test_waits),
    };

    return cmocka_run_group_tests_name("guest-judge", tests, NULL, NULL);
}
