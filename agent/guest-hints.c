/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of one guest, by each who has a say, and what comes of it. */
#include "guest-hints.h"

#include "base/log.h"

struct _FolioGuestHints {
    char *name;
    char *uuid;
    FolioHints defaults;
    FolioMode ceiling;
    FolioHints drop_in;
    FolioHintElement nova; /* hints: in force; error: why the element that is there now is not */
    FolioHintElement metadata; /* likewise */
    FolioHints administrator;
    FolioGuestPolicy *policy;
    char *error;
};

static void
take_settings(FolioGuestHints *hints, const FolioGuestSettings *settings)
{
    const FolioHints *drop_in = g_hash_table_lookup(settings->guest_hints, hints->uuid);

    hints->defaults = settings->guest_defaults;
    hints->ceiling = settings->hint_ceiling;
    hints->drop_in = drop_in != NULL ? *drop_in : (FolioHints){ 0 };
}

static void
tell_of_policy(const FolioGuestHints *hints)
{
    g_autofree char *text = folio_guest_policy_describe(hints->policy);

    folio_log(G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_HINTS, hints->name, hints->uuid, "%s: %s%s%s",
              hints->name, text, *hints->policy->capped != '\0' ? "; " : "", hints->policy->capped);
}

/* FALSE: nothing else comes of it than before. */
static gboolean
resolve(FolioGuestHints *hints)
{
    const FolioPolicyInput input = {
        .said = { [FOLIO_FROM_DEFAULT] = &hints->defaults,
                  [FOLIO_FROM_DROP_IN] = &hints->drop_in,
                  [FOLIO_FROM_NOVA] = &hints->nova.hints,
                  [FOLIO_FROM_METADATA] = &hints->metadata.hints,
                  [FOLIO_FROM_ADMINISTRATOR] = &hints->administrator },
        .ceiling = hints->ceiling,
    };
    g_autoptr(FolioGuestPolicy) before = hints->policy;

    hints->policy = folio_guest_policy_resolve(&input);
    if (before != NULL ? folio_guest_policy_equal(before, hints->policy)
                       : folio_guest_policy_is_default(hints->policy))
        return FALSE;
    tell_of_policy(hints);
    return TRUE;
}

/* FALSE: it reads as before. */
static gboolean
join_errors(FolioGuestHints *hints)
{
    const char *metadata = hints->metadata.error;
    const char *nova = hints->nova.error;
    g_autofree char *before = hints->error;

    hints->error =
        g_strconcat(metadata != NULL ? "metadata: " : "", metadata != NULL ? metadata : "",
                    metadata != NULL && nova != NULL ? "; " : "", nova != NULL ? "nova: " : "",
                    nova != NULL ? nova : "", NULL);
    return g_strcmp0(before, hints->error) != 0;
}

static void
take_element(FolioGuestHints *hints, FolioHintElement *kept, const FolioHintElement *read,
             FolioPolicyFrom from)
{
    if (read->error == NULL)
        kept->hints = read->hints;
    else if (g_strcmp0(read->error, kept->error) != 0)
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_BAD_HINTS, hints->name, hints->uuid,
                  "%s: hints refused (%s), what was in force before stays: %s", hints->name,
                  folio_policy_from_token(from), read->error);
    g_free(kept->error);
    kept->error = g_strdup(read->error);
}

gboolean
folio_guest_hints_take(FolioGuestHints *hints, const FolioDomainHints *read)
{
    gboolean other_error;

    take_element(hints, &hints->nova, &read->nova, FOLIO_FROM_NOVA);
    take_element(hints, &hints->metadata, &read->policy, FOLIO_FROM_METADATA);
    other_error = join_errors(hints);
    return resolve(hints) || other_error;
}

void
folio_guest_hints_forget(FolioGuestHints *hints)
{
    hints->nova.hints.set = 0;
    hints->metadata.hints.set = 0;
}

void
folio_guest_hints_configure(FolioGuestHints *hints, const FolioGuestSettings *settings)
{
    take_settings(hints, settings);
    resolve(hints);
}

void
folio_guest_hints_set_admin_mode(FolioGuestHints *hints, const FolioMode *mode)
{
    hints->administrator = (FolioHints){ 0 };
    if (mode != NULL)
        hints->administrator = (FolioHints){ .set = 1u << FOLIO_HINT_MODE, .mode = *mode };
    resolve(hints);
}

const FolioGuestPolicy *
folio_guest_hints_get_policy(const FolioGuestHints *hints)
{
    return hints->policy;
}

const char *
folio_guest_hints_get_error(const FolioGuestHints *hints)
{
    return hints->error;
}

FolioGuestHints *
folio_guest_hints_new(const FolioDomain *domain, const FolioGuestSettings *settings)
{
    FolioGuestHints *hints = g_new0(FolioGuestHints, 1);

    hints->name = g_strdup(domain->name);
    hints->uuid = g_strdup(domain->uuid);
    take_settings(hints, settings);
    folio_guest_hints_take(hints, domain->hints);
    return hints;
}

void
folio_guest_hints_free(FolioGuestHints *hints)
{
    g_clear_pointer(&hints->policy, folio_guest_policy_free);
    g_free(hints->nova.error);
    g_free(hints->metadata.error);
    g_free(hints->error);
    g_free(hints->name);
    g_free(hints->uuid);
    g_free(hints);
}
