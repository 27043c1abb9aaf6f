"""Plain columns."""

from __future__ import annotations

from oneiric.cli.tables import table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Cells are aligned, an empty one is a dash, and no line ends in blanks."""
    text = table(("slot", "adapter", "layer"), [("cache", "memory", "code"), ("cache.sessions", "", "")])

    assert text == ("slot            adapter  layer\ncache           memory   code\ncache.sessions  -        -")


def test_a_name_cannot_write_into_the_terminal() -> None:
    """Control characters of a cell are replaced."""
    assert table(("a",), [("\x1b[31mred\n",)]) == "a\n?[31mred?"
