"""Parts of a graph: what is near a slot, the ways between two nodes, and the ways to what is at fault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from oneiric.containers.graph import Graph
from oneiric.core.errors import UnknownSlot

CHILD_OF = {"adapter": "adapters", "object": "services", "service": "services", "task": "tasks", "handler": "events"}

Steps = Mapping[str, Sequence[str]]


class Filters(NamedTuple):
    """
    What is wanted of a graph; what several of them want is in the answer.

    Attributes:
        slot: What this slot needs, and who uses it.
        depth: As far from that slot as this many steps, 0 or more; None for any number.
        path: The ways from the first of these nodes to the second.
        problems: What is at fault, and the ways there from what is registered.
    """

    slot: str | None = None
    depth: int | None = None
    path: tuple[str, str] | None = None
    problems: bool = False


def part_of(graph: Graph, filters: Filters) -> Graph:
    """
    Return the part of a graph that the filters let through; an empty one says in `notes` what was not found.

    Raises:
        UnknownSlot: A filter names neither a slot nor a registered function; the error offers the nearest names.
    """
    ends = filters.path and tuple(find_node(graph, name) for name in filters.path)
    middle = None if filters.slot is None else find_node(graph, filters.slot)
    if ends:
        graph = _between(graph, *ends)
    if middle is not None:
        graph = _near(graph, middle, filters.depth)
    if filters.problems:
        graph = _faulty(graph)
    return graph


def find_node(graph: Graph, name: str) -> str:
    """
    Return the id of a node by its name: `cache`, `adapters.cache`, an alias, a function's name, or the id itself.

    Raises:
        UnknownSlot: Nothing has that name; the error offers the nearest ones.
    """
    by_name: dict[str, str] = {}
    further = {node.id: node.id for node in graph.nodes}
    for node in sorted(graph.nodes, key=lambda node: not node.is_slot):  # a slot before a function of the same name
        by_name.setdefault(node.name, node.id)
        further.setdefault(f"{CHILD_OF[node.kind]}.{node.name}", node.id)
    for edge in graph.edges:
        if edge.kind == "alias":
            by_name.setdefault(edge.source.removeprefix("alias "), edge.target)
    found = by_name.get(name) or further.get(name)
    if found is None:
        raise UnknownSlot(name, known=by_name)
    return found


def _near(graph: Graph, middle: str, depth: int | None) -> Graph:
    down, up = _steps(graph)
    kept = _reached([middle], down, depth) | _reached([middle], up, depth)
    return _only(graph, kept, f"{middle} is on none of these ways")


def _between(graph: Graph, start: str, end: str) -> Graph:
    down, up = _steps(graph)
    kept = _reached([start], down) & _reached([end], up)
    return _only(graph, kept, f"no way leads from {start} to {end}")


def _faulty(graph: Graph) -> Graph:
    _, up = _steps(graph)
    kept = _reached([node.id for node in graph.nodes if node.problem], up)
    return _only(graph, kept, "nothing has a problem")


def _steps(graph: Graph) -> tuple[Steps, Steps]:
    """Return where one step leads from each node: to what it needs, and to who needs it."""
    down: dict[str, list[str]] = {}
    up: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind == "needs":
            down.setdefault(edge.source, []).append(edge.target)
            up.setdefault(edge.target, []).append(edge.source)
    return down, up


def _reached(starts: Iterable[str], steps: Steps, depth: int | None = None) -> set[str]:
    """Return all that can be reached in at most `depth` steps, with the starts themselves."""
    reached = set(starts)
    border, taken = reached, 0
    while border and (depth is None or taken < depth):
        border = {other for node in border for other in steps.get(node, ())} - reached
        reached |= border
        taken += 1
    return reached


def _only(graph: Graph, kept: Set[str], otherwise: str) -> Graph:
    """Return the graph with some of its nodes, the edges between them, and their aliases."""
    nodes = tuple(node for node in graph.nodes if node.id in kept)
    edges = tuple(e for e in graph.edges if e.target in kept and (e.kind == "alias" or e.source in kept))
    notes = graph.notes if nodes or not graph.nodes else (*graph.notes, otherwise)
    return graph._replace(nodes=nodes, edges=edges, part=True, notes=notes)
