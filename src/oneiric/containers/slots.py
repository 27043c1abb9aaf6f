"""The names of an application: its slots, by name and by type, and the functions registered in its child containers."""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args, get_origin

from oneiric.containers.needs import Need, Unknown, evaluate
from oneiric.core.errors import (
    AmbiguousType,
    DuplicateName,
    DuplicateSubscription,
    InvalidName,
    MissingDependency,
    UnknownSlot,
)
from oneiric.core.origins import CodeOrigin
from oneiric.core.sources import Said
from oneiric.providers.slot import Owner, Slot, attach

CHILDREN = ("adapters", "services", "tasks", "events", "workflows")
# Keys below these names are settings of the framework; `secrets` is a slot as well
SECTIONS = frozenset({"activity", "app", "logging", "push", "remote", "serverless", "swap", "telemetry", "web"})
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_ITERATORS = {"AsyncGenerator", "AsyncIterable", "AsyncIterator", "Generator", "Iterable", "Iterator"}


class Slots:
    """
    Slots and registered functions by name.

    Adapters and application objects share one space of names, because a parameter names either; services, tasks, event
    handlers and workflows have one each.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.by_name: dict[str, Slot[Any]] = {}
        self.parts: dict[str, dict[str, Slot[Any]]] = {child: {} for child in CHILDREN}
        self.aliases: dict[str, str] = {}
        self.protected = {"secrets"}  # a remote manifest has no say in these
        self.by_section: dict[str, Slot[Any]] = {}
        self._by_type: dict[str, list[str]] = {}
        self._categories: dict[str, str] = {}

    def declare_category(self, name: str, protocol: str) -> list[Slot[Any]]:
        """
        Declare the slot of a category; its Protocol is known by name only, and imported when it is compared.

        Returns:
            That slot, and those of the same type that were declared before: the category's adapters can fill them.
        """
        self._categories[protocol] = name
        known = [self.by_name[other] for other in self._by_type.get(protocol, ())]
        found = [slot for slot in known if slot.category is None and slot.kind == "adapter"]
        for slot in found:
            slot.category = name
        if name not in self.by_name:
            slot = Slot(self._owner, name, kind="adapter", child="adapters", type_name=protocol, category=name)
            found.append(self._add(slot))
        return found

    def declare(self, name: str, type_: Any, *, at: str) -> Slot[Any]:
        """
        Declare a slot that adapters or objects can fill.

        Raises:
            InvalidName: The name breaks the grammar, or a slot itself answers to one of its segments.
            DuplicateName: A slot of that name exists.
        """
        self._free(name, at)
        type_name = type_key(type_)
        slot: Slot[Any] = Slot(
            self._owner,
            name,
            kind="adapter",
            child="adapters",
            type_name=type_name,
            type_=type_,
            category=self._categories.get(type_name),
            at=at,
        )
        return self._add(slot)

    def declare_object(self, name: str, target: Callable[..., Any], *, scope: str, eager: bool) -> Slot[Any]:
        """
        Declare the slot of an object that the application makes itself; its type is what `target` returns.

        Raises:
            InvalidName: The name breaks the grammar.
            DuplicateName: A slot of that name exists.
        """
        raw = getattr(target, "__injected__", target)
        at = CodeOrigin(f"{raw.__module__}:{raw.__qualname__}").at
        self._free(name, at)
        type_ = made_type(target)
        slot: Slot[Any] = Slot(
            self._owner,
            name,
            kind="object",
            child="services",
            type_name=type_key(type_) if type_ is not None else None,
            type_=type_,
            scope=scope,
            eager=eager,
            at=at,
        )
        return self._add(slot)

    def declare_settings(self, section: str, model: Any, *, at: str) -> Slot[Any]:
        """
        Declare the slot of a section's settings, `settings.NAME`; one that is declared with this model is returned.

        Raises:
            InvalidName: The section breaks the grammar, or has the name of a slot or of the framework's section.
            DuplicateName: The section, or the slot, has another model.
        """
        if not _NAME.fullmatch(section) or "." in section:
            why = "a section is one lower-case word, such as orders"
            raise InvalidName(section, why, fixes=(f'app.settings({model.__name__}, section="...")',))
        if section in SECTIONS | {"secrets"} or any(name.partition(".")[0] == section for name in self.by_name):
            raise InvalidName(section, "a slot or a section of the framework has that name", fixes=("choose another",))
        there = self.by_section.get(section)
        if there is not None and there.type is model:
            return there
        name = f"settings.{section}"
        self._free(name, at)
        slot: Slot[Any] = Slot(
            self._owner, name, kind="object", child="services", type_name=type_key(model), type_=model, at=at
        )
        self.by_section[section] = slot
        return self._add(slot)

    def declare_part(self, child: str, kind: str, name: str, *, at: str) -> Slot[Any]:
        """
        Declare a registered function: a service, a task or an event handler.

        Raises:
            DuplicateName: The child container has one of that name.
        """
        there = self.parts[child].get(name) or (self.by_name.get(name) if child == "services" else None)
        if there is not None:
            error = DuplicateSubscription if kind == "handler" else DuplicateName
            raise error(kind, name, first=there.at, origin=CodeOrigin(at))
        slot: Slot[Any] = Slot(self._owner, name, kind=kind, child=child, at=at)
        self.parts[child][name] = slot
        return slot

    def alias(self, name: str, target: str) -> None:
        """
        Give a slot a second name, which leads to the same object.

        Raises:
            UnknownSlot: There is no slot `target`.
        """
        self._free(name, "")
        self.aliases[name] = self.named(target).name

    def named(self, name: str) -> Slot[Any]:
        """
        Return a slot by its name, with or without the name of its child container.

        Raises:
            UnknownSlot: No slot has that name; the error offers the nearest.
        """
        found = self.get(name)
        if found is None:
            raise UnknownSlot(name, known=self.by_name)
        return found

    def get(self, name: str) -> Slot[Any] | None:
        """Return a slot by its name, or None."""
        slot = self.by_name.get(self.aliases.get(name, name))
        if slot is not None:
            return slot
        child, _, rest = name.partition(".")
        slot = self.by_name.get(self.aliases.get(rest, rest))
        return slot if slot is not None and slot.child == child else None

    def names_of(self, slot: Slot[Any]) -> set[str]:
        """Return every name that means a slot: its own and its aliases, each also below its child container."""
        names = {slot.name}
        if self.aliases:
            names.update(alias for alias, target in self.aliases.items() if target == slot.name)
        return names | {f"{slot.child}.{name}" for name in names}

    def own_key(self, key: str) -> str:
        """Return the key of a setting below the slot's own name, where it stands below an alias."""
        found = max((name for name in self.aliases if key.startswith(f"{name}.")), key=len, default=None)
        return key if found is None else self.aliases[found] + key[len(found) :]

    def owned(self, settings: Mapping[str, Said]) -> Mapping[str, Said]:
        """Return settings by the slots' own names; what is said below one counts more than what an alias says."""
        if not self.aliases:
            return settings
        aliased = {own: said for key, said in settings.items() if (own := self.own_key(key)) != key}
        return aliased | {key: said for key, said in settings.items() if self.own_key(key) == key}

    def typed(self, type_: Any) -> list[str]:
        """Return the names of the slots declared with exactly this type; the category's own comes first."""
        names = self._by_type.get(type_key(type_), [])
        return [name for name in names if self.by_name[name].type is None or self.by_name[name].type is type_]

    def sorted_of(self, type_: Any) -> list[str]:
        """Return the names of the slots declared with exactly this type: the category's own first, then by name."""
        return sorted(self.typed(type_), key=lambda name: (self.by_name[name].category != name, name))

    def of_type(self, type_: Any) -> Slot[Any] | None:
        """Return the slot a type stands for: the only one that has it, or the one named as its category; else None."""
        names = self.typed(type_)
        own = [name for name in names if self.by_name[name].category == name]
        return self.by_name[(own or names)[0]] if len(names) == 1 or own else None

    def find(self, need: Need) -> Slot[Any] | None:
        """
        Return the slot that a parameter means; None if it is optional and there is none.

        Raises:
            UnknownSlot: It names a slot that is not declared.
            MissingDependency: No slot has its type.
            AmbiguousType: Several slots have its type, and none is named as a category.
            AnnotationUnresolved: Its type exists only under TYPE_CHECKING, and it names no slot.
        """
        need.check()
        if need.named is not None:
            slot = self.get(need.named.name)
            if slot is None and not need.optional:
                raise UnknownSlot(need.named.name, known=self.by_name, path=(need.at,))
            return slot
        if (slot := self.of_type(need.type)) is not None:
            return slot
        if names := self.typed(need.type):
            raise AmbiguousType(need.wanted, sorted(names), path=(need.at,))
        if need.optional:
            return None
        raise MissingDependency(need.wanted, known=self.by_name, path=(need.at,))

    def every(self) -> Iterator[Slot[Any]]:
        """Yield every slot and every registered function, in the order of registration."""
        yield from self.by_name.values()
        for parts in self.parts.values():
            yield from parts.values()

    def of_child(self, child: str) -> Mapping[str, Slot[Any]]:
        """Return what one child container holds, by name."""
        names = {**{name: name for name in self.by_name}, **self.aliases}
        own = {name: self.by_name[own] for name, own in names.items() if self.by_name[own].child == child}
        return {**own, **self.parts[child]}

    def _free(self, name: str, at: str) -> None:
        if not _NAME.fullmatch(name):
            raise InvalidName(name, "it breaks the grammar of slot names")
        if name.partition(".")[0] in SECTIONS or name.partition(".")[0] in self.by_section:
            raise InvalidName(name, "a section of the configuration has that name", fixes=("choose another name",))
        if name in self.by_name or name in self.parts["services"] or name in self.aliases:
            there = self.by_name.get(name) or self.parts["services"].get(name)
            first = there.at if there is not None else f"the alias of {self.aliases[name]}"
            raise DuplicateName("slot", name, first=first or "the catalog", origin=CodeOrigin(at))

    def _add(self, slot: Slot[Any]) -> Slot[Any]:
        if "." in slot.name:
            self._hang(slot)
        self.by_name[slot.name] = slot
        if slot.type_name is not None:
            self._by_type.setdefault(slot.type_name, []).append(slot.name)
        return slot

    def _hang(self, slot: Slot[Any]) -> None:
        """Make a named slot reachable below the slot of its first segments, if that one is declared."""
        parent, _, segment = slot.name.rpartition(".")
        for part in slot.name.split(".")[1:]:
            if hasattr(Slot, part):
                raise InvalidName(slot.name, f'a slot itself answers to "{part}"')
        if (above := self.by_name.get(parent)) is not None:
            attach(above, segment, slot)


def type_key(type_: Any) -> str:
    """Return how a type is compared with the names in the catalog: `module:qualname`."""
    key = f"{getattr(type_, '__module__', '?')}:{getattr(type_, '__qualname__', type_)}"
    return sys.intern(key)  # one text for thousands of slots of one type


def made_type(target: Any) -> Any:
    """Return the type of what a function makes, from its return annotation; a class makes itself; None if unknown."""
    if inspect.isclass(target):
        return target
    raw = getattr(target, "__injected__", target)
    found = evaluate(raw, inspect.signature(target).return_annotation)
    origin = get_origin(found)
    if origin is not None and getattr(origin, "__name__", "") in _ITERATORS:
        found = get_args(found)[0]
    if origin is typing.Annotated:
        found = get_args(found)[0]
    unknown = found is inspect.Signature.empty or found is None or isinstance(found, (str, Unknown))
    return None if unknown else found
