"""What a function or a class asks for: one `Need` for each injected parameter, read from its signature."""

from __future__ import annotations

import builtins
import inspect
import types
import typing
import weakref
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from oneiric.core.errors import AnnotationUnresolved
from oneiric.core.markers import INJECT, INJECTED, Factory, Named, Ref
from oneiric.providers.engine import ProvideMarker, Provider

Shape = Literal["one", "ref", "factory", "list", "dict"]
_NOTHING: Mapping[str, Any] = types.MappingProxyType({})
# A scoped object is built for every request, and reading a signature takes longer than making most objects.
_known: weakref.WeakKeyDictionary[Any, Mapping[str, Need]] = weakref.WeakKeyDictionary()


class Need(NamedTuple):
    """
    One injected parameter.

    Attributes:
        site: Who asks: `module:qualname`.
        parameter: The parameter's name.
        named: The slot, where the parameter names one.
        type: The type that decides, where it does not.
        optional: `None` is an answer.
        missing: The name that exists only under TYPE_CHECKING, where the type could not be evaluated.
        shape: What the parameter is given: the object, a handle on it, what makes new ones, or all of a type.
    """

    site: str
    parameter: str
    named: Named | None
    type: Any
    optional: bool = False
    missing: str | None = None
    shape: Shape = "one"

    @property
    def is_lazy(self) -> bool:
        """Whether the object is looked up or made later, when the handle is used."""
        return self.shape in {"ref", "factory"}

    @property
    def is_many(self) -> bool:
        """Whether it means every slot of a type."""
        return self.shape in {"list", "dict"}

    @property
    def is_choosy(self) -> bool:
        """Whether who fills the slot decides if it is met, and not the slot alone."""
        return self.optional or (self.named is not None and bool(self.named.capabilities or self.named.any_of))

    @property
    def at(self) -> str:
        """`module:qualname(parameter)`."""
        return f"{self.site}({self.parameter})"

    @property
    def is_unclear(self) -> bool:
        """Whether its type decides, and could not be evaluated yet."""
        return self.named is None and self.missing is not None

    @property
    def wanted(self) -> str:
        """The slot or the type asked for, for people."""
        if self.named is not None:
            return self.named.name
        return getattr(self.type, "__name__", str(self.type))

    def check(self) -> None:
        """
        Make sure that it says which slot it means.

        Raises:
            AnnotationUnresolved: It names no slot, and its type exists only under TYPE_CHECKING.
        """
        if self.is_unclear and self.missing is not None:
            raise AnnotationUnresolved(self.missing, self.parameter, path=(self.at,))


class Way(NamedTuple):
    """How a build came about: `handlers:checkout(price) -> slot pricing -> slot cache`, as a chain from its end."""

    above: Way | None
    node: str

    def nodes(self) -> tuple[str, ...]:
        """Return all of it, from the root down."""
        found: list[str] = []
        here: Way | None = self
        while here is not None:
            found.append(here.node)
            here = here.above
        return tuple(reversed(found))


class Unknown:
    """Stands for a name that cannot be evaluated; remembers it, and survives `|`, `[]` and attribute access."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, item: object) -> Unknown:
        return self

    def __getattr__(self, item: str) -> Unknown:
        if item.startswith("__"):
            raise AttributeError(item)
        return Unknown(f"{self.name}.{item}")

    def __or__(self, other: object) -> Any:
        return typing.Union[self, other]  # noqa: UP007  # `|` would call this method again

    def __ror__(self, other: object) -> Any:
        return typing.Union[other, self]  # noqa: UP007

    def __call__(self) -> None:
        """Only callables pass as arguments of `typing.Union`; nobody calls it."""
        raise TypeError(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<unknown name {self.name}>"


class _Names(dict[str, Any]):
    """Closure names, then module globals, then builtins, then the names around the decorator; else a placeholder."""

    def __init__(self, fn: Any, around: Mapping[str, Any]) -> None:
        super().__init__()
        fn = inspect.unwrap(fn)  # another decorator's wrapper shows the signature of the function it wraps
        code, closure = getattr(fn, "__code__", None), getattr(fn, "__closure__", None)
        for name, cell in zip(code.co_freevars if code else (), closure or (), strict=False):
            try:
                self[name] = cell.cell_contents
            except ValueError:  # the name is assigned after the function; the other places may know it
                continue
        self._places = (getattr(fn, "__globals__", {}), vars(builtins), around)

    def __missing__(self, name: str) -> Any:
        for place in self._places:
            if name in place:
                return place[name]
        return Unknown(name)


def evaluate(fn: Any, annotation: Any, around: Mapping[str, Any] = _NOTHING) -> Any:
    """Evaluate one annotation by itself, so that a name that is missing spoils only its own parameter."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, {}, _Names(fn, around))  # an annotation is code of the function's own module
    except Exception:  # border: an annotation may hold any expression; one that cannot be evaluated asks for nothing
        return annotation


def site_name(fn: Any) -> str:
    """Return how a function is called in messages: `module:qualname`; a constructor goes by the name of its class."""
    return f"{fn.__module__}:{fn.__qualname__.removesuffix('.__init__')}"


def read_needs(fn: Any) -> Mapping[str, Need]:
    """
    Return what a function, or the constructor of a class, asks for, by parameter; what is no function asks for nothing.

    Raises:
        TypeError: A parameter defaults to INJECTED and its annotation says neither a type nor a slot.
    """
    code: Any = fn.__init__ if inspect.isclass(fn) else fn
    injected = getattr(code, "__site__", None)
    if injected is not None:
        return injected.needs  # type: ignore[no-any-return]  # its type lives one floor up
    is_lasting = isinstance(fn, (type, types.FunctionType))  # a bound method is made anew each time
    if is_lasting and (known := _known.get(fn)) is not None:
        return known
    if not isinstance(code, (types.FunctionType, types.MethodType)):
        return {}
    found = _read(fn, code)
    if is_lasting and not any(need.is_unclear for need in found.values()):
        _known[fn] = found
    return found


def _read(fn: Any, code: Any) -> dict[str, Need]:
    site = site_name(fn)
    try:
        parameters = inspect.signature(code).parameters
    except (TypeError, ValueError):
        return {}
    needs = {name: read_need(site, code, parameter, _NOTHING) for name, parameter in parameters.items()}
    return {name: need for name, need in needs.items() if need is not None}


def read_need(site: str, fn: Any, parameter: inspect.Parameter, around: Mapping[str, Any]) -> Need | None:
    """
    Return what one parameter asks for; None if it is an ordinary one.

    Raises:
        TypeError: It defaults to INJECTED and its annotation says neither a type nor a slot.
    """
    if getattr(type(parameter.default), "__IS_MARKER__", False) and not _is_plain(parameter.default):
        raise TypeError(f"{site}({parameter.name}): of the engine's markers, only Provide[...] is understood")
    if isinstance(parameter.default, ProvideMarker):
        return Need(site, parameter.name, Named(_provided(parameter.default)), None)
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return None
    if parameter.annotation is parameter.empty and parameter.default is not INJECTED:
        return None
    found = evaluate(fn, parameter.annotation, around)
    if isinstance(found, Unknown) and parameter.default is INJECTED:
        return Need(site, parameter.name, None, found, missing=found.name)
    asked = _asked(found)
    if asked is None:
        if parameter.default is INJECTED:
            raise TypeError(
                f"{site}({parameter.name}) defaults to INJECTED, but its annotation is neither Inject[T] "
                'nor Annotated[T, Named("slot")]'
            )
        return None
    type_, named, optional = asked
    type_, shape = _shaped(_known_now(fn, type_, around), named)
    type_ = _known_now(fn, type_, around)
    missing = type_.name if isinstance(type_, Unknown) else None
    return Need(site, parameter.name, named, type_, optional, missing, shape)


def _known_now(fn: Any, type_: Any, around: Mapping[str, Any]) -> Any:
    """Return a type that stands as text inside an annotation."""
    if isinstance(type_, typing.ForwardRef):
        return evaluate(fn, type_.__forward_arg__, around)
    return evaluate(fn, type_, around)


def _shaped(type_: Any, named: Named | None) -> tuple[Any, Shape]:
    """Return the type that decides, and what the parameter is given of it; a slot that is named is never several."""
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Ref or origin is Factory:
        return arguments[0], "ref" if origin is Ref else "factory"
    if named is None and origin is list:
        return arguments[0], "list"
    if named is None and origin is dict and arguments[0] is str:
        return arguments[1], "dict"
    return type_, "one"


def _asked(annotation: Any) -> tuple[Any, Named | None, bool] | None:
    """Return type, slot name and optionality if an annotation asks for injection, else None."""
    optional = False
    if get_origin(annotation) in (typing.Union, types.UnionType):
        rest = [part for part in get_args(annotation) if part is not type(None)]
        optional = len(rest) < len(get_args(annotation))
        if len(rest) == 1:
            annotation = rest[0]
    if get_origin(annotation) is not Annotated:
        return None
    type_, *marks = get_args(annotation)
    for mark in marks:
        if isinstance(mark, Named):
            return type_, mark, optional
        if isinstance(mark, ProvideMarker):
            return type_, Named(_provided(mark)), optional
    return (type_, None, optional) if INJECT in marks else None


def _is_plain(marker: Any) -> bool:
    """Tell whether a marker of the engine is `Provide[...]` without a modifier."""
    return isinstance(marker, ProvideMarker) and marker.modifier is None


def _provided(marker: Any) -> str:
    """Return the slot name in an engine marker: `Provide["cache"]` or `Provide[app.adapters.cache]`."""
    target = marker.provider
    if isinstance(target, Provider):
        return str(getattr(target, "name", target))
    return str(target)
