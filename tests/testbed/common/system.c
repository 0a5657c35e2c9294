/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and sets what /proc and /sys hold. */
#include "system.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

/* The files here are small; /proc/vmstat and /proc/PID/status stay below this. */
#define FILE_MAX_SIZE 65536

static struct {
    char path[160], old[160];
} settings[16];
static size_t n_settings;
static pid_t settings_owner; /* a child that exits restores nothing */

int
file_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t size = strlen(text);
    ssize_t n;
    int error;

    if (fd < 0)
        return -errno;
    n = write(fd, text, size);
    error = n < 0 ? -errno : (size_t) n < size ? -EIO : 0;
    close(fd);
    return error;
}

int
file_write_u64(const char *path, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long) value);
    return file_write(path, text);
}

int
file_read(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t n = 0;

    if (fd < 0)
        return -errno;
    while (length < size - 1 && (n = read(fd, buf + length, size - 1 - length)) > 0)
        length += (size_t) n;
    if (n < 0) {
        n = -errno;
        close(fd);
        return (int) n;
    }
    close(fd);
    while (length && buf[length - 1] == '\n')
        length--;
    buf[length] = '\0';
    return (int) length;
}

uint64_t
file_read_u64(const char *path)
{
    char buf[64], *end;
    int n = file_read(path, buf, sizeof(buf));
    uint64_t value;

    if (n <= 0)
        fail_msg("%s: %s", path, n ? strerror(-n) : "empty");
    value = strtoull(buf, &end, 10);
    if (*end)
        fail_msg("%s: no number: %s", path, buf);
    return value;
}

uint64_t
file_field(const char *path, const char *key)
{
    static char buf[FILE_MAX_SIZE];
    size_t length = strlen(key);
    int n = file_read(path, buf, sizeof(buf));

    if (n < 0)
        fail_msg("%s: %s", path, strerror(-n));
    for (char *line = buf; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, key, length) && (isspace(line[length]) || line[length] == ':'))
            return strtoull(line + length + strspn(line + length, ": \t"), NULL, 10);
    }
    fail_msg("%s: no %s", path, key);
    return 0;
}

uint64_t
vmstat(const char *key)
{
    return file_field("/proc/vmstat", key);
}

uint64_t
thp_stat(int order, const char *name)
{
    char path[160];

    snprintf(path, sizeof(path), THP_DIR "hugepages-%dkB/stats/%s", 4 << order, name);
    return file_read_u64(path);
}

void
settings_restore(void)
{
    if (getpid() != settings_owner)
        return;
    while (n_settings) {
        n_settings--;
        if (file_write(settings[n_settings].path, settings[n_settings].old))
            print_error("%s: could not be restored\n", settings[n_settings].path);
    }
}

/* Files of choices mark the one in force: "always [madvise] never". */
static void
keep_choice(char *text)
{
    char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;

    if (!close)
        return;
    *close = '\0';
    memmove(text, open + 1, strlen(open + 1) + 1);
}

void
setting(const char *path, const char *text)
{
    size_t i = n_settings;
    int n;

    assert_true(i < sizeof(settings) / sizeof(settings[0]));
    assert_true(strlen(path) < sizeof(settings[i].path));
    n = file_read(path, settings[i].old, sizeof(settings[i].old));
    if (n < 0)
        fail_msg("%s: %s", path, strerror(-n));
    keep_choice(settings[i].old);
    n = file_write(path, text);
    if (n)
        fail_msg("%s: '%s': %s", path, text, strerror(-n));
    strcpy(settings[i].path, path);
    if (!settings_owner) {
        settings_owner = getpid();
        atexit(settings_restore);
    }
    n_settings++;
}

int
khugepaged_quiet(void **state)
{
    setting(THP_DIR "khugepaged/scan_sleep_millisecs", "3600000");
    return 0;
}
