"""
What makes the object of a slot: an application's own function or class, or an adapter of the catalog.

Nothing is imported and nothing is built before the first use.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from oneiric.core.errors import AppNotImportable
from oneiric.core.importing import load
from oneiric.providers.engine import Provider
from oneiric.providers.slot import Cell, described

Closer = Callable[[BaseException | None], Awaitable[None]]


class Opener(Protocol):
    """Opens what was built for the life of an application, and closes it; floor 4 has the real one."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop the open objects belong to; None before the first was opened."""

    async def open(self, cell: Cell, built: Any, settings: Any = None) -> None:
        """Open an object within the time limit of its settings, and remember to close it."""

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Remember how to close what needs no opening, such as a generator that stands at its yield."""

    def discard(self, cells: Sequence[Cell]) -> None:
        """Close what was built for these cells: nobody will read them again."""


class ObjectProvider(Provider):  # type: ignore[type-arg]  # the engine's stub is generic, its class is not at run time
    """
    Makes an application's own object.

    Args:
        target: The class or function that makes it; an injected function stands for the one it wraps.
    """

    __slots__ = ("_target",)

    def __init__(self, target: Callable[..., Any] | None) -> None:
        super().__init__()
        self._target = target

    @property
    def target(self) -> Callable[..., Any]:
        """The class or function."""
        assert self._target is not None
        return self._target

    @property
    def opens(self) -> bool:
        """Whether the object has a life of its own: a class with `open`."""
        target = self.target
        return isinstance(target, type) and hasattr(target, "open")

    @property
    def needs_loop(self) -> bool:
        """Whether only an event loop can make it: it is opened, or an asynchronous function makes it."""
        raw = getattr(self.target, "__injected__", self.target)
        return self.opens or inspect.iscoroutinefunction(raw) or inspect.isasyncgenfunction(raw)

    @property
    def settings_class(self) -> Any:
        """The class of its settings; None where it has none."""
        target = self.target
        return getattr(target, "Settings", None) if isinstance(target, type) else None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make one object from what is given; nothing is injected here."""
        return self.target(*args, **kwargs)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> ObjectProvider:
        return self

    def __str__(self) -> str:
        return f"<provider of {described(self._target)}>"

    __repr__ = __str__


class AdapterProvider(ObjectProvider):
    """
    Makes one adapter from its class path, which is imported on first use and never before.

    Args:
        path: `module:Class`.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        super().__init__(None)
        self.path = path

    @property
    def target(self) -> Callable[..., Any]:
        """The adapter's class, imported now if it was not yet. Raises AppNotImportable if its row names none."""
        if self._target is None:
            try:
                self._target = load(self.path)
            except AppNotImportable as error:
                fixes = ("correct the path in the adapter's row of the catalog", "choose another adapter")
                raise AppNotImportable(self.path, error.why, fixes=fixes) from error
        assert self._target is not None
        return self._target

    def __str__(self) -> str:
        return f"<adapter {self.path}>"

    __repr__ = __str__


class SettingsProvider(ObjectProvider):
    """
    Hands on the validated settings of a section of the configuration.

    Args:
        model: The settings model.
        section: What its keys stand below.
    """

    __slots__ = ("model", "section")

    def __init__(self, model: type, section: str) -> None:
        super().__init__(_as_it_is)
        self.model = model
        self.section = section

    @property
    def settings_class(self) -> Any:
        """The model."""
        return self.model

    def __str__(self) -> str:
        return f"<settings {described(self.model)}>"

    __repr__ = __str__


def _as_it_is(settings: Any) -> Any:  # of any model
    return settings


class Attempt:
    """
    One build that is under way, so that everybody who comes meanwhile waits for it instead of starting another.

    It is not bound to who came first: a first waiter that is cancelled or times out harms nobody.
    """

    __slots__ = ("_shared", "future", "loop", "thread")

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._shared: asyncio.Future[Any] | None = None  # what all waiters of the build's own loop wait for
        self.future: Future[Any] = Future()
        self.future.set_running_or_notify_cancel()  # from here on a waiter's cancellation cannot reach it
        self.thread = threading.get_ident()
        self.loop = loop

    async def wait(self) -> Any:
        """Wait for the object, on any event loop."""
        if self.future.done():
            return self.future.result()
        if asyncio.get_running_loop() is not self.loop:
            return await asyncio.shield(self._wrapped())
        if self._shared is None:
            self._shared = self._wrapped()
        return await asyncio.shield(self._shared)

    def _wrapped(self) -> asyncio.Future[Any]:
        """Return a future of the running loop that follows the build."""
        wrapped = asyncio.wrap_future(self.future)
        wrapped.add_done_callback(_seen)  # a waiter that was cancelled leaves nobody to look at a later failure
        return wrapped


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
