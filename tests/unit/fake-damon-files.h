/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a fake DAMON: what each layout has, which values they take. */
#pragma once

#include "fake-damon.h"

/* All that follow are of the layout that was set last. */
void fake_damon_set_layout(FakeDamonLayout layout);
gboolean fake_damon_is_patched(void);
gboolean fake_damon_has_limit(void);

/* The directory of a kdamond. */
void fake_damon_make_kdamond(const char *dir);

/* A file nr_X, path, has as many directories beside it as it says. Returns an errno, 0 when done.
 */
int fake_damon_make_numbered(const char *path, const char *text, guint max,
                             void (*make)(const char *dir));

/* Of any file below a kdamond but "state". Returns an errno, 0 when done. */
int fake_damon_store(const char *path, const char *text);

/* What the kdamond of that number below dir is set up for; its thread is left to the caller. */
FakeDamonRun *fake_damon_read_run(const char *dir, guint number);
void fake_damon_free_run(gpointer run);
/* Would the kernel turn it on? As damon_set_attrs(), damon_sysfs_set_regions() and the checks of
 * the schemes in kernel/patches. */
gboolean fake_damon_is_run_valid(const char *dir, const FakeDamonRun *run);

/* Ends the test when it is not done. */
void fake_damon_must(gboolean done, const char *what);
/* With the directories above it, and a newline behind text. */
void fake_damon_make_file(const char *text, const char *format, ...) G_GNUC_PRINTF(2, 3);
void fake_damon_remove_tree(const char *path);
/* Without the newline, "" when there is no such file; to be freed. */
char *fake_damon_read(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* Frees the text. */
guint64 fake_damon_to_number(char *text);
#define fake_damon_read_number(...) fake_damon_to_number(fake_damon_read(__VA_ARGS__))
