"""The graph for Graphviz: statements that parse, labels that stay labels."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from oneiric.containers.graph import Graph, draw
from oneiric.containers.graph_diff import against
from oneiric.containers.graph_dot import as_dot
from tests.support.golden import check_golden
from tests.support.graphs import NASTY, large, nasty, shop
from tests.support.installed import installed

# https://graphviz.org/doc/info/lang.html: an identifier is a word, a number or a quoted text.
TOKEN = re.compile(r'\s*(?:(?P<id>"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|\d+)|(?P<sign>->|[{}\[\]=;,]))', re.DOTALL)


def different() -> Graph:
    """Return a graph that is held against another profile."""
    container = shop()
    return against(draw(container), container, "default")


GRAPHS = [
    pytest.param(draw(shop()), id="shop"),
    pytest.param(draw(shop())._replace(shadowed=True), id="shop-shadowed"),
    pytest.param(different(), id="shop-diff"),
    pytest.param(nasty(), id="nasty"),
    pytest.param(large(60), id="large"),
    pytest.param(Graph("a", "default", ("code",), (), (), notes=("nothing is declared",)), id="empty"),
]


def tokens(text: str) -> Iterator[str]:
    """Yield the tokens of a DOT text. Raises AssertionError at what is none."""
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        assert match is not None, f"no token at {text[position : position + 40]!r}"
        position = match.end()
        yield match["id"] or match["sign"]


def parsed(text: str) -> tuple[dict[str, dict[str, str]], list[tuple[str, str]]]:
    """Return the nodes with their attributes, and the edges; the grammar is the part of DOT that is written here."""
    words = list(tokens(text))
    assert words[:3] == ["digraph", "oneiric", "{"]
    assert words[-1] == "}"
    nodes: dict[str, dict[str, str]] = {}
    edges: list[tuple[str, str]] = []
    statement: list[str] = []
    for word in words[3:-1]:
        if word not in {";", "{", "}"}:
            statement.append(word)
            continue
        if statement and statement[1:2] == ["->"]:
            edges.append((statement[0], statement[2]))
        elif statement[1:2] == ["["] and statement[0] not in {"graph", "node"}:
            assert statement[-1] == "]"
            signs = [sign for sign in statement[2:-1] if sign != ","]
            nodes[statement[0]] = dict(zip(signs[::3], signs[2::3], strict=True))
        statement = []
    return nodes, edges


@pytest.mark.parametrize("name", ["shop", "shop-shadowed", "shop-diff"])
def test_the_picture_reads_as_its_golden(name: str) -> None:
    """Slots in the colour of their layer, losers dashed with the reason, faults in red, a legend."""
    graph = different() if name == "shop-diff" else draw(shop())._replace(shadowed=name == "shop-shadowed")

    check_golden(f"graph/{name}.dot", as_dot(graph))


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_statement_parses_and_every_edge_has_its_ends(graph: Graph) -> None:
    """An end that was never declared would become a node with its id for a label."""
    nodes, edges = parsed(as_dot(graph))

    assert {end for edge in edges for end in edge} - set(nodes) == set()
    assert len(nodes) >= len(graph.nodes)


def test_no_name_ends_its_label() -> None:
    """A quote, a backslash, an ampersand, a line end: what the label holds is the name, cleaned."""
    nodes, _ = parsed(as_dot(nasty()))

    held = nodes[next(name for name in nodes if name.startswith('"handler'))]["label"]
    assert held[1:-1].replace('\\"', '"').replace("\\\\", "\\").replace("&amp;", "&") == (
        "<img src=x onerror=\"document.title='gone'\"></script>'??[31m??&amp;`%%{init}%%\\"
    )
    assert NASTY not in as_dot(nasty())


def test_an_empty_picture_says_why() -> None:
    """The sentence is its caption."""
    text = as_dot(Graph("a", "default", ("code",), (), (), notes=("nothing has a problem",)))

    assert '  label="nothing has a problem";' in text.splitlines()


@pytest.mark.parametrize("graph", GRAPHS)
def test_graphviz_draws_it(graph: Graph) -> None:
    """What the test above reads by a part of the grammar, Graphviz reads by all of it."""
    program = installed("graphviz", "dot")

    done = subprocess.run(
        [program, "-Tsvg"], input=as_dot(graph), capture_output=True, encoding="utf-8", timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
