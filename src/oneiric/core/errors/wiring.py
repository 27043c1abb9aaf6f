"""A graph that cannot be: found by validation, before anything is built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from oneiric.core.errors.problem import OneiricError, Refused, did_you_mean
from oneiric.core.origins import Origin


class AmbiguousType(Refused):
    """Several slots have the type that a parameter asks for."""

    code = "ambiguous-type"

    def __init__(self, type_name: str, slots: Sequence[str], **where: Any) -> None:
        self.slots = tuple(slots)
        where.setdefault("fixes", tuple(f'Annotated[..., Named("{slot}")]' for slot in slots))
        super().__init__(f"several slots have the type {type_name}: {', '.join(slots)}", **where)


class WrongType(Refused):
    """What was bound to a slot does not fit the slot's declared type."""

    code = "wrong-type"

    def __init__(self, slot: str, wanted: str, given: str, *, missing: Sequence[str] = (), **where: Any) -> None:
        self.slot, self.missing = slot, tuple(missing)
        lacks = f"; it lacks {', '.join(missing)}" if missing else ""
        where.setdefault("path", (f"slot {slot}",))
        where.setdefault("fixes", (f"bind something that has the members of {wanted}",))
        super().__init__(f"slot {slot} takes {wanted}, not {given}{lacks}", **where)


class ClassOverride(Refused):
    """A class was overridden, where one application is meant."""

    code = "class-override"

    def __init__(self, owner: str, method: str) -> None:
        super().__init__(
            f"class {owner} cannot be overridden: applications that exist would not see it",
            fixes=(f"call it on one application: app.{method}({{...}})",),
        )


class DependencyCycle(Refused):
    """Slots that need each other in a circle."""

    code = "dependency-cycle"

    def __init__(self, cycle: Sequence[str], *, origin: Origin | None = None) -> None:
        self.cycle = tuple(cycle)
        super().__init__(
            f"these need each other: {' -> '.join(cycle)}",
            path=tuple(cycle),
            origin=origin,
            fixes=(f"let {cycle[-2]} not ask for {cycle[0]}",),
        )


class MissingDependency(Refused):
    """A parameter asks for a slot that the application does not have."""

    code = "missing-dependency"

    def __init__(self, wanted: str, *, known: Iterable[str] = (), searched: str = "", **where: Any) -> None:
        self.wanted = wanted
        where.setdefault(
            "fixes", (*did_you_mean(wanted, known), f"declare it: app.slot(...) or app.provide({_slot_name(wanted)!r})")
        )
        super().__init__(f'no slot fits "{wanted}"' + (f" ({searched})" if searched else ""), **where)


def _slot_name(wanted: str) -> str:
    """Return a name that a slot for this name or type may have: `order_book` for `OrderBook`."""
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", wanted)).strip("_").lower()


class ScopeLeak(Refused):
    """An object that lives long holds one that lives short."""

    code = "scope-leak"

    def __init__(self, holder: str, holder_scope: str, held: str, held_scope: str, **where: Any) -> None:
        where.setdefault("fixes", (f'give {holder} scope="{held_scope}"', f"ask for {held} in the handler instead"))
        super().__init__(f"{holder} (scope {holder_scope}) would hold {held} (scope {held_scope})", **where)


class AnnotationUnresolved(Refused):
    """A parameter's type exists only under TYPE_CHECKING, so its slot cannot be found by type."""

    code = "annotation-unresolved"

    def __init__(self, name: str, parameter: str, **where: Any) -> None:
        super().__init__(
            f'name "{name}" of parameter {parameter} exists only under TYPE_CHECKING',
            fixes=("import it", f'Annotated[{name}, Named("...")]'),
            **where,
        )


class InvalidApplication(Refused):
    """All the faults of one application, in one report."""

    code = "invalid-application"

    def __init__(self, name: str, faults: Sequence[OneiricError]) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"application {name} has {count}", fixes=("mend the faults that follow",))

    def __str__(self) -> str:
        return "\n".join([self.problem.text(), *(str(fault) for fault in self.faults)])
