/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that checks its memory. */
#include "checker.h"

#include "unit/cmocka-all.h"

#include <string.h>

/* A first sector that checks memory: it fills 64 KiB with a pattern that is new in each pass, reads
 * them again, and says so on the serial port, "." when all was right and "E" otherwise, whenever
 * the BIOS has counted another tick of the timer, 18 a second: so QEMU's timers are checked too.
 *
 *          sti; cld
 *          xor ax, ax; mov ds, ax; xor bx, bx; xor bp, bp
 *    pass: inc bx
 *          mov ax, 0x2000; mov es, ax
 *          xor di, di; mov cx, 0x8000
 *    fill: mov ax, di; xor ax, bx; stosw; loop fill
 *          mov cx, 0x8000
 *   check: mov ax, di; xor ax, bx; scasw; jne wrong; loop check
 *          mov ax, [0x46c]; cmp ax, bp; je pass; mov bp, ax
 *          mov al, '.'; jmp say
 *   wrong: mov al, 'E'
 *     say: mov dx, 0x3f8; out dx, al; jmp pass
 */
static const guchar checker[] = {
    0xfb, 0xfc, 0x31, 0xc0, 0x8e, 0xd8, 0x31, 0xdb, 0x31, 0xed, 0x43, 0xb8, 0x00, 0x20, 0x8e, 0xc0,
    0x31, 0xff, 0xb9, 0x00, 0x80, 0x89, 0xf8, 0x31, 0xd8, 0xab, 0xe2, 0xf9, 0xb9, 0x00, 0x80, 0x89,
    0xf8, 0x31, 0xd8, 0xaf, 0x75, 0x0f, 0xe2, 0xf7, 0xa1, 0x6c, 0x04, 0x39, 0xe8, 0x74, 0xdb, 0x89,
    0xc5, 0xb0, 0x2e, 0xeb, 0x02, 0xb0, 0x45, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0xcd,
};

#define SECTOR_BYTES 512

char *
checker_make(const char *directory, char **console)
{
    g_autofree char *disk = g_build_filename(directory, "checker.img", NULL);
    guchar sector[SECTOR_BYTES] = { 0 };

    memcpy(sector, checker, sizeof checker);
    sector[SECTOR_BYTES - 2] = 0x55;
    sector[SECTOR_BYTES - 1] = 0xaa;
    assert_true(g_file_set_contents(disk, (char *) sector, SECTOR_BYTES, NULL));
    *console = g_build_filename(directory, "checker.console", NULL);
    return g_strdup_printf("<disk type='file'><source file='%s'/><target dev='hda'/></disk>"
                           "<serial type='file'><source path='%s' append='on'/></serial>",
                           disk, *console);
}

static gsize
read_console(const char *console, gboolean *wrong)
{
    g_autofree char *text = NULL;
    gsize length = 0;

    assert_true(g_file_get_contents(console, &text, &length, NULL));
    *wrong = memchr(text, 'E', length) != NULL;
    return length;
}

gsize
checker_bytes(const char *console)
{
    gboolean wrong;
    const gsize length = read_console(console, &wrong);

    if (wrong)
        fail_msg("the guest found wrong memory");
    return length;
}

gsize
checker_ticks(const char *console)
{
    gboolean wrong;

    return read_console(console, &wrong);
}
