"""Directives: values that say how to combine with what lower layers say, instead of replacing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from oneiric.core.errors import InvalidDirective, InvalidValue
from oneiric.core.origins import Origin
from oneiric.core.sources import DIRECTIVE, is_directive

LIST_DIRECTIVES = ("append", "prepend", "remove")
NAMES = (*LIST_DIRECTIVES, "replace", "unset")


class Directive(NamedTuple):
    """
    One directive.

    Attributes:
        name: `append`, `prepend` and `remove` change the list below, `replace` stops the merge, and `unset` masks every
            layer below, down to the default of the code.
        value: The items, or what replaces; True for `unset`.
    """

    name: str
    value: Any  # items of a list, or whatever replaces

    def __repr__(self) -> str:
        return f"<directive {self.name}>"

    def applied(self, below: Sequence[Any]) -> list[Any]:
        """Return a list with the directive carried out."""
        if self.name == "append":
            return [*below, *self.value]
        if self.name == "prepend":
            return [*self.value, *below]
        return [item for item in below if item not in self.value]


def directive_of(key: str, value: Any, origin: Origin | None) -> Any:
    """
    Return the directive that a map stands for; any other value as it is.

    Raises:
        InvalidDirective: The map holds two directives, one beside plain keys, or one that does not exist.
        InvalidValue: A list directive holds no list.
    """
    if not isinstance(value, Mapping) or not is_directive(value):
        return value
    if len(value) > 1:
        said = ", ".join(sorted(f'"{name}"' for name in value if str(name).startswith(DIRECTIVE)))
        raise InvalidDirective(key, f"{said} does not stand alone in its map", origin=origin)
    name, inner = next(iter(value.items()))
    return make_directive(key, str(name).removeprefix(DIRECTIVE), inner, origin)


def make_directive(key: str, name: str, value: Any, origin: Origin | None) -> Directive:
    """
    Return a directive by its name.

    Raises:
        InvalidDirective: There is none of that name, or `unset` is given something else than true.
        InvalidValue: A list directive holds no list.
    """
    if name not in NAMES:
        raise InvalidDirective(key, f'there is no directive "{name[:40]}"', origin=origin)
    if name == "unset" and value is not True:
        raise InvalidDirective(key, "unset is given as true", origin=origin)
    if name in LIST_DIRECTIVES and not isinstance(value, (list, tuple)):
        raise InvalidValue(key, f"{name} takes a list", origin=origin)
    return Directive(name, value)
