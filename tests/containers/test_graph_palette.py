"""The colours of the layers: readable, and apart for every pair of eyes."""

from __future__ import annotations

import math
from itertools import combinations

import pytest

from oneiric.containers.graph_palette import FAULT, INK, PAINTS, PAPER, PLAIN, paint_of
from oneiric.core.profiles import LAYERS

# What eyes without one kind of cones see of linear red, green and blue: G. Machado, M. Oliveira, L. Fernandes,
# "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), the matrices of severity 1.0.
EYES = {
    "all colours": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(colour: str) -> list[float]:
    """Return the light of a colour, each part 0 to 1. Source: WCAG 2.2, "relative luminance"."""
    parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21. Source: WCAG 2.2, "contrast ratio"."""
    low, high = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in map(linear, (one, other)))
    return (high + 0.05) / (low + 0.05)


def seen(colour: str, eyes: str) -> list[float]:
    """Return a colour as some eyes see it, in CIE L*a*b* for the white of a screen (D65)."""
    light = linear(colour)
    red, green, blue = (
        min(1.0, max(0.0, sum(m * part for m, part in zip(row, light, strict=True)))) for row in EYES[eyes]
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    a, b, c = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return [116 * b - 16, 500 * (a - b), 200 * (b - c)]


def test_every_layer_has_its_colours() -> None:
    """What no layer decided is plain."""
    assert tuple(PAINTS) == LAYERS
    assert paint_of("env") == PAINTS["env"]
    assert paint_of(None) == PLAIN


@pytest.mark.parametrize("layer", LAYERS)
def test_text_on_a_fill_and_lines_on_paper_can_be_read(layer: str) -> None:
    """7:1 for text (WCAG 2.2, 1.4.6), 3:1 for the lines of a picture (1.4.11)."""
    paint = paint_of(layer)

    assert contrast(INK, paint.fill) >= 7
    assert contrast(paint.line, PAPER) >= 3
    assert contrast(FAULT, PAPER) >= 4.5


@pytest.mark.parametrize("eyes", EYES)
def test_the_layers_stay_apart_for_all_eyes(eyes: str) -> None:
    """Any two fills differ by four times what can just be told apart, a distance of 2.3 (CIE 1976)."""
    fills = {layer: seen(paint.fill, eyes) for layer, paint in PAINTS.items()}

    near = [(one, other) for one, other in combinations(LAYERS, 2) if math.dist(fills[one], fills[other]) < 9.2]

    assert near == []
