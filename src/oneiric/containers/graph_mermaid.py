"""A graph as a Mermaid flowchart. Source of the syntax: https://mermaid.js.org/syntax/flowchart.html."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

from oneiric.containers.graph import Graph, Node, clean
from oneiric.containers.graph_palette import FAULT, INK, PAINTS, PAPER

READ_AS_TEXT = frozenset(
    " ._-/:,()[]=!"
)  # what a label may hold beside letters and digits; all else is written as a number


def as_mermaid(graph: Graph) -> str:
    """Return the graph: functions rounded, slots in the colour of their layer, losers dashed, faults in red."""
    return "\n".join(["flowchart LR", *(f"  {line}" for line in _statements(graph))])


def _statements(graph: Graph) -> Iterator[str]:
    ids = {name: f"n{position}" for position, name in enumerate(_names(graph))}
    layers: dict[str, list[str]] = {}
    plain: list[str] = []
    for node in graph.nodes:
        label = _label(_lines(graph, node))
        yield f'{ids[node.id]}["{label}"]' if node.is_slot else f'{ids[node.id]}(["{label}"])'
        if node.is_slot and node.layer in PAINTS:
            layers.setdefault(node.layer, []).append(ids[node.id])
        else:
            plain.append(ids[node.id])
    for name, short in ids.items():
        if name.startswith("alias "):
            yield f'{short}(["{_label([name])}"])'
            plain.append(short)
    for edge in graph.edges:
        yield f"{ids[edge.source]} {'-.->' if edge.kind == 'alias' else '-->'} {ids[edge.target]}"
    lost = []
    for position, shadow in enumerate(graph.shadows()):
        lost.append(f"l{position}")
        label = _label([f"{shadow.rival.value} ({shadow.rival.layer})", shadow.rival.reason or ""])
        yield f'{ids[shadow.of.id]} -. shadows .-> {lost[-1]}["{label}"]:::lost'
    for position, note in enumerate(graph.notes):
        yield f'note{position}["{_label([note])}"]'
    marked = {
        "plain": plain,
        "other": [ids[node.id] for node in graph.nodes if node.elsewhere],
        "fault": [ids[node.id] for node in graph.nodes if node.problem],
    }
    yield from _legend(layers)
    yield from _classes({**layers, **marked}, has_losers=bool(lost))


def _names(graph: Graph) -> list[str]:
    ends = {end for edge in graph.edges for end in (edge.source, edge.target)}
    return sorted({node.id for node in graph.nodes} | ends)


def _lines(graph: Graph, node: Node) -> list[str]:
    lines = [f"{node.name}: {node.winner or 'nobody'}", node.layer or ""] if node.is_slot else [node.name]
    if node.problem:
        lines.append(f"! {node.problem}")
    if node.elsewhere is not None:
        winner, layer, problem = node.elsewhere
        lines.append(f"{graph.against}: " + (f"{winner} ({layer})" if winner else f"nobody ({problem})"))
    return [line for line in lines if line]


def _legend(layers: Container[str]) -> Iterator[str]:
    """Yield a box with the layers that have a node, low to high as in the default profile."""
    shown = [layer for layer in PAINTS if layer in layers]
    if shown:
        yield "subgraph legend [layers]"
        yield from (f'  legend_{layer}["{layer}"]:::{layer}' for layer in shown)
        yield "end"
        yield f"style legend fill:{PAPER},stroke:{INK}"


def _classes(members: Mapping[str, Sequence[str]], *, has_losers: bool) -> Iterator[str]:
    """Yield the colours, and who has them; a later class overrules an earlier one."""
    looks = {
        "plain": f"fill:{PAPER},stroke:{INK},color:{INK}",
        **{layer: f"fill:{paint.fill},stroke:{paint.line},color:{INK}" for layer, paint in PAINTS.items()},
        "other": "stroke-width:4px",
        "fault": f"stroke:{FAULT},stroke-width:3px",
    }
    for name, look in looks.items():
        if members.get(name):
            yield f"classDef {name} {look}"
            yield f"class {','.join(members[name])} {name}"
    if has_losers:
        yield f"classDef lost fill:{PAPER},stroke:{INK},color:{INK},stroke-dasharray: 4 4"


def _label(lines: Sequence[str]) -> str:
    """
    Return lines as one quoted label.

    Each character that Mermaid, Markdown or HTML could read as its own is written as `#35;`: also a percent sign and
    a brace, since Mermaid looks for `%%{` directives in the whole text, whatever they stand in.
    """
    return "<br/>".join("".join(map(_character, clean(line))) for line in lines)


def _character(char: str) -> str:
    return char if char.isalnum() or char in READ_AS_TEXT else f"#{ord(char)};"
