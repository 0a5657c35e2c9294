/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SPE unit of the emulated host, as a plugin of qemu-system-aarch64 7.2:
 *
 *   -plugin unit.so,shared=FILE,ram=BYTES[,truth=FILE][,steady=on]
 *
 *   shared   the file that is also BAR 2 of an ivshmem device (unit.h)
 *   ram      of the emulated host
 *   truth    where the exact counts go, window by window (truth-file.h)
 *   steady   the clock inside does not go with this machine's (-icount): samples have the time that
 *            the driver read last
 *
 * Each load and store of each processor is counted, and sampled as the driver inside asks; and what
 * is executed is counted, and what a TLB would do with it (meter.h). Not seen
 * are DC ZVA (of which the kernel makes clear_page), page table walks, and what devices do. The two
 * halves of LDP and STP count as one access each. Before it moves to EL2 the kernel runs at EL1 for
 * a while: to the unit it is a guest's kernel then.
 *
 * What QEMU gives as a physical address is, for RAM, an offset among all RAM of the machine plus
 * the base address of the region. That is an address of the host's RAM, and never anything else,
 * only with the memory backends in this order: the RAM; one of as many bytes as the RAM's base
 * address that nothing uses; all others. The RAM then begins at offset 0, and whatever comes after
 * the unused one is at no address below the RAM's end, wherever its region may be.
 */
#include "common/qemu-plugin-api.h"
#include "gauge.h"
#include "sampler.h"
#include "shared.h"
#include "truth.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* hw/arm/virt.c: where the RAM of the machine "virt" is. */
#define RAM_BASE UINT64_C(0x40000000)

/* Of the info of an access: TCG's mmu index, the size, whether it loads and stores. */
#define INFO_MMU(info)   ((info) &0xf)
#define INFO_SIZE(info)  (1u << ((info) >> 4 & 7))
#define INFO_LOAD(info)  (((info) >> 16 & 1) != 0)
#define INFO_STORE(info) (((info) >> 17 & 1) != 0)

int qemu_plugin_version = 1;

static struct shared shared;
static struct sampler samplers[UNIT_MAX_CPUS];
static struct gauge gauges[UNIT_MAX_CPUS];
static uint64_t (*counts[UNIT_MAX_CPUS])[UNIT_CLASSES];

/* By mmu index: target/arm/cpu.h of QEMU 7.2. Index 6, EL2 before the kernel turns VHE on. */
#define NO_CLASS UNIT_CLASSES
static const uint8_t class_of_mmu[16] = {
    UNIT_GUEST_EL0, UNIT_HOST_EL0, UNIT_GUEST_EL1, UNIT_HOST_EL2, UNIT_GUEST_EL1, UNIT_HOST_EL2,
    UNIT_HOST_EL2,  NO_CLASS,      NO_CLASS,       NO_CLASS,      NO_CLASS,       NO_CLASS,
    NO_CLASS,       NO_CLASS,      NO_CLASS,       NO_CLASS,
};

/* A kernel reads and writes a program's memory with the program's rights (LDTR and STTR), and so
 * with its mmu index. But its code is in the upper half of the address space, where no program's
 * is. */
static enum unit_class
class_of(uint32_t info, uint64_t pc)
{
    unsigned class = class_of_mmu[INFO_MMU(info)];

    if (class == NO_CLASS) {
        fprintf(stderr, "SPE unit: mmu index %u is none that QEMU 7.2 has here\n", INFO_MMU(info));
        abort();
    }
    if (class == UNIT_HOST_EL0 && pc >> 63)
        return UNIT_HOST_EL2;
    if (class == UNIT_GUEST_EL0 && pc >> 63)
        return UNIT_GUEST_EL1;
    return (enum unit_class) class;
}

/* A store to the shared memory is one of these. */
static void
on_access_elsewhere(struct sampler *sampler)
{
    sampler->words->elsewhere++;
    truth_look_at_cut();
    sampler_look_at_counter(sampler);
}

/* The hot path: for each load and store of the emulated host. */
static void
on_access(unsigned vcpu, uint32_t info, uint64_t va, void *pc)
{
    struct sampler *sampler = &samplers[vcpu];
    struct qemu_plugin_hwaddr *hwaddr = qemu_plugin_get_hwaddr(info, va);
    uint64_t pa = qemu_plugin_hwaddr_phys_addr(hwaddr);
    enum unit_class class;

    if (__builtin_expect(__atomic_load_n(&truth_is_cutting, __ATOMIC_RELAXED), 0))
        truth_wait();
    if (pa - RAM_BASE >= shared.ram_size || qemu_plugin_hwaddr_is_io(hwaddr)) {
        on_access_elsewhere(sampler);
        return;
    }
    class = class_of(info, (uint64_t) pc);
    counts[vcpu][(pa - RAM_BASE) >> UNIT_PAGE_SHIFT][class]++;
    sampler->words->accesses++;
    gauge_access(&gauges[vcpu], pa, class);
    if (sampler->words->enable) {
        struct access access = {
            .pc = (uint64_t) pc,
            .va = va,
            .pa = pa,
            .class = class,
            .load = INFO_LOAD(info),
            .store = INFO_STORE(info),
            .size = INFO_SIZE(info),
        };

        sampler_access(sampler, &access);
    }
}

/* Each time that a block of translated code begins. */
static void
on_block(unsigned vcpu, void *instructions)
{
    gauges[vcpu].words->instructions += (uintptr_t) instructions;
}

static void
on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void) id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_NO_REGISTERS,
                                         (void *) (uintptr_t) qemu_plugin_tb_n_insns(tb));
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

        qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_NO_REGISTERS,
                                         QEMU_PLUGIN_READ_AND_WRITE,
                                         (void *) qemu_plugin_insn_vaddr(insn));
    }
}

static void
on_exit_of_emulator(uint64_t id, void *data)
{
    (void) id;
    (void) data;
    truth_close();
}

/* What query-version of QEMU's protocol returns (qapi/control.json). */
struct version {
    struct {
        int64_t major, minor, micro;
    } * qemu;
    char *package;
};

/* The mmu indices, and what the addresses are, belong to one version of QEMU, of which the version
 * of the plugin interface says too little. */
static bool
is_known_emulator(const QemuPluginInfo *info)
{
    struct version *(*query)(void **error) =
        (struct version * (*) (void **) ) dlsym(RTLD_DEFAULT, "qmp_query_version");
    struct version *version = query ? query(NULL) : NULL;

    if (version && version->qemu->major == 7 && version->qemu->minor == 2 &&
        info->version.min == 0 && info->version.cur == 1 && info->system_emulation &&
        strcmp(info->target_name, "aarch64") == 0)
        return true;
    fprintf(stderr,
            "SPE unit: needs qemu-system-aarch64 7.2 with plugin interface 0 to 1; this is %s%s "
            "%lld.%lld with %d to %d\n",
            info->system_emulation ? "qemu-system-" : "qemu-", info->target_name,
            version ? (long long) version->qemu->major : -1,
            version ? (long long) version->qemu->minor : -1, info->version.min, info->version.cur);
    return false;
}

struct arguments {
    const char *shared, *truth;
    uint64_t ram;
    bool steady;
};

static bool
parse_ram(const char *text, uint64_t *ram)
{
    char *end;

    errno = 0;
    *ram = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *ram > 0 && *ram % (1 << UNIT_PAGE_SHIFT) == 0;
}

static bool
parse_argument(const char *text, struct arguments *arguments)
{
    if (strncmp(text, "shared=", 7) == 0 && text[7] != '\0')
        arguments->shared = text + 7;
    else if (strncmp(text, "truth=", 6) == 0 && text[6] != '\0')
        arguments->truth = text + 6;
    else if (strcmp(text, "steady=on") == 0)
        arguments->steady = true;
    else
        return strncmp(text, "ram=", 4) == 0 && parse_ram(text + 4, &arguments->ram);
    return true;
}

static bool
parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 0; i < argc; i++) {
        if (!parse_argument(argv[i], arguments)) {
            fprintf(stderr, "SPE unit: bad argument: %s\n", argv[i]);
            return false;
        }
    }
    if (!arguments->shared || arguments->ram == 0) {
        fprintf(stderr, "SPE unit: needs shared=FILE and ram=BYTES\n");
        return false;
    }
    return true;
}

static void
start_samplers(bool steady)
{
    for (unsigned cpu = 0; cpu < shared.cpus; cpu++) {
        samplers[cpu] = (struct sampler){
            .words = shared_cpu(&shared, cpu),
            .ring = shared_ring(&shared, cpu),
            .ring_size = shared.header->ring_size,
            .steady = steady,
            .random = cpu + 1,
            .generation = UINT32_MAX,
        };
        gauges[cpu] = (struct gauge){
            .words = shared_meter(&shared, cpu),
            .control = shared_control(&shared),
            .ram_base = shared.ram_base,
        };
        counts[cpu] = shared_counts(&shared, cpu);
    }
}

int
qemu_plugin_install(uint64_t id, const QemuPluginInfo *info, int argc, char **argv)
{
    struct arguments arguments = { 0 };

    if (!is_known_emulator(info) || !parse_arguments(argc, argv, &arguments))
        return -1;
    if (info->system.max_vcpus > UNIT_MAX_CPUS) {
        fprintf(stderr, "SPE unit: %d processors are more than %d\n", info->system.max_vcpus,
                UNIT_MAX_CPUS);
        return -1;
    }
    if (!shared_open(&shared, arguments.shared, (unsigned) info->system.max_vcpus, RAM_BASE,
                     arguments.ram) ||
        !truth_open(&shared, arguments.truth))
        return -1;
    start_samplers(arguments.steady);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_emulator, NULL);
    return 0;
}
