"""The answer about an adapter's health, and the time limits of an adapter's life; light enough for every start."""

from __future__ import annotations

from dataclasses import dataclass

OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 5.0
HEALTH_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Health:
    """
    The answer of `health()`.

    Attributes:
        ok: The round trip worked.
        detail: One line for a person, without secrets; empty when there is nothing to say.
        latency_s: Seconds the round trip took, 0 or more.
    """

    ok: bool
    detail: str = ""
    latency_s: float = 0.0
