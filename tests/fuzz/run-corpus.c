/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target on every file of a directory: what fuzzing has found stays found, with any
 * compiler. */
#include "fuzz.h"

#include <glib.h>

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) directory = argc == 2 ? g_dir_open(argv[1], 0, &error) : NULL;
    const char *name;
    guint files = 0;

    if (directory == NULL)
        g_error("%s", error != NULL ? error->message : "usage: run-corpus DIRECTORY");
    while ((name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *path = g_build_filename(argv[1], name, NULL);
        g_autofree char *data = NULL;
        gsize size;

        if (!g_file_get_contents(path, &data, &size, &error))
            g_error("%s", error->message);
        LLVMFuzzerTestOneInput((const uint8_t *) data, size);
        files++;
    }
    g_print("%u files\n", files);
    return files > 0 ? 0 : 1;
}
