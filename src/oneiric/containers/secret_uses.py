"""Which secrets an application may need, for which settings, and what the store says of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from oneiric.containers.known_secrets import KnownSecrets
from oneiric.core.secrets import LATEST, Finding
from oneiric.core.values import Value


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
