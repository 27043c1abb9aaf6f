"""A row of the table: what was measured, against which budget."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """
    One measured budget.

    Attributes:
        name: What was measured.
        ratio: How many times its yardstick it took; in a row that counts, the count.
        budget: The most that `ratio` may be.
        detail: What stands behind the ratio, for a person: the yardstick, absolute times.
    """

    name: str
    ratio: float
    budget: float
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the budget is kept."""
        return self.ratio <= self.budget

    def fields(self) -> dict[str, object]:
        """Return the row ready for JSON."""
        return {
            "name": self.name,
            "ratio": round(self.ratio, 3),
            "budget": self.budget,
            "ok": self.ok,
            "detail": self.detail,
        }
