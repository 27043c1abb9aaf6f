"""Context managers as resources: entered when they are made, left when their scope ends."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Any

from oneiric.containers.closing import Keeping, hold
from oneiric.providers.adapter import ObjectProvider
from oneiric.providers.engine import Provider, Resource
from oneiric.providers.slot import Cell


def is_managed(made: object) -> bool:
    """Tell whether an object may be one that can be entered; a proxy tells of another class than its own."""
    kind = type(made)
    return hasattr(kind, "__enter__") or hasattr(kind, "__aenter__") or made.__class__ is not kind


async def entered(made: Any, target: Any, keeper: Keeping, cell: Cell) -> Any:
    """
    Return what a context manager hands out, and remember to leave it; any other object as it is.

    What a function decorated with `contextmanager` or `asynccontextmanager` returns is one, and so is an object whose
    class was registered itself. An object that merely has `__enter__`, such as a lock that a function returns, is a
    value: its owner did not say that it should be entered.
    """
    if not (_is_decorated(made) or (isinstance(target, type) and not hasattr(target, "open"))):
        return made
    if isinstance(made, AbstractAsyncContextManager):
        value = await made.__aenter__()

        async def leave(error: BaseException | None) -> None:
            await made.__aexit__(*_raised(error))

        await hold(keeper, cell, leave)
        return value
    if isinstance(made, AbstractContextManager):
        value = made.__enter__()

        async def close(error: BaseException | None) -> None:
            made.__exit__(*_raised(error))

        await hold(keeper, cell, close)
        return value
    return made


def _is_decorated(made: object) -> bool:
    """Tell whether an object comes from a function decorated with `contextmanager` or `asynccontextmanager`."""
    return type(made).__module__ == "contextlib" and hasattr(made, "gen")


def _raised(error: BaseException | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


def maker_of(resource: Resource[Any]) -> ObjectProvider:
    """
    Return what makes the object of an engine `Resource` anew each time, as a context manager.

    The engine itself keeps one object for everybody, and closes it only where its own injection says so.
    """
    function: Any = resource.provides  # the stub lets it be None, of a resource that is filled in later

    def make() -> Any:
        args = [_filled(value) for value in resource.args]
        kwargs = {name: _filled(value) for name, value in resource.kwargs.items()}
        if inspect.isasyncgenfunction(function):
            return asynccontextmanager(function)(*args, **kwargs)
        if inspect.isgeneratorfunction(function):
            return contextmanager(function)(*args, **kwargs)
        made = function(*args, **kwargs)
        if inspect.isclass(function) and isinstance(made, AbstractAsyncContextManager):
            return _aopen(made)
        if inspect.isclass(function) and isinstance(made, AbstractContextManager):
            return _open(made)
        return made

    return ObjectProvider(functools.update_wrapper(make, function))


def _filled(value: Any) -> Any:
    return value() if isinstance(value, Provider) else value


@contextmanager
def _open(made: AbstractContextManager[Any]) -> Iterator[Any]:
    with made as value:
        yield value


@asynccontextmanager
async def _aopen(made: AbstractAsyncContextManager[Any]) -> AsyncIterator[Any]:
    async with made as value:
        yield value
