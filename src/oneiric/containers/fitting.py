"""Whether an object or a class fits the declared type of a slot: a class by inheritance, a Protocol by its members."""

from __future__ import annotations

import inspect
import weakref
from typing import Any

from oneiric.core.errors import WrongType
from oneiric.core.importing import load
from oneiric.providers.adapter import ObjectProvider
from oneiric.providers.engine import Object, Provider
from oneiric.providers.slot import Slot, described

_members: weakref.WeakKeyDictionary[type, tuple[set[str], set[str]]] = weakref.WeakKeyDictionary()


def declared_type(slot: Slot[Any]) -> Any:
    """Return the slot's type, imported now where only its name was known; None if it has none."""
    if slot.type is None and slot.type_name is not None and slot.category is not None:
        slot.type = load(slot.type_name)
    return slot.type


def check_fit(slot: Slot[Any], value: object) -> None:
    """
    Make sure that what somebody binds to a slot fits it.

    An engine provider is asked when it has made its object, unless it tells its class or object before.

    Raises:
        WrongType: It does not fit; the error names the members that a Protocol misses.
    """
    if slot.kind not in {"adapter", "object"}:
        if not callable(value):
            raise WrongType(slot.name, "a callable", _given(value))
        return
    if type(value) is slot.type:
        return
    wanted = declared_type(slot)
    if wanted is None or not isinstance(wanted, type):
        return
    if isinstance(value, ObjectProvider):
        value = value.target
        if not isinstance(value, type):
            return
    elif isinstance(value, Provider):
        if not isinstance(value, Object):
            return
        value = value.provides
    if value is wanted:
        return
    missing = _missing(wanted, value)
    if missing is not None:
        raise WrongType(slot.name, described(wanted), _given(value), missing=missing)


def _given(value: object) -> str:
    return (
        described(value)
        if inspect.isclass(value) or inspect.isfunction(value)
        else f"a {described(type(value))} object"
    )


def _missing(wanted: type, value: object) -> list[str] | None:
    """Return None if the value fits, else the members it lacks (empty where inheritance decides)."""
    if not getattr(wanted, "_is_protocol", False):
        fits = issubclass(value, wanted) if isinstance(value, type) else isinstance(value, wanted)
        return None if fits else []
    is_class = isinstance(value, type)
    methods, attributes = members_of(wanted)
    asked = methods if is_class else methods | attributes  # a class may set an attribute when it is made
    return sorted(name for name in asked if not hasattr(value, name)) or None


def members_of(protocol: type) -> tuple[set[str], set[str]]:
    """Return the public methods and the annotated attributes of a Protocol, inherited ones too."""
    known = _members.get(protocol)
    if known is None:
        known = _members[protocol] = _read_members(protocol)
    return known


def _read_members(protocol: type) -> tuple[set[str], set[str]]:
    methods: set[str] = set()
    attributes: set[str] = set()
    for base in protocol.__mro__:
        if getattr(base, "_is_protocol", False):
            methods |= {name for name in vars(base) if not name.startswith("_")}
            attributes |= {name for name in vars(base).get("__annotations__", {}) if not name.startswith("_")}
    return methods, attributes
