"""Explaining settings: who spoke about one, whose word counts, and what would be if something were otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oneiric.containers.explanation import Candidate, Counterfactual, Explanation
from oneiric.containers.selection import SECRETS, Selection
from oneiric.core.config import evaluate
from oneiric.core.deciding import decide
from oneiric.core.errors import OneiricError
from oneiric.core.hearing import part_of
from oneiric.core.log import HIDDEN, fingerprint, is_secret_name, redact
from oneiric.core.models import faults_of, validated, warnings_of
from oneiric.core.secrets import LATEST, Finding, Opened, SecretRules, conventional_name, is_bootstrap
from oneiric.core.sources import DIRECTIVE
from oneiric.core.texts import type_at
from oneiric.core.values import MISSING, PENDING, Field, Share, Value, holds, opened
from oneiric.core.words import Speaker, Words

_MISSING, _DENIED = Finding("missing"), Finding("failed", why="denied")


class Setting:
    """
    One setting that is asked about: a field, or a part of one that is a map.

    Args:
        model: The settings model it stands in.
        values: The decided values of that model.
        value: The value of its field.
        path: The part that is meant; empty for the whole.
        inert: Why it does not count, where its adapter is not in use.
    """

    def __init__(
        self, model: Any, values: Sequence[Value], value: Value, path: tuple[str, ...] = (), *, inert: str = ""
    ) -> None:
        self.model, self.values, self.value, self.path, self.inert = model, values, value, path, inert

    @property
    def key(self) -> str:
        """The dotted key."""
        return ".".join((self.value.field.key, *self.path))

    def renamed(self, words: Words) -> Words:
        """Return words with the names of fields where aliases were written."""
        return words.renamed(self.value.field.key.rpartition(".")[0], self.model)

    def decided(self, words: Words, rules: SecretRules) -> Value:
        """Decide it by other words or rules than those in force."""
        field = self.value.field
        words = self.renamed(words)
        if not self.path:
            return evaluate(field, words, rules)
        found = decide(field, words, rules, self.path)
        path, sealed = self.path, field.sealed
        part = Field(
            self.key,
            type_at(field.annotation, path),
            secret=field.secret or path in sealed or (is_secret_name(path[-1]) and not field.public),
            public=field.public,
            sealed=tuple(place[len(path) :] for place in sealed if place[: len(path)] == path),
        )
        return Value(part, found.value, lambda: found, error=found.error, wanted=found.wanted)

    def typed(self, words: Words, rules: SecretRules) -> Value:
        """Decide it, and return it as its settings model makes it, with its fault where it does not fit."""
        mine, key = self.decided(words, rules), self.value.field.key
        whole = mine if not self.path else evaluate(self.value.field, self.renamed(words), rules)
        values = [whole if value.field.key == key else value for value in self.values]
        found = next(value for value in typed(self.model, values) if value.field.key == key)
        if not self.path or mine.error is not None:
            return found if not self.path else mine
        fault = next((one for one in faults_of(self.model, values) if _is_about(one, self.key)), None)
        part = _part(found.value, self.path) if found.error is None else MISSING
        if part is MISSING or holds(mine.value, _is_opened):
            return mine.typed(mine.value, fault)
        return mine.typed(part)


def _part(value: Any, path: Sequence[str]) -> Any:
    """Return a part of what a settings model made; MISSING where it made none."""
    for name in path:
        if hasattr(value, "model_fields_set"):
            value = getattr(value, name, MISSING)
        else:
            value = part_of(value, name) if isinstance(value, Mapping) else MISSING
    return value


def typed(model: Any, values: Sequence[Value]) -> list[Value]:
    """Return the values as the settings model makes them of what was said; a fault stands with its value."""
    faults = list(faults_of(model, values))
    made = None if faults or any(value.wanted for value in values) else validated(model, values)
    if made is None:
        mine = {v.field.key: next((one for one in faults if _is_about(one, v.field.key)), None) for v in values}
        return [v.typed(v.value, v.error or mine[v.field.key]) for v in values]
    return [v if holds(v.value, _is_opened) else v.typed(getattr(made, v.field.name)) for v in values]


def _is_opened(part: Any) -> bool:
    return isinstance(part, Opened)


def explain_value(setting: Setting, selection: Selection, elsewhere: Mapping[str, Selection]) -> Explanation:
    """
    Explain one setting.

    Args:
        setting: What is asked about; its values are typed.
        selection: The state in force.
        elsewhere: The same layers under each other profile.
    """
    value = setting.value
    if setting.path or any(share.secret is not None for share in value.shares):
        value = setting.typed(selection.words, selection.rules)  # a secret has grown older since it was decided
    candidates = tuple(_candidates(value, selection, setting))
    winner = next((candidate for candidate in candidates if candidate.status == "winner"), None)
    if winner is None and value.value is PENDING:
        winner = next((candidate for candidate in candidates if candidate.status == "unknown"), None)
    profile = selection.profile
    return Explanation(
        kind="value",
        name=setting.key,
        profile=profile.name,
        order=profile.order,
        winner=winner,
        candidates=candidates,
        warnings=tuple(warning.problem for warning in _warnings(setting)),
        error=value.error.problem if value.error else None,
        counterfactuals=tuple(_otherwise(setting, value, selection, elsewhere)),
    )


def _warnings(setting: Setting) -> Iterator[OneiricError]:
    if setting.value.is_said and not setting.inert:
        key = setting.value.field.key
        yield from (warning for warning in warnings_of(setting.model, setting.values) if _is_about(warning, key))


def _is_about(fault: OneiricError, key: str) -> bool:
    """Tell whether a fault is one of a setting, or of a part of it."""
    said = str(getattr(fault, "key", ""))
    return said == key or said.startswith(key + ".")


def _candidates(value: Value, selection: Selection, setting: Setting) -> Iterator[Candidate]:
    """Yield who spoke, layers high to low, with a candidate for each layer that did not."""
    inert = setting.inert
    yield from (_candidate(value, share, inert) for share in _silenced(value.field, selection, setting))
    shares: dict[str, list[Share]] = {layer: [] for layer in selection.profile.order}
    for share in value.shares:
        shares[share.layer].append(share)
    for layer in reversed(selection.profile.order):
        yield from (_candidate(value, share, inert) for share in shares[layer])
        if not shares[layer]:
            yield Candidate(layer, "absent", "absent")


def _silenced(field: Field, selection: Selection, setting: Setting) -> Iterator[Share]:
    """Yield what layers say that this profile does not listen to."""
    alone = field._replace(default=MISSING, required=False)
    for layer in selection.silent:
        words = setting.renamed(Words([Speaker(layer.name, layer.settings)]))
        for share in evaluate(alone, words).shares:
            yield Share(layer.name, "ineligible", "layer-disabled", share.value, share.origin, share.redacted)
    if selection.profile.rank(SECRETS) is None and (field.sealed or field.key in selection.rules.bindings):
        name = selection.rules.bindings.get(field.key) or conventional_name(field.key)
        finding = selection.rules.look(name, LATEST)
        if finding.exists and not is_bootstrap(field.key):
            origin = selection.rules.origin(name, finding.version)
            yield Share(SECRETS, "ineligible", "layer-disabled", None, origin, redacted=True)


def _candidate(value: Value, share: Share, inert: str) -> Candidate:
    is_winner = share.status == "winner"
    said = value.value if is_winner and value.value is not PENDING else share.value
    hidden = share.redacted or (value.field.secret and (said is not None or share.redacted))
    if share.status == "absent":
        hidden, said = False, None
    detail = ", ".join(part for part in (share.detail, inert if is_winner else "") if part) or None
    if isinstance(said, Mapping) and not value.field.secret:
        hidden = False  # its secrets are hidden one by one
    whole = said.model_dump(mode="json") if hasattr(said, "model_dump") else said
    shown: Any = None  # what JSON can hold
    if not hidden:
        shown = _masked(whole, value.field.sealed)
        is_open = value.field.public and isinstance(shown, Mapping)
        shown = {str(name): redact("", part) for name, part in shown.items()} if is_open else redact("", shown)
    if not hidden and shown == HIDDEN:
        hidden, shown = True, None
    plain = opened(said)
    known = hidden and plain is not None and plain is not PENDING and plain is not MISSING
    fp = fingerprint(plain) if known else None
    return Candidate(share.layer, share.status, share.reason, shown, hidden, fp, share.origin, detail, share.secret)


def _masked(said: Any, sealed: Sequence[tuple[str, ...]], path: tuple[str, ...] = ()) -> Any:
    """Return what a layer says about a map without what stands where secrets do, also inside a directive."""
    if path in sealed and said is not None:
        return HIDDEN
    if not isinstance(said, Mapping) or not sealed:
        return said
    return {
        name: _masked(part, sealed, path if str(name).startswith(DIRECTIVE) else (*path, str(name)))
        for name, part in said.items()
    }


def _otherwise(
    setting: Setting, value: Value, selection: Selection, elsewhere: Mapping[str, Selection]
) -> Iterator[Counterfactual]:
    """Decide again without the winner's layer, in each other profile, and with its secret missing or denied."""
    winner = value.winner or next((s for s in value.shares if s.status == "ineligible" and s.reason is not None), None)
    words, rules = selection.words, selection.rules
    if winner is not None and winner.layer != "code":
        yield Counterfactual({"without": winner.layer}, _outcome(setting.typed(words.without(winner.layer), rules)))
    here = _compared(setting.decided(words, rules))
    for name, other in elsewhere.items():
        if _compared(setting.decided(other.words, other.rules)) != here:
            yield Counterfactual({"profile": name}, _outcome(setting.typed(other.words, other.rules)))
    if winner is not None and winner.secret is not None:
        for what, finding in (("missing", _MISSING), ("denied", _DENIED)):
            supposed = rules.supposing(winner.secret, finding)
            yield Counterfactual({"secret": what}, _outcome(setting.typed(words, supposed)))


def _compared(value: Value) -> tuple[object, ...]:
    if value.error is not None:
        return ("error", value.error.code)
    winner = value.winner
    return (winner.layer if winner is not None else None, None if value.wanted else repr(opened(_plain(value.value))))


def _plain(value: Any) -> Any:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def _outcome(value: Value) -> dict[str, Any]:
    if value.error is not None:
        return {"error": value.error.code}
    winner = value.winner
    if winner is None:
        return {"layer": "code", "value": None}
    shown = _candidate(value, winner, "")
    return {"layer": winner.layer, "value": shown.value}
