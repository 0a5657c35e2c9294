/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "truth.h"

#include "truth-file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool truth_is_cutting;

static struct {
    const struct shared *shared;
    const char *path;
    int fd;                           /* -1: no file */
    uint64_t (*before)[UNIT_CLASSES]; /* the counts when the window began */
    struct truth_page *pages;         /* room for a window of all pages */
    pthread_mutex_t lock;
} truth = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
write_all(const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        ssize_t written = write(truth.fd, at, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            fprintf(stderr, "SPE unit: cannot write %s: %s\n", truth.path, strerror(errno));
            _exit(1);
        }
        at += written;
        size -= (size_t) written;
    }
}

bool
truth_open(const struct shared *shared, const char *path)
{
    struct truth_header header = {
        .magic = TRUTH_MAGIC,
        .version = TRUTH_VERSION,
        .classes = UNIT_CLASSES,
        .ram_base = shared->ram_base,
        .ram_size = shared->ram_size,
    };

    truth.shared = shared;
    truth.path = path;
    truth.fd = -1;
    if (!path)
        return true;
    truth.before = calloc(shared_pages(shared), sizeof *truth.before);
    truth.pages = calloc(shared_pages(shared), sizeof *truth.pages);
    truth.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (!truth.before || !truth.pages || truth.fd < 0) {
        fprintf(stderr, "SPE unit: cannot make %s: %s\n", path, strerror(errno));
        return false;
    }
    write_all(&header, sizeof header);
    return true;
}

/* What was counted of a page since the window began. Returns whether that is anything. */
static bool
take_page(uint64_t page, struct truth_page *taken)
{
    uint64_t any = 0;

    taken->index = page;
    for (unsigned class = 0; class < UNIT_CLASSES; class ++) {
        uint64_t now = 0;

        for (unsigned cpu = 0; cpu < truth.shared->cpus; cpu++)
            now += shared_counts(truth.shared, cpu)[page][class];
        taken->counts[class] = now - truth.before[page][class];
        truth.before[page][class] = now;
        any |= taken->counts[class];
    }
    return any != 0;
}

static void
end_window(uint32_t cut, bool last)
{
    struct truth_window window = { .cut = cut, .last = last };

    if (truth.fd < 0)
        return;
    for (uint64_t page = 0; page < shared_pages(truth.shared); page++)
        window.pages += take_page(page, &truth.pages[window.pages]);
    write_all(&window, sizeof window);
    write_all(truth.pages, window.pages * sizeof *truth.pages);
}

void
truth_look_at_cut(void)
{
    struct unit_header *header = truth.shared->header;

    if (__atomic_load_n(&header->cut, __ATOMIC_RELAXED) == header->cuts)
        return;
    pthread_mutex_lock(&truth.lock);
    __atomic_store_n(&truth_is_cutting, true, __ATOMIC_SEQ_CST);
    while (header->cuts != header->cut) {
        uint32_t cut = header->cut;

        end_window(cut, false);
        __atomic_store_n(&header->cuts, cut, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&truth_is_cutting, false, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&truth.lock);
}

void
truth_wait(void)
{
    pthread_mutex_lock(&truth.lock);
    pthread_mutex_unlock(&truth.lock);
}

void
truth_close(void)
{
    pthread_mutex_lock(&truth.lock);
    end_window(truth.shared->header->cut, true);
    if (truth.fd >= 0 && close(truth.fd) < 0)
        fprintf(stderr, "SPE unit: cannot write %s: %s\n", truth.path, strerror(errno));
    truth.fd = -1;
    pthread_mutex_unlock(&truth.lock);
}
