"""Collections: all slots of one type, as a list or by name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oneiric import INJECTED, Container, Inject, inject
from oneiric.adapters.cache import Cache
from oneiric.core.errors import BuildFailed, NoCandidate
from tests.containers.shapes import Engine


class Turbo(Engine):
    """Another type, though one of the same family."""


@inject
def as_list(engines: Inject[list[Engine]] = INJECTED) -> list[Engine]:
    """Return the list."""
    return engines


@inject
def as_dict(engines: Inject[dict[str, Engine]] = INJECTED) -> dict[str, Engine]:
    """Return the dict."""
    return engines


@inject
async def as_list_later(engines: Inject[list[Engine]] = INJECTED) -> list[Engine]:
    """As `as_list`, in asynchronous code."""
    return engines


ENGINES = {"front": Engine(), "rear": Engine(), "spare": Engine()}


@pytest.fixture
def app() -> Container:
    """A container with three engines, declared in no order, and one slot of a subclass."""
    app = Container("many")
    for name in ("rear", "spare", "front"):
        app.slot(name, Engine)
    app.slot("turbo", Turbo)
    app.override({**ENGINES, "turbo": Turbo()})
    return app


def test_a_list_holds_all_slots_of_the_type_by_name(app: Container) -> None:
    """The declared type decides, never a subclass; sorted, so that every process has one order."""
    expected = [ENGINES["front"], ENGINES["rear"], ENGINES["spare"]]

    assert as_list() == expected
    assert asyncio.run(as_list_later()) == expected


def test_a_dict_has_the_names_of_the_slots(app: Container) -> None:
    """In the same order."""
    assert list(as_dict().items()) == [(name, ENGINES[name]) for name in ("front", "rear", "spare")]


def test_each_call_has_a_collection_of_its_own(app: Container) -> None:
    """Who changes it harms nobody; the objects in it are shared."""
    as_list().clear()
    as_dict().clear()

    assert len(as_list()) == len(as_dict()) == 3


def test_the_slot_of_the_category_comes_first() -> None:
    """Then the named ones below it."""
    app = Container("caches")
    for name in ("cache.a", "archive", "cache.z"):
        app.slot(name, Cache)

    @inject
    def handler(caches: Inject[dict[str, Cache]] = INJECTED) -> dict[str, Cache]:
        return caches

    fakes = {name: app.call(make_cache) for name in ("cache", "cache.a", "cache.z", "archive")}
    app.override(fakes)

    assert list(handler().items()) == [
        ("cache", fakes["cache"]),
        ("archive", fakes["archive"]),
        ("cache.a", fakes["cache.a"]),
        ("cache.z", fakes["cache.z"]),
    ]


def make_cache() -> Any:
    """Return something that has the members of a cache, and does nothing."""
    members = {name: None for name in dir(Cache) if not name.startswith("_")}
    return type("Nothing", (), members)()


def test_it_holds_slots_and_not_adapters_that_were_not_chosen() -> None:
    """Only the default cache is there, though the catalog has several."""
    app = Container("one")

    @inject
    def handler(caches: Inject[dict[str, Cache]] = INJECTED) -> list[str]:
        return list(caches)

    app.override({"cache": make_cache()})

    assert handler() == ["cache"]


def test_a_type_without_slots_is_an_empty_collection(app: Container) -> None:
    """There are none, which is an answer."""

    class Missing: ...

    @inject
    def handler(many: Inject[list[Missing]] = INJECTED, named: Inject[dict[str, Missing]] = INJECTED) -> Any:
        return many, named

    assert handler() == ([], {})


def test_a_slot_that_is_added_later_is_in_the_next_one(app: Container) -> None:
    """Each call looks."""
    before, another = len(as_list()), Engine()
    app.slot("another", Engine)
    app.override({"another": another})

    assert before == 3
    assert as_list() == [another, ENGINES["front"], ENGINES["rear"], ENGINES["spare"]]


def test_an_override_is_seen_in_it(app: Container) -> None:
    """Of all, and of one context."""
    of_all, of_one = Engine(), Engine()

    with app.override({"rear": of_all}), app.local_override({"front": of_one}):
        inside = as_dict()

    assert inside == {"front": of_one, "rear": of_all, "spare": ENGINES["spare"]}
    assert as_dict() == ENGINES


def test_an_object_may_be_made_from_all(app: Container) -> None:
    """It is rebuilt where one of them is overridden, and the same one returns."""

    @app.provide("fleet")
    class Fleet:
        def __init__(self, engines: Inject[list[Engine]] = INJECTED) -> None:
            self.engines = engines

    before, other = app.services.fleet(), Engine()
    with app.override({"rear": other}):
        inside = app.services.fleet()

    assert before.engines == [ENGINES["front"], ENGINES["rear"], ENGINES["spare"]]
    assert inside.engines == [ENGINES["front"], other, ENGINES["spare"]]
    assert app.services.fleet() is before


def test_one_that_nobody_fills_is_an_error(app: Container) -> None:
    """It is not left out: a slot was declared, so somebody expects it."""
    app.slot("empty", Engine)

    with pytest.raises(NoCandidate) as caught:
        as_list()

    assert caught.value.path == (f"{__name__}:as_list(engines)", "slot empty")


def test_an_error_names_the_one_that_failed(app: Container) -> None:
    """With the way to it."""

    class Broken(Engine):
        def __init__(self) -> None:
            raise LookupError

    app.override({"spare": Broken})

    with pytest.raises(BuildFailed) as caught:
        as_dict()

    assert caught.value.path == (f"{__name__}:as_dict(engines)", "slot spare")


def test_an_explicit_argument_wins(app: Container) -> None:
    """As for every parameter."""
    assert as_list([]) == []
    assert as_dict(engines={}) == {}


def test_objects_of_a_scope_may_be_among_them(app: Container) -> None:
    """The call opens the scope that they need."""

    @app.provide("hired", scope="request")
    def hired() -> Engine:
        return Turbo()

    first, second = as_dict(), as_dict()

    assert list(first) == ["front", "hired", "rear", "spare"]
    assert first["hired"] is not second["hired"]
