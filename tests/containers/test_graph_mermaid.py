"""The graph as a Mermaid flowchart: one statement a line, labels that stay labels."""

from __future__ import annotations

import html
import re

import pytest

from oneiric.containers.graph import Graph, draw
from oneiric.containers.graph_diff import against
from oneiric.containers.graph_mermaid import as_mermaid
from tests.support.golden import check_golden
from tests.support.graphs import large, nasty, shop

LABEL = r'"(?P<label>[^"]*)"'
STATEMENTS = [
    re.compile(pattern)
    for pattern in (
        rf"\w+(?:\[{LABEL}\]|\(\[{LABEL.replace('label', 'round')}\]\))(?::::\w+)?",
        r"\w+ (?:-->|-\.->) \w+",
        rf"\w+ -\. shadows \.-> \w+\[{LABEL}\]:::lost",
        r"subgraph legend \[layers\]|end",
        r"(?:classDef|style) \w+ [\w#:, -]+",
        r"class \w+(?:,\w+)* \w+",
    )
]


def labels(text: str) -> list[str]:
    """Return the labels as they are shown. Raises AssertionError at a line that is no statement."""
    first, *lines = text.splitlines()
    assert first == "flowchart LR"
    found = []
    for line in lines:
        match = next(filter(None, (statement.fullmatch(line.strip()) for statement in STATEMENTS)), None)
        assert match is not None, f"no statement: {line}"
        found += [shown(label) for label in match.groupdict().values() if label is not None]
    return found


def shown(label: str) -> str:
    """Return a label as Mermaid shows it. Source: "Entity codes" of the syntax page."""
    return html.unescape(re.sub(r"#(\d+);", r"&#\1;", label).replace("<br/>", "\n"))


@pytest.mark.parametrize("name", ["shop", "shop-shadowed", "shop-diff"])
def test_the_chart_reads_as_its_golden(name: str) -> None:
    """Slots in the colour of their layer, losers dashed with the reason, faults in red, a legend."""
    container = shop()
    graph = draw(container)._replace(shadowed=name == "shop-shadowed")
    if name == "shop-diff":
        graph = against(graph, container, "default")

    check_golden(f"graph/{name}.mermaid", as_mermaid(graph))


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(draw(shop()), id="shop"),
        pytest.param(nasty(), id="nasty"),
        pytest.param(large(60), id="large"),
        pytest.param(Graph("a", "default", ("code",), (), (), notes=("nothing is declared",)), id="empty"),
    ],
)
def test_every_line_is_one_statement(graph: Graph) -> None:
    """No name ends its label, begins a line, or stands where Mermaid would read it as its own."""
    assert len(labels(as_mermaid(graph))) >= len(graph.nodes)


def test_a_name_is_shown_as_it_is() -> None:
    """What could be markup, Markdown or a directive is written by number, and read as a sign again."""
    text = as_mermaid(nasty())

    assert "%%{" not in text
    assert "<img" not in text
    assert labels(text)[0] == "<img src=x onerror=\"document.title='gone'\"></script>'??[31m??&amp;`%%{init}%%\\"


def test_an_empty_chart_says_why() -> None:
    """A chart without nodes would not be drawn at all."""
    text = as_mermaid(Graph("a", "default", ("code",), (), (), notes=("nothing has a problem",)))

    assert labels(text) == ["nothing has a problem"]
