#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Made-up rows through table.py, and a made-up recording through naive.py."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURES = {
    "split_instructions": 100000, "split_accesses": 20000, "split_lookups": 40000, "split_l1_misses": 8000,
    "split_walks": 100, "split_faults": 33, "before_order9": 2, "after_order9": 60, "reclaimed_refaults": 5,
    "reclaimed_instructions": 7, "reclaimed_accesses": 7, "swapped_mib": 144,
}
# Number, order, sub-pages in use: a sparse block and a dense one that are small, a huge one, an idle one that is small,
# one that is just not wrong and one that just is.
BLOCKS = ["0 0 12", "1 0 512", "2 9 3", "3 0 0", "4 mixed 127", "5 4 128", "moved 0"]


def run(script, *arguments):
    return subprocess.run([sys.executable, os.path.join(HERE, script), *arguments], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


class Table(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        with open(self.path("rows"), "w") as rows:
            for row in ("foliod", "always"):
                for name, value in FIGURES.items():
                    print(row, name, value, file=rows)
        for row, blocks in (("foliod", BLOCKS), ("always", ["0 9 12", "moved 0"])):
            with open(self.path(f"blocks.{row}.split"), "w") as file:
                file.write("\n".join(blocks) + "\n")

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def cells(self):
        run("table.py", self.directory.name, "foliod", "always")
        with open(self.path("table.tsv")) as file:
            lines = [line.rstrip("\n").split("\t") for line in file]
        return [dict(zip(lines[0], line)) for line in lines[1:]]

    def test_figures(self):
        always, foliod = self.cells()
        self.assertEqual((always["row"], foliod["row"]), ("always", "foliod"))
        self.assertEqual(always["cold MiB exposed"], "0.0")
        self.assertEqual(always["wrongly split"], "0")
        self.assertEqual(foliod["cold MiB exposed"], f"{(500 + 0 + 385 + 384) * 4096 / 2**20:.1f}")
        self.assertEqual(foliod["wrongly split"], "2")
        self.assertEqual(foliod["stage-2 faults"], "33")
        self.assertEqual(foliod["progress"], "200.0")
        self.assertEqual(foliod["L1 TLB misses"], "200.0")
        self.assertEqual(foliod["TLB walks"], "2.50")
        self.assertEqual(foliod["refaults"], "5")
        self.assertEqual(foliod["order 9"], "2 -> 60")

    def test_printed_lines_have_the_same_cells(self):
        header, _, *lines = run("table.py", self.directory.name, "foliod", "always").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertEqual({len(line) for line in lines}, {len(header)})
        for title, cells in zip(("THP always", "foliod"), self.cells()):
            line = next(line for line in lines if line.strip().startswith(title))
            self.assertEqual(line.split()[-1], cells["reclaimed MiB"])


class Naive(unittest.TestCase):
    def test_rule(self):
        block = 2 << 20
        sub_pages = {-1: 3, 0: 1, 1: 51, 2: 52, 5: 512, 7: 9, 8: 9}
        analysis = {"block_bytes": block, "blocks": [
            {"address": (100 + number) * block, "samples": 600, "sub_pages": seen} for number, seen in sub_pages.items()]}
        with tempfile.NamedTemporaryFile("w") as file:
            json.dump(analysis, file)
            file.flush()
            self.assertEqual(run("naive.py", file.name, hex(100 * block), "8").split(), ["0+1", "1+1", "7+1"])


unittest.main()
