# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rule of damon_spe on what "folioctl --json analyze --guest" says of a recording.

naive.py FILE ADDRESS BLOCKS: prints the blocks of the guest's RAM, which begins at ADDRESS of its QEMU, that it would
split, as N+1, one a line: those that were seen, and of whose sub-pages fewer than a tenth were.
"""
import json
import sys

LIMIT = 0.1 * 512

analysis = json.load(open(sys.argv[1]))
start, blocks = int(sys.argv[2], 16), int(sys.argv[3])
seen = {(block["address"] - start) // analysis["block_bytes"]: block for block in analysis["blocks"]}
seen = {number: block for number, block in seen.items() if 0 <= number < blocks}
samples = sorted(block["samples"] for block in seen.values())
print(f"{sum(samples)} samples in {len(samples)} blocks, {samples[len(samples) // 2] if samples else 0} in the median "
      "one", file=sys.stderr)
for number in sorted(seen):
    if seen[number]["sub_pages"] < LIMIT:
        print(f"{number}+1")
