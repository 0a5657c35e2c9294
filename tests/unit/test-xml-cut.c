/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt/xml-cut: what is taken out of a domain's XML, and nothing else. */
#include "cmocka-all.h"
#include "virt/domain-xml.h"
#include "virt/xml-cut.h"

static const struct {
    const char *text;
    const char *without;
} cases[] = {
    { "<domain>\n  <name>g</name>\n  <metadata>\n    <a/>\n  </metadata>\n  <os/>\n</domain>\n",
      "<domain>\n  <name>g</name>\n  <os/>\n</domain>\n" },
    { "<domain><metadata/><os/></domain>", "<domain><os/></domain>" },
    { "<domain><metadata a='1'></metadata><os/></domain>", "<domain><os/></domain>" },
    { "<domain><os/></domain>", "<domain><os/></domain>" },
    /* What only looks like its end, or like its begin. */
    { "<domain><metadata><x:metadata><metadata/></x:metadata></metadata><os/></domain>",
      "<domain><os/></domain>" },
    { "<domain><metadata><metadata></metadata></metadata><os/></domain>",
      "<domain><os/></domain>" },
    { "<domain><metadata><!-- </metadata> --><![CDATA[</metadata>]]><?x </metadata>?></metadata>"
      "</domain>",
      "<domain></domain>" },
    { "<domain><metadata><a b='</metadata>/>' c=\"'>\"/></metadata><os/></domain>",
      "<domain><os/></domain>" },
    { "<domain><title>&lt;metadata&gt;</title><!-- <metadata> --><os/></domain>",
      "<domain><title>&lt;metadata&gt;</title><!-- <metadata> --><os/></domain>" },
    { "<domain><devices><disk><driver><metadata_cache/><metadata>1</metadata></driver></disk>"
      "</devices></domain>",
      "<domain><devices><disk><driver><metadata_cache/><metadata>1</metadata></driver></disk>"
      "</devices></domain>" },
    { "<domain><metadatas>1</metadatas></domain>", "<domain><metadatas>1</metadatas></domain>" },
    { "<?xml version='1.0'?><domain><metadata><a/></metadata></domain>",
      "<?xml version='1.0'?><domain></domain>" },
    /* What is no XML stays for the parser to judge. */
    { "<!DOCTYPE d [<!ENTITY a '>'>]><domain><metadata/></domain>",
      "<!DOCTYPE d [<!ENTITY a '>'>]><domain><metadata/></domain>" },
    { "<domain><metadata><a>", "<domain><metadata><a>" },
    { "<domain><metadata", "<domain><metadata" },
    { "<domain><metadata><!-- ", "<domain><metadata><!-- " },
    { "<metadata/>", "<metadata/>" },
    { "no XML", "no XML" },
    { "<", "<" },
    { "", "" },
};

static void
test_cases(void **state)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *without = folio_xml_cut_metadata(cases[i].text);

        assert_string_equal(without, cases[i].without);
    }
}

/* Deeper than libxml2 goes: the domain can be read all the same. */
static void
test_deep_metadata(void **state)
{
    GString *text = g_string_new("<domain type='kvm'><name>g</name><metadata>");
    g_autofree char *without = NULL;
    g_autoptr(FolioDomainXml) xml = NULL;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 100000; i++)
        g_string_append(text, "<a>");
    for (guint i = 0; i < 100000; i++)
        g_string_append(text, "</a>");
    g_string_append(text, "</metadata><uuid>f5aa2dc0-da87-4632-9203-688fd4fff062</uuid>"
                          "<memory>1</memory></domain>");
    without = folio_xml_cut_metadata(text->str);
    xml = folio_domain_xml_parse(without, strlen(without), &error);
    assert_no_error(error);
    assert_string_equal(xml->name, "g");
    g_string_free(text, TRUE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_deep_metadata),
    };

    return cmocka_run_group_tests_name("xml-cut", tests, NULL, NULL);
}
