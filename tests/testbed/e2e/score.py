# SPDX-License-Identifier: LGPL-2.1-or-later
"""Judges a run of this suite by the truth, from the files that the run left.

score.py [--any-program] DIRECTORY

Prints all figures, and ends with status 1 when a limit is not kept. --any-program: of a program of
which nothing is known beforehand only what holds for any is a limit.

Truth, of a block in a window: sparse when the guest accessed 1 to 51 of its 512 sub-pages, dense
when it accessed 128 or more, idle when none. A decision's windows are those for which its verdict
had stood, two or more. A block that was split was truly sparse when it was in each of them, dense
when it was so in any of them, and counts for neither when it was idle in some of them and sparse in
the others. Of the blocks that are there in the end (and before the set
moves) those count as truly sparse that were in each of the last two windows.
"""
import argparse
import json
import os
import re
import sys
from collections import Counter, defaultdict
from datetime import datetime, timezone

SPARSE_MOST = 51
DENSE_LEAST = 128
HELD = 2  # FOLIO_PLAN_HELD
BLOCK_BYTES = 2 << 20
RAM_BASE = 0x40000000  # of QEMU's machine "virt"
TICKS = 100  # a second, of /proc/PID/stat
GROUPS = (1, 2, 4, 16, 51)

# Limits
PRECISION = 0.95
RECALL = 0.80
WINDOWS = 20
LEAST_SPARSE, LEAST_DENSE, LEAST_IDLE = 200, 100, 100


def lines(directory, name):
    with open(os.path.join(directory, name), encoding='utf-8', errors='replace') as file:
        return file.read().splitlines()


class Run:
    """What is in the files."""

    def __init__(self, directory):
        self.records = read_records(lines(directory, 'records'))
        self.windows = [window for window in sorted(self.records) if window > 0]
        self.blocks = len(self.records[0]['blocks'])
        self.use = defaultdict(dict)  # window -> block -> (pages, accesses, host accesses)
        for line in lines(directory, 'uses'):
            window, block, pages, accesses, _, host = map(int, line.split())
            self.use[window][block] = (pages, accesses, host)
        self.ends = read_ends(directory)
        self.shows, self.moved_usec, ended = read_shows(lines(directory, 'shows'))
        if ended:
            self.windows = [window for window in self.windows if self.records[window]['cut'] <= ended]
        self.costs = read_costs(lines(directory, 'costs'))
        self.steps = list(read_steps(lines(directory, 'foliod.log'), self))
        self.console = lines(directory, 'guest.console')
        self.explained = {}
        for when in ('before', 'after'):
            path = os.path.join(directory, 'explained.' + when)
            if os.path.exists(path):
                with open(path, encoding='utf-8') as file:
                    self.explained[when] = json.load(file)['blocks']

    def kind(self, window, block):
        """Truly idle, sparse, dense, or between the two."""
        pages = self.use[window].get(block, (0, 0, 0))[0]
        if pages == 0:
            return 'idle'
        if pages <= SPARSE_MOST:
            return 'sparse'
        return 'dense' if pages >= DENSE_LEAST else 'between'

    def window_at(self, usec):
        """The last that had ended at a time."""
        return max((window for window, end in self.ends.items() if end <= usec), default=0)

    def is_split(self, window, block):
        return self.records[window]['blocks'][block][0] not in ('9', 'gone')


def read_records(text):
    """window -> when it was cut, when all was noted, and of each block its order and mapping."""
    records = {}
    for line in text:
        words = line.split()
        if words[0] == 'window':
            record = {'cut': int(words[5]), 'blocks': [],
                      **{words[i]: int(words[i + 1]) for i in range(6, len(words) - 1, 2)}}
            window = int(words[1])
        elif words[0] == 'block':
            record['blocks'].append((words[2], words[3]))
        elif words[0] == 'end':
            record['end'] = int(words[1])
            records[window] = record
    return records


def read_ends(directory):
    """When foliod's windows ended, by its own clock."""
    with open(os.path.join(directory, 'heat.json'), encoding='utf-8') as file:
        heat = json.load(file)
    ends = heat['history_ended_usec']
    first = heat['windows'] - len(ends) + 1
    return {first + i: end for i, end in enumerate(ends)}


def read_shows(text):
    shows, moved, ended = {}, None, None
    for line in text:
        words = line.split()
        if words[0] == 'moved':
            moved = int(words[1])
        elif words[0] == 'ended':
            ended = int(words[1])
        else:
            shows[int(words[1])] = dict(word.split('=', 1) for word in words[2:])
    return shows, moved, ended


def read_costs(text):
    costs = {}
    for line in text:
        words = line.split()
        costs[int(words[0])] = {'nsec': int(words[1]),
                                **{words[i]: int(words[i + 1]) for i in range(2, len(words) - 1, 2)}}
    return costs


STEP = re.compile(r'(\d+):(\d+):(\d+)\.(\d+): guest: block (\d+): (split|collapse) to order (\d+): '
                  r'.* for (\d+) windows?; (\d+) sub-pages seen')


def read_steps(text, run):
    """(window that had ended, action, block, windows that the verdict stood), as foliod logs them."""
    day = datetime.fromtimestamp(run.records[0]['cut'] / 1e6, timezone.utc).replace(
        hour=0, minute=0, second=0, microsecond=0).timestamp()
    for line in text:
        match = STEP.search(line)
        if not match:
            continue
        hour, minute, second, msec, block, _, held, _ = (
            int(match[i]) for i in (1, 2, 3, 4, 5, 7, 8, 9))
        usec = int((day + hour * 3600 + minute * 60 + second) * 1e6 + msec * 1e3)
        if usec < run.records[0]['cut'] - 3600e6:
            usec += int(86400e6)
        yield run.window_at(usec), match[6], block, held


def decision_windows(run, window, held):
    """Those that were recorded one by one of the last for which the verdict stood."""
    return [w for w in range(max(window - max(held, HELD) + 1, 1), window + 1) if w in run.records]


def judge_splits(run):
    """Of all splits: right, dense, otherwise wrong; the wrong ones one by one."""
    counts, wrong = Counter(), []
    for window, action, block, held in run.steps:
        if action != 'split':
            continue
        kinds = [run.kind(w, block) for w in decision_windows(run, window, held)]
        counts['splits'] += 1
        if 'dense' in kinds:
            counts['dense'] += 1
        if kinds and all(kind == 'sparse' for kind in kinds):
            counts['right'] += 1
        elif kinds and all(kind in ('sparse', 'idle') for kind in kinds):
            counts['idle'] += 1
        else:
            wrong.append((block, window, [run.use[w].get(block, (0,))[0]
                                          for w in decision_windows(run, window, held)]))
    return counts, wrong


def phases(run):
    """(name, windows) before and after the move; the window in which it moved is in neither."""
    if run.moved_usec is None:
        return [('in the end', run.windows)]
    before = [w for w in run.windows if run.records[w]['cut'] <= run.moved_usec]
    after = [w for w in run.windows if w not in before][1:]
    return [('before the move', before), ('after the move', after)]


def stand_of(run, windows):
    """The blocks by what they truly were in each of the last two windows."""
    last = windows[-HELD:]
    kinds = defaultdict(list)
    for block in range(run.blocks):
        seen = {run.kind(w, block) for w in last}
        kinds[seen.pop() if len(seen) == 1 else 'changing'].append(block)
    return kinds


def group_of(pages):
    return next(group for group in GROUPS if pages <= group)


def count_by_pages(run, window, blocks):
    groups = Counter(group_of(run.use[window][block][0]) for block in blocks)
    return [groups[group] for group in GROUPS]


def percentiles(values):
    values = sorted(values)
    if not values:
        return 'none'
    return ' / '.join(f'{values[min(int(len(values) * p / 100), len(values) - 1)]:.0f}'
                      for p in (10, 50, 90))


class Judgement:
    """Prints figures, and knows whether all limits were kept."""

    def __init__(self):
        self.failed = []

    def figure(self, name, value):
        print(f'  {name:<46} {value}')

    def limit(self, name, value, kept):
        self.figure(name, f'{value}{"" if kept else "   NOT KEPT"}')
        if not kept:
            self.failed.append(name)


def share(part, whole):
    return f'{part} of {whole}' + (f', {100 * part / whole:.1f}%' if whole else '')


def print_phase(judgement, run, name, windows, known, explained):
    kinds = stand_of(run, windows)
    last = windows[-1]
    split = [block for block in kinds['sparse'] if run.is_split(last, block)]
    dense_split = [block for block in kinds['dense'] if run.is_split(last, block)]
    print(f'\n{name}, windows {windows[0]} to {last}:')
    if known:
        judgement.limit('windows', f'{len(windows)}, at most {WINDOWS}', len(windows) <= WINDOWS)
    judgement.figure('truly idle / changing / between', ' / '.join(
        str(len(kinds[kind])) for kind in ('idle', 'changing', 'between')))
    judgement.figure('truly dense, of these split', share(len(dense_split), len(kinds['dense'])))
    judgement.figure('truly sparse with 1, 2, 3-4, 5-16, 17-51 pages', ' '.join(
        map(str, count_by_pages(run, last, kinds['sparse']))))
    judgement.figure('of these split', ' '.join(map(str, count_by_pages(run, last, split))))
    recall = len(split) / len(kinds['sparse']) if kinds['sparse'] else 0
    text = share(len(split), len(kinds['sparse'])) + ' of the truly sparse'
    if known:
        judgement.limit('split', text, recall >= RECALL)
        for kind, least in (('sparse', LEAST_SPARSE), ('dense', LEAST_DENSE), ('idle', LEAST_IDLE)):
            judgement.limit(f'truly {kind}, at least {least}', len(kinds[kind]), len(kinds[kind]) >= least)
    else:
        judgement.figure('split', text)
    print_recall(run, windows)
    print_samples(judgement, run, windows)
    for verdict in ('sparse', 'dense', 'undecided'):
        seen = [block['sightings'] for block in explained if block['verdict'] == verdict]
        judgement.figure(f'epochs and sub-pages seen, of {len(seen)} {verdict}', percentiles(seen))


def print_recall(run, windows):
    """Window by window, of those that were sparse in it and the one before."""
    line = []
    for before, window in zip(windows, windows[1:]):
        sparse = [b for b in range(run.blocks)
                  if run.kind(before, b) == run.kind(window, b) == 'sparse']
        n = sum(run.is_split(window, b) for b in sparse)
        line.append(f'{100 * n / len(sparse):.0f}' if sparse else '-')
    print('  % of the truly sparse that are split, by window  ' + ' '.join(line))


def print_samples(judgement, run, windows):
    window = windows[-1]
    shown = [w for w in windows if w in run.shows]
    first, show = run.shows[shown[0]], run.shows[shown[-1]]
    period = run.records[window].get('period', 0)
    active = [use[1] for use in run.use[window].values() if use[0] > 0]
    judgement.figure('period, accesses a sample', ', '.join(str(p) for p in sorted(
        {run.records[w].get('period', 0) for w in windows})))
    judgement.figure('samples due a block and window, p10 / 50 / 90',
                     percentiles([n / max(period, 1) for n in active]))
    n = max(shown[-1] - shown[0], 1)
    for name in ('samples', 'unmapped_samples', 'lost_samples'):
        judgement.figure(f'{name.replace("_", " ")} a window',
                         f'{(int(show[name]) - int(first[name])) / n:.0f}')


def print_formers(judgement, run, before, after):
    """Blocks that were sparse before the set moved, and are dense since."""
    formers = [block for block in stand_of(run, before)['sparse']
               if run.is_split(before[-1], block) and
               all(run.kind(w, block) == 'dense' for w in after)]
    still = [block for block in formers if run.is_split(after[-1], block)]
    print()
    judgement.limit('formerly sparse, split, dense now: collapsed', share(
        len(formers) - len(still), len(formers)), not formers or len(still) <= len(formers) // 20)


def print_costs(judgement, run):
    windows = sorted(run.costs)[1:]
    first, last = run.costs[windows[0]], run.costs[windows[-1]]
    seconds = (last['nsec'] - first['nsec']) / 1e9

    def core(name):
        return f'{(last.get(name, 0) - first.get(name, 0)) / TICKS / seconds * 100:.2f}% of a core'

    print('\nfoliod itself, emulated:')
    judgement.figure('all / the sampling thread', f'{core("all")} / {core("sampler")}')
    judgement.figure('RSS / most', f'{last["rss"]} / {last["hwm"]} kB')


def print_times(judgement, run):
    lags = [(run.records[w]['cut'] - run.ends[w]) / 1e3 for w in run.windows if w in run.ends]
    lengths = [(run.ends[w] - run.ends[w - 1]) / 1e6 for w in run.ends if w - 1 in run.ends]
    looks = [(record['end'] - record['cut']) / 1e3 for record in run.records.values()]
    missed = run.windows[-1] - len(run.windows)
    print('the run:')
    judgement.figure('blocks of the guest', run.blocks)
    judgement.figure('windows, of these not cut by themselves', f'{run.windows[-1]}, {missed}')
    judgement.figure('seconds a window, p10 / 50 / 90', percentiles(lengths))
    judgement.figure("lag of the truth's cuts, ms, p10 / 50 / 90", percentiles(lags))
    judgement.figure('looking at the blocks, ms, p10 / 50 / 90', percentiles(looks))


def print_wrong(run, wrong):
    for block, window, pages in wrong[:20]:
        print(f'    block {block} after window {window}: {" ".join(map(str, pages))} sub-pages in the decision\'s '
              'windows')


def print_guest(judgement, run):
    text = '\n'.join(run.console)
    wrong = [int(n) for n in re.findall(r'^(?:patchwork|sqlite): .*wrong (\d+)', text, re.MULTILINE)]
    if wrong:
        judgement.limit('wrong words that the guest read', max(wrong), max(wrong) == 0)
    ended = re.findall(r'starter: (exit|signal) (\d+)', text)
    if ended:
        judgement.limit("end of the guest's program", ' '.join(ended[-1]), ended[-1] == ('exit', '0'))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--any-program', action='store_true')
    parser.add_argument('directory')
    arguments = parser.parse_args()
    run = Run(arguments.directory)
    judgement = Judgement()
    known = not arguments.any_program
    print_times(judgement, run)
    stretches = [(name, windows) for name, windows in phases(run) if len(windows) >= HELD]
    for (name, windows), when in zip(stretches, ('before', 'after')):
        print_phase(judgement, run, name, windows, known, run.explained.get(when, []))
    if len(stretches) == 2:
        print_formers(judgement, run, stretches[0][1], stretches[1][1])
    counts, wrong = judge_splits(run)
    right, splits = counts['right'], counts['splits'] - counts['idle']
    print('\nall decisions:')
    # Of a few splits one may be wrong: less than that cannot be told from none.
    kept = right >= PRECISION * splits or (arguments.any_program and splits - right <= 1)
    judgement.limit('truly sparse when they were split', share(right, splits), kept)
    judgement.limit('dense when they were split', counts['dense'], counts['dense'] == 0)
    print_wrong(run, wrong)
    judgement.figure('idle in some window of the decision, not counted', counts['idle'])
    judgement.figure('collapses', sum(step[1] == 'collapse' for step in run.steps))
    print_guest(judgement, run)
    print_costs(judgement, run)
    if judgement.failed:
        print('\nnot kept: ' + '; '.join(judgement.failed))
    sys.exit(bool(judgement.failed))


if __name__ == '__main__':
    main()
