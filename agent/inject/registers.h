/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registers of a thread that stands at a system call: what differs between architectures. */
#pragma once

#include <glib.h>
#include <sys/types.h>
#include <sys/user.h>

/* prctl's, and ppoll's. */
#define FOLIO_CALL_ARGUMENTS 5

typedef struct user_regs_struct FolioRegisters;

/* The AUDIT_ARCH_* whose calls these are. */
extern const guint32 folio_registers_arch;

/* All of a stopped thread. FALSE with errno set, as ptrace does. */
gboolean folio_registers_read(pid_t tid, FolioRegisters *registers);
gboolean folio_registers_write(pid_t tid, const FolioRegisters *registers);

/* At the entry of a system call: which one it is to be, in one step. */
gboolean folio_registers_set_call(pid_t tid, long number);

/* Puts a call of that number and these arguments in registers that were read. Pure. Where the
 * number is no register of the thread it is ignored. */
void folio_registers_put_call(FolioRegisters *registers, long number,
                              const unsigned long arguments[FOLIO_CALL_ARGUMENTS]);

/* Puts the number there that is called when the kernel restarts the call. Pure. */
void folio_registers_put_restart(FolioRegisters *registers, long number);

/* Puts what a call returns there. Pure. */
void folio_registers_put_result(FolioRegisters *registers, long result);
