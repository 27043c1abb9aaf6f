"""Local overrides: what one context, and the tasks it creates, see instead of what everybody else sees."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from oneiric.containers import active, scopes
from oneiric.containers.closing import Held, close_now, hold, report, run_closers, running_loop
from oneiric.containers.wiring import Wiring
from oneiric.core.errors import OneiricError, ScopeClosed
from oneiric.providers.adapter import Closer
from oneiric.providers.slot import Binding, Cell, Slot

F = TypeVar("F", bound=Callable[..., Any])
Given = Mapping[Slot[Any], Binding]


class LocalView(Wiring):
    """
    An application as one context sees it: some slots are filled otherwise, and what is built from these is its own.

    Everything else is that of the view below it, and at last of the application: the same objects. What is built here
    is closed at the end of the override.

    Args:
        under: What is seen through it: the wiring of the application, or the view of an override that came before.
        given: What fills which slots instead.
    """

    def __init__(self, under: Wiring, given: Given) -> None:
        super().__init__(under.name, under.stack)
        self.under = under
        self.whole: Wiring = under.whole if isinstance(under, LocalView) else under
        self.fetch, self.fetch_now, self.due = under.fetch, under.fetch_now, under.due
        self.kept: list[Held] = []
        self.is_ended = False
        self._given = given
        self._cells: dict[Slot[Any], Cell] = {}
        self._own: dict[Slot[Any], bool] = {}
        self._lock = threading.RLock()
        self.whole.views.add(self)

    @property
    def root(self) -> Wiring:
        """The wiring that scopes belong to: those of the application."""
        return self.whole

    def winner(self, slot: Slot[Any]) -> Binding:
        """Return the binding that fills a slot here."""
        return self._given.get(slot) or self.under.winner(slot)

    def is_own(self, slot: Slot[Any]) -> bool:
        """Tell whether a slot is filled otherwise here, or its object is built from one that is."""
        with self._lock:
            if slot not in self._own:
                self._own[slot] = any(found in self._given for found in self._below(slot))
            return self._own[slot]

    def _below(self, slot: Slot[Any]) -> Iterator[Slot[Any]]:
        """Yield a slot and all that its object is built from; without recursion, since chains may be long."""
        work, seen = [slot], {slot}
        while work:
            holder = work.pop()
            yield holder
            if holder in self._given or holder.kind not in {"adapter", "object"}:
                continue
            try:
                found = [one for need in self.asks(holder).values() for one in self.answer(need).inputs]
            except OneiricError:
                continue  # the build says what is wrong
            work += [one for one in found if one not in seen]
            seen.update(found)

    def cell_of(self, slot: Slot[Any]) -> Cell:
        """Return the cell that holds the object of an app-scoped slot here."""
        if not self.is_own(slot):
            return self.under.cell_of(slot)
        with self._lock:
            return self._cells.setdefault(slot, Cell(slot))

    def builder_of(self, slot: Slot[Any]) -> Any:
        """Return who builds the object of a slot: this view only what is its own."""
        return self._builder if self.is_own(slot) else self.under.builder_of(slot)

    def keeper_of(self, slot: Slot[Any]) -> Any:
        """Return where a slot's object lives: the application, this view, or the scope that is open."""
        if not self.is_own(slot):
            return self.under.keeper_of(slot)
        return self if slot.scope == "app" else scopes.Seen(scopes.required(self.root, slot), self)

    def look_up(self, slot: Slot[Any]) -> Any:
        """Return the object of a slot as it is seen here."""
        return self.build(slot)

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

    async def open(self, cell: Cell, built: Any) -> None:
        """Open what was built here, and remember to close it."""
        await built.open()

        async def close(error: BaseException | None) -> None:
            if hasattr(built, "close"):
                await built.close()

        await hold(self, cell, close)

    def finished(self, cell: Cell, inputs: tuple[Cell, ...], built: Any) -> None:
        """Put a built object into its cell; one whose inputs were replaced meanwhile is not shown again."""
        with self._lock:
            cell.inputs, cell.live = inputs, built
            if not self._is_fresh(cell):
                self._cells.pop(cell.slot, None)

    def _is_fresh(self, cell: Cell) -> bool:
        return all(self.cell_of(one.slot) is one for one in cell.inputs if one.slot.scope == "app")

    def forget(self) -> None:
        """Look again: the application changed, and so may what was built from its objects."""
        with self._lock:
            self._own.clear()
            cells, self._cells = self._cells, {}
            for slot in self._given:
                if slot in cells and self._is_fresh(cells[slot]):
                    self._cells[slot] = cells[slot]
        super().forget()

    def end(self) -> list[Held]:
        """End the view, and let those above it see what is below; returns what is to be closed, in that order."""
        with self._lock:
            self.is_ended = True
            held, self.kept = self.kept[::-1], []
        others = [one for one in list(self.whole.views) if isinstance(one, LocalView) and one.sees(self)]
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
            report(await run_closers(held, None), None)

    def __call__(self, function: F) -> F:
        """Decorate a function: the override is in force during each call, and at no other time."""
        self.undo()
        again = functools.partial(LocalOverride, self._whole, self.given, self._values)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                async with again():
                    return await function(*args, **kwargs)

            return run_async  # type: ignore[return-value]  # same call

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with again():
                return function(*args, **kwargs)

        return run  # type: ignore[return-value]  # same call
