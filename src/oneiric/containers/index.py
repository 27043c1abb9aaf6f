"""
The index: plain records of all slots, who fills them and who needs whom. Validation, explain and graph read it.

It builds no object and opens nothing. A cycle is found here, before any provider is linked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from oneiric.containers.needs import Need
from oneiric.containers.scopes import DEPTH
from oneiric.core.errors import DependencyCycle, OneiricError, ScopeLeak, SelectionMissingCapability
from oneiric.core.origins import CodeOrigin
from oneiric.providers.slot import Binding, Slot


class Edge(NamedTuple):
    """One need: who asks, by which parameter, and the slot that answers; None where none does."""

    need: Need
    slot: Slot[Any] | None
    fault: OneiricError | None = None

    @property
    def held(self) -> Slot[Any] | None:
        """The slot whose object is held by who asks; None where it is looked up or made later."""
        return None if self.need.is_lazy else self.slot


@dataclass(slots=True)
class Record:
    """
    One slot or registered function.

    Attributes:
        slot: The slot.
        winner: The binding that fills it; None where nobody does.
        fault: Why nobody fills it.
        heard: The layer that speaks of it last, where nobody fills it.
        edges: What it needs, as soon as that was read.
        is_read: Whether it was, since somebody uses the slot.
    """

    slot: Slot[Any]
    winner: Binding | None = None
    fault: OneiricError | None = None
    heard: str | None = None
    edges: Sequence[Edge] = ()
    is_read: bool = False

    @property
    def held(self) -> list[Slot[Any]]:
        """The slots whose objects it holds."""
        return [edge.held for edge in self.edges if edge.held is not None]

    @property
    def label(self) -> str | None:
        """Who fills it: an adapter's name or a function; None where nobody does."""
        return None if self.winner is None else self.winner.label

    @property
    def layer(self) -> str | None:
        """The layer that decided; None where nothing could be decided."""
        return self.heard if self.winner is None else self.winner.layer

    @property
    def node(self) -> str:
        """Its name among all nodes: `slot cache`, `handler orders:reserve`."""
        kind = self.slot.kind
        return f"{kind if kind not in {'adapter', 'object'} else 'slot'} {self.slot.name}"


class Source(Protocol):
    """What the index asks of a container."""

    def every_slot(self) -> Sequence[Slot[Any]]:
        """Return every slot and registered function."""

    def look(self, slot: Slot[Any]) -> tuple[Binding | None, OneiricError | None]:
        """Return the binding that fills a slot, or the fault that keeps it from one."""

    def voices(self, slot: Slot[Any]) -> Sequence[Binding]:
        """Return what layers say about a slot, high to low."""

    def asks(self, slot: Slot[Any]) -> Mapping[str, Need]:
        """Return what the slot's winner needs, by parameter; its class is imported for that."""

    def match(self, need: Need) -> tuple[tuple[Slot[Any], ...], OneiricError | None]:
        """Return the slots that a need means, or the fault that keeps it from them."""

    def lacks(self, slot: Slot[Any], need: Need) -> frozenset[str]:
        """Return the capabilities that a need asks for and the slot's winner does not have."""


class Index:
    """
    The records of one state of a container.

    Args:
        source: The container.
        before: The index of another state of it, of which all that is the same is taken; that one stays as it is.
        changed: The slots that layers, or decorations, speak of otherwise than there.

    Attributes:
        records: One for each slot and registered function, in the order of declaration.
        used: What somebody needs.
    """

    def __init__(self, source: Source, before: Index | None = None, changed: Iterable[Slot[Any]] = ()) -> None:
        self._users: dict[Slot[Any] | None, list[tuple[Record, Need]]] | None = None
        touched = source.every_slot() if before is None else before._touched_by(changed)
        self.records: dict[Slot[Any], Record] = {} if before is None else dict(before.records)
        self.records.update((slot, _looked_at(source, slot)) for slot in touched)
        self._own = set(touched)
        self._roots = {slot: None for slot in touched if slot.kind != "adapter" or slot.eager}
        if before is not None:  # a slot may have become eager, and never ceases to be
            self._roots = before._roots | self._roots
        self.used = set(self._roots)
        work = list(self._roots)
        while work:  # only what is reached has its needs read: an adapter nobody uses is never imported
            record = self.records[work.pop()]
            if not record.is_read:
                record = self._read_own(source, record)
            for edge in record.edges:
                if edge.slot is not None and edge.slot not in self.used:
                    self.used.add(edge.slot)
                    work.append(edge.slot)
        self._turned: set[Slot[Any]] = set()  # who holds other slots than before
        if before is not None:
            self.records.update((slot, _looked_at(source, slot)) for slot in before.used - self.used)
            had = before.records
            self._turned = {slot for slot in self._own if slot not in had or self.records[slot].held != had[slot].held}
            del before, had  # a fault that is chained to an exception holds this frame

    @property
    def fresh(self) -> list[Slot[Any]]:
        """The slots of which the records were made for this index: no other has another fault than before."""
        return [slot for slot in self.records if slot in self._own]

    def rebind(self, source: Source, slots: Iterable[Slot[Any]]) -> None:
        """Take the bindings of a container that is in this state now; they say the same as those it was made of."""
        for slot in slots:
            if slot in self._own:
                self.records[slot].winner = source.look(slot)[0]

    def _touched_by(self, changed: Iterable[Slot[Any]]) -> list[Slot[Any]]:
        """Return the slots whose records are others when some slots have other winners."""
        users = self._all_users()
        asking = [record.slot for slot in changed for record, need in users.get(slot, ()) if need.is_choosy]
        unanswered = [record.slot for record, _ in users.get(None, ())]
        return list(dict.fromkeys([*changed, *asking, *unanswered]))

    def _read_own(self, source: Source, record: Record) -> Record:
        """Read the needs of a record, or of a copy of one that belongs to the index before."""
        if record.slot not in self._own:
            self._own.add(record.slot)
            record = self.records[record.slot] = Record(record.slot, record.winner, record.fault, record.heard)
        if record.fault is None:
            self._read(source, record)
        return record

    def _read(self, source: Source, record: Record) -> None:
        edges: list[Edge] = []
        record.is_read = True
        try:
            needs = source.asks(record.slot)
        except OneiricError as error:  # its class cannot be imported
            error.origin = error.origin or (record.winner.origin if record.winner is not None else None)
            record.fault = error.with_traceback(None)  # its frames hold what the index was made from
            return
        for need in needs.values():
            slots, fault = source.match(need)
            for slot in slots:
                if slot not in self.records:  # its category belongs to another distribution, and was not known before
                    self._own.add(slot)
                    self.records[slot] = _looked_at(source, slot)
                if self.records[slot].fault is None and (missing := source.lacks(slot, need)):
                    label = self.records[slot].label or "?"
                    fault = SelectionMissingCapability(slot.name, label, missing, others=(), origin=CodeOrigin(need.at))
                edges.append(Edge(need, slot, fault))
            if not slots:
                edges.append(Edge(need, None, fault))
        record.edges = edges

    def read(self, source: Source, slot: Slot[Any]) -> Record:
        """Return the record of a slot with its needs, also of one that nothing reaches."""
        record = self.records[slot]
        if slot not in self.used and record.fault is None:
            record = Record(slot, record.winner)  # another one: that somebody asked makes nobody a user of it
            self._read(source, record)
        return record

    def users(self, slot: Slot[Any]) -> list[tuple[Record, Need]]:
        """Return who needs a slot, sorted."""
        return sorted(self._all_users().get(slot, ()), key=lambda user: (user[0].node, user[1].at))

    def _all_users(self) -> Mapping[Slot[Any] | None, Sequence[tuple[Record, Need]]]:
        """Return who needs each slot, and under None whose needs no slot answers."""
        if self._users is None:
            users: dict[Slot[Any] | None, list[tuple[Record, Need]]] = {}
            for record in self.records.values():
                for edge in record.edges:
                    users.setdefault(edge.slot, []).append((record, edge.need))
            self._users = users  # not before it is whole: another thread may ask as well
        return self._users

    def path_to(self, slot: Slot[Any]) -> tuple[str, ...]:
        """Return a way from a registered function down to a slot: `handler x`, `slot sessions`, `slot cache`."""
        way = [self.records[slot].node]
        seen = {slot}
        while users := [user for user in self.users(slot) if user[0].slot not in seen]:
            slot = users[0][0].slot
            seen.add(slot)
            way.append(users[0][0].node)
        return tuple(reversed(way))

    def faults(self, among: Collection[Slot[Any]] | None = None) -> Iterator[OneiricError]:
        """Yield the faults: what nobody fills, what is missing, cycles and scope leaks; of some slots, or of all."""
        slots = self.records if among is None else among
        for slot in slots:
            record = self.records[slot]
            if record.fault is not None and (slot in self.used or _was_asked_for(record)):
                record.fault.path = self.path_to(slot) if slot in self.used else record.fault.path
                yield record.fault
            for edge in record.edges:
                if edge.fault is not None:
                    edge.fault.path = (*self.path_to(slot), edge.need.at)
                    edge.fault.origin = edge.fault.origin or CodeOrigin(edge.need.site)
                    yield edge.fault
        yield from self._cycles(slots if among is None else [slot for slot in slots if slot in self._turned])
        yield from self._leaks(slots)

    def _cycles(self, slots: Iterable[Slot[Any]]) -> Iterator[OneiricError]:
        """Search in depth, without recursion: a chain may be longer than the interpreter's stack."""
        done: set[Slot[Any]] = set()
        for start in slots:  # in the order of declaration, so that every process tells the same cycle
            if start in done or start not in self.used:
                continue
            way: list[Slot[Any]] = [start]
            on_way = {start}
            work = [iter(self.records[start].edges)]
            while work:
                edge = next(work[-1], None)
                if edge is None:
                    work.pop()
                    done.add(way[-1])
                    on_way.discard(way.pop())
                elif edge.held is None or edge.held in done:
                    continue
                elif edge.held in on_way:
                    yield self._cycle(way[way.index(edge.held) :], edge.need)
                else:
                    way.append(edge.held)
                    on_way.add(edge.held)
                    work.append(iter(self.records[edge.held].edges))

    def _cycle(self, ring: list[Slot[Any]], need: Need) -> DependencyCycle:
        """Return a cycle as an error that begins at the slot declared first, wherever the search came upon it."""
        first = ring.index(next(slot for slot in self.records if slot in ring))
        names = [slot.name for slot in (*ring[first:], *ring[: first + 1])]
        return DependencyCycle(names, origin=CodeOrigin(need.site))

    def _leaks(self, slots: Iterable[Slot[Any]]) -> Iterator[OneiricError]:
        for record in map(self.records.__getitem__, slots):
            if record.slot.kind not in {"adapter", "object"}:
                continue  # functions run inside a scope of their own
            for edge in record.edges:
                held = edge.held
                if held is not None and DEPTH[held.scope] > DEPTH[record.slot.scope]:
                    yield ScopeLeak(
                        f"slot {record.slot.name}",
                        record.slot.scope,
                        f"slot {held.name}",
                        held.scope,
                        path=(*self.path_to(record.slot), f"slot {held.name}"),
                        origin=CodeOrigin(edge.need.site),
                    )

    def opened_by(self, roots: Sequence[Record]) -> set[Slot[Any]]:
        """Return the slots that functions lead to by handles as well; what a factory makes is not among them."""
        found: set[Slot[Any]] = set()
        work = list(roots)
        while work:
            for edge in work.pop().edges:
                if edge.slot is None or edge.slot in found:
                    continue
                if edge.need.shape != "factory":
                    found.add(edge.slot)
                work.append(self.records[edge.slot])
        return found

    def levels(self, wanted: Sequence[Slot[Any]]) -> list[list[Slot[Any]]]:
        """Return the slots to open, those that need nothing first; each level needs only earlier ones."""
        depth: dict[Slot[Any], int] = {}
        for start in wanted:
            work = [start]
            while work:
                slot = work[-1]
                below = self.records[slot].held
                open_first = [other for other in below if other not in depth]
                if open_first:
                    work.extend(open_first)
                    continue
                depth[slot] = 1 + max((depth[other] for other in below), default=-1)
                work.pop()
        levels: list[list[Slot[Any]]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
        for slot, level in depth.items():
            levels[level].append(slot)
        return levels


def _looked_at(source: Source, slot: Slot[Any]) -> Record:
    winner, fault = source.look(slot)
    heard = source.voices(slot) if winner is None else ()
    return Record(slot, winner, fault, heard[0].layer if heard else None)


def _was_asked_for(record: Record) -> bool:
    """Tell whether a fault matters though nobody needs the slot: a layer or the application spoke about it."""
    return record.layer is not None or bool(record.slot.at)
