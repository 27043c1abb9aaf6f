"""An explanation: who spoke about a slot or a setting, who won, and why the others lost. Plain data, and its text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from oneiric.containers.graph import clean
from oneiric.core.errors import Problem
from oneiric.core.log import HIDDEN
from oneiric.core.origins import EnvOrigin, Origin, SecretOrigin
from oneiric.core.profiles import LAYERS
from oneiric.core.values import Status

SCHEMA = 1
NOBODY = "nobody"
NEVER_FALLS = "not used, a named choice never falls through"


class Candidate(NamedTuple):
    """One who could have won. `reason` is None for the winner and for those merged into it."""

    layer: str
    status: Status
    reason: str | None = None
    value: Any = None  # an adapter's name, or the value of a setting
    redacted: bool = False
    fp: str | None = None
    origin: Origin | None = None
    detail: str | None = None
    secret: str | None = None  # the name of the secret, for the text only

    def fields(self) -> dict[str, Any]:
        """Return the candidate ready for JSON."""
        return {
            "layer": self.layer,
            "status": self.status,
            "reason": self.reason,
            "value": self.value,
            "redacted": self.redacted,
            "fp": self.fp,
            "origin": self.origin.fields() if self.origin else None,
            "detail": self.detail,
        }


class Input(NamedTuple):
    """A slot that the explained one needs."""

    name: str
    winner: str | None
    layer: str | None

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"name": self.name, "winner": self.winner, "layer": self.layer}


class Wrapper(NamedTuple):
    """A function that wraps the object of the explained slot."""

    layer: str
    name: str
    origin: Origin

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"layer": self.layer, "name": self.name, "origin": self.origin.fields()}


class Counterfactual(NamedTuple):
    """What would be, if one thing were otherwise; found by deciding again."""

    condition: Mapping[str, str]
    outcome: Mapping[str, Any]

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"if": dict(self.condition), "then": dict(self.outcome)}


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    The answer to "why is it so", schema 1. `str(explanation)` is the text a person reads.

    Attributes:
        kind: `slot` or `value`.
        name: The slot or the dotted key.
        order: The layers that speak in this profile, low to high.
        generation: The number of the graph's state; None where no application runs.
        winner: Who won; None if `error` says why nobody did.
        candidates: All who spoke or could have, layers high to low.
        settings: The settings of the winning adapter, by name.
        decorations: What wraps the object, the innermost first.
        parents: The applications that a child application inherits from, the nearest first; empty for any other.
        used_by: Who needs it.
        at: The class or function that fills the slot; for the text only, as `scope` and `state`.
        scope: How long one object lives: `app`, `request` or `task`; empty for a value.
        state: Whether the object is there, in words; empty for a value.
    """

    kind: str
    name: str
    profile: str
    order: tuple[str, ...]
    winner: Candidate | None
    candidates: tuple[Candidate, ...]
    generation: int | None = None
    warnings: tuple[Problem, ...] = ()
    error: Problem | None = None
    settings: tuple[Explanation, ...] = ()
    decorations: tuple[Wrapper, ...] = ()
    parents: tuple[str, ...] = ()
    needs: tuple[Input, ...] = ()
    used_by: tuple[str, ...] = ()
    counterfactuals: tuple[Counterfactual, ...] = ()
    at: str | None = field(default=None, compare=False)
    scope: str = field(default="", compare=False)
    state: str = field(default="", compare=False)

    def setting(self, name: str) -> Explanation:
        """Return the explanation of one setting of the winner, `max_items` or `memory.max_items`. Raises KeyError."""
        for explained in self.settings:
            if explained.name == f"{self.name}.{name}" or explained.name.rpartition(".")[2] == name:
                return explained
        raise KeyError(name)

    def fields(self) -> dict[str, Any]:
        """Return the explanation ready for JSON; every field is present."""
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "name": self.name,
            "profile": self.profile,
            "order": list(self.order),
            "generation": self.generation,
            "winner": self.winner.fields() if self.winner else None,
            "candidates": [candidate.fields() for candidate in self.candidates],
            "warnings": [problem.fields() for problem in self.warnings],
            "error": self.error.fields() if self.error else None,
            "settings": [setting.fields() for setting in self.settings],
            "decorations": [one.fields() for one in self.decorations],
            "parents": list(self.parents),
            "needs": [need.fields() for need in self.needs],
            "used_by": list(self.used_by),
            "counterfactuals": [item.fields() for item in self.counterfactuals],
        }

    @property
    def instead(self) -> str | None:
        """What lower layers would give where a named choice is an error: `memory (oneiric.toml:7)`, or None."""
        if self.error is None or not self.error.code.startswith("selection-"):
            return None
        for item in self.counterfactuals:
            if "without" in item.condition:
                return _outcome(self, item.outcome, NOBODY, lower=True)
        return None

    @property
    def faults(self) -> tuple[Problem, ...]:
        """Why it cannot be used as it stands: its own error, and those of its settings."""
        inner = tuple(fault for setting in self.settings for fault in setting.faults)
        return (self.error, *inner) if self.error is not None else inner

    @property
    def notes(self) -> tuple[str, ...]:
        """The lines that stand in the block of `error` between its path and its fixes."""
        return () if self.instead is None else (f"lower layers would give: {self.instead}; {NEVER_FALLS}",)

    def text(self) -> str:
        """Return what a person reads; it is made of these fields and of nothing else, without control characters."""
        lines = [*_head(self), *_candidates(self), *_settings(self), *_rest(self)]
        shown = [clean(line).rstrip() for line in lines]
        shown += [fault.text(notes=self.notes if fault is self.error else (), shown=clean) for fault in self.faults]
        inner = [warning for setting in self.settings for warning in setting.warnings]
        shown += [warning.text("warning", shown=clean) for warning in (*self.warnings, *inner)]
        return "\n".join(shown)

    __str__ = text


def _head(explained: Explanation) -> Iterator[str]:
    filled = NOBODY if explained.winner is None else _shown(explained.kind, explained.winner)
    title = f"{explained.kind} {explained.name} -> {filled}"
    place = "   ".join(part for part in (explained.at or "", _life(explained)) if part)
    yield f"{title:<29}   {place}"
    said = " < ".join(explained.order)
    yield f"order  {said:<64} (profile {explained.profile}{_difference(explained.order)})"


def _life(explained: Explanation) -> str:
    parts = [explained.scope, explained.state]
    if explained.generation is not None:
        parts.append(f"generation {explained.generation}")
    return ", ".join(part for part in parts if part)


def _difference(order: Sequence[str]) -> str:
    """Return how an order differs from the first one: which layers moved up, and which are silent."""
    moved = [
        f"{low} above {high}"
        for n, low in enumerate(LAYERS)
        for high in LAYERS[n + 1 :]
        if low in order and high in order and order.index(low) > order.index(high)
    ]
    silent = [layer for layer in LAYERS if layer not in order]
    said = [*moved[-1:], *([f"{' and '.join(silent)} silent"] if silent else [])]
    return f": {', '.join(said)}" if said else ""


def _candidates(explained: Explanation) -> Iterator[str]:
    rows = [
        (
            "*" if candidate.status == "winner" else " ",
            candidate.layer,
            "-" if candidate.status == "absent" else _shown(explained.kind, candidate),
            _why(candidate),
            " ".join(part for part in (str(candidate.origin or ""), _in_brackets(candidate.detail)) if part),
        )
        for candidate in explained.candidates
    ]
    yield from _aligned(rows)


def _why(candidate: Candidate) -> str:
    if candidate.status == "absent":
        return "" if candidate.reason == "absent" else candidate.reason or ""
    return candidate.reason or ("" if candidate.status == "winner" else candidate.status)


def _settings(explained: Explanation) -> Iterator[str]:
    if not explained.settings or explained.winner is None:
        return
    yield f"settings of {_shown(explained.kind, explained.winner)}"
    rows = []
    for setting in explained.settings:
        won = setting.winner
        name = setting.name.rpartition(".")[2]
        if won is None:
            code = setting.error.code if setting.error else "no value"
            where = setting.error.origin if setting.error else None
            rows.append(("!", name, code, "", str(where or ""), ""))
            continue
        lost = [f"{_verb(c)} {c.layer} {c.origin}" for c in setting.candidates if c is not won and c.origin]
        mark = "!" if setting.error else " "
        rows.append((mark, name, _shown(setting.kind, won), won.layer, str(won.origin or ""), ", ".join(lost)))
    yield from _aligned(rows)


def _verb(candidate: Candidate) -> str:
    return {"shadowed": "shadows", "merged": "merged with"}.get(candidate.status, candidate.reason or candidate.status)


def _rest(explained: Explanation) -> Iterator[str]:
    if explained.parents:
        yield f"inherits  {', '.join(explained.parents)}"
    if explained.decorations:
        said = [f"{one.name} ({one.layer} {one.origin})" for one in explained.decorations]
        yield f"wrapped   {', then '.join(said)}"
    if explained.needs:
        said = [f"{n.name} -> {n.winner or NOBODY}{_in_brackets(n.layer, ' ')}" for n in explained.needs]
        yield f"needs     {'    '.join(said)}"
    if explained.used_by:
        yield f"used by   {', '.join(explained.used_by)}"
    rows = [(_condition(explained, item.condition), explained, item) for item in explained.counterfactuals]
    for setting in explained.settings:
        name = setting.name.rpartition(".")[2]
        secrets = [item for item in setting.counterfactuals if "secret" in item.condition]
        rows += [(f"{name}: {_condition(setting, item.condition)}", setting, item) for item in secrets]
    width = max((len(condition) for condition, _, _ in rows), default=0)
    for position, (condition, about, item) in enumerate(rows):
        head = "if        " if position == 0 else "          "
        lower = "without" in item.condition
        yield f"{head}{condition:<{width}} -> {_outcome(about, item.outcome, 'start fails', lower=lower)}"


def _condition(explained: Explanation, condition: Mapping[str, str]) -> str:
    """Return what a person would do to make a counterfactual true."""
    if "profile" in condition:
        return f"--profile {condition['profile']}"
    if "secret" in condition:
        return f"secret {condition['secret']}"
    layer = condition.get("without")
    said = next(
        (c for c in explained.candidates if c.layer == layer and c.status in {"winner", "unknown", "ineligible"}), None
    )
    if said is None or said.origin is None:
        return ", ".join(f"{what}: {how}" for what, how in condition.items())
    spoken = [c for c in explained.candidates if c.layer == layer and c.origin is not None]
    if explained.kind == "value" and len(spoken) > 1:
        return f"without {layer}"  # which is all that the layer says, in several places
    if isinstance(said.origin, EnvOrigin):
        return f"unset {said.origin.name}"
    return f"without {layer if isinstance(said.origin, SecretOrigin) else said.origin}"


def _outcome(explained: Explanation, outcome: Mapping[str, Any], failed: str, *, lower: bool) -> str:
    """Return who would fill the slot; with the place where that is said, if it is a lower layer of the same profile."""
    if "error" in outcome:
        return f"{failed} ({outcome['error']})"
    layer, value = outcome["layer"], outcome["value"]
    said = next((c for c in explained.candidates if (c.layer, c.value, c.status) == (layer, value, "shadowed")), None)
    place = said.origin if lower and said is not None else None
    hidden = value is None and any(c.layer == layer and c.redacted for c in explained.candidates)
    shown = HIDDEN if hidden else value if explained.kind == "slot" else _json(value)
    return f"{shown} ({place or layer})"


def _shown(kind: str, candidate: Candidate) -> str:
    """Return a value as it may be seen: an adapter by its name, a setting as JSON, a secret by its fingerprint."""
    if candidate.redacted:
        return HIDDEN + (f" fp:{candidate.fp}" if candidate.fp else "")
    return str(candidate.value) if kind == "slot" else _json(candidate.value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _in_brackets(text: str | None, before: str = "") -> str:
    return f"{before}({text})" if text else ""


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield rows with columns of equal width: a mark, then the rest, each two blanks after the widest above it."""
    widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
    for mark, *cells in rows:
        padded = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield f"{mark} {padded}".rstrip()
