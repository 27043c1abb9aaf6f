"""Leases: who still works with the objects of a generation, so that these are not closed under their hands."""

from __future__ import annotations


class Lease:
    """
    Counts the calls, scopes and handles that hold one generation.

    A plain counter, since it is counted on every asynchronous injected call; it is read and written by the event loop
    of the application alone.

    Attributes:
        generation: The generation's number; None before the application runs.
        count: How many hold it.
    """

    __slots__ = ("count", "generation")

    def __init__(self, generation: int | None = None) -> None:
        self.generation = generation
        self.count = 0


NO_LEASE = Lease()  # of calls that belong to no application
