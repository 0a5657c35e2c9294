#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scores the rules on recorded traces: means over seeds with 95% intervals, each trace by itself.

For each trace, period and epoch length, runs heat-replay once a seed. At the end: whether the
agent's rule kept its promises (no negative score, harmful at most 1%), and its mean score against
that of the best other rule which keeps harmful at most 1% on all traces.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from statistics import mean, stdev

# Two-sided 95% points of Student's t for 1 to 30 degrees of freedom.
T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13,
       2.12, 2.11, 2.10, 2.09, 2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05, 2.04)
KEYS = ('score', 'harmful_rate', 'collapse_score', 'collapse_harmful_rate')


def interval(values):
    """Half the width of the 95% interval of the mean."""
    if len(values) < 2:
        return math.nan
    degrees = len(values) - 1
    return (T95[degrees - 1] if degrees <= len(T95) else 1.96) * stdev(values) / math.sqrt(len(values))


def replay(args, trace, period, epoch_windows, seed):
    """The rules' results of one run by name; none for a trace that is too short."""
    command = [args.replay, '--trace', trace, '--period', str(period), '--epoch-windows',
               str(epoch_windows), '--seed', str(seed), '--json']
    if args.policy:
        command += ['--policy', args.policy]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        if 'needs 3 to be judged' in run.stderr:
            return None
        sys.exit(run.stderr.strip())
    rules = {rule['name']: rule for rule in json.loads(run.stdout)['rules']}
    for rule in rules.values():
        rule['collapse_score'] = rule['collapse']['score']
        rule['collapse_harmful_rate'] = rule['collapse']['harmful_rate']
    return rules


def name_of(trace):
    return os.path.basename(trace).split('.')[0]


def measure(args, pool):
    """(trace, period, epoch windows) -> rule -> key -> values over seeds."""
    jobs = {}
    for trace in args.traces:
        for period in args.periods:
            for k in args.epoch_windows:
                jobs[trace, period, k] = [pool.submit(replay, args, trace, period, k, seed)
                                          for seed in range(1, args.seeds + 1)]
    results = {}
    for (trace, period, k), runs in jobs.items():
        runs = [run.result() for run in runs]
        if None in runs:
            continue
        results[name_of(trace), period, k] = {
            rule: {key: [run[rule][key] for run in runs] for key in KEYS} |
                  {'few': [run[rule]['recall_by_hot']['1-4'] for run in runs],
                   'dense': runs[0][rule]['active_dense']}
            for rule in runs[0]}
    return results


def print_rule(results, rule):
    print(f'\n{rule}')
    print(f'{"trace":20} {"P":>5} {"K":>2} {"score":>15} {"harmful %":>13} {"dense":>6} '
          f'{"1-4 hot":>8} {"collapse":>9} {"harmful %":>9}')
    for (trace, period, k), rules in sorted(results.items()):
        of = rules[rule]
        print(f'{trace:20} {period:5} {k:2} {mean(of["score"]):+8.3f} ±{interval(of["score"]):.3f} '
              f'{100 * mean(of["harmful_rate"]):7.2f} ±{100 * interval(of["harmful_rate"]):.2f} '
              f'{of["dense"]:6} {100 * mean(of["few"]):7.0f}% {mean(of["collapse_score"]):+9.3f} '
              f'{100 * mean(of["collapse_harmful_rate"]):9.2f}')


def print_summary(results):
    rules = next(iter(results.values()))
    print(f'\n{"mean over traces":20} {"K=1":>8} {"all":>8} {"worst":>8} {"worst harmful %":>16} '
          f'{"harmful > 1%":>13}')
    for rule in rules:
        scores = {key: mean(result[rule]['score']) for key, result in results.items()}
        harms = [mean(result[rule]['harmful_rate']) for result in results.values()]
        first = [score for (_, _, k), score in scores.items() if k == 1] or [math.nan]
        print(f'{rule:20} {mean(first):+8.3f} {mean(scores.values()):+8.3f} '
              f'{min(scores.values()):+8.3f} {100 * max(harms):16.2f} '
              f'{sum(harm > 0.01 for harm in harms):7} of {len(harms)}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('traces', nargs='+')
    parser.add_argument('--replay', default='heat-replay', help='the heat-replay program')
    parser.add_argument('--seeds', type=int, default=20)
    parser.add_argument('--periods', type=int, nargs='+', default=[100, 300, 1000])
    parser.add_argument('--epoch-windows', type=int, nargs='+', default=[1, 5])
    parser.add_argument('--policy', help='rules, separated by commas (all)')
    parser.add_argument('--show', default='foliod', help='rules to print trace by trace')
    parser.add_argument('--jobs', type=int, default=1)
    args = parser.parse_args()
    with ThreadPoolExecutor(args.jobs) as pool:
        results = measure(args, pool)
    if not results:
        sys.exit('no trace is long enough')
    for rule in args.show.split(','):
        print_rule(results, rule)
    print_summary(results)


if __name__ == '__main__':
    main()
