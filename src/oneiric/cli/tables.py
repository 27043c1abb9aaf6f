"""Plain columns for a person and for pipes: aligned with blanks, never wrapped, without control characters."""

from __future__ import annotations

from collections.abc import Sequence

from oneiric.containers.graph import clean

GAP = "  "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """
    Return rows under a heading, one line each.

    Args:
        head: The names of the columns.
        rows: As many cells each as the heading has; an empty cell is shown as `-`.
    """
    shown = [[clean(cell) or "-" for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = (GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in shown)
    return "\n".join(line.rstrip() for line in lines)
