"""Ending a generator that made a resource: it goes on after its yield, or gets the exception that ended the body."""

from __future__ import annotations

from typing import Any

from oneiric.providers.adapter import Closer

YIELDS_TWICE = "a provider's generator yields twice; it has one yield"


def ends(gen: Any) -> Closer:
    """Return what ends a generator: it goes on after its yield, or gets the exception thrown in there."""

    async def close(error: BaseException | None) -> None:
        try:
            if error is None:
                next(gen)
            else:
                gen.throw(error)
        except StopIteration:
            return
        except BaseException as raised:  # border: the generator's own; only what was thrown in ends here
            if not is_same(raised, error):
                raise
        else:
            raise RuntimeError(YIELDS_TWICE)

    return close


def ending(generator: Any) -> Closer:
    """Return what ends a generator of either kind."""
    return aends(generator) if hasattr(generator, "__anext__") else ends(generator)


def is_same(raised: BaseException, error: BaseException | None) -> bool:
    """Tell whether a generator lets through what was thrown in; a StopIteration arrives wrapped (PEP 479)."""
    return raised is error or (isinstance(error, (StopIteration, StopAsyncIteration)) and raised.__cause__ is error)


def aends(agen: Any) -> Closer:
    """Return what ends an asynchronous generator: it goes on, or gets the exception thrown in at its yield."""

    async def close(error: BaseException | None) -> None:
        try:
            if error is None:
                await anext(agen)
            else:
                await agen.athrow(error)
        except StopAsyncIteration:
            return
        except BaseException as raised:  # border: the generator's own; only what was thrown in ends here
            if not is_same(raised, error):
                raise
        else:
            raise RuntimeError(YIELDS_TWICE)

    return close
