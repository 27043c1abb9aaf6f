"""What a need is answered with: the slots that it means, and how their objects become the value of the parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from oneiric.containers.needs import Need
from oneiric.providers.slot import Slot


class Answer(NamedTuple):
    """
    The answer to one need.

    Attributes:
        need: What was asked for.
        slots: The slots that it means; none where it is optional and cannot be met, or where a type has no slots.
    """

    need: Need
    slots: tuple[Slot[Any], ...]

    @property
    def slot(self) -> Slot[Any] | None:
        """The only slot that it means; None where there is none."""
        return self.slots[0] if self.slots else None

    @property
    def inputs(self) -> tuple[Slot[Any], ...]:
        """The slots whose objects have to be there before the parameter can be given."""
        return () if self.need.is_lazy else self.slots

    def assemble(self, objects: Sequence[Any]) -> Any:  # objects of any type
        """Return the value of the parameter from the objects of `inputs`."""
        if self.need.shape == "list":
            return list(objects)
        if self.need.shape == "dict":
            return {slot.name: built for slot, built in zip(self.slots, objects, strict=True)}
        return objects[0] if objects else None
