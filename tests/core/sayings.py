"""What layers and secret stores say, as the tests of the evaluator write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneiric.core.models import fields_of
from oneiric.core.origins import CodeOrigin
from oneiric.core.secrets import Finding, SecretRules
from oneiric.core.sources import Said, dotted, leaves
from oneiric.core.values import Field, Share
from oneiric.core.words import Speaker, Words

STORE = Speaker("secrets", is_store=True)
MISSING_SECRET = Finding("missing")


def layer(name: str, said: Mapping[str, Any], *, trust: str = "inline") -> Speaker:
    """Return a layer; what `env` says is text, and the origin of everything is `layer:key`."""
    is_text = name == "env"
    spoken = said if is_text else {dotted(path): value for path, value in leaves(said)}
    return Speaker(name, {k: Said(v, CodeOrigin(f"{name}:{k}"), text=is_text) for k, v in spoken.items()}, trust)


def words(*layers: Speaker) -> Words:
    """Return the words of layers, low to high."""
    return Words(layers)


def field(model: Any, key: str) -> Field:
    """Return a field of a settings model by its dotted key."""
    prefix, _, name = key.rpartition(".")
    return next(one for one in fields_of(model, prefix) if one.name == name)


def held(secrets: Mapping[str, bytes | Finding], **rules: Any) -> SecretRules:  # the other rules, by name
    """Return the rules of a store that holds these secrets in version 7, and no others."""

    def look(name: str, version: str) -> Finding:
        found = secrets.get(name, MISSING_SECRET)
        return Finding("found", found, "7") if isinstance(found, bytes) else found

    return SecretRules(look=look, store="fake", **rules)


def became(shares: tuple[Share, ...]) -> list[tuple[str, str, str | None]]:
    """Return of each share the layer, what became of it, and why."""
    return [(share.layer, share.status, share.reason) for share in shares]
