"""A graph in the DOT language of Graphviz. Source of the grammar: https://graphviz.org/doc/info/lang.html."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oneiric.containers.graph import Graph, Node, clean
from oneiric.containers.graph_palette import FAULT, INK, PAINTS, Paint, paint_of


def as_dot(graph: Graph) -> str:
    """Return the graph: functions rounded, slots in the colour of their layer, losers dashed, faults in red."""
    return "\n".join(["digraph oneiric {", *(f"  {line}" for line in _statements(graph)), "}"])


def _statements(graph: Graph) -> Iterator[str]:
    font = f'fontname="Helvetica", fontcolor="{INK}"'
    yield f"graph [rankdir=LR, {font}]; node [shape=box, style=filled, fillcolor=white, {font}];"
    if graph.notes:
        yield f"label={_quoted(graph.notes)};"
    for node in graph.nodes:
        yield f"{_quoted([node.id])} [{_look(graph, node)}];"
    for edge in graph.edges:
        if edge.kind == "alias":
            name = edge.source.removeprefix("alias ")
            yield f"{_quoted([edge.source])} [label={_quoted(['alias', name])}, shape=ellipse];"
    for shadow in graph.shadows():
        rival, paint = shadow.rival, paint_of(shadow.rival.layer)
        label = _quoted([rival.value, f"{rival.layer}: {rival.reason}"])
        yield f'{_quoted([shadow.id])} [label={label}, style=dashed, color="{paint.line}"];'
        yield f"{_quoted([shadow.id])} -> {_quoted([shadow.of.id])} [style=dotted];"
    for edge in graph.edges:
        style = " [style=dashed]" if edge.kind == "alias" else ""
        yield f"{_quoted([edge.source])} -> {_quoted([edge.target])}{style};"
    yield from _legend({node.layer for node in graph.nodes if node.is_slot})


def _look(graph: Graph, node: Node) -> str:
    lines, paint = [node.name], paint_of(node.layer if node.is_slot else None)
    if node.is_slot:
        lines.append(f"{node.winner} ({node.layer})" if node.winner else "nobody")
    if node.problem:
        lines.append(f"! {node.problem}")
    if node.elsewhere is not None:
        winner, layer, problem = node.elsewhere
        lines.append(f"{graph.against}: " + (f"{winner} ({layer})" if winner else f"nobody ({problem})"))
    look = [f"label={_quoted(lines)}", _colours(paint, FAULT if node.problem else paint.line)]
    if not node.is_slot:
        look.append('style="filled,rounded"')
    if node.problem or node.elsewhere:
        look.append("penwidth=3")
    return ", ".join(look)


def _legend(layers: set[str | None]) -> Iterator[str]:
    """Yield a box with the layers that have a node, low to high as in the default profile."""
    shown = [(layer, paint) for layer, paint in PAINTS.items() if layer in layers]
    if shown:
        boxes = (f'"legend {layer}" [label={layer}, {_colours(paint, paint.line)}];' for layer, paint in shown)
        yield f"subgraph cluster_legend {{ label=layers; color=gray; {' '.join(boxes)} }}"


def _colours(paint: Paint, line: str) -> str:
    return f'fillcolor="{paint.fill}", color="{line}"'


def _quoted(lines: Sequence[str]) -> str:
    """
    Return lines as one quoted text: a backslash, a quote or an ampersand in a name stays a character of it.

    Graphviz reads character references of HTML, such as `&#10;`, in every label:
    https://graphviz.org/doc/info/attrs.html#k:escString.
    """
    safe = (clean(line).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(safe) + '"'
