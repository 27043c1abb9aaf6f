"""A graph as text for a terminal: a tree from what is registered down to what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from oneiric.containers.graph import Graph, Node, clean
from oneiric.containers.graph_rivals import Rival

IDLE = "not needed by anything registered"


def as_text(graph: Graph) -> str:
    """Return the tree: registered functions at the top, what they need below; a slot is opened up where it is first."""
    return "\n".join(_Tree(graph).lines())


class _Line(NamedTuple):
    """A node that is still to be written, and the line above it; `indent` begins the lines below it."""

    id: str
    mark: str = ""
    indent: str = ""
    above: _Line | None = None

    @property
    def is_circle(self) -> bool:
        """Whether the node stands above itself."""
        line = self.above
        while line is not None and line.id != self.id:
            line = line.above
        return line is not None


class _Tree:
    """The lines of one graph, and which nodes stand in them already."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.by_id = {node.id: node for node in graph.nodes}
        self.aliases: dict[str, list[str]] = {}
        self.below: dict[str, list[str]] = {}
        self.done: set[str] = set()
        for edge in graph.edges:
            if edge.kind == "alias":
                self.aliases.setdefault(edge.target, []).append(edge.source.removeprefix("alias "))
            else:
                self.below.setdefault(edge.source, []).append(edge.target)
        self.needed = {target for targets in self.below.values() for target in targets}

    def lines(self) -> Iterator[str]:
        graph = self.graph
        against = f"   against {graph.against}" if graph.against else ""
        yield clean(f"{graph.app}   profile {graph.profile}{against}   {' < '.join(graph.order)}")
        idle: list[str] = []
        for node in graph.nodes:
            if node.id in self.needed:
                continue
            if graph.part or node.kind != "adapter" or node.id in self.below:
                yield from self._tree(node.id)
            else:
                idle.append(node.id)
        for node in graph.nodes:
            if node.id in self.needed and node.id not in self.done:
                yield from self._tree(node.id)  # a circle that nothing outside of it needs
        if idle:
            yield IDLE
            for name in idle:
                yield from self._tree(name, "   ")
        yield from map(clean, graph.notes)

    def _tree(self, top: str, indent: str = "") -> Iterator[str]:
        """Walk down without recursion: a chain may be longer than the interpreter's stack."""
        work = [_Line(top, indent, indent)]
        while work:
            line = work.pop()
            node, below = self.by_id.get(line.id), self.below.get(line.id, ())
            if line.id in self.done:
                again = "" if not below else "  (again: a cycle)" if line.is_circle else "  (as above)"
                yield f"{line.mark}{self._named(line.id)}{again}"
                continue
            self.done.add(line.id)
            yield f"{line.mark}{self._named(line.id)}{self._told(node)}"
            losers = node.losers(ranked=True) if node is not None and self.graph.shadowed else []
            yield from _shadows(losers, line.indent, is_last=not below)
            work += self._branches(line, below)

    def _branches(self, line: _Line, below: Sequence[str]) -> Iterator[_Line]:
        """Yield what stands below a line, the last first, since the top of the work is done next."""
        for position, target in enumerate(reversed(below)):
            mark, indent = ("└─ ", "   ") if position == 0 else ("├─ ", "│  ")
            yield _Line(target, line.indent + mark, line.indent + indent, line)

    def _named(self, name: str) -> str:
        """Return what a line begins with: the node, and who fills it."""
        node = self.by_id.get(name)
        if node is None:
            return clean(name)
        if not node.is_slot:
            return clean(f"{node.kind} {node.name}")
        return clean(f"{node.name} = {_filled(node.winner, node.layer, node.problem)}")

    def _told(self, node: Node | None) -> str:
        """Return what a line goes on with where the node is opened up."""
        if node is None:
            return ""
        parts = [f"  scope {node.scope}"] if node.scope != "app" and node.is_slot else []
        if node.winner and node.problem:
            parts.append(f"  !{node.problem}")
        if node.elsewhere is not None:
            parts.append(f"  (under {self.graph.against}: {_filled(*node.elsewhere)})")
        losers = [] if self.graph.shadowed else [_loser(rival) for rival in node.losers()]
        if losers:
            parts.append(f"  (shadows {', '.join(losers)})")
        if aliases := self.aliases.get(node.id):
            parts.append(f"  (alias {', '.join(aliases)})")
        return clean("".join(parts))


def _filled(winner: str | None, layer: str | None, problem: str | None) -> str:
    if winner is not None:
        return f"{winner} [{layer}]"
    return f"nobody ({problem})" if problem else "nobody"


def _loser(rival: Rival) -> str:
    """Return a loser in one line with others; that a lower layer lost needs no word."""
    return f"{rival.value} [{rival.layer}]" + (f" {rival.reason}" if rival.reason != "lower-layer" else "")


def _shadows(losers: Sequence[Rival], indent: str, *, is_last: bool) -> Iterator[str]:
    """Yield losers as dashed branches; `is_last` where nothing else stands below the same line."""
    for position, rival in enumerate(losers):
        corner = "└╌" if is_last and position == len(losers) - 1 else "├╌"
        yield f"{indent}{corner} {clean(f'{rival.value} [{rival.layer}]  {rival.reason}')}"
