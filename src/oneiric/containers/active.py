"""Which application an injected call belongs to: the one of `using`, else the default of the process."""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar, Token
from typing import Any, Protocol, TypeVar

from oneiric.containers.stepping import asteps, steps
from oneiric.providers.slot import switch

NAMES_SHOWN = 5  # of the applications that a message names


class View(Protocol):
    """An application, or a part of one, that injected calls can belong to."""

    @property
    def name(self) -> str:
        """Its name, for messages."""


class Bound(Protocol):
    """A call site that remembers cells of the default application."""

    store: Any  # keeps the cells that it shall read
    store_way: Any  # keeps the quick way in

    def forget(self) -> None:
        """Drop what it remembers: the next call looks again."""


class _Use:
    """
    One `using`: counted from its beginning until the last context that copied it is gone.

    A task that was created inside outlives the block and still belongs to the application. When it goes decides only
    how soon calls are fast again; which application a call belongs to is decided by the context alone.

    Attributes:
        view: Whose calls they are.
        is_asked: A person said so, by `using`; else a framework did, and another framework inside says otherwise.
        below: What counted before it in this context, and counts again when it is over.
        is_over: It has ended, in every context that copied it.
    """

    __slots__ = ("below", "is_asked", "is_over", "view")

    def __init__(self, view: Any, *, is_asked: bool, below: _Use | None = None) -> None:
        self.view, self.is_asked, self.below = view, is_asked, below
        self.is_over = False
        with _lock:
            switch.contextual += 1

    def __del__(self) -> None:
        with _lock:
            switch.contextual -= 1


ViewT = TypeVar("ViewT", bound=View)

_lock = threading.RLock()
_active: ContextVar[_Use | None] = ContextVar("oneiric_active", default=None)
in_use = _active.get  # what `active` looks at first; calls that cannot spare the time do so themselves
_sites: weakref.WeakSet[Any] = weakref.WeakSet()
_living: weakref.WeakSet[Any] = weakref.WeakSet()


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
    token = _active.set(_Use(_inside(view), is_asked=True))
    try:
        yield view
    finally:
        _active.reset(token)


def _inside(view: Any) -> Any:
    """Return the local view of an application that is in force here already; else the application itself."""
    here = active()
    return here if getattr(here, "whole", None) is getattr(view, "wiring", view) else view


def enter(view: Any) -> Token[_Use | None]:
    """Let injected calls in this context belong to a view from here on; `leave` ends it."""
    use = _active.get()
    return _active.set(_Use(view, is_asked=use is not None and use.is_asked))


def begin(view: Any) -> _Use:
    """As `enter`, until `end`: several may end in any order, and each takes away only itself."""
    below = _active.get()
    use = _Use(view, is_asked=below is not None and below.is_asked, below=below)
    _active.set(use)
    return use


def end(use: _Use) -> None:
    """End what `begin` began, in this context and in all that copied it."""
    use.is_over = True
    last = _active.get()
    counts = _counting(last)
    if counts is not last:
        _active.set(counts)


def _counting(use: _Use | None) -> _Use | None:
    """Return the latest one that is not over."""
    while use is not None and use.is_over:
        use = use.below
    return use


def leave(token: Token[_Use | None]) -> bool:
    """End what `enter` began; False where it was begun in another context, in which nothing is left to end."""
    try:
        _active.reset(token)
    except ValueError:
        return False
    return True


@contextmanager
def serving(view: Any) -> Iterator[None]:
    """As `using`, by the framework that serves a call: where a person already said which application, it stays."""
    use = _active.get()
    if use is not None and use.is_asked:
        yield
        return
    token = _active.set(_Use(_inside(view), is_asked=False))
    try:
        yield
    finally:
        leave(token)


def belonging(function: Callable[..., Any], view: View) -> Callable[..., Any]:
    """Return a function of the same kind that calls `function` for one application, whatever is active."""
    if inspect.isgeneratorfunction(function):

        def call_generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            return (yield from steps(lambda: function(*args, **kwargs), lambda: using(view)))

        return call_generator
    if inspect.isasyncgenfunction(function):

        async def call_async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            async with aclosing(asteps(lambda: function(*args, **kwargs), lambda: using(view))) as inner:
                async for item in inner:
                    yield item

        return call_async_generator
    if inspect.iscoroutinefunction(function):

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            with using(view):
                return await function(*args, **kwargs)

        return call_async

    def call(*args: Any, **kwargs: Any) -> Any:
        with using(view):
            return function(*args, **kwargs)

    return call


class within:
    """As `using`, for the time of a build; where calls belong there anyway, nothing has to change."""

    __slots__ = ("_token", "_wiring")

    def __init__(self, wiring: object) -> None:
        self._wiring = wiring
        self._token: Token[_Use | None] | None = None

    def __enter__(self) -> None:
        view = active()
        if view is not self._wiring and getattr(view, "wiring", None) is not self._wiring:
            self._token = enter(self._wiring)  # the very one that builds: not what one context sees

    def __exit__(self, *raised: object) -> None:
        if self._token is not None:
            leave(self._token)


def active() -> Any:
    """Return the application of this context, else the default, else None."""
    use = _active.get()
    if use is not None and use.is_over:
        use = _counting(use)
    return _default.current() if use is None else use.view


def default() -> Any:
    """Return the default application of the process, or None."""
    return _default.current()


def remember(site: Bound, wiring: Any, cells: tuple[Any, ...]) -> None:
    """Let a call site keep its cells, if they are those of the default application."""
    with _lock:  # so that a change of the default comes before, or after and makes the site forget
        view = _default.current()
        if view is not None and view.wiring is wiring:
            site.store(cells, wiring.lease)


def remember_way(site: Bound, wiring: object, enter: Callable[[tuple[Any, ...]], Any]) -> None:
    """Let a call site keep its quick way in, if it is that of the default application."""
    with _lock:
        view = _default.current()
        if view is not None and view.wiring is wiring:
            site.store_way(enter)


def searched() -> str:
    """Say where an application was looked for, for a message."""
    return f"explicit: -   using(): -   framework: -   default: {_default.why_not()}"


def made(view: View) -> None:
    """Count an application that was constructed."""
    with _lock:
        _default.made += 1
        _living.add(view)
        if len(_default.names) < NAMES_SHOWN:
            _default.names.append(view.name)
        _default.only = view if _default.made == 1 else None
        forget_all()


def living() -> list[Any]:
    """Return every application of the process that is still alive, in no order."""
    with _lock:
        return list(_living)


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


@contextmanager
def as_default(view: View) -> Iterator[None]:
    """Let an application be the default of the process inside the block; afterwards it is decided as before."""
    before = _default.asked
    make_default(view)
    try:
        yield
    finally:
        make_default(before)


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
