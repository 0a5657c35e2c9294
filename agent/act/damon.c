/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way "damon". */
#include "act/damon.h"

#include "act/damon-pool.h"
#include "act/damon-trace.h"
#include "base/error.h"
#include "base/log.h"

/* How often what a pass has left out is tried. */
#define MAX_PASSES 3

/* Of one pass. Under emulation 1,000 blocks take some seconds. */
#define MAX_PASS_SEC 120

typedef struct {
    FolioWay way;
    FolioDamonPool *pool;
    FolioDamonTrace *trace;
    GMutex lock;
    gboolean known; /* what the kernel has, which is as it is until the next boot */
    FolioDamonFeatures features;
} DamonWay;

/* FALSE with an error when the kernel has not told it. */
static gboolean
get_features(DamonWay *way, const FolioDamonSlot *slot, FolioDamonFeatures *features,
             GError **error)
{
    gboolean known;

    g_mutex_lock(&way->lock);
    if (!way->known && folio_damon_read_features(slot, &way->features, error))
        way->known = TRUE;
    known = way->known;
    *features = way->features;
    g_mutex_unlock(&way->lock);
    return known;
}

/* As get_features, for when no run is: changes nothing, in the end. */
static gboolean
find_features(DamonWay *way, FolioDamonFeatures *features, GError **error)
{
    const gboolean was_taken = folio_damon_pool_is_taken(way->pool);
    FolioDamonSlot slot;
    gboolean known;

    g_mutex_lock(&way->lock);
    known = way->known;
    *features = way->features;
    g_mutex_unlock(&way->lock);
    if (known)
        return TRUE;
    if (!folio_damon_pool_acquire(way->pool, &slot, NULL, error))
        return FALSE;
    known = get_features(way, &slot, features, error);
    folio_damon_pool_release(way->pool, &slot);
    if (!was_taken)
        folio_damon_pool_close(way->pool);
    return known;
}

/* Why it cannot be done, NULL when it can; to be freed. Without a target_order, folios of 2 MiB are
 * the only ones whose size is known beforehand. */
static char *
why_not(const FolioDamonFeatures *features, FolioActKind kind, guint order)
{
    const gboolean split = kind == FOLIO_ACT_SPLIT;

    if (!features->fvaddr)
        return g_strdup("this kernel's DAMON has no operations fvaddr");
    if (split ? !features->split : !features->collapse)
        return g_strdup_printf("this kernel's DAMON has no action %s", folio_act_kind_token(kind));
    if (split && !features->target_order)
        return g_strdup("this kernel's DAMON splits to no given order");
    if (split ? order >= FOLIO_ORDER_HUGE : order != FOLIO_ORDER_HUGE)
        return g_strdup_printf("DAMON does not %s to order %u", folio_act_kind_token(kind), order);
    return NULL;
}

static gboolean
damon_probe(FolioWay *base, FolioActKind kind, guint order, char **reason)
{
    DamonWay *way = (DamonWay *) base;
    g_autoptr(GError) error = NULL;
    FolioDamonFeatures features;

    *reason = folio_damon_pool_find_others(way->pool);
    if (*reason == NULL) {
        if (find_features(way, &features, &error))
            *reason = why_not(&features, kind, order);
        else if (g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND))
            *reason = g_strdup_printf("this kernel has no DAMON (%s)", error->message);
        else
            *reason = g_strdup(error->message);
    }
    return *reason == NULL;
}

static gboolean
check_alive(const FolioChunk *chunk, GError **error)
{
    if (folio_process_is_alive(chunk->process))
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "the process %d has ended",
                (int) folio_process_get_pid(chunk->process));
    return FALSE;
}

/* The kernel takes the process that has the PID when the kdamond is turned on: that it was the
 * right one is certain if it is alive afterwards. */
static gboolean
turn_on(const FolioDamonSlot *slot, const FolioChunk *chunk, GCancellable *cancellable,
        GError **error)
{
    return check_alive(chunk, error) && folio_damon_turn_on(slot, cancellable, error) &&
           check_alive(chunk, error);
}

static gboolean
pass_once(DamonWay *way, const FolioDamonSlot *slot, FolioChunk *chunk, FolioDamonStats *stats,
          GCancellable *cancellable, GError **error)
{
    const FolioDamonFeatures *features = &way->features;
    const FolioDamonRun run = {
        .pid = folio_process_get_pid(chunk->process),
        .action = folio_act_kind_token(chunk->kind),
        .order = chunk->order,
        .ranges = chunk->ranges,
        .n_ranges = chunk->n_ranges,
    };
    pid_t kdamond;

    if (!folio_damon_configure(slot, features, &run, cancellable, error) ||
        !turn_on(slot, chunk, cancellable, error))
        return FALSE;
    kdamond = folio_damon_read_pid(slot);
    if (!folio_damon_wait(slot, features, MAX_PASS_SEC, stats, cancellable, error))
        return FALSE;
    folio_damon_trace_read(way->trace, kdamond, chunk);
    /* The kernel counts memory of a process that has ended as tried. */
    return check_alive(chunk, error);
}

static guint64
count_bytes(const FolioChunk *chunk)
{
    guint64 bytes = 0;

    for (guint i = 0; i < chunk->n_ranges; i++)
        bytes += chunk->ranges[i].bytes;
    return bytes;
}

/* Memory that is in use just then may be left out of a pass; what is left out of all of them stays
 * as it is, which the caller sees. */
static gboolean
pass_until_all(DamonWay *way, const FolioDamonSlot *slot, FolioChunk *chunk,
               GCancellable *cancellable, GError **error)
{
    const guint64 bytes = count_bytes(chunk);
    FolioDamonStats stats = { 0 };

    for (guint i = 0; i < MAX_PASSES && stats.sz_tried < bytes; i++) {
        if (!pass_once(way, slot, chunk, &stats, cancellable, error) ||
            !folio_damon_clear(slot, error))
            return FALSE;
    }
    if (stats.sz_tried < bytes)
        folio_debug("DAMON tried %" G_GUINT64_FORMAT " bytes of %" G_GUINT64_FORMAT, stats.sz_tried,
                    bytes);
    return TRUE;
}

static gboolean
apply_in(DamonWay *way, const FolioDamonSlot *slot, FolioChunk *chunk, GCancellable *cancellable,
         GError **error)
{
    FolioDamonFeatures features;
    g_autofree char *reason = NULL;
    gboolean applied;

    if (!get_features(way, slot, &features, error))
        return FALSE;
    reason = why_not(&features, chunk->kind, chunk->order);
    if (reason != NULL) {
        g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED, reason);
        return FALSE;
    }
    folio_damon_trace_begin(way->trace);
    applied = pass_until_all(way, slot, chunk, cancellable, error);
    folio_damon_trace_end(way->trace);
    return applied;
}

/* Whatever failed, it did because of that. */
static void
explain_end(const FolioChunk *chunk, GError **error)
{
    if (g_error_matches(*error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
        folio_process_is_alive(chunk->process))
        return;
    g_clear_error(error);
    check_alive(chunk, error);
}

static gboolean
damon_apply(FolioWay *base, FolioChunk *chunk, GCancellable *cancellable, GError **error)
{
    DamonWay *way = (DamonWay *) base;
    g_autoptr(GError) failure = NULL;
    FolioDamonSlot slot;
    gboolean applied;

    for (guint i = 0; chunk->said != NULL && i < chunk->n_blocks; i++)
        chunk->said[i] = FOLIO_LEFT_UNSAID;
    if (!check_alive(chunk, error) ||
        !folio_damon_pool_acquire(way->pool, &slot, cancellable, error))
        return FALSE;
    applied = apply_in(way, &slot, chunk, cancellable, &failure);
    folio_damon_pool_release(way->pool, &slot);
    if (applied)
        return TRUE;
    explain_end(chunk, &failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static void
damon_close(FolioWay *base)
{
    DamonWay *way = (DamonWay *) base;

    folio_damon_pool_close(way->pool);
    folio_damon_trace_close(way->trace);
}

static void
damon_free(FolioWay *base)
{
    DamonWay *way = (DamonWay *) base;

    folio_damon_pool_free(way->pool);
    folio_damon_trace_free(way->trace);
    g_mutex_clear(&way->lock);
    g_free(way);
}

static const FolioWayClass damon_class = {
    .name = "damon",
    .probe = damon_probe,
    .apply = damon_apply,
    .close = damon_close,
    .free = damon_free,
};

FolioWay *
folio_damon_way_new(const char *sys_root, const char *proc_root, FolioLedger *ledger)
{
    DamonWay *way = g_new0(DamonWay, 1);

    way->way.klass = &damon_class;
    way->pool = folio_damon_pool_new(sys_root, proc_root, ledger);
    way->trace = folio_damon_trace_new(sys_root);
    g_mutex_init(&way->lock);
    return &way->way;
}
