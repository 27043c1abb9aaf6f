"""Which application an injected call belongs to: the one of `using`, else the default of the process."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar


class View(Protocol):
    """An application, or a part of one, that injected calls can belong to."""

    @property
    def name(self) -> str:
        """Its name, for messages."""

    @property
    def sites(self) -> Mapping[Any, tuple[Any, ...]]:
        """The cells that call sites read in it, by the key of the site; those it was asked for before."""


class Bound(Protocol):
    """A call site that remembers cells of the default application."""

    def forget(self) -> None:
        """Drop what it remembers: the next call looks again."""


class Switch:
    """
    `contextual` counts the `using` blocks in force anywhere in the process.

    Only while it is above zero does an injected call read the context variable.
    """

    __slots__ = ("contextual",)

    def __init__(self) -> None:
        self.contextual = 0


ViewT = TypeVar("ViewT", bound=View)

switch = Switch()
_lock = threading.RLock()
_active: ContextVar[Any] = ContextVar("oneiric_active", default=None)
_sites: weakref.WeakSet[Any] = weakref.WeakSet()


class _Default:
    """
    The default of the process: one that was asked for, else the only started one, else the only one ever made.

    It never depends on the garbage collector: how many were made is counted, and the only one is kept alive.
    """

    def __init__(self) -> None:
        self.made = 0
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
        return "no application" if self.made == 0 else f"{self.made} applications, none started and none chosen"


_default = _Default()


@contextmanager
def using(view: ViewT) -> Iterator[ViewT]:
    """
    Let injected calls in this context belong to one application: here, in what is awaited, and in tasks created inside.

    Threads started by hand do not see it; `asyncio.to_thread` does.
    """
    with _lock:
        switch.contextual += 1
    token = _active.set(view)
    try:
        yield view
    finally:
        _active.reset(token)
        with _lock:
            switch.contextual -= 1


def active() -> Any:
    """Return the application of this context, else the default, else None."""
    return _active.get() or _default.current()


def default() -> Any:
    """Return the default application of the process, or None."""
    return _default.current()


def searched() -> str:
    """Say where an application was looked for, for a message."""
    return f"using(): -   default: {_default.why_not()}"


def made(view: View) -> None:
    """Count an application that was constructed."""
    with _lock:
        _default.made += 1
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
