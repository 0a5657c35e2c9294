/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registers of a stopped thread: what is the same on all architectures. */
#include "inject/registers.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

gboolean
folio_registers_read(pid_t tid, FolioRegisters *registers)
{
    struct iovec all = { registers, sizeof *registers };

    return ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &all) == 0;
}

gboolean
folio_registers_write(pid_t tid, const FolioRegisters *registers)
{
    struct iovec all = { (gpointer) registers, sizeof *registers };

    return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &all) == 0;
}
