/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recordings and runs for tests of folioctl analyze. */
#include "analyze-run.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

void
result_clear(Result *result)
{
    g_clear_pointer(&result->out, g_free);
    g_clear_pointer(&result->err, g_free);
}

void
run_analyze(Result *result, const char *file, ...)
{
    g_autofree char *program =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "ctl", "folioctl", NULL);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    va_list words;
    char *word;
    gint status;

    g_ptr_array_add(argv, program);
    g_ptr_array_add(argv, (char *) "analyze");
    g_ptr_array_add(argv, (char *) file);
    va_start(words, file);
    do {
        word = va_arg(words, char *);
        g_ptr_array_add(argv, word);
    } while (word != NULL);
    va_end(words);
    result_clear(result);
    g_spawn_sync(NULL, (char **) argv->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL, &result->out,
                 &result->err, &status, &error);
    assert_no_error(error);
    if (!WIFEXITED(status))
        fail_msg("folioctl died of signal %d: %s", WTERMSIG(status), result->err);
    result->status = WEXITSTATUS(status);
}

void
assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

PerfWriter *
recording_begin(void)
{
    PerfWriter *writer = perf_writer_new(2, 2);

    perf_writer_time_conv(writer, 10, NS_A_TICK << 10, 0);
    return writer;
}

void
trace_begin(Trace *trace)
{
    *trace = (Trace){ g_byte_array_new(), g_rand_new_with_seed(1), FIRST_TICK };
}

static void
put(SpeSample *sample, FolioSpeField field, guint64 payload)
{
    sample->payload[field] = payload;
    sample->present |= 1u << field;
}

void
trace_access(Trace *trace, guint64 address)
{
    const SpeLayout layout = { SPE_ORDER_KUNPENG, 4, 0, FALSE };
    SpeSample sample = { .operation_class = 1, .events_bytes = 2 };

    put(&sample, FOLIO_SPE_PC, 0x4000);
    put(&sample, FOLIO_SPE_OPERATION, 0);
    put(&sample, FOLIO_SPE_PA, address);
    put(&sample, FOLIO_SPE_TIMESTAMP, trace->tick);
    trace->tick += 100;
    spe_encode(trace->bytes, &sample, &layout, trace->random);
}

void
trace_end(Trace *trace, PerfWriter *writer)
{
    perf_writer_auxtrace(writer, 0, -1, 0, 0, trace->bytes->data, trace->bytes->len);
    g_byte_array_unref(trace->bytes);
    g_rand_free(trace->random);
}

void
recording_save(PerfWriter *writer, const char *path)
{
    g_autoptr(GBytes) bytes = perf_writer_close(writer);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(path, g_bytes_get_data(bytes, NULL), (gssize) g_bytes_get_size(bytes),
                        &error);
    assert_no_error(error);
}

guint64
physical_address(pid_t pid, guint64 address)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/pagemap", pid);
    guint64 entry = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &entry, sizeof(entry), (off_t) (address / PAGE_BYTES * 8)),
                     sizeof(entry));
    close(fd);
    assert_true(entry >> 63);
    entry &= (G_GUINT64_CONSTANT(1) << 55) - 1;
    assert_true(entry != 0);
    return entry * PAGE_BYTES;
}
