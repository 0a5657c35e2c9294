/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod-inject apart from the process that it changes: arguments, sandboxes, registers. */
#include "base/error.h"
#include "cmocka-all.h"
#include "inject/arguments.h"
#include "inject/registers.h"
#include "inject/sandbox.h"

static void
test_arguments(void **state)
{
    const char *const arguments[] = { "4321", "18446744073709551615", "no-khugepaged", NULL };
    g_autoptr(GError) error = NULL;
    FolioInjectArguments parsed;

    assert_true(folio_inject_parse_arguments(arguments, &parsed, &error));
    assert_no_error(error);
    assert_int_equal(parsed.pid, 4321);
    assert_true(parsed.start_time == G_MAXUINT64);
    assert_int_equal(parsed.thp, FOLIO_THP_NO_KHUGEPAGED);
}

static void
test_bad_arguments(void **state)
{
    const char *const cases[][5] = {
        { NULL },
        { "2", "3", NULL },
        { "2", "3", "usual", "usual", NULL },
        { "1", "3", "usual", NULL },
        { "0", "3", "usual", NULL },
        { "-2", "3", "usual", NULL },
        { "2147483648", "3", "usual", NULL },
        { "2x", "3", "usual", NULL },
        { "2", "-3", "usual", NULL },
        { "2", "", "usual", NULL },
        { "2", "18446744073709551616", "usual", NULL },
        { "2", "3", "USUAL", NULL },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        FolioInjectArguments parsed;

        assert_false(folio_inject_parse_arguments(cases[i], &parsed, &error));
        assert_folio_error(error, FOLIO_ERROR_INVALID);
    }
}

#define QEMU(value) "qemu-system-x86_64\0-sandbox\0" value "\0-S"

static void
test_sandbox(void **state)
{
    const struct {
        const char *status, *cmdline;
        gsize length;
        gboolean allowed;
    } cases[] = {
#define CASE(status, cmdline, allowed) { "Name:\ta\n" status, cmdline, sizeof(cmdline), allowed }
        CASE("Seccomp:\t0\nSeccomp_filters:\t0\n", QEMU("off"), TRUE),
        CASE("Threads:\t1\n", QEMU("off"), TRUE),
        CASE("Seccomp:\t2\nSeccomp_filters:\t1\n", QEMU("on"), TRUE),
        CASE("Seccomp:\t2\nSeccomp_filters:\t1\n", QEMU("on,obsolete=deny,spawn=deny"), TRUE),
        CASE("Seccomp:\t2\nSeccomp_filters:\t1\n", QEMU("enable=on,spawn=deny"), TRUE),
        CASE("Seccomp:\t2\nSeccomp_filters:\t1\n", "q\0--sandbox\0on", TRUE),
        /* Not QEMU's, or not QEMU's alone. */
        CASE("Seccomp:\t2\nSeccomp_filters:\t1\n", QEMU("off"), FALSE),
        CASE("Seccomp:\t2\nSeccomp_filters:\t1\n", QEMU("only"), FALSE),
        CASE("Seccomp:\t2\nSeccomp_filters:\t1\n", "q\0-S", FALSE),
        CASE("Seccomp:\t2\nSeccomp_filters:\t1\n", "q\0-sandbox", FALSE),
        CASE("Seccomp:\t2\nSeccomp_filters:\t1\n", "", FALSE),
        CASE("Seccomp:\t2\nSeccomp_filters:\t2\n", QEMU("on"), FALSE),
        CASE("Seccomp:\t2\n", QEMU("on"), FALSE),
        CASE("Seccomp:\t1\nSeccomp_filters:\t0\n", QEMU("on"), FALSE),
#undef CASE
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        const gboolean allowed = folio_sandbox_allows_prctl(cases[i].status, cases[i].cmdline,
                                                            cases[i].length - 1, &error);

        if (allowed != cases[i].allowed)
            fail_msg("case %zu: %s", i, cases[i].status);
        if (!allowed)
            assert_folio_error(error, FOLIO_ERROR_UNSUPPORTED);
    }
}

/* What a call takes and gives, and nothing else: the program counter least of all. */
static void
test_registers(void **state)
{
    const unsigned long arguments[FOLIO_CALL_ARGUMENTS] = { 41, 1, 65536, 0x33, 0x44 };
    FolioRegisters before;
    FolioRegisters after;
    FolioRegisters back;
    gsize changed = 0;

    memset(&before, 0xa5, sizeof before);
    after = before;
    folio_registers_put_call(&after, 157, arguments);
    for (gsize i = 0; i < sizeof before / sizeof(long); i++)
        changed += ((unsigned long *) &before)[i] != ((unsigned long *) &after)[i] ? 1 : 0;
#if defined(__x86_64__)
    assert_int_equal(changed, FOLIO_CALL_ARGUMENTS + 1);
    assert_int_equal(after.orig_rax, 157);
    assert_int_equal(after.rdi, 41);
    assert_int_equal(after.rsi, 1);
    assert_int_equal(after.rdx, 65536);
    assert_int_equal(after.r10, 0x33);
    assert_int_equal(after.r8, 0x44);
    back = before;
    folio_registers_put_result(&back, -513);
    assert_true((long) back.rax == -513);
    back.rax = before.rax;
    folio_registers_put_restart(&back, 24);
    assert_int_equal(back.orig_rax, 24);
    back.orig_rax = before.orig_rax;
#elif defined(__aarch64__)
    assert_int_equal(changed, FOLIO_CALL_ARGUMENTS);
    assert_memory_equal(after.regs, arguments, sizeof arguments);
    back = before;
    folio_registers_put_result(&back, -513);
    assert_true((long) back.regs[0] == -513);
    back.regs[0] = before.regs[0];
    folio_registers_put_restart(&back, 124);
    assert_int_equal(back.regs[8], 124);
    back.regs[8] = before.regs[8];
#endif
    assert_memory_equal(&back, &before, sizeof before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_sandbox),
        cmocka_unit_test(test_registers),
    };

    return cmocka_run_group_tests_name("inject", tests, NULL, NULL);
}
