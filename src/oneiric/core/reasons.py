"""The reason codes: why a layer or an adapter lost. A code may be added, and never changes its sense."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "absent": "The layer says nothing about it.",
        "bootstrap-key": "The setting is read before the secret store is open, so a binding to a secret is ignored.",
        "denied-by-profile": "The profile denies the adapter; only layer explicit may use it.",
        "empty-ignored": "The variable is set to nothing, which counts as not set; `@empty` is the empty text.",
        "layer-disabled": "The layer has something to say, and this profile does not listen to it.",
        "lower-layer": "A layer above it says something else.",
        "lower-priority": "An adapter of higher priority was taken, or one was chosen by name.",
        "masked-by-unset": "A layer above it says `@unset`, which masks every layer below down to the code.",
        "missing-capability": "The slot asks for a capability that the adapter does not have.",
        "not-installed": "The extra that the adapter needs is not installed.",
        "protected-key": "A remote manifest may not say this; see `remote` in the settings.",
        "secret-not-found": "The secret store has no such secret, or not the field that is asked for.",
        "secret-out-of-scope": "A remote manifest refers to a secret outside `remote.secret_scope`.",
        "secret-unavailable": "The secret store was down, too slow, or denied the secret.",
        "secrets-cannot-select": "The secrets layer answers for values, and never chooses an adapter.",
    }
)
