"""Measure the budgets, print the table and write `build/bench.json`; 1 if a row cannot be measured, else 0."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benches.families import FAMILIES
from benches.report import table, write
from benches.rows import Row
from benches.timing import CannotMeasure, Effort
from oneiric.core.log import configure

TARGET = Path("build/bench.json")


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("--only", metavar="NAME", choices=FAMILIES, help=f"one family: {', '.join(FAMILIES)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a first look, not a verdict")
    given = parser.parse_args()
    configure(level="WARNING")  # that a slot was opened is no news here
    rows: list[Row] = []
    failed: list[str] = []
    for name in [given.only] if given.only else FAMILIES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            rows.extend(FAMILIES[name](Effort(given.quick)))
        except CannotMeasure as error:
            failed.append(f"cannot measure {name}: {error}")
    print(table(rows))
    write(rows, TARGET)
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
