"""What a run shows: a table for a person, and a JSON file with one object a row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benches.rows import Row


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table; a missed budget is shown as `over`, and a row without a budget has no verdict."""
    width = max((len(row.name) for row in rows), default=4)
    lines = [f"{'':4}  {'what':<{width}}  {'ratio':>7}  {'budget':>7}  detail"]
    for row in rows:
        verdict = "" if row.budget is None else "ok" if row.ok else "over"
        numbers = f"{_number(row.ratio):>7}  {_number(row.budget):>7}"
        lines.append(f"{verdict:<4}  {row.name:<{width}}  {numbers}  {row.detail}".rstrip())
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as JSON, over what stands there; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([row.fields() for row in rows], indent=1) + "\n", "utf-8")
