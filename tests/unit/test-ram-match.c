/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling which mappings are the guest's RAM, on maps as QEMU has them and on misleading ones. */
#include "base/error.h"
#include "cmocka-all.h"
#include "memory/ram-match.h"

#define MIB          G_GUINT64_CONSTANT(1048576)
#define MAX_EXPECTED 8
#define DIR          "/ram/libvirt/qemu/7-g/"

static char alias_dimm0[] = "dimm0";
static char alias_virtiomem0[] = "virtiomem0";
static char alias_of_user[] = "ua-my dimm";

/* clang-format off */
#define SPEC(kind_, backing_, index_, mib_, alias_) \
    { .kind = FOLIO_RAM_##kind_, .backing = FOLIO_BACKING_##backing_, .index = (index_), .bytes = (mib_) * MIB, .alias = (alias_) }
#define MAIN(backing_, mib_) SPEC(MAIN, backing_, 0, mib_, NULL)
#define CELL(backing_, index_, mib_) SPEC(CELL, backing_, index_, mib_, NULL)
#define DIMM(backing_, index_, mib_, alias_) SPEC(DIMM, backing_, index_, mib_, alias_)
#define VMEM(backing_, index_, mib_, alias_) SPEC(VIRTIO_MEM, backing_, index_, mib_, alias_)
/* clang-format on */

typedef struct {
    const char *maps;
    FolioRamSpec specs[MAX_EXPECTED];
    guint n_specs;
    guint64 expected[MAX_EXPECTED]; /* HVA of each */
    guint births[MAX_EXPECTED];     /* of the memfds by address; 0: unknown */
    FolioReason reason;
    const char *in_message;
} Case;

static FolioMaps *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    FolioMaps *maps = folio_maps_parse(text, strlen(text), &error);

    assert_no_error(error);
    return maps;
}

static void
set_births(GArray *runs, const guint *births)
{
    for (guint i = 0; i < runs->len; i++) {
        FolioRamRun *run = &g_array_index(runs, FolioRamRun, i);

        if (run->backing != FOLIO_BACKING_MEMFD)
            continue;
        assert_true(run->born == FOLIO_RUN_BORN_UNKNOWN);
        if (*births != 0)
            run->born = *births;
        births++;
    }
}

static void
check(const Case *c)
{
    g_autoptr(FolioMaps) maps = parse(c->maps);
    g_autoptr(GArray) runs = folio_ram_runs(maps, c->specs, c->n_specs);
    g_autoptr(GError) error = NULL;
    FolioReason reason = FOLIO_REASON_NONE;
    guint run_of_spec[MAX_EXPECTED];
    gboolean matched;

    set_births(runs, c->births);
    matched = folio_ram_match(maps, runs, c->specs, c->n_specs, run_of_spec, &reason, &error);
    if (c->reason == FOLIO_REASON_NONE)
        assert_no_error(error);
    assert_int_equal(matched, c->reason == FOLIO_REASON_NONE);
    assert_int_equal(reason, c->reason);
    for (guint i = 0; matched && i < c->n_specs; i++) {
        const FolioRamRun *run = &g_array_index(runs, FolioRamRun, run_of_spec[i]);

        assert_int_equal(g_array_index(maps->vmas, FolioVma, run->first).start, c->expected[i]);
        assert_int_equal(run->bytes, c->specs[i].bytes);
    }
    if (!matched) {
        assert_non_null(error);
        if (strstr(error->message, c->in_message) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error->message, c->in_message);
        /* It is for callers who may not know what else the process maps. */
        assert_null(strchr(error->message, '/'));
        assert_null(strstr(error->message, "0x"));
    }
}

/* clang-format off */

/* What surrounds RAM in a QEMU: guards, translated code, arenas, stacks, the heap. */
#define OTHERS_LOW \
    "01000000-09000000 rw-p 00000000 00:00 0                 [heap]\n" \
    "10000000-14000000 rwxp 00000000 00:00 0\n" \
    "14000000-18000000 ---p 00000000 00:00 0\n" \
    "18000000-18021000 rw-p 00000000 00:00 0\n"
#define OTHERS_HIGH \
    "7f0000000000-7f0008000000 rwxp 00000000 00:00 0\n" \
    "7f0008000000-7f0010000000 r--p 00000000 fe:00 7       /usr/bin/qemu-system-x86_64\n" \
    "7f0010000000-7f0018000000 ---s 00000000 00:2b 99       /ram/pc.ram\n"

static void
test_files(void **state)
{
    static const Case cases[] = {
        { OTHERS_LOW "40000000-48000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n"
          "48000000-48001000 ---p 00000000 00:00 0\n" OTHERS_HIGH,
          { MAIN(FILE, 128) }, 1, { 0x40000000 } },
        /* madvise and mbind split it. */
        { "40000000-42000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n"
          "42000000-46000000 rw-s 02000000 00:2b 5 " DIR "pc.ram\n"
          "46000000-48000000 rw-s 06000000 00:2b 5 " DIR "pc.ram\n",
          { MAIN(FILE, 128) }, 1, { 0x40000000 } },
        /* A private mapping is RAM too. */
        { "40000000-48000000 rw-p 00000000 00:2b 5 " DIR "pc.ram\n",
          { MAIN(FILE, 128) }, 1, { 0x40000000 } },
        /* A name of its own, but the only one of that length. */
        { "40000000-48000000 rw-s 00000000 00:2b 5 /ram/mine\n",
          { MAIN(FILE, 128) }, 1, { 0x40000000 } },
        /* Two cells of one length and a DIMM, told apart by their names, in whatever order. */
        { "40000000-44000000 rw-s 00000000 00:2b 9 " DIR "ram-node1\n"
          "50000000-54000000 rw-s 00000000 00:2b 8 " DIR "ram-node0\n"
          "60000000-64000000 rw-s 00000000 00:2b 7 " DIR "dimm0\n"
          "70000000-74000000 rw-s 00000000 00:2b 6 " DIR "ua-my dimm\n",
          { CELL(FILE, 0, 64), CELL(FILE, 1, 64), DIMM(FILE, 0, 64, alias_dimm0), DIMM(FILE, 1, 64, alias_of_user) },
          4, { 0x50000000, 0x40000000, 0x60000000, 0x70000000 } },
        /* The ids that QEMU puts in names of its own making. */
        { "40000000-44000000 rw-s 00000000 00:2b 9 /huge/qemu_back_mem._objects_ram-node1.aXKD9j (deleted)\n"
          "50000000-54000000 rw-s 00000000 00:2b 8 /huge/qemu_back_mem.ram-node0.TSmHFG (deleted)\n"
          "60000000-64000000 rw-s 00000000 00:2b 7 /huge/qemu_back_mem.memdimm0.TSmHFG (deleted)\n"
          "70000000-74000000 rw-s 00000000 00:2b 6 /huge/qemu_back_mem.memvirtiomem0.TSmHFG (deleted)\n",
          { CELL(HUGETLB, 0, 64), CELL(HUGETLB, 1, 64), DIMM(HUGETLB, 0, 64, alias_dimm0), VMEM(HUGETLB, 0, 64, alias_virtiomem0) },
          4, { 0x50000000, 0x40000000, 0x60000000, 0x70000000 } },
        /* One bears its name; the other must be the one that is left. */
        { "40000000-44000000 rw-s 00000000 00:2b 9 /ram/odd\n"
          "50000000-54000000 rw-s 00000000 00:2b 8 " DIR "ram-node1\n",
          { CELL(FILE, 0, 64), CELL(FILE, 1, 64) }, 2, { 0x40000000, 0x50000000 } },
        /* Shared memory of another device has the same length, not the same name. */
        { "40000000-48000000 rw-s 00000000 00:2b 5 /dev/shm/ivshmem\n"
          "50000000-58000000 rw-s 00000000 00:2b 6 " DIR "mach-virt.ram\n",
          { MAIN(FILE, 128) }, 1, { 0x50000000 } },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        check(&cases[i]);
}

static void
test_files_refused(void **state)
{
    static const Case cases[] = {
        { OTHERS_LOW OTHERS_HIGH, { MAIN(FILE, 128) }, 1,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "ram: looked for 1 file mapping of 134217728 bytes, found 0" },
        /* Of another length. */
        { "40000000-47fff000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n", { MAIN(FILE, 128) }, 1,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "found 0" },
        { "", { MAIN(FILE, 128) }, 1,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "found 0" },
        /* One file, mapped twice. */
        { "40000000-48000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n"
          "50000000-58000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n", { MAIN(FILE, 128) }, 1,
          .reason = FOLIO_REASON_RAM_AMBIGUOUS, .in_message = "found 2" },
        /* Two that have names of their own. */
        { "40000000-48000000 rw-s 00000000 00:2b 5 /ram/a\n"
          "50000000-58000000 rw-s 00000000 00:2b 6 /ram/b\n", { MAIN(FILE, 128) }, 1,
          .reason = FOLIO_REASON_RAM_AMBIGUOUS, .in_message = "found 2" },
        { "40000000-44000000 rw-s 00000000 00:2b 5 /ram/a\n"
          "50000000-54000000 rw-s 00000000 00:2b 6 /ram/b\n", { CELL(FILE, 0, 64), CELL(FILE, 1, 64) }, 2,
          .reason = FOLIO_REASON_RAM_AMBIGUOUS, .in_message = "looked for 2 file mappings" },
        /* Adjacent, but not one mapping: a gap, offsets that do not continue, two files, two ways of sharing. */
        { "40000000-44000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n"
          "44001000-48001000 rw-s 04000000 00:2b 5 " DIR "pc.ram\n", { MAIN(FILE, 128) }, 1,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "found 0" },
        { "40000000-44000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n"
          "44000000-48000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n", { MAIN(FILE, 128) }, 1,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "found 0" },
        { "40000000-44000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n"
          "44000000-48000000 rw-s 04000000 00:2b 6 " DIR "pc.ram\n", { MAIN(FILE, 128) }, 1,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "found 0" },
        { "40000000-44000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n"
          "44000000-48000000 rw-p 04000000 00:2b 5 " DIR "pc.ram\n", { MAIN(FILE, 128) }, 1,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "found 0" },
        /* What libvirt calls a memfd or anonymous is no file. */
        { "40000000-48000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n", { MAIN(MEMFD, 128) }, 1,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "memfd" },
        { "40000000-48000000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n", { MAIN(ANONYMOUS, 128) }, 1,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "anonymous" },
        /* One of two. */
        { "50000000-54000000 rw-s 00000000 00:2b 8 " DIR "ram-node1\n", { CELL(FILE, 0, 64), CELL(FILE, 1, 64) }, 2,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "cell0: looked for 1" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        check(&cases[i]);
}

static void
test_largest(void **state)
{
    static const struct {
        const char *maps;
        const char *text;
    } cases[] = {
        { "", "none" },
        { "10000000-14000000 r-xp 00000000 00:00 0\n", "none" },
        { "40000000-47fff000 rw-s 00000000 00:2b 5 " DIR "pc.ram\n",
          "134213632 bytes of " DIR "pc.ram" },
        /* By length, four of them, anything else left out; foreign names escaped. */
        { "10000000-10001000 rw-p 00000000 00:00 0\n"
          "20000000-20003000 rw-s 00000000 00:2b 8 /ram/a\\012b\xff\n"
          "30000000-30002000 rw-p 00000000 00:00 0\n"
          "40000000-40005000 rw-s 00000000 00:2b 5 /ram/b\n"
          "50000000-50004000 rw-s 00000000 00:2b 6 /ram/c\n" OTHERS_HIGH,
          "20480 bytes of /ram/b, 16384 bytes of /ram/c, 12288 bytes of /ram/a\\x0ab\\xff, "
          "8192 bytes of anonymous memory" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(FolioMaps) maps = parse(cases[i].maps);
        g_autofree char *text = folio_ram_describe_largest(maps);

        assert_string_equal(text, cases[i].text);
    }
}

#define MEMFD_AT(range_, inode_) range_ " rw-s 00000000 00:01 " inode_ "   /memfd:memory-backend-memfd (deleted)\n"

static void
test_memfds(void **state)
{
    static const Case cases[] = {
        { MEMFD_AT("40000000-48000000", "9"), { MAIN(MEMFD, 128) }, 1, { 0x40000000 } },
        /* By the order in which they were made, whatever inodes and addresses say. */
        { MEMFD_AT("40000000-44000000", "46") MEMFD_AT("50000000-54000000", "1047") MEMFD_AT("60000000-64000000", "47"),
          { CELL(MEMFD, 0, 64), CELL(MEMFD, 1, 64), DIMM(MEMFD, 0, 64, alias_dimm0) }, 3,
          { 0x50000000, 0x60000000, 0x40000000 }, { 3, 1, 2 } },
        /* Only equal lengths need an order. */
        { MEMFD_AT("40000000-44000000", "46") MEMFD_AT("50000000-58000000", "47"),
          { CELL(MEMFD, 0, 128), CELL(MEMFD, 1, 64) }, 2, { 0x50000000, 0x40000000 } },
        { MEMFD_AT("40000000-44000000", "46") MEMFD_AT("50000000-54000000", "47"),
          { CELL(MEMFD, 0, 64), CELL(MEMFD, 1, 64) }, 2, .births = { 1, 1 },
          .reason = FOLIO_REASON_RAM_AMBIGUOUS, .in_message = "looked for 2 memfd mappings" },
        { MEMFD_AT("40000000-44000000", "46") MEMFD_AT("50000000-54000000", "47"),
          { CELL(MEMFD, 0, 64), CELL(MEMFD, 1, 64) }, 2, .births = { 1, 0 },
          .reason = FOLIO_REASON_RAM_AMBIGUOUS, .in_message = "found 2" },
        { MEMFD_AT("40000000-44000000", "46") MEMFD_AT("50000000-54000000", "47") MEMFD_AT("60000000-64000000", "48"),
          { CELL(MEMFD, 0, 64), CELL(MEMFD, 1, 64) }, 2, .births = { 1, 2, 3 },
          .reason = FOLIO_REASON_RAM_AMBIGUOUS, .in_message = "found 3" },
        { MEMFD_AT("40000000-44000000", "46"),
          { CELL(MEMFD, 0, 64), CELL(MEMFD, 1, 64) }, 2, .births = { 1 },
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "found 1" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        check(&cases[i]);
}

static void
test_anonymous(void **state)
{
    static const Case cases[] = {
        { OTHERS_LOW "40000000-48000000 rw-p 00000000 00:00 0 \n48000000-48001000 ---p 00000000 00:00 0\n" OTHERS_HIGH,
          { MAIN(ANONYMOUS, 128) }, 1, { 0x40000000 } },
        /* Split, and with a stack on one side and an arena on the other. */
        { "3f800000-40000000 rw-p 00000000 00:00 0 \n"
          "40000000-42000000 rw-p 00000000 00:00 0 \n"
          "42000000-48000000 rw-p 00000000 00:00 0 \n"
          "48000000-48021000 rw-p 00000000 00:00 0 \n", { MAIN(ANONYMOUS, 128) }, 1, { 0x40000000 } },
        /* From the top down. */
        { "40000000-44000000 rw-p 00000000 00:00 0 \n"
          "50000000-54000000 rw-p 00000000 00:00 0 \n"
          "60000000-68000000 rw-p 00000000 00:00 0 \n",
          { CELL(ANONYMOUS, 0, 64), CELL(ANONYMOUS, 1, 64), DIMM(ANONYMOUS, 0, 128, alias_dimm0) }, 3,
          { 0x50000000, 0x40000000, 0x60000000 } },
        /* The guard before it is no part of it. */
        { "3ffff000-40000000 ---p 00000000 00:00 0 \n"
          "40000000-48000000 rw-p 00000000 00:00 0 \n", { MAIN(ANONYMOUS, 128) }, 1, { 0x40000000 } },
        { "40000000-48000000 rw-p 00000000 00:00 0                 [anon:glibc: malloc]\n", { MAIN(ANONYMOUS, 128) }, 1,
          .reason = FOLIO_REASON_RAM_NOT_FOUND, .in_message = "found 0" },
        { "40000000-48000000 rw-p 00000000 00:00 0 \n"
          "50000000-58000000 rw-p 00000000 00:00 0 \n", { MAIN(ANONYMOUS, 128) }, 1,
          .reason = FOLIO_REASON_RAM_AMBIGUOUS, .in_message = "found 2" },
        /* Three parts of 64 MiB in a row, of which two make 128. */
        { "40000000-44000000 rw-p 00000000 00:00 0 \n"
          "44000000-48000000 rw-p 00000000 00:00 0 \n"
          "48000000-4c000000 rw-p 00000000 00:00 0 \n", { MAIN(ANONYMOUS, 128) }, 1,
          .reason = FOLIO_REASON_RAM_AMBIGUOUS, .in_message = "found 2" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        check(&cases[i]);
}
/* clang-format on */

/* A process full of mappings of just the right length costs little time. */
static void
test_flood(void **state)
{
    static const FolioBacking backings[] = { FOLIO_BACKING_ANONYMOUS, FOLIO_BACKING_FILE,
                                             FOLIO_BACKING_MEMFD };
    static const char *const paths[] = { "", "/x.ram", "/memfd:x (deleted)" };

    for (guint i = 0; i < G_N_ELEMENTS(backings); i++) {
        FolioRamSpec specs[64];
        guint run_of_spec[G_N_ELEMENTS(specs)];
        GString *text = g_string_new(NULL);
        g_autoptr(FolioMaps) maps = NULL;
        g_autoptr(GArray) runs = NULL;
        g_autoptr(GError) error = NULL;
        FolioReason reason = FOLIO_REASON_NONE;

        for (guint j = 0; j < G_N_ELEMENTS(specs); j++)
            specs[j] = (FolioRamSpec){ FOLIO_RAM_CELL, backings[i], j, MIB, NULL };
        for (guint64 j = 1; j <= 100000; j++)
            g_string_append_printf(
                text, "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x rw-p 00000000 00:00 %d %s\n",
                j * 2 * MIB, (j * 2 + 1) * MIB, i == 0 ? 0 : 1, paths[i]);
        maps = parse(text->str);
        g_string_free(text, TRUE);
        runs = folio_ram_runs(maps, specs, G_N_ELEMENTS(specs));
        assert_int_equal(runs->len, 4097);
        assert_false(
            folio_ram_match(maps, runs, specs, G_N_ELEMENTS(specs), run_of_spec, &reason, &error));
        assert_int_equal(reason, FOLIO_REASON_RAM_AMBIGUOUS);
    }
}

static void
test_ids(void **state)
{
    static const struct {
        FolioRamSpec spec;
        const char *id;
    } cases[] = {
        { { .kind = FOLIO_RAM_MAIN }, "ram" },
        { { .kind = FOLIO_RAM_CELL, .index = 3 }, "cell3" },
        { { .kind = FOLIO_RAM_DIMM, .index = 1 }, "dimm1" },
        { { .kind = FOLIO_RAM_VIRTIO_MEM, .index = 0 }, "virtiomem0" },
        { { .kind = FOLIO_RAM_DIMM, .index = 1, .alias = alias_of_user }, "ua-my dimm" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *id = folio_ram_spec_id(&cases[i].spec);

        assert_string_equal(id, cases[i].id);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),         cmocka_unit_test(test_largest),
        cmocka_unit_test(test_files_refused), cmocka_unit_test(test_memfds),
        cmocka_unit_test(test_anonymous),     cmocka_unit_test(test_flood),
        cmocka_unit_test(test_ids),
    };

    return cmocka_run_group_tests_name("ram-match", tests, NULL, NULL);
}
