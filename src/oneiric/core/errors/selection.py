"""A slot, a profile or a choice of adapter that cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from oneiric.core.errors.problem import Refused, did_you_mean, install_line, nearest
from oneiric.core.origins import EnvOrigin, Origin


class UnknownSlot(Refused):
    """A name, or a type, that no slot has."""

    code = "unknown-slot"

    def __init__(self, name: str, *, known: Iterable[str] = (), **where: Any) -> None:
        self.name = name
        where.setdefault("fixes", did_you_mean(name, known))
        super().__init__(f'no slot is named "{name}"', **where)


class UnknownProfile(Refused):
    """A profile that is neither built in nor defined."""

    code = "unknown-profile"

    def __init__(self, name: str, *, known: Iterable[str], origin: Origin | None = None) -> None:
        self.name = name
        names = sorted(known)
        fixes = (*(f"did you mean {n}?" for n in nearest(name, names, most=1)), f"choose one of: {', '.join(names)}")
        super().__init__(f'no profile is named "{name}"', origin=origin, fixes=fixes)


class SelectionUnknown(Refused):
    """A layer chose an adapter that the category does not have."""

    code = "selection-unknown"

    def __init__(self, slot: str, adapter: str, *, known: Iterable[str], origin: Origin | None, hint: str = "") -> None:
        self.slot, self.adapter = slot, adapter
        super().__init__(
            f'slot {slot}: "{adapter}" chosen by {origin} is none of its adapters{hint}; '
            "a named choice never falls through",
            path=(f"slot {slot}",),
            origin=origin,
            fixes=did_you_mean(adapter, known),
        )


class SelectionNotInstalled(Refused):
    """A layer chose an adapter whose extra is absent."""

    code = "selection-not-installed"

    def __init__(self, slot: str, adapter: str, extra: str, *, others: Iterable[str], origin: Origin | None) -> None:
        self.slot, self.adapter, self.extra = slot, adapter, extra
        undo = f"unset {origin}" if isinstance(origin, EnvOrigin) else f"take the choice out of {origin}"
        able = sorted(others)
        super().__init__(
            f'slot {slot}: "{adapter}" chosen by {origin} needs the extra {extra}; a named choice never falls through',
            path=(f"slot {slot}",),
            origin=origin,
            fixes=(install_line(extra), undo, *([f"choose one of: {', '.join(able)}"] if able else [])),
        )


class SelectionDenied(Refused):
    """A layer chose an adapter that the profile denies."""

    code = "selection-denied-by-profile"

    def __init__(self, slot: str, adapter: str, *, denied_at: Origin | None, origin: Origin | None) -> None:
        self.slot, self.adapter = slot, adapter
        super().__init__(
            f'slot {slot}: "{adapter}" chosen by {origin} is denied by {denied_at}; only an override may use it',
            path=(f"slot {slot}",),
            origin=origin,
            fixes=(f"choose another adapter for {slot}", f"take {adapter} off the deny list"),
        )


class SelectionMissingCapability(Refused):
    """A layer chose an adapter that lacks a capability the slot asks for."""

    code = "selection-missing-capability"

    def __init__(
        self, slot: str, adapter: str, missing: Iterable[str], *, others: Iterable[str], origin: Origin | None
    ) -> None:
        self.slot, self.adapter, self.missing = slot, adapter, tuple(sorted(missing))
        able = sorted(others)
        super().__init__(
            f'slot {slot}: "{adapter}" chosen by {origin} lacks {", ".join(self.missing)}',
            path=(f"slot {slot}",),
            origin=origin,
            fixes=(f"choose one of: {', '.join(able)}",) if able else ("ask the slot for fewer capabilities",),
        )


class AmbiguousSlot(Refused):
    """Nobody chose, and several adapters share the highest priority."""

    code = "ambiguous-slot"

    def __init__(self, slot: str, tied: Sequence[tuple[str, Origin | None]], *, priority: int) -> None:
        self.slot = slot
        names = [name for name, _ in tied]
        said = " and ".join(f"{name} ({origin})" for name, origin in tied)
        super().__init__(
            f"slot {slot}: {said} have the same priority {priority}, and no layer chooses",
            path=(f"slot {slot}",),
            fixes=tuple(f"ONEIRIC_SELECT__{slot.upper().replace('.', '__')}={name}" for name in names),
        )


class NoCandidate(Refused):
    """No layer chose, and no adapter is left that could fill the slot."""

    code = "no-candidate"

    def __init__(self, slot: str, *, losers: Sequence[tuple[str, str]] = (), **where: Any) -> None:
        self.slot = slot
        why = "; ".join(f"{name}: {reason}" for name, reason in losers) or "no adapter is declared for it"
        where.setdefault("path", (f"slot {slot}",))
        where.setdefault("fixes", (f"app.override({{{slot!r}: ...}})", f"add an adapter for {slot}"))
        super().__init__(f"slot {slot}: no layer chooses an adapter and none can be taken by itself ({why})", **where)
