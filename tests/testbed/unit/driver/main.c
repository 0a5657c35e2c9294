// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SPE unit of an emulated host: its device, and perf's events. See driver.h.
 */
#include <linux/cpuhotplug.h>
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include <asm/arch_timer.h>

#include <trace/events/sched.h>

#include "driver.h"

#define DRVNAME "spe_unit"

/*
 * The unit raises no interrupt, so its ring is looked at this often while an
 * event is on. A processor of TCG makes less than a million accesses in that
 * time: at the smallest period a tenth of the ring.
 */
#define POLL_NSEC (4 * NSEC_PER_MSEC)

#define IVSHMEM_VENDOR 0x1af4
#define IVSHMEM_DEVICE 0x1110
#define IVSHMEM_MEMORY 2 /* BAR */

static enum cpuhp_state spe_online;

/* Sampling begins, or goes on where pause() stopped it. */
static void resume(struct spe_cpu *cpu)
{
	barrier();
	WRITE_ONCE(cpu->words->enable, 1);
}

/* The unit is not to sample what its own driver does for it. */
static void pause(struct spe_cpu *cpu)
{
	WRITE_ONCE(cpu->words->enable, 0);
	barrier();
}

static struct spe_cpu *this_spe_cpu(struct perf_event *event)
{
	return this_cpu_ptr(spe_unit_of(event->pmu)->cpu);
}

static void spe_event_stop(struct perf_event *event, int flags)
{
	struct spe_cpu *cpu = this_spe_cpu(event);

	if (event->hw.state & PERF_HES_STOPPED)
		return;

	pause(cpu);
	cpu->follows = false;
	/* It fails in the timer's own handler, which sees that it is over. */
	hrtimer_try_to_cancel(&cpu->timer);

	if (flags & PERF_EF_UPDATE) {
		if (perf_get_aux(&cpu->handle) && spe_move(cpu, event, false))
			spe_output_end(cpu);
		local64_set(&event->hw.period_left, READ_ONCE(cpu->words->left));
		event->hw.state |= PERF_HES_UPTODATE;
	}

	/* Not before: spe_move() has no use for an event that is stopped. */
	event->hw.state |= PERF_HES_STOPPED;
}

/* Without room in the AUX area the event stays as it was, off. */
static void spe_event_start(struct perf_event *event, int flags)
{
	struct spe_cpu *cpu = this_spe_cpu(event);

	event->hw.state = PERF_HES_STOPPED;
	if (spe_output_begin(cpu, event))
		return;

	event->hw.state = 0;
	spe_write_words(cpu, event, flags);
	cpu->follows = !(event->attach_state & PERF_ATTACH_TASK);
	hrtimer_start(&cpu->timer, ns_to_ktime(POLL_NSEC),
		      HRTIMER_MODE_REL_PINNED_HARD);
	resume(cpu);
}

/* In place of the interrupt. */
static enum hrtimer_restart spe_timer(struct hrtimer *timer)
{
	struct spe_cpu *cpu = container_of(timer, struct spe_cpu, timer);
	struct perf_event *event = cpu->handle.event;

	if (!perf_get_aux(&cpu->handle))
		return HRTIMER_NORESTART;

	pause(cpu);
	WRITE_ONCE(cpu->words->counter, arch_timer_read_counter());
	if (!spe_move(cpu, event, true)) {
		spe_event_stop(event, PERF_EF_UPDATE);
		return HRTIMER_NORESTART;
	}

	hrtimer_forward_now(timer, ns_to_ktime(POLL_NSEC));
	resume(cpu);
	return HRTIMER_RESTART;
}

static int spe_event_add(struct perf_event *event, int flags)
{
	if (!this_spe_cpu(event)->words)
		return -ENOENT;

	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (!(flags & PERF_EF_START))
		return 0;

	spe_event_start(event, PERF_EF_RELOAD);
	return event->hw.state & PERF_HES_STOPPED ? -EINVAL : 0;
}

static void spe_event_del(struct perf_event *event, int flags)
{
	spe_event_stop(event, PERF_EF_UPDATE);
}

/* There is no count: what an event has is in its AUX area. */
static void spe_event_read(struct perf_event *event)
{
}

/*
 * What CONTEXTIDR_EL2 is on hardware. An event of a task has its own id all
 * along, so that nothing of the next task is put down to it on the way out.
 */
static void spe_sched_switch(void *data, bool preempt, struct task_struct *prev,
			     struct task_struct *next, unsigned int prev_state)
{
	struct spe_unit *unit = data;
	struct spe_cpu *cpu = this_cpu_ptr(unit->cpu);

	if (!cpu->follows)
		return;

	WRITE_ONCE(cpu->words->context, task_pid_nr(next));
	WRITE_ONCE(cpu->words->counter, arch_timer_read_counter());
}

static int spe_stats_show(struct seq_file *file, void *data)
{
	struct spe_unit *unit = file->private;
	int i;

	for_each_cpu(i, &unit->cpus) {
		struct spe_cpu *cpu = per_cpu_ptr(unit->cpu, i);
		struct unit_cpu *words = cpu->words;

		seq_printf(file, "cpu %d moved %llu dropped_bytes %llu overruns %llu broken %llu",
			   i, cpu->moved, cpu->dropped, cpu->overruns, cpu->broken);
		seq_printf(file, " samples %llu filtered %llu collisions %llu lost %llu accesses %llu\n",
			   words->samples, words->filtered, words->collisions,
			   words->lost, words->accesses);
	}

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(spe_stats);

/* With the event still on, its stop closes the AUX area, which is to come. */
static int spe_cpu_goes(unsigned int number, struct hlist_node *node)
{
	struct spe_unit *unit = hlist_entry(node, struct spe_unit, node);
	struct spe_cpu *cpu = this_cpu_ptr(unit->cpu);

	if (cpu->words) {
		hrtimer_cancel(&cpu->timer);
		pause(cpu);
	}

	return 0;
}

static int spe_cpu_comes(unsigned int number, struct hlist_node *node)
{
	struct spe_unit *unit = hlist_entry(node, struct spe_unit, node);
	struct spe_cpu *cpu = this_cpu_ptr(unit->cpu);

	if (cpu->words) {
		pause(cpu);
		WRITE_ONCE(cpu->words->tail, READ_ONCE(cpu->words->head));
		WRITE_ONCE(cpu->words->events, 0);
	}

	return 0;
}

static bool header_is_sane(const struct unit_header *header, u64 size)
{
	if (size < UNIT_CPUS_AT + UNIT_MAX_CPUS * UNIT_CPU_SIZE)
		return false;
	if (header->magic != UNIT_MAGIC || header->version != UNIT_VERSION)
		return false;
	if (!header->cpus || header->cpus > UNIT_MAX_CPUS)
		return false;
	if (!is_power_of_2(header->ring_size) || header->ring_size > size)
		return false;

	return header->rings_at <= size &&
	       header->cpus * header->ring_size <= size - header->rings_at;
}

static void init_cpus(struct spe_unit *unit)
{
	struct unit_header *header = unit->header;
	void *memory = header;
	int i;

	for_each_possible_cpu(i) {
		struct spe_cpu *cpu = per_cpu_ptr(unit->cpu, i);

		hrtimer_init(&cpu->timer, CLOCK_MONOTONIC,
			     HRTIMER_MODE_REL_PINNED_HARD);
		cpu->timer.function = spe_timer;
		if (i >= header->cpus)
			continue;

		cpu->words = memory + UNIT_CPUS_AT + i * UNIT_CPU_SIZE;
		cpu->ring = memory + header->rings_at + i * header->ring_size;
		cpu->ring_size = header->ring_size;
		cpumask_set_cpu(i, &unit->cpus);
	}
}

static int register_pmu(struct spe_unit *unit)
{
	unit->pmu = (struct pmu) {
		.module = THIS_MODULE,
		.parent = &unit->pdev->dev,
		.attr_groups = spe_files,
		/* One event at a time on a CPU, or one for each task. */
		.capabilities = PERF_PMU_CAP_EXCLUSIVE | PERF_PMU_CAP_ITRACE,
		.task_ctx_nr = perf_sw_context,
		.event_init = spe_event_init,
		.setup_aux = spe_area_new,
		.free_aux = spe_area_free,
		.add = spe_event_add,
		.start = spe_event_start,
		.stop = spe_event_stop,
		.del = spe_event_del,
		.read = spe_event_read,
	};

	return perf_pmu_register(&unit->pmu, "arm_spe_0", -1);
}

static int start_unit(struct spe_unit *unit)
{
	int err;

	err = cpuhp_state_add_instance(spe_online, &unit->node);
	if (err)
		return err;

	err = register_trace_sched_switch(spe_sched_switch, unit);
	if (err)
		goto out_hotplug;

	err = register_pmu(unit);
	if (err)
		goto out_trace;

	unit->debugfs = debugfs_create_file(unit->pmu.name, 0400, NULL, unit,
					    &spe_stats_fops);
	return 0;

out_trace:
	unregister_trace_sched_switch(spe_sched_switch, unit);
	tracepoint_synchronize_unregister();
out_hotplug:
	cpuhp_state_remove_instance(spe_online, &unit->node);
	return err;
}

/*
 * The BAR is not requested: user space maps it too. Another ivshmem device, one
 * without a unit behind it, is left alone.
 */
static int spe_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	u64 size = pci_resource_len(pdev, IVSHMEM_MEMORY);
	struct device *dev = &pdev->dev;
	struct spe_unit *unit;
	int err;

	unit = devm_kzalloc(dev, sizeof(*unit), GFP_KERNEL);
	if (!unit)
		return -ENOMEM;

	err = pcim_enable_device(pdev);
	if (err)
		return err;

	unit->pdev = pdev;
	unit->header = devm_memremap(dev, pci_resource_start(pdev, IVSHMEM_MEMORY),
				     size, MEMREMAP_WB);
	if (IS_ERR(unit->header))
		return PTR_ERR(unit->header);

	if (!header_is_sane(unit->header, size))
		return -ENODEV;

	unit->cpu = devm_alloc_percpu(dev, struct spe_cpu);
	if (!unit->cpu)
		return -ENOMEM;

	init_cpus(unit);
	pci_set_drvdata(pdev, unit);
	err = start_unit(unit);
	if (err)
		return err;

	dev_info(dev, "samples CPUs %*pbl through rings of %llu bytes\n",
		 cpumask_pr_args(&unit->cpus), unit->header->ring_size);
	return 0;
}

static void spe_remove(struct pci_dev *pdev)
{
	struct spe_unit *unit = pci_get_drvdata(pdev);

	debugfs_remove(unit->debugfs);
	perf_pmu_unregister(&unit->pmu);
	unregister_trace_sched_switch(spe_sched_switch, unit);
	tracepoint_synchronize_unregister();
	cpuhp_state_remove_instance(spe_online, &unit->node);
}

static const struct pci_device_id spe_ids[] = {
	{ PCI_DEVICE(IVSHMEM_VENDOR, IVSHMEM_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, spe_ids);

static struct pci_driver spe_driver = {
	.name = DRVNAME,
	.id_table = spe_ids,
	.probe = spe_probe,
	.remove = spe_remove,
	.driver.suppress_bind_attrs = true,
};

static int __init spe_init(void)
{
	int err, state;

	state = cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN, DRVNAME ":online",
					spe_cpu_comes, spe_cpu_goes);
	if (state < 0)
		return state;

	spe_online = state;
	err = pci_register_driver(&spe_driver);
	if (err)
		cpuhp_remove_multi_state(state);

	return err;
}
device_initcall(spe_init);

MODULE_DESCRIPTION("PMU of the SPE unit of an emulated host");
MODULE_LICENSE("GPL");
