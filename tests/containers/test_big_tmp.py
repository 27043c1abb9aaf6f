"""The generated wrapper: the parameters of each function by its own names, compiled once for all of one shape."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneiric import INJECTED, Container, Inject, inject, using
from oneiric.containers.wrapper import compiled

KINDS = ["def {}: return {}", "async def {}: return {}", "def {}: yield {}", "async def {}: yield {}"]
# Names that the wrapper's own code might have, one that Python writes otherwise inside a class, and one of no ASCII.
NAMES = ["a", "b", "function", "given", "make", "call", "store", "cells", "lease", "way", "_f", "__x", "é"]
SHAPES = st.sampled_from(["", "=7", ": Inject[Clock]=INJECTED"])


class Clock:
    """What is injected."""


CLOCK = Clock()


@st.composite
def sources(draw: st.DrawFn) -> str:
    """Return a function that tells what it was given; its parameters are of every kind, in an order that Python has."""
    names = iter(draw(st.permutations(NAMES)))
    first = {next(names): draw(SHAPES) for _ in range(draw(st.integers(0, 2)))}
    plain = {next(names): draw(SHAPES) for _ in range(draw(st.integers(0, 3)))}
    keywords = {next(names): draw(SHAPES) for _ in range(draw(st.integers(0, 2)))}
    if any((first | plain).values()):  # without a default there is none before one that has some
        first, plain = ({name: shape or "=7" for name, shape in part.items()} for part in (first, plain))
    star = f"*{next(names)}" if draw(st.booleans()) else "*" if keywords else ""
    double = f"**{next(names)}" if draw(st.booleans()) else ""
    written = [*(name + shape for name, shape in first.items()), *(["/"] if first else [])]
    written += [name + shape for name, shape in plain.items()]
    written += [*([star] if star else []), *(name + shape for name, shape in keywords.items())]
    written += [double] if double else []
    told = [*first, *plain, *keywords, *(name for name in (star.lstrip("*"), double.lstrip("*")) if name)]
    return draw(st.sampled_from(KINDS)).format(
        f"function({', '.join(written)})", "{" + ", ".join(f"{name!r}: {name}" for name in told) + "}"
    )


def made(source: str) -> Callable[..., Any]:
    """Return the function of a source."""
    space: dict[str, Any] = {"Inject": Inject, "INJECTED": INJECTED, "Clock": Clock}
    exec(source, space)
    function: Callable[..., Any] = space["function"]
    return function


def told(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Return what a function of any kind returns, or yields first."""
    result = function(*args, **kwargs)
    if inspect.isgenerator(result):
        return next(result)
    if inspect.iscoroutine(result):
        return asyncio.run(result)
    return asyncio.run(first(result)) if inspect.isasyncgen(result) else result


async def first(items: AsyncGenerator[Any, None]) -> Any:
    """Return the first item."""
    async with aclosing(items):
        return await anext(items)


def arguments(function: Callable[..., Any], *, by_name: bool) -> tuple[list[Any], dict[str, Any]]:
    """Return an argument for each parameter without a default, and for all others too where they go by their names."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for number, (name, parameter) in enumerate(inspect.signature(function).parameters.items()):
        is_needed = parameter.default is parameter.empty
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        is_positional = parameter.kind is parameter.POSITIONAL_ONLY
        if is_positional or (is_needed and not by_name and parameter.kind is not parameter.KEYWORD_ONLY):
            args += [number] if is_needed else []
        elif is_needed or (by_name and number % 2):
            kwargs[name] = number
    return args, kwargs


@settings(max_examples=5000, deadline=None, database=None)
@given(sources(), st.booleans())
def test_a_wrapper_of_any_shape_hands_arguments_on_by_their_own_names(source: str, by_name: bool) -> None:
    """Each arrives where it belongs, by position or by name, and what is left out is filled; built, or not yet."""
    plain = made(source)
    if "Inject[" not in source:
        with pytest.raises(TypeError, match="nothing to inject"):
            inject(plain)
        return
    app = Container("t")
    app.slot("clock", Clock)
    app.override({"clock": CLOCK})
    args, kwargs = arguments(plain, by_name=by_name)
    expected = {name: CLOCK if value is INJECTED else value for name, value in told(plain, args, kwargs).items()}

    wrapped = inject(plain)

    with using(app):
        assert told(wrapped, args, kwargs) == expected
        assert told(wrapped, args, kwargs) == expected
    assert (
        wrapped.__code__.co_varnames[: wrapped.__code__.co_argcount]
        == plain.__code__.co_varnames[: plain.__code__.co_argcount]
    )


def test_functions_of_one_shape_share_what_is_compiled_and_keep_their_names() -> None:
    """The second costs no compiling, and Python's own errors call its parameters by its names."""
    compiled.cache_clear()

    @inject
    def buy(order: str, clock: Inject[Clock] = INJECTED) -> None: ...

    @inject
    def sell(item: str, watch: Inject[Clock] = INJECTED) -> None: ...

    assert (compiled.cache_info().misses, compiled.cache_info().hits) == (1, 1)
    for function, name in ((buy, "order"), (sell, "item")):
        with pytest.raises(TypeError, match=f"missing 1 required positional argument: '{name}'"):
            function()  # type: ignore[call-arg]  # what is wrong with it is the point
