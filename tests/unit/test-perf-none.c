/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A build without libperf: what needs it says so. */
#include "base/error.h"
#include "cmocka-all.h"
#include "host/perf-probe.h"
#include "sample/perf-source.h"

static void
test_built_without(void **state)
{
    FolioPerfSourceOptions options = folio_perf_minor_faults;
    FolioSource *source = NULL;
    g_autoptr(GError) error = NULL;

    options.whole_host = TRUE;
    source = folio_perf_source_new(&options);
    assert_null(source->klass->open(source, NULL, &error));
    assert_folio_error(error, FOLIO_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error->message, FOLIO_PERF_NOT_BUILT));
    source->klass->free(source);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_built_without) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
