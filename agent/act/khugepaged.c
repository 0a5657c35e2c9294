/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeping khugepaged from undoing splits: the setting of the guest's process. */
#include "act/khugepaged.h"

#include "act/khugepaged-hold.h"
#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "memory/thp-settings.h"

/* Of the guest's RAM that has to be there before its process loses huge pages, in percent: what
 * comes after that is of 4 KiB pages for as long as QEMU runs. Not 100, since no guest touches
 * firmware's holes and the last of its free memory; what a tenth may cost is bounded. */
#define POPULATED_PERCENT 90u

struct _FolioKhugepagedControl {
    char *sys_root;
    char *inject_program; /* or NULL */
    FolioLedger *ledger;
    FolioKhugepagedHold *hold;
    GMutex lock;
    GHashTable *open; /* char *, see name_process: those that may have huge pages while they are
                         collapsed */
};

const char *
folio_keeper_token(FolioKeeper keeper)
{
    static const char *const tokens[] = {
        [FOLIO_KEEPER_FREE] = "free",
        [FOLIO_KEEPER_IDLE] = "idle",
        [FOLIO_KEEPER_FLAG] = "flag",
        [FOLIO_KEEPER_STRICT] = "strict",
    };

    return tokens[keeper];
}

FolioKhugepagedControl *
folio_khugepaged_new(const char *sys_root, const char *inject_program, FolioLedger *ledger)
{
    FolioKhugepagedControl *control = g_new0(FolioKhugepagedControl, 1);

    control->sys_root = g_strdup(sys_root);
    control->inject_program = g_strdup(inject_program);
    control->ledger = ledger;
    control->hold = folio_khugepaged_hold_new(sys_root, ledger);
    g_mutex_init(&control->lock);
    control->open = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return control;
}

void
folio_khugepaged_free(FolioKhugepagedControl *control)
{
    g_free(control->sys_root);
    g_free(control->inject_program);
    folio_khugepaged_hold_free(control->hold);
    g_mutex_clear(&control->lock);
    g_hash_table_unref(control->open);
    g_free(control);
}

/* What a status stands for. */
static FolioThp
thp_of(gboolean enabled, gboolean khugepaged)
{
    if (!enabled)
        return FOLIO_THP_NO_HUGE_PAGES;
    return khugepaged ? FOLIO_THP_AS_USUAL : FOLIO_THP_NO_KHUGEPAGED;
}

static FolioThp
thp_of_status(const FolioThpStatus *status)
{
    return thp_of(status->enabled, status->khugepaged);
}

static FolioKeeper
keeper_of_thp(FolioThp thp)
{
    static const FolioKeeper keepers[] = {
        [FOLIO_THP_AS_USUAL] = FOLIO_KEEPER_FREE,
        [FOLIO_THP_NO_KHUGEPAGED] = FOLIO_KEEPER_FLAG,
        [FOLIO_THP_NO_HUGE_PAGES] = FOLIO_KEEPER_STRICT,
    };

    return keepers[thp];
}

FolioKeeper
folio_khugepaged_look(FolioKhugepagedControl *control, const FolioProcess *process)
{
    FolioThpStatus status;

    if (!folio_thp_khugepaged_runs(control->sys_root))
        return FOLIO_KEEPER_IDLE;
    if (!folio_thp_read_status(process, &status, NULL))
        return FOLIO_KEEPER_FREE;
    return keeper_of_thp(thp_of_status(&status));
}

gboolean
folio_khugepaged_could_keep_away(FolioKhugepagedControl *control, const FolioProcess *process,
                                 FolioKhugepaged khugepaged, gboolean may_inject)
{
    FolioThpStatus status;

    if (!folio_thp_khugepaged_runs(control->sys_root))
        return TRUE;
    if (!folio_thp_read_status(process, &status, NULL))
        return FALSE;
    if (thp_of_status(&status) != FOLIO_THP_AS_USUAL)
        return TRUE;
    return khugepaged != FOLIO_KHUGEPAGED_KEEP && may_inject && control->inject_program != NULL &&
           (khugepaged == FOLIO_KHUGEPAGED_STRICT || status.knows_khugepaged);
}

/* Injection */

static gboolean
may_inject(const FolioKhugepagedControl *control, const FolioActRequest *request)
{
    return request->may_inject && control->inject_program != NULL;
}

/* Has QEMU change its setting; it has when /proc/PID/status says so, whatever became of the helper.
 */
static gboolean
inject(FolioKhugepagedControl *control, const FolioActRequest *request, FolioThp thp,
       GError **error)
{
    FolioInjectResult result = { 0 };
    g_autoptr(GError) local_error = NULL;
    FolioThpStatus status;

    if (folio_inject(control->inject_program, request->process, thp, &result, &local_error)) {
        folio_log(G_LOG_LEVEL_INFO, NULL, request->name, request->uuid,
                  "its QEMU was given the THP setting %s; a thread of it stood still for %u us",
                  folio_thp_token(thp), result.stop_usec);
        return TRUE;
    }
    if (folio_thp_read_status(request->process, &status, NULL) && thp_of_status(&status) == thp)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local_error));
    return FALSE;
}

/* Nothing can have come of it, now or in a moment. */
static gboolean
is_certain(const GError *error)
{
    return g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED) ||
           g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED) ||
           g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND) ||
           g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_BUSY);
}

/* The same, written down before. Where it cannot be told that nothing came of a failure, as when
 * the helper had to be killed, it stays written down: giving back begins with a look. */
static gboolean
change(FolioKhugepagedControl *control, const FolioActRequest *request, FolioLedgerGuest *guest,
       const FolioThpStatus *status, FolioThp thp, GError **error)
{
    const FolioLedgerThp before = folio_ledger_get_thp(guest);
    const FolioLedgerThp unchanged = { .changed = FALSE };
    const FolioLedgerThp now = { .changed = TRUE,
                                 .khugepaged_before = status->khugepaged,
                                 .enabled_before = status->enabled };
    g_autoptr(GError) local_error = NULL;

    if (!before.changed && !folio_ledger_set_thp(guest, &now, error))
        return FALSE;
    if (inject(control, request, thp, &local_error))
        return TRUE;
    if (!before.changed && is_certain(local_error))
        folio_ledger_set_thp(guest, &unchanged, NULL);
    g_propagate_error(error, g_steal_pointer(&local_error));
    return FALSE;
}

/* The processes that are open for a collapse */

/* A PID alone may be another's by now. */
static char *
name_process(const FolioProcess *process)
{
    return g_strdup_printf("%d %" G_GUINT64_FORMAT, folio_process_get_pid(process),
                           folio_process_get_start_time(process));
}

static gboolean
is_open(FolioKhugepagedControl *control, const FolioProcess *process)
{
    g_autofree char *name = name_process(process);
    gboolean open;

    g_mutex_lock(&control->lock);
    open = g_hash_table_contains(control->open, name);
    g_mutex_unlock(&control->lock);
    return open;
}

static void
set_open(FolioKhugepagedControl *control, const FolioProcess *process, gboolean open)
{
    g_autofree char *name = name_process(process);

    g_mutex_lock(&control->lock);
    if (open)
        g_hash_table_add(control->open, g_steal_pointer(&name));
    else
        g_hash_table_remove(control->open, name);
    g_mutex_unlock(&control->lock);
}

/* Keeping away */

static gboolean
is_populated(const FolioGuestRam *ram)
{
    const guint64 there = ram->now.present + ram->now.swapped;

    return ram->measured_usec != 0 && there >= ram->bytes / 100 * POPULATED_PERCENT;
}

/* What the process is to be given; its present setting when that will do, or nothing better can be
 * had. */
static FolioThp
choose(const FolioActRequest *request, const FolioLedgerThp *ledger, const FolioThpStatus *status)
{
    const FolioThp now = thp_of_status(status);
    const gboolean ours = ledger->changed && ledger->enabled_before;

    if (request->khugepaged == FOLIO_KHUGEPAGED_STRICT && is_populated(request->ram))
        return FOLIO_THP_NO_HUGE_PAGES;
    /* What its starter chose stays; what was strict once and is not to be any more does not. */
    if (now == FOLIO_THP_NO_HUGE_PAGES && (!ours || request->khugepaged == FOLIO_KHUGEPAGED_STRICT))
        return now;
    return status->knows_khugepaged ? FOLIO_THP_NO_KHUGEPAGED : now;
}

/* Why khugepaged is free, and what to do. */
static char *
explain_free(const FolioKhugepagedControl *control, const FolioActRequest *request,
             const FolioThpStatus *status)
{
    g_autofree char *there = folio_format_bytes(request->ram->now.present);
    g_autofree char *all = folio_format_bytes(request->ram->bytes);

    if (request->khugepaged == FOLIO_KHUGEPAGED_KEEP)
        return g_strdup("Khugepaged=keep leaves it as it is; set Khugepaged=auto, or stop it for "
                        "the whole host (folioctl doctor)");
    if (request->khugepaged == FOLIO_KHUGEPAGED_AUTO && !status->knows_khugepaged)
        return g_strdup("this kernel cannot keep it away from one guest; stop it for the whole "
                        "host (folioctl doctor), boot a kernel with foliod's patches, or set "
                        "Khugepaged=strict");
    if (!may_inject(control, request))
        return g_strdup("foliod may not change a QEMU that runs (Inject=no, or a mode that only "
                        "observes); start the guest by foliod-qemu with thp=khugepaged-off");
    return g_strdup_printf("Khugepaged=strict waits until %u %% of the guest's RAM is there (%s of "
                           "%s); wait, or force it",
                           POPULATED_PERCENT, there, all);
}

/* The setting of the process, as far as the request allows. */
static FolioKeeper
keep_process_away(FolioKhugepagedControl *control, const FolioActRequest *request,
                  FolioLedgerGuest *guest, char **reason)
{
    const FolioLedgerThp ledger = folio_ledger_get_thp(guest);
    g_autoptr(GError) error = NULL;
    FolioThpStatus status;
    FolioThp now, wanted;

    if (!folio_thp_read_status(request->process, &status, &error)) {
        *reason = g_strdup(error->message);
        return FOLIO_KEEPER_FREE;
    }
    now = wanted = thp_of_status(&status);
    if (request->khugepaged != FOLIO_KHUGEPAGED_KEEP && may_inject(control, request))
        wanted = choose(request, &ledger, &status);
    if (wanted != now && !change(control, request, guest, &status, wanted, &error)) {
        wanted = now;
        if (now == FOLIO_THP_AS_USUAL)
            *reason = g_strdup_printf("QEMU could not be made to keep it away: %s", error->message);
        else
            folio_log(G_LOG_LEVEL_WARNING, NULL, request->name, request->uuid,
                      "its THP setting stays as it is: %s", error->message);
    }
    if (wanted == FOLIO_THP_AS_USUAL && *reason == NULL)
        *reason = explain_free(control, request, &status);
    return keeper_of_thp(wanted);
}

/* The setting of the process as it was before. */
static gboolean
give_process_back(FolioKhugepagedControl *control, const FolioActRequest *request,
                  FolioLedgerGuest *guest, GError **error)
{
    const FolioLedgerThp ledger = folio_ledger_get_thp(guest);
    const FolioLedgerThp unchanged = { .changed = FALSE };
    const FolioThp before = thp_of(ledger.enabled_before, ledger.khugepaged_before);
    FolioThpStatus status;

    if (!ledger.changed)
        return TRUE;
    if (!folio_thp_read_status(request->process, &status, error))
        return FALSE;
    if (thp_of_status(&status) != before && !may_inject(control, request)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "the THP setting of its QEMU stays \"%s\" until the guest is started again: "
                    "foliod may not change a QEMU that runs",
                    folio_thp_token(thp_of_status(&status)));
        return FALSE;
    }
    if (thp_of_status(&status) != before && !inject(control, request, before, error))
        return FALSE;
    set_open(control, request->process, FALSE);
    return folio_ledger_set_thp(guest, &unchanged, error);
}

FolioKeeper
folio_khugepaged_keep_away(FolioKhugepagedControl *control, const FolioActRequest *request,
                           FolioLedgerGuest *guest, char **reason)
{
    const gboolean changed_before = folio_ledger_get_thp(guest).changed;
    g_autoptr(GError) error = NULL;
    FolioKeeper keeper;

    *reason = NULL;
    if (!folio_thp_khugepaged_runs(control->sys_root))
        return FOLIO_KEEPER_IDLE;
    keeper = keep_process_away(control, request, guest, reason);
    if (keeper == FOLIO_KEEPER_FREE || request->khugepaged == FOLIO_KHUGEPAGED_KEEP ||
        folio_khugepaged_hold_raise(control->hold, &error))
        return keeper;

    *reason = g_strdup_printf("other processes may map the guest's RAM, and it cannot be kept away "
                              "from those: %s",
                              error->message);
    g_clear_error(&error);
    if (!changed_before && !give_process_back(control, request, guest, &error))
        folio_log(G_LOG_LEVEL_WARNING, NULL, request->name, request->uuid, "%s", error->message);
    return FOLIO_KEEPER_FREE;
}

/* Giving back */

gboolean
folio_khugepaged_release_hold(FolioKhugepagedControl *control, GError **error)
{
    return folio_khugepaged_hold_release(control->hold, error);
}

gboolean
folio_khugepaged_give_back(FolioKhugepagedControl *control, const FolioActRequest *request,
                           FolioLedgerGuest *guest, GError **error)
{
    const gboolean process_is_back = give_process_back(control, request, guest, error);

    return folio_khugepaged_hold_release(control->hold, process_is_back ? error : NULL) &&
           process_is_back;
}

guint
folio_khugepaged_hold_msec(FolioKhugepagedControl *control)
{
    return folio_khugepaged_hold_read(control->hold);
}

/* Around a collapse */

/* Of a process that may have no huge pages: is that foliod's doing, or, by its starter's, to be
 * treated as if it were? */
static gboolean
is_bracketed(const FolioActRequest *request, const FolioLedgerThp *ledger)
{
    return request->khugepaged == FOLIO_KHUGEPAGED_STRICT ||
           (ledger->changed && ledger->enabled_before);
}

gboolean
folio_khugepaged_before_collapse(FolioKhugepagedControl *control, const FolioActRequest *request,
                                 FolioLedgerGuest *guest, GError **error)
{
    const FolioLedgerThp ledger = folio_ledger_get_thp(guest);
    FolioThpStatus status;
    FolioThp meanwhile;

    if (!folio_thp_read_status(request->process, &status, error))
        return FALSE;
    /* A foliod that died in a collapse left open what its starter had closed. */
    if (status.enabled && ledger.changed && !ledger.enabled_before)
        set_open(control, request->process, TRUE);
    if (status.enabled || !is_bracketed(request, &ledger))
        return TRUE;
    if (!may_inject(control, request)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "its QEMU may have no huge pages (THP_enabled: 0), and foliod may not change a "
                    "QEMU that runs");
        return FALSE;
    }
    /* Where the kernel can, khugepaged is not let in with the collapse. */
    meanwhile = status.knows_khugepaged ? FOLIO_THP_NO_KHUGEPAGED : FOLIO_THP_AS_USUAL;
    if (!change(control, request, guest, &status, meanwhile, error))
        return FALSE;
    set_open(control, request->process, TRUE);
    return TRUE;
}

gboolean
folio_khugepaged_after_collapse(FolioKhugepagedControl *control, const FolioActRequest *request,
                                FolioLedgerGuest *guest, GError **error)
{
    const FolioLedgerThp unchanged = { .changed = FALSE };

    if (!is_open(control, request->process))
        return TRUE;
    /* It stays open when it fails: the next collapse closes it. */
    if (!may_inject(control, request)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "its QEMU may have huge pages still, and foliod may not change a QEMU that "
                    "runs");
        return FALSE;
    }
    if (!inject(control, request, FOLIO_THP_NO_HUGE_PAGES, error))
        return FALSE;
    set_open(control, request->process, FALSE);
    /* As its starter had it. */
    return folio_ledger_get_thp(guest).enabled_before ||
           folio_ledger_set_thp(guest, &unchanged, error);
}
