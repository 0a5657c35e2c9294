/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl on another host, by ssh. */
#include "ctl/remote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As ssh exits when it cannot reach the host (ssh(1)). */
#define STATUS_UNREACHABLE 255

/* Is it the option that names the host? *n_words is how many words it takes. A "--" ends options.
 */
static gboolean
names_host(const char *word, guint *n_words)
{
    *n_words = g_str_equal(word, "-H") || g_str_equal(word, "--host") ? 2 : 1;
    return *n_words == 2 || g_str_has_prefix(word, "--host=") ||
           (g_str_has_prefix(word, "-H") && !g_str_has_prefix(word, "--"));
}

char *
folio_remote_command(const char *const *words)
{
    GString *command = g_string_new("folioctl");
    gboolean options = TRUE;

    for (gsize i = 0; words[i] != NULL;) {
        g_autofree char *quoted = g_shell_quote(words[i]);
        guint n_words = 1;

        options = options && !g_str_equal(words[i], "--");
        if (!options || !names_host(words[i], &n_words))
            g_string_append_printf(command, " %s", quoted);
        for (; n_words > 0 && words[i] != NULL; n_words--)
            i++;
    }
    return g_string_free(command, FALSE);
}

int
folio_run_on_host(const char *host, char **words)
{
    g_autofree char *command = folio_remote_command((const char *const *) words);

    execlp("ssh", "ssh", "--", host, command, (char *) NULL);
    fprintf(stderr, "folioctl: ssh cannot be run: %s\n", g_strerror(errno));
    return STATUS_UNREACHABLE;
}
