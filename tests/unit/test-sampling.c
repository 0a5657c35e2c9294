/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sampling: when the host is sampled as a whole. */
#include "cmocka-all.h"
#include "sampling.h"

static void
test_wants_host(void **state)
{
    static const struct {
        FolioSampleBy by;
        gboolean now;
        guint threads, cpus;
        gboolean wanted;
    } cases[] = {
        { FOLIO_SAMPLE_BY_PROCESS, TRUE, 100000, 2, FALSE },
        { FOLIO_SAMPLE_BY_HOST, FALSE, 0, 128, TRUE },
        { FOLIO_SAMPLE_BY_AUTO, FALSE, 0, 128, FALSE },
        { FOLIO_SAMPLE_BY_AUTO, FALSE, 511, 128, FALSE },
        { FOLIO_SAMPLE_BY_AUTO, FALSE, 512, 128, TRUE },
        /* It would need more buffers, not fewer. */
        { FOLIO_SAMPLE_BY_AUTO, FALSE, 512, 512, FALSE },
        { FOLIO_SAMPLE_BY_AUTO, FALSE, 513, 512, TRUE },
        /* No to and fro when threads come and go. */
        { FOLIO_SAMPLE_BY_AUTO, TRUE, 511, 128, TRUE },
        { FOLIO_SAMPLE_BY_AUTO, TRUE, 256, 128, TRUE },
        { FOLIO_SAMPLE_BY_AUTO, TRUE, 255, 128, FALSE },
        { FOLIO_SAMPLE_BY_AUTO, TRUE, 300, 320, FALSE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        if (folio_sampling_wants_host(cases[i].by, cases[i].now, cases[i].threads, cases[i].cpus) !=
            cases[i].wanted)
            fail_msg("case %zu", i);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wants_host),
    };

    return cmocka_run_group_tests_name("sampling", tests, NULL, NULL);
}
