"""The graph as data: one sorted model of nodes and edges, equal bytes for equal graphs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from oneiric.containers.graph_rivals import RANKED, Rival, quoted, rivals_of, silenced_rivals
from oneiric.containers.index import Index, Record
from oneiric.containers.slots import Slots
from oneiric.containers.wiring import Wiring
from oneiric.core.errors import DependencyCycle, OneiricError, ScopeLeak
from oneiric.core.origins import Origin

SCHEMA = 1
NO_LOSERS = frozenset([None])
SMALL_LOSERS = RANKED | NO_LOSERS
FUNCTIONS = frozenset({"handler", "service", "task"})


class Outcome(NamedTuple):
    """Who would fill a slot under another profile, by which layer; or the code of the fault that keeps it empty."""

    winner: str | None
    layer: str | None
    problem: str | None = None

    def fields(self) -> dict[str, str | None]:
        """Return it ready for JSON."""
        return {"winner": self.winner, "layer": self.layer, "problem": self.problem}


class Node(NamedTuple):  # made for every slot, twice as fast as a frozen dataclass
    """
    A slot or a registered function.

    Attributes:
        id: `slot cache`, `handler orders:reserve`.
        kind: `adapter`, `object`, `task`, `service` or `handler`.
        name: Its name.
        winner: Who fills it; None if nobody does.
        layer: The layer that decided.
        scope: `app`, `request` or `task`.
        state: `ready` where its object is built, else `idle`.
        rivals: Who else was named for it, or could have been, layers high to low.
        problem: The code of a fault that it has; what nobody fills and nobody needs has none.
        elsewhere: Who would fill it under the profile that the graph is held against; None if the same.
        origin: Where the winner was named; for a function, None.
    """

    id: str
    kind: str
    name: str
    winner: str | None
    layer: str | None
    scope: str
    state: str
    rivals: tuple[Rival, ...] = ()
    problem: str | None = None
    elsewhere: Outcome | None = None
    origin: Origin | None = None

    @property
    def is_slot(self) -> bool:
        """Whether it is a slot, and no registered function."""
        return self.kind not in FUNCTIONS

    def losers(self, *, ranked: bool = False) -> list[Rival]:
        """Return who lost, layers high to low; with `ranked`, also who lost in the ranking of the catalog."""
        left_out = NO_LOSERS if ranked else SMALL_LOSERS
        return [rival for rival in self.rivals if rival.reason not in left_out]

    def fields(self, *, ranked: bool = False) -> dict[str, Any]:
        """Return the node ready for JSON; `ranked` as in `losers`."""
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "winner": self.winner,
            "layer": self.layer,
            "scope": self.scope,
            "state": self.state,
            "losers": [rival.fields() for rival in self.losers(ranked=ranked)],
            "problem": self.problem,
            "elsewhere": self.elsewhere.fields() if self.elsewhere else None,
        }


class Arrow(NamedTuple):
    """`source` needs `target`, by the parameters named; or `source` is an alias of `target`, or shadows it."""

    source: str
    target: str
    kind: str = "needs"
    by: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Return the edge ready for JSON."""
        return {"from": self.source, "to": self.target, "kind": self.kind, "by": list(self.by)}


class Shadow(NamedTuple):
    """A loser drawn as a node of its own: `slot cache / 0` is the first one below slot cache."""

    id: str
    of: Node
    rival: Rival

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        said = self.rival.fields()
        return {"id": self.id, "kind": "shadowed", "name": said.pop("value"), **said}


class Graph(NamedTuple):
    """
    The nodes and edges of one application.

    Attributes:
        app: The application's name.
        profile: The profile in force.
        order: The layers that speak in it, low to high.
        nodes: Sorted by id.
        edges: Sorted.
        shadowed: Losers are nodes of their own, also those that lost in the ranking.
        against: The profile it is held against; None for none.
        part: It was filtered: what is not in it may exist.
        notes: Sentences about what was asked for and is not there.
    """

    app: str
    profile: str
    order: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Arrow, ...]
    shadowed: bool = False
    against: str | None = None
    part: bool = False
    notes: tuple[str, ...] = ()

    def shadows(self) -> Iterator[Shadow]:
        """Yield the losers of all nodes."""
        for node in self.nodes:
            for position, rival in enumerate(node.losers(ranked=self.shadowed)):
                yield Shadow(f"{node.id} / {position}", node, rival)

    def fields(self) -> dict[str, Any]:
        """Return the graph ready for JSON."""
        nodes = [node.fields(ranked=self.shadowed) for node in self.nodes]
        edges = [edge.fields() for edge in self.edges]
        if self.shadowed:
            shadows = list(self.shadows())
            nodes = sorted([*nodes, *(shadow.fields() for shadow in shadows)], key=lambda node: str(node["id"]))
            edges += [Arrow(shadow.of.id, shadow.id, "shadows").fields() for shadow in shadows]
        return {
            "schema": SCHEMA,
            "kind": "graph",
            "app": self.app,
            "profile": self.profile,
            "order": list(self.order),
            "against": self.against,
            "part": self.part,
            "notes": list(self.notes),
            "nodes": nodes,
            "edges": edges,
        }

    def json(self) -> str:
        """Return the graph as JSON text, the same bytes for the same graph."""
        if self.shadowed:
            return _dumped(self.fields())
        head = _dumped(self._replace(nodes=(), edges=()).fields()).removesuffix('"nodes":[],"edges":[]}')
        nodes = ",".join([_node_json(node) for node in self.nodes])
        return f'{head}"nodes":[{nodes}],"edges":{_dumped([edge.fields() for edge in self.edges])}}}'


def _dumped(fields: object) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _node_json(node: Node) -> str:
    """Return the JSON text of a node's fields, made without them: that takes half as long, and there are thousands."""
    name, kind, short, winner, layer, scope, state, rivals, problem, elsewhere, _ = node
    losers = ",".join([rival.json() for rival in rivals if rival.reason not in SMALL_LOSERS]) if rivals else ""
    return (
        f'{{"id":{quoted(name)},"kind":"{kind}","name":{quoted(short)},'
        f'"winner":{"null" if winner is None else quoted(winner)},"layer":{"null" if layer is None else _plain(layer)},'
        f'"scope":"{scope}","state":"{state}","losers":[{losers}],'
        f'"problem":{"null" if problem is None else _plain(problem)},'
        f'"elsewhere":{"null" if elsewhere is None else _dumped(elsewhere.fields())}}}'
    )


def _plain(word: str) -> str:
    """Return a word of our own as JSON: a layer or a code holds nothing that has to be quoted."""
    return f'"{word}"'


class Drawn(Protocol):
    """What drawing asks of a container."""

    name: str

    @property
    def wiring(self) -> Wiring:
        """Finds and builds."""

    @property
    def slots(self) -> Slots:
        """What is declared."""

    @property
    def index(self) -> Index:
        """The records of the state in force."""


def draw(container: Drawn, faults: Iterable[OneiricError] | None = None) -> Graph:
    """
    Return the graph of a container. Nothing is opened, and no secret is asked for.

    Args:
        container: The container.
        faults: What is wrong with it, to mark the nodes; the faults of its index by default.
    """
    index, stack = container.index, container.wiring.stack
    selection, silenced = stack.selection, silenced_rivals(stack)
    problems = _problems(index, index.faults() if faults is None else faults)
    nodes: list[Node] = []
    edges: list[Arrow] = []
    for slot, record in index.records.items():
        name, winner, kind = record.node, record.winner, slot.kind
        rivals: tuple[Rival, ...] = ()
        if kind not in FUNCTIONS:
            rivals = rivals_of(record, selection, silenced.get(slot, ()))
        nodes.append(
            Node(
                name,
                kind,
                slot.name,
                None if winner is None else winner.label,
                record.layer,
                slot.scope,
                "ready" if slot.cell.is_built else "idle",
                rivals,
                problems.get(name),
                None,
                None if winner is None else winner.said.origin,
            )
        )
        if record.edges:
            edges += _arrows(index, record)
    edges += [Arrow(f"alias {name}", f"slot {target}", "alias") for name, target in container.slots.aliases.items()]
    nodes.sort(key=itemgetter(0))  # the id
    profile = stack.profile
    notes = () if nodes else ("nothing is declared",)
    return Graph(container.name, profile.name, profile.order, tuple(nodes), tuple(sorted(edges)), notes=notes)


def _problems(index: Index, faults: Iterable[OneiricError]) -> Mapping[str, str]:
    """Return the code of one fault for each node at fault, by its id; of several, the first by name."""
    found: dict[str, str] = {}
    known: Set[str] = frozenset()
    for fault in faults:
        known = known or {record.node for record in index.records.values()}
        for node in _at_fault(fault, known):
            found[node] = min(found.get(node, fault.code), fault.code)
    return found


def _at_fault(fault: OneiricError, known: Set[str]) -> list[str]:
    """Return the nodes that a fault is about: all of a cycle, the holder of a leak, else the last of its path."""
    if isinstance(fault, DependencyCycle):
        return [node for name in fault.cycle if (node := f"slot {name}") in known]
    path = fault.path[:-1] if isinstance(fault, ScopeLeak) else fault.path
    return next(([step] for step in reversed(path) if step in known), [])


def _arrows(index: Index, record: Record) -> Iterator[Arrow]:
    by_slot: dict[str, list[str]] = {}
    for edge in record.edges:
        if edge.slot is not None:
            by_slot.setdefault(index.records[edge.slot].node, []).append(edge.need.parameter)
    for target, parameters in by_slot.items():
        yield Arrow(record.node, target, by=tuple(sorted(parameters)))


# Control characters, and those that change the direction of text: with them, a name could look like another one. Half
# characters as well, which a byte that is no UTF-8 becomes in an environment variable: no stream can write them.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Return a label without control characters, so that no name can write into a terminal or break a format."""
    return _UNSAFE.sub("?", text)
