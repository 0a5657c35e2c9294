/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt/hints: what metadata may say, and that the schema for people says the same. */
#include "base/error.h"
#include "cmocka-all.h"
#include "virt/hints.h"

#include <glib/gstdio.h>

#define NS "xmlns='" FOLIO_POLICY_NAMESPACE "'"

static const char *const good[] = {
    "<policy/>",
    "<policy></policy>",
    "<policy " NS "/>",
    "<f:policy xmlns:f='" FOLIO_POLICY_NAMESPACE "' mode='off'/>",
    "<policy mode='off'/>",
    "<policy mode='observe'/>",
    "<policy mode='split'/>",
    "<policy mode='collapse'/>",
    "<policy mode=\"adaptive\"/>",
    "<policy mode='&#115;plit'/>",
    "<policy split-order='0'/>",
    "<policy split-order='8'/>",
    "<policy sparse-below='1'/>",
    "<policy sparse-below='10'/>",
    "<policy sparse-below='99'/>",
    "<policy sparse-below='100'/>",
    "<policy sparse-below='499'/>",
    "<policy sparse-below='500'/>",
    "<policy sparse-below='509'/>",
    "<policy sparse-below='512'/>",
    "<policy max-rate='1K'/>",
    "<policy max-rate='64M'/>",
    "<policy max-rate='999999G'/>",
    "<policy max-rate='999999T'/>",
    "<policy khugepaged='auto'/>",
    "<policy khugepaged='keep'/>",
    "<policy mode='split' split-order='2' sparse-below='40' max-rate='64M' khugepaged='keep'/>",
    "<policy khugepaged='keep' " NS " max-rate='64M' mode='split'/>",
    "<policy mode='split'> \n\t </policy>",
    "<policy mode='split'><!-- why --><?editor 1?></policy>",
    "<!-- before --><policy xmlns:unused='urn:x' mode='split'/><!-- behind -->",
    "<?xml version='1.0' encoding='UTF-8'?>\n<policy mode='split'/>\n",
};

/* What is refused, and words that must be in the message: the attribute and its value. */
static const struct {
    const char *text;
    const char *words;
} bad[] = {
    { "<policy mode='fast'/>", "mode=\"fast\" is not allowed; allowed are off, observe, split" },
    { "<policy mode=''/>", "mode=\"\"" },
    { "<policy mode='Split'/>", "mode=\"Split\"" },
    { "<policy mode=' split'/>", "mode=\" split\"" },
    { "<policy mode='split '/>", "mode=\"split \"" },
    { "<policy mode='&#10;split'/>", "mode=\"\\x0asplit\"" },
    { "<policy mode='split collapse'/>", "mode=\"split collapse\"" },
    { "<policy mode='gr&#252;n &#x202e;'/>", "mode=\"gr\u00fcn \\xe2\\x80\\xae\"" },
    { "<policy split-order='9'/>", "split-order=\"9\" is not allowed; allowed are 0 to 8" },
    { "<policy split-order='-1'/>", "split-order=\"-1\"" },
    { "<policy split-order='+1'/>", "split-order=\"+1\"" },
    { "<policy split-order='00'/>", "split-order=\"00\"" },
    { "<policy split-order='1.0'/>", "split-order=\"1.0\"" },
    { "<policy split-order=''/>", "split-order=\"\"" },
    { "<policy sparse-below='0'/>", "sparse-below=\"0\" is not allowed; allowed are 1 to 512" },
    { "<policy sparse-below='513'/>", "sparse-below=\"513\"" },
    { "<policy sparse-below='600'/>", "sparse-below=\"600\"" },
    { "<policy sparse-below='051'/>", "sparse-below=\"051\"" },
    { "<policy sparse-below='10%'/>", "sparse-below=\"10%\"" },
    { "<policy sparse-below='18446744073709551617'/>", "sparse-below=\"18446744073709551617\"" },
    { "<policy max-rate='64'/>", "max-rate=\"64\" is not allowed; allowed are bytes per second" },
    { "<policy max-rate='0M'/>", "max-rate=\"0M\"" },
    { "<policy max-rate='M'/>", "max-rate=\"M\"" },
    { "<policy max-rate='64MB'/>", "max-rate=\"64MB\"" },
    { "<policy max-rate='64m'/>", "max-rate=\"64m\"" },
    { "<policy max-rate='1000000K'/>", "max-rate=\"1000000K\"" },
    { "<policy max-rate='064M'/>", "max-rate=\"064M\"" },
    { "<policy max-rate='6 4M'/>", "max-rate=\"6 4M\"" },
    { "<policy max-rate='&#x6f4;M'/>", "max-rate=\"" },
    { "<policy khugepaged='strict'/>",
      "khugepaged=\"strict\" is not allowed; allowed are auto, keep" },
    { "<policy khugepaged='no'/>", "khugepaged=\"no\"" },
    { "<policy inject='yes'/>", "inject=\"yes\" means nothing; known are mode, split-order" },
    { "<policy Mode='split'/>", "Mode=\"split\"" },
    { "<policy mode='split' max-rate='1'/>", "max-rate=\"1\"" },
    { "<policy xml:lang='en'/>", "another namespace, lang" },
    { "<f:policy xmlns:f='" FOLIO_POLICY_NAMESPACE "' f:mode='off'/>", "another namespace, mode" },
    { "<policy mode='split'>now</policy>", "text" },
    { "<policy mode='split'><![CDATA[now]]></policy>", "text" },
    { "<policy><mode>split</mode></policy>", "<mode>" },
    { "<policy><policy mode='split'/></policy>", "<policy>" },
    { "<policy " NS "><x xmlns='urn:x'/></policy>", "<x>" },
    { "<policies mode='split'/>", "no <policy>" },
    { "<Policy mode='split'/>", "no <policy>" },
    { "<policy xmlns='https://foliod.org/xmlns/policy/2' mode='split'/>", "no <policy>" },
    { "<policy xmlns='https://foliod.org/xmlns/status/1' mode='split'/>", "no <policy>" },
    { "<policy mode='split' mode='off'/>", "XML, line 1" },
    { "<policy mode='split'", "XML, line 1" },
    { "<policy mode=split/>", "XML, line 1" },
    { "<policy/><policy/>", "XML, line 1" },
    { "<policy>&nothing;</policy>", "XML, line 1" },
    { "split", "XML, line 1" },
};

static gboolean
parse(const char *text, FolioHints *hints, GError **error)
{
    return folio_hints_parse_policy(text, strlen(text), hints, error);
}

static void
assert_refused(const char *text, gsize length, const char *words)
{
    const FolioHints before = { .set = 1u << FOLIO_HINT_SPLIT_ORDER, .split_order = 3 };
    FolioHints hints = before;
    g_autoptr(GError) error = NULL;

    if (folio_hints_parse_policy(text, length, &hints, &error))
        fail_msg("accepted: %s", text);
    assert_folio_error(error, FOLIO_ERROR_INVALID);
    if (strstr(error->message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, error->message);
    assert_true(folio_hints_equal(&hints, &before));
}

static void
test_all_of_it(void **state)
{
    FolioHints hints = { 0 };
    g_autoptr(GError) error = NULL;

    assert_true(parse("<policy mode='collapse' split-order='4' sparse-below='51' max-rate='3G' "
                      "khugepaged='keep'/>",
                      &hints, &error));
    assert_no_error(error);
    assert_int_equal(hints.set, (1u << FOLIO_N_HINTS) - 1);
    assert_int_equal(hints.mode, FOLIO_MODE_COLLAPSE);
    assert_int_equal(hints.split_order, 4);
    assert_int_equal(hints.sparse_below, 51);
    assert_int_equal(hints.max_rate, 3ULL << 30);
    assert_int_equal(hints.khugepaged, FOLIO_KHUGEPAGED_KEEP);
}

/* What an element does not say is not in the set. */
static void
test_parts(void **state)
{
    FolioHints hints = { .set = 1u << FOLIO_HINT_MODE, .mode = FOLIO_MODE_SPLIT };

    assert_true(parse("<policy max-rate='999999T'/>", &hints, NULL));
    assert_int_equal(hints.set, 1u << FOLIO_HINT_MAX_RATE);
    assert_int_equal(hints.max_rate, 999999ULL << 40);
    assert_true(parse("<policy/>", &hints, NULL));
    assert_int_equal(hints.set, 0);
}

static void
test_good(void **state)
{
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        FolioHints hints;
        g_autoptr(GError) error = NULL;

        if (!parse(good[i], &hints, &error))
            fail_msg("refused: %s: %s", good[i], error->message);
    }
}

static void
test_bad(void **state)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_refused(bad[i].text, strlen(bad[i].text), bad[i].words);
}

/* Values are printed as they are read, whatever their unit. */
static void
test_printed(void **state)
{
    static const char *const rates[] = { "1K", "1023K", "1M", "1025K", "999999K", "7T" };

    for (gsize i = 0; i < G_N_ELEMENTS(rates); i++) {
        FolioHints hints = { 0 };
        g_autofree char *printed = NULL;

        assert_true(folio_hints_read(&hints, FOLIO_HINT_MAX_RATE, rates[i]));
        printed = folio_hints_print(&hints, FOLIO_HINT_MAX_RATE);
        assert_string_equal(printed, rates[i]);
    }
}

/* Each element in a file DIR/N.xml. Returns what xmllint says of all of them. */
static char *
run_xmllint(const char *dir, const char *const *texts, gsize n)
{
    g_autofree char *schema =
        g_build_filename(g_getenv("FOLIOD_SOURCE"), "data", "foliod-policy.rng", NULL);
    g_autoptr(GStrvBuilder) command = g_strv_builder_new();
    g_auto(GStrv) arguments = NULL;
    g_autoptr(GError) error = NULL;
    char *said = NULL;

    g_strv_builder_add_many(command, "xmllint", "--noout", "--nonet", "--relaxng", schema, NULL);
    for (gsize i = 0; i < n; i++) {
        g_autofree char *path = g_strdup_printf("%s/%zu.xml", dir, i);

        assert_true(g_file_set_contents(path, texts[i], -1, NULL));
        g_strv_builder_add(command, path);
    }
    arguments = g_strv_builder_end(command);
    g_spawn_sync(NULL, arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &said, NULL, &error);
    assert_no_error(error);
    for (gsize i = 0; i < n; i++) {
        g_autofree char *path = g_strdup_printf("%s/%zu.xml", dir, i);

        g_remove(path);
    }
    return said;
}

static void
compare_with_schema(const char *const *texts, gsize n, gboolean expected)
{
    g_autofree char *dir = g_dir_make_tmp("foliod-hints.XXXXXX", NULL);
    g_autofree char *said = run_xmllint(dir, texts, n);

    g_rmdir(dir);
    for (gsize i = 0; i < n; i++) {
        g_autofree char *line = g_strdup_printf("%s/%zu.xml validates\n", dir, i);

        if ((strstr(said, line) != NULL) != expected)
            fail_msg("the schema does not %s: %s\n%s", expected ? "accept" : "refuse", texts[i],
                     said);
    }
}

static void
test_schema(void **state)
{
    const char *bad_texts[G_N_ELEMENTS(bad)];

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        bad_texts[i] = bad[i].text;
    compare_with_schema(good, G_N_ELEMENTS(good), TRUE);
    compare_with_schema(bad_texts, G_N_ELEMENTS(bad_texts), FALSE);
}

/* Hostile content */

static void
test_dtd(void **state)
{
    static const char laughs[] =
        "<!DOCTYPE policy [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
        "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>"
        "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;'>"
        "<!ENTITY g '&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;'><!ENTITY h '&g;&g;&g;&g;&g;&g;&g;&g;'>]>"
        "<policy mode='&h;'/>";
    static const char file[] = "<!DOCTYPE policy [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>"
                               "<policy>&f;</policy>";
    static const char plain[] = "<!DOCTYPE policy SYSTEM 'http://127.0.0.1/x.dtd'><policy/>";
    static const char known[] = "<!DOCTYPE policy [<!ENTITY m 'split'>]><policy mode='&m;'/>";
    gint64 start = g_get_monotonic_time();

    assert_refused(laughs, strlen(laughs), "DTD");
    assert_refused(file, strlen(file), "DTD");
    assert_refused(plain, strlen(plain), "DTD");
    assert_refused(known, strlen(known), "DTD");
    assert_true(g_get_monotonic_time() - start < G_USEC_PER_SEC);
}

static char *
padded(gsize length)
{
    static const char bare[] = "<policy mode='split'></policy>";
    g_autofree char *filler = g_strnfill(length - strlen(bare), ' ');

    return g_strdup_printf("<policy mode='split'>%s</policy>", filler);
}

static void
test_length(void **state)
{
    g_autofree char *largest = padded(FOLIO_POLICY_MAX);
    g_autofree char *larger = padded(FOLIO_POLICY_MAX + 1);
    g_autofree char *huge = g_strnfill(2 << 20, '<');
    FolioHints hints;

    assert_true(parse(largest, &hints, NULL));
    assert_refused(larger, strlen(larger), "4097 bytes");
    /* It is not even XML: nobody has looked. */
    assert_refused(huge, strlen(huge), "2097152 bytes");
}

static void
test_deep_and_odd(void **state)
{
    static const char nul[] = "<policy mode='split'/>\0<x/>";
    g_autoptr(GString) deep = g_string_new("<policy>");

    for (guint i = 0; i < 1000; i++)
        g_string_append(deep, "<a>");
    assert_refused(deep->str, deep->len, "XML, line 1");
    assert_refused(nul, sizeof nul - 1, "UTF-8");
    assert_refused("<policy mode='\xff'/>", 18, "UTF-8");
    assert_refused("", 0, "XML, line 1");
}

/* Nova */

#define SPECS(inside)                                                                              \
    "<instance><package version='31.0.0'/><name>vm</name><flavor name='m1.large' id='x'>"          \
    "<memory>8192</memory><extraSpecs><extraSpec name='hw:mem_page_size'>large</extraSpec>" inside \
    "</extraSpecs></flavor><owner><user uuid='u'>u</user></owner></instance>"

static void
test_nova(void **state)
{
    static const char text[] = SPECS("<extraSpec name='foliod:mode'>split</extraSpec>"
                                     "<extraSpec name='foliod:max-rate'> 64M\n</extraSpec>");
    static const char older[] = "<instance><flavor name='m1'><memory>8192</memory></flavor>"
                                "</instance>";
    FolioHints hints = { 0 };
    g_autoptr(GError) error = NULL;

    assert_true(folio_hints_parse_nova(text, strlen(text), &hints, &error));
    assert_no_error(error);
    assert_int_equal(hints.set, 1u << FOLIO_HINT_MODE | 1u << FOLIO_HINT_MAX_RATE);
    assert_int_equal(hints.mode, FOLIO_MODE_SPLIT);
    assert_int_equal(hints.max_rate, 64 << 20);
    assert_true(folio_hints_parse_nova(older, strlen(older), &hints, &error));
    assert_int_equal(hints.set, 0);
}

static void
test_bad_nova(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        { SPECS("<extraSpec name='foliod:mode'>fast</extraSpec>"), "foliod:mode=\"fast\"" },
        { SPECS("<extraSpec name='foliod:speed'>1</extraSpec>"), "foliod:speed=\"1\"" },
        { SPECS("<extraSpec name='foliod:mode'>off</extraSpec>"
                "<extraSpec name='foliod:mode'>split</extraSpec>"),
          "foliod:mode comes twice" },
        { SPECS("<extraSpec name='foliod:khugepaged'>strict</extraSpec>"),
          "foliod:khugepaged=\"strict\"" },
        { "<!DOCTYPE instance [<!ENTITY a 'ha'>]><instance/>", "DTD" },
        { "<instance>", "XML" },
    };
    g_autofree char *huge = g_strnfill(FOLIO_NOVA_MAX + 1, 'x');
    FolioHints hints = { 0 };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        assert_false(folio_hints_parse_nova(cases[i].text, strlen(cases[i].text), &hints, &error));
        assert_folio_error(error, FOLIO_ERROR_INVALID);
        if (strstr(error->message, cases[i].words) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", cases[i].words, error->message);
        assert_int_equal(hints.set, 0);
    }
    assert_false(folio_hints_parse_nova(huge, strlen(huge), &hints, NULL));
}

static void
test_both(void **state)
{
    g_autoptr(FolioDomainHints) none = folio_domain_hints_new(NULL, NULL);
    g_autoptr(FolioDomainHints) hints = folio_domain_hints_new(
        "<policy mode='x'/>", SPECS("<extraSpec name='foliod:mode'>off</extraSpec>"));
    g_autoptr(FolioDomainHints) copy = folio_domain_hints_copy(hints);

    assert_int_equal(none->policy.hints.set | none->nova.hints.set, 0);
    assert_null(none->policy.error);
    assert_null(none->nova.error);
    assert_non_null(strstr(copy->policy.error, "mode=\"x\""));
    assert_int_equal(copy->policy.hints.set, 0);
    assert_null(copy->nova.error);
    assert_int_equal(copy->nova.hints.mode, FOLIO_MODE_OFF);
    assert_int_equal(copy->nova.hints.set, 1u << FOLIO_HINT_MODE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),    cmocka_unit_test(test_parts),
        cmocka_unit_test(test_good),         cmocka_unit_test(test_bad),
        cmocka_unit_test(test_printed),      cmocka_unit_test(test_schema),
        cmocka_unit_test(test_dtd),          cmocka_unit_test(test_length),
        cmocka_unit_test(test_deep_and_odd), cmocka_unit_test(test_nova),
        cmocka_unit_test(test_bad_nova),     cmocka_unit_test(test_both),
    };

    return cmocka_run_group_tests_name("hints", tests, NULL, NULL);
}
