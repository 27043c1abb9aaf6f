"""Names and types of slots: what is declared, what is refused, and what a parameter means."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Annotated, Any

import pytest

from oneiric import INJECTED, Container, Inject, Named, inject
from oneiric.adapters.cache import Cache
from oneiric.containers.needs import Need
from oneiric.containers.slots import made_type, type_key
from oneiric.core.errors import (
    AmbiguousType,
    DuplicateName,
    DuplicateSubscription,
    InvalidName,
    MissingDependency,
    OneiricError,
    UnknownSlot,
)


class Price: ...


class SubPrice(Price): ...


@pytest.fixture
def app() -> Container:
    """A container with the slots of the catalog."""
    return Container("names")


def need(type_: Any = None, named: str | None = None) -> Need:
    return Need("handlers:checkout", "x", Named(named) if named else None, type_)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("cache", id="plain"),
        pytest.param("adapters.cache", id="below its child"),
        pytest.param("store", id="alias"),
        pytest.param("adapters.store", id="alias below the child"),
    ],
)
def test_a_slot_answers_to_each_of_its_names(app: Container, name: str) -> None:
    """All lead to the same slot."""
    app.alias("store", "cache")

    assert app.slots.named(name) is app.slot("cache")


@pytest.mark.parametrize(
    ("name", "fixes"),
    [
        pytest.param("cahce", ("did you mean cache?",), id="misspelt"),
        pytest.param("services.cache", ("did you mean cache?",), id="below another child"),
    ],
)
def test_an_unknown_name_offers_the_nearest(app: Container, name: str, fixes: tuple[str, ...]) -> None:
    """The error is the same wherever the name stands."""
    with pytest.raises(UnknownSlot) as caught:
        app.slots.named(name)

    assert caught.value.fixes == fixes


@pytest.mark.parametrize(
    ("declare", "error"),
    [
        pytest.param(lambda app: app.slot("cache", Price), DuplicateName, id="slot twice"),
        pytest.param(lambda app: app.alias("cache", "queue"), DuplicateName, id="alias of a taken name"),
        pytest.param(lambda app: app.alias("store", "nowhere"), UnknownSlot, id="alias of nothing"),
        pytest.param(lambda app: app.slot("Cache", Price), InvalidName, id="capital letter"),
        pytest.param(lambda app: app.slot("cache.", Price), InvalidName, id="empty segment"),
        pytest.param(lambda app: app.slot("1cache", Price), InvalidName, id="digit first"),
        pytest.param(lambda app: app.slot("cache.override", Price), InvalidName, id="a slot's own word"),
        pytest.param(lambda app: app.provide("x", scope="day"), InvalidName, id="no such scope"),
        pytest.param(lambda app: [app.task("t")(Price), app.task("t")(Price)], DuplicateName, id="task twice"),
        pytest.param(lambda app: [app.provide("p")(Price), app.service("p")(Price)], DuplicateName, id="service"),
        pytest.param(lambda app: [app.on("e", name="h")(print) for _ in "ab"], DuplicateSubscription, id="handler"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    app: Container, declare: Callable[[Container], Any], error: type[OneiricError]
) -> None:
    """At once, where it is written."""
    with pytest.raises(OneiricError) as caught:
        declare(app)

    assert type(caught.value) is error


def test_an_alias_is_the_same_object(app: Container) -> None:
    """One adapter, under two names."""
    fake = Price()
    app.slot("price", Price)
    app.alias("cost", "price")
    app.override({"cost": fake})

    @inject
    def handler(
        a: Annotated[Price, Named("price")] = INJECTED, b: Annotated[Price, Named("cost")] = INJECTED
    ) -> tuple[Price, Price]:
        return a, b

    assert handler() == (fake, fake)


def test_a_type_matches_by_identity_and_never_by_subclass(app: Container) -> None:
    """A slot of a subclass is another slot."""
    app.slot("sub", SubPrice)

    with pytest.raises(MissingDependency):
        app.slots.find(need(Price))
    assert app.slots.find(need(SubPrice)) is app.slot("sub")


def test_two_local_classes_of_one_name_are_two_types(app: Container) -> None:
    """Their module and qualified name are equal, their identity is not."""

    def local() -> type:
        class Local: ...

        return Local

    one, two = local(), local()
    app.slot("one", one)
    app.slot("two", two)

    assert type_key(one) == type_key(two)
    assert app.slots.find(need(two)) is app.slot("two")


def test_several_slots_of_a_type_need_a_name(app: Container) -> None:
    """The error lists them, with what to write."""
    app.slot("first", Price)
    app.slot("second", Price)

    with pytest.raises(AmbiguousType) as caught:
        app.slots.find(need(Price))

    assert caught.value.slots == ("first", "second")
    assert caught.value.path == ("handlers:checkout(x)",)
    assert app.slots.find(need(Price, "second")) is app.slot("second")


def test_among_several_the_one_named_as_its_category_wins(app: Container) -> None:
    """`Inject[Cache]` is the cache, however many more there are."""
    app.slot("cache.sessions", Cache)
    app.slot("cache.pages", Cache)

    assert app.slots.find(need(Cache)) is app.slot("cache")
    assert app.slots.typed(Cache)[0] == "cache"


def test_a_named_slot_is_an_attribute_of_the_one_above(app: Container) -> None:
    """`app.adapters.cache.sessions`."""
    sessions = app.slot("cache.sessions", Cache)

    assert app.adapters.cache.sessions is sessions
    assert app.slot("cache.sessions") is sessions


def test_a_slot_added_after_its_child_was_touched_is_reachable(app: Container) -> None:
    """The child container grows with the application."""
    adapters = app.adapters

    price = app.slot("price", Price)

    assert adapters.price is price
    assert app.slots.find(need(Price)) is price


def returns_nothing(): ...  # type: ignore[no-untyped-def]  # what is tested


def returns_price() -> Price: ...  # type: ignore[empty-body]  # only its annotation is read


def returns_annotated() -> Annotated[Price, "cheap"]: ...  # type: ignore[empty-body]


def yields() -> Iterator[Price]: ...  # type: ignore[empty-body]


def generates() -> Generator[Price, None, None]: ...  # type: ignore[empty-body]


def ayields() -> AsyncIterator[Price]: ...  # type: ignore[empty-body]


def returns_unknown() -> Nowhere: ...  # type: ignore[name-defined]  # noqa: F821  # what is tested


@inject
def returns_injected(x: Inject[Price] = INJECTED) -> Price:
    return x


@pytest.mark.parametrize(
    ("target", "made"),
    [
        pytest.param(Price, Price, id="class"),
        pytest.param(returns_price, Price, id="function"),
        pytest.param(returns_annotated, Price, id="annotated"),
        pytest.param(yields, Price, id="iterator"),
        pytest.param(generates, Price, id="generator"),
        pytest.param(ayields, Price, id="async iterator"),
        pytest.param(returns_injected, Price, id="injected"),
        pytest.param(returns_nothing, None, id="no annotation"),
        pytest.param(returns_unknown, None, id="unknown name"),
    ],
)
def test_the_type_of_what_a_function_makes_is_its_annotation(target: Any, made: type | None) -> None:
    """A generator makes what it yields."""
    assert made_type(target) is made


@pytest.mark.parametrize("name", ["web", "logging", "app.mail"])
def test_a_section_of_the_configuration_is_no_slot(app: Container, name: str) -> None:
    """A key has one reader."""
    with pytest.raises(InvalidName, match="section of the configuration"):
        app.slot(name, Cache)


def test_an_alias_is_an_attribute_too(app: Container) -> None:
    """Also when the child container is there already."""
    app.alias("kv", "cache")
    early = app.adapters.kv
    app.alias("store", "cache")

    assert early is app.adapters.cache
    assert app.adapters.store is app.adapters.cache
