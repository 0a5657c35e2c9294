/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host with SPE units made of files and memory, and a session on it. By CPU, so that no process
 * is needed. */
#pragma once

#include "fake-spe.h"
#include "sample/spe-source.h"

#include <glib/gstdio.h>

#define AUX_BYTES 16384
#define CPUS      4

typedef struct {
    char *sys_root;
    FolioSource *source;
    FolioSourceSession *session;
    GRand *random;
    /* What the sink got. Allocated beforehand. */
    FolioSample *got;
    gsize n_got;
} Fixture;

#define MAX_GOT 400000

static inline void
write_file(const Fixture *fixture, const char *file, const char *text)
{
    g_autofree char *path = g_build_filename(fixture->sys_root, file, NULL);
    g_autofree char *dir = g_path_get_dirname(path);
    g_autoptr(GError) error = NULL;

    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    g_remove(path);
    g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, &error);
    assert_no_error(error);
}

static inline void
write_pmu(const Fixture *fixture, const char *name, const char *cpus)
{
    static const char *const files[][2] = {
        { "type", "9" },
        { "caps/min_interval", "1024" },
        { "format/ts_enable", "config:0" },
        { "format/pa_enable", "config:1" },
        { "format/load_filter", "config:33" },
        { "format/store_filter", "config:34" },
    };
    g_autofree char *dir = g_build_filename("bus/event_source/devices", name, NULL);
    g_autofree char *cpumask = g_build_filename(dir, "cpumask", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *file = g_build_filename(dir, files[i][0], NULL);

        write_file(fixture, file, files[i][1]);
    }
    write_file(fixture, cpumask, cpus);
}

static inline int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    *state = fixture;
    fixture->sys_root = g_dir_make_tmp("foliod-test.XXXXXX", NULL);
    fixture->random = g_rand_new_with_seed(42);
    fixture->got = g_new(FolioSample, MAX_GOT);
    write_file(fixture, "devices/system/cpu/online", "0-3\n");
    fake_rings = g_ptr_array_new();
    fake_refused_cpu = -1;
    fake_refused_config = 0;
    return 0;
}

static inline void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name = NULL;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        remove_tree(child);
    }
    g_remove(path);
}

static inline int
tear_down(void **state)
{
    Fixture *fixture = *state;

    if (fixture->session != NULL)
        fixture->source->klass->close(fixture->session);
    if (fixture->source != NULL)
        fixture->source->klass->free(fixture->source);
    assert_int_equal(fake_rings->len, 0);
    g_ptr_array_unref(fake_rings);
    remove_tree(fixture->sys_root);
    g_free(fixture->sys_root);
    g_rand_free(fixture->random);
    g_free(fixture->got);
    g_free(fixture);
    return 0;
}

static inline void
open_session(Fixture *fixture, GError **error)
{
    const FolioSpeSourceOptions options = { .sys_root = fixture->sys_root,
                                            .period = 5000,
                                            .aux_bytes = AUX_BYTES - 1,
                                            .whole_host = TRUE };

    fixture->source = folio_spe_source_new(&options, error);
    if (fixture->source != NULL)
        fixture->session = fixture->source->klass->open(fixture->source, NULL, error);
}

/* One unit, four CPUs, enabled. */
static inline void
start(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    write_pmu(fixture, "arm_spe_0", "0-3\n");
    open_session(fixture, &error);
    assert_no_error(error);
    assert_int_equal(fake_rings->len, CPUS);
    fixture->source->klass->enable(fixture->session, TRUE);
}

static inline void
take(const FolioSample *samples, gsize n, gpointer user_data)
{
    Fixture *fixture = user_data;

    assert_true(fixture->n_got + n <= MAX_GOT);
    memcpy(fixture->got + fixture->n_got, samples, n * sizeof(*samples));
    fixture->n_got += n;
}

static inline void
drain(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    fixture->source->klass->drain(fixture->session, take, fixture, &error);
    assert_no_error(error);
}

static inline FolioSourceCounters
counters_of(const Fixture *fixture)
{
    FolioSourceCounters counters;

    fixture->source->klass->get_counters(fixture->session, &counters);
    return counters;
}

#define with_host(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
