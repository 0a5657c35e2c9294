/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt/domain-xml: what libvirt writes, and what nobody should. */
#include "base/error.h"
#include "cmocka-all.h"
#include "virt/domain-xml.h"

#define UUID "f5aa2dc0-da87-4632-9203-688fd4fff062"

/* The parts of a domain that a test may replace; NULL leaves the usual one. */
typedef struct {
    const char *identity, *memory, *backing, *numa, *devices, *outside;
} Parts;

static char *
domain(Parts parts)
{
    return g_strdup_printf(
        "<domain type='kvm' id='1' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>%s%s%s"
        "<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>"
        "<cpu mode='custom'><model>qemu64</model>%s</cpu>"
        "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>%s</devices>%s</domain>",
        parts.identity != NULL ? parts.identity : "<name>g</name><uuid>" UUID "</uuid>",
        parts.memory != NULL ? parts.memory : "<memory unit='KiB'>917504</memory>",
        parts.backing != NULL ? parts.backing : "", parts.numa != NULL ? parts.numa : "",
        parts.devices != NULL ? parts.devices : "", parts.outside != NULL ? parts.outside : "");
}

static FolioDomainXml *
parse(Parts parts)
{
    g_autofree char *text = domain(parts);
    g_autoptr(GError) error = NULL;
    FolioDomainXml *xml = folio_domain_xml_parse(text, strlen(text), &error);

    assert_no_error(error);
    assert_non_null(xml);
    return xml;
}

/* The text must be refused with an error that has the given words in it. */
static void
assert_text_refused(const char *text, gsize length, const char *words)
{
    g_autoptr(GError) error = NULL;

    assert_null(folio_domain_xml_parse(text, length, &error));
    assert_folio_error(error, FOLIO_ERROR_INVALID);
    if (strstr(error->message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, error->message);
}

static void
assert_refused(Parts parts, const char *words)
{
    g_autofree char *text = domain(parts);

    assert_text_refused(text, strlen(text), words);
}

static void
assert_spec(const FolioDomainXml *xml, guint i, FolioRamKind kind, guint index, guint64 mib,
            FolioBacking backing, const char *alias)
{
    const FolioRamSpec *spec;

    assert_true(i < xml->ram->len);
    spec = xml->ram->pdata[i];
    assert_int_equal(spec->kind, kind);
    assert_int_equal(spec->index, index);
    assert_int_equal(spec->bytes, mib << 20);
    assert_int_equal(spec->backing, backing);
    if (alias == NULL)
        assert_null(spec->alias);
    else
        assert_string_equal(spec->alias, alias);
}

#define TWO_CELLS                                                            \
    "<numa><cell id='0' cpus='0' memory='131072' unit='KiB' discard='yes'/>" \
    "<cell id='1' memory='131072' unit='KiB'/></numa>"
#define DIMM(alias, node, more)                                                      \
    "<memory model='dimm'>" more "<target><size unit='KiB'>131072</size><node>" node \
    "</node></target><alias name='" alias "'/><address type='dimm' slot='0'/></memory>"
#define VIRTIO_MEM                                                                    \
    "<memory model='virtio-mem'><target><size unit='KiB'>524288</size><node>1</node>" \
    "<block unit='KiB'>2048</block><requested unit='KiB'>0</requested>"               \
    "<current unit='KiB'>0</current></target><alias name='virtiomem0'/></memory>"

static void
test_identity(void **state)
{
    g_autoptr(FolioDomainXml) xml =
        parse((Parts){ .identity = "<name> a guest &amp; more&#9;</name>"
                                   "<uuid>F5AA2DC0-DA87-4632-9203-688FD4FFF062</uuid>" });

    assert_string_equal(xml->type, "kvm");
    assert_string_equal(xml->name, " a guest & more\t");
    assert_string_equal(xml->uuid, UUID);
    assert_string_equal(xml->emulator, "/usr/bin/qemu-system-x86_64");
    assert_string_equal(xml->arch, "x86_64");
    assert_int_equal(xml->memory, 917504ULL << 10);
    assert_false(xml->locked);
    assert_int_equal(xml->n_vfio, 0);
    assert_int_equal(xml->ram->len, 1);
    assert_spec(xml, 0, FOLIO_RAM_MAIN, 0, 896, FOLIO_BACKING_ANONYMOUS, NULL);
}

/* A domain of the test driver has neither emulator nor <cpu>. */
static void
test_least(void **state)
{
    static const char text[] = "<domain type='test'><name>test</name><uuid>" UUID "</uuid>"
                               "<memory>8192</memory></domain>";
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioDomainXml) xml = folio_domain_xml_parse(text, strlen(text), &error);

    assert_no_error(error);
    assert_string_equal(xml->type, "test");
    assert_string_equal(xml->emulator, "");
    assert_string_equal(xml->arch, "");
    assert_spec(xml, 0, FOLIO_RAM_MAIN, 0, 8, FOLIO_BACKING_ANONYMOUS, NULL);
}

static void
test_units(void **state)
{
    static const struct {
        const char *memory;
        guint64 bytes;
    } cases[] = {
        { "<memory>3</memory>", 3072 },
        { "<memory unit='KiB'> 3\n</memory>", 3072 },
        { "<memory unit='k'>3</memory>", 3072 },
        { "<memory unit='b'>3</memory>", 3 },
        { "<memory unit='Bytes'>3</memory>", 3 },
        { "<memory unit='KB'>3</memory>", 3000 },
        { "<memory unit='mib'>3</memory>", 3ULL << 20 },
        { "<memory unit='MB'>3</memory>", 3000000 },
        { "<memory unit='G'>3</memory>", 3ULL << 30 },
        { "<memory unit='gb'>3</memory>", 3000000000 },
        { "<memory unit='TiB'>3</memory>", 3ULL << 40 },
        { "<memory unit='PiB'>3</memory>", 3ULL << 50 },
        { "<memory unit='EiB'>15</memory>", 15ULL << 60 },
        { "<memory unit='EB'>18</memory>", 18000000000000000000ULL },
        { "<memory unit='b'>18446744073709551615</memory>", G_MAXUINT64 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(FolioDomainXml) xml = parse((Parts){ .memory = cases[i].memory });

        assert_int_equal(xml->memory, cases[i].bytes);
        assert_int_equal(((FolioRamSpec *) xml->ram->pdata[0])->bytes, cases[i].bytes);
    }
}

static void
test_bad_sizes(void **state)
{
    static const char *const memories[] = {
        "",
        "<memory/>",
        "<memory>0</memory>",
        "<memory>-1</memory>",
        "<memory>+1</memory>",
        "<memory>0x10</memory>",
        "<memory>1.5</memory>",
        "<memory>1 2</memory>",
        "<memory unit=''>1</memory>",
        "<memory unit='KiBi'>1</memory>",
        "<memory unit='XiB'>1</memory>",
        "<memory unit='iB'>1</memory>",
        "<memory unit='EiB'>16</memory>",
        "<memory>18014398509481984</memory>",
        "<memory unit='b'>18446744073709551616</memory>",
        "<memory>1</memory><memory>1</memory>",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(memories); i++)
        assert_refused((Parts){ .memory = memories[i] }, "<memory>");
}

static void
test_bad_identity(void **state)
{
    static const struct {
        const char *identity, *words;
    } cases[] = {
        { "<name>g</name>", "<uuid>" },
        { "<uuid>" UUID "</uuid>", "<name>" },
        { "<name/><uuid>" UUID "</uuid>", "<name>" },
        { "<name>a/../b</name><uuid>" UUID "</uuid>", "<name>" },
        { "<name>g</name><name>h</name><uuid>" UUID "</uuid>", "<name>" },
        { "<name>g</name><uuid>" UUID "</uuid><uuid>" UUID "</uuid>", "<uuid>" },
        { "<name>g</name><uuid>f5aa2dc0da8746329203688fd4fff062</uuid>", "<uuid>" },
        { "<name>g</name><uuid>" UUID "0</uuid>", "<uuid>" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_refused((Parts){ .identity = cases[i].identity }, cases[i].words);
}

/* What QEMU was seen to be started with for each. */
static void
test_backing_of_main(void **state)
{
    static const struct {
        const char *backing;
        FolioBacking expected;
        gboolean locked;
    } cases[] = {
        { "<memoryBacking><source type='file'/></memoryBacking>", FOLIO_BACKING_FILE, FALSE },
        { "<memoryBacking><source type='memfd'/><locked/></memoryBacking>", FOLIO_BACKING_MEMFD,
          TRUE },
        { "<memoryBacking><source type='anonymous'/></memoryBacking>", FOLIO_BACKING_ANONYMOUS,
          FALSE },
        { "<memoryBacking><discard/><locked/></memoryBacking>", FOLIO_BACKING_ANONYMOUS, TRUE },
        { "<memoryBacking><access mode='shared'/></memoryBacking>", FOLIO_BACKING_FILE, FALSE },
        { "<memoryBacking><source type='anonymous'/><access mode='private'/></memoryBacking>",
          FOLIO_BACKING_FILE, FALSE },
        { "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
          FOLIO_BACKING_MEMFD, FALSE },
        { "<memoryBacking><hugepages/></memoryBacking>", FOLIO_BACKING_HUGETLB, FALSE },
        { "<memoryBacking><hugepages/><source type='memfd'/></memoryBacking>",
          FOLIO_BACKING_HUGETLB, FALSE },
        { "<memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages>"
          "<source type='file'/></memoryBacking>",
          FOLIO_BACKING_HUGETLB, FALSE },
        { "<memoryBacking><hugepages><page size='4' unit='KiB'/></hugepages>"
          "<source type='file'/></memoryBacking>",
          FOLIO_BACKING_FILE, FALSE },
        { "<memoryBacking><hugepages><page size='4096' unit='b'/></hugepages></memoryBacking>",
          FOLIO_BACKING_ANONYMOUS, FALSE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(FolioDomainXml) xml = parse((Parts){ .backing = cases[i].backing });

        assert_int_equal(xml->ram->len, 1);
        assert_spec(xml, 0, FOLIO_RAM_MAIN, 0, 896, cases[i].expected, NULL);
        assert_int_equal(xml->locked, cases[i].locked);
    }
}

/* As libvirt 9.0 wrote it of a guest with a DIMM and a virtio-mem device plugged in: <memory>
 * counts both, the cells neither. */
static void
test_cells_and_devices(void **state)
{
    g_autoptr(FolioDomainXml) xml = parse((Parts){
        .backing = "<memoryBacking><source type='file'/></memoryBacking>",
        .numa = TWO_CELLS,
        .devices = DIMM("dimm0", "0", "") VIRTIO_MEM DIMM(
            "ua-mine", "1",
            "") "<memory model='nvdimm'><source><path>/tmp/nv</path></source><target>"
                "<size unit='MiB'>32</size><node>0</node></target><alias name='nvdimm0'/></memory>",
    });

    assert_int_equal(xml->ram->len, 6);
    assert_spec(xml, 0, FOLIO_RAM_CELL, 0, 128, FOLIO_BACKING_FILE, NULL);
    assert_spec(xml, 1, FOLIO_RAM_CELL, 1, 128, FOLIO_BACKING_FILE, NULL);
    assert_spec(xml, 2, FOLIO_RAM_DIMM, 0, 128, FOLIO_BACKING_FILE, "dimm0");
    assert_spec(xml, 3, FOLIO_RAM_VIRTIO_MEM, 0, 512, FOLIO_BACKING_FILE, "virtiomem0");
    assert_spec(xml, 4, FOLIO_RAM_DIMM, 1, 128, FOLIO_BACKING_FILE, "ua-mine");
    assert_spec(xml, 5, FOLIO_RAM_OTHER, 0, 32, FOLIO_BACKING_FILE, "nvdimm0");
}

static void
test_main_without_its_devices(void **state)
{
    g_autoptr(FolioDomainXml) xml = parse((Parts){ .devices = DIMM("dimm0", "0", "") VIRTIO_MEM });

    assert_int_equal(xml->ram->len, 3);
    assert_spec(xml, 0, FOLIO_RAM_MAIN, 0, 896 - 128 - 512, FOLIO_BACKING_ANONYMOUS, NULL);
    assert_spec(xml, 1, FOLIO_RAM_DIMM, 0, 128, FOLIO_BACKING_ANONYMOUS, "dimm0");

    assert_refused((Parts){ .memory = "<memory unit='MiB'>640</memory>",
                            .devices = DIMM("dimm0", "0", "") VIRTIO_MEM },
                   "<memory>");
}

static void
test_backing_by_cell(void **state)
{
    g_autoptr(FolioDomainXml) access =
        parse((Parts){ .numa = "<numa><cell id='0' memory='128' unit='MiB' memAccess='shared'/>"
                               "<cell id='1' memory='128' unit='MiB'/></numa>",
                       .devices = DIMM("dimm0", "0", "") DIMM("dimm1", "1", "") });
    g_autoptr(FolioDomainXml) pages =
        parse((Parts){ .backing = "<memoryBacking><hugepages>"
                                  "<page size='2048' unit='KiB' nodeset='1,3-100,^5'/></hugepages>"
                                  "<source type='file'/></memoryBacking>",
                       .numa = TWO_CELLS,
                       .devices = DIMM("dimm0", "0", "") DIMM("dimm1", "1", "")
                           DIMM("dimm2", "100", "") DIMM("dimm3", "5", "") });
    g_autoptr(FolioDomainXml) all_but = parse((Parts){
        .backing = "<memoryBacking><hugepages><page size='4' unit='KiB' nodeset='0'/>"
                   "<page size='2' unit='MiB'/></hugepages><source type='memfd'/></memoryBacking>",
        .numa = TWO_CELLS });

    assert_spec(access, 0, FOLIO_RAM_CELL, 0, 128, FOLIO_BACKING_FILE, NULL);
    assert_spec(access, 1, FOLIO_RAM_CELL, 1, 128, FOLIO_BACKING_ANONYMOUS, NULL);
    assert_spec(access, 2, FOLIO_RAM_DIMM, 0, 128, FOLIO_BACKING_FILE, "dimm0");
    assert_spec(access, 3, FOLIO_RAM_DIMM, 1, 128, FOLIO_BACKING_ANONYMOUS, "dimm1");
    assert_spec(pages, 0, FOLIO_RAM_CELL, 0, 128, FOLIO_BACKING_FILE, NULL);
    assert_spec(pages, 1, FOLIO_RAM_CELL, 1, 128, FOLIO_BACKING_HUGETLB, NULL);
    assert_spec(pages, 2, FOLIO_RAM_DIMM, 0, 128, FOLIO_BACKING_FILE, "dimm0");
    assert_spec(pages, 3, FOLIO_RAM_DIMM, 1, 128, FOLIO_BACKING_HUGETLB, "dimm1");
    assert_spec(pages, 4, FOLIO_RAM_DIMM, 2, 128, FOLIO_BACKING_HUGETLB, "dimm2");
    assert_spec(pages, 5, FOLIO_RAM_DIMM, 3, 128, FOLIO_BACKING_FILE, "dimm3");
    assert_spec(all_but, 0, FOLIO_RAM_CELL, 0, 128, FOLIO_BACKING_MEMFD, NULL);
    assert_spec(all_but, 1, FOLIO_RAM_CELL, 1, 128, FOLIO_BACKING_HUGETLB, NULL);
}

static void
test_backing_of_devices(void **state)
{
    static const char devices[] =
        "<memory model='dimm'><source><pagesize unit='KiB'>2048</pagesize></source>"
        "<target><size unit='MiB'>128</size></target><alias name='dimm0'/></memory>"
        "<memory model='dimm'><source><pagesize unit='KiB'>4</pagesize></source>"
        "<target><size unit='MiB'>128</size></target><alias name='dimm1'/></memory>"
        "<memory model='dimm' access='shared'>"
        "<target><size>1024</size></target><alias name='dimm2'/></memory>";
    g_autoptr(FolioDomainXml) xml = parse((Parts){ .numa = TWO_CELLS, .devices = devices });

    assert_spec(xml, 2, FOLIO_RAM_DIMM, 0, 128, FOLIO_BACKING_HUGETLB, "dimm0");
    assert_spec(xml, 3, FOLIO_RAM_DIMM, 1, 128, FOLIO_BACKING_ANONYMOUS, "dimm1");
    assert_spec(xml, 4, FOLIO_RAM_DIMM, 2, 1, FOLIO_BACKING_FILE, "dimm2");
}

static void
test_cell_without_memory(void **state)
{
    g_autoptr(FolioDomainXml) xml =
        parse((Parts){ .numa = "<numa><cell id='0' cpus='0' memory='0' unit='KiB'/>"
                               "<cell id='1' memory='1' unit='GiB'/></numa>" });

    assert_int_equal(xml->ram->len, 1);
    assert_spec(xml, 0, FOLIO_RAM_CELL, 1, 1024, FOLIO_BACKING_ANONYMOUS, NULL);
}

static void
test_bad_cells_and_devices(void **state)
{
    static const struct {
        const char *numa, *devices, *backing, *words;
    } cases[] = {
        { "<numa><cell id='0'/></numa>", NULL, NULL, "<cell id='0'>" },
        { "<numa><cell id='0' memory='-5'/></numa>", NULL, NULL, "<cell id='0'>" },
        { "<numa><cell id='0' memory='99999999999999999'/></numa>", NULL, NULL, "<cell id='0'>" },
        { "<numa><cell id='1' memory='5'/></numa>", NULL, NULL, "<cell id='0'>" },
        { "<numa><cell id='0' memory='5'/><cell id='0' memory='5'/></numa>", NULL, NULL,
          "<cell id='1'>" },
        { "<numa><cell id='99999999999' memory='5'/></numa>", NULL, NULL, "<cell id='0'>" },
        { "<numa/><numa/>", NULL, NULL, "<numa>" },
        { NULL, "<memory model='dimm'><alias name='dimm0'/></memory>", NULL, "<size>" },
        { NULL,
          "<memory model='dimm'><target><size>0</size></target><alias name='dimm0'/></memory>",
          NULL, "<size>" },
        { NULL,
          "<memory model='dimm'><target><size>18446744073709551615</size></target>"
          "<alias name='dimm0'/></memory>",
          NULL, "<size>" },
        { NULL, "<memory model='dimm'><target><size>4</size></target></memory>", NULL, "alias" },
        { NULL, DIMM("dimm0", "-1", ""), NULL, "<node>" },
        { NULL, DIMM("dimm0", "0", "<source><pagesize>x</pagesize></source>"), NULL, "<pagesize>" },
        { NULL, NULL, "<memoryBacking><hugepages><page/></hugepages></memoryBacking>", "<page>" },
        { NULL, NULL,
          "<memoryBacking><hugepages><page size='2048' nodeset='0-128'/></hugepages>"
          "</memoryBacking>",
          "nodeset" },
        { NULL, NULL,
          "<memoryBacking><hugepages><page size='2048' nodeset='3-1'/></hugepages>"
          "</memoryBacking>",
          "nodeset" },
        { NULL, NULL,
          "<memoryBacking><hugepages><page size='2048' nodeset='0,,1'/></hugepages>"
          "</memoryBacking>",
          "nodeset" },
        { NULL, NULL, "<memoryBacking/><memoryBacking><locked/></memoryBacking>",
          "<memoryBacking>" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_refused((Parts){ .numa = cases[i].numa,
                                .devices = cases[i].devices,
                                .backing = cases[i].backing },
                       cases[i].words);
}

static void
test_pinning_devices(void **state)
{
    static const struct {
        const char *devices;
        guint n;
    } cases[] = {
        { "<hostdev mode='subsystem' type='pci' managed='yes'/>", 1 },
        { "<hostdev mode='subsystem' type='pci' managed='no'><driver name='vfio'/></hostdev>", 1 },
        { "<hostdev mode='subsystem' type='pci'><driver name='xen'/></hostdev>", 0 },
        { "<hostdev mode='subsystem' type='mdev' model='vfio-pci'/>", 1 },
        { "<hostdev mode='subsystem' type='usb'/>", 0 },
        { "<hostdev mode='subsystem' type='scsi_host' protocol='vhost'/>", 0 },
        { "<interface type='hostdev' managed='yes'><driver name='vfio'/></interface>", 1 },
        { "<interface type='hostdev'/><interface type='hostdev'/>", 2 },
        { "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>", 1 },
        { "<interface type='network'/><interface type='vhostuser'/>", 0 },
        { "<disk type='nvme' device='disk'/>", 1 },
        { "<disk type='vhostvdpa'/>", 1 },
        { "<disk type='file'><backingStore type='file'><backingStore type='nvme'/>"
          "</backingStore></disk>",
          1 },
        { "<disk type='file'><backingStore/></disk>", 0 },
        { "<controller><hostdev mode='subsystem' type='pci'/></controller>", 0 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(FolioDomainXml) xml = parse((Parts){ .devices = cases[i].devices });

        assert_int_equal(xml->n_vfio, cases[i].n);
    }
}

/* Elements of other namespaces and of metadata bear the names that the parser looks for. */
static void
test_foreign_elements(void **state)
{
    g_autoptr(FolioDomainXml) xml = parse((Parts){
        .memory = "<memory unit='MiB'>64</memory><metadata><memory>1</memory><name>x</name>"
                  "<uuid>x</uuid><devices><memory/></devices><numa><cell/></numa>"
                  "<e:memory xmlns:e='e'>1</e:memory></metadata>"
                  "<e:memory xmlns:e='e'>2</e:memory><memory xmlns='urn:x'>3</memory>",
        .devices = "<memory xmlns='urn:x' model='dimm'/><e:emulator xmlns:e='e'>/x</e:emulator>",
        .outside = "<qemu:commandline><qemu:arg value='-m'/><memory>1</memory>"
                   "</qemu:commandline><e:name xmlns:e='e'>y</e:name>" });

    assert_string_equal(xml->name, "g");
    assert_string_equal(xml->emulator, "/usr/bin/qemu-system-x86_64");
    assert_int_equal(xml->memory, 64 << 20);
    assert_int_equal(xml->ram->len, 1);
}

static void
test_not_a_domain(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "domain",
        "<domain",
        "<domain/>",
        "<domains/>",
        "<domain xmlns='urn:x' type='kvm'/>",
        "<domain type='kvm'/><domain type='kvm'/>",
        "\xff\xfe<\0d\0",
        "<domain type='kvm'><name>\xff</name></domain>",
        "<domain type='kvm'>&undeclared;</domain>",
        "<domain type='kvm'><name>&#0;</name></domain>",
        "<?xml version='1.0' encoding='UTF-16'?><domain/>",
    };
    static const char nul[] = "<domain type='kvm'>\0</domain>";

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_text_refused(texts[i], strlen(texts[i]), "");
    assert_text_refused(nul, sizeof(nul) - 1, "UTF-8");
}

static void
test_truncated(void **state)
{
    g_autofree char *text = domain(
        (Parts){ .backing = "<memoryBacking><hugepages><page size='2048' unit='KiB' nodeset='1'/>"
                            "</hugepages><source type='file'/></memoryBacking>",
                 .numa = TWO_CELLS,
                 .devices = DIMM("dimm0", "0", "") VIRTIO_MEM });

    for (gsize length = 0; length < strlen(text); length++) {
        /* In its own allocation, so that a sanitizer sees a read beyond the end. */
        g_autofree char *part = g_memdup2(text, length);

        assert_text_refused(part != NULL ? part : "", length, "");
    }
}

static void
test_dtd(void **state)
{
    static const char laughs[] =
        "<!DOCTYPE domain [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
        "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>"
        "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;'>"
        "<!ENTITY g '&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;'><!ENTITY h '&g;&g;&g;&g;&g;&g;&g;&g;'>]>"
        "<domain type='kvm'><name>&h;</name><uuid>" UUID "</uuid><memory>1</memory></domain>";
    static const char file[] =
        "<!DOCTYPE domain [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>"
        "<domain type='kvm'><name>&f;</name><uuid>" UUID "</uuid><memory>1</memory></domain>";
    static const char plain[] = "<!DOCTYPE domain SYSTEM 'http://127.0.0.1/x.dtd'><domain/>";
    gint64 start = g_get_monotonic_time();

    assert_text_refused(laughs, strlen(laughs), "DTD");
    assert_text_refused(file, strlen(file), "DTD");
    assert_text_refused(plain, strlen(plain), "DTD");
    assert_true(g_get_monotonic_time() - start < G_USEC_PER_SEC);
}

/* A valid domain of exactly so many bytes. */
static char *
padded(gsize length)
{
    g_autofree char *filler = NULL;
    g_autofree char *bare = domain((Parts){ .outside = "<description></description>" });
    g_autofree char *outside = NULL;

    filler = g_strnfill(length - strlen(bare), 'x');
    outside = g_strconcat("<description>", filler, "</description>", NULL);
    return domain((Parts){ .outside = outside });
}

static void
test_size_limit(void **state)
{
    g_autofree char *largest = padded(FOLIO_DOMAIN_XML_MAX);
    g_autofree char *larger = padded(FOLIO_DOMAIN_XML_MAX + 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioDomainXml) xml = NULL;

    assert_int_equal(strlen(larger), FOLIO_DOMAIN_XML_MAX + 1);
    xml = folio_domain_xml_parse(largest, strlen(largest), &error);
    assert_no_error(error);
    assert_non_null(xml);
    assert_text_refused(larger, strlen(larger), "4194305 bytes");
}

static void
test_deep(void **state)
{
    GString *text = g_string_new("<domain type='kvm'>");

    for (guint i = 0; i < 300000; i++)
        g_string_append(text, "<a>");
    assert_text_refused(text->str, text->len, "");
    g_string_free(text, TRUE);
}

static void
test_many_devices(void **state)
{
    GString *devices = g_string_new(NULL);
    g_autoptr(FolioDomainXml) xml = NULL;
    gint64 start;

    for (guint i = 0; i < 10000; i++)
        g_string_append_printf(devices,
                               "<memory model='dimm'><target><size unit='KiB'>64</size>"
                               "<node>1</node></target><alias name='dimm%u'/></memory>"
                               "<hostdev mode='subsystem' type='pci' managed='yes'/>",
                               i);
    start = g_get_monotonic_time();
    xml = parse((Parts){ .numa = TWO_CELLS, .devices = devices->str });
    assert_true(g_get_monotonic_time() - start < 5 * G_USEC_PER_SEC);
    assert_int_equal(xml->ram->len, 10002);
    assert_int_equal(xml->n_vfio, 10000);
    assert_int_equal(((FolioRamSpec *) xml->ram->pdata[10001])->index, 9999);
    assert_string_equal(((FolioRamSpec *) xml->ram->pdata[10001])->alias, "dimm9999");
    g_string_free(devices, TRUE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_bad_sizes),
        cmocka_unit_test(test_bad_identity),
        cmocka_unit_test(test_backing_of_main),
        cmocka_unit_test(test_cells_and_devices),
        cmocka_unit_test(test_main_without_its_devices),
        cmocka_unit_test(test_backing_by_cell),
        cmocka_unit_test(test_backing_of_devices),
        cmocka_unit_test(test_cell_without_memory),
        cmocka_unit_test(test_bad_cells_and_devices),
        cmocka_unit_test(test_pinning_devices),
        cmocka_unit_test(test_foreign_elements),
        cmocka_unit_test(test_not_a_domain),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_dtd),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_many_devices),
    };

    return cmocka_run_group_tests_name("domain-xml", tests, NULL, NULL);
}
