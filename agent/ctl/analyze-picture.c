/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl analyze --svg: the picture into a file that only its owner may read, since access
 * patterns tell what a guest does. */
#include "ctl/analyze.h"

#include "base/error.h"
#include "report/heatmap-rows.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

/* "1 in 4096 operations sampled; 134380 samples in 24 blocks: 8 sparse, 16 dense; ..." */
static char *
describe_samples(const FolioPerfFile *perf, const FolioAnalysis *analysis)
{
    guint counts[4] = { 0 };
    g_autofree char *period =
        perf->period > 0
            ? g_strdup_printf("1 in %" G_GUINT64_FORMAT " operations sampled", perf->period)
            : g_strdup("sampling period unknown");

    for (guint i = 0; i < analysis->blocks->len; i++)
        counts[g_array_index(analysis->blocks, FolioAnalysisBlock, i).verdict]++;
    return g_strdup_printf(
        "%s; %" G_GUINT64_FORMAT " samples in %u blocks: %u sparse, %u dense, %u undecided; guest "
        "samples: %s",
        period, analysis->samples - analysis->elsewhere - analysis->beyond, analysis->blocks->len,
        counts[FOLIO_VERDICT_SPARSE], counts[FOLIO_VERDICT_DENSE], counts[FOLIO_VERDICT_UNDECIDED],
        analysis->guest_records > 0 ? "yes" : "host side only");
}

static char *
describe_rows(const FolioAnalysis *analysis, const GArray *rows)
{
    g_autofree char *windows = folio_describe_windows(analysis);
    guint blocks = rows->len > 0 ? g_array_index(rows, FolioHeatmapRow, 0).blocks : 1;

    if (blocks == 1)
        return g_strdup_printf("windows: %s; a row is a block", windows);
    return g_strdup_printf("windows: %s; a row stands for %u blocks: samples of all of them, "
                           "verdicts by share",
                           windows, blocks);
}

static char *
draw(FolioCapture *capture, const FolioAnalysis *analysis)
{
    g_autoptr(GArray) rows = folio_heatmap_rows(analysis, &capture->walk, FOLIO_HEATMAP_MAX_ROWS);
    g_autofree char *name = g_path_get_basename(capture->perf->name);
    g_autofree char *valid = g_utf8_make_valid(name, -1);
    g_autofree char *title = g_strdup_printf("Sampled accesses by 2 MiB block: %s", valid);
    g_autofree char *samples = describe_samples(capture->perf, analysis);
    g_autofree char *note = describe_rows(analysis, rows);
    const FolioHeatmap heatmap = {
        .title = title,
        .subtitle = samples,
        .note = note,
        .confirmed = analysis->confirmed,
        .rows = (const FolioHeatmapRow *) (gconstpointer) rows->data,
        .n_rows = rows->len,
    };

    return folio_heatmap_svg(&heatmap);
}

static gboolean
write_all(int fd, const char *text)
{
    gsize left = strlen(text);

    while (left > 0) {
        ssize_t written = write(fd, text, left);

        if (written < 0 && errno != EINTR)
            return FALSE;
        text += MAX(written, 0);
        left -= (gsize) MAX(written, 0);
    }
    return TRUE;
}

gboolean
folio_analyze_write_picture(const FolioInvocation *invocation, FolioCapture *capture,
                            const FolioAnalysis *analysis, GError **error)
{
    const char *path = invocation->analyze->svg;
    g_autofree char *svg = draw(capture, analysis);
    int fd, saved_errno;

    /* A new file: that of somebody else could be open elsewhere, or readable by others. */
    if (invocation->analyze->force)
        g_unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        folio_set_error_errno(error, errno, "%s%s", path,
                              errno == EEXIST ? " (--force replaces it)" : "");
        return FALSE;
    }
    saved_errno = write_all(fd, svg) ? 0 : errno;
    if (close(fd) != 0 && saved_errno == 0)
        saved_errno = errno;
    if (saved_errno == 0)
        return TRUE;
    folio_set_error_errno(error, saved_errno, "%s", path);
    g_unlink(path);
    return FALSE;
}
