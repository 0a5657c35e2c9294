/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of QEMU's plugin interface (version 1) that the plugins of the tests use; Debian ships
 * no header for it. What each does: https://www.qemu.org/docs/master/devel/tcg-plugins.html */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;

/* What QEMU says of itself when it loads a plugin. */
typedef struct {
    const char *target_name;
    struct {
        int min, cur; /* of the interface */
    } version;
    bool system_emulation;
    struct {
        int smp_vcpus, max_vcpus;
    } system; /* means nothing for user-mode emulation */
} QemuPluginInfo;

typedef void (*QemuPluginTranslation)(uint64_t id, struct qemu_plugin_tb *tb);
typedef void (*QemuPluginExecution)(unsigned vcpu, void *data);
typedef void (*QemuPluginAccess)(unsigned vcpu, uint32_t info, uint64_t address, void *data);
typedef void (*QemuPluginExit)(uint64_t id, void *data);

#define QEMU_PLUGIN_NO_REGISTERS   0
#define QEMU_PLUGIN_READ_AND_WRITE 3

/* To be defined by the plugin. */
extern int qemu_plugin_version;
int qemu_plugin_install(uint64_t id, const QemuPluginInfo *info, int argc, char **argv);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, QemuPluginTranslation callback);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, QemuPluginAccess callback,
                                      int flags, int read_write, void *data);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, QemuPluginExecution callback,
                                          int flags, void *data);
void qemu_plugin_register_atexit_cb(uint64_t id, QemuPluginExit callback, void *data);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

/* Only for the access that a callback is told of, and only within it. */
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(uint32_t info, uint64_t address);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *hwaddr);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *hwaddr);
