/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model.h"

/* Arm Architecture Reference Manual (DDI 0487), "Events packet". */
enum {
    EVENT_RETIRED = 1 << 1,
    EVENT_L1D_ACCESS = 1 << 2,
    EVENT_L1D_REFILL = 1 << 3,
    EVENT_TLB_ACCESS = 1 << 4,
    EVENT_TLB_WALK = 1 << 5,
    EVENT_LLC_ACCESS = 1 << 8,
    EVENT_MISALIGNED = 1 << 11,
};

struct flight
model_flight(unsigned missed, bool guest, bool misaligned)
{
    struct flight flight = {
        .events = EVENT_RETIRED | EVENT_L1D_ACCESS | EVENT_TLB_ACCESS,
        .issue = 2,
        .translation = 1,
    };
    unsigned data = 4;

    if (missed & MODEL_REFILL) {
        flight.events |= EVENT_L1D_REFILL | EVENT_LLC_ACCESS;
        data = 40;
    }
    if (missed & MODEL_WALK) {
        flight.events |= EVENT_TLB_WALK;
        flight.translation = guest ? 100 : 25;
    }
    if (misaligned)
        flight.events |= EVENT_MISALIGNED;
    flight.total = flight.issue + flight.translation + data;
    return flight;
}
