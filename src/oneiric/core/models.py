"""
Settings models: their fields as the evaluator knows them, built from decided values, and the faults of these.
"""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from oneiric.core.aliases import aliased, own_place
from oneiric.core.errors import InvalidShadowed, InvalidValue, OneiricError, SecretUnavailable
from oneiric.core.hearing import plain
from oneiric.core.log import HIDDEN, is_secret, is_secret_name, remember_secret, remember_userinfo
from oneiric.core.markers import Protected, Public
from oneiric.core.origins import CodeOrigin, Origin
from oneiric.core.secrets import is_reference
from oneiric.core.texts import folded, is_secret_type, plain_type
from oneiric.core.values import MISSING, Field, Value, opened

_SCALARS = frozenset({int, float, bool, type(None)})


class _Trait(NamedTuple):
    """What a model says of one of its fields, wherever its settings stand."""

    name: str
    secret: bool
    takes_none: bool
    sealed: tuple[tuple[str, ...], ...]
    guarded: tuple[tuple[str, ...], ...]
    public: bool


_traits: weakref.WeakKeyDictionary[type, list[_Trait]] = weakref.WeakKeyDictionary()


def fields_of(model: Any, prefix: str) -> Iterator[Field]:
    """
    Yield the settings of a pydantic model class under a dotted prefix, by name.

    A field hides its value if its type is secret, or if its name sounds so and it is not declared `Public`. It is
    required if it has no default, or if its default is None and its type has no None.
    """
    fields = model.model_fields
    for name, secret, takes_none, sealed, guarded, public in _traits_of(model):
        info = fields[name]
        default = MISSING if info.is_required() else info.get_default(call_default_factory=True)
        required = default is MISSING or (default is None and not takes_none)
        key = f"{prefix}.{name}"
        spelled = folded(key)
        spelled = "" if spelled == key else spelled
        origin = FieldOrigin(model, name)
        yield Field(key, info.annotation, default, secret, origin, required, sealed, guarded, spelled, public)


def _traits_of(model: Any) -> list[_Trait]:
    """Return the traits of a model's fields, by name; finding them takes longer than deciding the values."""
    known = _traits.get(model)
    if known is None:
        known = [_trait(name, info) for name, info in sorted(model.model_fields.items())]
        if model.__pydantic_complete__:  # else a type that is named before it is defined is still to come
            _traits[model] = known
    return known


def _trait(name: str, info: Any) -> _Trait:
    typed_so = tuple(_parts(info, _is_typed_secret))
    named_so = is_secret_name(name) and Public not in info.metadata
    return _Trait(
        name,
        named_so or () in typed_so or _holds_secret(info.annotation),
        _takes_none(info.annotation),
        typed_so,
        tuple(_parts(info, _is_protected)),
        Public in info.metadata,
    )


def _parts(info: Any, asked: Callable[[Any], bool], above: tuple[Any, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield where fields of a kind stand in a field: `()` for itself, else the path through the models inside it."""
    if asked(info):
        yield ()
    kind = plain_type(info.annotation)
    for name, inner in getattr(kind, "model_fields", {}).items():
        if kind not in above:  # a model may hold itself
            yield from ((name, *path) for path in _parts(inner, asked, (*above, kind)))


def _is_typed_secret(info: Any) -> bool:
    return is_secret_type(info.annotation)


def _is_protected(info: Any) -> bool:
    return Protected in info.metadata


def _holds_secret(annotation: Any, above: tuple[Any, ...] = ()) -> bool:
    """Tell whether secrets stand where no path leads: in the items of a list or a map, or in one of several types."""
    return any(_is_or_holds_secret(part, above) for part in get_args(plain_type(annotation)))


def _is_or_holds_secret(annotation: Any, above: tuple[Any, ...]) -> bool:
    kind = plain_type(annotation)
    if is_secret_type(kind):
        return True
    inner = getattr(kind, "model_fields", {}).values() if kind not in above else ()
    return any(_is_or_holds_secret(info.annotation, (*above, kind)) for info in inner) or _holds_secret(kind, above)


def _takes_none(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _takes_none(get_args(annotation)[0])
    return annotation is None or annotation is Any or type(None) in get_args(annotation)


class FieldOrigin(CodeOrigin):
    """The line that declares a field of a settings model, looked up when somebody asks."""

    __slots__ = ("_model", "_name")
    _model: type
    _name: str

    def __init__(self, model: type, name: str) -> None:
        self._model = model
        self._name = name

    @property
    def at(self) -> str:  # type: ignore[override]  # the line is looked up when somebody asks
        """`module:line` of the class that declares the field."""
        owner = next((c for c in self._model.__mro__ if self._name in getattr(c, "__annotations__", {})), self._model)
        line = _line_of(owner, self._name)
        return str(owner.__module__) if line is None else f"{owner.__module__}:{line}"

    def __str__(self) -> str:
        return self.at

    def _said(self) -> dict[str, str | int | None]:
        return {"at": self.at}


def _line_of(owner: type, name: str) -> int | None:
    """
    Return the line of a module that declares a field of a class, counted from 1; None where there is no source.

    The text is scanned, since `inspect` would parse the whole module for each class.
    """
    import linecache

    lines = linecache.getlines(getattr(sys.modules.get(owner.__module__), "__file__", None) or "")
    found: int | None = 0
    for part in [part for part in owner.__qualname__.split(".") if part != "<locals>"]:
        found = _scan(lines, found, rf"\s*(?:class|def|async def) {re.escape(part)}\b")
    found = _scan(lines, found, rf"\s+{re.escape(name)}\s*:")
    return None if found is None else found + 1


def _scan(lines: Sequence[str], start: int | None, pattern: str) -> int | None:
    """Return the position of the first line from `start` on that begins like this; None if there is none."""
    if start is None:
        return None
    return next((n for n in range(start, len(lines)) if re.match(pattern, lines[n])), None)


def validated(model: Any, values: Iterable[Value]) -> Any:
    """
    Build a settings model from decided values.

    Raises:
        InvalidValue: The winning value of a field does not fit; the error names key and origin, never the value.
        SecretUnavailable: The value of a secret was not fetched yet.
    """
    from pydantic import ValidationError

    decided = list(values)
    given = {v.field.name: opened(v.value) for v in decided if v.value is not MISSING}
    if not any(value.error is not None or value.wanted for value in decided):
        for value in decided:
            _remember(value)
        with suppress(ValidationError):  # what it has against them is told by key below
            return built(model, given)
    faults = list(faults_of(model, decided))
    if faults:
        raise faults[0]
    for value in decided:
        for name, _ in value.wanted:
            why = "nobody fetched it: start the application first"
            raise SecretUnavailable(value.field.key, name, why=why, fixes=("await app.start()",))
    return built(model, given)


def built(model: Any, given: Mapping[str, Any]) -> Any:
    """
    Build a settings model from values by field name, and from nothing else.

    A pydantic-settings class is built without its own sources, which would read the environment: one of ours reads what
    it is fed, and an existing one is validated past its constructor. Values reach fields by their aliases, where they
    have any.
    """
    said = aliased(model, given)
    if hasattr(model, "from_layers"):
        return model.from_layers(said)
    made = model.__new__(model)
    return model.__pydantic_validator__.validate_python(said, self_instance=made)


def faults_of(model: Any, values: Sequence[Value]) -> Iterator[OneiricError]:
    """Yield every fault of the decided values of a model, each with key and origin."""
    for value in values:
        _remember(value)
    broken = [value.error for value in values if value.error is not None]
    yield from broken
    by_name = {one.field.name: one for one in values}
    given = {v.field.name: opened(v.value) for v in values if v.is_said and not v.wanted and v.value is not MISSING}
    for place, why, kind in _misfits(model, given):
        mine = by_name.get(place[0])
        if mine.wanted if mine is not None else any(one.wanted for one in values):
            continue  # required, or compared with others, as soon as the secret is fetched
        if broken and (mine is None or mine.error is not None):
            continue  # told already, or compared with others that are wrong themselves
        prefix = values[0].field.key.rpartition(".")[0] if values else ""
        key = ".".join((prefix, *place))
        if mine is not None and mine.field.secret:
            why = f"a secret that is {kind}"
        why = _without(why, values)
        origin = _origin_of(mine, place[1:]) if mine is not None else None
        yield InvalidValue(key, why, origin=origin, fixes=("correct the value where it is set",))


def _origin_of(value: Value, path: tuple[str, ...]) -> Origin | None:
    """Return where a part of a value was said: each leaf of a merged map keeps its own origin."""
    origins = value.decision.origins
    held = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in origins), None)
    if held is not None:
        return origins[held]
    return value.winner.origin if value.winner is not None else None


def _remember(value: Value) -> None:
    """Hide the secrets of a value from now on, wherever somebody quotes them: its own, and those that stand in it."""
    field = value.field
    if field.secret and value.is_said:
        for share in value.shares:
            if not is_reference(share.value):
                remember_secret(share.value)
    if field.sealed or type(value.value) not in _SCALARS:
        _remember_parts(plain(value.value), field, ())


def _remember_parts(part: Any, field: Field, path: tuple[str, ...]) -> None:
    if is_secret(part) or path in field.sealed:
        if not is_reference(part):
            remember_secret(part)
    elif isinstance(part, str):
        if "://" in part:
            remember_userinfo(part)
    elif isinstance(part, Mapping):
        for name, inner in part.items():
            if is_secret_name(str(name)) and not field.public and not is_reference(inner):
                remember_secret(inner)
            _remember_parts(inner, field, (*path, str(name)))
    elif isinstance(part, (list, tuple, set, frozenset)):
        for item in part:
            _remember_parts(plain(item), field, path)


def _misfits(model: Any, given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield what a model has against values: the path of each fault, its reason, and the name of its kind."""
    from pydantic import ValidationError

    try:
        built(model, given)
    except ValidationError as error:
        for line in error.errors(include_input=False, include_url=False, include_context=False):
            path = tuple(map(str, own_place(model, line["loc"]))) or ("settings",)
            yield path, str(line["msg"]), str(line["type"])


def _without(text: str, values: Sequence[Value]) -> str:
    """Return a reason without the secrets among the values: a validator of the application's may have quoted one."""
    for value in values:
        plain = opened(value.value)
        plain = plain.get_secret_value() if hasattr(plain, "get_secret_value") else plain
        if (value.field.secret or value.value is not plain) and isinstance(plain, str) and len(plain) > 1:
            text = text.replace(plain, HIDDEN)
    return text


def warnings_of(model: Any, values: Sequence[Value]) -> Iterator[OneiricError]:
    """Yield what is allowed and not good: secrets that fell back, plain secrets, hidden values that do not fit."""
    fitting = {v.field.name: opened(v.value) for v in values if v.is_said and not v.wanted and v.value is not MISSING}
    for value in values:
        if not value.is_said:
            continue
        yield from value.decision.warnings
        name = value.field.name
        for share in value.shares:
            if share.status != "shadowed" or share.layer == "code" or share.value is None or share.redacted:
                continue
            faults = [fault for fault in _misfits(model, {**fitting, name: share.value}) if fault[0][0] == name]
            if faults and not is_reference(share.value):
                why = f"a secret that is {faults[0][2]}" if value.field.secret else _without(faults[0][1], values)
                yield InvalidShadowed(value.field.key, why, origin=share.origin)
