// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SPE unit of an emulated host: from the unit's ring to perf's AUX area.
 * fill_buffer() does what the hardware would; what is around it has the area
 * look to its reader as with drivers/perf/arm_spe_pmu.c.
 */
#define pr_fmt(fmt) "spe_unit: " fmt

#include <linux/align.h>
#include <linux/cleanup.h>
#include <linux/irq_work.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "driver.h"

/* Packets: headers whose size is not in them, or that end a record. */
#define PACKET_PAD	0x00
#define PACKET_END	0x01
#define PACKET_TIME	0x71
#define PACKET_LONG	0x20 /* the first of two bytes of a header */
#define PACKET_LONG_MASK 0xfc

/* The AUX area of an event, whose pages are one after the other here. */
struct area {
	u8 *base;
	unsigned long size; /* bytes */
	bool overwrite;	    /* nobody reads while it is filled: a snapshot */
};

/*
 * What may be filled from @start on in an area of @size bytes: up to the last
 * page that the reader, who is @free bytes ahead, has left wholly; up to the end
 * of the page of the next wakeup, @due bytes ahead; up to the area's end. A wakeup
 * that is past is very far ahead. The room is empty when the reader is too near.
 */
static struct spe_room room_to_reader(unsigned long start, unsigned long free,
				      unsigned long due, unsigned long size)
{
	unsigned long reader = round_down(start + free, PAGE_SIZE);
	unsigned long wakeup = round_up(start + min(due, free), PAGE_SIZE);
	unsigned long end = min3(reader, wakeup, size);

	return (struct spe_room){ start, start, max(start, end) };
}

/* Half of the area after half, so that the half before is there to be read. */
static struct spe_room room_in_half(unsigned long start, unsigned long size)
{
	unsigned long half = size / 2;

	return (struct spe_room){ start, start, start < half ? half : size };
}

static struct spe_room room_ahead(const struct perf_output_handle *handle,
				  const struct area *area)
{
	unsigned long start = handle->head % area->size;

	if (area->overwrite)
		return room_in_half(start, area->size);

	return room_to_reader(start, handle->size, handle->wakeup - handle->head,
			      area->size);
}

static bool has_record_room(const struct spe_room *room)
{
	return room->end - room->next >= SPE_MAX_RECORD;
}

/* Zeroes are packets too, of padding: a reader goes over them. */
static void pass_over(struct perf_output_handle *handle,
		      const struct area *area, unsigned long bytes)
{
	memset(area->base + handle->head % area->size, 0, bytes);
	if (area->overwrite)
		handle->head += bytes;
	else
		perf_aux_output_skip(handle, bytes);
}

/*
 * Goes to the first place with room for a record. Bytes of no use may come
 * before: up to a multiple of SPE_ALIGN (a full area has a byte less than its
 * size, so that the next start may be odd), and up to where the room ends.
 * Returns false when the reader has to go on first.
 */
static bool find_room(struct perf_output_handle *handle,
		      const struct area *area, struct spe_room *room)
{
	unsigned long odd = -handle->head % SPE_ALIGN;

	if (odd)
		pass_over(handle, area, min(odd, handle->size));

	for (;;) {
		*room = room_ahead(handle, area);
		if (has_record_room(room))
			return true;
		if (room->start == room->end)
			return false;
		pass_over(handle, area, room->end - room->start);
	}
}

int spe_output_begin(struct spe_cpu *cpu, struct perf_event *event)
{
	struct perf_output_handle *handle = &cpu->handle;
	const struct area *area = perf_aux_output_begin(handle, event);

	if (!area)
		return -EIO;
	if (find_room(handle, area, &cpu->room))
		return 0;

	/* The reader has to know that it is late: perf turns the event off. */
	pass_over(handle, area, handle->size);
	perf_aux_output_flag(handle, PERF_AUX_FLAG_TRUNCATED);
	perf_aux_output_end(handle, 0);
	return -EIO;
}

void spe_output_end(struct spe_cpu *cpu)
{
	const struct area *area = perf_get_aux(&cpu->handle);

	/* Of a snapshot perf does not count; it takes the place as it is. */
	if (area->overwrite)
		cpu->handle.head = cpu->room.next;

	perf_aux_output_end(&cpu->handle, cpu->room.next - cpu->room.start);
}

static u8 ring_byte(const struct spe_cpu *cpu, u64 at)
{
	return READ_ONCE(cpu->ring[at & (cpu->ring_size - 1)]);
}

/* The bytes of the packet that is in the ring at @at. */
static unsigned int packet_size(const struct spe_cpu *cpu, u64 at)
{
	u8 header = ring_byte(cpu, at);
	unsigned int size = 1;

	if (header == PACKET_PAD || header == PACKET_END)
		return size;

	if ((header & PACKET_LONG_MASK) == PACKET_LONG) {
		header = ring_byte(cpu, at + 1);
		size++;
	}

	return size + (1u << ((header >> 4) & 3));
}

/*
 * The bytes of the record that is in the ring at @at, with what aligns the next
 * one; 0 when none ends before @head.
 */
static unsigned int record_size(const struct spe_cpu *cpu, u64 at, u64 head)
{
	u64 most = min_t(u64, head - at, SPE_MAX_RECORD);
	unsigned int size = 0;
	u8 header;

	do {
		header = ring_byte(cpu, at + size);
		size += packet_size(cpu, at + size);
		if (size > most)
			return 0;
	} while (header != PACKET_END && header != PACKET_TIME);

	size = ALIGN(size, SPE_ALIGN);
	return size <= most ? size : 0;
}

static void copy_record(struct spe_cpu *cpu, u64 at, unsigned int size)
{
	const struct area *area = perf_get_aux(&cpu->handle);
	u8 *to = area->base + cpu->room.next;
	u64 from = at & (cpu->ring_size - 1);
	u64 first = min_t(u64, size, cpu->ring_size - from);

	memcpy(to, cpu->ring + from, first);
	memcpy(to + first, cpu->ring, size - first);
	cpu->room.next += size;
}

void spe_drop(struct spe_cpu *cpu)
{
	u64 head = READ_ONCE(cpu->words->head);

	cpu->dropped += head - cpu->words->tail;
	WRITE_ONCE(cpu->words->tail, head);
}

/*
 * What the hardware does: record after record, until another one might not fit
 * any more. Returns true then.
 */
static bool fill_buffer(struct spe_cpu *cpu)
{
	struct unit_cpu *words = cpu->words;
	u64 head = READ_ONCE(words->head);
	u64 at = words->tail;
	unsigned int size;

	while (at != head && has_record_room(&cpu->room)) {
		size = record_size(cpu, at, head);
		if (!size) {
			pr_err_ratelimited("CPU %d: no record at %llu of the ring\n",
					   smp_processor_id(), at);
			cpu->broken++;
			at = head;
			break;
		}
		copy_record(cpu, at, size);
		cpu->moved++;
		at += size;
	}

	WRITE_ONCE(words->tail, at);
	return !has_record_room(&cpu->room);
}

/* The buffer management event. A collision is told of here, and only here. */
static bool serve_full(struct spe_cpu *cpu, struct perf_event *event, bool irq)
{
	struct unit_cpu *words = cpu->words;

	if (READ_ONCE(words->events) & UNIT_EVENT_COLLISION)
		perf_aux_output_flag(&cpu->handle, PERF_AUX_FLAG_COLLISION);
	WRITE_ONCE(words->events, words->events & ~UNIT_EVENT_COLLISION);

	spe_output_end(cpu);
	if (irq)
		irq_work_run();
	if (event->hw.state & PERF_HES_STOPPED)
		return false;

	return !spe_output_begin(cpu, event);
}

bool spe_move(struct spe_cpu *cpu, struct perf_event *event, bool irq)
{
	struct unit_cpu *words = cpu->words;

	/*
	 * What the hardware has no counterpart of: samples are missing between
	 * two records, all of which are whole. Sampling goes on.
	 */
	if (READ_ONCE(words->events) & UNIT_EVENT_FULL) {
		perf_aux_output_flag(&cpu->handle, PERF_AUX_FLAG_PARTIAL);
		WRITE_ONCE(words->events, words->events & ~UNIT_EVENT_FULL);
		cpu->overruns++;
	}

	while (fill_buffer(cpu)) {
		if (serve_full(cpu, event, irq))
			continue;
		spe_drop(cpu);
		return false;
	}

	return true;
}

static void *map_pages(void **addresses, int count)
{
	struct page **pages __free(kvfree) = NULL;

	pages = kvmalloc_array(count, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return NULL;

	for (int i = 0; i < count; i++)
		pages[i] = virt_to_page(addresses[i]);

	return vmap(pages, count, VM_MAP, PAGE_KERNEL);
}

/* A single page would never be whole and free at once; a snapshot has halves. */
void *spe_area_new(struct perf_event *event, void **pages, int count, bool overwrite)
{
	struct area *area __free(kfree) = NULL;

	if (count < 2 || (overwrite && count % 2))
		return NULL;

	area = kmalloc(sizeof(*area), GFP_KERNEL);
	if (!area)
		return NULL;

	area->base = map_pages(pages, count);
	if (!area->base)
		return NULL;

	area->size = count * PAGE_SIZE;
	area->overwrite = overwrite;
	return_ptr(area);
}

void spe_area_free(void *aux)
{
	struct area *area = aux;

	vunmap(area->base);
	kfree(area);
}
