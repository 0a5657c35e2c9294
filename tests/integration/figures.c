/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The figures of a guest, held against smaps. */
#include "integration/figures.h"

#include "integration/ctl-run.h"

#include <stdio.h>

/* "Rss:   1234 kB" adds to *sum. */
static void
add_line(const char *line, const char *key, guint64 *sum)
{
    gsize length = strlen(key);

    if (strncmp(line, key, length) == 0 && line[length] == ':')
        *sum += g_ascii_strtoull(line + length + 1, NULL, 10) * 1024;
}

static void
add_vma_line(const char *line, Figures *figures)
{
    add_line(line, "Size", &figures->size);
    add_line(line, "Rss", &figures->present);
    add_line(line, "AnonHugePages", &figures->huge);
    add_line(line, "ShmemPmdMapped", &figures->huge);
    add_line(line, "FilePmdMapped", &figures->huge);
    add_line(line, "Swap", &figures->swapped);
}

static void
sum_smaps(guint pid, guint64 start, guint64 end, const char *directory, Figures *figures)
{
    g_autofree char *path = g_strdup_printf("/proc/%u/smaps", pid);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    gboolean wanted = FALSE;

    *figures = (Figures){ 0 };
    g_file_get_contents(path, &text, NULL, &error);
    assert_no_error(error);
    lines = g_strsplit(text, "\n", -1);
    for (gsize i = 0; lines[i] != NULL; i++) {
        guint64 vma_start, vma_end;

        if (sscanf(lines[i], "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x ", &vma_start,
                   &vma_end) == 2)
            wanted = vma_start >= start && vma_end <= end &&
                     (directory == NULL || strstr(lines[i], directory) != NULL);
        else if (wanted)
            add_vma_line(lines[i], figures);
    }
}

void
figures_of_range(guint pid, guint64 start, guint64 end, Figures *figures)
{
    sum_smaps(pid, start, end, NULL, figures);
}

void
figures_of_files(guint pid, const char *directory, Figures *figures)
{
    sum_smaps(pid, 0, G_MAXUINT64, directory, figures);
}

static void
add_figures(Figures *sum, const Figures *more)
{
    sum->size += more->size;
    sum->present += more->present;
    sum->huge += more->huge;
    sum->swapped += more->swapped;
}

static guint64
number_of(GVariant *block, const char *key)
{
    guint64 value;

    assert_true(g_variant_lookup(block, key, "t", &value));
    return value;
}

/* Each block is what smaps says; gives their sum. */
static void
check_blocks(const Daemon *daemon, const char *path, guint pid, const char *scan, Figures *total)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = daemon_call(daemon, path, FOLIOD_GUEST, "ListRam", NULL, &error);
    g_autoptr(GVariantIter) iter = NULL;
    const char *scanned_by;
    GVariant *block;

    *total = (Figures){ 0 };
    assert_no_error(error);
    g_variant_get(reply, "(&saa{sv})", &scanned_by, &iter);
    assert_string_equal(scanned_by, scan);
    while ((block = g_variant_iter_next_value(iter)) != NULL) {
        guint64 hva = number_of(block, "hva");
        Figures kernel;

        figures_of_range(pid, hva, hva + number_of(block, "bytes"), &kernel);
        assert_int_equal(number_of(block, "bytes"), kernel.size);
        assert_int_equal(number_of(block, "present"), kernel.present);
        assert_int_equal(number_of(block, "huge-bytes"), kernel.huge);
        assert_int_equal(number_of(block, "swapped"), kernel.swapped);
        add_figures(total, &kernel);
        g_variant_unref(block);
    }
}

static void
check_properties(const Daemon *daemon, const char *path, const Figures *figures)
{
    assert_int_equal(daemon_guest_bytes(daemon, path, "RamBytes"), figures->size);
    assert_int_equal(daemon_guest_bytes(daemon, path, "PresentBytes"), figures->present);
    assert_int_equal(daemon_guest_bytes(daemon, path, "HugeBytes"), figures->huge);
    assert_int_equal(daemon_guest_bytes(daemon, path, "SwappedBytes"), figures->swapped);
}

static void
check_folioctl(const char *name, const Figures *figures, const char *scan)
{
    g_autoptr(JsonParser) parser = ctl_json((const char *[]){ "--json", "show", name, NULL });
    JsonObject *root = ctl_root(parser);
    JsonObject *guest = json_object_get_object_member(root, "guest");
    JsonArray *blocks = json_object_get_array_member(root, "ram");
    guint64 present = 0, huge = 0;

    assert_string_equal(json_object_get_string_member(guest, "name"), name);
    assert_string_equal(json_object_get_string_member(root, "scan"), scan);
    assert_int_equal(json_object_get_int_member(guest, "ram_bytes"), figures->size);
    assert_int_equal(json_object_get_int_member(guest, "present_bytes"), figures->present);
    assert_int_equal(json_object_get_int_member(guest, "huge_bytes"), figures->huge);
    assert_int_equal(json_object_get_int_member(guest, "swapped_bytes"), figures->swapped);
    for (guint i = 0; i < json_array_get_length(blocks); i++) {
        JsonObject *block = json_array_get_object_element(blocks, i);

        present += (guint64) json_object_get_int_member(block, "present");
        huge += (guint64) json_object_get_int_member(block, "huge_bytes");
    }
    assert_int_equal(present, figures->present);
    assert_int_equal(huge, figures->huge);
}

void
figures_check(const Daemon *daemon, const char *path, const char *scan, Figures *total)
{
    g_autofree char *name = daemon_guest_text(daemon, path, "Name");
    g_autoptr(GVariant) suspended = daemon_get(daemon, path, FOLIOD_GUEST, "Suspended");
    g_autoptr(GVariant) pid = daemon_get(daemon, path, FOLIOD_GUEST, "Pid");

    assert_true(g_variant_get_boolean(suspended));
    /* What foliod measured last may be a second old, and the guest still ran then. */
    g_usleep(G_USEC_PER_SEC + G_USEC_PER_SEC / 10);
    check_blocks(daemon, path, g_variant_get_uint32(pid), scan, total);
    check_properties(daemon, path, total);
    check_folioctl(name, total, scan);
}
