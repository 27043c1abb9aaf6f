"""What happens in a swap, as frozen objects; logs and the activity store are renderings of them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol

SwapStep = Literal["planned", "built", "healthy", "flipped", "drained", "closed", "failed"]


class SwapEvent(NamedTuple):
    """
    One step of a swap, of one slot.

    Attributes:
        step: What happened.
        generation: The generation that it leads to; for `failed` the one that stays.
        slot: The slot; empty where a change was refused before any slot was looked at.
        before: Who filled it.
        after: Who fills it.
        layer: The layer that says so.
        origin: The place where it says so.
        seconds: Since the swap began.
        error: The code of the error that ended it; None where it went on.
        cause: Why the swap was begun.
    """

    step: SwapStep
    generation: int
    slot: str
    before: str | None
    after: str | None
    layer: str | None
    origin: str | None
    seconds: float
    error: str | None = None
    cause: str = "swap"

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return self._asdict()


class Recorder(Protocol):
    """Keeps what happened; the activity store is one."""

    def record(self, event: SwapEvent) -> None:
        """Keep an event. It does not raise: what happened has happened."""
