"""
`@inject`: fills the parameters of a function from the slots of the active application.

The wrapper is generated for each function, with the original parameter list. It closes over a tuple of cells and reads
`cell.live` for each parameter that was left at INJECTED. A cell that is not built yet raises AttributeError there, into
a `try` that costs nothing otherwise, and the slow path builds what is missing.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections import ChainMap
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from functools import partial
from itertools import count
from typing import Any, Protocol, TypeVar

from oneiric.containers import active
from oneiric.containers.active import in_use
from oneiric.containers.leases import NO_LEASE, Lease
from oneiric.containers.needs import Need, Unknown, evaluate, read_need, site_name
from oneiric.containers.scopes import note_failure
from oneiric.containers.wrapper import kind_of, wrapper_maker
from oneiric.core.errors import NoActiveApplication
from oneiric.core.markers import INJECTED
from oneiric.providers.slot import switch

F = TypeVar("F", bound=Callable[..., Any])
_keys = count()


class Entry(Protocol):
    """
    The slow path of one call: builds what is missing, and ends the scope it had to open.

    A generator is given to `steps` or `asteps` as the function that makes it.
    """

    def __enter__(self) -> tuple[Any, ...]: ...

    def __exit__(self, *exc: Any) -> None: ...

    async def __aenter__(self) -> tuple[Any, ...]: ...

    async def __aexit__(self, *exc: Any) -> None: ...

    def steps(self, make: Callable[..., Any]) -> Generator[Any, Any, Any]:
        """Run the generator that `make` makes from the values."""

    def asteps(self, make: Callable[..., Any]) -> AsyncGenerator[Any, Any]:
        """Run the asynchronous generator that `make` makes from the values."""


class _Unbuilt:
    """Reading `live` of it fails, which leads to the slow path."""

    __slots__ = ("live",)


class Site:
    """
    One injected function: what it asks for, and the cells it reads while the default application stays the same.

    Attributes:
        function: The function that `@inject` wraps.
        name: `module:qualname`.
        kind: As `kind_of` tells.
        key: A number by which an application remembers its cells.
        is_registered: Some application has it registered, so it belongs to that one.
    """

    def __init__(self, function: Callable[..., Any], needs: Mapping[str, Need], around: Mapping[str, Any]) -> None:
        self.function = function
        self.name = site_name(function)
        self.is_registered = False
        self.kind = kind_of(function)
        self.key = next(_keys)
        self.unbound: tuple[Any, ...] = (_Unbuilt(),) * len(needs)
        self.store: Callable[[tuple[Any, ...], Lease], None] = lambda cells, lease: None
        self.store_way: Callable[[Any], None] = lambda way: None
        self._needs = dict(needs)
        self._is_clear = not any(need.is_unclear for need in needs.values())
        self._around: Mapping[str, Any] = {} if self._is_clear else around
        self._lock = threading.Lock()

    @property
    def needs(self) -> Mapping[str, Need]:
        """What it asks for, by parameter; a type that was defined after the function is found now."""
        if not self._is_clear:
            with self._lock:
                signature = inspect.signature(self.function)
                for name, need in self._needs.items():
                    again = read_need(need.site, self.function, signature.parameters[name], self._around)
                    if need.is_unclear and again is not None:
                        self._needs[name] = again
                self._is_clear = not any(need.is_unclear for need in self._needs.values())
        return self._needs

    def forget(self) -> None:
        """Drop the cells: the next call asks the active application again."""
        self.store(self.unbound, Lease())
        self.store_way(None)

    def pick(self) -> tuple[Any, ...]:
        """Return the cells of the active application."""
        use = in_use()
        view = use.view if use is not None and not use.is_over else active.active()
        if view is None:
            return self.unbound  # a call that was given everything needs no application
        return view.sites.get(self.key) or view.bind(self)  # type: ignore[no-any-return]  # a view is of any type

    def enter(self, given: tuple[Any, ...]) -> Entry:
        """
        Return the slow path for one call; `given` holds what the caller passed, INJECTED where it passed nothing.

        Raises:
            NoActiveApplication: Nothing tells which application the call belongs to.
        """
        view = active.active()
        if view is None:
            need = next(need for need, value in zip(self.needs.values(), given, strict=True) if value is INJECTED)
            raise NoActiveApplication(need.at, f"slot {need.wanted}", searched=active.searched())
        entry: Entry = view.enter(self, given)
        return entry


def leased() -> Lease:
    """Return what holds the objects of the active application."""
    view = active.active()
    found: Lease = NO_LEASE if view is None else getattr(view, "wiring", view).root.lease
    return found


def inject(function: F) -> F:
    """
    Fill the parameters that are marked for injection, on every call, from the application that is active then.

    Works on functions and methods, sync and async, and on generators of both kinds. A class is injected through its
    `__init__`. Explicit arguments win, positional or keyword, None included; the slot is then not even built.

    Raises:
        TypeError: Nothing is marked for injection, or a parameter defaults to INJECTED without saying what it wants.
    """
    frame = sys._getframe(1)
    around = ChainMap(frame.f_locals, frame.f_globals)  # a generated function may have globals of its own
    if inspect.isclass(function):
        if not inspect.isfunction(function.__init__):
            raise TypeError(f"nothing to inject in {site_name(function)}: it has no __init__ of its own")
        setattr(function, "__init__", _wrap(function.__init__, around))  # noqa: B010  # a class of any kind
        return function
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(_wrap(function.__func__, around))
    return _wrap(function, around)  # type: ignore[return-value]  # the same call, with fewer parameters to give


def _wrap(function: Callable[..., Any], around: Mapping[str, Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)
    parameters = signature.parameters.values()
    name_of_site = site_name(function)
    needs: dict[str, Need] = {}
    for name, parameter in signature.parameters.items():
        need = read_need(name_of_site, function, parameter, around)
        if need is not None:
            needs[name] = need
    if not needs:
        raise TypeError(
            f"nothing to inject in {name_of_site}: mark a parameter, such as cache: Inject[Cache] = INJECTED"
        )
    site = Site(function, needs, around)
    make = wrapper_maker(function, signature, [*needs])
    defaults = [None if parameter.default is parameter.empty else parameter.default for parameter in parameters]
    call: Any
    call, site.store, site.store_way = make(
        function, INJECTED, defaults, switch, site.pick, site.enter, note_failure, leased, site.unbound, Lease()
    )
    _describe(call, function, signature, needs, around)
    call.__injected__ = function  # where registration finds what is wrapped
    call.__site__ = site
    call.bind = partial(active.belonging, call)  # `function.bind(app)`: the same function, for one application
    active.watch(site)
    wrapped: Callable[..., Any] = call
    return wrapped


def _describe(
    call: Any, function: Any, signature: inspect.Signature, needs: Mapping[str, Need], around: Mapping[str, Any]
) -> None:
    """Give the wrapper the function's name, doc and attributes, and a signature that hides what is injected."""
    vars(call).update((name, value) for name, value in vars(function).items() if name != "__wrapped__")
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(call, attribute, getattr(function, attribute))

    def shown(annotation: Any) -> Any:
        found = evaluate(function, annotation, around)
        return annotation if _is_unknown(found) else found

    visible = [p.replace(annotation=shown(p.annotation)) for n, p in signature.parameters.items() if n not in needs]
    returns = shown(signature.return_annotation)
    call.__signature__ = signature.replace(parameters=visible, return_annotation=returns)
    call.__annotations__ = {p.name: p.annotation for p in visible if p.annotation is not p.empty}
    if returns is not signature.empty:
        call.__annotations__["return"] = returns


def _is_unknown(annotation: Any) -> bool:
    return isinstance(annotation, Unknown) or any(_is_unknown(part) for part in getattr(annotation, "__args__", ()))
