/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The best few of many blocks. A heap with the worst of them on top: score and block are one
 * number, so that no two are equal. */
#include "policy/best.h"

FolioBest *
folio_best_new(guint max)
{
    FolioBest *best = g_new0(FolioBest, 1);

    best->max = max;
    best->keys = g_array_new(FALSE, FALSE, sizeof(guint64));
    return best;
}

void
folio_best_free(FolioBest *best)
{
    g_array_unref(best->keys);
    g_free(best);
}

static guint64 *
keys_of(FolioBest *best)
{
    return (guint64 *) (gpointer) best->keys->data;
}

/* The last one goes up to its place. */
static void
sift_up(FolioBest *best)
{
    guint64 *keys = keys_of(best);
    guint at = best->keys->len - 1;
    const guint64 key = keys[at];

    while (at > 0 && keys[(at - 1) / 2] > key) {
        keys[at] = keys[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    keys[at] = key;
}

/* key takes the place of the first one and goes down to its own. */
static void
replace_worst(FolioBest *best, guint64 key)
{
    guint64 *keys = keys_of(best);
    const gsize n = best->keys->len;
    gsize at = 0;

    for (gsize child = 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && keys[child + 1] < keys[child])
            child++;
        if (keys[child] > key)
            break;
        keys[at] = keys[child];
        at = child;
    }
    keys[at] = key;
}

void
folio_best_offer(FolioBest *best, guint32 score, guint32 block)
{
    const guint64 key = (guint64) score << 32 | (G_MAXUINT32 - block);

    if (best->keys->len < best->max) {
        g_array_append_val(best->keys, key);
        sift_up(best);
    } else if (best->max > 0 && key > keys_of(best)[0]) {
        replace_worst(best, key);
    }
}

static int
compare_descending(gconstpointer a, gconstpointer b)
{
    const guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

    return x < y ? 1 : -1;
}

GArray *
folio_best_list(FolioBest *best)
{
    GArray *blocks = g_array_new(FALSE, FALSE, sizeof(guint32));

    g_array_sort(best->keys, compare_descending);
    for (guint i = 0; i < best->keys->len; i++) {
        const guint32 block = G_MAXUINT32 - (guint32) keys_of(best)[i];

        g_array_append_val(blocks, block);
    }
    return blocks;
}
