/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A first process of a nested guest (rdinit=/sqlite): SQLite with a table of some hundred MiB in
 * memory, used as a shop would. Every other statement is of the catalogue, any row of it. The
 * others are of customers' rows, GROUP of each: those of one customer in QUIET who is there, by
 * Zipf's law, and one in STRAY of anybody. One in UPDATE writes. What a row holds follows from its
 * key and from how often it was updated, and all of each row that is read is checked. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#define ROWS       1200000u
#define CATALOGUE  600000u /* of them, the first; 250 MiB */
#define GROUP      100u    /* 42 KiB */
#define CUSTOMERS  ((ROWS - CATALOGUE) / GROUP)
#define QUIET      30u
#define PRESENT    (CUSTOMERS / QUIET * GROUP) /* rows of those who are there */
#define WORDS      48u                         /* of a row */
#define EXPONENT   0.99
#define STRAY      1000u
#define UPDATE     10u
#define STATEMENTS 20000u

static sqlite3 *database;
static sqlite3_stmt *insert_row, *read_row, *update_row;
static uint32_t *updates;             /* of each row */
static uint32_t customers[CUSTOMERS]; /* those who are there first */
static uint64_t state = 88172645463325252, wrong;

/* Marsaglia's xorshift of 64 bits (13, 7, 17). */
static uint64_t
draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void
fill(uint32_t key, uint64_t *words)
{
    uint64_t seed = ((uint64_t) key << 32 | updates[key]) * UINT64_C(0x9e3779b97f4a7c15);

    for (unsigned i = 0; i < WORDS; i++)
        words[i] = seed ^ i * UINT64_C(0xda942042e4dd58b5);
}

static void
require(int result, int wanted, const char *what)
{
    if (result == wanted)
        return;
    printf("sqlite: %s: %s\n", what, sqlite3_errmsg(database));
    for (;;)
        pause();
}

static sqlite3_stmt *
prepare(const char *text)
{
    sqlite3_stmt *statement = NULL;

    require(sqlite3_prepare_v2(database, text, -1, &statement, NULL), SQLITE_OK, text);
    return statement;
}

/* Rank 0 to PRESENT - 1 by Zipf's law, nearly: by the integral of x^-EXPONENT, not its sum. */
static uint32_t
draw_rank(void)
{
    double most = (pow(PRESENT + 1.0, 1 - EXPONENT) - 1) / (1 - EXPONENT);
    double at = (double) (draw() >> 11) / 9007199254740992.0 * most;
    double rank = pow(at * (1 - EXPONENT) + 1, 1 / (1 - EXPONENT)) - 1;

    return rank < PRESENT ? (uint32_t) rank : PRESENT - 1;
}

static void
shuffle_customers(void)
{
    for (uint32_t i = 0; i < CUSTOMERS; i++) {
        uint32_t other = (uint32_t) (draw() % (i + 1));

        customers[i] = customers[other];
        customers[other] = i;
    }
}

static uint32_t
draw_key(void)
{
    uint32_t rank;

    if (draw() % 2 == 0)
        return (uint32_t) (draw() % CATALOGUE);
    if (draw() % STRAY == 0)
        return CATALOGUE + (uint32_t) (draw() % (ROWS - CATALOGUE));
    rank = draw_rank();
    return CATALOGUE + customers[rank / GROUP] * GROUP + rank % GROUP;
}

static void
make_table(void)
{
    uint64_t words[WORDS];

    require(sqlite3_open(":memory:", &database), SQLITE_OK, "open");
    require(sqlite3_exec(database, "create table rows (key integer primary key, words blob); begin",
                         NULL, NULL, NULL),
            SQLITE_OK, "create");
    insert_row = prepare("insert into rows values (?, ?)");
    for (uint32_t key = 0; key < ROWS; key++) {
        fill(key, words);
        sqlite3_bind_int64(insert_row, 1, key);
        sqlite3_bind_blob(insert_row, 2, words, sizeof(words), SQLITE_STATIC);
        require(sqlite3_step(insert_row), SQLITE_DONE, "insert");
        sqlite3_reset(insert_row);
    }
    require(sqlite3_exec(database, "commit", NULL, NULL, NULL), SQLITE_OK, "commit");
    read_row = prepare("select words from rows where key = ?");
    update_row = prepare("update rows set words = ? where key = ?");
}

static void
read_one(uint32_t key)
{
    uint64_t words[WORDS];

    fill(key, words);
    sqlite3_bind_int64(read_row, 1, key);
    require(sqlite3_step(read_row), SQLITE_ROW, "select");
    wrong += sqlite3_column_bytes(read_row, 0) != sizeof(words) ||
             memcmp(sqlite3_column_blob(read_row, 0), words, sizeof(words)) != 0;
    sqlite3_reset(read_row);
}

static void
update_one(uint32_t key)
{
    uint64_t words[WORDS];

    updates[key]++;
    fill(key, words);
    sqlite3_bind_blob(update_row, 1, words, sizeof(words), SQLITE_STATIC);
    sqlite3_bind_int64(update_row, 2, key);
    require(sqlite3_step(update_row), SQLITE_DONE, "update");
    sqlite3_reset(update_row);
}

int
main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    updates = calloc(ROWS, sizeof(*updates));
    if (!updates)
        return 1;
    shuffle_customers();
    make_table();
    printf("sqlite: ready, %lld MiB\n", (long long) sqlite3_memory_used() >> 20);
    for (size_t round = 1;; round++) {
        for (unsigned i = 0; i < STATEMENTS; i++) {
            uint32_t key = draw_key();

            if (draw() % UPDATE == 0)
                update_one(key);
            else
                read_one(key);
        }
        printf("sqlite: round %zu wrong %llu\n", round, (unsigned long long) wrong);
    }
}
