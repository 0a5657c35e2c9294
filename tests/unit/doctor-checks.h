/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at what the doctor said, for its two tests. */
#pragma once

#include "cmocka-all.h"
#include "host/doctor.h"

/* What holds of any list: texts on one line and without addresses, a remedy where and only where
 * something is wrong. */
static inline void
assert_sound(GPtrArray *checks)
{
    for (guint i = 0; i < checks->len; i++) {
        const FolioCheck *check = g_ptr_array_index(checks, i);

        assert_true(*check->text != '\0');
        assert_null(strchr(check->text, '\n'));
        assert_null(strchr(check->remedy, '\n'));
        assert_null(strstr(check->text, "0x"));
        assert_true((*check->remedy == '\0') == (check->result == FOLIO_CHECK_PASS));
    }
}

static inline void
assert_tokens(GPtrArray *checks, const char *const *expected, guint n)
{
    assert_int_equal(checks->len, n);
    for (guint i = 0; i < n; i++) {
        const FolioCheck *check = g_ptr_array_index(checks, i);

        assert_string_equal(check->check, expected[i]);
    }
}

/* The n-th check of that token. */
static inline const FolioCheck *
find_nth(GPtrArray *checks, const char *token, guint n)
{
    guint i;

    for (i = 0; i < checks->len; i++) {
        const FolioCheck *check = g_ptr_array_index(checks, i);

        if (g_str_equal(check->check, token) && n-- == 0)
            break;
    }
    assert_in_range(i, 0, checks->len - 1);
    return g_ptr_array_index(checks, i);
}

static inline void
assert_check(GPtrArray *checks, const char *token, FolioCheckResult result, const char *text_part,
             const char *remedy_part)
{
    const FolioCheck *check = find_nth(checks, token, 0);

    if (check->result != result)
        fail_msg("%s is %s (%s)", token, folio_check_result_token(check->result), check->text);
    if (g_strstr_len(check->text, -1, text_part) == NULL)
        fail_msg("%s: \"%s\" lacks \"%s\"", token, check->text, text_part);
    if (g_strstr_len(check->remedy, -1, remedy_part) == NULL)
        fail_msg("%s: \"%s\" lacks \"%s\"", token, check->remedy, remedy_part);
}

static inline void
replace(char **text, const char *with)
{
    g_free(*text);
    *text = g_strdup(with);
}
