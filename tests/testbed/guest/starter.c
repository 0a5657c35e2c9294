/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A first process of a nested guest (rdinit=/starter) that starts another program, /program, with
 * what programs expect: /proc, /sys, /dev, /tmp. It says on the console how that ended. */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
mount_at(const char *type, const char *path)
{
    mkdir(path, 0755);
    if (mount(type, path, type, 0, NULL) < 0)
        fprintf(stderr, "starter: cannot mount %s\n", path);
}

static void
say_how(int status)
{
    if (WIFEXITED(status))
        printf("starter: exit %d\n", WEXITSTATUS(status));
    else
        printf("starter: signal %d\n", WTERMSIG(status));
}

int
main(void)
{
    pid_t child, ended;
    int status = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    mount_at("proc", "/proc");
    mount_at("sysfs", "/sys");
    mount_at("devtmpfs", "/dev");
    mount_at("tmpfs", "/tmp");
    puts("starter: ready");
    child = fork();
    if (child == 0) {
        execl("/program", "program", (char *) NULL);
        perror("starter: /program");
        _exit(127);
    }
    /* Processes that lost their parent come here too. */
    do
        ended = wait(&status);
    while (ended != child && ended > 0);
    say_how(status);
    for (;;)
        pause();
}
