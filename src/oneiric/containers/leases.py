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


class LinkedLease(Lease):
    """
    The lease of a child: whoever holds it holds the parent's too, whose objects the child works with.

    Args:
        above: The parent's lease.
    """

    __slots__ = ("_own", "above")

    def __init__(self, above: Lease) -> None:
        self.above, self._own = above, 0
        super().__init__(above.generation)

    @property
    def root(self) -> Lease:
        """The lease of the application above all parents."""
        found = self.above
        while isinstance(found, LinkedLease):
            found = found.above
        return found

    @property
    def count(self) -> int:  # counted along with the parent
        """How many hold it."""
        return self._own

    @count.setter
    def count(self, count: int) -> None:
        self.above.count += count - self._own
        self._own = count


NO_LEASE = Lease()  # of calls that belong to no application
