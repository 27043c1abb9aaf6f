"""
Recipes: how a resource of a scope is made in place, where that is plain enough.

Plain is a generator, an asynchronous generator or a class without a life of its own, whose needs are objects of the
application or have a recipe themselves. Whatever else there is, `building.py` does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from oneiric.containers.answer import Answer
from oneiric.containers.needs import Need
from oneiric.core.errors import OneiricError
from oneiric.providers.adapter import ObjectProvider
from oneiric.providers.engine import Provider
from oneiric.providers.slot import Binding, Cell, Slot

Kind = Literal["asyncgen", "generator", "class"]


class Recipe(NamedTuple):
    """
    How one resource is made.

    Attributes:
        slot: Whose object it is.
        target: The generator function or the class.
        kind: Which of them.
        inputs: For each parameter the cell of an application's object, the recipe of another resource, or None.
        provider: What it is called in messages.
    """

    slot: Slot[Any]
    target: Callable[..., Any]
    kind: Kind
    inputs: tuple[tuple[str, Cell | Recipe | None], ...]
    provider: str


Part = Cell | Recipe | None  # what one parameter of an injected function is filled with


class Kitchen(Protocol):
    """What writing recipes asks of a container."""

    def winner(self, slot: Slot[Any]) -> Binding:
        """Return the binding that fills a slot."""

    def provider_of(self, slot: Slot[Any], binding: Binding) -> Provider[Any]:
        """Return what makes the object."""

    def needs_of(self, provider: Provider[Any]) -> Mapping[str, Need]:
        """Return what the object asks for, by parameter."""

    def answer(self, need: Need) -> Answer:
        """Return the slots that a need means."""

    def cell_of(self, slot: Slot[Any]) -> Cell:
        """Return the cell that holds the object of an app-scoped slot."""


class NoRecipe(Exception):
    """Something is not plain."""


def parts_of(needs: Mapping[str, Need], kitchen: Kitchen, *, is_async: bool) -> tuple[Part, ...] | None:
    """Return what fills the parameters of an injected function; None where one is not plain, or has to be awaited."""
    try:
        parts = tuple(_part(need, kitchen, ()) for need in needs.values())
    except (NoRecipe, OneiricError):  # of a fault the slow path tells
        return None
    if not is_async and any(_is_awaited(part) for part in parts):
        return None
    return parts if any(isinstance(part, Recipe) for part in parts) else None


def _is_awaited(part: Part) -> bool:
    if not isinstance(part, Recipe):
        return False
    return part.kind == "asyncgen" or any(_is_awaited(below) for _, below in part.inputs)


def _part(need: Need, kitchen: Kitchen, above: tuple[Slot[Any], ...]) -> Part:
    if need.is_lazy or need.is_many:
        raise NoRecipe
    slot = kitchen.answer(need).slot
    if slot is None:
        return None
    if slot.scope != "app":
        return _recipe(slot, kitchen, above)
    return kitchen.cell_of(slot)


def _recipe(slot: Slot[Any], kitchen: Kitchen, above: tuple[Slot[Any], ...]) -> Recipe:
    provider = kitchen.provider_of(slot, kitchen.winner(slot))
    if slot in above or slot.decorations or not isinstance(provider, ObjectProvider):
        raise NoRecipe
    target: Any = getattr(provider.target, "__injected__", provider.target)
    kind = _kind(target)
    if kind is None or provider.settings_class is not None:
        raise NoRecipe
    needs = kitchen.needs_of(provider)
    inputs = tuple((name, _part(need, kitchen, (*above, slot))) for name, need in needs.items())
    return Recipe(slot, target, kind, inputs, str(provider))


def _kind(target: Any) -> Kind | None:
    if inspect.isasyncgenfunction(target):
        return "asyncgen"
    if inspect.isgeneratorfunction(target):
        return "generator"
    lives = ("open", "__enter__", "__aenter__")
    is_plain = inspect.isclass(target) and not any(hasattr(target, name) for name in lives)
    return "class" if is_plain else None
