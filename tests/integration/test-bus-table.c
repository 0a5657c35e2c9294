/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of access, row by row, against the real foliod and the real polkitd: every member and
 * every kind of caller. Who is denied changes nothing. */
#include "bus/access.h"
#include "integration/bus-fixture.h"

/* What each argument of a method is called with; one that is not here fails the test. */
static const struct {
    const char *name;
    const char *value;
} values[] = {
    { "uuid", "'" ALPHA_UUID "'" }, { "name", "'" ALPHA_NAME "'" }, { "guest", "'" ALPHA_UUID "'" },
    { "mode", "'split'" },          { "first_block", "uint64 0" },  { "blocks", "uint64 1" },
    { "order", "uint32 9" },        { "options", "@a{sv} {}" },     { "job", "uint32 1" },
};

/* Members whose arguments cannot be told by their names alone. */
static const char *
special_arguments(const FolioAccess *row)
{
    return g_str_equal(row->member, "Split") ? "(uint64 0, uint64 1, uint32 0, @a{sv} {})" : NULL;
}

static const char *
value_of(const FolioAccess *row, const char *argument)
{
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        if (g_str_equal(values[i].name, argument))
            return values[i].value;
    }
    fail_msg("%s.%s: this test has no value for the argument %s", row->interface, row->member,
             argument);
    return NULL;
}

/* One call of a row: of the method, or of Get or GetAll. */
typedef struct {
    const FolioAccess *row;
    char *path;
    const char *interface;
    const char *method;
    char *arguments;
} Call;

static char *
method_arguments(const FolioAccess *row, GDBusMethodInfo *method)
{
    g_autoptr(GString) text = g_string_new("(");

    if (special_arguments(row) != NULL)
        return g_strdup(special_arguments(row));
    if (method->in_args == NULL || method->in_args[0] == NULL)
        return NULL;
    for (GDBusArgInfo **argument = method->in_args; *argument != NULL; argument++)
        g_string_append_printf(text, "%s%s", value_of(row, (*argument)->name),
                               argument == method->in_args || argument[1] != NULL ? "," : "");
    g_string_append_c(text, ')');
    return g_strdup(text->str);
}

static Call *
call_new(BusFixture *fixture, const FolioAccess *row)
{
    GDBusInterfaceInfo *info =
        g_dbus_node_info_lookup_interface(fixture->interfaces, row->interface);
    GDBusMethodInfo *method = g_dbus_interface_info_lookup_method(info, row->member);
    Call *call = g_new0(Call, 1);

    call->row = row;
    call->path = row->scope == FOLIO_SCOPE_GUEST ? guest_path(ALPHA_UUID) : g_strdup(FOLIOD_PATH);
    call->interface = method != NULL ? row->interface : PROPERTIES_INTERFACE;
    if (method != NULL) {
        call->method = row->member;
        call->arguments = method_arguments(row, method);
    } else if (g_str_equal(row->member, FOLIO_ALL_PROPERTIES)) {
        call->method = "GetAll";
        call->arguments = g_strdup_printf("('%s',)", row->interface);
    } else {
        call->method = "Get";
        call->arguments = g_strdup_printf("('%s', '%s')", row->interface, row->member);
    }
    return call;
}

static void
call_free(Call *call)
{
    g_free(call->path);
    g_free(call->arguments);
    g_free(call);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Call, call_free)

/* What the rules of the fixture come to for that user. */
static gboolean
is_allowed(const FolioAccess *row, User user)
{
    if (user == USER_ROOT || user == USER_ALLOWED)
        return TRUE;
    return user != USER_BLIND && g_str_equal(row->action, FOLIO_ACTION_VIEW);
}

/* A user who may not see guests is not told that there is one. */
static AnswerKind
expected_denial(const FolioAccess *row, User user)
{
    return user == USER_BLIND && row->scope != FOLIO_SCOPE_HOST ? ANSWER_NOT_FOUND
                                                                : ANSWER_NOT_PERMITTED;
}

/* What a caller gets who may: no job runs, and the guests of the test driver have no process. */
static AnswerKind
expected_result(const FolioAccess *row)
{
    static const char *const jobs[] = { "Split", "Collapse", "Restore", NULL };

    if (row->scope == FOLIO_SCOPE_JOB_ARGUMENT)
        return ANSWER_NOT_FOUND;
    return g_strv_contains(jobs, row->member) ? ANSWER_UNSUPPORTED : ANSWER_OK;
}

static void
expect(const Call *call, const char *who, AnswerKind expected, const Answer *answer)
{
    if (answer->kind != expected)
        fail_msg("%s.%s by %s: expected %d, got %d: %s", call->row->interface, call->row->member,
                 who, (int) expected, (int) answer->kind, answer->text);
}

/* All that the daemon says of itself and its guests, to root. */
static char *
take_picture(BusFixture *fixture)
{
    GDBusConnection *root = fixture->users[USER_ROOT];
    g_autofree char *alpha = guest_path(ALPHA_UUID);
    g_autofree char *secret = guest_path(SECRET_UUID);
    GString *all = g_string_new(NULL);

    append_answer(all, root, FOLIOD_PATH, PROPERTIES_INTERFACE, "GetAll",
                  "('" FOLIOD_MANAGER "',)");
    append_answer(all, root, alpha, PROPERTIES_INTERFACE, "GetAll", "('" FOLIOD_GUEST "',)");
    append_answer(all, root, secret, PROPERTIES_INTERFACE, "GetAll", "('" FOLIOD_GUEST "',)");
    return g_string_free(all, FALSE);
}

static void
expect_picture(BusFixture *fixture, const Call *call, const char *who, const char *before)
{
    g_autofree char *after = take_picture(fixture);

    if (!g_str_equal(before, after))
        fail_msg("%s.%s by %s was denied, and changed something: %s\n%s", call->row->interface,
                 call->row->member, who, before, after);
}

/* As it was, after a caller who may. */
static void
set_right(BusFixture *fixture)
{
    GDBusConnection *root = fixture->users[USER_ROOT];
    g_autofree char *alpha = guest_path(ALPHA_UUID);
    g_autoptr(Answer) resume = caller_ask(root, FOLIOD_PATH, FOLIOD_MANAGER, "Resume", NULL);
    g_autoptr(Answer) mode = caller_ask(root, alpha, FOLIOD_GUEST, "SetMode", "('',)");

    assert_int_equal(resume->kind, ANSWER_OK);
    assert_int_equal(mode->kind, ANSWER_OK);
}

static void
for_each_row(BusFixture *fixture, void (*function)(BusFixture *fixture, const Call *call))
{
    gsize n_rows = 0;
    const FolioAccess *rows = folio_access_list(&n_rows);

    assert_true(n_rows > 40);
    for (gsize i = 0; i < n_rows; i++) {
        g_autoptr(Call) call = call_new(fixture, &rows[i]);

        function(fixture, call);
    }
}

static void
try_users(BusFixture *fixture, const Call *call)
{
    g_autofree char *before = take_picture(fixture);

    for (User user = 0; user < N_USERS; user++) {
        g_autofree char *who = g_strdup_printf("user %u", user);
        const gboolean allowed = is_allowed(call->row, user);
        g_autoptr(Answer) answer = caller_ask(fixture->users[user], call->path, call->interface,
                                              call->method, call->arguments);

        /* Nobody is told whether there is a job. */
        if (call->row->scope == FOLIO_SCOPE_JOB_ARGUMENT)
            expect(call, who, ANSWER_NOT_FOUND, answer);
        else
            expect(call, who,
                   allowed ? expected_result(call->row) : expected_denial(call->row, user), answer);
        if (allowed)
            set_right(fixture);
        expect_picture(fixture, call, who, before);
    }
}

static void
test_every_row_and_user(void **state)
{
    for_each_row(*state, try_users);
}

typedef struct {
    guint n;
    Answer *answer;
} Pending;

static void
on_answer(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Pending *pending = user_data;

    pending->answer = caller_send_finish(source, result);
    pending->n++;
}

/* A user who would be let in after a password, lets polkit ask, and has no agent that could. */
static void
try_without_agent(BusFixture *fixture, const Call *call)
{
    g_autofree char *before = take_picture(fixture);
    Pending pending = { 0 };

    if (is_allowed(call->row, USER_PLAIN) || call->row->scope == FOLIO_SCOPE_JOB_ARGUMENT)
        return;
    caller_send(fixture->users[USER_PLAIN], call->path, call->interface, call->method,
                call->arguments, G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, on_answer,
                &pending);
    run_until(&pending.n, 1);
    expect(call, "a user without an agent", ANSWER_NOT_PERMITTED, pending.answer);
    answer_free(pending.answer);
    expect_picture(fixture, call, "a user without an agent", before);
}

static void
test_every_row_without_agent(void **state)
{
    for_each_row(*state, try_without_agent);
}

/* root calls, and is gone before polkit answers. polkitd answers in order, and the picture is taken
 * by calls that come after. */
static void
try_vanished(BusFixture *fixture, const Call *call)
{
    g_autofree char *before = take_picture(fixture);
    g_autoptr(GDBusConnection) caller = caller_connect(0);

    freeze(fixture->polkitd);
    caller_send(caller, call->path, call->interface, call->method, call->arguments,
                G_DBUS_CALL_FLAGS_NONE, NULL, NULL);
    caller_vanish(caller, fixture->daemon->bus);
    thaw(fixture->polkitd);
    expect_picture(fixture, call, "a caller that vanished", before);
}

static void
test_every_row_and_vanished_caller(void **state)
{
    for_each_row(*state, try_vanished);
}

static void
expect_row(const char *interface, const char *member)
{
    if (folio_access_find(interface, member) == NULL)
        fail_msg("%s.%s has no row in the table of access", interface, member);
}

/* As the daemon itself describes its objects, not only as the XML of the source tree does. */
static void
test_every_member_has_a_row(void **state)
{
    BusFixture *fixture = *state;
    g_autofree char *alpha = guest_path(ALPHA_UUID);
    const char *const paths[] = { FOLIOD_PATH, alpha };
    guint n_members = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(GVariant) reply =
            daemon_call(fixture->daemon, paths[i], "org.freedesktop.DBus.Introspectable",
                        "Introspect", NULL, NULL);
        g_autoptr(GDBusNodeInfo) node = NULL;
        const char *xml = NULL;

        assert_non_null(reply);
        g_variant_get(reply, "(&s)", &xml);
        node = g_dbus_node_info_new_for_xml(xml, NULL);
        assert_non_null(node);
        for (GDBusInterfaceInfo **info = node->interfaces; *info != NULL; info++) {
            if (!g_str_has_prefix((*info)->name, "org.foliod1."))
                continue;
            for (GDBusMethodInfo **m = (*info)->methods; *m != NULL; m++, n_members++)
                expect_row((*info)->name, (*m)->name);
            for (GDBusPropertyInfo **p = (*info)->properties; *p != NULL; p++, n_members++)
                expect_row((*info)->name, (*p)->name);
        }
    }
    assert_true(n_members > 40);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member_has_a_row),
        cmocka_unit_test(test_every_row_and_user),
        cmocka_unit_test(test_every_row_without_agent),
        cmocka_unit_test_teardown(test_every_row_and_vanished_caller, bus_fixture_go_on),
    };

    return cmocka_run_group_tests(tests, bus_fixture_set_up, bus_fixture_tear_down);
}
