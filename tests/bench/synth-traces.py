#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes up traces for heat-replay: synth-traces.py OUTPUT-DIR SEED TRACE-WINDOWS [NAME...]

What programs do to memory, as accesses expected of each sub-page in each trace window, from which
Poisson counts are drawn: phases, scans, rings, logs, moving sets, collectors, sleepers, and guests
that are several of these side by side. Most are meant to be hard: blocks that look sparse turn
dense, and not all of that can be foreseen. Without names, all. Needs python3-numpy.
"""

import lzma
import sys
import zlib

import numpy as np

PAGES = 512
SCENARIOS = {}


def scenario(make, name=None, **options):
    """make(rng, windows, **options) yields an array of blocks x PAGES for each trace window."""
    SCENARIOS[name or make.__name__.replace('_', '-')] = lambda rng, windows: make(rng, windows, **options)
    return make


def few(rng, blocks, low, high, rate):
    """low to high hot sub-pages in each block, log-uniform, at uneven rates."""
    rates = np.zeros((blocks, PAGES))
    for block in rates:
        n = int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))
        block[rng.permutation(PAGES)[:n]] = rate * rng.lognormal(0, 1, n)
    return rates


def zipf(n, power):
    weights = 1 / np.arange(1, n + 1) ** power
    return weights / weights.sum()


@scenario
def zipf_static(rng, windows, blocks=150, accesses=2e6):
    rates = rng.permutation(zipf(blocks * PAGES, .99) * accesses).reshape(blocks, PAGES)
    for _ in range(windows):
        yield rates


@scenario
def zipf_cluster(rng, windows, blocks=120, accesses=1e6):
    """A sixth of the sub-pages is ever used."""
    rates = np.zeros(blocks * PAGES)
    used = len(rates) // 6
    rates[rng.permutation(len(rates))[:used]] = zipf(used, 1.1) * accesses
    for _ in range(windows):
        yield rates.reshape(blocks, PAGES)


@scenario
def zipf_drift(rng, windows, blocks=150, accesses=1e6):
    """What is popular changes places, a few hundred sub-pages each window."""
    rates = rng.permutation(zipf(blocks * PAGES, 1.) * accesses)
    for _ in range(windows):
        yield rates.reshape(blocks, PAGES)
        swap = rng.permutation(len(rates))[:len(rates) // 200]
        rates[swap] = rates[rng.permutation(swap)]


@scenario
def uniform(rng, windows, blocks=300, accesses=1e6):
    for _ in range(windows):
        yield np.full((blocks, PAGES), accesses / blocks / PAGES)


@scenario
def uniform_slow(rng, windows, blocks=400):
    """Dense over time, from one access in fifty windows to each sub-page, beside a busy few."""
    rates = np.full((blocks, PAGES), .02)
    rates[:20] = 50
    for _ in range(windows):
        yield rates


def few_sweep(rng, windows, period, blocks=200):
    rates = few(rng, blocks, 1, 4, 3000)
    for t in range(windows):
        now = rates.copy()
        if t % period == period - 1:
            now[rng.integers(blocks)] += 64
        yield now


def sweep(rng, windows, period, blocks=100):
    """Filled, then sparse, then all of it scanned every so often."""
    rates, length = few(rng, blocks, 1, 30, 1000), max(1, period // 15)
    for t in range(windows):
        now = rates.copy()
        if t < 5:
            now[t * blocks // 5:(t + 1) * blocks // 5] += 64
        elif t > 10 and t % period < length:
            part = t % period
            now[part * blocks // length:(part + 1) * blocks // length] += 64
        yield now


@scenario
def late_sweep(rng, windows, blocks=100):
    """The same, watched from later on: the first scan comes out of the blue."""
    rates = few(rng, blocks, 1, 30, 1000)
    rates[:30] += 30
    for t in range(windows):
        yield rates + (64 if t >= .4 * windows and t % 20 < 2 else 0)


def ring(rng, windows, lap, blocks):
    """Written through in lap windows, one sub-page of each block in use all the time."""
    for t in range(windows):
        now = np.zeros((blocks, PAGES))
        now[:, 1] = 500
        flat, at, step = now.reshape(-1), int(t * blocks / lap * PAGES), int(blocks / lap * PAGES)
        flat[np.arange(at, at + step) % len(flat)] += 64
        behind = at - (rng.random(20000) ** 3 * 8 * PAGES).astype(int)
        np.add.at(flat, behind[behind >= 0] % len(flat), 8)
        yield now


@scenario
def log_append(rng, windows):
    """A log that grows; the younger a part, the more it is read."""
    blocks = windows + 10
    hot = few(rng, blocks, 1, 6, 300)
    for t in range(windows):
        now, front = np.zeros((blocks, PAGES)), int(t * .9)
        now[:front] = hot[:front]
        now[front] = 64
        read = front * PAGES - (rng.random(3000) ** 4 * front * PAGES).astype(int)
        np.add.at(now.reshape(-1), np.maximum(0, read), 10)
        yield now


@scenario
def growth_slow(rng, windows, blocks=120):
    """Footprints that grow by a fraction of a sub-page to three a window."""
    order = np.array([rng.permutation(PAGES) for _ in range(blocks)]).argsort(1)
    pace, start = rng.uniform(.05, 3, blocks), rng.uniform(-windows, windows, blocks)
    pace[:20], start[:20] = 3, -1000
    for t in range(windows):
        yield 40. * (order < (np.maximum(0, t - start) * pace)[:, None])


def phases(rng, windows, length, blocks=150):
    """In each phase another quarter of the blocks is dense."""
    rates = few(rng, blocks, 1, 20, 500)
    for t in range(windows):
        if t % length == 0:
            dense = rng.random(blocks) < .25
        yield rates + dense[:, None] * rng.uniform(5, 60)


@scenario
def phases_new(rng, windows, blocks=200, length=20):
    """Each phase works on fresh memory and leaves a few sub-pages in use."""
    rates, n = few(rng, blocks, 1, 20, 500), blocks // (windows // length + 1)
    for t in range(windows):
        now, phase = np.zeros((blocks, PAGES)), t // length
        now[:phase * n] = rates[:phase * n]
        now[phase * n:(phase + 1) * n] = 50
        yield now


@scenario
def own_period(rng, windows, blocks=150):
    rates = few(rng, blocks, 1, 10, 500)
    period, shift, length = (rng.integers(*of, blocks) for of in ((15, 200), (0, 200), (1, 15)))
    for t in range(windows):
        yield rates + 50 * ((t + shift) % period < length)[:, None]


def wake_up(rng, windows, filled, blocks=120):
    """Idle but for some, then most or a third of it is at work; filled in sight, or before."""
    rates, wakes = few(rng, blocks, 1, 3, 200), rng.random(blocks) < (.6 if filled else .3)
    if not filled:
        rates[-10:] = 40
    for t in range(windows):
        awake = t > .55 * windows or (filled and t < 6)
        yield rates + awake * rng.uniform(20, 60) * wakes[:, None]


@scenario
def collector(rng, windows, half=60, length=18):
    """Two half spaces, the living copied to and fro, the rest filled by a front."""
    live = few(rng, 2 * half, 5, 60, 300)
    for t in range(windows):
        now, origin = np.zeros((2 * half, PAGES)), t // length % 2 * half
        front = origin + half // 4 + int(t % length / length * (half - half // 4))
        now[origin:origin + half // 4] = live[origin:origin + half // 4]
        now[front - 1:min(front + 3, origin + half)] += 64
        if t % length == 0:
            now[half - origin:2 * half - origin] += 30
            now[origin:origin + half // 4] += 64
        yield now


@scenario
def compaction(rng, windows, blocks=150):
    """From a third on, a compactor goes through it, two blocks a window, with rests."""
    rates, at = few(rng, blocks, 2, 40, 400), 0
    rates[:15] += 30
    for t in range(windows):
        now = rates.copy()
        if t < 8:
            now[t * 20:(t + 1) * 20] += 64
        elif t > .3 * windows and t % 30 < 20:
            now[[at % blocks, (at + 1) % blocks]] += 64
            at += 2
        yield now


@scenario
def broad(rng, windows, blocks=200):
    """Everything from one hot sub-page to all."""
    rates = few(rng, blocks, 1, PAGES, 1) * rng.lognormal(2, 1, (blocks, 1))
    for _ in range(windows):
        yield rates * rng.lognormal(0, .3, (blocks, 1))


@scenario
def broad_tail(rng, windows, blocks=150):
    """Hot sub-pages and a thin even tail that samples hardly show."""
    rates = few(rng, blocks, 1, 100, 200) + 10 ** rng.uniform(-4, 0, (blocks, 1))
    for _ in range(windows):
        yield rates


@scenario
def moving(rng, windows, blocks=150, width=20):
    for t in range(windows):
        now = np.zeros((blocks, PAGES))
        now[:, 17] = 200
        now[(np.arange(width) + int(t * .8)) % blocks] += np.linspace(5, 60, width)[:, None]
        yield now


@scenario
def moving_anywhere(rng, windows, blocks=150):
    rates, dense = few(rng, blocks, 1, 6, 200), list(rng.permutation(blocks)[:25])
    for t in range(windows):
        now = rates.copy()
        now[dense] += 30
        yield now
        if t % 3 == 0:
            dense = dense[1:] + [int(rng.integers(blocks))]


@scenario
def sessions(rng, windows, blocks=120):
    """64 sub-pages each: filled at the start, a few of them used for a while."""
    n = blocks * PAGES // 64
    left, hot = np.zeros(n, int), few(rng, n, 1, 5, 100)[:, :64]
    for _ in range(windows):
        starts = rng.integers(0, n, 40)
        left[starts] = rng.integers(5, 60, 40)
        now = hot * (left > 0)[:, None]
        now[starts] += 20
        left = np.maximum(0, left - 1)
        yield now.reshape(blocks, PAGES)


@scenario
def night_batch(rng, windows, blocks=140):
    """A service, and a job every 35 windows on memory that is nearly idle in between."""
    rates = few(rng, blocks, 1, 25, 800)
    rates[:40], rates[:40, 3] = 0, 100
    for t in range(windows):
        now = rates.copy()
        now[:40] += 40 * (t % 35 < 6)
        yield now


@scenario
def table_scans(rng, windows, blocks=180):
    """Hot index pages, and scans of a part of the rest at random times."""
    rates, scan = few(rng, blocks, 1, 40, 600), []
    rates[:20] += 40
    for t in range(windows):
        now = rates.copy()
        if t < 9:
            now[20 * t:20 * t + 20] += 32
        if not scan and rng.random() < .06:
            first = int(rng.integers(20, blocks))
            scan = list(range(first, min(blocks, first + int(rng.integers(10, 80)))))
        now[scan[:8]] += 16
        scan = scan[8:]
        yield now


def mixed(rng, windows, parts):
    guests = [SCENARIOS[part](np.random.default_rng(rng.integers(1 << 30)), windows) for part in parts]
    for _ in range(windows):
        yield np.concatenate([next(guest) for guest in guests])


for every in (1, 3, 7, 20):
    scenario(few_sweep, f'few-sweep-{every}', period=every)
for every in (12, 30, 45, 60, 100):
    scenario(sweep, f'sweep-{every}', period=every)
for every in (10, 25, 35, 60):
    scenario(phases, f'phases-{every}', length=every)
for every, size in ((12, 200), (40, 120), (150, 100)):
    scenario(ring, f'ring-{every}', lap=every, blocks=size)
scenario(wake_up, 'wake-up', filled=True)
scenario(wake_up, 'wake-up-unseen', filled=False)
for number, several in enumerate((
        'zipf-static ring-40', 'few-sweep-7 phases-25', 'broad log-append sessions', 'collector zipf-cluster',
        'compaction moving uniform', 'wake-up broad', 'table-scans growth-slow',
        'late-sweep zipf-drift night-batch', 'own-period broad-tail phases-new')):
    scenario(mixed, f'mixed-{number + 1}', parts=several.split())


def write(name, seed, windows, path):
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    scale = np.exp(rng.uniform(np.log(.5), np.log(4)))
    with lzma.open(path, 'wt', preset=0) as out:
        for t, rates in enumerate(SCENARIOS[name](rng, windows)):
            counts = rng.poisson(rates * scale)
            for block in counts.any(1).nonzero()[0]:
                pages = counts[block].nonzero()[0]
                touches = ' '.join(map('%d:%d'.__mod__, zip(pages.tolist(), counts[block, pages].tolist())))
                out.write(f'{t}\t{0x20000 + block:x}\t{touches}\n')


def main():
    if len(sys.argv) < 4 or not set(sys.argv[4:]) <= set(SCENARIOS):
        sys.exit(__doc__ + '\nnames: ' + ' '.join(SCENARIOS))
    for name in sys.argv[4:] or SCENARIOS:
        write(name, int(sys.argv[2]), int(sys.argv[3]), f'{sys.argv[1]}/s-{name}.tsv.xz')
        print(name, flush=True)


if __name__ == '__main__':
    main()
