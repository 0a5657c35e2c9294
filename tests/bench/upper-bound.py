#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much of the oracle's score could a rule reach that knows only the past, but all of it?

For each block and window of recorded traces, takes what happened up to then from the exact counts,
not from samples, and lets gradient-boosted trees learn from it what follows. Two bounds come out:

  other programs   learnt on the other programs' traces: what a rule made beforehand could do;
  other blocks     learnt on half of the same trace's blocks, tried on the other half, over the same
                   windows: it knows when this very program changes its ways, as no rule can.

Each is given twice: with harmful at most 1%, the threshold chosen in hindsight, and with no such
limit (split whatever promises a positive net). Needs python3-numpy and python3-sklearn.
"""

import lzma
import os
import sys

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

EPOCHS = 10
SUB_PAGES = 512
MOST_WINDOWS = 150


def read(path):
    """Epochs x blocks x sub-pages: accessed or not."""
    rows = []
    with (lzma.open if path.endswith('.xz') else open)(path, 'rt') as lines:
        for line in lines:
            if line[0] == '#':
                continue
            epoch, block, touches = line.rstrip('\n').split('\t')
            if int(epoch) >= MOST_WINDOWS * EPOCHS:
                break
            rows.append((int(epoch), block, [int(t.split(':')[0]) for t in touches.split()]))
    index = {block: i for i, block in enumerate(dict.fromkeys(row[1] for row in rows))}
    seen = np.zeros((rows[-1][0] + 1, len(index), SUB_PAGES), bool)
    for epoch, block, pages in rows:
        seen[epoch, index[block], pages] = True
    return seen


def past_and_future(seen):
    """What was known at the end of each window of each active block, and what came of it."""
    n = len(seen) // EPOCHS
    windows = seen[:n * EPOCHS].reshape(n, EPOCHS, *seen.shape[1:])
    used = windows.any(1)
    blocks = seen.shape[1]
    life = np.zeros((blocks, SUB_PAGES), int)
    age, quiet, most, average, before, earlier = np.zeros((6, blocks))
    known, future, where = [], [], []
    for w in range(n - 2):
        epochs = windows[w].sum(0)
        now = used[w].sum(1)
        fresh = (used[w] & (life == 0)).sum(1)
        life += used[w]
        age += (age > 0) | (now > 0)
        dense = now >= 128
        quiet = np.where(dense, 0, quiet + 1)
        most = np.maximum(most, now)
        average += np.where(age <= 1, 1, .25) * (now - average)
        late = (used[w] & ~windows[w, :7].any(0)).sum(1)
        again = (used[w] & used[w - 1]).sum(1) if w else 0 * now
        columns = [now, fresh, (life > 0).sum(1), (life == 1).sum(1), (life == 2).sum(1), age, quiet,
                   most, average, before, earlier, again, late, (epochs == 1).sum(1),
                   (epochs == 2).sum(1), epochs.sum(1), windows[w].any(2).sum(0),
                   np.full(blocks, dense[now > 0].mean() if now.any() else 0)]
        active = now > 0
        known.append(np.stack(columns, 1)[active])
        future.append((used[w + 1] | used[w + 2]).sum(1)[active])
        where.append(active.nonzero()[0])
        earlier, before = before, now
    return np.concatenate(known), np.concatenate(future), np.concatenate(where)


def learn(known, future, weights=None, leaves=10):
    options = {'max_iter': 60, 'learning_rate': .2, 'max_leaf_nodes': leaves, 'early_stopping': False}
    hot = HistGradientBoostingRegressor(**options).fit(known, future, weights)
    if len(np.unique(future >= 128)) < 2:
        return lambda x: (np.full(len(x), float(future[0] >= 128)), hot.predict(x))
    harm = HistGradientBoostingClassifier(**options).fit(known, future >= 128, weights)
    return lambda x: (harm.predict_proba(x)[:, 1], hot.predict(x))


def scores(future, harm, hot):
    """With harmful at most 1%, with no limit, and harmful in the latter."""
    net, dense = SUB_PAGES - 5 * future, future >= 128
    best = max(1, net[net > 0].sum())
    order = np.argsort(harm, kind='stable')
    allowed = np.cumsum(dense[order]) <= .01 * dense.sum()
    split = hot < SUB_PAGES / 5
    return (max(0, (np.cumsum(net[order]) * allowed).max() / best), net[split].sum() / best,
            (split & dense).sum() / max(1, dense.sum()))


def program_of(path):
    return os.path.basename(path).split('.')[0].split('-')[0]


def from_other_programs(data, path):
    others = [data[p] for p in data if program_of(p) != program_of(path)]
    weights = np.concatenate([np.full(len(known), len(known) ** -.5) for known, _, _ in others])
    predict = learn(np.concatenate([o[0] for o in others]), np.concatenate([o[1] for o in others]),
                    weights)
    return scores(data[path][1], *predict(data[path][0]))


def from_other_blocks(known, future, where):
    harm, hot = np.zeros((2, len(future)))
    for half in (0, 1):
        train, test = where % 2 != half, where % 2 == half
        if train.any() and test.any():
            harm[test], hot[test] = learn(known[train], future[train], leaves=6)(known[test])
    return scores(future, harm, hot)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__ + '\nusage: upper-bound.py TRACE TRACE...')
    data = {path: past_and_future(read(path)) for path in sys.argv[1:]}
    print(f'{"":24} {"other programs":^26} {"other blocks":^26}\n{"trace":24} '
          + 2 * f'{"<= 1%":>8} {"any":>8} {"harmful":>8} ')
    table = []
    for path, past in data.items():
        row = from_other_programs(data, path) + from_other_blocks(*past)
        table.append(row)
        print(f'{os.path.basename(path):24} ' + ' '.join(f'{value:8.3f}' for value in row), flush=True)
    print(f'{"mean":24} ' + ' '.join(f'{value:8.3f}' for value in np.mean(table, 0)))


if __name__ == '__main__':
    main()
