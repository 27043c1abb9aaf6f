"""The graph as data: one sorted model of nodes and edges, equal bytes for equal graphs, and four renderings of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from oneiric.containers.index import Index, Record
from oneiric.containers.slots import Slots
from oneiric.containers.wiring import Wiring

SCHEMA = 1


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
        losers: Who else was named, as (name, layer), layers high to low.
        problem: The code of the fault that keeps it empty.
    """

    id: str
    kind: str
    name: str
    winner: str | None
    layer: str | None
    scope: str
    state: str
    losers: tuple[tuple[str, str], ...] = ()
    problem: str | None = None

    def fields(self) -> dict[str, Any]:
        """Return the node ready for JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "winner": self.winner,
            "layer": self.layer,
            "scope": self.scope,
            "state": self.state,
            "losers": [{"value": value, "layer": layer} for value, layer in self.losers],
            "problem": self.problem,
        }


class Arrow(NamedTuple):
    """`source` needs `target`, by the parameters named; or `source` is an alias of `target`."""

    source: str
    target: str
    kind: str = "needs"
    by: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Return the edge ready for JSON."""
        return {"from": self.source, "to": self.target, "kind": self.kind, "by": list(self.by)}


class Graph(NamedTuple):
    """All nodes and edges of one application."""

    app: str
    profile: str
    order: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Arrow, ...]

    def fields(self) -> dict[str, Any]:
        """Return the graph ready for JSON."""
        return {
            "schema": SCHEMA,
            "kind": "graph",
            "app": self.app,
            "profile": self.profile,
            "order": list(self.order),
            "nodes": [node.fields() for node in self.nodes],
            "edges": [edge.fields() for edge in self.edges],
        }

    def json(self) -> str:
        """Return the graph as JSON text, the same bytes for the same graph."""
        return json.dumps(self.fields(), ensure_ascii=False, separators=(",", ":"))


class Drawn(Protocol):
    """What drawing asks of a container."""

    name: str
    wiring: Wiring
    slots: Slots

    @property
    def index(self) -> Index:
        """The records of the state in force."""


def draw(container: Drawn) -> Graph:
    """Return the graph of a container."""
    index = container.index
    nodes = sorted((_node(record) for record in index.records.values()), key=lambda node: node.id)
    edges = {arrow for record in index.records.values() for arrow in _arrows(index, record)}
    aliases = {Arrow(f"alias {name}", f"slot {target}", "alias") for name, target in container.slots.aliases.items()}
    profile = container.wiring.stack.profile
    return Graph(container.name, profile.name, profile.order, tuple(nodes), tuple(sorted(edges | aliases)))


def _node(record: Record) -> Node:
    slot, layer = record.slot, record.layer
    below = slot.bindings[::-1] if layer == "code" else slot.bindings[-2::-1]
    losers = tuple([(other.label, other.layer) for other in below if other.layer != layer and other.layer != "code"])
    state = "ready" if slot.cell.is_built else "idle"
    problem = record.fault.code if record.fault else None
    return Node(record.node, slot.kind, slot.name, record.label, layer, slot.scope, state, losers, problem)


def _arrows(index: Index, record: Record) -> Iterator[Arrow]:
    by_slot: dict[str, list[str]] = {}
    for edge in record.edges:
        if edge.slot is not None:
            by_slot.setdefault(index.records[edge.slot].node, []).append(edge.need.parameter)
    for target, parameters in by_slot.items():
        yield Arrow(record.node, target, by=tuple(sorted(parameters)))


_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def clean(text: str) -> str:
    """Return a label without control characters, so that no name can write into a terminal or break a format."""
    return _UNSAFE.sub("?", text)


def as_text(graph: Graph) -> str:
    """Return the graph as a tree for a terminal: registered functions at the top, what they need below."""
    by_id = {node.id: node for node in graph.nodes}
    below: dict[str, list[str]] = {}
    for edge in graph.edges:
        below.setdefault(edge.source, []).append(edge.target)
    needed = {edge.target for edge in graph.edges}
    roots = [node.id for node in graph.nodes if node.id not in needed and (node.id in below or node.kind != "adapter")]
    lines = [f"{clean(graph.app)}   profile {graph.profile}   {' < '.join(graph.order)}"]
    for root in roots:
        lines.append(_line(by_id[root]))
        lines += _branch(root, below, by_id, "", {root})
    idle = [n for n in graph.nodes if n.id not in needed and n.id not in roots]
    if idle:
        lines.append("not needed by anything registered")
        lines += [f"   {_line(node)}" for node in idle]
    return "\n".join(lines)


def _branch(top: str, below: dict[str, list[str]], by_id: dict[str, Node], indent: str, way: set[str]) -> Iterator[str]:
    targets = below.get(top, [])
    for position, target in enumerate(targets):
        last = position == len(targets) - 1
        again = target in way
        line = _line(by_id[target]) if target in by_id else clean(target)
        yield f"{indent}{'└─' if last else '├─'} {line}{'  (again: a cycle)' if again else ''}"
        if not again:
            yield from _branch(target, below, by_id, indent + ("   " if last else "│  "), way | {target})


def _line(node: Node) -> str:
    if node.kind in {"handler", "task", "service"}:
        return clean(f"{node.kind} {node.name}")
    filled = f"{node.winner} [{node.layer}]" if node.winner else f"nobody ({node.problem})"
    scope = "" if node.scope == "app" else f"  scope {node.scope}"
    losers = ", ".join(f"{value} [{layer}]" for value, layer in node.losers)
    return clean(f"{node.name} = {filled}{scope}" + (f"  (shadows {losers})" if losers else ""))


def as_dot(graph: Graph) -> str:
    """Return the graph in the DOT language of Graphviz."""
    lines = ["digraph oneiric {", "  rankdir=LR; node [shape=box];"]
    for node in graph.nodes:
        text = f"{node.name}\n{node.winner or node.problem} ({node.layer})" if _is_slot(node) else node.name
        style = ", color=red" if node.problem else ""
        lines.append(f"  {_dot(node.id)} [label={_dot(text)}{style}];")
        for value, layer in node.losers:
            lost = f"{node.id} {value} {layer}"
            lines.append(f"  {_dot(lost)} [style=dashed, label={_dot(f'{value}{chr(10)}{layer}: lower-layer')}];")
            lines.append(f"  {_dot(lost)} -> {_dot(node.id)} [style=dotted];")
    for edge in graph.edges:
        style = " [style=dashed]" if edge.kind == "alias" else ""
        lines.append(f"  {_dot(edge.source)} -> {_dot(edge.target)}{style};")
    return "\n".join([*lines, "}"])


def _dot(text: str) -> str:
    parts = [clean(part).replace("\\", "\\\\").replace('"', '\\"') for part in text.split("\n")]
    return '"' + "\\n".join(parts) + '"'


def as_mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart."""
    ids = {name: f"n{n}" for n, name in enumerate(_names(graph))}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        text = f"{node.name}: {node.winner or node.problem}\n{node.layer}" if _is_slot(node) else node.name
        lines.append(f'  {ids[node.id]}["{_mermaid(text)}"]')
        for n, (value, layer) in enumerate(node.losers):
            lost = f"{ids[node.id]}_{n}"
            lines.append(f'  {ids[node.id]} -. shadows .-> {lost}["{_mermaid(f"{value} ({layer})")}"]:::lost')
    for name, short in ids.items():
        if name.startswith("alias "):
            lines.append(f'  {short}["{_mermaid(name)}"]')
    lines += [f"  {ids[edge.source]} --> {ids[edge.target]}" for edge in graph.edges]
    return "\n".join([*lines, "  classDef lost stroke-dasharray: 4 4"])


def _names(graph: Graph) -> list[str]:
    return sorted({node.id for node in graph.nodes} | {e.source for e in graph.edges} | {e.target for e in graph.edges})


def _mermaid(text: str) -> str:
    parts = (clean(part) for part in text.split("\n"))
    escapes = {"&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", ";": "#59;"}
    return "<br/>".join("".join(escapes.get(char, char) for char in part) for part in parts)


def _is_slot(node: Node) -> bool:
    return node.kind in {"adapter", "object"}
