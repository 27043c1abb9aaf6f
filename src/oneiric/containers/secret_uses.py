"""Which secrets an application may need, for which settings, and what the store says of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from oneiric.containers.known_secrets import KnownSecrets
from oneiric.containers.wiring import Wiring
from oneiric.core.secrets import LATEST, Finding
from oneiric.core.values import Value
from oneiric.providers.slot import Slot


class SecretUse(NamedTuple):
    """
    One secret that settings in use may come from.

    Attributes:
        name: The secret.
        keys: The settings that it may answer, sorted.
        counts: Its value is the one that counts for at least one of them.
        origin: How the store calls it.
        finding: What the store says; `unknown` where it was not asked.
    """

    name: str
    keys: tuple[str, ...]
    counts: bool
    origin: str
    finding: Finding


_MAY_COUNT = frozenset({"winner", "merged", "unknown", "absent", "ineligible"})


def built_from(names: Collection[str], wiring: Wiring) -> dict[Slot[Any], tuple[str, ...]]:
    """Return the slots whose built objects have settings that these secrets may answer, each with their keys."""
    found: dict[Slot[Any], tuple[str, ...]] = {}
    for slot in wiring.every_slot() if names else ():
        cell = wiring.own_cell(slot) if slot.scope == "app" else None
        binding = cell.binding if cell is not None and cell.is_built else None
        if binding is None:
            continue
        _, values = wiring.values_of(slot, binding) or (None, [])
        keys = [
            value.field.key
            for value in values
            if any(one.secret in names and one.status in _MAY_COUNT for one in value.shares)
        ]
        if keys:
            found[slot] = tuple(sorted(keys))
    return found


def secret_uses(values: Iterable[Value], secrets: KnownSecrets) -> Iterator[SecretUse]:
    """Yield the secrets that values of settings may come from, by name."""
    keys: dict[str, set[str]] = {}
    counting: set[str] = set()
    for value in values:
        for share in value.shares:
            if share.secret is None:
                continue
            keys.setdefault(share.secret, set()).add(value.field.key)
            if share.status in {"winner", "merged", "unknown"} or (
                value.error is not None and share.status == "ineligible"
            ):
                counting.add(share.secret)
    for name in sorted(keys):
        finding = secrets.cache.look(name, LATEST)
        yield SecretUse(name, tuple(sorted(keys[name])), name in counting, secrets.resource(name), finding)
