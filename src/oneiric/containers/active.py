"""Which application an injected call belongs to: the one of `using`, else the default of the process."""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

NAMES_SHOWN = 5  # of the applications that a message names


class View(Protocol):
    """An application, or a part of one, that injected calls can belong to."""

    @property
    def name(self) -> str:
        """Its name, for messages."""


class Bound(Protocol):
    """A call site that remembers cells of the default application."""

    store: Any  # keeps the cells that it shall read

    def forget(self) -> None:
        """Drop what it remembers: the next call looks again."""


class Switch:
    """
    `contextual` counts the `using` blocks that some context of the process remembers.

    Only while it is above zero does an injected call read the context variable.
    """

    __slots__ = ("contextual",)

    def __init__(self) -> None:
        self.contextual = 0


class _Use:
    """
    One `using`: counted from its beginning until the last context that copied it is gone.

    A task that was created inside outlives the block and still belongs to the application. When it goes decides only
    how soon calls are fast again; which application a call belongs to is decided by the context alone.
    """

    __slots__ = ("view",)

    def __init__(self, view: Any) -> None:
        self.view = view
        with _lock:
            switch.contextual += 1

    def __del__(self) -> None:
        with _lock:
            switch.contextual -= 1


ViewT = TypeVar("ViewT", bound=View)

switch = Switch()
_lock = threading.RLock()
_active: ContextVar[_Use | None] = ContextVar("oneiric_active", default=None)
_sites: weakref.WeakSet[Any] = weakref.WeakSet()


class _Default:
    """
    The default of the process: one that was asked for, else the only started one, else the only one ever made.

    It never depends on the garbage collector: how many were made is counted, and the only one is kept alive.
    """

    def __init__(self) -> None:
        self.made = 0
        self.names: list[str] = []
        self.only: Any = None
        self.started: list[Any] = []
        self.asked: Any = None

    def current(self) -> Any:
        """Return the default application, or None where nothing decides."""
        if self.asked is not None:
            return self.asked
        if self.started:
            return self.started[0] if len(self.started) == 1 else None
        return self.only if self.made == 1 else None

    def why_not(self) -> str:
        """Say why there is no default."""
        if self.started:
            return f"{len(self.started)} started applications, none chosen ({', '.join(v.name for v in self.started)})"
        if self.made == 0:
            return "no application"
        more = ", ..." if self.made > len(self.names) else ""
        return f"{self.made} applications, none started and none chosen ({', '.join(self.names)}{more})"


_default = _Default()


@contextmanager
def using(view: ViewT) -> Iterator[ViewT]:
    """
    Let injected calls in this context belong to one application: here, in what is awaited, and in tasks created inside.

    Threads started by hand do not see it; `asyncio.to_thread` does.
    """
    token = _active.set(_Use(view))
    try:
        yield view
    finally:
        _active.reset(token)


def belonging(function: Callable[..., Any], view: View) -> Callable[..., Any]:
    """Return a function of the same kind that calls `function` for one application, whatever is active."""
    if inspect.iscoroutinefunction(function):

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            with using(view):
                return await function(*args, **kwargs)

        return call_async

    def call(*args: Any, **kwargs: Any) -> Any:
        with using(view):
            return function(*args, **kwargs)

    return call


@contextmanager
def within(wiring: object) -> Iterator[None]:
    """As `using`, for the time of a build; where calls belong there anyway, nothing has to change."""
    view = active()
    if view is wiring or getattr(view, "wiring", None) is wiring:
        yield
        return
    with using(wiring):  # type: ignore[type-var]  # a wiring is a view; this module knows none of its type
        yield


def active() -> Any:
    """Return the application of this context, else the default, else None."""
    use = _active.get()
    return _default.current() if use is None else use.view


def default() -> Any:
    """Return the default application of the process, or None."""
    return _default.current()


def remember(site: Bound, wiring: object, cells: tuple[Any, ...]) -> None:
    """Let a call site keep its cells, if they are those of the default application."""
    with _lock:  # so that a change of the default comes before, or after and makes the site forget
        view = _default.current()
        if view is not None and view.wiring is wiring:
            site.store(cells)


def searched() -> str:
    """Say where an application was looked for, for a message."""
    return f"using(): -   default: {_default.why_not()}"


def made(view: View) -> None:
    """Count an application that was constructed."""
    with _lock:
        _default.made += 1
        if len(_default.names) < NAMES_SHOWN:
            _default.names.append(view.name)
        _default.only = view if _default.made == 1 else None
        forget_all()


def started(view: View) -> None:
    """Note that an application started."""
    with _lock:
        _default.started.append(view)
        forget_all()


def stopped(view: View) -> None:
    """Note that an application stopped."""
    with _lock:
        _default.started = [other for other in _default.started if other is not view]
        forget_all()


def make_default(view: View | None) -> None:
    """Decide the default application of the process; None leaves it to the rules again."""
    with _lock:
        _default.asked = view
        forget_all()


def watch(site: Bound) -> None:
    """Remember a call site, weakly, so that it can be told to forget."""
    with _lock:
        _sites.add(site)


def sites() -> list[Any]:
    """Return every call site of the process that is still alive."""
    with _lock:
        return list(_sites)


def forget_all() -> None:
    """Tell every call site to look again."""
    for site in sites():
        site.forget()
