"""
A graph as one HTML page: search, click a node for its stack, follow the ways through it.

The page asks the network for nothing, and its own policy forbids it. What it shows is data in one JSON record; the
script sets every name as text. Template, style and script are files beside this one, so that each can be read as such.
"""

from __future__ import annotations

import html
import json
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Any

from oneiric.containers.graph import Graph, Node, clean
from oneiric.containers.graph_palette import PAINTS
from oneiric.containers.graph_rivals import Rival
from oneiric.core.origins import FileOrigin, ManifestOrigin, Origin
from oneiric.core.profiles import LAYERS

# What would end the script element, or begin another one: https://html.spec.whatwg.org/#restrictions-for-contents-of-script-elements
_MARKUP = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def as_html(graph: Graph) -> str:
    """Return the page; it is plain ASCII, so that no terminal or file can change a character of it."""
    assets = files(__package__)
    names = ("graph_page.html", "graph_page.css", "graph_page_layout.js", "graph_page.js")
    template, style, *scripts = ((assets / name).read_text("utf-8") for name in names)
    script = "\n".join(scripts)
    return Template(template).substitute(
        policy=f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "base-uri 'none'; form-action 'none'",
        title=html.escape(clean(f"{graph.app}: graph")).encode("ascii", "xmlcharrefreplace").decode("ascii"),
        style=style,
        script=script,
        record=json.dumps(_record(graph), separators=(",", ":")).translate(_MARKUP),
    )


def _digest(text: str) -> str:
    """Return how a policy names one inline script or style. Source: CSP Level 3, section 6.7.3.3."""
    return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _record(graph: Graph) -> dict[str, Any]:  # JSON
    """Return what the script draws; nodes are known by their place in the list, so that equal labels stay apart."""
    place = {node.id: position for position, node in enumerate(graph.nodes)}
    aliases: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind == "alias":
            aliases.setdefault(edge.target, []).append(clean(edge.source.removeprefix("alias ")))
    return {
        "app": clean(graph.app),
        "profile": clean(graph.profile),
        "against": graph.against and clean(graph.against),
        "part": graph.part,
        "shadowed": graph.shadowed,
        "notes": [clean(note) for note in graph.notes],
        "order": list(graph.order),
        "layers": {
            name: {"fill": PAINTS[name].fill, "line": PAINTS[name].line, "silent": name not in graph.order}
            for name in (*graph.order, *(layer for layer in LAYERS if layer not in graph.order))
        },
        "nodes": [_node(node, aliases.get(node.id, [])) for node in graph.nodes],
        "edges": [
            [place[edge.source], place[edge.target], [clean(name) for name in edge.by]]
            for edge in graph.edges
            if edge.kind == "needs" and edge.source in place and edge.target in place
        ],
    }


def _node(node: Node, aliases: list[str]) -> dict[str, Any]:  # JSON
    return {
        "id": clean(node.id),
        "kind": node.kind,
        "slot": node.is_slot,
        "name": clean(node.name),
        "winner": node.winner and clean(node.winner),
        "layer": node.layer,
        "origin": _place(node.origin),
        "scope": node.scope,
        "state": node.state,
        "problem": node.problem,
        "elsewhere": node.elsewhere and [part and clean(part) for part in node.elsewhere],
        "aliases": aliases,
        "rivals": [_rival(rival) for rival in node.rivals],
    }


def _rival(rival: Rival) -> dict[str, Any]:  # JSON
    return {
        "value": clean(rival.value),
        "layer": rival.layer,
        "status": rival.status,
        "reason": rival.reason,
        "ranked": rival.is_ranked,
        "origin": _place(rival.origin),
        "detail": rival.detail and clean(rival.detail),
    }


def _place(origin: Origin | None) -> str:
    """Return where a choice was made: in a file by its key, since finding a line reads the whole file each time."""
    if isinstance(origin, FileOrigin):
        return clean(f"{origin.path} {origin.key}")
    if isinstance(origin, ManifestOrigin):
        return clean(f"{origin.name}@{origin.version} {origin.key}")
    return clean(str(origin or ""))
