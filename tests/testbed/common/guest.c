/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mapping.h"
#include "test.h"

#ifndef PR_THP_DISABLE_KHUGEPAGED
#define PR_THP_DISABLE_KHUGEPAGED (1 << 16)
#endif

#define PROGRAM_DIR "/usr/bin/"

static _Noreturn void
exec_qemu(const struct guest *guest, const char *program, const char *append)
{
    const char *kernel = getenv("TESTBED_KERNEL"), *initrd = getenv("TESTBED_GUEST_INITRD");
    char backend[200], size[32], line[300];

    snprintf(size, sizeof size, "%zuM", guest->ram_bytes >> 20);
    snprintf(backend, sizeof backend,
             "memory-backend-file,id=ram,size=%s,mem-path=/proc/self/fd/%d,align=2M,share=on,"
             "prealloc=on",
             size, guest->ram);
    snprintf(line, sizeof line, "console=ttyAMA0 quiet panic=-1 rdinit=/%s %s", program, append);
    execl(PROGRAM_DIR "qemu-system-aarch64", "qemu", "-machine",
          "virt,gic-version=3,accel=kvm,memory-backend=ram", "-cpu", "host", "-smp", "1", "-m",
          size, "-object", backend, "-nodefaults", "-display", "none", "-serial", "stdio",
          "-kernel", kernel, "-initrd", initrd, "-append", line, (char *) NULL);
    perror("qemu-system-aarch64");
    _exit(1);
}

void
guest_start(struct guest *guest, size_t mib, const char *program, const char *append,
            bool keep_split)
{
    int out[2], in[2];

    assert_non_null(getenv("TESTBED_KERNEL"));
    assert_non_null(getenv("TESTBED_GUEST_INITRD"));
    *guest = (struct guest){ .ram_bytes = mib << 20, .ram = shmem_file(mib << 20) };
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    guest->pid = fork();
    if (guest->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(in[0], STDIN_FILENO);
        /* Kernel and initrd are on a read-only share, RAM is the inherited descriptor. */
        fcntl(guest->ram, F_SETFD, 0);
        if (keep_split && prctl(PR_SET_THP_DISABLE, 1, PR_THP_DISABLE_KHUGEPAGED, 0, 0)) {
            perror("prctl");
            _exit(1);
        }
        exec_qemu(guest, program, append);
    }
    close(out[1]);
    close(in[0]);
    guest->console = out[0];
    guest->input = in[1];
}

bool
guest_read_line(struct guest *guest, int ms)
{
    struct pollfd poll_fd = { .fd = guest->console, .events = POLLIN };
    char c;

    for (; poll(&poll_fd, 1, ms) == 1; ms = 0) {
        if (read(guest->console, &c, 1) != 1)
            fail_msg("the guest is gone; its last words: %s", guest->line);
        if (c == '\n') {
            guest->line[guest->used] = '\0';
            guest->used = 0;
            return true;
        }
        if (c != '\r' && guest->used < sizeof guest->line - 1)
            guest->line[guest->used++] = c;
    }
    return false;
}

void
guest_wait_for(struct guest *guest, const char *text, int seconds)
{
    time_t end = time(NULL) + seconds;

    while (!guest_read_line(guest, 1000) || strncmp(guest->line, text, strlen(text)) != 0)
        if (time(NULL) > end)
            fail_msg("the guest did not say \"%s\" in %d s", text, seconds);
}

void
guest_end(struct guest *guest)
{
    if (guest->pid <= 0)
        return;
    kill(guest->pid, SIGKILL);
    waitpid(guest->pid, NULL, 0);
    close(guest->console);
    close(guest->input);
    close(guest->ram);
    guest->pid = 0;
}
