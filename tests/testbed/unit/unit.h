/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SPE unit of the emulated host: the memory that QEMU's plugin (the hardware), the PMU driver
 * in the emulated kernel and the programs of the tests share. It is a file of the machine that
 * emulates, and BAR 2 of an ivshmem device inside. Little-endian; all offsets are of the file.
 *
 *   0                     unit_header
 *   UNIT_CPUS_AT          unit_cpu of each CPU, UNIT_CPU_SIZE apart
 *   rings_at              the ring of each CPU, ring_size apart
 *   counts_at             for each CPU counts_size bytes: uint64_t [pages of RAM][UNIT_CLASSES]
 *
 * Whatever a CPU's driver writes to its unit_cpu is seen by the plugin before that CPU's next
 * memory access, since both run on the thread of the same vCPU: a CPU's words may be written on
 * that CPU only, and need no barrier but a compiler's.
 *
 * head, tail and the counters begin at 0 when the host is switched on, and only grow. Byte n of all
 * that was put into a ring is at n % ring_size: a record may go on at the ring's start. Each time
 * that the countdown ends is one of samples, filtered, collisions and lost. Without a new
 * generation the countdown goes on where it was when enable became 0.
 */
#ifndef TESTBED_UNIT_H
#define TESTBED_UNIT_H

#ifdef __KERNEL__
#include <linux/types.h>
typedef u64 unit_u64;
typedef u32 unit_u32;
#else
#include <stdint.h>
typedef uint64_t unit_u64;
typedef uint32_t unit_u32;
#endif

#define UNIT_MAGIC    0x3145505364696c6fULL /* "olidSPE1" */
#define UNIT_VERSION  1
#define UNIT_CPUS_AT  4096
#define UNIT_CPU_SIZE 4096
#define UNIT_MAX_CPUS 8
#define UNIT_RING     (1u << 20)

/* Whose an access is: the second index of the counts, and the bits of unit_cpu.classes. */
enum unit_class { UNIT_HOST_EL0, UNIT_HOST_EL2, UNIT_GUEST_EL0, UNIT_GUEST_EL1, UNIT_CLASSES };

/* unit_cpu.flags: which packets a record has besides those that it always has. */
#define UNIT_WITH_PA      (1u << 0)
#define UNIT_WITH_TIME    (1u << 1)
#define UNIT_WITH_CONTEXT (1u << 2)
#define UNIT_JITTER       (1u << 3) /* each interval is 0 to 255 accesses shorter */

/* unit_cpu.kinds */
#define UNIT_LOADS  (1u << 0)
#define UNIT_STORES (1u << 1)

/* unit_cpu.events */
#define UNIT_EVENT_COLLISION (1u << 0) /* a sample was selected while one was in flight */
#define UNIT_EVENT_FULL      (1u << 1) /* the ring was full: no sampling until this is cleared */

struct unit_header { /* the plugin writes it once, but for cut */
    unit_u64 magic;
    unit_u32 version;
    unit_u32 cpus;
    unit_u64 rings_at;
    unit_u64 ring_size; /* of one, a power of two */
    unit_u64 counts_at;
    unit_u64 counts_size;
    unit_u64 ram_base; /* of the emulated host's RAM: of what the counts are, and the PAs */
    unit_u64 ram_size;
    unit_u32 cut;  /* written inside: each time it changes, a window of the truth ends */
    unit_u32 cuts; /* by the plugin: the value of cut that it has served */
};

struct unit_cpu {
    /* The driver's. */
    unit_u32 enable;     /* 0 or 1 */
    unit_u32 generation; /* changes whenever one of those did that follow, down to period */
    unit_u32 flags;
    unit_u32 kinds;
    unit_u32 classes;      /* 1 << enum unit_class: accesses of others are not counted down */
    unit_u32 min_latency;  /* cycles in all; a sample with fewer is dropped. 0: none is */
    unit_u64 event_filter; /* a sample that lacks one of these events is dropped */
    unit_u64 period;       /* accesses from one sample to the next, 1 to UINT32_MAX */
    unit_u64 context;      /* of the CONTEXT-EL2 packet: the task's id */
    unit_u64 counter;      /* CNTPCT (or CNTVCT) as the driver last read it */
    unit_u64 tail;         /* bytes that the driver took of the ring */
    unit_u64 driver[9];    /* free for the driver */

    /* The plugin's. */
    unit_u64 head;   /* bytes put into the ring; whole records only */
    unit_u32 events; /* the driver clears it */
    unit_u32 left; /* accesses to go to the next sample; set by the driver before a new generation,
                      where 0 stands for a whole interval */
    unit_u64 samples;    /* records put into the ring */
    unit_u64 filtered;   /* selected, and dropped by a filter */
    unit_u64 collisions; /* selected while one was in flight */
    unit_u64 lost;       /* would have been selected while the ring was full */
    unit_u64 accesses;   /* of RAM, of all classes */
    unit_u64 elsewhere;  /* accesses that are not of RAM: devices, this memory */
};

#endif
