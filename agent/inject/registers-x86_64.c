/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls of x86-64: number in orig_rax, arguments in rdi, rsi, rdx, r10, r8, result in rax
 * (Documentation of the ABI: arch/x86/entry/entry_64.S). */
#include "inject/registers.h"

#include <linux/audit.h>
#include <stddef.h>
#include <sys/ptrace.h>

const guint32 folio_registers_arch = AUDIT_ARCH_X86_64;

gboolean
folio_registers_set_call(pid_t tid, long number)
{
    return ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, regs.orig_rax), number) == 0;
}

void
folio_registers_put_call(FolioRegisters *registers, long number,
                         const unsigned long arguments[FOLIO_CALL_ARGUMENTS])
{
    registers->orig_rax = (unsigned long) number;
    registers->rdi = arguments[0];
    registers->rsi = arguments[1];
    registers->rdx = arguments[2];
    registers->r10 = arguments[3];
    registers->r8 = arguments[4];
}

void
folio_registers_put_restart(FolioRegisters *registers, long number)
{
    registers->orig_rax = (unsigned long) number;
}

void
folio_registers_put_result(FolioRegisters *registers, long result)
{
    registers->rax = (unsigned long) result;
}
