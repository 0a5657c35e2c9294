# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of the comparison, out of what the rows left.

table.py DIRECTORY ROW...: reads rows and blocks.ROW.split in it, prints the table and writes table.tsv.
"""
import os
import sys

SUB_PAGES = 512
WRONG = 128  # sub-pages in use from which on a split does harm: tests/bench/README
PAGE = 4096

TITLES = {
    "always": "THP always",
    "never": "THP never",
    "damon": "DAMON alone",
    "split_all": "split everything",
    "naive": "damon_spe's rule",
    "naive_long": "  with 96 x samples",
    "foliod": "foliod",
}

# Columns as they are printed, above each other; by those of table.tsv.
PRINTED = {
    "cold MiB exposed": ("cold MiB", "exposed"),
    "wrongly split": ("wrongly", "split"),
    "stage-2 faults": ("stage-2", "faults"),
    "progress": ("", "progress"),
    "L1 TLB misses": ("L1 TLB", "misses"),
    "TLB walks": ("TLB", "walks"),
    "refaults": ("", "refaults"),
    "order 9": ("order 9", "before, after"),
    "reclaimed MiB": ("MiB", "reclaimed"),
}


def read_rows(path):
    figures = {}
    for line in open(path):
        row, name, value = line.split()
        figures.setdefault(row, {})[name] = int(value)
    return figures


def read_blocks(path):
    """Of each block whether it is huge, and its sub-pages in use."""
    lines = [line.split() for line in open(path)]
    return [(line[1] == "9", int(line[2])) for line in lines if line[0] != "moved"]


def columns(figures, blocks):
    """Names and values, in the order of the table."""
    small = [used for huge, used in blocks if not huge and used > 0]
    split, after = ({name[len(when):]: value for name, value in figures.items() if name.startswith(when)}
                    for when in ("split_", "reclaimed_"))
    return {
        "cold MiB exposed": f"{sum(SUB_PAGES - used for used in small) * PAGE / 2**20:.1f}",
        "wrongly split": str(sum(used >= WRONG for used in small)),
        "stage-2 faults": str(split["faults"]),
        "progress": f"{1000 * split['accesses'] / split['instructions']:.1f}",
        "L1 TLB misses": f"{1000 * split['l1_misses'] / split['lookups']:.1f}",
        "TLB walks": f"{1000 * split['walks'] / split['lookups']:.2f}",
        "refaults": str(after["refaults"]),
        "order 9": f"{figures['before_order9']} -> {figures['after_order9']}",
        "reclaimed MiB": str(figures["swapped_mib"]),
    }


def print_table(table):
    names = list(next(iter(table.values())))
    lines = [[""] + [PRINTED[name][i] for name in names] for i in (0, 1)]
    lines += [[TITLES[row]] + list(cells.values()) for row, cells in table.items()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for first, *others in lines:
        print("  ".join([first.ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(others, widths[1:])]))


def write_tsv(path, table):
    with open(path, "w") as file:
        print("row", *next(iter(table.values())), sep="\t", file=file)
        for row, cells in table.items():
            print(row, *cells.values(), sep="\t", file=file)


def main():
    directory, names = sys.argv[1], sys.argv[2:]
    figures = read_rows(os.path.join(directory, "rows"))
    table = {row: columns(figures[row], read_blocks(os.path.join(directory, f"blocks.{row}.split")))
             for row in TITLES if row in names}
    print_table(table)
    write_tsv(os.path.join(directory, "table.tsv"), table)


main()
