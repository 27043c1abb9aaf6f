"""
The evaluator: which value a setting has, from what ranked layers say.

It works on plain data and touches nothing. Explanations are made by the same functions that decide.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from oneiric.core.deciding import decide
from oneiric.core.hearing import plain
from oneiric.core.secrets import SCHEME, SecretRules, is_reference
from oneiric.core.values import MISSING, Field, Value, holds
from oneiric.core.words import Words

_PLAIN = frozenset({int, float, bool})  # types of values that say nothing but themselves
NO_RULES = SecretRules()


def evaluate(field: Field, words: Words, rules: SecretRules = NO_RULES) -> Value:
    """
    Decide the value of one setting.

    Maps merge leaf by leaf, directives change what lies below, everything else is replaced by the highest layer that
    says anything.

    Args:
        field: The setting.
        words: What the layers say.
        rules: By which rules secrets count.
    """
    key = field.key
    is_simple = not (
        field.sealed
        or words.has_remote
        or key in words.parents
        or field.spelled in words.by_key  # "" where it is spelled like the key, which nobody says anything about
        or field.spelled in words.parents
        or _bound(key, rules)
    )

    if is_simple:
        heard = words.by_key.get(key)
        if heard is None:
            is_there = field.default is not MISSING and not (field.required and field.default is None)
            if is_there and not _refers(field.default):
                return Value(field, field.default, partial(decide, field, words, rules), is_said=False)
        else:
            said = heard[-1][1]
            kind = type(said.value)
            if not said.text and (kind in _PLAIN or (kind is str and not said.value.startswith(SCHEME))):
                return Value(field, said.value, partial(decide, field, words, rules))
    decision = decide(field, words, rules)
    others = decision.shares if field.default is MISSING else decision.shares[:-1]  # the default speaks last
    is_said = any(share.status in {"winner", "merged", "unknown"} for share in others)
    return Value(
        field,
        decision.value,
        lambda: decision,
        error=decision.error,
        wanted=decision.wanted,
        is_said=is_said or decision.error is not None or bool(decision.warnings),
    )


def _refers(default: Any) -> bool:  # whatever a field may have
    """Tell whether a secret is referred to in a default of the code."""
    return type(default) not in _PLAIN and default is not None and holds(plain(default), is_reference)


def _bound(key: str, rules: SecretRules) -> bool:
    return bool(rules.bindings) and any(name == key or name.startswith(key + ".") for name in rules.bindings)
