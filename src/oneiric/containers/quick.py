"""
The quick way through an outermost call: it opens a scope, makes its resources in place, and ends them in place.

Nobody else can see a scope that a call has just opened, so there is nobody to wait with. What is not plain enough for
this, `SiteEntry` does; the recipes of a call site alone tell which of the two it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Token
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from oneiric.containers.closing import report
from oneiric.containers.ending import YIELDS_TWICE, is_same
from oneiric.containers.needs import Way
from oneiric.containers.protected import Protected
from oneiric.containers.recipes import Part, Recipe
from oneiric.containers.scopes import Scope, SiteEntry, innermost_scope, restore
from oneiric.core.errors import BuildFailed, OneiricError
from oneiric.core.markers import INJECTED
from oneiric.providers.slot import Slot


class QuickWay:
    """
    How one call site is entered quickly.

    Args:
        root: What scopes belong to.
        parts: What fills each parameter.
        site: How messages call the function.
        slow: Returns the other way in, where a scope is open already.
        build: Builds the object of a slot of the application; to be awaited where the function is a coroutine.
        entry: What one call is: makes it of the way and of what the caller gave.
    """

    __slots__ = ("build", "entry", "parts", "root", "site", "slow", "steps")

    def __init__(
        self,
        root: object,
        parts: Sequence[Part],
        site: str,
        *,
        slow: Callable[[tuple[Any, ...]], SiteEntry],
        build: Callable[[Slot[Any], Way | None], Any],
        entry: Callable[[QuickWay, tuple[Any, ...]], Any],
    ) -> None:
        self.root, self.parts, self.site, self.slow, self.build, self.entry = root, parts, site, slow, build, entry
        self.steps = tuple((position, part, _usual(part)) for position, part in enumerate(parts))

    def enter(self, given: tuple[Any, ...]) -> Any:
        """Return the entry of one call; `given` holds what the caller passed, INJECTED where it passed nothing."""
        return self.entry(self, given) if innermost_scope.get() is None else self.slow(given)


def _usual(part: Part) -> tuple[Slot[Any], Callable[[], Any]] | None:
    """Return the slot and the function of an asynchronous generator that needs nothing; None for all other parts."""
    if isinstance(part, Recipe) and part.kind == "asyncgen" and not part.inputs:
        return part.slot, part.target
    return None


def named(part: Part, error: BaseException, site: str) -> BaseException:
    """Return what a constructor of the application's own raised under the name of its slot."""
    if not isinstance(part, Recipe) or not isinstance(error, Exception) or isinstance(error, OneiricError):
        return error
    path = Way(Way(None, site), f"slot {part.slot.name}").nodes()
    return BuildFailed(part.slot.name, part.provider, error, path=path)


class QuickEntry(Scope):
    """One asynchronous injected call, and the scope that it opens."""

    __slots__ = ("_given", "_token", "_way")
    _token: Token[Scope | None]

    def __init__(self, way: QuickWay, given: tuple[Any, ...]) -> None:
        super().__init__("request", way.root)
        self._way, self._given = way, given

    async def __aenter__(self) -> Sequence[Any]:
        self._token = innermost_scope.set(self)
        values = [*self._given]
        made = self.values
        try:
            for position, part, usual in self._way.steps:
                if values[position] is not INJECTED:
                    continue
                if usual is None or usual[0] in made:
                    values[position] = await self._fill(part)
                else:  # without a coroutine of its own
                    slot, start = usual
                    generator = start()
                    values[position] = made[slot] = await generator.__anext__()
                    self.generators.append((slot, generator))
        except BaseException as error:
            failure = named(part, error, self._way.site)
            await self.__aexit__(type(failure), failure, None)
            if failure is error:
                raise
            raise failure from error
        return values

    async def _fill(self, part: Part) -> Any:
        """Return what fills one parameter, of the function or of a resource."""
        if part is None:
            return None
        if isinstance(part, Recipe):
            return await self._make(part)
        return part.live if part.is_built else await self._way.build(part.slot, Way(None, self._way.site))

    async def _make(self, recipe: Recipe) -> Any:
        """Make one resource, and put it where the rest of the scope finds it."""
        slot = recipe.slot
        if slot in self.values:
            return self.values[slot]
        given = {name: await self._fill(part) for name, part in recipe.inputs}
        try:
            made = recipe.target(**given)
            if recipe.kind == "asyncgen":
                value = await made.__anext__()
            elif recipe.kind == "generator":
                value = next(made)
            else:
                value = made
        except BaseException as error:
            failure = named(recipe, error, self._way.site)
            if failure is error:
                raise
            raise failure from error
        if recipe.kind != "class":
            self.generators.append((slot, made))
        self.values[slot] = value
        return value

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        restore(self._token)
        self.is_closed = True
        try:
            if self._closers:  # something else was built in it as well
                await self.aclose(error)
                return
            generators = self.generators
            while generators:
                generator = generators.pop()[1]
                if type(generator) is not AsyncGeneratorType:
                    await _end([generator, *_last_first(generators)], error)
                    return
                try:
                    step = generator.__anext__() if error is None else generator.athrow(error)
                    waits_for = step.send(None)
                except StopAsyncIteration:
                    continue
                except BaseException as raised:  # border: closing goes on, with more care
                    if raised is not error:
                        await _end(_last_first(generators), error, raised=raised)
                        return
                else:
                    await _end(_last_first(generators), error, begun=Protected(step, waits_for))
                    return
        finally:
            self.release()


def _last_first(generators: Sequence[tuple[Slot[Any], Any]]) -> list[Any]:
    """Return the generators of a scope in the order in which they end."""
    return [generator for _, generator in reversed(generators)]


class _Outcome:
    """What came of ending generators."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        self.failures: list[Exception] = []
        self.cancelled: asyncio.CancelledError | None = None

    def note(self, raised: BaseException) -> None:
        """Note what a generator raised when it was ended."""
        if isinstance(raised, StopIteration):
            self.failures.append(RuntimeError(YIELDS_TWICE))  # its step had a value
        elif isinstance(raised, asyncio.CancelledError) and raised is not self.error:
            self.cancelled = raised
        elif isinstance(raised, Exception) and not is_same(raised, self.error):
            self.failures.append(raised)


async def _end(
    generators: Sequence[Any],
    error: BaseException | None,
    *,
    raised: BaseException | None = None,
    begun: Protected | None = None,
) -> None:
    """
    End generators, whatever others do; a cancellation that comes meanwhile waits until all are ended.

    Args:
        generators: What is to be ended, in that order.
        error: What ended the body.
        raised: What an earlier one raised.
        begun: The rest of a step of an earlier one.

    Raises:
        ExceptionGroup: Some failed; the exception of the body comes first.
    """
    outcome = _Outcome(error)
    if raised is not None:
        outcome.note(raised)
    for one in [*([begun] if begun is not None else []), *generators]:
        rest = one if isinstance(one, Protected) else None
        try:
            if isinstance(one, AsyncGeneratorType):
                step = one.__anext__() if error is None else one.athrow(error)
                rest = Protected(step, step.send(None))
            if rest is not None:
                await rest
            elif error is None:
                next(one)
            else:
                one.throw(error)
            outcome.note(StopIteration())
        except StopAsyncIteration:
            pass
        except StopIteration as done:
            if not isinstance(one, GeneratorType):
                outcome.note(done)
        except BaseException as failed:  # border: closing goes on; all failures are reported together
            outcome.note(failed)
        if rest is not None and rest.cancelled is not None:
            outcome.cancelled = rest.cancelled
    report(outcome.failures, error or outcome.cancelled)
    if outcome.cancelled is not None:
        raise outcome.cancelled
