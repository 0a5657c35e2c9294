/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rings of a perf event on plain memory: wrap, edges, and writers that lie. */
#include "cmocka-all.h"
#include "sample/ring.h"

#define SIZE 4096

typedef struct {
    guint64 head, tail;
    guint8 data[SIZE];
    FolioRing ring;
    guint64 scratch[FOLIO_RING_RECORD_MAX / 8];
} Fixture;

static int
set_up(void **state)
{
    *state = g_new0(Fixture, 1);
    return 0;
}

static int
tear_down(void **state)
{
    g_free(*state);
    return 0;
}

static void
start_at(Fixture *fixture, guint64 at)
{
    fixture->head = fixture->tail = at;
    folio_ring_init(&fixture->ring, &fixture->head, &fixture->tail, fixture->data, SIZE);
}

static void
put_bytes(Fixture *fixture, const void *bytes, gsize size)
{
    for (gsize i = 0; i < size; i++)
        fixture->data[(fixture->head + i) % SIZE] = ((const guint8 *) bytes)[i];
    fixture->head += size;
}

/* As the kernel does: a header, then words that count up from first. */
static void
put_record(Fixture *fixture, guint32 type, guint16 size, guint64 first)
{
    const struct perf_event_header header = { .type = type, .size = size };
    const guint n_words = (size - sizeof(header)) / 8;

    put_bytes(fixture, &header, sizeof(header));
    for (guint i = 0; i < n_words; i++) {
        const guint64 word = first + i;

        put_bytes(fixture, &word, sizeof(word));
    }
}

static void
assert_record(Fixture *fixture, guint32 type, guint16 size, guint64 first)
{
    const struct perf_event_header *record =
        folio_ring_next_record(&fixture->ring, fixture->scratch);
    const guint n_words = (size - sizeof(*record)) / 8;

    assert_non_null(record);
    assert_int_equal(record->type, type);
    assert_int_equal(record->size, size);
    for (guint i = 0; i < n_words; i++) {
        guint64 word;

        memcpy(&word, (const guint8 *) record + sizeof(*record) + 8 * i, sizeof(word));
        assert_int_equal(word, first + i);
    }
}

static void
assert_no_record(Fixture *fixture)
{
    assert_null(folio_ring_next_record(&fixture->ring, fixture->scratch));
}

static void
test_empty(void **state)
{
    Fixture *fixture = *state;
    const guint8 *piece = NULL;
    guint64 position = 0;

    start_at(fixture, 0);
    assert_int_equal(folio_ring_begin(&fixture->ring), 0);
    assert_no_record(fixture);
    assert_int_equal(folio_ring_next_piece(&fixture->ring, &piece, &position), 0);
    folio_ring_end(&fixture->ring);
    assert_int_equal(fixture->tail, 0);
}

/* Every place that a record can have against the end of the ring, and every length of up to two
 * dozen words. */
static void
test_records_at_every_edge(void **state)
{
    Fixture *fixture = *state;

    for (guint16 size = 8; size <= 200; size += 8) {
        for (guint64 before = 0; before <= 208; before += 8) {
            start_at(fixture, 3 * SIZE - before);
            put_record(fixture, 9, size, before);
            put_record(fixture, 2, 24, 77);
            assert_int_equal(folio_ring_begin(&fixture->ring), size + 24);
            assert_record(fixture, 9, size, before);
            assert_record(fixture, 2, 24, 77);
            assert_no_record(fixture);
            folio_ring_end(&fixture->ring);
            assert_int_equal(fixture->tail, fixture->head);
        }
    }
}

static void
test_full_ring_of_one_record(void **state)
{
    Fixture *fixture = *state;

    start_at(fixture, 8);
    put_record(fixture, 9, SIZE, 1);
    assert_int_equal(folio_ring_begin(&fixture->ring), SIZE);
    assert_record(fixture, 9, SIZE, 1);
    folio_ring_end(&fixture->ring);
    assert_int_equal(fixture->tail, SIZE + 8);
}

static void
test_what_comes_later_waits(void **state)
{
    Fixture *fixture = *state;

    start_at(fixture, 16);
    put_record(fixture, 9, 16, 1);
    folio_ring_begin(&fixture->ring);
    put_record(fixture, 9, 16, 2);
    assert_record(fixture, 9, 16, 1);
    assert_no_record(fixture);
    folio_ring_end(&fixture->ring);
    assert_int_equal(fixture->tail, 32);
    assert_int_equal(folio_ring_begin(&fixture->ring), 16);
    assert_record(fixture, 9, 16, 2);
}

static void
test_counts_wrap_around(void **state)
{
    Fixture *fixture = *state;

    start_at(fixture, G_MAXUINT64 - 15);
    put_record(fixture, 9, 40, 5);
    assert_int_equal(fixture->head, 24);
    assert_int_equal(folio_ring_begin(&fixture->ring), 40);
    assert_record(fixture, 9, 40, 5);
    folio_ring_end(&fixture->ring);
    assert_int_equal(fixture->tail, 24);
}

static void
assert_rest_is_skipped(Fixture *fixture)
{
    folio_ring_begin(&fixture->ring);
    assert_record(fixture, 9, 16, 1);
    assert_no_record(fixture);
    assert_no_record(fixture);
    folio_ring_end(&fixture->ring);
    assert_int_equal(fixture->tail, fixture->head);
}

static void
test_impossible_sizes(void **state)
{
    static const guint16 sizes[] = { 0, 7, 12, 48, 65535 };
    Fixture *fixture = *state;

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const struct perf_event_header header = { .type = 9, .size = sizes[i] };

        start_at(fixture, 0);
        put_record(fixture, 9, 16, 1);
        put_bytes(fixture, &header, sizeof(header));
        put_bytes(fixture, "01234567", 8);
        assert_rest_is_skipped(fixture);
    }
    /* Not even a header. */
    start_at(fixture, 0);
    put_record(fixture, 9, 16, 1);
    put_bytes(fixture, "0123", 4);
    assert_rest_is_skipped(fixture);
}

static void
test_head_out_of_reach(void **state)
{
    Fixture *fixture = *state;

    start_at(fixture, 64);
    fixture->head = 64 + SIZE + 1;
    assert_int_equal(folio_ring_begin(&fixture->ring), 0);
    folio_ring_end(&fixture->ring);
    assert_int_equal(fixture->tail, fixture->head);
    /* Behind the tail. */
    fixture->head = 10;
    assert_int_equal(folio_ring_begin(&fixture->ring), 0);
    folio_ring_end(&fixture->ring);
    assert_int_equal(fixture->tail, 10);
}

/* A byte stream of any lengths through the AUX area comes out as it went in, with its positions. */
static void
test_aux_stream(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GRand) random = g_rand_new_with_seed(4711);
    guint64 written = 0, seen = 0;
    guint n_wraps = 0;

    start_at(fixture, 0);
    for (guint round = 0; round < 20000; round++) {
        const gsize length = (gsize) g_rand_int_range(random, 0, SIZE + 1);
        const guint8 *piece = NULL;
        guint64 position = 0;
        guint n_pieces = 0;
        gsize n;

        for (gsize i = 0; i < length; i++)
            put_bytes(fixture, &(guint8){ (guint8) (written++ * 31 >> 3) }, 1);
        assert_int_equal(folio_ring_begin(&fixture->ring), length);
        while ((n = folio_ring_next_piece(&fixture->ring, &piece, &position)) > 0) {
            assert_int_equal(position, seen);
            assert_true(piece >= fixture->data && piece + n <= fixture->data + SIZE);
            for (gsize i = 0; i < n; i++)
                assert_int_equal(piece[i], (guint8) (seen++ * 31 >> 3));
            n_pieces++;
        }
        assert_true(n_pieces <= 2);
        n_wraps += n_pieces == 2;
        folio_ring_end(&fixture->ring);
        assert_int_equal(fixture->tail, written);
    }
    assert_int_equal(seen, written);
    assert_true(n_wraps > 5000);
}

/* The fields of the control page that belong to each ring. */
static void
test_control_page(void **state)
{
    g_autofree guint8 *memory = g_malloc0(4096 + 2 * SIZE);
    struct perf_event_mmap_page *control = (void *) memory;
    FolioRing records, aux;
    const guint8 *piece = NULL;
    guint64 position = 0;

    control->data_offset = 4096;
    control->data_size = SIZE;
    control->aux_offset = 4096 + SIZE;
    control->aux_size = SIZE;
    control->data_head = 16;
    control->aux_head = 5;
    memcpy(memory + 4096 + SIZE, "hello", 5);
    folio_ring_init_records(&records, control);
    folio_ring_init_aux(&aux, control, memory + 4096 + SIZE);
    assert_int_equal(folio_ring_begin(&records), 16);
    assert_int_equal(folio_ring_begin(&aux), 5);
    assert_int_equal(folio_ring_next_piece(&aux, &piece, &position), 5);
    assert_memory_equal(piece, "hello", 5);
    folio_ring_end(&aux);
    assert_int_equal(control->aux_tail, 5);
    assert_int_equal(control->data_tail, 0);
    folio_ring_end(&records);
    assert_int_equal(control->data_tail, 16);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_records_at_every_edge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_ring_of_one_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_comes_later_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counts_wrap_around, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_impossible_sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head_out_of_reach, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_aux_stream, set_up, tear_down),
        cmocka_unit_test(test_control_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
