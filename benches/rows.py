"""A row of the table: what was measured, against which budget."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """
    One thing that was measured, with its budget if it has one.

    Attributes:
        name: What was measured.
        ratio: How many times its yardstick it took; in a row that counts, the count; None where it could not be had.
        budget: The most that `ratio` may be; None where it stands for comparison only, as other libraries do.
        detail: What stands behind the ratio, for a person: the yardstick, absolute times.
    """

    name: str
    ratio: float | None
    budget: float | None
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the budget is kept, if there is one."""
        return self.budget is None or (self.ratio is not None and self.ratio <= self.budget)

    def fields(self) -> dict[str, object]:
        """Return the row ready for JSON."""
        return {
            "name": self.name,
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "budget": self.budget,
            "ok": self.ok,
            "detail": self.detail,
        }
