"""Hearing the layers: each one's word about a setting, put together from its leaves and read by the field's type."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from oneiric.core.directives import Directive, directive_of
from oneiric.core.errors import InvalidDirective, InvalidValue
from oneiric.core.origins import Origin, split_key
from oneiric.core.secrets import Finding, SecretRules, conventional_name, is_bootstrap, is_protected, is_reference
from oneiric.core.sources import DIRECTIVE, Said
from oneiric.core.texts import read_text, type_at
from oneiric.core.values import MISSING, Field, Status
from oneiric.core.words import Speaker, Words

Path = tuple[str, ...]
Heard = list[tuple[Path, Said]]


class Fault(NamedTuple):
    """A text that cannot be read; an error only if it counts."""

    error: InvalidValue | InvalidDirective


class Lookup(NamedTuple):
    """What the secrets layer says: a name to look up in the store."""

    name: str


class Within(NamedTuple):
    """A part of what a secret holds: the lookup of the whole or the reference to it, and the path below it."""

    whole: Any  # a lookup, or the text of a reference
    path: Path


class Word:
    """
    One layer's word about a field.

    Attributes:
        layer: The layer.
        node: What it says: a value, a map, a directive, a lookup, a fault; MISSING where it says nothing, for a reason.
        origin: Where it says so; the first place, where it is put together from several.
        places: Where it says each part.
        trust: `remote` for a manifest that was fetched.
        is_store: It is the secret store that speaks.
        is_default: It is what the code declares, in which nothing is a directive.
        status: What became of it, where that is known from the start.
        reason: Why it does not count, likewise.
        notes: What became of its parts: `won`, `lost`, `masked`, `unset`, `unknown`, `empty`, `fault`.
        names: The secrets that it was asked for.
        finding: What the store knows of the last of them.
        detail: What else a person may want to know.
    """

    __slots__ = (
        "detail",
        "finding",
        "is_default",
        "is_store",
        "layer",
        "names",
        "node",
        "notes",
        "origin",
        "places",
        "reason",
        "status",
        "trust",
    )

    def __init__(self, layer: str, node: Any, origin: Origin | None, trust: str = "inline") -> None:
        self.layer, self.node, self.origin, self.trust = layer, node, origin, trust
        self.places: Sequence[tuple[Path, Origin]] = ()
        self.is_store = self.is_default = False
        self.status: Status | None = None
        self.reason: str | None = None
        self.notes: set[str] = set()
        self.names: list[str] = []
        self.finding: Finding | None = None
        self.detail: str | None = None

    def at(self, path: Path) -> Origin | None:
        """Return where it says a part."""
        return next((origin for part, origin in self.places if _overlap(part, path)), self.origin)

    def silent(self, status: Status, reason: str) -> Word:
        """Note that it does not count, and why; returns the word."""
        self.node, self.status, self.reason = MISSING, status, reason
        return self


def hear(field: Field, words: Words, rules: SecretRules, path: Path = ()) -> Iterator[Word]:
    """
    Yield the words about a field, layers high to low; layers that say nothing about it are passed over.

    Args:
        field: The setting.
        words: What the layers say.
        rules: What the secrets layer answers.
        path: A part of the setting, where only that is asked for.
    """
    exact: dict[int, Said] = {}
    for position, said in words.about(field):
        exact.setdefault(position, said)
    below: dict[int, Heard] = {}
    for position, part, said in words.below(field):
        below.setdefault(position, []).append((part, said))
    for position in range(len(words.speakers) - 1, -1, -1):
        speaker = words.speakers[position]
        word = None
        if speaker.is_store:
            word = _store_word(field, rules)
        elif position in exact or position in below:
            word = _word(field, speaker, exact.get(position), below.get(position, ()), path)
        if word is not None and _descend(field, word, path):
            yield word
    if field.default is not MISSING:
        word = Word("code", plain(field.default), field.origin)
        word.is_default = True
        if _descend(field, word, path):
            yield word


def _word(field: Field, speaker: Speaker, exact: Said | None, below: Sequence[tuple[Path, Said]], path: Path) -> Word:
    """Return one layer's word about a field, put together from its leaves."""
    spoken: Heard = [((), exact), *below] if exact is not None else [*below]
    heard = [(part, said) for part, said in spoken if not said.is_empty]
    near = [said.origin for part, said in heard or spoken if _overlap(part, path)] or [spoken[0][1].origin]
    word = Word(speaker.layer, MISSING, near[-1] if path else near[0], speaker.trust)
    if not heard:
        return word.silent("absent", "empty-ignored")
    if speaker.trust == "remote":
        heard = [(part, said) for part, said in heard if not _is_guarded(field, part)]
        if not heard:
            return word.silent("ineligible", "protected-key")
    word.places = [(part, said.origin) for part, said in heard]
    word.node = _node(field, heard)
    return word


def _is_guarded(field: Field, part: Path) -> bool:
    """Tell whether a remote manifest may not set a part of a field."""
    return is_protected(field.key) or any(_overlap(part, guarded) for guarded in field.guarded)


def _node(field: Field, heard: Sequence[tuple[Path, Said]]) -> Any:
    node: Any = MISSING
    for part, said in heard:
        if not part:
            node = _read(field, part, said)
        elif node is MISSING or isinstance(node, Mapping):
            tree = _read(field, part, said)
            for name in reversed(part):
                tree = {name: tree}
            node = _merged(node if node is not MISSING else {}, tree)
    return node


def _read(field: Field, part: Path, said: Said) -> Any:
    """
    Return what is said about a part of a field.

    A text is read by the part's type, and its directive stands in a map as in a file; a reference stays a text.
    """
    if not said.text or is_reference(said.value):
        return said.value
    try:
        value = read_text(".".join((field.key, *part)), type_at(field.annotation, part), said)
    except (InvalidValue, InvalidDirective) as error:
        return Fault(error)
    return {f"{DIRECTIVE}{value.name}": value.value} if isinstance(value, Directive) else value


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _store_word(field: Field, rules: SecretRules) -> Word | None:
    """Return what the secrets layer says: lookups for typed secrets and for bound keys; None for any other field."""
    names = {path: conventional_name(".".join((field.key, *path))) for path in field.sealed}
    bound = {
        tuple(split_key(key[len(field.key) + 1 :])) if key != field.key else (): name
        for key, name in rules.bindings.items()
        if key == field.key or key.startswith(field.key + ".")
    }
    if is_bootstrap(field.key):
        if not bound:
            return None
        word = Word("secrets", MISSING, rules.origin(next(iter(bound.values()))))
        return word.silent("ineligible", "bootstrap-key")
    names |= bound
    if not names:
        return None
    if () in names:
        names = {(): names[()]}  # one secret holds the whole, and so its parts
    node: Any = {}
    for path, name in sorted(names.items()):
        leaf: Any = Lookup(name)
        for part in reversed(path):
            leaf = {part: leaf}
        node = leaf if not path else _merged(node, leaf)
    word = Word("secrets", node, rules.origin(next(iter(names.values()))))
    word.is_store, word.names = True, list(names.values())
    return word


def _descend(field: Field, word: Word, path: Path) -> bool:
    """Turn a word into what it says about a part of the field; False if it says nothing about that."""
    node, is_last = word.node, False  # `is_last`: what lies below is replaced as well
    for position, name in enumerate(path):
        try:
            node = node if word.is_default else directive_of(field.key, node, word.at(path))
        except (InvalidValue, InvalidDirective) as error:
            node = Fault(error)
        if isinstance(node, Directive) and node.name == "replace":
            node, is_last = node.value, True
        if isinstance(node, Fault) or node is MISSING or (isinstance(node, Directive) and node.name == "unset"):
            break
        if isinstance(node, Lookup) or is_reference(node):
            node = Within(node, path[position:])
            break
        if not isinstance(node, Mapping):  # a value that replaces the whole map, and so this part of it
            node, is_last = MISSING, True
            break
        node = part_of(node, name)
        if node is MISSING and not is_last:
            return False
    word.node = Directive("replace", node) if is_last and not isinstance(node, Fault) else node
    return True


def part_of(node: Mapping[Any, Any], name: str) -> Any:
    """Return a part of a map by its name, which in code may be a number or a member of an enumeration."""
    if name in node:
        return node[name]
    return next((part for key, part in node.items() if named(key) == name), MISSING)


def named(key: Any) -> str:
    """Return how layers name a key of a map."""
    return str(key.value if isinstance(key, enum.Enum) else key)


def _overlap(one: Path, other: Path) -> bool:
    return all(part == its for part, its in zip(one, other, strict=False))


def plain(value: Any) -> Any:
    """Return a map or a settings model, and those inside, as a plain map; anything else as it is."""
    if hasattr(value, "model_dump"):
        return {name: plain(part) for name, part in value}
    return {key: plain(part) for key, part in value.items()} if isinstance(value, Mapping) else value
