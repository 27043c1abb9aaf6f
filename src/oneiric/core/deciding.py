"""Deciding the value of one setting in full: each layer's word is put in its place, and says what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from oneiric.core.directives import LIST_DIRECTIVES, Directive, directive_of
from oneiric.core.errors import InvalidShadowed, InvalidValue, MissingRequired, OneiricError, SecretFallback
from oneiric.core.hearing import Fault, Lookup, Path, Within, Word, hear, named, part_of
from oneiric.core.origins import Origin
from oneiric.core.secrets import LATEST, Opened, SecretRules
from oneiric.core.sources import DIRECTIVE, UNSET_KEY
from oneiric.core.unsealing import LOST, Unsealing
from oneiric.core.values import MISSING, PENDING, Decision, Field, Share, Status, holds, opened
from oneiric.core.words import Words

_FAULTS = {
    "secret-not-found": "secret-not-found",
    "secret-field-not-found": "secret-not-found",
    "secret-unavailable": "secret-unavailable",
    "secret-out-of-scope": "secret-out-of-scope",
}
Stack = Sequence[tuple[Word, Any]]  # words with what they say about one part, high to low


class _Piece(NamedTuple):
    """The pieces that make a value: list directives, maps, or one that replaces all below it."""

    directives: list[tuple[Word, Directive]]
    maps: list[tuple[Word, Mapping[str, Any]]]


def decide(field: Field, words: Words, rules: SecretRules, path: Path = ()) -> Decision:
    """
    Decide a setting, or a part of it.

    Args:
        field: The setting.
        words: What the layers say.
        rules: By which rules secrets count.
        path: A part of a setting that is a map: `("b", "x")`.
    """
    return _Deciding(field, rules, path).decided(list(hear(field, words, rules, path)))


class _Deciding:
    def __init__(self, field: Field, rules: SecretRules, path: Path) -> None:
        self._field, self._rules, self._path = field, rules, path
        self._unsealing = Unsealing(field, rules)
        self._culprit: Word | None = None
        self._origins: dict[Path, Origin | None] = {}

    def decided(self, words: list[Word]) -> Decision:
        value, error = MISSING, None
        try:
            value = self._fold([(word, word.node) for word in words if word.node is not MISSING], self._path)
        except OneiricError as raised:
            error = raised
            if self._culprit is not None:
                self._culprit.notes.add("fault")
                self._culprit.reason = _FAULTS.get(error.code)
                self._culprit.origin = error.origin or self._culprit.origin
        winner = None
        if error is None:  # else nobody wins, also where a lower layer had its part decided before the fault was met
            winner = next((word for note in ("won", "empty") for word in words if note in word.notes), None)
        shares = tuple(self._share(word, value, is_winner=word is winner) for word in words)
        if error is None and self._field.required and not self._path and (value is MISSING or value is None):
            error = missing_required(self._field, shares)
            shares = tuple(s._replace(status="ineligible", reason=None) if s.status == "winner" else s for s in shares)
        warnings = (*self._unsealing.warnings, *self._fallbacks(winner), *_hidden_faults(words, error))
        is_pending = holds(value, _is_pending)
        return Decision(
            MISSING if error is not None else PENDING if is_pending else value,
            shares,
            error,
            warnings,
            tuple(dict.fromkeys(self._unsealing.wanted)),
            self._origins,
        )

    def _fold(self, stack: Stack, path: Path) -> Any:
        """Combine what the layers say about one part, high to low."""
        piece = _Piece([], [])
        base = MISSING
        is_settled = is_masked = False
        for word, raw in stack:
            node = self._node(word, raw, path) if not (is_settled or is_masked) or word.layer == "code" else raw
            if is_masked and word.layer != "code":
                word.notes.add("masked")
            elif _is_unset(node):
                word.notes.add("unset")
                is_masked = True
            elif is_settled:
                word.notes.add("lost")
            elif isinstance(node, Directive) and node.name in LIST_DIRECTIVES and not piece.maps:
                piece.directives.append((word, node))
            else:
                base, is_settled = self._settle(word, node, piece, path)
        if piece.maps:
            return self._merge(piece.maps, path)
        return self._listed(piece.directives, base, path) if piece.directives else base

    def _node(self, word: Word, raw: Any, path: Path) -> Any:
        """Return what a word says, with a map of a directive as the directive. Raises what is wrong with it."""
        self._culprit = word
        if isinstance(raw, Fault):
            raise raw.error
        return raw if word.is_default else directive_of(self._key(path), raw, word.at(path))

    def _key(self, path: Path) -> str:
        return ".".join((self._field.key, *path))

    def _settle(self, word: Word, node: Any, piece: _Piece, path: Path) -> tuple[Any, bool]:
        """Take one more word in; returns the value that lies below the pieces, and whether nothing further counts."""
        is_last = isinstance(node, Directive)
        while isinstance(node, Directive):  # what `$replace` holds may be one again, with nothing below it
            if node.name in LIST_DIRECTIVES:
                node = node.applied(())
            else:
                node = self._node(word, node.value, path) if node.name == "replace" else MISSING
        if isinstance(node, Mapping) and not piece.directives:
            piece.maps.append((word, node))
            return MISSING, is_last
        if piece.maps:
            word.notes.add("lost")
            return MISSING, True
        if node is MISSING:
            word.notes.add("lost")
            return MISSING, True
        value = self._unsealing.open(word, node, path)
        if value is MISSING:
            return MISSING, False
        if value is LOST:
            word.notes.add("lost")
            return MISSING, True
        word.notes.add("won")
        self._origins[path] = word.at(path)
        return value, True

    def _merge(self, maps: Sequence[tuple[Word, Mapping[str, Any]]], path: Path) -> dict[str, Any]:
        keys: dict[str, Any] = {}  # as the code has them, where it has them: they may be numbers
        for word, tree in reversed(maps):
            if not tree:
                word.notes.add("empty")
            for key in tree:
                keys.setdefault(named(key), key)
        merged: dict[Any, Any] = {}
        for name, key in keys.items():
            said = [(word, part) for word, tree in maps if (part := part_of(tree, name)) is not MISSING]
            value = self._fold(said, (*path, name))
            if value is not MISSING:
                merged[key] = value
        return merged

    def _listed(self, directives: Sequence[tuple[Word, Directive]], base: Any, path: Path) -> Any:
        """Carry list directives out on the list below them, the lowest first."""
        listed = [] if base is MISSING or base is PENDING else base.value if isinstance(base, Opened) else base
        if not isinstance(listed, (list, tuple, set, frozenset)):
            self._culprit, directive = directives[-1]
            why = f"{directive.name} needs a list below it"
            raise InvalidValue(self._key(path), why, origin=self._culprit.at(path))
        is_pending = base is PENDING
        for word, directive in reversed(directives):
            self._culprit = word
            items = self._unsealing.open(word, directive.value, path)
            is_pending |= holds(items, _is_pending)
            items = opened(items) if isinstance(base, Opened) else items
            word.notes.add("won")
            self._origins[path] = word.at(path)
            listed = directive._replace(value=items).applied(list(listed))
        return PENDING if is_pending else Opened(listed) if isinstance(base, Opened) else listed

    def _share(self, word: Word, value: Any, *, is_winner: bool) -> Share:
        status, reason = self._became(word, is_winner=is_winner)
        shown = value if status == "winner" else _shown(word.node)
        finding = word.finding
        origin = word.origin
        if word.is_store and word.names and finding is None:
            finding = self._rules.look(word.names[0], LATEST)
            origin = self._rules.origin(word.names[0], finding.version)
        redacted = word.is_store or holds(shown, lambda part: _is_pending(part) or isinstance(part, Opened))
        said = [word.detail or ""]
        if finding is not None and finding.age_s is not None and status in {"winner", "merged"}:
            said.append(f"age {int(finding.age_s)} s")
        if finding is not None and finding.is_stale:
            said.append(f"stale, refresh failed: {finding.why}")
        if status == "unknown":
            said.append("not asked")
        detail = ", ".join(part for part in said if part) or None
        hidden = (
            status == "unknown"
            or shown is PENDING
            or shown is MISSING
            or isinstance(shown, Lookup)
            or (redacted and status != "winner")
        )
        secret = word.names[-1] if word.names else None
        return Share(word.layer, status, reason, None if hidden else shown, origin, redacted, detail, secret)

    def _became(self, word: Word, *, is_winner: bool) -> tuple[Status, str | None]:
        """Return what became of a word, and why it lost."""
        if "fault" in word.notes:
            return "ineligible", word.reason
        if is_winner:
            return ("unknown" if "unknown" in word.notes else "winner"), None
        if "won" in word.notes:
            return "merged", None
        if word.status is not None:
            return word.status, word.reason
        if "unset" in word.notes:
            return "unset", None
        if word.is_store and "masked" not in word.notes and word.names:
            return self._unasked(word)
        if "masked" in word.notes:
            return "masked", "masked-by-unset"
        return ("merged", None) if word.notes == {"empty"} else ("shadowed", "lower-layer")

    def _unasked(self, word: Word) -> tuple[Status, str | None]:
        """Return what became of the secrets layer where a higher one won: it lost only if the store has the secret."""
        finding = self._rules.look(word.names[0], LATEST)
        if finding.state == "missing":
            return "absent", "secret-not-found"
        if finding.state == "failed":
            return "ineligible", "secret-unavailable"
        return ("unknown", "lower-layer") if finding.state == "unknown" else ("shadowed", "lower-layer")

    def _fallbacks(self, winner: Word | None) -> list[OneiricError]:
        layer = winner.layer if winner is not None else None
        return [
            SecretFallback(self._field.key, name, why=why, layer=layer, origin=word.origin)
            for word, name, why in self._unsealing.fallen
        ]


def missing_required(field: Field, shares: Sequence[Share]) -> OneiricError:
    """Return the error of a setting that has no value and must have one, with every place that was tried."""
    silent = {"unset": "unset", "winner": "null"}
    tried = [f"{share.layer}: {share.reason or silent.get(share.status, share.status)}" for share in shares]
    if not any(share.layer == "code" for share in shares):
        tried.append("code: no default")
    return MissingRequired(field.key, tried, origin=field.origin)


def _is_unset(node: Any) -> bool:
    return node == {UNSET_KEY: True} if isinstance(node, dict) else isinstance(node, Directive) and node.name == "unset"


def _is_pending(part: Any) -> bool:
    return part is PENDING


def _shown(node: Any) -> Any:
    """Return what a word says as a person wrote it: a directive as its map; None for what cannot be read."""
    if isinstance(node, (Fault, Within)) or node is MISSING:
        return None
    if isinstance(node, Directive):
        return _shown(node.value) if node.value is MISSING else {f"{DIRECTIVE}{node.name}": _shown(node.value)}
    return {name: _shown(part) for name, part in node.items()} if isinstance(node, dict) else node


def _hidden_faults(words: Sequence[Word], error: OneiricError | None) -> list[OneiricError]:
    """Return a warning for each text that cannot be read, and is hidden by a higher layer."""
    faults = (fault.error for word in words for fault in _faults(word.node))
    return [InvalidShadowed(fault.key, fault.why, origin=fault.origin) for fault in faults if fault is not error]


def _faults(node: Any) -> Iterator[Fault]:
    if isinstance(node, Fault):
        yield node
    elif isinstance(node, Mapping):
        for part in node.values():
            yield from _faults(part)
