"""The quick way through an outermost synchronous call: as that of `quick.py`, with nothing to wait for."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Token
from typing import Any

from oneiric.containers.closing import report
from oneiric.containers.ending import YIELDS_TWICE
from oneiric.containers.needs import Way
from oneiric.containers.quick import QuickWay, named
from oneiric.containers.recipes import Part, Recipe
from oneiric.containers.scopes import Scope, innermost_scope, restore
from oneiric.core.markers import INJECTED


class QuickCall(Scope):
    """One synchronous injected call, and the scope that it opens."""

    __slots__ = ("_given", "_token", "_way")
    _token: Token[Scope | None]

    def __init__(self, way: QuickWay, given: tuple[Any, ...]) -> None:
        super().__init__("request", way.root)
        self._way, self._given = way, given

    def __enter__(self) -> Sequence[Any]:
        self._token = innermost_scope.set(self)
        parts = zip(self._way.parts, self._given, strict=True)
        try:
            return [self._fill(part) if value is INJECTED else value for part, value in parts]
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def _fill(self, part: Part) -> Any:
        """Return what fills one parameter, of the function or of a resource."""
        if part is None:
            return None
        if isinstance(part, Recipe):
            return self._make(part)
        return part.live if part.is_built else self._way.build(part.slot, Way(None, self._way.site))

    def _make(self, recipe: Recipe) -> Any:
        """Make one resource, and put it where the rest of the scope finds it."""
        slot = recipe.slot
        if slot in self.values:
            return self.values[slot]
        given = {name: self._fill(part) for name, part in recipe.inputs}
        try:
            made = recipe.target(**given)
            value = next(made) if recipe.kind == "generator" else made
        except BaseException as error:
            failure = named(recipe, error, self._way.site)
            if failure is error:
                raise
            raise failure from error
        if recipe.kind == "generator":
            self.generators.append((slot, made))
        self.values[slot] = value
        return value

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        restore(self._token)
        if error is not None or self._closers:  # resources get the error, or something else was built in it as well
            self.close(error)
            return
        self.is_closed = True
        failures: list[Exception] = []
        while self.generators:
            try:
                if next(self.generators.pop()[1], self) is not self:
                    failures.append(RuntimeError(YIELDS_TWICE))
            except Exception as failure:  # border: closing goes on; all failures are reported together
                failures.append(failure)
        self.release()
        report(failures, None)
