/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod-qemu: what a guest names in <emulator> in place of QEMU. It is called by the name of a
 * QEMU, adds the 2 MiB alignment that QEMU does not give file-backed RAM, sets the THP prctl when
 * asked to, and becomes the QEMU of that name. */
#include "base/log.h"
#include "build-config.h"
#include "launch/align.h"
#include "launch/thp.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* As a shell says "not found" and "found, and cannot be executed". */
#define EXIT_NOT_FOUND   127
#define EXIT_CANNOT_EXEC 126
#define EXIT_USAGE       2

/* Where distributions and people put QEMU. Compiled in: who may set an environment must not choose
 * what runs with the rights of a guest's emulator. */
static const char *const directories[] = { "/usr/bin", "/usr/libexec", "/usr/local/bin", NULL };

#if defined(__aarch64__)
#define NATIVE_QEMU "qemu-system-aarch64"
#elif defined(__x86_64__)
#define NATIVE_QEMU "qemu-system-x86_64"
#else
#define NATIVE_QEMU ""
#endif

static gboolean
is_other_program(const char *path, const struct stat *self)
{
    struct stat found;

    /* By device and inode, so that a link back to this launcher does not make it call itself. */
    return stat(path, &found) == 0 && S_ISREG(found.st_mode) &&
           (found.st_dev != self->st_dev || found.st_ino != self->st_ino) &&
           faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

static char *
find_in_directories(const char *name, const struct stat *self)
{
    for (gsize i = 0; directories[i] != NULL; i++) {
        g_autofree char *path = g_build_filename(directories[i], name, NULL);

        if (is_other_program(path, self))
            return g_steal_pointer(&path);
    }
    return NULL;
}

/* The path of the real QEMU of that name, or NULL. */
static char *
find_qemu(const char *name)
{
    /* As the kernel was given it. Not /proc/self/exe: a profile of AppArmor may deny that. */
    const char *own_path = (const char *) (gpointer) getauxval(AT_EXECFN);
    struct stat self;
    char *path;

    /* Without knowing itself it could call itself for ever. */
    if (!g_str_has_prefix(name, "qemu-") || own_path == NULL || stat(own_path, &self) < 0)
        return NULL;
    path = find_in_directories(name, &self);
    /* Red Hat's distributions have the native QEMU under this name alone. */
    if (path == NULL && g_str_equal(name, NATIVE_QEMU))
        path = find_in_directories("qemu-kvm", &self);
    return path;
}

/* FolioOnTmpfs: asks the file, or the nearest directory above it that exists. */
static gboolean
on_tmpfs(const char *path, gpointer user_data)
{
    g_autofree char *existing = g_strdup(path);
    struct statfs fs;

    while (statfs(existing, &fs) < 0) {
        g_autofree char *parent = NULL;

        if (errno != ENOENT)
            return FALSE;
        parent = g_path_get_dirname(existing);
        if (g_str_equal(parent, existing))
            return FALSE;
        g_free(existing);
        existing = g_steal_pointer(&parent);
    }
    return fs.f_type == TMPFS_MAGIC;
}

static void
run_qemu(const char *path, const char *const *arguments)
{
    g_auto(GStrv) aligned = folio_align_arguments(arguments, on_tmpfs, NULL);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();

    /* QEMU's own path in argv[0]: its messages and ps then show what they always did. */
    g_ptr_array_add(argv, (gpointer) path);
    for (char **argument = aligned; *argument != NULL; argument++)
        g_ptr_array_add(argv, *argument);
    g_ptr_array_add(argv, NULL);
    unsetenv(FOLIO_LAUNCH_THP_VARIABLE);
    execv(path, (char **) argv->pdata);
    fprintf(stderr, "foliod-qemu: %s: %s\n", path, strerror(errno));
}

/* One line on standard error, which libvirt keeps in the guest's log. */
static void
complain(const char *message)
{
    g_autofree char *escaped = folio_escape(message);

    fprintf(stderr, "foliod-qemu: %s\n", escaped);
}

static int
complain_no_qemu(const char *name)
{
    g_autofree char *searched = g_strjoinv(", ", (char **) (gpointer) directories);
    g_autofree char *message = g_strdup_printf(
        "no QEMU of the name \"%s\" in %s; foliod-qemu " FOLIO_VERSION
        " is to be called by a link that has QEMU's name, such as qemu-system-x86_64",
        name, searched);

    complain(message);
    return EXIT_NOT_FOUND;
}

int
main(int argc, char **argv)
{
    const char *const *given = (const char *const *) argv + MIN(argc, 1);
    g_autofree char *name = g_path_get_basename(argc > 0 ? argv[0] : "");
    g_autofree char *path = find_qemu(name);
    g_auto(GStrv) arguments = NULL;
    g_autoptr(GError) error = NULL;
    FolioLaunchThp thp;

    if (path == NULL)
        return complain_no_qemu(name);
    arguments = folio_launch_take_thp(given, getenv(FOLIO_LAUNCH_THP_VARIABLE), &thp, &error);
    if (arguments == NULL) {
        complain(error->message);
        return EXIT_USAGE;
    }
    if (!folio_launch_apply_thp(thp, &error)) {
        g_autofree char *message = g_strconcat(error->message, "; QEMU starts without it", NULL);

        /* The guest matters more than the setting. */
        complain(message);
    }
    run_qemu(path, (const char *const *) arguments);
    return EXIT_CANNOT_EXEC;
}
