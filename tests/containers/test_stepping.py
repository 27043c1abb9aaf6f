"""Stepping: a generator runs inside a block, and its caller outside of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import pytest

from oneiric import INJECTED, Container, Inject, inject, using
from oneiric.containers.stepping import asteps, steps


class Name: ...


LOG: list[str] = []


@pytest.fixture(autouse=True)
def empty_log() -> None:
    """Each test has a log of its own."""
    LOG.clear()


@contextlib.contextmanager
def around() -> Iterator[None]:
    """Say when it is in force."""
    LOG.append("in")
    try:
        yield
    finally:
        LOG.append("out")


def counting() -> Generator[str, Any, str]:
    """Say what comes in."""
    try:
        LOG.append(f"got {yield 'one'}")
        try:
            yield "two"
        except LookupError:
            LOG.append("caught")
        yield "three"
    finally:
        LOG.append("end")
    return "result"


async def counting_later() -> AsyncGenerator[str, Any]:
    """As `counting`, asynchronously."""
    try:
        LOG.append(f"got {yield 'one'}")
        try:
            yield "two"
        except LookupError:
            LOG.append("caught")
        yield "three"
    finally:
        LOG.append("end")


def test_a_generator_is_driven_as_by_hand() -> None:
    """What is sent and thrown in arrives, what it returns is kept, and each step is inside the block."""
    driven = steps(counting, around)

    items = [next(driven), driven.send("hello"), driven.throw(LookupError())]
    with pytest.raises(StopIteration) as done:
        next(driven)

    assert items == ["one", "two", "three"]
    assert done.value.value == "result"
    assert LOG == ["in", "out", "in", "out", "in", "got hello", "out", "in", "caught", "out", "in", "end", "out"]


@pytest.mark.asyncio
async def test_an_asynchronous_generator_is_driven_as_by_hand() -> None:
    """The same, without a result."""
    driven = asteps(counting_later, around)

    items = [await anext(driven), await driven.asend("hello"), await driven.athrow(LookupError())]
    with pytest.raises(StopAsyncIteration):
        await anext(driven)

    assert items == ["one", "two", "three"]
    assert LOG == ["in", "out", "in", "out", "in", "got hello", "out", "in", "caught", "out", "in", "end", "out"]


def test_closing_it_closes_the_generator_inside_the_block() -> None:
    """Its `finally` runs where it began."""
    driven = steps(counting, around)
    next(driven)

    driven.close()

    assert LOG == ["in", "out", "in", "out", "in", "end", "out"]


@pytest.mark.asyncio
async def test_closing_it_closes_the_asynchronous_generator_inside_the_block() -> None:
    """The same."""
    driven = asteps(counting_later, around)
    await anext(driven)

    await driven.aclose()

    assert LOG == ["in", "out", "in", "out", "in", "end", "out"]


def test_an_exception_that_nobody_catches_passes() -> None:
    """The very one, and the generator has ended."""
    driven, error = steps(counting, around), KeyError("mine")
    next(driven)

    with pytest.raises(KeyError) as caught:
        driven.throw(error)

    assert caught.value is error
    assert LOG[-2:] == ["end", "out"]
    with pytest.raises(StopIteration):
        next(driven)


@pytest.mark.asyncio
async def test_a_generator_that_is_still_to_come_is_awaited() -> None:
    """What makes it may have to wait."""

    async def make() -> AsyncGenerator[str, Any]:
        return counting_later()

    assert [item async for item in asteps(make, around)] == ["one", "two", "three"]


@inject
def stream(count: int, name: Inject[Name] = INJECTED) -> Iterator[Name]:
    """Yield the name, again and again."""
    for _ in range(count):
        yield name


@inject
def look(name: Inject[Name] = INJECTED) -> Name:
    """Return the name that is seen now."""
    return name


@inject
def looking(name: Inject[Name] = INJECTED) -> Generator[tuple[Name, Name], Any, Name]:
    """Look again in each step."""
    while (yield name, look()):
        pass
    return look()


@inject
async def looking_later(name: Inject[Name] = INJECTED) -> AsyncGenerator[tuple[Name, Name], Any]:
    """As `looking`, asynchronously."""
    try:
        while True:
            yield name, look()
    finally:
        assert look() is name


@pytest.fixture
def apps() -> tuple[Container, Container]:
    """Two containers; the second is the default."""
    made = Container("ours"), Container("theirs")
    for app in made:
        app.slot("name", Name)
        app.override({"name": Name()})
    made[1].make_default()
    return made


def test_a_bound_generator_belongs_to_its_application_in_each_step(apps: tuple[Container, Container]) -> None:
    """And what its caller does meanwhile belongs to the caller's."""
    ours, theirs = (app.adapters.name() for app in apps)

    driven = looking.bind(apps[0])()  # type: ignore[attr-defined]  # what `@inject` adds
    steps_seen = [next(driven), look(), driven.send(True), look()]
    with pytest.raises(StopIteration) as done:
        driven.send(False)

    assert steps_seen == [(ours, ours), theirs, (ours, ours), theirs]
    assert done.value.value is ours
    assert list(stream.bind(apps[0])(2)) == [ours, ours]  # type: ignore[attr-defined]  # what `@inject` adds


@pytest.mark.asyncio
async def test_a_bound_asynchronous_generator_belongs_to_its_application_in_each_step(
    apps: tuple[Container, Container],
) -> None:
    """Its end as well."""
    ours, theirs = (app.adapters.name() for app in apps)

    driven = looking_later.bind(apps[0])()  # type: ignore[attr-defined]  # what `@inject` adds
    seen = [await anext(driven), look(), await anext(driven), look()]
    await driven.aclose()

    assert seen == [(ours, ours), theirs, (ours, ours), theirs]


def test_a_bound_generator_ignores_what_is_in_force_around_it(apps: tuple[Container, Container]) -> None:
    """`bind` says it explicitly, which is above `using`; two of them may alternate."""
    ours, theirs = (app.adapters.name() for app in apps)
    first, second = (looking.bind(app)() for app in apps)  # type: ignore[attr-defined]  # what `@inject` adds

    with using(apps[1]):
        seen = [next(first), next(second), first.send(True), second.send(True)]

    assert seen == [(ours, ours), (theirs, theirs)] * 2


def test_call_drives_a_generator_too(apps: tuple[Container, Container]) -> None:
    """`app.call` and `bind` mean the same."""
    ours = apps[0].adapters.name()

    assert list(apps[0].call(stream, 2)) == [ours, ours]
