#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Judges made-up runs by score.py: one that keeps all limits, and others that each break one."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime, timezone

HERE = os.path.dirname(os.path.abspath(__file__))
WINDOWS, MOVED_AFTER = 16, 8
SPARSE, DENSE, IDLE = 220, 110, 210
BLOCKS = SPARSE + DENSE + IDLE
START = 1795830000  # seconds since 1970
SPLIT_IN, COLLAPSED_IN = 4, 13


class MadeUpRun:
    """Blocks [0, SPARSE) are sparse and then dense, SPARSE + [0, DENSE) dense and then sparse."""

    def __init__(self):
        self.pages = {}  # (window, block) -> sub-pages that are not those of the block's kind
        self.split = list(range(200))
        self.split_after = [SPARSE + b for b in range(DENSE)] + [SPARSE + DENSE + b for b in range(90)]
        self.collapsed = list(range(200))
        self.wrong_words = 0

    def kind(self, window, block):
        moved = window > MOVED_AFTER
        if block < SPARSE:
            return 512 if moved else 7
        if block < SPARSE + DENSE:
            return 7 if moved else 512
        return 7 if moved and block < BLOCKS - 110 else 0

    def pages_of(self, window, block):
        return self.pages.get((window, block), self.kind(window, block))

    def order(self, window, block):
        split = block in self.split and window >= SPLIT_IN
        if split and block in self.collapsed and window >= COLLAPSED_IN:
            split = False
        return '0' if split or (block in self.split_after and window >= COLLAPSED_IN) else '9'

    def write(self, directory):
        def put(name, text):
            with open(os.path.join(directory, name), 'w', encoding='utf-8') as file:
                file.write('\n'.join(text) + '\n')

        ends = [START + 10 * window for window in range(WINDOWS + 1)]
        put('records', [line for window, end in enumerate(ends) for line in (
            f'window {window} cut {window + 1} at {end * 1000000 + 200000} period 1024 samples 0 collisions 0 '
            'lost 0',
            *(f'block {block} {self.order(window, block)} - {1000 + block * 512}' for block in range(BLOCKS)),
            f'end {end * 1000000 + 900000}')])
        put('uses', [f'{window} {block} {self.pages_of(window, block)} 1000 0 0'
                     for window in range(1, WINDOWS + 1) for block in range(BLOCKS)
                     if self.pages_of(window, block)])
        put('heat.json', [json.dumps({'windows': WINDOWS,
                                      'history_ended_usec': [end * 1000000 for end in ends[1:]]})])
        put('shows', [f'window {window} samples=1 unmapped_samples=0 lost_samples=0'
                      for window in range(1, WINDOWS + 1)] +
            [f'moved {ends[MOVED_AFTER] * 1000000 + 1000000}'])
        put('costs', [f'{window} {end * 10**9} rss 20000 hwm 21000 all {window * 10} sampler {window * 5}'
                      for window, end in enumerate(ends)])
        put('guest.console', [f'patchwork: checked 540 blocks wrong {self.wrong_words}'])
        put('foliod.log', [self.step(ends[SPLIT_IN - 1], block, 'split') for block in self.split] +
            [self.step(ends[COLLAPSED_IN - 1], block, 'collapse') for block in self.collapsed] +
            [self.step(ends[COLLAPSED_IN - 1], block, 'split') for block in self.split_after])

    @staticmethod
    def step(second, block, action):
        time = datetime.fromtimestamp(second, timezone.utc).strftime('%H:%M:%S') + '.500'
        verdict = 'sparse' if action == 'split' else 'dense'
        return (f'(foliod:1): foliod-DEBUG: {time}: guest: block {block}: {action} to order 0: {verdict} for 2 '
                'windows; 7 sub-pages seen in the last one, about 7 in use, 9 in reach; confidence 0.99')


def score(run, *options):
    with tempfile.TemporaryDirectory() as directory:
        run.write(directory)
        done = subprocess.run([sys.executable, os.path.join(HERE, 'score.py'), *options, directory],
                              capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class Score(unittest.TestCase):
    """What score.py says of each."""

    def broken(self, run, limit, *options):
        status, said = score(run, *options)
        self.assertEqual(status, 1, said)
        self.assertEqual(said.splitlines()[-1], 'not kept: ' + limit)

    def test_all_kept(self):
        status, said = score(MadeUpRun())
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r'truly sparse when they were split +400 of 400')
        self.assertRegex(said, r'split +200 of 220, 90.9% of the truly sparse')
        self.assertRegex(said, r'split +200 of 210, 95.2% of the truly sparse')
        self.assertRegex(said, r'collapsed +200 of 200')
        self.assertRegex(said, r'all / the sampling thread +1.00% of a core / 0.50% of a core')

    def test_dense_block_was_split(self):
        run = MadeUpRun()
        run.pages[(SPLIT_IN - 2, 0)] = 300
        self.broken(run, 'dense when they were split')

    def test_many_were_not_sparse(self):
        run = MadeUpRun()
        for block in range(21):
            run.pages[(SPLIT_IN - 1, block)] = 60
        self.broken(run, 'truly sparse when they were split')

    def test_one_of_few_was_not_sparse(self):
        run = MadeUpRun()
        run.split = run.collapsed = list(range(9))
        run.split_after = []
        run.pages[(SPLIT_IN - 1, 0)] = 60
        self.assertEqual(score(run, '--any-program')[0], 0)
        run.pages[(SPLIT_IN - 1, 1)] = 60
        self.broken(run, 'truly sparse when they were split', '--any-program')

    def test_idle_ones_do_not_count(self):
        run = MadeUpRun()
        for block in range(50):
            run.pages[(SPLIT_IN - 1, block)] = 0
        status, said = score(run)
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r'truly sparse when they were split +350 of 350')

    def test_few_were_split(self):
        run = MadeUpRun()
        run.split = run.collapsed = list(range(170))
        self.broken(run, 'split')
        self.assertEqual(score(run, '--any-program')[0], 0)

    def test_formers_stay_split(self):
        run = MadeUpRun()
        run.collapsed = list(range(180))
        self.broken(run, 'formerly sparse, split, dense now: collapsed')

    def test_guest_read_wrong_words(self):
        run = MadeUpRun()
        run.wrong_words = 1
        self.broken(run, 'wrong words that the guest read', '--any-program')


if __name__ == '__main__':
    unittest.main()
