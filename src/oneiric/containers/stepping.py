"""Running a generator step by step, each step inside a block, and what its caller does meanwhile outside of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

Around = Callable[[], AbstractContextManager[Any]]


def steps(make: Callable[[], Generator[Any, Any, Any]], around: Around) -> Generator[Any, Any, Any]:
    """Run the generator that `make` makes; it gets what is sent or thrown in here, and its result is returned."""
    with around():
        inner = make()
    step: Callable[[], Any] = inner.__next__
    while True:
        try:
            with around():
                item = step()
        except StopIteration as done:
            return done.value
        try:
            sent = yield item
        except GeneratorExit:
            with around():
                inner.close()
            raise
        except BaseException as thrown:  # border: the caller's; it is thrown on into the generator
            step = _throwing(inner, thrown)
        else:
            step = _sending(inner, sent)


def _throwing(inner: Generator[Any, Any, Any], thrown: BaseException) -> Callable[[], Any]:
    return lambda: inner.throw(thrown)


def _sending(inner: Generator[Any, Any, Any], sent: Any) -> Callable[[], Any]:
    return lambda: inner.send(sent)


async def asteps(make: Callable[[], Any], around: Around) -> AsyncGenerator[Any, Any]:
    """
    Run the asynchronous generator that `make` makes; as `steps`.

    `make` may return it, or an awaitable of it.
    """
    with around():
        made = make()
        inner: AsyncGenerator[Any, Any] = await made if isinstance(made, Awaitable) else made
    step: Awaitable[Any] = anext(inner)
    while True:
        try:
            with around():
                item = await step
        except StopAsyncIteration:
            return
        try:
            sent = yield item
        except GeneratorExit:
            with around():
                await inner.aclose()
            raise
        except BaseException as thrown:  # border: the caller's; it is thrown on into the generator
            step = inner.athrow(thrown)
        else:
            step = inner.asend(sent)
