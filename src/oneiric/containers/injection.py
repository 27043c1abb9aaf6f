"""
`@inject`: fills the parameters of a function from the slots of the active application.

The wrapper is generated once per function, with the original parameter list. It closes over a tuple of cells and reads
`cell.live` for each parameter that was left at INJECTED. A cell that is not built yet raises AttributeError there, into
a `try` that costs nothing otherwise, and the slow path builds what is missing.
"""

from __future__ import annotations

import inspect
import sys
import threading
import weakref
from collections import ChainMap
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from functools import lru_cache, partial
from textwrap import indent
from types import CodeType
from typing import Any, Protocol, TypeVar

from oneiric.containers import active
from oneiric.containers.leases import NO_LEASE, Lease
from oneiric.containers.needs import Need, Unknown, evaluate, read_need, site_name
from oneiric.containers.scopes import GENERATED, note_failure
from oneiric.core.errors import NoActiveApplication
from oneiric.core.markers import INJECTED
from oneiric.providers.slot import switch

F = TypeVar("F", bound=Callable[..., Any])
COMPILED = 512  # parameter lists whose wrapper is kept compiled


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
        key: By which an application remembers its cells; it does not keep the site alive.
        is_registered: Some application has it registered, so it belongs to that one.
    """

    def __init__(self, function: Callable[..., Any], needs: Mapping[str, Need], around: Mapping[str, Any]) -> None:
        self.function = function
        self.name = site_name(function)
        self.is_registered = False
        self.kind = kind_of(function)
        self.key = weakref.ref(self)
        self.unbound: tuple[Any, ...] = (_Unbuilt(),) * len(needs)
        self.store: Callable[[tuple[Any, ...], Lease], None] = lambda cells, lease: None
        self.store_way: Callable[[Any], None] = lambda way: None
        self._needs = dict(needs)
        self._around: Mapping[str, Any] = around if any(need.is_unclear for need in needs.values()) else {}
        self._lock = threading.Lock()

    @property
    def needs(self) -> Mapping[str, Need]:
        """What it asks for, by parameter; a type that was defined after the function is found now."""
        if any(need.is_unclear for need in self._needs.values()):
            with self._lock:
                signature = inspect.signature(self.function)
                for name, need in self._needs.items():
                    again = read_need(need.site, self.function, signature.parameters[name], self._around)
                    if need.is_unclear and again is not None:
                        self._needs[name] = again
        return self._needs

    def forget(self) -> None:
        """Drop the cells: the next call asks the active application again."""
        self.store(self.unbound, Lease())
        self.store_way(None)

    def pick(self) -> tuple[Any, ...]:
        """Return the cells of the active application."""
        view = active.active()
        if view is None:
            return self.unbound  # a call that was given everything needs no application
        found = view.sites.get(self.key)
        return found or view.bind(self)  # type: ignore[no-any-return]  # a view is of any type

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
    call: Any = _compile(function, signature, site)
    _describe(call, function, signature, needs, around)
    call.__injected__ = function  # where registration finds what is wrapped
    call.__site__ = site
    call.bind = partial(active.belonging, call)  # `function.bind(app)`: the same function, for one application
    active.watch(site)
    wrapped: Callable[..., Any] = call
    return wrapped


# In generated code every name of ours begins with `_0`, which no person gives to a parameter.
_MAKE = """
def make(_0f, _0M, _0d, _0switch, _0pick, _0enter, _0note, _0leased, _0st, _0lease):
    _0way = None
    {define} call({head}):
        try:
            {body}
        except Exception as _0e:
            _0note(_0e)
            raise
    def store(cells, lease):
        nonlocal _0st, _0lease
        _0st, _0lease = cells, lease
    def store_way(way):
        nonlocal _0way
        _0way = way
    return call, store, store_way"""
_BODY = """{quick}
try:
    {cells} = _0pick() if _0switch.contextual else _0st
    {reads}
except AttributeError:
    _0g = None
else:
    {fast}
{slow}"""
_QUICK = """if _0way is not None and not _0switch.contextual:
    async with _0way({given}) as ({values}): return await _0f({args})"""
_GENERATOR = """if _0g is None:
    _0g = _0enter({given}).steps(lambda {values}: _0f({args}))
return (yield from _0g)"""
_ASYNC_GENERATOR = """if _0g is None:
    _0g = _0enter({given}).asteps(lambda {values}: _0f({args}))
try:
    _0i = await _0g.__anext__()
    while True:
        try:
            _0s = yield _0i
        except GeneratorExit:
            await _0g.aclose()
            raise
        except BaseException as _0e:
            _0i = await _0g.athrow(_0e)
        else:
            _0i = await _0g.asend(_0s)
except StopAsyncIteration:
    return"""
_LEASED = """_0l = _0leased() if _0switch.contextual else _0lease
    _0l.count += 1
    try:
        return await _0f({args})
    finally:
        _0l.count -= 1"""
_KINDS = {  # how it is defined, what it does when all is built, and what it does else
    "function": ("def", "return _0f({args})", "with _0enter({given}) as ({values}): return _0f({args})"),
    "coroutine": (
        "async def",
        _LEASED,
        "async with _0enter({given}) as ({values}): return await _0f({args})",
    ),
    "generator": ("def", "_0g = _0f({args})", _GENERATOR),
    "asyncgen": ("async def", "_0g = _0f({args})", _ASYNC_GENERATOR),
}


def kind_of(function: Callable[..., Any]) -> str:
    """Return `function`, `coroutine`, `generator` or `asyncgen`."""
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isasyncgenfunction(function):
        return "asyncgen"
    return "generator" if inspect.isgeneratorfunction(function) else "function"


@lru_cache(maxsize=COMPILED)
def compiled(source: str) -> CodeType:
    """Return the code of a wrapper; functions with the same parameters, such as nested ones made again, share it."""
    return compile(source, GENERATED, "exec")


def _compile(function: Callable[..., Any], signature: inspect.Signature, site: Site) -> Any:
    """Generate the wrapper; its globals are the function's own."""
    kind = kind_of(function)
    names = list(site.needs)
    define, fast, slow = _KINDS[kind]
    head, arguments = _parameters(site, signature, names)
    values = "".join(f"_0v{n}, " for n in range(len(names)))
    given = f"({', '.join(names)},)"
    body = _BODY.format(
        cells="".join(f"_0c{n}, " for n in range(len(names))),
        reads="; ".join(f"_0v{n} = _0c{n}.live if {name} is _0M else {name}" for n, name in enumerate(names)),
        quick=_QUICK.format(args=arguments, values=values, given=given) if kind == "coroutine" else "",
        fast=fast.format(args=arguments),
        slow=slow.format(args=arguments, values=values, given=given),
    )
    source = _MAKE.format(define=define, head=head, body=indent(body, " " * 12).lstrip())
    defaults = {n: p.default for n, p in signature.parameters.items() if p.default is not p.empty}
    space: dict[str, Any] = {}
    exec(compiled(source), function.__globals__, space)  # the parameter list is only known here
    call, site.store, site.store_way = space["make"](
        function, INJECTED, defaults, switch, site.pick, site.enter, note_failure, leased, site.unbound, Lease()
    )
    return call


def _parameters(site: Site, signature: inspect.Signature, names: list[str]) -> tuple[str, str]:
    """Return the wrapper's parameter list, and the arguments of the inner call."""
    head: list[str] = []
    args: list[str] = []
    seen_star = injected_before = False
    parameters = list(signature.parameters.values())
    for position, parameter in enumerate(parameters):
        name, kind = parameter.name, parameter.kind
        injected = name in names
        if kind is parameter.KEYWORD_ONLY and not seen_star:
            head.append("*")
            seen_star = True
        seen_star |= kind is parameter.VAR_POSITIONAL
        star = "*" if kind is parameter.VAR_POSITIONAL else "**" if kind is parameter.VAR_KEYWORD else ""
        plain = kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if plain and injected_before and not injected and parameter.default is parameter.empty:
            raise TypeError(f"{site.name}({name}) has no default and follows an injected parameter; put it first")
        injected_before |= plain and injected
        if injected:
            default = "=_0M"
        elif parameter.default is not parameter.empty:
            default = f"=_0d[{name!r}]"
        else:
            default = ""
        head.append(f"{star}{name}{default}")
        following = parameters[position + 1].kind if position + 1 < len(parameters) else None
        if kind is parameter.POSITIONAL_ONLY and following is not parameter.POSITIONAL_ONLY:
            head.append("/")
        given = f"_0v{names.index(name)}" if injected else name
        args.append(f"{name}={given}" if kind is parameter.KEYWORD_ONLY else f"{star}{given}")
    return ", ".join(head), ", ".join(args)


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
