"""Settings: 300 values resolved from 5 layers, with the origin and the losers of each kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benches.rows import Row
from benches.timing import CannotMeasure, Effort, calls, interleave, shown
from oneiric.core.config import evaluate
from oneiric.core.origins import CodeOrigin, EnvOrigin
from oneiric.core.sources import Said
from oneiric.core.values import Field
from oneiric.core.words import Speaker, Words

VALUES, LAYERS = 300, ("profile", "secrets", "manifest", "env", "explicit")
ROUNDS = 40
BUDGET = 4.0


def merge(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """Merge as people write it by hand: maps by key, everything else replaced, and no word of where it came from."""
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the row of resolving."""
    keys = [f"slot{n // 30}.adapter{n // 10 % 3}.field{n}" for n in range(VALUES)]
    plain = [_nested({key: n * 10 + layer for n, key in enumerate(keys)}) for layer in range(len(LAYERS))]
    said = [
        Speaker(name, {key: Said(n * 10 + layer, EnvOrigin(key)) for n, key in enumerate(keys)})
        for layer, name in enumerate(LAYERS)
    ]
    fields = [Field(key, int, default=0, origin=CodeOrigin("benches.settings:1")) for key in keys]

    def by_hand() -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for layer in plain:
            merged = merge(merged, layer)
        return merged

    def resolved() -> list[Any]:
        words = Words(said)
        return [evaluate(field, words) for field in fields]

    _check(by_hand(), resolved())
    best_s = interleave({"hand": calls(by_hand), "ours": calls(resolved)}, effort.rounds(ROUNDS))
    hand_s, ours_s = best_s["hand"], best_s["ours"]
    yield Row(
        f"resolve {len(LAYERS)} layers of {VALUES} values, with provenance",
        ours_s / hand_s,
        BUDGET,
        f"{shown(ours_s)} against {shown(hand_s)} for a recursive merge of dicts that forgets the origins",
    )


def _check(merged: dict[str, Any], values: list[Any]) -> None:
    """Both sides came to the same, and ours knows who said it and who lost."""
    flat = {value.field.key: value.value for value in values}
    if _nested(flat) != merged or any(len(value.shares) != len(LAYERS) + 1 for value in values):
        raise CannotMeasure("the merge by hand and the evaluator disagree")


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *heads, last = key.split(".")
        place = nested
        for head in heads:
            place = place.setdefault(head, {})
        place[last] = value
    return nested
