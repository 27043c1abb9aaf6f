"""`@inject`: every kind of function with every spelling, and what each looks like from outside."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import field, make_dataclass
from functools import partial
from typing import Annotated, Any

import pytest

from oneiric import INJECTED, Container, Inject, Named, Provide, inject
from oneiric.core.markers import Factory, Ref

IN_TEXTS = (Inject, Factory, Ref)  # what annotations name that are written as texts
Mark = Callable[[Any], Any]  # gives a function the annotation and the default of its parameter `cache`


class Cache:
    """The type of a slot."""


class Made(Cache):
    """The type of another one."""


CACHE = Cache()


@pytest.fixture
def app() -> Container:
    """A container whose slot `local` holds CACHE; the only one, so calls belong to it."""
    app = Container("orders")
    app.slot("local", Cache)
    app.provide("made")(Made)
    app.override({"local": CACHE})
    app.alias("near", "local")
    return app


async def first(items: AsyncIterator[Any]) -> Any:
    """Return the first item, and end the iteration."""
    async for item in items:
        return item
    return None


def function(mark: Mark) -> Any:
    @inject
    @mark
    def call(x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
        return x, cache

    return call


def positional_only(mark: Mark) -> Any:
    @inject
    @mark
    def call(x, cache, /):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
        return x, cache

    return call


def keyword_only(mark: Mark) -> Any:
    @inject
    @mark
    def call(x, *, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
        return x, cache

    return call


def coroutine(mark: Mark) -> Any:
    @inject
    @mark
    async def call(x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
        return x, cache

    return lambda *args, **kwargs: asyncio.run(call(*args, **kwargs))


def generator(mark: Mark) -> Any:
    @inject
    @mark
    def call(x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
        yield x, cache

    return lambda *args, **kwargs: next(call(*args, **kwargs))


def async_generator(mark: Mark) -> Any:
    @inject
    @mark
    async def call(x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
        yield x, cache

    return lambda *args, **kwargs: asyncio.run(first(call(*args, **kwargs)))


def method(mark: Mark) -> Any:
    class Shop:
        @inject
        @mark
        def call(self, x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
            return x, cache

    return Shop().call


def class_outside(mark: Mark) -> Any:
    class Shop:
        @classmethod
        @inject
        @mark
        def call(cls, x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
            assert cls is Shop
            return x, cache

    return Shop.call


def class_inside(mark: Mark) -> Any:
    class Shop:
        @inject
        @classmethod
        @mark
        def call(cls, x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
            assert cls is Shop
            return x, cache

    return Shop.call


def static_outside(mark: Mark) -> Any:
    class Shop:
        @staticmethod
        @inject
        @mark
        def call(x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
            return x, cache

    return Shop().call


def static_inside(mark: Mark) -> Any:
    class Shop:
        @inject
        @staticmethod
        @mark
        def call(x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
            return x, cache

    return Shop.call


def constructor(mark: Mark) -> Any:
    class Shop:
        @inject
        @mark
        def __init__(self, x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
            self.got = x, cache

    class Inheriting(Shop): ...

    return lambda *args, **kwargs: Inheriting(*args, **kwargs).got


def callable_object(mark: Mark) -> Any:
    class Shop:
        @inject
        @mark
        def __call__(self, x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
            return x, cache

    return Shop()


def decorated_class(mark: Mark) -> Any:
    @inject
    class Shop:
        @mark
        def __init__(self, x, cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
            self.got = x, cache

    return lambda *args, **kwargs: Shop(*args, **kwargs).got


def dataclass(mark: Mark) -> Any:
    def given(cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
        ...

    mark(given)
    said = given.__annotations__["cache"], field(default=given.__defaults__[0])
    record = inject(make_dataclass("Record", [("x", int), ("cache", *said)], frozen=True))
    return lambda *args, **kwargs: (lambda made: (made.x, made.cache))(record(*args, **kwargs))


def partial_of_injected(mark: Mark) -> Any:
    made = function(mark)
    return lambda x, *args, **kwargs: partial(made, x)(*args, **kwargs)


def nested(mark: Mark) -> Any:
    def outer(x: int, **given: Any) -> Any:
        @inject
        @mark
        def call(cache):  # type: ignore[no-untyped-def]  # `mark` gives the annotation
            return x, cache

        return call(**given)

    return outer


KINDS = [
    pytest.param(kind, id=kind.__name__.replace("_", " "))
    for kind in (
        *(function, positional_only, keyword_only, coroutine, generator, async_generator, method, class_outside),
        *(class_inside, static_outside, static_inside, constructor, callable_object, decorated_class, dataclass),
        *(partial_of_injected, nested),
    )
]
SPELLINGS = [
    pytest.param("Inject[Cache]", "INJECTED", lambda got: got, id="Inject"),
    pytest.param("Inject[Cache] | None", "INJECTED", lambda got: got, id="optional Inject"),
    pytest.param("Inject[Ref[Cache]]", "INJECTED", lambda got: got.current, id="Inject of a Ref"),
    pytest.param('Annotated[Cache, Named("local")]', "INJECTED", lambda got: got, id="Named"),
    pytest.param('Annotated[Cache, Named("near")]', "INJECTED", lambda got: got, id="Named, by an alias"),
    pytest.param('Annotated[Cache, Named("adapters.local")]', "INJECTED", lambda got: got, id="Named, with its child"),
    pytest.param('Annotated[Cache, Named("local")] | None', "INJECTED", lambda got: got, id="optional"),
    pytest.param('Annotated[Ref[Cache], Named("local")]', "INJECTED", lambda got: got.current, id="Ref"),
    pytest.param("Inject[list[Cache]]", "INJECTED", lambda got: got[0], id="list"),
    pytest.param("Inject[dict[str, Cache]]", "INJECTED", lambda got: got["local"], id="dict"),
    pytest.param("Any", 'Provide["local"]', lambda got: got, id="Provide"),
    pytest.param("Cache", 'Provide["adapters.local"]', lambda got: got, id="Provide, with its child"),
    pytest.param('Annotated[Cache, Provide["local"]]', "INJECTED", lambda got: got, id="Provide in Annotated"),
    pytest.param('Annotated[Cache, Provide["local"]]', "Provide['local']", lambda got: got, id="Provide twice"),
]


def marking(annotation: str, default: str, *, as_text: bool) -> Mark:
    """Return what gives a function that annotation and default, as text or as the objects they mean."""

    def mark(function: Any) -> Any:
        function.__annotations__["cache"] = annotation if as_text else eval(annotation)
        if function.__kwdefaults__ is not None or "cache" in inspect.getfullargspec(function).kwonlyargs:
            function.__kwdefaults__ = {"cache": eval(default)}
        else:
            function.__defaults__ = (eval(default),)
        return function

    return mark


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("annotation", "default", "look"), SPELLINGS)
@pytest.mark.parametrize("as_text", [True, False], ids=["text", "objects"])
def test_every_kind_takes_every_spelling(
    app: Container, kind: Any, annotation: str, default: str, look: Any, as_text: bool
) -> None:
    """Twice, since the first call builds and the second reads."""
    call = kind(marking(annotation, default, as_text=as_text))

    for _ in range(2):
        x, got = call(3)
        assert x == 3
        assert look(got) is CACHE


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_explicit_arguments(app: Container, kind: Any) -> None:
    """They win, None included, and INJECTED asks for the object."""
    call = kind(marking('Annotated[Cache, Named("local")]', "INJECTED", as_text=False))

    if kind is positional_only:
        assert [call(1, None), call(1, INJECTED)] == [(1, None), (1, CACHE)]
    else:
        assert [call(1, cache=None), call(1, cache=INJECTED)] == [(1, None), (1, CACHE)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_new_objects_by_a_factory(app: Container, kind: Any) -> None:
    """One for each call of the handle."""
    call = kind(marking("Inject[Factory[Made]]", "INJECTED", as_text=True))

    x, make = call(3)

    assert isinstance(make, Factory)
    assert type(make()) is Made
    assert make() is not make()
    assert x == 3


def test_a_lambda_takes_a_marker_as_its_default(app: Container) -> None:
    """It has no annotations, so a marker of the engine says it all; a slot itself may be named too."""
    by_name: Any = inject(lambda x, cache=Provide["local"]: (x, cache))
    by_slot: Any = inject(lambda x, *, cache=Provide[app.adapters.local]: (x, cache))

    assert by_name(1) == by_slot(1) == (1, CACHE)
    assert by_name(1, 2) == by_slot(1, cache=2) == (1, 2)


# What follows is defined here, so that it can be found by name.


@inject
def plain(x: int, cache: Annotated[Cache, Named("local")] = INJECTED) -> tuple[int, Cache]:
    """Say what came."""
    return x, cache


@inject
async def later(x: int, cache: Annotated[Cache, Named("local")] = INJECTED) -> tuple[int, Cache]:
    """Say what came."""
    return x, cache


@inject
def items(x: int, cache: Annotated[Cache, Named("local")] = INJECTED) -> Iterator[Cache]:
    """Say what came."""
    yield cache


@inject
async def items_later(x: int, cache: Annotated[Cache, Named("local")] = INJECTED) -> AsyncIterator[Cache]:
    """Say what came."""
    yield cache


class Shop:
    """Methods of each kind."""

    @inject
    def method(self, x: int, cache: Annotated[Cache, Named("local")] = INJECTED) -> tuple[int, Cache]:
        """Say what came."""
        return x, cache

    @inject
    @classmethod
    def of_class(cls, x: int, cache: Annotated[Cache, Named("local")] = INJECTED) -> tuple[int, Cache]:
        """Say what came."""
        return x, cache

    @staticmethod
    @inject
    def static(x: int, cache: Annotated[Cache, Named("local")] = INJECTED) -> tuple[int, Cache]:
        """Say what came."""
        return x, cache


@inject
class Order:
    """A class that is injected through its constructor."""

    def __init__(self, x: int, cache: Annotated[Cache, Named("local")] = INJECTED) -> None:
        self.got = x, cache


FOUND_BY_NAME = [
    pytest.param(plain, None, tuple[int, Cache], id="function"),
    pytest.param(later, inspect.iscoroutinefunction, tuple[int, Cache], id="coroutine"),
    pytest.param(items, inspect.isgeneratorfunction, Iterator[Cache], id="generator"),
    pytest.param(items_later, inspect.isasyncgenfunction, AsyncIterator[Cache], id="async generator"),
    pytest.param(Shop.method, None, tuple[int, Cache], id="method"),
    pytest.param(Shop.of_class, None, tuple[int, Cache], id="classmethod"),
    pytest.param(Shop.static, None, tuple[int, Cache], id="staticmethod"),
    pytest.param(Order.__init__, None, type(None), id="__init__"),
]


@pytest.mark.parametrize(("made", "kind", "returns"), FOUND_BY_NAME)
def test_frameworks_see_a_function_without_what_is_injected(made: Any, kind: Any, returns: Any) -> None:
    """The signature, the type hints, the kind and the names are those of a function that asks for nothing."""
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)

    assert [name for name in inspect.signature(made).parameters if name != "self"] == ["x"]
    assert typing.get_type_hints(made, include_extras=True) == {"x": int, "return": returns}
    assert [asks for asks in kinds if asks(made)] == ([kind] if kind else [])
    assert not hasattr(made, "__wrapped__")
    assert made.__module__ == __name__
    assert made.__doc__ in {"Say what came.", None}
    assert getattr(made, "__func__", made).__globals__ is globals()


@pytest.mark.parametrize(
    "made", [*(case.values[0] for case in FOUND_BY_NAME), Order], ids=lambda made: made.__qualname__
)
def test_what_is_injected_is_pickled_by_name(made: Any) -> None:
    """Queues and process pools send functions by name; so does a partial of one."""
    again = pickle.loads(pickle.dumps(made))
    bound = pickle.loads(pickle.dumps(partial(made, 3)))

    assert again == made
    assert (bound.func, bound.args) == (made, (3,))


def test_an_object_made_by_an_injected_class_is_pickled(app: Container) -> None:
    """Its class is the very one that was decorated."""
    assert type(pickle.loads(pickle.dumps(Order(1, cache=None)))) is Order  # type: ignore[arg-type]  # no cache to send
