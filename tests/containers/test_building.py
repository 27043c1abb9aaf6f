"""Building: what makes an object, what it gets, and what happens when that fails."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

import pytest

from oneiric import INJECTED, Application, Container, Inject, Inputs, Named, inject
from oneiric.core.errors import (
    BuildFailed,
    DependencyCycle,
    NeedsAsyncOpen,
    NoCandidate,
    OneiricError,
    ScopeLeak,
    UnknownSlot,
    WrongType,
)
from oneiric.providers.engine import Factory, Object


class Cache: ...


class Pricing:
    def __init__(self, cache: Inject[Cache] = INJECTED) -> None:
        self.cache = cache


class Broken(Exception): ...


@inject
def quote(pricing: Annotated[Pricing, Named("pricing")] = INJECTED) -> Pricing:
    return pricing


@inject
async def aquote(pricing: Annotated[Pricing, Named("pricing")] = INJECTED) -> Pricing:
    return pricing


def test_an_object_is_made_once_from_what_it_needs() -> None:
    """Whoever asks gets the same object, with the same object inside."""
    app = Container("shop")
    app.provide("stock")(Cache)
    app.provide("pricing")(Pricing)

    assert quote() is quote()
    assert quote().cache is app.slot("stock")()


@pytest.mark.parametrize(
    "call", [pytest.param(quote, id="sync"), pytest.param(lambda: asyncio.run(aquote()), id="async")]
)
def test_a_failing_build_names_the_whole_chain(call: Callable[[], Any]) -> None:
    """From the function that was called down to the slot whose constructor raised."""
    app = Container("shop")

    @app.provide("stock")
    def stock() -> Cache:
        raise Broken("the shelf fell")

    app.provide("pricing")(Pricing)

    with pytest.raises(BuildFailed) as caught:
        call()

    assert caught.value.path[1:] == ("slot pricing", "slot stock")
    assert caught.value.path[0].endswith("quote(pricing)")
    assert isinstance(caught.value.__cause__, Broken)
    assert "shelf" not in str(caught.value)


@pytest.mark.parametrize(
    "call", [pytest.param(quote, id="sync"), pytest.param(lambda: asyncio.run(aquote()), id="async")]
)
def test_a_failed_build_stores_nothing(call: Callable[[], Any]) -> None:
    """The next call tries again."""
    app, tries = Container("shop"), []

    @app.provide("stock")
    def stock() -> Cache:
        tries.append(1)
        if len(tries) == 1:
            raise Broken
        return Cache()

    app.provide("pricing")(Pricing)

    with pytest.raises(BuildFailed):
        call()

    assert type(call()) is Pricing
    assert len(tries) == 2


@pytest.mark.parametrize(
    ("bound", "error", "path"),
    [
        pytest.param({}, NoCandidate, ("slot pricing", "slot stock"), id="nobody fills it"),
        pytest.param({"stock": Factory(dict)}, WrongType, ("slot pricing", "slot stock"), id="it makes another type"),
    ],
)
def test_a_fault_below_says_who_needed_it(bound: dict[str, Any], error: type[OneiricError], path: tuple[str]) -> None:
    """The way down belongs to every error of a build."""
    app = Container("shop")
    app.slot("stock", Cache)
    app.override(bound)
    app.provide("pricing")(Pricing)

    with pytest.raises(error) as caught:
        quote()

    assert caught.value.path[1:] == path


def test_a_missing_slot_below_names_its_parameter() -> None:
    """The parameter is where a person can do something about it."""
    app = Container("shop")

    @app.provide("pricing")
    def pricing(cache: Annotated[Cache, Named("stok")] = INJECTED) -> Pricing:
        return Pricing(cache)

    app.slot("stock", Cache)

    with pytest.raises(UnknownSlot) as caught:
        quote()

    assert caught.value.path[1] == "slot pricing"
    assert caught.value.path[2].endswith("pricing(cache)")
    assert caught.value.fixes == ("did you mean stock or storage?",)


def circle() -> Container:
    """Return a container in which a needs b, b needs c, and c needs a."""
    app = Container("circle")
    for name, needed in (("a", "b"), ("b", "c"), ("c", "a")):

        def make(x: Any = INJECTED) -> object:
            raise AssertionError("nothing of a circle is ever built")

        make.__annotations__ = {"x": Annotated[object, Named(needed)]}
        app.provide(name)(make)
    return app


@pytest.mark.parametrize(
    "get",
    [
        pytest.param(lambda app: app.services.a(), id="sync"),
        pytest.param(lambda app: asyncio.run(app.wiring.abuild(app.slot("a"))), id="async"),
    ],
)
def test_a_circle_is_an_error_with_its_path(get: Callable[[Container], Any]) -> None:
    """Without any check before: neither a RecursionError nor two builds that wait for each other."""
    with pytest.raises(DependencyCycle) as caught:
        get(circle())

    assert caught.value.cycle == ("a", "b", "c", "a")


@pytest.mark.asyncio
async def test_two_builds_of_one_circle_at_once_are_both_refused() -> None:
    """Each started from another end, so that each would wait for the other."""
    app = circle()

    results = await asyncio.gather(
        app.wiring.abuild(app.slot("a")), app.wiring.abuild(app.slot("b")), return_exceptions=True
    )

    assert [type(result) for result in results] == [DependencyCycle, DependencyCycle]


@pytest.mark.slow
def test_a_chain_of_slots_needs_no_deep_stack() -> None:
    """20,000 slots that need each other in a row are built, in an interpreter of their own."""
    program = """
from typing import Annotated, Any
from oneiric import INJECTED, Container, Named
app = Container("chain")
for n in range(20_000):
    def make(below: Any = INJECTED) -> Any:
        return 0 if below is None else below + 1
    make.__annotations__ = {"below": Annotated[int, Named(f"s{n - 1}")] if n else (Annotated[int, Named("s0")] | None)}
    if n == 0:
        def make() -> Any:
            return 1
    app.provide(f"s{n}")(make)
print(app.slot("s19999")())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)

    assert (done.stdout, done.stderr) == ("20000\n", "")


def test_a_long_lived_object_cannot_hold_a_short_lived_one() -> None:
    """Also where nobody checked the application before."""
    app = Container("leak")

    @app.provide("session", scope="request")
    def session() -> Cache:
        return Cache()

    app.provide("pricing")(Pricing)

    with app.scope("request"), pytest.raises(ScopeLeak) as caught:
        quote()

    assert caught.value.path[1:] == ("slot pricing", "slot session")


@pytest.mark.asyncio
async def test_an_asynchronous_factory_is_awaited() -> None:
    """The value is what it returns, for asynchronous callers and afterwards for all."""
    app = Container("shop")

    @app.provide("stock")
    async def stock() -> Cache:
        await asyncio.sleep(0)
        return Cache()

    app.provide("pricing")(Pricing)

    assert type((await aquote()).cache) is Cache
    assert quote() is await aquote()


@pytest.mark.asyncio
async def test_a_class_whose_call_has_to_be_awaited_is_awaited() -> None:
    """A metaclass, or `__new__`, may give a coroutine; nobody is given one."""
    app = Container("shop")
    app.slot("stock", Cache)

    class Slow(Cache):
        async def __new__(cls) -> Cache:  # type: ignore[misc]  # what a driver's class may do
            await asyncio.sleep(0)
            return Cache()

    app.override({"stock": Slow})
    app.provide("pricing")(Pricing)

    assert type((await aquote()).cache) is Cache


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: wait_for_cache(), id="a coroutine"),
        pytest.param(lambda: asyncio.ensure_future(wait_for_cache()), id="a task"),
    ],
)
@pytest.mark.parametrize("is_engine", [pytest.param(False, id="factory"), pytest.param(True, id="engine provider")])
def test_what_is_to_come_is_never_handed_on(make: Callable[[], Any], is_engine: bool) -> None:
    """A coroutine or a task is awaited; where that cannot be, it is an error."""
    app = Container("shop")
    if is_engine:
        app.slot("pricing", Cache)
        app.override({"pricing": Factory(make)})
    else:
        app.provide("pricing")(make)

    async def both() -> None:
        with pytest.raises(NeedsAsyncOpen):
            quote()
        got: Any = await aquote()
        assert type(got) is Cache
        assert quote() is got

    asyncio.run(both())


async def wait_for_cache() -> Cache:
    """Take a turn of the event loop to make a cache."""
    await asyncio.sleep(0)
    return Cache()


def test_an_asynchronous_factory_cannot_serve_synchronous_code() -> None:
    """Nothing is open yet, and this thread has no event loop that could open it."""
    app = Container("shop")

    @app.provide("stock")
    async def stock() -> Cache:
        return Cache()

    app.provide("pricing")(Pricing)

    with pytest.raises(NeedsAsyncOpen) as caught:
        quote()

    assert caught.value.path[1:] == ("slot pricing", "slot stock")
    assert "make the caller async" in caught.value.fixes


def cleaned_up(log: list[str]) -> Callable[[], Iterator[Cache]]:
    def stock() -> Iterator[Cache]:
        log.append("made")
        try:
            yield Cache()
        finally:
            log.append("cleaned")

    return stock


def acleaned_up(log: list[str]) -> Callable[[], AsyncIterator[Cache]]:
    async def stock() -> AsyncIterator[Cache]:
        log.append("made")
        try:
            yield Cache()
        finally:
            log.append("cleaned")

    return stock


@pytest.mark.parametrize("make", [pytest.param(cleaned_up, id="sync"), pytest.param(acleaned_up, id="async")])
def test_a_bare_container_cleans_up_what_it_cannot_keep(make: Callable[[list[str]], Any]) -> None:
    """It closes nothing later, so it refuses a generator for its own life, and ends it at once."""
    app, log = Container("shop"), list[str]()
    app.provide("pricing")(make(log))

    with pytest.raises(NeedsAsyncOpen, match="slot pricing"):
        asyncio.run(aquote())

    assert log == ["made", "cleaned"]


@pytest.mark.asyncio
@pytest.mark.parametrize("make", [pytest.param(cleaned_up, id="sync"), pytest.param(acleaned_up, id="async")])
async def test_an_application_cleans_up_when_it_stops(make: Callable[[list[str]], Any], tmp_path: Path) -> None:
    """The code after the yield runs once, at the stop."""
    app, log = Application("shop", inputs=Inputs(environ={}, folder=tmp_path)), list[str]()
    app.provide("pricing")(make(log))

    async with app:
        await aquote()
        await aquote()
        assert log == ["made"]

    assert log == ["made", "cleaned"]


def test_a_lock_and_a_slot_are_handed_on_as_they_are() -> None:
    """Nothing is copied: a copy would split what is shared."""
    lock = Lock()
    app = Container("identity")
    app.slot("guard", object)
    app.override({"guard": lock})

    @app.provide("one")
    def one(guard: Annotated[Any, Named("guard")] = INJECTED) -> list[Any]:
        return [guard]

    @app.provide("two")
    def two(guard: Annotated[Any, Named("guard")] = INJECTED) -> list[Any]:
        return [guard]

    assert app.services.one()[0] is lock
    assert app.services.two()[0] is lock
    assert app.adapters.guard is app.slot("guard")


def test_a_bound_object_may_be_of_any_type() -> None:
    """`Object(42)` is the number, not a provider."""
    app = Container("numbers")
    app.slot("limit", int)
    app.override({"limit": Object(42)})

    @inject
    def handler(limit: Annotated[int, Named("limit")] = INJECTED) -> int:
        return limit

    assert handler() == 42
    assert app.faults()[0] == []
