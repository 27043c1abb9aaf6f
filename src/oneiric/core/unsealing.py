"""Unsealing: what a value becomes when secrets are looked up for it, as far as they are known."""

from __future__ import annotations

import json
from typing import Any

from oneiric.core.errors import (
    BootstrapCycle,
    InvalidValue,
    OneiricError,
    PlaintextSecret,
    SecretFieldNotFound,
    SecretNotFound,
    SecretOutOfScope,
    SecretUnavailable,
)
from oneiric.core.hearing import Lookup, Path, Within, Word
from oneiric.core.origins import Origin
from oneiric.core.secrets import (
    LATEST,
    Finding,
    Opened,
    Reference,
    SecretRules,
    Wanted,
    is_bootstrap,
    is_reference,
    parse_reference,
)
from oneiric.core.texts import is_secret_type, parse, plain_type, type_at, type_of_item
from oneiric.core.values import MISSING, PENDING, Field, holds, opened

LOST: Any = object()  # nothing, in the place of what lower layers say


class Unsealing:
    """
    Looks secrets up for one field.

    Attributes:
        wanted: The secrets that have to be fetched before the field has a value.
        warnings: What is allowed and not good.
        fallen: The words that the store could not answer, with the secret and the reason.
    """

    def __init__(self, field: Field, rules: SecretRules) -> None:
        self._field = field
        self._rules = rules
        self.wanted: list[Wanted] = []
        self.warnings: list[OneiricError] = []
        self.fallen: list[tuple[Word, str, str]] = []

    def open(self, word: Word, node: Any, path: Path) -> Any:
        """
        Return what a leaf stands for; MISSING if the word says nothing after all, which then holds the reason, and LOST
        if it says that there is nothing.

        Raises:
            Refused: It refers to a secret that cannot be had, or holds one in plain text where it may not.
        """
        if isinstance(node, Within):
            return self._within(word, node, path)
        annotation = type_at(self._field.annotation, path)
        if isinstance(node, Lookup):
            return self._look_up(word, node.name, path, annotation)
        if isinstance(node, (list, tuple)) and (word.layer == "manifest" or holds(node, is_reference)):
            return self._items(word, node, path, annotation)
        return self._leaf(word, node, path, annotation)

    def _within(self, word: Word, node: Within, path: Path) -> Any:
        """Answer for a part of what a secret holds; LOST where it holds no such part."""
        value = self.open(word, node.whole, path[: len(path) - len(node.path)])
        if value is MISSING or value is PENDING:
            return value
        value = opened(value)
        for name in node.path:
            if not isinstance(value, dict) or name not in value:
                return LOST
            value = value[name]
        return Opened(value)

    def _items(self, word: Word, node: Any, path: Path, annotation: Any) -> Any:
        """Follow the references inside a list, and inside the maps that it holds."""
        if isinstance(node, (list, tuple)):
            listed = (self._items(word, item, path, type_of_item(annotation, n)) for n, item in enumerate(node))
            return [item for item in listed if item is not MISSING]
        if isinstance(node, dict):
            parts = {name: self._items(word, part, path, type_at(annotation, (name,))) for name, part in node.items()}
            return {name: part for name, part in parts.items() if part is not MISSING}
        return self._leaf(word, node, path, annotation)

    def _leaf(self, word: Word, node: Any, path: Path, annotation: Any) -> Any:
        if is_reference(node):
            return self._follow(word, node, path, annotation)
        if word.layer == "manifest" and isinstance(node, (str, bytes)) and is_secret_type(annotation):
            error = PlaintextSecret(self._key(path), origin=word.at(path))
            if not self._rules.plaintext:
                raise error
            self.warnings.append(error)
        return node

    def _key(self, path: Path) -> str:
        return ".".join((self._field.key, *path))

    def _look_up(self, word: Word, name: str, path: Path, annotation: Any) -> Any:
        """Answer for the secrets layer, which has nothing to say where the store has nothing."""
        finding = self._find(word, name, LATEST)
        word.origin = self._rules.origin(name, finding.version)
        if finding.state == "missing":
            word.silent("absent", "secret-not-found")
            return MISSING
        if finding.state == "failed":
            if not self._rules.outage_falls:
                raise SecretUnavailable(self._key(path), name, why=finding.why, origin=word.origin)
            word.silent("ineligible", "secret-unavailable")
            self.fallen.append((word, name, finding.why))
            return MISSING
        return self._value(word, finding, Reference(name), path, annotation)

    def _follow(self, word: Word, text: object, path: Path, annotation: Any) -> Any:
        """Answer for a reference, which has the rank of the layer that holds it."""
        key, origin = self._key(path), word.at(path)
        reference = parse_reference(key, text, origin)
        word.detail = str(reference)
        if is_bootstrap(self._field.key):
            raise BootstrapCycle(key, origin=origin)
        if word.trust == "remote" and not self._rules.in_scope(reference.name):
            raise SecretOutOfScope(key, reference.name, scope=self._rules.scope, origin=origin)
        finding = self._find(word, reference.name, reference.version)
        if finding.state == "missing":
            if reference.optional:
                word.silent("absent", "secret-not-found")
                return MISSING
            store = self._rules.store
            raise SecretNotFound(key, reference.name, store=store, version=reference.version, origin=origin)
        if finding.state == "failed":
            raise SecretUnavailable(key, reference.name, why=finding.why, is_reference=True, origin=origin)
        return self._value(word, finding, reference, path, annotation)

    def _find(self, word: Word, name: str, version: str) -> Finding:
        finding = self._rules.look(name, version)
        word.finding = finding
        if name not in word.names:
            word.names.append(name)
        return finding

    def _value(self, word: Word, finding: Finding, reference: Reference, path: Path, annotation: Any) -> Any:
        if finding.value is None:
            self.wanted.append((reference.name, reference.version))
            if finding.state == "unknown":
                word.notes.add("unknown")
            return PENDING
        value: Any = finding.value
        if reference.field is not None:
            try:
                value = _field_of(self._key(path), finding.value, reference, word.at(path))
            except SecretFieldNotFound:
                if not reference.optional:
                    raise
                word.silent("absent", "secret-not-found")
                return MISSING
            if value is None:
                return None  # a null of JSON is one here too
        return Opened(self._typed(word, value, path, annotation))

    def _typed(self, word: Word, value: Any, path: Path, annotation: Any) -> Any:
        """Read what the store holds by the declared type; it is final, and no directive or reference is seen in it."""
        kind = plain_type(annotation)
        if isinstance(value, bytes):
            if kind is bytes or getattr(kind, "__name__", "") == "SecretBytes":
                return value
            try:
                value = value.decode()
            except UnicodeDecodeError:
                why = "its secret is no text in UTF-8"
                raise InvalidValue(self._key(path), why, origin=word.at(path)) from None
        if is_secret_type(kind):
            return value if isinstance(value, str) else json.dumps(value)
        return parse(self._key(path), kind, value, word.at(path)) if isinstance(value, str) else value


def _field_of(key: str, value: bytes, reference: Reference, origin: Origin | None) -> Any:
    """Return a field of the JSON object that a secret holds. Raises SecretFieldNotFound."""
    field = reference.field or ""
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):  # no JSON, or no text at all
        document = None
    if not isinstance(document, dict):
        why = "it is no JSON object"
        raise SecretFieldNotFound(key, reference.name, field, why=why, origin=origin) from None
    if field not in document:
        raise SecretFieldNotFound(key, reference.name, field, why="it has no such field", origin=origin)
    return document[field]
