// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SPE unit of an emulated host: the files of the PMU, what of an event's
 * attributes is refused, and the unit's words for the rest. To those who open
 * events it is SPEv1.0, and the driver one that samples guests.
 */
#include <linux/bits.h>
#include <linux/device.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/stringify.h>
#include <linux/sysfs.h>

#include <asm/arch_timer.h>
#include <asm/sysreg.h>
#include <asm/virt.h>

#include "driver.h"

/* Bits of config; config1 is the event filter, config2 the latency's. */
#define WANTS_TIME	BIT_ULL(0)
#define WANTS_PA	BIT_ULL(1)
#define WANTS_PCT	BIT_ULL(2)
#define WANTS_JITTER	BIT_ULL(16)
#define WANTS_BRANCHES	BIT_ULL(32)
#define WANTS_LOADS	BIT_ULL(33)
#define WANTS_STORES	BIT_ULL(34)

#define LATENCY		GENMASK_ULL(11, 0)

/* PMSIRR_EL1 has 24 bits of a period, from the eighth on. */
#define PERIOD_STEP	256
#define MAX_PERIOD	0xffffff00

/* With the empty line that those of a single bit have in the kernel. */
static DEVICE_STRING_ATTR_RO(ts_enable, 0444, "config:0\n");
static DEVICE_STRING_ATTR_RO(pa_enable, 0444, "config:1\n");
static DEVICE_STRING_ATTR_RO(pct_enable, 0444, "config:2\n");
static DEVICE_STRING_ATTR_RO(jitter, 0444, "config:16\n");
static DEVICE_STRING_ATTR_RO(branch_filter, 0444, "config:32\n");
static DEVICE_STRING_ATTR_RO(load_filter, 0444, "config:33\n");
static DEVICE_STRING_ATTR_RO(store_filter, 0444, "config:34\n");
static DEVICE_STRING_ATTR_RO(event_filter, 0444, "config1:0-63");
static DEVICE_STRING_ATTR_RO(min_latency, 0444, "config2:0-11");

static DEVICE_STRING_ATTR_RO(arch_inst, 0444, "0");
static DEVICE_STRING_ATTR_RO(ernd, 0444, "0");
static DEVICE_STRING_ATTR_RO(count_size, 0444, __stringify(SPE_COUNTER_SIZE));
static DEVICE_STRING_ATTR_RO(min_interval, 0444, __stringify(SPE_MIN_PERIOD));

static ssize_t cpumask_show(struct device *dev, struct device_attribute *file,
			    char *text)
{
	const struct spe_unit *unit = spe_unit_of(dev_get_drvdata(dev));

	return sysfs_emit(text, "%*pbl\n", cpumask_pr_args(&unit->cpus));
}

static DEVICE_ATTR_RO(cpumask);

#define FILE_OF(name) (&dev_attr_##name.attr.attr)

static const struct attribute_group formats = {
	.name = "format",
	.attrs = (struct attribute *[]) {
		FILE_OF(ts_enable), FILE_OF(pa_enable), FILE_OF(pct_enable),
		FILE_OF(jitter), FILE_OF(branch_filter), FILE_OF(load_filter),
		FILE_OF(store_filter), FILE_OF(event_filter),
		FILE_OF(min_latency), NULL
	},
};

static const struct attribute_group caps = {
	.name = "caps",
	.attrs = (struct attribute *[]) {
		FILE_OF(arch_inst), FILE_OF(ernd), FILE_OF(count_size),
		FILE_OF(min_interval), NULL
	},
};

static const struct attribute_group top = {
	.attrs = (struct attribute *[]) { &dev_attr_cpumask.attr, NULL },
};

const struct attribute_group *spe_files[] = { &top, &caps, &formats, NULL };

/*
 * It takes a kernel at EL2, and one who may sample that kernel, to sample guests.
 * Others have their event without; an event of guests alone is refused them.
 */
static int choose_guests(struct perf_event *event)
{
	const bool vhe = is_kernel_in_hyp_mode();
	int refused;

	if (vhe && event->attr.exclude_guest)
		return 0;

	refused = vhe ? perf_allow_kernel() : -EOPNOTSUPP;
	if (refused)
		return event->attr.exclude_host ? refused : 0;

	event->hw.flags |= SPE_GUESTS;
	return 0;
}

/* Of an event that lacks more than one thing the kernel says these in order. */
static int refuse(const struct perf_event_attr *attr)
{
	/* config3, of SPEv1.2, is the same filter inverted, with the same bits. */
	u64 filters = attr->config1 | attr->config3;

	if (attr->exclude_idle || filters & PMSEVFR_EL1_RES0_IMP)
		return -EOPNOTSUPP;
	if (attr->freq)
		return -EINVAL;

	return attr->config3 ? -EOPNOTSUPP : 0;
}

int spe_event_init(struct perf_event *event)
{
	const struct spe_unit *unit = spe_unit_of(event->pmu);
	int err;

	if (event->attr.type != unit->pmu.type)
		return -ENOENT;
	if (event->cpu != -1 && !cpumask_test_cpu(event->cpu, &unit->cpus))
		return -ENOENT;

	err = refuse(&event->attr);
	if (!err)
		err = choose_guests(event);
	if (err)
		return err;

	err = perf_allow_kernel();
	if (!err && IS_ENABLED(CONFIG_PID_IN_CONTEXTIDR))
		event->hw.flags |= SPE_TASK_IDS;

	return event->attr.config & (WANTS_PA | WANTS_PCT) ? err : 0;
}

/*
 * The unit has one counter: what its records carry is CNTPCT_EL0, which in the
 * host is CNTVCT_EL0 too, so that WANTS_PCT makes no difference.
 */
static u32 words_flags(const struct perf_event *event)
{
	u64 config = event->attr.config;
	u32 flags = 0;

	if (config & WANTS_TIME)
		flags |= UNIT_WITH_TIME;
	if (config & WANTS_PA)
		flags |= UNIT_WITH_PA;
	if (config & WANTS_JITTER)
		flags |= UNIT_JITTER;
	if (event->hw.flags & SPE_TASK_IDS)
		flags |= UNIT_WITH_CONTEXT;

	return flags;
}

/* Of a filter for branches alone nothing is left: the unit does not see any. */
static u32 words_kinds(u64 config)
{
	if (!(config & (WANTS_LOADS | WANTS_STORES | WANTS_BRANCHES)))
		return UNIT_LOADS | UNIT_STORES;

	return (config & WANTS_LOADS ? UNIT_LOADS : 0) |
	       (config & WANTS_STORES ? UNIT_STORES : 0);
}

/* A guest's levels are excluded by the same two bits as the host's. */
static u32 words_classes(const struct perf_event *event)
{
	u32 user = 0, kernel = 0;

	if (!event->attr.exclude_host) {
		user |= BIT(UNIT_HOST_EL0);
		kernel |= BIT(UNIT_HOST_EL2);
	}
	if (event->hw.flags & SPE_GUESTS) {
		user |= BIT(UNIT_GUEST_EL0);
		kernel |= BIT(UNIT_GUEST_EL1);
	}

	return (event->attr.exclude_user ? 0 : user) |
	       (event->attr.exclude_kernel ? 0 : kernel);
}

void spe_write_words(struct spe_cpu *cpu, struct perf_event *event, int flags)
{
	const struct perf_event_attr *attr = &event->attr;
	struct hw_perf_event *hw = &event->hw;
	struct unit_cpu *words = cpu->words;

	WRITE_ONCE(words->flags, words_flags(event));
	WRITE_ONCE(words->kinds, words_kinds(attr->config));
	WRITE_ONCE(words->classes, words_classes(event));
	WRITE_ONCE(words->event_filter, attr->config1);
	WRITE_ONCE(words->min_latency, attr->config2 & LATENCY);

	if (flags & PERF_EF_RELOAD) {
		hw->sample_period = round_down(clamp_t(u64, hw->sample_period,
						       SPE_MIN_PERIOD, MAX_PERIOD),
					       PERIOD_STEP);
		WRITE_ONCE(words->period, hw->sample_period);
		WRITE_ONCE(words->left, local64_read(&hw->period_left));
	}

	/* The hardware has no ring in which a test program may have left some. */
	WRITE_ONCE(words->tail, READ_ONCE(words->head));
	WRITE_ONCE(words->events, words->events & ~UNIT_EVENT_FULL);

	WRITE_ONCE(words->context, task_pid_nr(current));
	WRITE_ONCE(words->counter, arch_timer_read_counter());
	WRITE_ONCE(words->generation, words->generation + 1);
}
