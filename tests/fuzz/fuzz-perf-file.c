/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes through perf-file, and the traces that it finds through spe-decoder. */
#include "fuzz.h"
#include "sample/perf-file.h"
#include "sample/spe-decoder.h"

static void
check_buffer(const FolioPerfFile *file, const FolioPerfBuffer *buffer)
{
    FolioSpeDecoder decoder = { .position = buffer->position };
    FolioSpeRecord out[16];
    const guint8 *data;
    gsize size, used = 0, consumed, n;

    data = g_bytes_get_data(file->bytes, &size);
    g_assert_true(buffer->data >= data && buffer->data <= data + size);
    g_assert_cmpuint(buffer->size, <=, size - (gsize) (buffer->data - data));
    g_assert_cmpuint(buffer->size, >, 0);
    do {
        n = folio_spe_decode(&decoder, buffer->data + used, buffer->size - used, out,
                             G_N_ELEMENTS(out), &consumed);
        used += consumed;
    } while (n == G_N_ELEMENTS(out));
    g_assert_cmpuint(used + decoder.tail, ==, buffer->size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) bytes = g_bytes_new_take(g_memdup2(data, size), size);
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioPerfFile) file = folio_perf_file_parse(bytes, "fuzz", &error);

    g_assert_true((file == NULL) == (error != NULL));
    if (file == NULL)
        return 0;
    for (guint i = 0; i < file->buffers->len; i++)
        check_buffer(file, &g_array_index(file->buffers, FolioPerfBuffer, i));
    folio_perf_file_pid(file, 1);
    if (file->clock.known)
        folio_perf_clock_time(&file->clock, G_MAXUINT64);
    return 0;
}
