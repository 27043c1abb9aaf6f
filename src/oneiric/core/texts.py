"""The texts of variables and flags, read by the declared type of the setting that they are for."""

from __future__ import annotations

import enum
import json
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, Literal, get_args, get_origin

from oneiric.core.directives import NAMES, make_directive
from oneiric.core.errors import InvalidDirective, InvalidValue
from oneiric.core.origins import Origin
from oneiric.core.sources import Said

TRUE = frozenset({"true", "1", "on", "yes"})
FALSE = frozenset({"false", "0", "off", "no"})
EMPTY = "@empty"


def read_text(key: str, annotation: Any, said: Said) -> Any:
    """
    Read the text of a variable or a flag: a directive, or a value of the declared type of its field.

    Args:
        key: The setting, for the error.
        annotation: Its declared type.
        said: The text. `@empty` is the empty one, `@unset`, `@append:["x"]`, `@prepend:`, `@remove:` and `@replace:`
            are directives, and a text that begins with `@` is written with two.

    Raises:
        InvalidValue: A truth value or JSON that cannot be read; the text itself is not shown.
        InvalidDirective: It begins with one `@`, and no directive has that name.
    """
    text = str(said.value)
    if not text.startswith("@"):
        return parse(key, annotation, text, said.origin)
    if text.startswith("@@"):
        return parse(key, annotation, text[1:], said.origin)
    if text == EMPTY:
        return parse(key, annotation, "", said.origin)
    name, colon, rest = text[1:].partition(":")
    if name == "unset" and not colon:
        return make_directive(key, name, True, said.origin)
    if not colon or name not in NAMES:
        raise InvalidDirective(key, "a text that begins with @ is written with two", origin=said.origin)
    return make_directive(key, name, _read_json(key, rest, said.origin), said.origin)


def parse(key: str, annotation: Any, text: str, origin: Origin | None) -> Any:
    """
    Read a text by the declared type of its field; never guessed from the text.

    Raises:
        InvalidValue: A truth value or JSON that cannot be read; the text itself is not shown.
    """
    kind = plain_type(annotation)
    if kind is bool:
        if text.lower() in TRUE | FALSE:
            return text.lower() in TRUE
        raise InvalidValue(key, "say true, 1, on, yes or false, 0, off, no", origin=origin)
    if _is_structured(kind):
        return _read_json(key, text, origin)
    if get_origin(kind) is Literal:
        return next((value for value in get_args(kind) if str(value) == text), text)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next((member.value for member in kind if str(member.value) == text), text)
    return text


def _read_json(key: str, text: str, origin: Origin | None) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # the second for a text of brackets only
        raise InvalidValue(key, "lists and maps are written as JSON", origin=origin) from None


def _is_structured(annotation: Any) -> bool:
    """Tell whether a type is a list, a map or a model, of any kind; a choice between several such types too."""
    kind = plain_type(annotation)
    container = get_origin(kind) or kind
    if container in (typing.Union, types.UnionType):
        return all(_is_structured(part) for part in get_args(kind) if part is not type(None))
    if not isinstance(container, type) or issubclass(container, (str, bytes, bytearray)):
        return False
    return issubclass(container, Collection) or hasattr(container, "model_fields") or is_dataclass(container)


def type_at(annotation: Any, path: Sequence[str]) -> Any:
    """Return the declared type of a part of a setting; Any where the type says nothing about its parts."""
    for name in path:
        kind = plain_type(annotation)
        declared = getattr(kind, "model_fields", {}).get(name)
        arguments = get_args(kind)
        if declared is not None:
            annotation = declared.annotation
        else:
            annotation = arguments[1] if len(arguments) == 2 and _is_structured(kind) else Any
    return annotation


def type_of_item(annotation: Any, position: int) -> Any:
    """Return the declared type of an item of a list; Any where the type says nothing about its items."""
    kind = plain_type(annotation)
    container, arguments = get_origin(kind), get_args(kind)
    if container is tuple and Ellipsis not in arguments:
        return arguments[position] if position < len(arguments) else Any
    is_list = isinstance(container, type) and issubclass(container, Collection) and not issubclass(container, Mapping)
    return arguments[0] if is_list and arguments else Any


def is_secret_type(annotation: Any) -> bool:
    """Tell whether a type hides its value: `SecretStr`, `SecretBytes`, `Secret[int]`, and these if optional."""
    return hasattr(plain_type(annotation), "get_secret_value")


def plain_type(annotation: Any) -> Any:
    """Take Optional and Annotated off a type."""
    while True:
        if get_origin(annotation) is typing.Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (typing.Union, types.UnionType):
            rest = [part for part in get_args(annotation) if part is not type(None)]
            if len(rest) != 1:
                return annotation
            annotation = rest[0]
        else:
            return annotation


def folded(key: str) -> str:
    """Return a key as the name of a variable spells it, where case is lost and `_` stands for `-` as well."""
    return key.lower().replace("-", "_")
