"""Handles: `Ref` leads to what fills a slot now, `Factory` makes new objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest

from oneiric import INJECTED, AdapterSettings, Application, Container, Inject, Inputs, Named, inject
from oneiric.core.errors import BuildFailed, MissingDependency, NoCandidate, WrongType
from oneiric.core.markers import Factory, Ref
from tests.containers.shapes import Engine


class Report:
    """Made from an engine, and from what its caller gives."""

    made = 0

    def __init__(self, engine: Inject[Engine] = INJECTED, *, title: str = "none") -> None:
        Report.made += 1
        self.engine, self.title = engine, title


class Session:
    """Lives for one request."""


class Holder:
    """Lives long, and follows what fills the slot."""

    def __init__(self, engine: Inject[Ref[Engine]] = INJECTED) -> None:
        self.engine = engine


@pytest.fixture
def app() -> Container:
    """A container with an engine, and a report."""
    app = Container("handles")
    app.slot("engine", Engine)
    app.override({"engine": Engine})
    app.provide("report")(Report)
    app.provide("holder")(Holder)
    Report.made = 0
    return app


@inject
def by_ref(engine: Inject[Ref[Engine]] = INJECTED) -> Ref[Engine]:
    """Return the handle."""
    return engine


@inject
def by_factory(report: Inject[Factory[Report]] = INJECTED) -> Factory[Report]:
    """Return the handle."""
    return report


def test_a_ref_names_its_slot_and_leads_to_the_object(app: Container) -> None:
    """The one that everybody has."""
    ref = by_ref()

    assert ref.slot == "engine"
    assert ref.current is ref.current is app.adapters.engine()
    assert repr(ref) == "<ref to slot engine>"


def test_a_ref_builds_nothing_before_it_is_used(app: Container) -> None:
    """Asking for it is free, also where the object could not be built."""

    def fails() -> Engine:
        raise LookupError

    app.provide("fails")(fails)

    @inject
    def handler(fails: Annotated[Ref[Engine], Named("fails")] = INJECTED) -> Ref[Engine]:
        return fails

    ref = handler()
    with pytest.raises(BuildFailed):
        _ = ref.current


def test_a_ref_in_an_object_that_lives_long_follows_overrides(app: Container) -> None:
    """The holder stays the same object, and sees the new engine."""
    holder, other = app.services.holder(), Engine()
    before = holder.engine.current

    with app.override({"engine": other}):
        assert app.services.holder() is holder
        inside = holder.engine.current

    assert inside is other
    assert holder.engine.current is before


@pytest.mark.asyncio
async def test_a_ref_follows_a_local_override_in_its_context_alone(app: Container) -> None:
    """Two tasks that share one holder see what each of them overrides."""
    holder = app.services.holder()
    both_inside = asyncio.Barrier(2)

    async def task() -> bool:
        mine = Engine()
        with app.local_override({"engine": mine}):
            await both_inside.wait()
            return holder.engine.current is mine

    assert await asyncio.gather(task(), task()) == [True, True]


def test_a_ref_breaks_a_circle() -> None:
    """Nothing has to be built for it, so two objects may know each other."""
    app = Container("circle")

    class Ping:
        def __init__(self, pong: Annotated[Any, Named("pong")] = INJECTED) -> None:
            self.pong = pong

    class Pong:
        def __init__(self, ping: Annotated[Ref[Any], Named("ping")] = INJECTED) -> None:
            self.ping = ping

    app.provide("ping")(Ping)
    app.provide("pong")(Pong)

    ping = app.services.ping()

    assert ping.pong.ping.current is ping
    assert app.faults()[0] == []


def test_a_ref_of_an_object_that_lives_short_looks_in_the_open_scope(app: Container) -> None:
    """An object of the application may hold the handle, where it may not hold the object."""
    app.provide("session", scope="request")(Session)

    class Keeper:
        def __init__(self, session: Inject[Ref[Session]] = INJECTED) -> None:
            self.session = session

    app.provide("keeper")(Keeper)
    keeper = app.services.keeper()

    with app.scope("request"):
        first = keeper.session.current
        assert keeper.session.current is first
    with app.scope("request"):
        assert keeper.session.current is not first

    assert app.faults()[0] == []


def test_an_optional_handle_is_none_where_there_is_nothing(app: Container) -> None:
    """As an optional object is."""

    class Missing: ...

    @inject
    def handler(
        ref: Inject[Ref[Missing]] | None = INJECTED,
        factory: Inject[Factory[Missing]] | None = INJECTED,
        there: Inject[Ref[Engine]] | None = INJECTED,
    ) -> Any:
        return ref, factory, there

    ref, factory, there = handler()

    assert (ref, factory) == (None, None)
    assert there.slot == "engine"


def test_a_handle_on_nothing_fails_at_the_call(app: Container) -> None:
    """Not at its first use, far away."""

    class Missing: ...

    @inject
    def handler(ref: Inject[Ref[Missing]] = INJECTED) -> Any:
        return ref

    with pytest.raises(MissingDependency):
        handler()


def test_a_factory_makes_a_new_object_on_each_call(app: Container) -> None:
    """What it asks for is filled in; what is given explicitly is not."""
    factory, mine = by_factory(), Engine()

    first, second, third = factory(), factory(title="weekly"), factory(engine=mine, title="mine")

    assert Report.made == 3
    assert len({first, second, third, app.services.report()}) == 4
    assert (first.title, second.title, third.title) == ("none", "weekly", "mine")
    assert first.engine is second.engine is app.adapters.engine()
    assert third.engine is mine
    assert (factory.slot, repr(factory)) == ("report", "<factory of slot report>")


def test_a_factory_builds_nothing_that_is_given(app: Container) -> None:
    """The slot of an argument that is given is not even looked at."""
    app.override({"engine": FailingEngine})

    with pytest.raises(BuildFailed):
        by_factory()()
    assert by_factory()(engine=Engine()).title == "none"


class FailingEngine(Engine):
    """Cannot be made."""

    def __init__(self) -> None:
        raise LookupError("hunter2")


def test_a_factory_follows_overrides(app: Container) -> None:
    """Of what it makes, and of what that asks for."""
    factory, other = by_factory(), Engine()

    class Thin(Report): ...

    with app.override({"engine": other, "report": Thin}):
        inside = factory()

    assert (type(inside), inside.engine) == (Thin, other)
    assert type(factory()) is Report


def test_a_factory_sees_a_local_override(app: Container) -> None:
    """Also one that was handed out before."""
    factory, mine = by_factory(), Engine()

    with app.local_override({"engine": mine}):
        inside = by_factory()()

    assert inside.engine is mine
    assert factory().engine is not mine


def test_a_factory_gives_settings(tmp_path: Any) -> None:
    """An adapter that it makes has those of its slot; the caller opens and closes it."""

    class Mailer:
        class Settings(AdapterSettings):
            host: str = "localhost"

        def __init__(self, settings: Settings) -> None:
            self.settings = settings

    app = Application(
        "mail", inputs=Inputs(environ={"ONEIRIC_MAILER__MAILER__HOST": "mail.example.org"}, folder=tmp_path)
    )
    app.slot("mailer", Mailer)
    app.override({"mailer": Mailer})

    @inject
    def handler(mailer: Inject[Factory[Mailer]] = INJECTED) -> Any:
        return mailer(), mailer()

    first, second = handler()

    assert first is not second
    assert first.settings.host == "mail.example.org"


def generator() -> Iterator[Engine]:
    """A resource."""
    yield Engine()


async def async_generator() -> AsyncIterator[Engine]:
    """A resource."""
    yield Engine()


async def coroutine() -> Engine:
    """Made later."""
    return Engine()


@pytest.mark.parametrize("make", [generator, async_generator, coroutine])
def test_a_factory_of_what_cannot_be_owned_is_refused(make: Any) -> None:
    """Nobody could close it; asynchronous code cannot be run either."""
    app = Container("owned")
    app.provide("thing")(make)

    @inject
    def handler(thing: Annotated[Factory[Engine], Named("thing")] = INJECTED) -> Any:
        return thing()

    with pytest.raises(WrongType) as caught:
        handler()
    assert caught.value.fixes == ("ask for the object itself: Inject[T]",)


def test_a_factory_of_a_slot_that_nobody_fills_says_so(app: Container) -> None:
    """With the error of an injected call."""
    app.slot("empty", Holder)

    @inject
    def handler(empty: Annotated[Factory[Holder], Named("empty")] = INJECTED) -> Any:
        return empty()

    with pytest.raises(NoCandidate):
        handler()
