/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver of the SPE unit of an emulated host, whose hardware is a plugin
 * of QEMU (unit.h). It is part of the testbed's kernels only.
 *
 * A program finds what drivers/perf/arm_spe_pmu.c shows it on a Kunpeng 920: the
 * same files, the same refusals, the same flags and bounds in the AUX area. Below
 * that, the unit knows neither the AUX area nor an interrupt. It has a ring of
 * its own, from which a timer, and the stop of an event, move the records to
 * where the hardware would have written them.
 */
#ifndef TESTBED_SPE_DRIVER_H
#define TESTBED_SPE_DRIVER_H

#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/perf_event.h>
#include <linux/types.h>

#include "unit.h"

/* Bytes: a record is no longer, and each begins at a multiple of the other. */
#define SPE_MAX_RECORD		128
#define SPE_ALIGN		4
/* In no log of a Kunpeng 920 at hand; the common values. */
#define SPE_COUNTER_SIZE	12
#define SPE_MIN_PERIOD		1024

/* What the one who opens an event may see, in event->hw.flags. */
#define SPE_TASK_IDS		BIT(0) /* records have the task's id */
#define SPE_GUESTS		BIT(1) /* KVM guests are sampled too */

static_assert(!((SPE_TASK_IDS | SPE_GUESTS) & ~PERF_EVENT_FLAG_ARCH));

/* A stretch of the AUX area that is to be filled, in bytes from its begin. */
struct spe_room {
	unsigned long start; /* the first record's place */
	unsigned long next;  /* the next one's */
	unsigned long end;
};

/* A CPU's part of the unit, and what the hardware has beyond it. */
struct spe_cpu {
	struct perf_output_handle handle;
	struct hrtimer timer;
	struct unit_cpu *words;
	const u8 *ring;
	u64 ring_size; /* a power of two */

	struct spe_room room; /* while the handle has an AUX area */
	bool follows; /* the event is the CPU's: the context is the task's that runs */

	u64 moved;    /* records */
	u64 dropped;  /* bytes of the ring for which the AUX area had no room */
	u64 overruns; /* times that the ring was full */
	u64 broken;   /* times that the ring had no record where one should be */
};

struct spe_unit {
	struct pmu pmu;
	struct pci_dev *pdev;
	cpumask_t cpus; /* those that have words and a ring */
	struct hlist_node node; /* among those who follow CPUs that come and go */
	struct unit_header *header; /* the memory of the device */
	struct spe_cpu __percpu *cpu;
	struct dentry *debugfs;
};

static inline struct spe_unit *spe_unit_of(struct pmu *pmu)
{
	return container_of(pmu, struct spe_unit, pmu);
}

/* attr.c: what the user may ask for, and how the unit is told */
extern const struct attribute_group *spe_files[];
int spe_event_init(struct perf_event *event);
/* All words but enable. To be called on the CPU, with sampling off. */
void spe_write_words(struct spe_cpu *cpu, struct perf_event *event, int flags);

/* buffer.c: the AUX area; to be called on the CPU, with sampling off */
void *spe_area_new(struct perf_event *event, void **pages, int count, bool overwrite);
void spe_area_free(void *aux);
/* Opens the area for what is sampled from now on; -EIO: it has no room. */
int spe_output_begin(struct spe_cpu *cpu, struct perf_event *event);
/* Closes it. What the unit's ring holds should be moved before. */
void spe_output_end(struct spe_cpu *cpu);
/*
 * Moves what is in the ring. A full area is closed and opened again, as in the
 * handler of the hardware's interrupt; @irq: this is one. Returns false when
 * it could not be opened, and the event has to stop.
 */
bool spe_move(struct spe_cpu *cpu, struct perf_event *event, bool irq);
void spe_drop(struct spe_cpu *cpu);

#endif
