/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a look found to a guest's state and its reason. */
#include "guest-judge.h"

#include "heat/explain.h"

static gboolean
any_block_can_be_served(const FolioGuestRam *ram)
{
    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *block = g_ptr_array_index(ram->blocks, i);

        if (block->reason == FOLIO_REASON_NONE)
            return TRUE;
    }
    return FALSE;
}

/* Why a guest whose process and RAM are known cannot be served; NONE when it can. */
static FolioReason
obstacle(const FolioLook *look)
{
    if (look->xml->n_vfio > 0)
        return FOLIO_REASON_VFIO;
    if (look->xml->locked)
        return FOLIO_REASON_LOCKED;
    return any_block_can_be_served(look->ram) ? FOLIO_REASON_NONE : look->ram->reason;
}

static FolioGuestState
state_of_failed_look(FolioReason reason)
{
    if (reason == FOLIO_REASON_NOT_QEMU_DOMAIN)
        return FOLIO_GUEST_INELIGIBLE;
    return reason == FOLIO_REASON_PROCESS_GONE ? FOLIO_GUEST_LEAVING : FOLIO_GUEST_DISCOVERED;
}

static gboolean
any_verdict(const FolioSamplingFigures *sampling)
{
    return sampling->bytes[FOLIO_VERDICT_SPARSE] + sampling->bytes[FOLIO_VERDICT_DENSE] > 0;
}

/* Under TCG guest code is code of QEMU: only KVM's guests are to be told apart. */
static gboolean
lacks_guest_samples(const FolioLook *look, const FolioSamplingFigures *sampling)
{
    return g_str_equal(look->xml->type, "kvm") && sampling->windows > 0 &&
           sampling->samples + sampling->unmapped > 0 && sampling->guest_made == 0;
}

static FolioStanding
judge_sampling(const FolioLook *look, const FolioSamplingFigures *sampling)
{
    switch (sampling->state) {
    case FOLIO_SAMPLING_STARTING:
    case FOLIO_SAMPLING_ON:
    case FOLIO_SAMPLING_PAUSED:
        break;
    case FOLIO_SAMPLING_FAILED:
        return (FolioStanding){ FOLIO_GUEST_LOCATED, FOLIO_REASON_NO_SAMPLER };
    case FOLIO_SAMPLING_OFF:
    case FOLIO_SAMPLING_ENDED:
    default:
        return (FolioStanding){ FOLIO_GUEST_LOCATED, FOLIO_REASON_MODE_OBSERVE };
    }
    if (lacks_guest_samples(look, sampling))
        return (FolioStanding){ FOLIO_GUEST_SAMPLING, FOLIO_REASON_NO_GUEST_SAMPLES };
    if (!any_verdict(sampling))
        return (FolioStanding){ FOLIO_GUEST_SAMPLING, FOLIO_REASON_EVIDENCE_SHORT };
    return (FolioStanding){ FOLIO_GUEST_DECIDING, FOLIO_REASON_MODE_OBSERVE };
}

/* Of a guest that is measured, and whose mode is to act. Without samples nothing is decided. */
static FolioReason
judge_mode(FolioMode mode, const FolioProspect *prospect, gboolean sampled)
{
    if (!prospect->can_act)
        return FOLIO_REASON_NO_ACTUATOR;
    if (prospect->khugepaged_undoes && mode != FOLIO_MODE_COLLAPSE)
        return FOLIO_REASON_KHUGEPAGED_UNDOES;
    return sampled ? FOLIO_REASON_NONE : FOLIO_REASON_ON_REQUEST;
}

FolioStanding
folio_guest_judge(const FolioLook *look, FolioMode mode, gboolean suspended,
                  const FolioSamplingFigures *sampling, const FolioProspect *prospect)
{
    FolioStanding standing;
    FolioReason reason;

    if (mode == FOLIO_MODE_OFF)
        return (FolioStanding){ FOLIO_GUEST_DISCOVERED, FOLIO_REASON_MODE_OFF };
    if (look == NULL)
        return (FolioStanding){ FOLIO_GUEST_DISCOVERED, FOLIO_REASON_LOCATING };
    if (look->reason != FOLIO_REASON_NONE)
        return (FolioStanding){ state_of_failed_look(look->reason), look->reason };

    reason = obstacle(look);
    if (reason != FOLIO_REASON_NONE)
        return (FolioStanding){ FOLIO_GUEST_INELIGIBLE, reason };
    if (suspended)
        return (FolioStanding){ FOLIO_GUEST_LOCATED, FOLIO_REASON_SUSPENDED };
    standing = judge_sampling(look, sampling);
    if (standing.reason == FOLIO_REASON_MODE_OBSERVE && look->ram->reason != FOLIO_REASON_NONE)
        standing.reason = FOLIO_REASON_PARTLY;
    if (standing.reason == FOLIO_REASON_MODE_OBSERVE && mode != FOLIO_MODE_OBSERVE)
        standing.reason = judge_mode(mode, prospect, standing.state == FOLIO_GUEST_DECIDING);
    return standing;
}

static gboolean
is_served(FolioGuestState state)
{
    return state == FOLIO_GUEST_LOCATED || state == FOLIO_GUEST_SAMPLING ||
           state == FOLIO_GUEST_DECIDING;
}

FolioStanding
folio_guest_judge_paused(FolioStanding standing)
{
    if (is_served(standing.state))
        return (FolioStanding){ FOLIO_GUEST_PAUSED, FOLIO_REASON_PAUSED };
    return standing;
}

FolioStanding
folio_guest_judge_acting(FolioStanding standing)
{
    if (is_served(standing.state))
        standing.state = FOLIO_GUEST_ACTING;
    return standing;
}

const char *
folio_guest_coverage(const FolioSamplingFigures *sampling)
{
    if (sampling->guest_made > 0)
        return "guest";
    return sampling->samples + sampling->unmapped > 0 ? "host-only" : "none";
}

char *
folio_guest_waits(const FolioSamplingFigures *sampling)
{
    const FolioOutcomes outcomes = { .shown = sampling->account_shown,
                                     .quiet = sampling->account_quiet };
    g_autofree char *account = folio_explain_account(outcomes.shown, outcomes.quiet);

    if (sampling->state == FOLIO_SAMPLING_STARTING)
        return g_strdup("its frames are looked up for the first time");
    if (sampling->state == FOLIO_SAMPLING_PAUSED)
        return g_strdup("it stands still, or it is the turn of others to be sampled");
    if (sampling->state != FOLIO_SAMPLING_ON)
        return g_strdup("");
    if (sampling->windows == 0)
        return g_strdup_printf("the first window: %u of %d epochs have ended", sampling->epoch,
                               FOLIO_EPOCHS);
    if (folio_outcomes_suffice(&outcomes))
        return g_strdup("");
    return g_strdup_printf("evidence short: %s", account);
}

const char *
folio_guest_state_token(FolioGuestState state)
{
    static const char *const tokens[] = { "discovered", "located", "sampling", "deciding",
                                          "ineligible", "leaving", "paused",   "acting" };

    return tokens[state];
}
