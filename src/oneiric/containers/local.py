"""Local overrides: what one context, and the tasks it creates, see instead of what everybody else sees."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from oneiric.containers import active, scopes
from oneiric.containers.closing import Held, close_now, open_held, report, run_closers, running_loop
from oneiric.containers.layers import during_calls
from oneiric.containers.view import View
from oneiric.containers.wiring import Wiring
from oneiric.core.errors import ScopeClosed
from oneiric.providers.adapter import Closer
from oneiric.providers.slot import Binding, Cell, Slot

F = TypeVar("F", bound=Callable[..., Any])
Given = Mapping[Slot[Any], Binding]


class LocalView(View):
    """
    An application as one context sees it: some slots are filled otherwise, and what is built from these is its own.

    Everything else is that of the view below it, and at last of the application: the same objects. What is built here
    is closed at the end of the override.

    Args:
        under: What is seen through it: the wiring of the application, or the view of an override that came before.
        given: What fills which slots instead.
    """

    def __init__(self, under: Wiring, given: Given) -> None:
        super().__init__(under.name, under)
        self.whole: Wiring = under.whole if isinstance(under, LocalView) else under
        self.kept: list[Held] = []
        self.is_ended = False
        self._given = given
        self.whole.show(self)

    @property
    def root(self) -> Wiring:
        """The wiring that scopes belong to: those of the application."""
        return self.whole

    def winner(self, slot: Slot[Any]) -> Binding:
        """Return the binding that fills a slot here."""
        return self._given.get(slot) or self.under.winner(slot)

    def fills(self, slot: Slot[Any]) -> bool:
        """Tell whether the override binds a slot."""
        return slot in self._given

    def keeper_of(self, slot: Slot[Any]) -> Any:
        """Return where a slot's object lives: the application, this view, or the scope that is open."""
        if not self.is_own(slot):
            return self.under.keeper_of(slot)
        return self if slot.scope == "app" else scopes.Seen(scopes.required(self.root, slot), self)

    def enter(self, site: Any, given: tuple[Any, ...]) -> scopes.SiteEntry:
        """Return the slow path of one injected call."""
        self.bind(site)
        return scopes.SiteEntry(self, site, given)

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Remember how to close what was built here. Raises ScopeClosed if the override has ended."""
        with self._lock:
            if self.is_ended:
                raise ScopeClosed(cell.slot.name, "local override")
            self.kept.append(Held(cell, closer, running_loop()))

    async def open(self, cell: Cell, built: Any, settings: Any = None) -> None:
        """Open what was built here, and remember to close it."""
        await open_held(self, cell, built)

    def forget(self) -> None:
        """Look again: the application changed, and so may what was built from its objects."""
        with self._lock:
            self._own.clear()
            cells, self._cells = self._cells, {}
            for slot in self._given:
                if slot in cells and self.is_fresh(cells[slot]):
                    self._cells[slot] = cells[slot]
        super().forget()

    def end(self) -> list[Held]:
        """End the view, and let those above it see what is below; returns what is to be closed, in that order."""
        with self._lock:
            self.is_ended = True
            held, self.kept = self.kept[::-1], []
        others = [one for one in self.whole.views if isinstance(one, LocalView) and one.sees(self)]
        for one in others:
            if one.under is self:
                one.under = self.under
        for one in others:
            one.forget()
        return held

    def sees(self, other: Wiring) -> bool:
        """Tell whether another view is somewhere below this one."""
        under = self.under
        while under is not other and isinstance(under, LocalView):
            under = under.under
        return under is other


class LocalOverride:
    """
    The handle of a local override, which is in force from the start, in this context and in what copies it.

    It ends by `undo()` or by leaving a `with` or `async with` block; as a decorator it is in force during each call.
    Several may end in any order; each takes away only itself.
    """

    def __init__(self, whole: Wiring, given: Given, values: Any) -> None:
        self.given = given
        self._whole = whole
        self._values = values
        self._use: Any = None  # what `active.begin` returned; None where it has ended
        self._enter()

    def _enter(self) -> None:
        here = active.active()
        under = here if isinstance(here, LocalView) and here.whole is self._whole else self._whole
        self._view = LocalView(under, self.given)
        self._use = active.begin(self._view)

    def _leave(self) -> list[Held]:
        """End it; returns what was built under it and is to be closed."""
        use, self._use = self._use, None
        if use is None:
            return []
        active.end(use)
        return self._view.end()

    @property
    def is_open(self) -> bool:
        """Whether it is in force."""
        return self._use is not None

    def undo(self) -> None:
        """Take the override away, and close what was built under it; a second call does nothing."""
        failures: list[Exception] = []
        for held in self._leave():
            try:
                close_now(held, None)
            except Exception as failure:  # border: closing goes on; all failures are reported together
                failures.append(failure)
        report(failures, None)

    def __enter__(self) -> Any:
        return self._values

    def __exit__(self, *exc: object) -> None:
        self.undo()

    async def __aenter__(self) -> Any:
        return self._values

    async def __aexit__(self, *exc: object) -> None:
        if held := self._leave():
            report(await run_closers(held, None), None)  # in this very task and context, in which it was built

    def __call__(self, function: F) -> F:
        """Decorate a function: the override is in force during each call, and at no other time."""
        self.undo()
        return during_calls(function, functools.partial(LocalOverride, self._whole, self.given, self._values))
