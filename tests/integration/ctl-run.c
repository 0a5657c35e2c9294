/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl of this build, run as a program. */
#include "integration/ctl-run.h"

#include <sys/wait.h>

char *
ctl_program(void)
{
    return g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "ctl", "folioctl", NULL);
}

/* Written here and not taken from the agent: what is printed is held against it. */
static void
assert_plain(const char *text)
{
    assert_true(g_utf8_validate(text, -1, NULL));
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if ((c != '\n' && c < ' ') || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e))
            fail_msg("U+%04X is printed raw: %s", c, text);
    }
}

/* Takes command. */
static CtlRun *
run(GStrvBuilder *command, const char *variable)
{
    g_auto(GStrv) argv = g_strv_builder_end(command);
    g_auto(GStrv) env = g_environ_setenv(g_get_environ(), "TERM", "xterm", TRUE);
    g_autoptr(GError) error = NULL;
    CtlRun *result = g_new0(CtlRun, 1);
    int status;

    g_strv_builder_unref(command);
    env = g_environ_unsetenv(env, "NO_COLOR");
    if (variable != NULL) {
        g_auto(GStrv) pair = g_strsplit(variable, "=", 2);

        env = g_environ_setenv(env, pair[0], pair[1], TRUE);
    }
    g_spawn_sync(NULL, argv, env, G_SPAWN_SEARCH_PATH, NULL, NULL, &result->output,
                 &result->complaint, &status, &error);
    assert_no_error(error);
    assert_true(WIFEXITED(status));
    result->status = WEXITSTATUS(status);
    return result;
}

static CtlRun *
run_plainly(GStrvBuilder *command, const char *variable)
{
    CtlRun *result = run(command, variable);

    assert_plain(result->output);
    assert_plain(result->complaint);
    return result;
}

CtlRun *
ctl_run_with(const char *const *words, const char *variable)
{
    GStrvBuilder *command = g_strv_builder_new();
    g_autofree char *program = ctl_program();

    g_strv_builder_add(command, program);
    g_strv_builder_addv(command, (const char **) words);
    return run_plainly(command, variable);
}

CtlRun *
ctl_run(const char *const *words)
{
    return ctl_run_with(words, NULL);
}

void
assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

char *
ctl_print(const char *const *words)
{
    g_autoptr(CtlRun) result = ctl_run(words);

    assert_string_equal(result->complaint, "");
    assert_int_equal(result->status, 0);
    return g_strdup(result->output);
}

char *
ctl_complain(const char *const *words, int status)
{
    g_autoptr(CtlRun) result = ctl_run(words);

    if (result->status != status)
        fail_msg("exit status %d, not %d: %s%s", result->status, status, result->output,
                 result->complaint);
    assert_string_equal(result->output, "");
    assert_true(g_str_has_prefix(result->complaint, "folioctl: "));
    return g_strdup(result->complaint);
}

CtlRun *
ctl_run_as_nobody(const char *const *words)
{
    GStrvBuilder *command = g_strv_builder_new();
    g_autofree char *program = ctl_program();
    /* The build directory may be out of that user's reach. */
    g_autofree char *copy = g_build_filename(g_getenv("FOLIOD_SANDBOX"), "folioctl", NULL);
    const char *const install[] = { "install", "-m", "755", program, copy, NULL };
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_sync(NULL, (char **) install, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                 &status, &error);
    assert_no_error(error);
    assert_int_equal(status, 0);
    g_strv_builder_add_many(command, "setpriv", "--reuid=nobody", "--regid=nogroup",
                            "--clear-groups", copy, NULL);
    g_strv_builder_addv(command, (const char **) words);
    return run_plainly(command, NULL);
}

CtlRun *
ctl_run_on_terminal(const char *const *words, const char *variable)
{
    GStrvBuilder *command = g_strv_builder_new();
    g_autofree char *program = ctl_program();
    g_autoptr(GString) line = g_string_new(NULL);
    g_autofree char *quoted = g_shell_quote(program);

    g_string_append(line, quoted);
    for (gsize i = 0; words[i] != NULL; i++) {
        g_autofree char *word = g_shell_quote(words[i]);

        g_string_append_printf(line, " %s", word);
    }
    g_strv_builder_add_many(command, "script", "-qec", line->str, "/dev/null", NULL);
    return run(command, variable);
}

void
ctl_run_free(CtlRun *result)
{
    g_free(result->output);
    g_free(result->complaint);
    g_free(result);
}

JsonObject *
ctl_root(JsonParser *parser)
{
    return json_node_get_object(json_parser_get_root(parser));
}

JsonParser *
ctl_run_parse(const CtlRun *result)
{
    JsonParser *parser = json_parser_new();
    g_autoptr(GError) error = NULL;

    json_parser_load_from_data(parser, result->output, -1, &error);
    assert_no_error(error);
    assert_int_equal(json_object_get_int_member(ctl_root(parser), "version"), 1);
    return parser;
}

JsonParser *
ctl_json(const char *const *words)
{
    g_autoptr(CtlRun) result = ctl_run(words);

    assert_string_equal(result->complaint, "");
    assert_int_equal(result->status, 0);
    return ctl_run_parse(result);
}
