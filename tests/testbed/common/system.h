/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and sets what /proc and /sys hold, for tests that run as root in the emulated host. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define THP_DIR "/sys/kernel/mm/transparent_hugepage/"

/* One write() of the text. Returns 0 or -errno. */
int file_write(const char *path, const char *text);
int file_write_u64(const char *path, uint64_t value);
/* Up to size - 1 bytes, NUL-terminated, trailing newlines off. Returns the length or -errno. */
int file_read(const char *path, char *buf, size_t size);
/* The number in a file. Fails the running test when there is none. */
uint64_t file_read_u64(const char *path);
/* The number after "key" (and white space or a colon) in a file of such lines; fails when it is
 * missing. */
uint64_t file_field(const char *path, const char *key);

uint64_t vmstat(const char *key);
/* hugepages-*kB/stats/NAME of an order. */
uint64_t thp_stat(int order, const char *name);

/* Sets a file for the rest of the program; the old contents come back at its end (or at
 * settings_restore()). Fails the running test when the file refuses. */
void setting(const char *path, const char *text);
void settings_restore(void);
/* khugepaged would undo splits while a test looks: makes it sleep for an hour. A setting, and a
 * setup of cmocka for a group of tests. */
int khugepaged_quiet(void **state);
