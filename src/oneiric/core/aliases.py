"""The names under which a settings model takes its fields: their own, or aliases such as `DATABASE_URL`."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from oneiric.core.texts import folded, plain_type

Place = tuple[str | int, ...]  # a key of the data, and the way further in
_renaming: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()


class OwnPath(NamedTuple):
    """A setting by the names of fields; of several words of one layer about it, the one of the lowest `rank` counts."""

    path: tuple[str, ...]
    rank: int


def places_of(model: Any, name: str) -> list[Place]:
    """
    Return where in its data a model takes a field from, what it prefers first.

    Source: pydantic's `validation_alias`, `AliasChoices` and `AliasPath`, with `validate_by_name`, which was
    `populate_by_name` before 2.11, and `validate_by_alias`.
    """
    info = model.model_fields.get(name)
    alias, config = getattr(info, "validation_alias", None), model.model_config
    own: list[Place] = [(name,)]
    if alias is None or not config.get("validate_by_alias", True):
        return own
    choices = getattr(alias, "choices", [alias])
    aliased: list[Place] = [tuple(getattr(choice, "path", (choice,))) for choice in choices]
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    return own + aliased if by_name else aliased


def field_at(model: Any, place: Sequence[str | int]) -> tuple[str, Place]:
    """Return the field that a place in the data belongs to, and what is left of the place; an empty name if none."""
    for name in model.model_fields:
        for taken in places_of(model, name):
            if tuple(place[: len(taken)]) == taken:
                return name, tuple(place[len(taken) :])
    return "", tuple(place)


def put(data: dict[str, Any], place: Place, value: Any) -> None:
    """Put a value into the data of a model; a place such as `("hosts", 1)` makes a list that is long enough."""
    holder: Any = data  # a map or a list of whatever
    for part, following in zip(place, (*place[1:], None), strict=True):
        if isinstance(part, int):
            missing = part + 1 - len(holder) if part >= 0 else -part - len(holder)
            holder.extend([None] * missing)
        if following is None:
            holder[part] = value
            continue
        kind = list if isinstance(following, int) else dict
        there: Any = holder[part] if isinstance(part, int) else holder.get(part)
        holder[part] = inner = kind(there) if isinstance(there, kind) else kind()
        holder = inner


def model_of(annotation: Any) -> Any:
    """Return the settings model that a type means, also where it may be None; None if it means none."""
    kind = plain_type(annotation)
    return kind if hasattr(kind, "model_fields") else None


def is_renaming(model: Any) -> bool:
    """Tell whether a model, or one inside it, takes a field under another name, or one that variables cannot spell."""
    known = _renaming.get(model)
    if known is None:
        known = _renames(model, ())
        if model.__pydantic_complete__:  # else a type that is named before it is defined is still to come
            _renaming[model] = known
    return known


def _renames(model: Any, above: tuple[Any, ...]) -> bool:
    for name, info in model.model_fields.items():
        inner = model_of(info.annotation)
        if info.validation_alias is not None or folded(name) != name:
            return True
        if inner is not None and inner not in above and _renames(inner, (*above, model)):
            return True
    return False


def own_path(model: Any, path: Sequence[str], *, loosely: bool) -> OwnPath:
    """
    Return a path below a model by the names of its fields, where somebody may have written an alias.

    Args:
        model: The model; those inside it are looked into as well.
        path: The path as it was written.
        loosely: It comes from a variable, which knows neither case nor `-`, and in which `__` parts a name.
    """
    if not path or not hasattr(model, "model_fields"):
        return OwnPath(tuple(path), 0)
    if path[0] in model.model_fields:
        return _below(model, path[0], path[1:], 0, loosely=loosely)
    for name, rank, written in _spellings(model, loosely=loosely):
        given = tuple(map(folded, path[: len(written)])) if loosely else tuple(path[: len(written)])
        if given == written:
            return _below(model, name, path[len(written) :], rank, loosely=loosely)
    return OwnPath(tuple(path), 0)


def _below(model: Any, name: str, rest: Sequence[str], rank: int, *, loosely: bool) -> OwnPath:
    inner = own_path(model_of(model.model_fields[name].annotation), rest, loosely=loosely)
    return OwnPath((name, *inner.path), rank + inner.rank)


def _spellings(model: Any, *, loosely: bool) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield each field with a way to write it and how far back that stands; a place inside a list cannot be written."""
    for name in model.model_fields:
        if loosely:
            yield name, 0, (folded(name),)
        for rank, place in enumerate(places_of(model, name), 1):
            written = tuple(part for part in place if isinstance(part, str))
            if len(written) == len(place):
                yield name, rank, tuple(_as_variable(written)) if loosely else written


def spellings(model: Any) -> Iterator[str]:
    """Yield every dotted way to write a field of a model below its prefix, in a file and in a variable."""
    for loosely in (False, True):
        yield from (".".join(written) for _, _, written in _spellings(model, loosely=loosely))


def _as_variable(written: Sequence[str]) -> Iterator[str]:
    """Yield the parts of a name as a variable has them."""
    for part in written:
        yield from folded(part).split("__")


def aliased(model: Any, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by the names of fields as a model takes them; a key that is no field stays as it is."""
    if not is_renaming(model):
        return dict(tree)
    data: dict[str, Any] = {}
    for name in sorted(tree, key=lambda key: key not in model.model_fields):  # what is written as an alias counts more
        value = tree[name]
        info = model.model_fields.get(name)
        inner = model_of(info.annotation) if info is not None else None
        put(data, places_of(model, name)[0], aliased(inner, value) if inner and isinstance(value, dict) else value)
    return data


def own_place(model: Any, place: Sequence[str | int]) -> Place:
    """Return a place in the data of a model by the names of its fields, as far as they go."""
    name, rest = field_at(model, place) if model is not None else ("", tuple(place))
    return (name, *own_place(model_of(model.model_fields[name].annotation), rest)) if name else rest
