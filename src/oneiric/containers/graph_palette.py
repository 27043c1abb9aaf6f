"""The colours of a graph: one for each layer, the same in every picture."""

from __future__ import annotations

from typing import NamedTuple

INK = "#1b1f24"  # the text on every fill: at least 7:1, WCAG 2.2 success criterion 1.4.6
PAPER = "#ffffff"
FAULT = "#b00020"


class Paint(NamedTuple):
    """How the nodes of one layer look: a light fill under black text, and the same hue dark enough for a line."""

    fill: str
    line: str


# Fills that stay apart also for people who do not see red, green or blue as others do, which a test computes; a label
# names the layer as well, so that no meaning hangs on a colour alone.
PAINTS = {
    "code": Paint("#dee0e3", "#5c6670"),
    "profile": Paint("#bbddfd", "#1b6ca8"),
    "secrets": Paint("#cfa2c9", "#84287c"),
    "manifest": Paint("#83cca7", "#00694d"),
    "env": Paint("#fdc75d", "#8f5600"),
    "explicit": Paint("#f5e0a3", "#6f6400"),
}
PLAIN = Paint(PAPER, INK)  # registered functions, aliases, and what no layer decided


def paint_of(layer: str | None) -> Paint:
    """Return the colours of a layer; plain ones for none."""
    return PAINTS.get(layer or "", PLAIN)
