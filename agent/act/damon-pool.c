/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod's kdamonds. */
#include "act/damon-pool.h"

#include "act/damon-others.h"
#include "base/error.h"
#include "base/log.h"

#define WAIT_USEC   100000
#define CLOSE_TRIES 5

struct _FolioDamonPool {
    char *sys_root, *proc_root;
    char *dir;
    char *knob; /* nr_kdamonds */
    FolioLedger *ledger;
    GMutex lock;
    GCond returned;
    gboolean looked; /* for what an earlier foliod left */
    guint size;      /* kdamonds that are ours; 0: none */
    guint lent;      /* bits by number */
    guint soiled;    /* bits: could not be cleared so far */
};

FolioDamonPool *
folio_damon_pool_new(const char *sys_root, const char *proc_root, FolioLedger *ledger)
{
    FolioDamonPool *pool = g_new0(FolioDamonPool, 1);

    pool->sys_root = g_strdup(sys_root);
    pool->proc_root = g_strdup(proc_root);
    pool->dir = folio_damon_dir(sys_root);
    pool->knob = g_build_filename(pool->dir, "nr_kdamonds", NULL);
    pool->ledger = ledger;
    g_mutex_init(&pool->lock);
    g_cond_init(&pool->returned);
    return pool;
}

void
folio_damon_pool_free(FolioDamonPool *pool)
{
    g_free(pool->sys_root);
    g_free(pool->proc_root);
    g_free(pool->dir);
    g_free(pool->knob);
    g_mutex_clear(&pool->lock);
    g_cond_clear(&pool->returned);
    g_free(pool);
}

static FolioDamonSlot
slot_of(const FolioDamonPool *pool, guint number)
{
    return (FolioDamonSlot){ pool->dir, number, FOLIO_DAMON_BUSY_TRIES };
}

/* They are not, or no longer, ours. */
static void
forget(FolioDamonPool *pool)
{
    g_autoptr(GError) error = NULL;

    pool->size = 0;
    pool->soiled = 0;
    if (pool->ledger != NULL && !folio_ledger_drop_knob(pool->ledger, pool->knob, &error))
        folio_warning("%s: %s", pool->knob, error->message);
}

static void
clear(FolioDamonPool *pool, guint number)
{
    const FolioDamonSlot slot = slot_of(pool, number);
    g_autoptr(GError) error = NULL;

    if (folio_damon_clear(&slot, &error)) {
        pool->soiled &= ~(1u << number);
        return;
    }
    pool->soiled |= 1u << number;
    folio_warning("A kdamond cannot be cleared: %s", error->message);
}

/* Whoever runs something else in a kdamond has taken the files over since. */
static gboolean
all_look_ours(const FolioDamonPool *pool, guint n)
{
    for (guint i = 0; i < n; i++) {
        const FolioDamonSlot slot = slot_of(pool, i);
        g_autofree char *action = NULL;
        gboolean on;

        if (!folio_damon_read_state(&slot, &on, NULL))
            return FALSE;
        if (!on)
            continue;
        action = folio_damon_read_action(&slot);
        if (g_strcmp0(action, "split") != 0 && g_strcmp0(action, "collapse") != 0)
            return FALSE;
    }
    return TRUE;
}

/* Takes over what a foliod left that was killed. What it was doing is not gone on with: the ledger
 * says what may have been done. */
static void
look_for_own(FolioDamonPool *pool)
{
    g_autofree char *ours = NULL;
    g_autofree char *now = NULL;
    guint n;

    if (pool->looked || pool->ledger == NULL)
        return;
    pool->looked = TRUE;
    if (!folio_ledger_get_knob(pool->ledger, pool->knob, NULL, &ours))
        return;
    if (folio_damon_read_pool(pool->dir, &n, NULL))
        now = g_strdup_printf("%u", n);
    if (g_strcmp0(now, ours) != 0 || n > FOLIO_DAMON_POOL_SIZE || !all_look_ours(pool, n)) {
        forget(pool);
        return;
    }
    pool->size = n;
    for (guint i = 0; i < n; i++)
        clear(pool, i);
}

static gboolean
refuse(char *user, GError **error)
{
    if (user != NULL)
        g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, user);
    g_free(user);
    return user != NULL;
}

static gboolean
take(FolioDamonPool *pool, GCancellable *cancellable, GError **error)
{
    g_autofree char *ours = g_strdup_printf("%u", FOLIO_DAMON_POOL_SIZE);
    guint n;

    if (refuse(folio_damon_find_others(pool->sys_root, pool->proc_root, 0), error))
        return FALSE;
    if (pool->ledger != NULL && !folio_ledger_take_knob(pool->ledger, pool->knob, "0", ours, error))
        return FALSE;
    pool->size = FOLIO_DAMON_POOL_SIZE;
    if (folio_damon_write_pool(pool->dir, pool->size, FOLIO_DAMON_BUSY_TRIES, cancellable, error))
        return TRUE;
    /* An error does not say that it was not done. */
    if (folio_damon_read_pool(pool->dir, &n, NULL) && n != pool->size)
        forget(pool);
    return FALSE;
}

/* Others may make all kdamonds anew whenever none is on. */
static gboolean
ensure(FolioDamonPool *pool, GCancellable *cancellable, GError **error)
{
    guint n;

    if (!folio_damon_read_pool(pool->dir, &n, error))
        return FALSE;
    if (pool->size > 0 && n != pool->size && pool->lent == 0)
        forget(pool);
    if (pool->size > 0)
        return !refuse(folio_damon_find_users(pool->sys_root, pool->size), error);
    return take(pool, cancellable, error);
}

/* Of those that are not lent, none has anything set by us. */
static gboolean
is_untouched(const FolioDamonSlot *slot, GError **error)
{
    gboolean on, configured;

    if (!folio_damon_read_state(slot, &on, error) ||
        !folio_damon_read_configured(slot, &configured, error))
        return FALSE;
    if (!on && !configured)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY,
                "%s/%u: another program has set up this kdamond of foliod's", slot->dir,
                slot->number);
    return FALSE;
}

/* The number of one that can be lent; size when there is none. */
static guint
find_free(FolioDamonPool *pool)
{
    for (guint i = 0; i < pool->size; i++) {
        if (pool->lent & (1u << i))
            continue;
        if (pool->soiled & (1u << i))
            clear(pool, i);
        if ((pool->soiled & (1u << i)) == 0)
            return i;
    }
    return pool->size;
}

static gboolean
acquire(FolioDamonPool *pool, FolioDamonSlot *slot, GCancellable *cancellable, GError **error)
{
    look_for_own(pool);
    while (!g_cancellable_set_error_if_cancelled(cancellable, error)) {
        guint number;

        if (!ensure(pool, cancellable, error))
            return FALSE;
        number = find_free(pool);
        if (number < pool->size) {
            *slot = slot_of(pool, number);
            if (!is_untouched(slot, error))
                return FALSE;
            pool->lent |= 1u << number;
            return TRUE;
        }
        if (pool->lent == 0) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s: no kdamond can be cleared",
                        pool->dir);
            return FALSE;
        }
        g_cond_wait_until(&pool->returned, &pool->lock, g_get_monotonic_time() + WAIT_USEC);
    }
    return FALSE;
}

gboolean
folio_damon_pool_acquire(FolioDamonPool *pool, FolioDamonSlot *slot, GCancellable *cancellable,
                         GError **error)
{
    gboolean acquired;

    g_mutex_lock(&pool->lock);
    acquired = acquire(pool, slot, cancellable, error);
    g_mutex_unlock(&pool->lock);
    return acquired;
}

void
folio_damon_pool_release(FolioDamonPool *pool, const FolioDamonSlot *slot)
{
    g_autoptr(GError) error = NULL;
    const gboolean is_clear = folio_damon_clear(slot, &error);

    if (!is_clear)
        folio_warning("A kdamond cannot be cleared: %s", error->message);
    g_mutex_lock(&pool->lock);
    if (!is_clear)
        pool->soiled |= 1u << slot->number;
    pool->lent &= ~(1u << slot->number);
    g_cond_signal(&pool->returned);
    g_mutex_unlock(&pool->lock);
}

/* Somebody who uses kdamonds of ours; to be freed, NULL when nobody does. */
static char *
find_sharer(FolioDamonPool *pool)
{
    for (guint i = 0; i < pool->size; i++) {
        const FolioDamonSlot slot = slot_of(pool, i);
        g_autoptr(GError) error = NULL;

        if (((pool->lent | pool->soiled) & (1u << i)) == 0 && !is_untouched(&slot, &error))
            return g_strdup(error->message);
    }
    return NULL;
}

char *
folio_damon_pool_find_others(FolioDamonPool *pool)
{
    char *others;
    guint n;

    g_mutex_lock(&pool->lock);
    look_for_own(pool);
    if (pool->size > 0 && pool->lent == 0 && folio_damon_read_pool(pool->dir, &n, NULL) &&
        n != pool->size)
        forget(pool);
    others = folio_damon_find_others(pool->sys_root, pool->proc_root, pool->size);
    if (others == NULL)
        others = find_sharer(pool);
    g_mutex_unlock(&pool->lock);
    return others;
}

gboolean
folio_damon_pool_is_taken(FolioDamonPool *pool)
{
    gboolean taken;

    g_mutex_lock(&pool->lock);
    look_for_own(pool);
    taken = pool->size > 0;
    g_mutex_unlock(&pool->lock);
    return taken;
}

/* TRUE when they are ours no longer, however that came. */
static gboolean
give_back(FolioDamonPool *pool, GError **error)
{
    guint n;

    if (!folio_damon_read_pool(pool->dir, &n, error))
        return g_error_matches(*error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND);
    if (n != pool->size)
        return TRUE;
    for (guint i = 0; i < n; i++) {
        const FolioDamonSlot slot = slot_of(pool, i);

        if (pool->soiled & (1u << i))
            clear(pool, i);
        else if (!is_untouched(&slot, error))
            return g_error_matches(*error, FOLIO_ERROR, FOLIO_ERROR_BUSY);
    }
    return folio_damon_write_pool(pool->dir, 0, FOLIO_DAMON_BUSY_TRIES, NULL, error);
}

void
folio_damon_pool_close(FolioDamonPool *pool)
{
    g_autoptr(GError) error = NULL;

    g_mutex_lock(&pool->lock);
    look_for_own(pool);
    for (guint i = 0; i < CLOSE_TRIES && pool->size > 0 && pool->lent == 0; i++) {
        if (g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_BUSY))
            break;
        g_clear_error(&error);
        if (give_back(pool, &error))
            forget(pool);
    }
    if (error != NULL)
        folio_warning("The kdamonds of foliod: %s", error->message);
    g_mutex_unlock(&pool->lock);
}
