/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens events of SPE and reads their AUX areas. */
#include "spe-event.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system.h"
#include "test.h"

#define PAGE       ((size_t) 4096)
#define DATA_PAGES 16

struct perf_event_attr
spe_attr(uint64_t period)
{
    return (struct perf_event_attr){
        .type = (uint32_t) file_read_u64(SPE_PMU_DIR "type"),
        .size = sizeof(struct perf_event_attr),
        .config = SPE_TS_ENABLE | SPE_PA_ENABLE,
        .sample_period = period,
        .disabled = 1,
    };
}

int
spe_try_open(const struct perf_event_attr *attr, pid_t pid, int cpu)
{
    int fd = (int) syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static void *
map(int fd, size_t size, int prot, uint64_t offset)
{
    void *addr = mmap(NULL, size, prot, MAP_SHARED, fd, (off_t) offset);

    if (addr == MAP_FAILED)
        fail_msg("mmap of an event: %s", strerror(errno));
    return addr;
}

struct spe_event
spe_event_open(const struct perf_event_attr *attr, pid_t pid, int cpu, size_t aux_pages,
               bool writable)
{
    struct spe_event event = { .fd = spe_try_open(attr, pid, cpu) };

    if (event.fd < 0)
        fail_msg("perf_event_open: %s", strerror(-event.fd));
    event.page = map(event.fd, (1 + DATA_PAGES) * PAGE, PROT_READ | PROT_WRITE, 0);
    event.aux_size = aux_pages * PAGE;
    event.page->aux_offset = (1 + DATA_PAGES) * PAGE;
    event.page->aux_size = event.aux_size;
    event.aux = map(event.fd, event.aux_size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                    event.page->aux_offset);
    return event;
}

void
spe_event_close(struct spe_event *event)
{
    munmap(event->aux, event->aux_size);
    munmap(event->page, (1 + DATA_PAGES) * PAGE);
    close(event->fd);
}

void
spe_event_enable(struct spe_event *event, bool enabled)
{
    int request = enabled ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE;

    if (ioctl(event->fd, (unsigned long) request, 0))
        fail_msg("the event could not be turned %s: %s", enabled ? "on" : "off", strerror(errno));
}

static size_t
decode(const uint8_t *data, size_t size, spe_record_func func, void *user)
{
    struct spe_record record;
    size_t count = 0;

    for (size_t n, at = 0; at < size; at += n, count++) {
        n = spe_record_read(data + at, size - at, &record);
        if (!n)
            fail_msg("no record after %zu of %zu bytes", at, size);
        if (func)
            func(&record, user);
    }
    return count;
}

struct aux_record {
    struct perf_event_header header;
    uint64_t offset, size, flags;
};

static size_t
take_aux(struct spe_event *event, const struct aux_record *aux, spe_record_func func, void *data)
{
    size_t at = aux->offset % event->aux_size;

    event->aux_records++;
    event->truncated += !!(aux->flags & PERF_AUX_FLAG_TRUNCATED);
    event->partial += !!(aux->flags & PERF_AUX_FLAG_PARTIAL);
    event->collisions += !!(aux->flags & PERF_AUX_FLAG_COLLISION);
    event->bytes += aux->size;
    /* What is between two of them is padding. */
    assert_true(aux->offset >= event->read);
    event->read = aux->offset + aux->size;
    assert_in_range(aux->size, 0, event->aux_size - at);
    return decode(event->aux + at, aux->size, func, data);
}

/* Records of the ring may lie across its end. */
static void
copy_record(const struct spe_event *event, uint64_t at, void *to, size_t size)
{
    const uint8_t *ring = (const uint8_t *) event->page + PAGE;

    for (size_t i = 0; i < size; i++)
        ((uint8_t *) to)[i] = ring[(at + i) % (DATA_PAGES * PAGE)];
}

size_t
spe_event_read(struct spe_event *event, spe_record_func func, void *data)
{
    uint64_t head = __atomic_load_n(&event->page->data_head, __ATOMIC_ACQUIRE);
    uint64_t at = event->page->data_tail;
    struct aux_record record;
    size_t count = 0;

    for (; at < head; at += record.header.size) {
        copy_record(event, at, &record.header, sizeof(record.header));
        assert_int_not_equal(record.header.type, PERF_RECORD_LOST);
        if (record.header.type != PERF_RECORD_AUX)
            continue;
        copy_record(event, at, &record, sizeof(record));
        count += take_aux(event, &record, func, data);
    }
    __atomic_store_n(&event->page->data_tail, at, __ATOMIC_RELEASE);
    __atomic_store_n(&event->page->aux_tail, event->read, __ATOMIC_RELEASE);
    return count;
}
