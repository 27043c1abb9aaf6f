"""A child of an application, such as `app.adapters`: its providers are the application's own slots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from oneiric.core.errors import nearest
from oneiric.providers.engine import DynamicContainer
from oneiric.providers.slot import Slot


class ChildContainer(DynamicContainer):
    """One child of an application, such as `app.adapters`: its providers are the application's own slots."""

    def __init__(self, name: str, parts: Mapping[str, Slot[Any]]) -> None:
        super().__init__()
        self.name = name
        for part, slot in parts.items():
            self.place(part, slot)

    def find_late(self, name: str) -> Slot[Any] | None:
        """Return a slot that is known only now; the container that owns this child replaces it."""
        return None

    def place(self, name: str, slot: Slot[Any]) -> None:
        """Make a slot reachable: as an attribute, or below the slot of its first segment."""
        if name.isidentifier():
            setattr(self, name, slot)
        else:
            self.providers[name] = slot

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in {"providers", "name"}:
            raise AttributeError(name)
        if (late := self.find_late(name)) is not None:
            self.place(name, late)
            return late
        raise AttributeError(nothing_named(name, self.name, self.providers))


def nothing_named(name: str, child: str, known: Iterable[str]) -> str:
    """Return the message of an attribute that a child does not have."""
    near = nearest(name, known)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f'{child} has nothing named "{name}"{hint}'
