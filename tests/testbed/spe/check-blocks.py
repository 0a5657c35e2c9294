# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds what foliod says of a guest's blocks against the SPE unit's counts.

check-blocks.py HEAT.json BEFORE AFTER PAGES: "folioctl --json heat", a line for each block with its accesses before
foliod started and after it was asked, and the guest-physical addresses that the guest's program accesses all the
time. A guest has one range of RAM here.
"""
import json
import sys

RAM_BASE = 0x40000000  # of QEMU's machine "virt"
NEVER = None

heat_file, before_file, after_file, pages_file = sys.argv[1:]
heat = json.load(open(heat_file))
before, after = ([int(line) for line in open(name)] for name in (before_file, after_file))
pages = [int(line, 16) for line in open(pages_file)]
(ram,) = heat["ranges"]

assert heat["granule"] == 1 and ram["blocks"] == len(after), (heat["granule"], ram["blocks"], len(after))
seen = {block for block, unseen in enumerate(ram["unseen"]) if unseen is not NEVER}
accessed = {block for block, (a, b) in enumerate(zip(before, after)) if b > a}
program = {(page - RAM_BASE) // heat["block_bytes"] for page in pages}
print(f"{len(after)} blocks: {len(accessed)} accessed, {len(seen)} seen in use, {len(seen - accessed)} of them not "
      f"accessed; {len(program)} of the guest's program, {len(program - seen)} of them not seen")
assert len(pages) == 100 and program
assert len(accessed) < len(after), "all blocks were accessed: nothing can be in the wrong place"
sys.exit(bool(seen - accessed or program - seen))
