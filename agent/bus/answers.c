/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What polkit has answered a moment ago. */
#include "bus/answers.h"

typedef struct {
    gint64 until;
    gboolean may;
} Answer;

struct _FolioAnswers {
    GHashTable *table; /* key_of() -> Answer */
};

FolioAnswers *
folio_answers_new(void)
{
    FolioAnswers *answers = g_new0(FolioAnswers, 1);

    answers->table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return answers;
}

void
folio_answers_free(FolioAnswers *answers)
{
    g_hash_table_unref(answers->table);
    g_free(answers);
}

/* A sender has no space in it, nor a uuid; whatever follows them is the name. */
static char *
key_of(const char *sender, const char *guest_name, const char *guest_uuid)
{
    return g_strjoin(" ", sender, guest_uuid != NULL ? guest_uuid : "-",
                     guest_name != NULL ? guest_name : "", NULL);
}

static gboolean
is_over(gpointer key, gpointer value, gpointer user_data)
{
    const gint64 *now = user_data;

    return ((const Answer *) value)->until <= *now;
}

void
folio_answers_keep(FolioAnswers *answers, const char *sender, const char *guest_name,
                   const char *guest_uuid, gboolean may, gint64 now)
{
    Answer *answer;

    if (g_hash_table_size(answers->table) >= FOLIO_ANSWERS_MAX)
        g_hash_table_foreach_remove(answers->table, is_over, &now);
    if (g_hash_table_size(answers->table) >= FOLIO_ANSWERS_MAX)
        return;
    answer = g_new(Answer, 1);
    *answer = (Answer){ .until = now + FOLIO_ANSWER_USEC, .may = may };
    g_hash_table_replace(answers->table, key_of(sender, guest_name, guest_uuid), answer);
}

gboolean
folio_answers_find(FolioAnswers *answers, const char *sender, const char *guest_name,
                   const char *guest_uuid, gint64 now, gboolean *may)
{
    g_autofree char *key = key_of(sender, guest_name, guest_uuid);
    const Answer *answer = g_hash_table_lookup(answers->table, key);

    if (answer == NULL || answer->until <= now)
        return FALSE;
    *may = answer->may;
    return TRUE;
}

void
folio_answers_forget(FolioAnswers *answers)
{
    g_hash_table_remove_all(answers->table);
}
