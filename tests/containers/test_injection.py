"""`@inject`: every kind of function, and what it looks like from outside."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from oneiric import INJECTED, Container, Inject, Named, Provide, inject
from oneiric.core.errors import AnnotationUnresolved, UnknownSlot
from oneiric.providers.engine import ProvideMarker

if TYPE_CHECKING:
    from nowhere import Ghost  # type: ignore[import-not-found]  # it exists for type checkers only


class Cache:
    """The type of a slot."""


CACHE = Cache()


@pytest.fixture
def app() -> Container:
    """A container whose slot `cache` holds CACHE; the only one, so calls belong to it."""
    app = Container("orders", catalog=None)
    app.slot("local", Cache)
    app.override({"local": CACHE})
    return app


@inject
def plain(x: int, cache: Inject[Cache] = INJECTED) -> tuple[int, Cache]:
    """Say what came."""
    return x, cache


@inject
async def coroutine(x: int, cache: Inject[Cache] = INJECTED) -> tuple[int, Cache]:
    return x, cache


@inject
def generator(x: int, cache: Inject[Cache] = INJECTED) -> Iterator[tuple[int, Cache]]:
    yield x, cache


@inject
async def async_generator(x: int, cache: Inject[Cache] = INJECTED) -> AsyncIterator[tuple[int, Cache]]:
    yield x, cache


class Shop:
    @inject
    def method(self, x: int, cache: Inject[Cache] = INJECTED) -> tuple[int, Cache]:
        return x, cache

    @classmethod
    @inject
    def class_outside(cls, x: int, cache: Inject[Cache] = INJECTED) -> tuple[int, Cache]:
        return x, cache

    @inject
    @classmethod
    def class_inside(cls, x: int, cache: Inject[Cache] = INJECTED) -> tuple[int, Cache]:
        return x, cache

    @staticmethod
    @inject
    def static_outside(x: int, cache: Inject[Cache] = INJECTED) -> tuple[int, Cache]:
        return x, cache

    @inject
    @staticmethod
    def static_inside(x: int, cache: Inject[Cache] = INJECTED) -> tuple[int, Cache]:
        return x, cache

    @inject
    def __call__(self, x: int, cache: Inject[Cache] = INJECTED) -> tuple[int, Cache]:
        return x, cache


class Handler:
    @inject
    def __init__(self, x: int, cache: Inject[Cache] = INJECTED) -> None:
        self.got = x, cache


class Inheriting(Handler): ...


@inject
class Decorated:
    def __init__(self, x: int, cache: Inject[Cache] = INJECTED) -> None:
        self.got = x, cache


@inject
@dataclass(frozen=True)
class Record:
    x: int
    cache: Inject[Cache] = INJECTED

    @property
    def got(self) -> tuple[int, Cache]:
        return self.x, self.cache


@inject
@dataclass(slots=True, kw_only=True)
class SlottedRecord:
    x: int
    cache: Inject[Cache] = INJECTED


def nested(x: int) -> tuple[int, Cache]:
    @inject
    def inner(cache: Inject[Cache] = INJECTED) -> tuple[int, Cache]:
        return x, cache

    return inner()


by_lambda: Any = inject(lambda x, cache=Provide["local"]: (x, cache))


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(plain, id="function"),
        pytest.param(lambda x: asyncio.run(coroutine(x)), id="coroutine"),
        pytest.param(lambda x: next(iter(generator(x))), id="generator"),
        pytest.param(lambda x: asyncio.run(first(async_generator(x))), id="async generator"),
        pytest.param(Shop().method, id="method"),
        pytest.param(Shop.class_outside, id="classmethod outside"),
        pytest.param(Shop.class_inside, id="classmethod inside"),
        pytest.param(Shop.static_outside, id="staticmethod outside"),
        pytest.param(Shop.static_inside, id="staticmethod inside"),
        pytest.param(Shop(), id="__call__"),
        pytest.param(lambda x: Handler(x).got, id="__init__"),
        pytest.param(lambda x: Inheriting(x).got, id="inherited __init__"),
        pytest.param(lambda x: Decorated(x).got, id="class"),
        pytest.param(lambda x: Record(x).got, id="dataclass"),
        pytest.param(lambda x: (x, SlottedRecord(x=x).cache), id="keyword-only dataclass with slots"),
        pytest.param(nested, id="nested function"),
        pytest.param(by_lambda, id="lambda"),
        pytest.param(partial(plain, 3), id="partial"),
    ],
)
def test_every_kind_of_function_is_injected(app: Container, call: Callable[..., Any]) -> None:
    """One spelling for all of them; twice, since the first call builds and the second reads."""
    arguments = () if isinstance(call, partial) else (3,)

    assert call(*arguments) == (3, CACHE)
    assert call(*arguments) == (3, CACHE)


async def first(items: AsyncIterator[Any]) -> Any:
    """Return the first item, and end the iteration."""
    async for item in items:
        return item
    return None


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        pytest.param(plain, None, id="function"),
        pytest.param(coroutine, inspect.iscoroutinefunction, id="coroutine"),
        pytest.param(generator, inspect.isgeneratorfunction, id="generator"),
        pytest.param(async_generator, inspect.isasyncgenfunction, id="async generator"),
    ],
)
def test_the_kind_of_a_function_is_kept(function: Any, kind: Any) -> None:
    """Frameworks ask `inspect`, and get the answer of the function."""
    kinds = [inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction]

    assert [asks for asks in kinds if asks(function)] == ([kind] if kind else [])
    assert asyncio.iscoroutinefunction(function) is (kind is inspect.iscoroutinefunction)


def test_the_signature_hides_what_is_injected() -> None:
    """A framework sees only what it has to give, evaluated where that is possible."""
    shown = inspect.signature(plain)

    assert str(shown) == f"(x: int) -> tuple[int, {__name__}.Cache]"
    assert typing.get_type_hints(plain) == {"x": int, "return": tuple[int, Cache]}
    assert list(inspect.signature(Shop().method).parameters) == ["x"]
    assert list(inspect.signature(Decorated).parameters) == ["x"]


def test_the_names_of_a_function_are_kept() -> None:
    """And there is no way back to the function that frameworks would follow past the injection."""
    assert (plain.__name__, plain.__qualname__, plain.__module__) == ("plain", "plain", __name__)
    assert plain.__doc__ == "Say what came."
    assert plain.__globals__ is globals()
    assert not hasattr(plain, "__wrapped__")


def test_attributes_of_a_function_are_kept() -> None:
    """Another decorator below may have left its mark."""

    def marked(cache: Inject[Cache] = INJECTED) -> None: ...

    marked.limit = 3  # type: ignore[attr-defined]  # a mark of another decorator

    assert inject(marked).limit == 3  # type: ignore[attr-defined]


def test_a_decorator_below_may_wrap_the_function(app: Container) -> None:
    """The wrapper shows the signature of what it wraps, so it is asked for its parameters."""

    def doubled(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs), function(*args, **kwargs)

        return run

    @inject
    @doubled
    def handler(x: int, cache: Inject[Cache] = INJECTED) -> Any:
        return x, cache

    assert handler(1) == ((1, CACHE), (1, CACHE))
    assert not hasattr(handler, "__wrapped__")


def test_an_injected_function_is_pickled_by_name() -> None:
    """Queues and process pools send functions by name."""
    assert pickle.loads(pickle.dumps(plain)) is plain
    assert pickle.loads(pickle.dumps(Decorated)) is Decorated


def test_parameters_may_have_the_names_that_our_code_uses(app: Container) -> None:
    """The generated wrapper shares no name with the function."""

    @inject
    def odd(_f: int, _M: int, call: int, store: int, make: int, _e: int = 6, cache: Inject[Cache] = INJECTED) -> Any:
        return _f, _M, call, store, make, _e, cache

    assert odd(1, 2, 3, 4, 5) == (1, 2, 3, 4, 5, 6, CACHE)


def nothing_marked(x: int) -> None: ...


def no_marker(x: int, cache: Cache = INJECTED) -> None: ...


def no_annotation(cache=INJECTED) -> None: ...  # type: ignore[no-untyped-def]  # what is refused


def with_modifier(cache: Any = ProvideMarker("cache", object())) -> None: ...


def out_of_order(cache: Inject[Cache], x: int) -> None: ...


class NoConstructor: ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        pytest.param(nothing_marked, "nothing to inject in {}:nothing_marked", id="nothing marked"),
        pytest.param(NoConstructor, "nothing to inject in {}:NoConstructor", id="no constructor"),
        pytest.param(no_marker, "{}:no_marker(cache) defaults to INJECTED, but its annotation is neither", id="marker"),
        pytest.param(no_annotation, "{}:no_annotation(cache) defaults to INJECTED", id="annotation"),
        pytest.param(with_modifier, "{}:with_modifier(cache): of the engine's markers", id="modifier"),
        pytest.param(out_of_order, "{}:out_of_order(x) has no default and follows", id="order"),
    ],
)
def test_a_function_that_cannot_be_injected_is_refused_at_once(function: Any, said: str) -> None:
    """A TypeError at the decoration names function and parameter."""
    with pytest.raises(TypeError) as caught:
        inject(function)

    assert str(caught.value).startswith(said.format(__name__))


def test_a_name_for_type_checkers_only_fails_at_the_call_that_needs_it(app: Container) -> None:
    """Not at the decoration, and not for a call that gives the argument."""

    @inject
    def handler(x: Annotated[Ghost, Named("local")] = INJECTED, y: Inject[Ghost] = INJECTED) -> Any:
        return x, y

    with pytest.raises(AnnotationUnresolved):
        handler()
    assert handler(y=1) == (CACHE, 1)
    assert handler(2, 3) == (2, 3)


def test_a_class_defined_after_the_function_is_found_at_the_call(app: Container) -> None:
    """Forward references work as everywhere else."""

    @inject
    def handler(later: Inject[DefinedLater] = INJECTED) -> Any:
        return later

    globals()["DefinedLater"] = type("DefinedLater", (), {})
    try:
        app.slot("later", globals()["DefinedLater"])
        app.override({"later": globals()["DefinedLater"]})

        assert type(handler()).__name__ == "DefinedLater"
    finally:
        del globals()["DefinedLater"]


if TYPE_CHECKING:

    class DefinedLater: ...


def test_an_unknown_name_offers_the_nearest_and_reaches_no_body(app: Container) -> None:
    """A marker object is never the value."""
    bodies: list[Any] = []

    @inject
    def handler(cache: Any = Provide["locl"]) -> None:
        bodies.append(cache)

    with pytest.raises(UnknownSlot) as caught:
        handler()

    assert caught.value.fixes == ("did you mean local?",)
    assert caught.value.path[0].endswith("handler(cache)")
    assert bodies == []


def test_an_optional_need_is_none_only_where_there_is_nothing(app: Container) -> None:
    """No such slot, or nobody in it: None. What was chosen and cannot be stays an error."""

    class Missing: ...

    @inject
    def handler(
        absent: Inject[Missing] | None = INJECTED,
        unknown: Annotated[Cache, Named("nowhere")] | None = INJECTED,
        empty: Annotated[Cache, Named("empty")] | None = INJECTED,
        there: Annotated[Cache, Named("local")] | None = INJECTED,
    ) -> Any:
        return absent, unknown, empty, there

    app.slot("empty", Missing)

    assert handler() == (None, None, None, CACHE)
