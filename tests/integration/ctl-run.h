/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl of this build, run as a program. Whatever goes wrong in here fails the test. */
#pragma once

#include "unit/cmocka-all.h"

#include <json-glib/json-glib.h>

typedef struct {
    int status;      /* its exit status */
    char *output;    /* its standard output */
    char *complaint; /* its standard error */
} CtlRun;

/* Runs it with those words, NULL at the end, its output no terminal though TERM names one. Both
 * texts must then be free of all that a terminal obeys but newlines. */
CtlRun *ctl_run(const char *const *words);

/* The words of a call. */
#define WORDS(...) ((const char *[]){ __VA_ARGS__, NULL })

/* The output of a call that must succeed and complain of nothing. */
char *ctl_print(const char *const *words);

/* The complaint of a call that must print nothing else and exit with that status. */
char *ctl_complain(const char *const *words, int status);

/* Fails unless part is in text. */
void assert_holds(const char *text, const char *part);

/* As ctl_run, with that NAME=VALUE more in its environment. */
CtlRun *ctl_run_with(const char *const *words, const char *variable);

/* The program; to be freed. */
char *ctl_program(void);

/* As ctl_run, as the user nobody. */
CtlRun *ctl_run_as_nobody(const char *const *words);

/* On a terminal, of which output is what was written to it (\r\n for \n), with that NAME=VALUE more
 * in its environment. */
CtlRun *ctl_run_on_terminal(const char *const *words, const char *variable);

void ctl_run_free(CtlRun *run);

/* Its output as JSON, of version 1. */
JsonParser *ctl_run_parse(const CtlRun *run);

/* Runs it with those words, which ask for JSON; it must be content. */
JsonParser *ctl_json(const char *const *words);

/* The members of the outermost object. */
JsonObject *ctl_root(JsonParser *parser);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CtlRun, ctl_run_free)
