/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real foliod that samples the minor faults of real guests: reading their RAM through libvirt
 * brings them about where they had not touched it. Whatever fails here fails the test. */
#pragma once

#include "fixture.h"

#define MIB               (1024 * 1024ULL)
#define BLOCK             (2 * MIB)
#define SAMPLED_GUEST_MIB 96

/* For daemon_configure: short epochs, so that a window takes a second. */
#define FAULTS "[Sampling]\nSource=perf\nPerfEvent=minor-faults\nEpochSeconds=0.1\n"

/* Its RAM is there only as far as it was touched, in huge pages. */
virDomainPtr sampled_start_guest(const Fixture *fixture, const char *name);

/* Properties of the guest at that path. */
guint64 sampled_number(const Fixture *fixture, const char *path, const char *property);
void sampled_assert_text(const Fixture *fixture, const char *path, const char *property,
                         const char *expected);
void sampled_wait_at_least(const Fixture *fixture, const char *path, const char *property,
                           guint64 least);
/* For n more windows. */
void sampled_wait_windows(const Fixture *fixture, const char *path, guint64 n);

/* Has QEMU read its RAM from first to end, in MiB. */
void sampled_read_ram(virDomainPtr domain, guint64 first, guint64 end);

/* What is known of a guest's RAM, in bytes, and of how many samples. */
typedef struct {
    guint64 present, used, samples;
} SampledFigures;

/* The figures of one moment: the firmware has done with touching memory, and all that it did is
 * counted. Each figure has its own age, so they are taken anew until no RAM came meanwhile. */
SampledFigures sampled_settle(const Fixture *fixture, const char *path);
/* Waits until the RAM that came since then is `least` bytes or more, in blocks that are one sample
 * each and are not idle any more. Up to `strangers` samples more may have come. */
void sampled_wait_fresh(const Fixture *fixture, const char *path, const SampledFigures *since,
                        guint64 least, guint64 strangers);

/* SIGHUP with that configuration. */
void sampled_reload(const Fixture *fixture, const char *configuration);
