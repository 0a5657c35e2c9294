/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may: the one table from D-Bus member to polkit action. */
#include "bus/access.h"

#define MANAGER  FOLIO_MANAGER_INTERFACE
#define GUEST    FOLIO_GUEST_INTERFACE
#define VIEW     FOLIO_ACTION_VIEW
#define HEAT     FOLIO_ACTION_HEAT
#define SET_MODE FOLIO_ACTION_SET_MODE
#define ACT      FOLIO_ACTION_ACT
#define MANAGE   FOLIO_ACTION_MANAGE

static const FolioAccess rows[] = {
    { MANAGER, "ListGuests", VIEW, FOLIO_SCOPE_HOST }, /* and each guest by itself */
    { MANAGER, "GetGuestByUuid", VIEW, FOLIO_SCOPE_UUID_ARGUMENT },
    { MANAGER, "GetGuestByName", VIEW, FOLIO_SCOPE_NAME_ARGUMENT },
    { MANAGER, "Subscribe", VIEW, FOLIO_SCOPE_HOST }, /* and each guest that is told of */
    { MANAGER, "Unsubscribe", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "Pause", MANAGE, FOLIO_SCOPE_HOST },
    { MANAGER, "Resume", MANAGE, FOLIO_SCOPE_HOST },
    { MANAGER, "GetJob", VIEW, FOLIO_SCOPE_JOB_ARGUMENT },
    { MANAGER, "CancelJob", ACT, FOLIO_SCOPE_JOB_ARGUMENT },
    { MANAGER, "Reload", MANAGE, FOLIO_SCOPE_HOST },
    { MANAGER, "Doctor", VIEW, FOLIO_SCOPE_UUID_OR_HOST },
    { MANAGER, FOLIO_ALL_PROPERTIES, VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "Version", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "Features", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "Paused", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "Sources", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "Actuators", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "JobsStarted", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "JobsDone", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "JobsCancelled", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "JobsFailed", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "Uri", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "Connected", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "ConnectionError", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "ConfigErrors", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "Source", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "SampledBy", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "SamplingError", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "SampledCpus", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "HostSamples", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "HostUnmappedSamples", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "HostLostSamples", VIEW, FOLIO_SCOPE_HOST },
    { MANAGER, "MaxTrackedSplit", VIEW, FOLIO_SCOPE_HOST },

    { GUEST, "ListRam", HEAT, FOLIO_SCOPE_GUEST },
    { GUEST, "SetMode", SET_MODE, FOLIO_SCOPE_GUEST },
    { GUEST, "Split", ACT, FOLIO_SCOPE_GUEST },
    { GUEST, "Collapse", ACT, FOLIO_SCOPE_GUEST },
    { GUEST, "Restore", ACT, FOLIO_SCOPE_GUEST },
    { GUEST, "Heat", HEAT, FOLIO_SCOPE_GUEST },
    { GUEST, "Explain", HEAT, FOLIO_SCOPE_GUEST },
    { GUEST, "Decisions", HEAT, FOLIO_SCOPE_GUEST },
    { GUEST, FOLIO_ALL_PROPERTIES, VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Name", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Uuid", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Pid", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "State", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Reason", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "ReasonText", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Remedy", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Mode", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "ModeInForce", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "ModeSource", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Policy", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SplitOrder", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SparseBelow", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "MaxRate", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Khugepaged", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "HintError", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "HintCapped", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Suspended", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "RamBytes", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "PresentBytes", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "HugeBytes", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SwappedBytes", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Source", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SampledBy", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Coverage", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SparseBytes", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "DenseBytes", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "IdleBytes", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "UndecidedBytes", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SplitBlocks", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "CollapsedBlocks", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "LeftBlocks", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "PartlyBlocks", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "RecollapsedBlocks", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SplitNowBlocks", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Keeper", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Samples", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "UnmappedSamples", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "LostSamples", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Windows", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "WindowSeconds", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Waits", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "Translation", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "TrackedBlocks", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SplitSamples", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SplitWalks", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SplitTimedSamples", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "SplitTranslationCycles", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "OtherSamples", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "OtherWalks", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "OtherTimedSamples", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "OtherTranslationCycles", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "NominatedRanges", VIEW, FOLIO_SCOPE_GUEST },
    { GUEST, "NominatedBytes", VIEW, FOLIO_SCOPE_GUEST },
};

const FolioAccess *
folio_access_find(const char *interface, const char *member)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (g_str_equal(rows[i].interface, interface) && g_str_equal(rows[i].member, member))
            return &rows[i];
    }
    return NULL;
}

const FolioAccess *
folio_access_list(gsize *n_rows)
{
    *n_rows = G_N_ELEMENTS(rows);
    return rows;
}
