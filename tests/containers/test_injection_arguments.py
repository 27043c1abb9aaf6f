"""What an injected function gets: a plain Python function that is given the objects says what is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oneiric import INJECTED, Container, Inject, Provide, inject, using


class Cache: ...


class Database: ...


CACHE, DATABASE = Cache(), Database()
REPLACED: dict[str, object] = {"cache": CACHE, "db": DATABASE}


def build() -> Container:
    app = Container("arguments")
    app.slot("local_cache", Cache)
    app.slot("local_db", Database)
    app.override({"local_cache": CACHE, "local_db": DATABASE})
    return app


def both(a: Any, cache: Inject[Cache] = INJECTED, db: Inject[Database] = INJECTED, b: Any = 5) -> Any:
    return a, cache, db, b


def both_plain(a: Any, cache: Any = CACHE, db: Any = DATABASE, b: Any = 5) -> Any:
    return a, cache, db, b


def keyword_only(a: Any, *, cache: Inject[Cache] = INJECTED, b: Any = 5, db: Any = Provide["local_db"]) -> Any:
    return a, cache, db, b


def keyword_only_plain(a: Any, *, cache: Any = CACHE, b: Any = 5, db: Any = DATABASE) -> Any:
    return a, cache, db, b


def positional_only(a: Any, cache: Inject[Cache] = INJECTED, /, b: Any = 5, db: Inject[Database] = INJECTED) -> Any:
    return a, cache, db, b


def positional_only_plain(a: Any, cache: Any = CACHE, /, b: Any = 5, db: Any = DATABASE) -> Any:
    return a, cache, db, b


def stars(a: Any, cache: Inject[Cache] = INJECTED, *rest: Any, db: Inject[Database] = INJECTED, **more: Any) -> Any:
    return a, cache, rest, db, more


def stars_plain(a: Any, cache: Any = CACHE, *rest: Any, db: Any = DATABASE, **more: Any) -> Any:
    return a, cache, rest, db, more


PAIRS = [
    pytest.param(inject(both), both_plain, id="positional or keyword"),
    pytest.param(inject(keyword_only), keyword_only_plain, id="keyword-only"),
    pytest.param(inject(positional_only), positional_only_plain, id="positional-only"),
    pytest.param(inject(stars), stars_plain, id="stars"),
]
VALUES = st.sampled_from([None, 0, "text", INJECTED])


def outcome(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    """Return what a call returns, or that Python refuses the arguments."""
    try:
        return function(*args, **kwargs)
    except TypeError:
        return TypeError


def meant(name_or_position: str | int, value: object, names: list[str]) -> object:
    """Return what an argument means: INJECTED asks for the object of its parameter."""
    name = names[name_or_position] if isinstance(name_or_position, int) else name_or_position
    return REPLACED.get(name, value) if value is INJECTED else value


@pytest.mark.parametrize(("function", "plain"), PAIRS)
@given(
    args=st.lists(VALUES, max_size=5).map(tuple),
    kwargs=st.dictionaries(st.sampled_from(["a", "b", "cache", "db", "extra"]), VALUES, max_size=4),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arguments_mean_what_they_mean_without_injection(
    function: Callable[..., Any], plain: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Explicit arguments win, None included; INJECTED and nothing at all mean the object of the slot."""
    names = ["a", "cache", "b", "db", "?"] if plain is positional_only_plain else ["a", "cache", "db", "b", "?"]
    if plain is stars_plain:
        names = ["a", "cache", "?", "?", "?"]
    plain_args = tuple(meant(n, value, names) for n, value in enumerate(args))
    plain_kwargs = {name: meant(name, value, names) for name, value in kwargs.items()}
    expected = outcome(plain, plain_args, plain_kwargs)

    with using(build()):
        assert outcome(function, args, kwargs) == expected


def test_a_slot_whose_argument_is_given_is_not_built() -> None:
    """Nor is it looked up: a call that is given everything needs no application."""
    built: list[str] = []
    app = Container("lazy")

    @app.provide("costly")
    class Costly:
        def __init__(self) -> None:
            built.append("costly")

    @inject
    def injected(costly: Inject[Costly] = INJECTED, nowhere: Any = Provide["nowhere"]) -> Any:
        return costly, nowhere

    handler: Any = injected

    assert handler(None, 2) == (None, 2)
    with using(app):
        assert handler(1, nowhere=2) == (1, 2)
        assert type(handler(nowhere=2)[0]) is Costly
    assert built == ["costly"]


def test_a_call_that_is_given_everything_needs_no_application() -> None:
    """A unit test passes its fakes, and that is all it needs; also while another context uses an application."""
    function: Any = inject(both)

    assert function(1, 2, 3) == (1, 2, 3, 5)
    other = Container("other")
    Container("another")
    with using(other):
        pass
    assert function(1, cache=None, db=None) == (1, None, None, 5)
