/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of the ledger that are not as they were written: none is believed, each is set aside. */
#include "ledger-stage.h"

/* A guest with something split, and a knob; their files as they are when all is well. */
typedef struct {
    Stage *stage;
    char *aside;
    char *text;
    gsize length;
} Damage;

static void
damage_init(Damage *damage, Stage *stage)
{
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);

    damage->stage = stage;
    damage->aside = g_strconcat(stage->file, ".damaged", NULL);
    stage_act(stage, guest, FOLIO_ACT_SPLIT, 10, 20, FOLIO_OUTCOME_DONE);
    assert_true(folio_ledger_take_knob(ledger, "/a", "0", "1", NULL));
    assert_true(g_file_get_contents(stage->file, &damage->text, &damage->length, NULL));
}

static void
damage_clear(Damage *damage)
{
    g_free(damage->aside);
    g_free(damage->text);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Damage, damage_clear)

/* What the log says, for the last message. */
static char *logged;

static GLogWriterOutput
keep_message(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    for (gsize i = 0; i < n_fields; i++) {
        if (g_str_equal(fields[i].key, "MESSAGE")) {
            g_free(logged);
            logged = g_strdup(fields[i].value);
        }
    }
    return G_LOG_WRITER_HANDLED;
}

/* The guest's file counts for nothing, and the host's does; both can be written again. */
static void
assert_set_aside(Damage *damage)
{
    Stage *stage = damage->stage;
    g_autoptr(FolioLedger) ledger = NULL;
    g_autoptr(FolioLedgerGuest) guest = NULL;

    g_clear_pointer(&logged, g_free);
    ledger = folio_ledger_open(stage->run);
    guest = stage_guest(stage, ledger);
    assert_split(stage, guest, 0, 0);
    assert_int_equal(folio_ledger_count(guest).split, 0);
    assert_true(folio_ledger_get_knob(ledger, "/a", NULL, NULL));
    assert_false(g_file_test(stage->file, G_FILE_TEST_EXISTS));
    assert_non_null(logged);
    if (strstr(logged, stage->file) == NULL || strstr(logged, "damaged") == NULL)
        fail_msg("logged: %s", logged);
    assert_true(stage_begin(stage, guest, 0, 1, NULL));
}

/* As assert_set_aside, of a file with these bytes, which are kept. */
static void
assert_text_set_aside(Damage *damage, const char *text, gsize length)
{
    g_autofree char *kept = NULL;
    gsize kept_length;

    fake_write(damage->stage->file, text, (gssize) length);
    assert_set_aside(damage);
    assert_true(g_file_get_contents(damage->aside, &kept, &kept_length, NULL));
    assert_int_equal(kept_length, length);
    assert_memory_equal(kept, text, length);
}

static void
test_cut_off(void **state)
{
    g_auto(Damage) damage = { 0 };

    damage_init(&damage, *state);
    for (gsize i = 0; i < damage.length; i++)
        assert_text_set_aside(&damage, damage.text, i);
}

static void
test_changed(void **state)
{
    g_auto(Damage) damage = { 0 };

    damage_init(&damage, *state);
    for (gsize i = 0; i < damage.length; i++) {
        damage.text[i] ^= 1;
        assert_text_set_aside(&damage, damage.text, damage.length);
        damage.text[i] ^= 1;
    }
}

static void
test_too_long(void **state)
{
    g_autofree char *zeros = g_malloc0(FOLIO_LEDGER_MAX_BYTES + 1);
    g_auto(Damage) damage = { 0 };

    damage_init(&damage, *state);
    assert_text_set_aside(&damage, zeros, FOLIO_LEDGER_MAX_BYTES + 1);
}

/* A sound file, but of another guest. */
static void
test_other_guest(void **state)
{
    g_auto(Damage) damage = { 0 };
    g_autoptr(FolioLedgerRecord) record = NULL;
    GString *text;

    damage_init(&damage, *state);
    record = folio_ledger_file_parse_guest(damage.text, damage.length, NULL);
    g_free(record->uuid);
    record->uuid = g_strdup("0f5e3a1c-7b2d-4c6e-9a8f-00112233aabb");
    text = folio_ledger_file_print_guest(record);
    assert_text_set_aside(&damage, text->str, text->len);
    g_string_free(text, TRUE);
}

/* What is no plain file of ours: a link to a sound one, a FIFO, a directory, one that anybody may
 * write. */
static void
test_kinds(void **state)
{
    Stage *stage = *state;
    g_autofree char *elsewhere = g_build_filename(stage->host->root, "sound", NULL);
    g_auto(Damage) damage = { 0 };

    damage_init(&damage, stage);
    fake_write(elsewhere, damage.text, (gssize) damage.length);
    assert_int_equal(g_unlink(stage->file), 0);
    assert_int_equal(symlink(elsewhere, stage->file), 0);
    assert_set_aside(&damage);
    assert_true(g_file_test(damage.aside, G_FILE_TEST_IS_SYMLINK));

    assert_int_equal(g_unlink(stage->file), 0);
    assert_int_equal(mkfifo(stage->file, 0600), 0);
    assert_set_aside(&damage);

    assert_int_equal(g_unlink(stage->file), 0);
    assert_int_equal(g_mkdir(stage->file, 0700), 0);
    assert_set_aside(&damage);
    assert_true(g_file_test(damage.aside, G_FILE_TEST_IS_DIR));

    fake_write(stage->file, damage.text, (gssize) damage.length);
    assert_int_equal(g_chmod(stage->file, 0622), 0);
    assert_set_aside(&damage);
    assert_false(g_file_test(damage.aside, G_FILE_TEST_IS_DIR));
}

/* Unreadable is not empty: it is set aside as well, so that nothing writes over it. */
static void
test_unreadable(void **state)
{
    Stage *stage = *state;
    g_auto(Damage) damage = { 0 };
    g_autofree char *kept = NULL;
    guint n_lost = 0;

    damage_init(&damage, stage);
    for (int at = 0;; at++) {
        g_autoptr(FolioLedger) ledger = NULL;
        g_autoptr(FolioLedgerGuest) guest = NULL;

        fake_write(stage->file, damage.text, (gssize) damage.length);
        arm_fault(at, EIO);
        ledger = folio_ledger_open(stage->run);
        if (!disarm_fault())
            break;
        guest = stage_guest(stage, ledger);
        if (folio_ledger_count(guest).split_now == 20)
            continue;
        n_lost++;
        if (g_file_test(stage->file, G_FILE_TEST_EXISTS))
            continue; /* not even the directory could be opened */
        assert_true(g_file_get_contents(damage.aside, &kept, NULL, NULL));
        assert_string_equal(kept, damage.text);
        g_clear_pointer(&kept, g_free);
    }
    assert_true(n_lost >= 3);
}

static void
test_host(void **state)
{
    Stage *stage = *state;
    g_autofree char *host = g_build_filename(stage->dir, "host", NULL);
    g_autofree char *aside = g_strconcat(host, ".damaged", NULL);
    g_auto(Damage) damage = { 0 };
    g_autoptr(FolioLedger) ledger = NULL;
    g_autoptr(FolioLedgerGuest) guest = NULL;

    damage_init(&damage, stage);
    fake_write(host, "foliod-ledger 1 host\n", -1);
    ledger = folio_ledger_open(stage->run);
    guest = stage_guest(stage, ledger);
    assert_split(stage, guest, 10, 20);
    assert_false(folio_ledger_get_knob(ledger, "/a", NULL, NULL));
    assert_true(g_file_test(aside, G_FILE_TEST_EXISTS));
    assert_non_null(strstr(logged, host));
    assert_true(folio_ledger_take_knob(ledger, "/a", "0", "1", NULL));
}

/* What is not the ledger's stays; what an interrupted write left goes. */
static void
test_other_files(void **state)
{
    Stage *stage = *state;
    g_autofree char *note = g_build_filename(stage->dir, "note", NULL);
    g_autofree char *left = g_strconcat(stage->file, ".new", NULL);
    g_auto(Damage) damage = { 0 };
    g_autoptr(FolioLedger) ledger = NULL;
    g_autoptr(FolioLedgerGuest) guest = NULL;

    damage_init(&damage, stage);
    fake_write(note, "x", -1);
    fake_write(left, "half of", -1);
    ledger = folio_ledger_open(stage->run);
    guest = stage_guest(stage, ledger);
    assert_split(stage, guest, 10, 20);
    assert_true(g_file_test(note, G_FILE_TEST_EXISTS));
    assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_cut_off),     STAGE_TEST(test_changed),     STAGE_TEST(test_too_long),
        STAGE_TEST(test_other_guest), STAGE_TEST(test_kinds),       STAGE_TEST(test_unreadable),
        STAGE_TEST(test_host),        STAGE_TEST(test_other_files),
    };

    g_log_set_writer_func(keep_message, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
