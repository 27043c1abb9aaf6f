"""Context managers as resources: entered when they are made, left when their scope ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
from dependency_injector import resources
from dependency_injector.providers import Object, Resource

from oneiric import INJECTED, Application, Container, Inputs, Named, inject
from oneiric.core.errors import NeedsAsyncOpen, WrongType
from tests.containers.shapes import Engine


class Broken(Exception): ...


LOG: list[str] = []


@pytest.fixture(autouse=True)
def empty_log() -> None:
    """Each test has a log of its own."""
    LOG.clear()


@contextmanager
def managed() -> Iterator[Engine]:
    """Say what happens."""
    LOG.append("enter")
    try:
        yield Engine()
        LOG.append("leave")
    except BaseException as error:
        LOG.append(type(error).__name__)
        raise


@asynccontextmanager
async def managed_later() -> AsyncIterator[Engine]:
    """As `managed`, asynchronously."""
    await asyncio.sleep(0)
    with managed() as engine:
        yield engine
        await asyncio.sleep(0)


class Managed(Engine):
    """A class that is a context manager."""

    def __enter__(self) -> Managed:
        LOG.append("enter")
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        LOG.append("leave" if error is None else type(error).__name__)
        return True  # it would swallow what it gets


class ManagedLater(Engine):
    """A class that is an asynchronous one."""

    async def __aenter__(self) -> ManagedLater:
        LOG.append("enter")
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        await asyncio.sleep(0)
        LOG.append("leave" if error is None else type(error).__name__)
        return True


def engines_generator() -> Iterator[Engine]:
    """What a `Resource` of the engine is made of."""
    with managed() as engine:
        yield engine


async def engines_async_generator() -> AsyncIterator[Engine]:
    """As `engines_generator`, asynchronously."""
    async with managed_later() as engine:
        yield engine


class EnginesClass(resources.Resource):  # type: ignore[type-arg]  # generic for type checkers only
    """A resource class of the engine."""

    def init(self) -> Engine:
        """Say so."""
        LOG.append("enter")
        return Engine()

    def shutdown(self, resource: Any) -> None:
        """Say so."""
        LOG.append("leave")


@inject
async def handler(error: type[Exception] | None = None, it: Annotated[Engine, Named("it")] = INJECTED) -> Engine:
    """Use it, or fail."""
    if error is not None:
        raise error
    LOG.append("use")
    return it


MAKERS = [
    pytest.param(managed, id="contextmanager"),
    pytest.param(managed_later, id="asynccontextmanager"),
    pytest.param(Managed, id="class with __enter__"),
    pytest.param(ManagedLater, id="class with __aenter__"),
]
RESOURCES = [
    pytest.param(Resource(engines_generator), id="generator"),
    pytest.param(Resource(engines_async_generator), id="async generator"),
    pytest.param(Resource(managed), id="contextmanager"),
    pytest.param(Resource(EnginesClass), id="resource class"),
]


@pytest.mark.parametrize("make", MAKERS)
def test_it_is_entered_and_left_around_one_request(make: Any) -> None:
    """Each call has its own."""
    app = Container("managed")
    app.provide("it", scope="request")(make)

    first, second = asyncio.run(handler()), asyncio.run(handler())

    assert isinstance(first, Engine)
    assert first is not second
    assert LOG == ["enter", "use", "leave"] * 2


@pytest.mark.parametrize("make", MAKERS)
def test_the_exception_of_the_body_reaches_it_and_is_not_swallowed(make: Any) -> None:
    """What failed has failed, whatever `__exit__` returns."""
    app = Container("managed")
    app.provide("it", scope="request")(make)

    with pytest.raises(Broken):
        asyncio.run(handler(Broken))

    assert LOG == ["enter", "Broken"]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.asyncio
async def test_it_lives_as_long_as_the_application(make: Any, tmp_path: Path) -> None:
    """Entered on first use, left when the application stops."""
    app = Application("managed", inputs=Inputs(environ={}, folder=tmp_path))
    app.provide("it")(make)

    async with app:
        assert await handler() is await handler()
        assert LOG == ["enter", "use", "use"]

    assert LOG == ["enter", "use", "use", "leave"]


@pytest.mark.parametrize("make", [managed, Managed])
def test_synchronous_code_may_use_a_synchronous_one(make: Any) -> None:
    """It needs no event loop."""
    app = Container("managed")
    app.provide("it", scope="request")(make)

    with app.scope("request"):
        assert app.services.it() is app.services.it()

    assert LOG == ["enter", "leave"]


def test_synchronous_code_cannot_enter_an_asynchronous_one() -> None:
    """It says so, and nothing stays open."""
    app = Container("managed")
    app.provide("it", scope="request")(managed_later)

    with app.scope("request"), pytest.raises(NeedsAsyncOpen):
        app.services.it()

    assert LOG == []


def test_what_a_function_returns_is_a_value() -> None:
    """A lock has `__enter__`, and nobody said that it should be taken."""
    app, lock = Container("managed"), threading.Lock()

    @app.provide("lock")
    def make() -> Any:
        return lock

    assert app.services.lock() is lock
    assert not lock.locked()


def test_an_instance_is_a_value() -> None:
    """Who binds it has entered it, or will."""
    app, given = Container("managed"), Managed()
    app.slot("engine", Engine)
    app.override({"engine": given})

    assert app.adapters.engine() is given
    assert LOG == []


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_resource_of_the_engine_is_made_anew_for_each_request(resource: Any) -> None:
    """And closed with it; the engine would keep one for everybody."""
    app = Container("managed")
    app.provide("it", scope="request")(Engine)

    with app.override({"it": resource}):
        first, second = asyncio.run(handler()), asyncio.run(handler())

    assert first is not second
    assert LOG == ["enter", "use", "leave"] * 2


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.asyncio
async def test_a_resource_of_the_engine_is_closed_with_the_application(resource: Any, tmp_path: Path) -> None:
    """As one of our own."""
    app = Application("managed", inputs=Inputs(environ={}, folder=tmp_path))
    app.slot("it", Engine)
    app.override({"it": resource})

    async with app:
        assert await handler() is await handler()

    assert LOG == ["enter", "use", "use", "leave"]


def test_a_resource_of_the_engine_gets_its_arguments() -> None:
    """Providers among them are asked."""

    def make(*args: object, **kwargs: object) -> Iterator[tuple[object, ...]]:
        yield (*args, *kwargs.items())

    app = Container("managed")
    app.provide("it", scope="request")(tuple)
    app.override({"it": Resource(make, 1, Object("two"), three=Object(3))})

    with app.scope("request"):
        assert app.services.it() == (1, "two", ("three", 3))


def test_what_a_resource_of_the_engine_makes_has_to_fit() -> None:
    """It tells its class only when it is made."""
    app = Container("managed")
    app.slot("it", Engine)
    app.override({"it": Resource(lambda: "no engine")})

    with pytest.raises(WrongType):
        app.adapters.it()


@pytest.mark.asyncio
async def test_a_context_manager_behind_a_proxy_is_entered_and_left() -> None:
    """A transparent proxy says that it is of the class that it stands for."""

    class Connection:
        def __enter__(self) -> Connection:
            LOG.append("enter")
            return self

        def __exit__(self, *raised: object) -> None:
            LOG.append("leave")

    class Proxy:
        def __init__(self, inner: object) -> None:
            self.inner = inner

        __class__ = property(lambda self: type(self.inner))  # type: ignore[assignment]  # what such proxies do

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    class Made(Connection):
        def __new__(cls) -> Any:
            return Proxy(Connection())

    app = Application("managed", inputs=Inputs(environ={}))
    app.slot("connection", Connection)
    app.override({"connection": Made})
    async with app:
        await app.wiring.abuild(app.slot("connection"))

    assert LOG == ["enter", "leave"]
