/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The libvirtd of contrib/sandbox. */
#include "libvirtd.h"

#include "guests.h"

#include <sys/wait.h>

/* 0 while the one that the sandbox started still runs. */
static pid_t our_pid;

pid_t
folio_test_libvirtd_pid(void)
{
    g_autofree char *text = NULL;

    if (our_pid != 0)
        return our_pid;
    assert_true(g_file_get_contents("/run/libvirtd.pid", &text, NULL, NULL));
    return (pid_t) g_ascii_strtoll(text, NULL, 10);
}

void
folio_test_libvirtd_kill(void)
{
    folio_test_kill(folio_test_libvirtd_pid());
    if (our_pid != 0)
        assert_int_equal(waitpid(our_pid, NULL, 0), our_pid);
    our_pid = 0;
}

void
folio_test_libvirtd_start(void)
{
    char *arguments[] = { (char[]){ "libvirtd" }, NULL };
    g_autoptr(GError) error = NULL;

    assert_int_equal(our_pid, 0);
    g_spawn_async(NULL, arguments, NULL,
                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                      G_SPAWN_STDERR_TO_DEV_NULL,
                  NULL, NULL, &our_pid, &error);
    assert_no_error(error);
}
