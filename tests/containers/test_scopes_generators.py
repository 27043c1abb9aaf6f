"""Scopes of injected generators: in force while the generator runs, and not while it waits at a yield."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import pytest

from oneiric import INJECTED, Container, Inject, inject
from oneiric.core.errors import ScopeClosed


class Broken(Exception): ...


class Session:
    """A resource that remembers how it ended."""

    def __init__(self) -> None:
        self.log: list[str] = []


def make() -> Iterator[Session]:
    session = Session()
    try:
        yield session
        session.log.append("commit")
    except BaseException as error:
        session.log.append(type(error).__name__)
        raise


@pytest.fixture
def app() -> Container:
    """A container with a session for each request."""
    app = Container("shop")
    app.provide("session", scope="request")(make)
    return app


def items(session: Inject[Session] = INJECTED) -> Generator[Any, Any, None]:
    try:
        while True:
            got = yield session
            if got == "stop":
                return
    except Broken:
        yield "caught"


async def aitems(session: Inject[Session] = INJECTED) -> AsyncGenerator[Any, Any]:
    try:
        while True:
            got = yield session
            if got == "stop":
                return
    except Broken:
        yield "caught"


injected_items: Any = inject(items)
injected_aitems: Any = inject(aitems)


def test_the_scope_of_a_generator_lives_until_its_end_and_is_not_its_callers(app: Container) -> None:
    """Two of them have two resources, in any order of their ends, and the caller is in no scope meanwhile."""
    one, two = injected_items(), injected_items()

    first, second = next(one), next(two)
    with pytest.raises(ScopeClosed):
        app.services.session()
    with pytest.raises(StopIteration):
        one.send("stop")

    assert (first.log, second.log) == (["commit"], [])
    two.close()
    assert second.log == ["GeneratorExit"]


def test_what_is_thrown_into_a_generator_reaches_its_body(app: Container) -> None:
    """And only what the body lets through reaches the resource."""
    generator = injected_items()
    session = next(generator)

    assert generator.throw(Broken()) == "caught"
    with pytest.raises(KeyError):
        generator.throw(KeyError())
    assert session.log == ["KeyError"]


@pytest.mark.asyncio
async def test_an_asynchronous_generator_is_driven_as_by_hand(app: Container) -> None:
    """Sent values, thrown exceptions, an early close, and a step in another task."""
    sent, thrown, closed, elsewhere = (injected_aitems() for _ in range(4))
    sessions = [await anext(one) for one in (sent, thrown, closed)]

    with pytest.raises(StopAsyncIteration):
        await sent.asend("stop")
    assert await thrown.athrow(Broken()) == "caught"
    with pytest.raises(KeyError):
        await thrown.athrow(KeyError())
    await closed.aclose()
    session = await asyncio.create_task(anext(elsewhere))
    await asyncio.create_task(elsewhere.aclose())

    assert [one.log for one in (*sessions, session)] == [["commit"], ["KeyError"], ["GeneratorExit"], ["GeneratorExit"]]


def test_a_value_that_a_generator_returns_is_kept(app: Container) -> None:
    """`yield from` gives it to the caller."""

    @inject
    def returns(session: Inject[Session] = INJECTED) -> Any:
        yield session
        return "done"

    def outer() -> Any:
        return (yield from returns())

    generator = outer()
    session = next(generator)
    with pytest.raises(StopIteration) as caught:
        next(generator)

    assert caught.value.value == "done"
    assert session.log == ["commit"]


def test_an_inner_call_of_a_generator_uses_its_scope(app: Container) -> None:
    """While the generator runs, it is the outermost call."""

    @inject
    def inner(session: Inject[Session] = INJECTED) -> Session:
        return session

    @inject
    def outer(session: Inject[Session] = INJECTED) -> Iterator[bool]:
        yield inner() is session
        yield inner() is session

    assert list(outer()) == [True, True]
