"""Why somebody did not win: the same explanation, asked from the loser's side."""

from __future__ import annotations

from typing import Any, NamedTuple

from oneiric.containers.explanation import SCHEMA, Candidate, Explanation
from oneiric.containers.graph import clean
from oneiric.core.reasons import REASONS


class WhyNot(NamedTuple):
    """
    The answer to "why not this one".

    Attributes:
        name: The slot or the key that is explained.
        asked: An adapter, or a layer.
        candidates: What it said, or what was said of it; empty if nobody has that name.
        winner: Who won instead.
    """

    name: str
    asked: str
    candidates: tuple[Candidate, ...]
    winner: Candidate | None

    def fields(self) -> dict[str, Any]:
        """Return the answer ready for JSON."""
        return {
            "schema": SCHEMA,
            "kind": "why-not",
            "name": self.name,
            "asked": self.asked,
            "winner": self.winner.fields() if self.winner else None,
            "candidates": [{**one.fields(), "why": why(one)} for one in self.candidates],
        }

    def text(self) -> str:
        """Return what a person reads."""
        lines = [f"{self.name}: why not {self.asked}"]
        for one in self.candidates:
            place = " ".join(part for part in (str(one.origin or ""), f"({one.detail})" if one.detail else "") if part)
            code = one.reason or one.status
            lines.append(f"  {one.layer}  {code}" + (f"  {place}" if place else ""))
            lines.append(f"    {why(one)}")
        return "\n".join(clean(line) for line in lines)


def why_not(explained: Explanation, asked: str) -> WhyNot:
    """Pick what an explanation says of an adapter or of a layer."""
    by_value = tuple(one for one in explained.candidates if explained.kind == "slot" and one.value == asked)
    found = by_value or tuple(one for one in explained.candidates if one.layer == asked)
    return WhyNot(explained.name, asked, found, explained.winner)


def known_names(explained: Explanation) -> list[str]:
    """Return what may be asked about, sorted."""
    adapters = {str(one.value) for one in explained.candidates if explained.kind == "slot" and one.value is not None}
    return sorted(adapters | {one.layer for one in explained.candidates})


def why(candidate: Candidate) -> str:
    """Return one sentence about what became of a candidate."""
    if candidate.status == "winner":
        return "It is the one that counts."
    if candidate.status == "unknown":
        return "The store was not asked; --probe asks."
    if candidate.status == "merged":
        return "It counts: its part is merged with what other layers say."
    if candidate.status == "unset":
        return "It chooses nothing, and masks every layer below down to the code."
    return REASONS.get(candidate.reason or "", "It cannot be used; the error below says why.")
