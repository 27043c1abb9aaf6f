"""Decorations: wrappers of a slot's object, in the order of their layers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from oneiric import INJECTED, Application, Container, Inject, Inputs, Named, inject
from oneiric.adapters.cache import Cache
from oneiric.core.errors import BuildFailed, NeedsAsyncOpen, UnknownSlot, WrongType
from tests.containers.shapes import Car, Clock, Engine, FixedClock, OtherClock


class Wrapping(FixedClock):
    """A clock with a name, around another one."""

    def __init__(self, name: str, inner: Clock) -> None:
        super().__init__(inner.now() + 1)
        self.name, self.inner = name, inner


def named(name: str) -> Callable[[Clock], Clock]:
    """Return a wrapper that leaves its name."""

    def wrap(inner: Clock) -> Clock:
        return Wrapping(name, inner)

    return wrap


def names(clock: Any) -> list[str]:
    """Return the names of the wrappers, from outside to inside."""
    found = []
    while isinstance(clock, Wrapping):
        found.append(clock.name)
        clock = clock.inner
    return found


@pytest.fixture
def app() -> Container:
    """A container with a clock."""
    app = Container("wrapped")
    app.slot("clock", Clock)
    app.override({"clock": FixedClock()})
    return app


@pytest.mark.parametrize(
    ("said", "outside_in"),
    [
        pytest.param(["code"], ["code"], id="one"),
        pytest.param(["code", "profile", "env"], ["env", "profile", "code"], id="low to high"),
        pytest.param(["explicit", "code", "manifest"], ["explicit", "manifest", "code"], id="in any order"),
        pytest.param(["code", "code"], ["code", "code"], id="two of one layer"),
    ],
)
def test_the_rank_of_the_layer_decides_how_far_outside_it_stands(
    app: Container, said: list[str], outside_in: list[str]
) -> None:
    """The lowest is innermost, whoever came first."""
    for layer in said:
        app.decorate("clock", named(layer), layer=layer)

    assert names(app.adapters.clock()) == outside_in


def test_among_equals_the_earlier_is_inside(app: Container) -> None:
    """As with decorators of functions, read upwards."""
    app.decorate("clock", named("first"))
    app.decorate(Clock, named("second"))

    assert names(app.adapters.clock()) == ["second", "first"]


@pytest.mark.parametrize(
    ("profile", "outside_in"),
    [
        pytest.param("default", ["env", "secrets", "code"], id="env is above secrets on a laptop"),
        pytest.param("serverless", ["secrets", "env", "code"], id="secrets are above env in serverless"),
        pytest.param("test", ["code"], id="both are silent in test"),
    ],
)
def test_a_profile_decides_as_it_does_for_bindings(profile: str, outside_in: list[str]) -> None:
    """A layer that does not speak there has no wrappers there."""
    app = Container("wrapped", profile=profile)
    app.slot("clock", Clock)
    app.override({"clock": FixedClock()})
    for layer in ("code", "env", "secrets"):
        app.decorate("clock", named(layer), layer=layer)

    assert names(app.adapters.clock()) == outside_in


def test_undo_brings_the_same_object_back(app: Container) -> None:
    """Nothing is built anew; a second undo does nothing, and a block ends by itself."""
    before = app.adapters.clock()

    handle = app.decorate("clock", named("outer"))
    wrapped = app.adapters.clock()
    handle.undo()
    handle.undo()
    assert app.adapters.clock() is before
    with app.decorate("clock", named("again")):
        assert names(app.adapters.clock()) == ["again"]

    assert wrapped.inner is before
    assert app.adapters.clock() is before


def test_several_end_in_any_order(app: Container) -> None:
    """Each takes away only itself."""
    first, second = app.decorate("clock", named("first")), app.decorate("clock", named("second"))

    first.undo()
    assert names(app.adapters.clock()) == ["second"]
    second.undo()

    assert names(app.adapters.clock()) == []


def test_dependants_follow_and_return(app: Container) -> None:
    """What was built from the object is set aside while it is wrapped."""

    @app.provide("holder")
    class Holder:
        def __init__(self, clock: Inject[Clock] = INJECTED) -> None:
            self.clock = clock

    before = app.services.holder()
    with app.decorate("clock", named("outer")):
        inside = app.services.holder()

    assert (names(inside.clock), names(before.clock)) == (["outer"], [])
    assert app.services.holder() is before


def test_it_wraps_whoever_wins(app: Container) -> None:
    """Also an object that an override brings later."""
    app.decorate("clock", named("outer"))

    with app.override({"clock": OtherClock(41)}):
        inside = app.adapters.clock()

    assert (names(inside), inside.now()) == (["outer"], 42)


def test_a_wrapper_may_ask_for_more(app: Container) -> None:
    """Its other parameters are injected, with the decorator and without."""
    engine = Engine()
    app.slot("engine", Engine)
    app.override({"engine": engine})
    got: list[Engine] = []

    @inject
    def decorated(inner: Clock, engine: Inject[Engine] = INJECTED) -> Clock:
        got.append(engine)
        return Wrapping("decorated", inner)

    def plain(inner: Clock, engine: Annotated[Engine, Named("engine")] = INJECTED) -> Clock:
        got.append(engine)
        return Wrapping("plain", inner)

    app.decorate("clock", decorated)
    app.decorate("clock", plain)

    assert names(app.adapters.clock()) == ["plain", "decorated"]
    assert got == [engine, engine]


def test_what_a_wrapper_asks_for_is_followed(app: Container) -> None:
    """An override of it sets the wrapped object aside, and brings it back."""
    app.slot("engine", Engine)
    app.override({"engine": Engine()})
    other = Engine()

    def tuned(inner: Clock, engine: Inject[Engine] = INJECTED) -> Clock:
        made = Wrapping("tuned", inner)
        made.engine = engine  # type: ignore[attr-defined]  # to see it
        return made

    app.decorate("clock", tuned)
    before = app.adapters.clock()
    with app.override({"engine": other}):
        inside = app.adapters.clock()

    assert inside.engine is other
    assert app.adapters.clock() is before


async def later(inner: Clock) -> Clock:
    """Wrap it, as asynchronous code does."""
    await asyncio.sleep(0)
    return Wrapping("later", inner)


@pytest.mark.asyncio
async def test_an_asynchronous_wrapper_is_awaited(app: Container) -> None:
    """By asynchronous calls; afterwards everybody has the object."""
    app.decorate("clock", later)

    @inject
    async def get(clock: Inject[Clock] = INJECTED) -> Clock:
        return clock

    assert names(await get()) == ["later"]
    assert names(app.adapters.clock()) == ["later"]


def test_synchronous_code_cannot_wait_for_one(app: Container) -> None:
    """It says so, and hands no coroutine on."""
    app.decorate("clock", later)

    with pytest.raises(NeedsAsyncOpen):
        app.adapters.clock()


@pytest.mark.asyncio
async def test_the_adapter_inside_is_opened_and_closed(tmp_path: Path) -> None:
    """The wrapper knows nothing of it, and neither does the one who calls it."""
    log: list[str] = []

    class Opening(FixedClock):
        async def open(self) -> None:
            log.append("open")

        async def close(self) -> None:
            log.append("close")

    app = Application("wrapped", inputs=Inputs(environ={}, folder=tmp_path))
    app.slot("clock", Clock, eager=True)
    app.override({"clock": Opening})
    app.decorate("clock", named("outer"))

    async with app:
        assert names(app.adapters.clock()) == ["outer"]
        assert log == ["open"]

    assert log == ["open", "close"]


def test_what_a_wrapper_returns_has_to_fit(app: Container) -> None:
    """Else every user of the slot would meet it later."""
    app.decorate("clock", lambda inner: Car(Engine()))

    with pytest.raises(WrongType) as caught:
        app.adapters.clock()

    assert caught.value.missing == ("now",)


def failing(inner: Clock) -> Clock:
    """Raise what is no error of ours."""
    raise LookupError("hunter2")


def test_a_wrapper_that_fails_is_named(app: Container) -> None:
    """Nothing is stored: without it the object is there."""
    handle = app.decorate("clock", failing)

    with pytest.raises(BuildFailed, match=rf"slot clock: .*{__name__}:failing.* raised LookupError"):
        app.adapters.clock()
    handle.undo()

    assert names(app.adapters.clock()) == []


@pytest.mark.parametrize(
    ("slot", "layer", "error"),
    [
        pytest.param("clok", "code", UnknownSlot, id="slot"),
        pytest.param(Cache, "codes", ValueError, id="layer"),
    ],
)
def test_an_unknown_name_is_refused(app: Container, slot: Any, layer: str, error: type[Exception]) -> None:
    """At the call."""
    with pytest.raises(error):
        app.decorate(slot, failing, layer=layer)


def test_an_explanation_shows_them(app: Container) -> None:
    """Each with its layer and the place where it was said, the innermost first."""
    app.decorate("clock", failing, layer="env")
    app.decorate("clock", later)

    shown = app.explain("clock").fields()["decorations"]

    assert [(one["layer"], one["name"]) for one in shown] == [
        ("code", f"{__name__}:later"),
        ("env", f"{__name__}:failing"),
    ]


def test_a_fault_of_a_wrapper_is_found_by_check(app: Container) -> None:
    """Before anything is built, where somebody uses the slot."""

    def asking(inner: Clock, engine: Inject[Engine] = INJECTED) -> Clock:
        return inner

    @app.provide("user")
    def user(clock: Inject[Clock] = INJECTED) -> None: ...

    app.decorate("clock", asking)

    assert [fault.code for fault in app.faults()[0]] == ["missing-dependency"]


def test_a_local_override_is_wrapped_too(app: Container) -> None:
    """The view's object is its own, wrapped like that of all."""
    app.decorate("clock", named("outer"))
    outside = app.adapters.clock()

    with app.local_override({"clock": OtherClock(9)}):
        inside = app.adapters.clock()

    assert (names(inside), inside.now()) == (["outer"], 10)
    assert app.adapters.clock() is outside
