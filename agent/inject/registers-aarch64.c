/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls of aarch64: arguments in x0 to x4, result in x0. The number is taken from x8 at the
 * entry, and is then the kernel's own (NT_ARM_SYSTEM_CALL). When it restarts a call it takes x0
 * from a copy (orig_x0, arch/arm64/kernel/signal.c), which no tracer sees: of older kernels what x0
 * was at the entry, of newer ones what a tracer made of it there. */
#include "inject/registers.h"

#include <elf.h>
#include <linux/audit.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

const guint32 folio_registers_arch = AUDIT_ARCH_AARCH64;

gboolean
folio_registers_set_call(pid_t tid, long number)
{
    int value = (int) number;
    struct iovec all = { &value, sizeof value };

    return ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &all) == 0;
}

void
folio_registers_put_call(FolioRegisters *registers, long number,
                         const unsigned long arguments[FOLIO_CALL_ARGUMENTS])
{
    for (guint i = 0; i < FOLIO_CALL_ARGUMENTS; i++)
        registers->regs[i] = arguments[i];
}

void
folio_registers_put_restart(FolioRegisters *registers, long number)
{
    registers->regs[8] = (unsigned long) number;
}

void
folio_registers_put_result(FolioRegisters *registers, long result)
{
    registers->regs[0] = (unsigned long) result;
}
