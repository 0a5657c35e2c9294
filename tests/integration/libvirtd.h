/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The libvirtd of contrib/sandbox, ended and started again at will. */
#pragma once

#include <sys/types.h>

pid_t folio_test_libvirtd_pid(void);

/* SIGKILL: it has no time to say goodbye. Its guests go on. */
void folio_test_libvirtd_kill(void);

/* Starts another one; does not wait until it listens. */
void folio_test_libvirtd_start(void);
