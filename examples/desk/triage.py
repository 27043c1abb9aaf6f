"""How urgent a ticket is."""

from __future__ import annotations

URGENT_WORDS = ("down", "lost", "urgent")


class Triage:
    """
    Tells what is urgent.

    Args:
        words: A subject with one of them is urgent.
    """

    def __init__(self, words: tuple[str, ...] = URGENT_WORDS) -> None:
        self._words = words

    def priority(self, subject: str) -> str:
        """Return `urgent` or `normal`."""
        return "urgent" if set(self._words) & set(subject.casefold().split()) else "normal"


def triage() -> Triage:
    """Make the one triage of the application."""
    return Triage()
