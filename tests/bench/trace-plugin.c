/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plugin for QEMU's user-mode emulator that records which sub-pages a program accesses and how
 * often, as a trace for heat-replay (trace.h has the format):
 *
 *   qemu-x86_64 -plugin trace-plugin.so,out=FILE,every=ACCESSES[,windows=N] PROGRAM...
 *
 * A trace window is that many loads and stores; after N windows the program is ended. Children that
 * the program forks are not recorded.
 */
#include "common/qemu-plugin-api.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUB_PAGES 512
#define SLOTS     (1u << 14) /* blocks accessed in one window, 32 GiB */

int qemu_plugin_version = 1;

typedef struct {
    uint64_t block; /* address >> 21, plus 1; 0 for an empty slot */
    uint32_t count[SUB_PAGES];
} Slot;

static Slot *slots; /* open addressing */
static FILE *out;
static uint64_t every = 2000000, left;
static unsigned window, last_window;
static bool recording;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
write_slot(Slot *slot)
{
    char separator = '\t';

    fprintf(out, "%u\t%llx", window, (unsigned long long) slot->block - 1);
    for (unsigned i = 0; i < SUB_PAGES; i++) {
        if (slot->count[i] > 0) {
            fprintf(out, "%c%u:%u", separator, i, slot->count[i]);
            separator = ' ';
        }
    }
    fputc('\n', out);
    memset(slot, 0, sizeof *slot);
}

static void
end_window(void)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slots[i].block != 0)
            write_slot(&slots[i]);
    }
    window++;
    left = every;
    if (window == last_window) {
        fclose(out);
        _exit(0); /* with the lock held, so that no other thread writes to the closed file */
    }
}

static Slot *
find_slot(uint64_t block)
{
    unsigned at = (unsigned) (block * 0x9E3779B97F4A7C15u >> 50);

    for (unsigned tries = 0; tries < SLOTS; tries++) {
        Slot *slot = &slots[(at + tries) % SLOTS];

        if (slot->block == block + 1)
            return slot;
        if (slot->block == 0) {
            slot->block = block + 1;
            return slot;
        }
    }
    fprintf(stderr, "trace-plugin: more than %u blocks in one window\n", SLOTS);
    abort();
}

static void
on_access(unsigned vcpu, uint32_t info, uint64_t address, void *data)
{
    if (!recording)
        return;
    pthread_mutex_lock(&lock);
    find_slot(address >> 21)->count[address >> 12 & (SUB_PAGES - 1)]++;
    if (--left == 0)
        end_window();
    pthread_mutex_unlock(&lock);
}

static void
on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), on_access,
                                         QEMU_PLUGIN_NO_REGISTERS, QEMU_PLUGIN_READ_AND_WRITE,
                                         NULL);
}

static void
on_exit_of_program(uint64_t id, void *data)
{
    if (recording)
        fclose(out);
}

static void
in_child(void)
{
    recording = false;
}

int
qemu_plugin_install(uint64_t id, const QemuPluginInfo *info, int argc, char **argv)
{
    const char *path = NULL;

    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            path = argv[i] + 4;
        else if (strncmp(argv[i], "every=", 6) == 0)
            every = strtoull(argv[i] + 6, NULL, 10);
        else if (strncmp(argv[i], "windows=", 8) == 0)
            last_window = (unsigned) strtoul(argv[i] + 8, NULL, 10);
    }
    slots = calloc(SLOTS, sizeof *slots);
    out = path ? fopen(path, "w") : NULL;
    if (!slots || !out || every == 0) {
        fprintf(stderr, "trace-plugin: needs out=FILE that can be written and every=ACCESSES\n");
        return -1;
    }
    fputs("# window\tblock (address >> 21, hex)\tsub-page:accesses ...\n", out);
    left = every;
    recording = true;
    pthread_atfork(NULL, NULL, in_child);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_program, NULL);
    return 0;
}
