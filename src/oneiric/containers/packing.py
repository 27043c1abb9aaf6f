"""Packing: what files say in a profile, put together as the one layer of a manifest that says the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from oneiric.containers.layers import LayerContainer
from oneiric.containers.selection import SECRETS
from oneiric.containers.validation import Checked, validate
from oneiric.core.config import evaluate
from oneiric.core.errors import InvalidSecretReference, InvalidValue, OneiricError, PlaintextSecret
from oneiric.core.log import is_secret_name, scrub
from oneiric.core.models import fields_of
from oneiric.core.origins import Origin, split_key
from oneiric.core.profiles import Profile
from oneiric.core.secrets import is_reference, parse_reference
from oneiric.core.sources import DIRECTIVE, Said, Tables, quoted
from oneiric.core.values import Field, Value
from oneiric.core.words import Speaker, Words
from oneiric.providers.slot import Slot

NO_VALUES = "secrets.bindings"  # a map of names, though its keys sound secret
OF_THIS_MACHINE = frozenset(  # what is missing here, and may be there where the manifest is used
    {"secret-fallback", "secret-field-not-found", "secret-not-found", "secret-unavailable", "selection-not-installed"}
)
_BARE_USER = re.compile(r"://[^/\s:@]*@")


class Packing(NamedTuple):
    """
    What came of it; without faults, `tables` can be packed.

    Attributes:
        tables: One word for each slot and setting, with the place in a file that said it.
        faults: Why it cannot be packed.
        warnings: What is allowed and not good.
        left_out: What a manifest has no table for, with its place.
    """

    tables: Tables
    faults: tuple[OneiricError, ...]
    warnings: tuple[OneiricError, ...]
    left_out: tuple[tuple[str, Origin], ...]


def pack_layers(container: Checked, profile: Profile, layers: Sequence[LayerContainer]) -> Packing:
    """
    Put the layers of files together, low to high, and look for whatever keeps them out of a manifest.

    Where several speak about one setting, the evaluator decides: over a directive such as `$append` the decided value
    is packed, with what the code says below it.

    Args:
        container: Says nothing but what its code says, so that no variable of this machine hides a fault. The profile
            and the layers are applied to it, and stay.
        profile: The profile in which the manifest will be used.
        layers: What the files say.

    Raises:
        AppNotImportable: The adapter that a setting belongs to cannot be imported, so nobody knows what is secret.
    """
    stack = container.wiring.stack
    stack.use_profile(profile)
    for layer in layers:
        stack.put(layer)
    found, warnings = validate(container)
    known = _KnownFields(container)
    selection = stack.selection_in(profile, layers)
    words = selection.words.without(SECRETS)
    tables, faults = Tables(), []
    for name, slot in sorted(container.slots.by_name.items()):
        if said := stack.said(slot, selection):
            tables.select[name] = said[0].said
    for field, keys in known.grouped(words):
        try:
            tables.settings |= _together(field or Field(keys[0], Any), keys, words)
        except OneiricError as error:  # of one setting: the others may have faults as well
            faults.append(error)
    for key, word in tables.settings.items():
        faults += _plaintext(key, word, known.find(key))
    said_at = {said.origin for layer in layers for said in (*layer.bindings.values(), *layer.settings.values())}
    denied = {(f"deny.{slot}", at) for layer in layers for slot, names in layer.deny.items() for at in names.values()}
    return Packing(
        tables,
        _sorted([*_of_files(found, said_at), *faults]),
        _sorted(_of_files(warnings, said_at)),
        tuple(sorted(denied, key=str)),
    )


def _of_files(found: Iterable[OneiricError], said_at: set[Origin]) -> list[OneiricError]:
    return [error for error in found if error.origin in said_at and error.code not in OF_THIS_MACHINE]


def _sorted(found: Iterable[OneiricError]) -> tuple[OneiricError, ...]:
    unique = {str(error): error for error in found}
    return tuple(sorted(unique.values(), key=lambda error: (error.code, str(error))))


class _KnownFields:
    """The fields of all settings models that keys may belong to; an adapter is imported when a key names it."""

    def __init__(self, container: Checked) -> None:
        self._container = container
        self._models: dict[str, list[Field]] = {}

    def find(self, key: str) -> Field | None:
        """Return the field that a key is, or is a part of; None where nobody reads it."""
        parts = key.split(".")
        names = (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
        for name in names:
            fields = self._of_section(name) if name in self._container.sections else []
            if (slot := self._container.slots.by_name.get(name)) is not None:
                fields = [*fields, *self._of_adapter(slot, key[len(name) + 1 :].partition(".")[0])]
            for field in fields:
                if key == field.key or key.startswith(field.key + "."):
                    return field
        return None

    def grouped(self, words: Words) -> Iterator[tuple[Field | None, list[str]]]:
        """Yield the keys that are said, those of one setting together; without a field, those below one key."""
        groups: dict[str, tuple[Field | None, list[str]]] = {}
        for key in sorted(words.by_key):
            field = self.find(key)
            root = field.key if field else next((one for one in groups if key.startswith(one + ".")), key)
            groups.setdefault(root, (field, []))[1].append(key)
        yield from groups.values()

    def _of_section(self, name: str) -> list[Field]:
        if name not in self._models:
            self._models[name] = list(fields_of(self._container.sections[name], name))
        return self._models[name]

    def _of_adapter(self, slot: Slot[Any], adapter: str) -> list[Field]:
        wiring, name = self._container.wiring, f"{slot.name}.{adapter}"
        if name not in self._models:
            found = wiring.values_for(slot, adapter)
            binding, _ = wiring.look(slot)
            if found is None and binding is not None and binding.adapter == adapter:
                found = wiring.values_of(slot, binding)
            self._models[name] = [value.field for value in found[1]] if found is not None else []
        return self._models[name]


def _together(field: Field, keys: Sequence[str], words: Words) -> Mapping[str, Said]:
    """
    Return what the words about one setting come to, as the words of one layer.

    Raises:
        InvalidValue, InvalidDirective: They come to nothing, or to something that only a start can find out.
    """
    highest = {key: words.by_key[key][-1][1] for key in keys}
    if len({speaker for key in keys for speaker, _ in words.by_key[key]}) == 1:
        return highest
    whole = evaluate(field, words)
    is_nested = any(other.startswith(key + ".") for key in keys for other in keys)
    if not is_nested and _compared(whole) == _compared(evaluate(field, Words([Speaker("profile", highest)]))):
        return highest
    if whole.error is not None:
        raise whole.error
    origin = whole.winner.origin if whole.winner is not None else None
    if whole.wanted or origin is None:
        why = "it is put together from several tables, and a secret in them is known only at the start"
        fixes = ("write the whole value into the table of the profile",)
        raise InvalidValue(field.key, why, origin=origin or highest[keys[-1]].origin, fixes=fixes)
    value = {f"{DIRECTIVE}replace": whole.value} if isinstance(whole.value, Mapping) else whole.value
    return {field.key: Said(value, origin)}


def _compared(value: Value) -> tuple[object, ...]:
    return (value.error.code if value.error else None, value.wanted, value.value)


def _plaintext(key: str, said: Said, field: Field | None) -> Iterator[OneiricError]:
    """Yield an error for each secret that stands there itself, by its type, its name or its looks."""
    path: tuple[str, ...] = ()
    sealed: Sequence[tuple[str, ...]] = ()
    if field is None:  # whose name begins where is not known
        parts = key.split(".")
        hidden = any(map(is_secret_name, parts[2:] or parts[-1:]))
    elif field.key == NO_VALUES:
        return
    else:
        sealed = field.sealed
        path = tuple(split_key(key[len(field.key) + 1 :])) if key != field.key else ()
        hidden = field.secret or any(map(is_secret_name, path)) or any(path[:n] in sealed for n in range(len(path)))
    for where, value in _plain_values(key, said.value, path, sealed, hidden):
        try:
            if is_reference(value):
                parse_reference(where, value, said.origin)
            else:
                yield PlaintextSecret(where, origin=said.origin)
        except InvalidSecretReference as error:
            yield error


def _plain_values(
    key: str, value: Any, path: tuple[str, ...], sealed: Sequence[tuple[str, ...]], hidden: bool
) -> Iterator[tuple[str, Any]]:
    """Yield every reference in a value, and everything that is shown to nobody, each with its key."""
    hidden = hidden or path in sealed
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name.startswith(DIRECTIVE):
                yield from _plain_values(key, part, path, sealed, hidden)
            else:
                inner = hidden or is_secret_name(name)
                yield from _plain_values(f"{key}.{quoted(name)}", part, (*path, name), sealed, inner)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _plain_values(key, part, path, sealed, hidden)
    elif value is not None and not isinstance(value, bool) and (hidden or _looks_secret(value)):
        yield key, value


def _looks_secret(value: object) -> bool:
    """Tell whether it is a reference, or a URL with credentials in it; a bare user name is none."""
    if not isinstance(value, str):
        return False
    bare = _BARE_USER.sub("://", value)
    return is_reference(value) or ("://" in bare and scrub(bare) != bare)
