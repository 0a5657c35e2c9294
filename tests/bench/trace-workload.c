/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small programs whose memory accesses are worth recording: what servers, compilers and batch jobs
 * do to memory, each in a few lines. record-traces runs them.
 *
 *   trace-workload NAME [SEED]
 */
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE  4096u
#define BLOCK (2u << 20)

static guint64 state = 88172645463325252u;
static volatile guint64 sink; /* keeps the compiler from dropping reads */

static guint64
next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static guint64
below(guint64 n)
{
    return next_random() % n;
}

/* Skewed to small values: n u^power. */
static guint64
skewed(guint64 n, double power)
{
    return (guint64) ((double) n * pow((double) (next_random() >> 11) / 9007199254740992.0, power));
}

static guint8 *
arena(gsize blocks)
{
    guint8 *memory = aligned_alloc(BLOCK, blocks * BLOCK);

    g_assert(memory);
    return memory;
}

static void
touch(guint8 *memory, gsize offset, guint times)
{
    volatile guint64 *word = (volatile guint64 *) (void *) (memory + (offset & ~(gsize) 7));

    for (guint i = 0; i < times; i++)
        *word += i;
}

static void
scan(guint8 *memory, gsize bytes, gsize stride)
{
    guint64 sum = 0;

    for (gsize i = 0; i < bytes; i += stride)
        sum += *(volatile guint64 *) (void *) (memory + i);
    sink += sum;
}

/* A few hot pages in each block, for ever; now and then a housekeeping pass over one block. */
static void
few_hot_pages(void)
{
    gsize blocks = 200;
    guint8 *memory = arena(blocks);

    memset(memory, 1, blocks * BLOCK / 4);
    for (guint i = 0; i < 40000000; i++) {
        gsize block = below(blocks);

        touch(memory, block * BLOCK + (block * 37 + skewed(1 + block % 4, 1)) % 512 * PAGE, 8);
        if (i % 2000000 == 0)
            scan(memory + below(blocks) * BLOCK, BLOCK, 64);
    }
}

/* A working set that moves on: dense where it is, cold where it was. */
static void
moving_set(void)
{
    gsize blocks = 120, width = 20;
    guint8 *memory = arena(blocks);

    for (guint step = 0; step < 40; step++) {
        gsize base = step * 5 % (blocks - width);

        for (guint i = 0; i < 3000000; i++)
            touch(memory, base * BLOCK + skewed(width * BLOCK, 1.5), 2);
        for (guint i = 0; i < 300000; i++) /* an index of it all: one page a block */
            touch(memory, below(blocks) * BLOCK + 17 * PAGE, 4);
    }
}

/* Sparse service, then a full pass over everything (a backup, a collector), again and again. */
static void
service_and_sweep(void)
{
    gsize blocks = 80;
    guint8 *memory = arena(blocks);

    memset(memory, 1, blocks * BLOCK);
    for (guint round = 0; round < 14; round++) {
        for (guint i = 0; i < 4000000 + below(4000000); i++) {
            gsize block = below(blocks);

            touch(memory, block * BLOCK + (block * 11 + skewed(30, 2)) % 512 * PAGE, 4);
        }
        scan(memory, blocks * BLOCK, 64);
    }
}

/* A ring that is written through once, read near its head, with a hot header in each segment. */
static void
ring_log(void)
{
    gsize blocks = 100, size = blocks * BLOCK, head = 0;
    guint8 *memory = arena(blocks);

    for (guint i = 0; i < 2500000; i++) {
        memset(memory + head % size, (int) i, 256);
        head += 256;
        touch(memory, (head - skewed(MIN(head, 8 * BLOCK), 3)) % size, 8);
        touch(memory, head % size / BLOCK * BLOCK, 4);
        touch(memory, below(blocks) * BLOCK + PAGE, 4);
    }
}

/* Many small objects, most of them freed: what lives on is scattered. */
static void
fragments(void)
{
    guint n = 1500000, live = 0;
    g_autofree guint64 **objects = g_new0(guint64 *, n);

    for (guint phase = 0; phase < 5; phase++) {
        for (guint i = 0; i < n; i++) {
            if (!objects[i])
                objects[i] = g_new0(guint64, 2 + below(12));
        }
        for (guint i = 0; i < n; i++) {
            if (below(1000) != 0)
                g_clear_pointer(&objects[i], g_free);
        }
        live = 0;
        for (guint i = 0; i < n; i++) {
            if (objects[i])
                objects[live++] = objects[i];
        }
        memset(objects + live, 0, (n - live) * sizeof *objects);
        for (guint i = 0; i < 20000000; i++)
            (*objects[skewed(live, 1.3)])++;
    }
}

/* Breadth-first searches over a random graph with hubs. */
static void
graph(void)
{
    guint n = 400000, degree = 12;
    guint32 *edges = g_new(guint32, (gsize) n * degree), *queue = g_new(guint32, n);
    guint8 *seen = g_malloc0(n);

    for (gsize i = 0; i < (gsize) n * degree; i++)
        edges[i] = (guint32) (below(3) ? skewed(n, 2.5) : below(n));
    for (guint search = 1; search <= 12; search++) {
        guint tail = 0;

        queue[tail++] = (guint32) below(n);
        for (guint head = 0; head < tail; head++) {
            for (guint e = 0; e < degree; e++) {
                guint32 to = edges[(gsize) queue[head] * degree + e];

                if (seen[to] != search) {
                    seen[to] = (guint8) search;
                    queue[tail++] = to;
                }
            }
            if (tail == n)
                break;
        }
        /* Queries on the hubs in between. */
        for (guint i = 0; i < 3000000; i++)
            sink += edges[skewed(n / 20, 3) * degree + below(degree)];
    }
}

/* A hash table that grows by doubling while it is read with skew. */
static void
growing_table(void)
{
    gsize used = 0, size = 1 << 16;
    guint64 *table = g_new0(guint64, size);

    for (guint i = 0; i < 12000000; i++) {
        guint64 key = i % 4 == 0 ? used++ : skewed(used, 4);
        gsize at = (key * 0x9E3779B97F4A7C15u) >> 20;

        if (used * 2 > size) {
            guint64 *bigger = g_new0(guint64, size * 2);

            for (gsize j = 0; j < size; j++)
                bigger[(table[j] * 0x9E3779B97F4A7C15u >> 20) % (size * 2)] = table[j];
            g_free(table);
            table = bigger;
            size *= 2;
        }
        table[at % size] += key;
    }
    sink += table[0];
}

/* Uniform random updates: everything is hot, however few samples say so. */
static void
uniform(void)
{
    gsize blocks = 150;
    guint8 *memory = arena(blocks);

    for (guint i = 0; i < 60000000; i++)
        touch(memory, below(blocks * BLOCK), 1);
}

/* Blocked matrix product: dense, moving, with long idle times in between. */
static void
matrices(void)
{
    enum { N = 1100, TILE = 50 };
    double *a = g_new0(double, N *N), *b = g_new0(double, N *N), *c = g_new0(double, N *N);

    for (guint i0 = 0; i0 < N; i0 += TILE)
        for (guint k0 = 0; k0 < N; k0 += TILE)
            for (guint i = i0; i < i0 + TILE; i++)
                for (guint k = k0; k < k0 + TILE; k++)
                    for (guint j = 0; j < N; j += 8)
                        c[i * N + j] += a[i * N + k] * b[k * N + j];
    sink += (guint64) c[0];
}

/* Sessions: each gets some pages when it logs in, uses a few of them, goes quiet, comes back. */
static void
sessions(void)
{
    gsize blocks = 100, per_session = 64 * PAGE;
    guint n = (guint) (blocks * BLOCK / per_session);
    guint8 *memory = arena(blocks);

    for (guint i = 0; i < 600000; i++) {
        gsize session = (i / 400 + skewed(60, 2)) % n;
        gsize base = session * per_session;

        if (below(200) == 0)
            scan(memory + base, per_session, 64);
        for (guint k = 0; k < 30; k++)
            touch(memory, base + skewed(6, 2) * PAGE + below(PAGE), 3);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} workloads[] = {
    { "few-hot-pages", few_hot_pages },
    { "moving-set", moving_set },
    { "service-and-sweep", service_and_sweep },
    { "ring-log", ring_log },
    { "fragments", fragments },
    { "graph", graph },
    { "growing-table", growing_table },
    { "uniform", uniform },
    { "matrices", matrices },
    { "sessions", sessions },
};

int
main(int argc, char **argv)
{
    if (argc > 2)
        state ^= g_ascii_strtoull(argv[2], NULL, 10) << 20;
    for (gsize i = 0; i < G_N_ELEMENTS(workloads); i++) {
        if (argc > 1 && strcmp(argv[1], workloads[i].name) == 0) {
            workloads[i].run();
            return 0;
        }
    }
    fprintf(stderr, "usage: trace-workload NAME [SEED]; NAME is one of");
    for (gsize i = 0; i < G_N_ELEMENTS(workloads); i++)
        fprintf(stderr, " %s", workloads[i].name);
    fputc('\n', stderr);
    return 2;
}
