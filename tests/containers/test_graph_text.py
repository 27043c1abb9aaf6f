"""The graph as text: a tree, each slot opened up once."""

from __future__ import annotations

from itertools import pairwise

import pytest

from oneiric.containers.graph import Arrow, Graph, Node, draw
from oneiric.containers.graph_diff import against
from oneiric.containers.graph_text import as_text
from tests.support.golden import check_golden
from tests.support.graphs import nasty, shop

ORDER = ("code", "env")


def small(*names: str, edges: tuple[Arrow, ...] = (), kind: str = "object") -> Graph:
    """Return a graph of slots."""
    nodes = tuple(Node(f"slot {name}", kind, name, name.upper(), "code", "app", "idle") for name in names)
    return Graph("small", "default", ORDER, nodes, edges)


@pytest.mark.parametrize("name", ["shop", "shop-shadowed", "shop-diff"])
def test_the_tree_reads_as_its_golden(name: str) -> None:
    """Functions at the top, what they need below; losers in the line, or below it where they were asked for."""
    container = shop()
    graph = draw(container)._replace(shadowed=name == "shop-shadowed")
    if name == "shop-diff":
        graph = against(graph, container, "default")

    check_golden(f"graph/{name}.text", as_text(graph))


def test_a_slot_that_two_need_is_opened_up_once() -> None:
    """Else a graph of diamonds would be written twice as long with every row."""
    edges = tuple(Arrow(f"slot {one}", f"slot {other}") for one, other in ("ac", "bc", "cd"))

    assert as_text(small(*"abcd", edges=edges)).splitlines()[1:] == [
        "a = A [code]",
        "└─ c = C [code]",
        "   └─ d = D [code]",
        "b = B [code]",
        "└─ c = C [code]  (as above)",
    ]


def test_a_circle_is_gone_around_once() -> None:
    """Also one that nothing outside of it needs."""
    edges = (Arrow("slot a", "slot b"), Arrow("slot b", "slot a"))

    assert as_text(small(*"ab", edges=edges)).splitlines()[1:] == [
        "a = A [code]",
        "└─ b = B [code]",
        "   └─ a = A [code]  (again: a cycle)",
    ]


def test_a_chain_may_be_longer_than_the_stack_of_the_interpreter() -> None:
    """Nothing here recurses."""
    names = [f"part_{number:04}" for number in range(2_000)]
    edges = tuple(Arrow(f"slot {one}", f"slot {other}") for one, other in pairwise(names))

    lines = as_text(small(*names, edges=edges)).splitlines()

    assert len(lines) == 2_001
    assert lines[-1].endswith("└─ part_1999 = PART_1999 [code]")


def test_adapters_that_nothing_needs_stand_apart() -> None:
    """An alias is no need; in a part of a graph nothing is said about who needs what."""
    edges = (Arrow("alias memo", "slot a", "alias"),)
    graph = small("a", edges=edges, kind="adapter")

    assert as_text(graph).splitlines()[1:] == ["not needed by anything registered", "   a = A [code]  (alias memo)"]
    assert as_text(graph._replace(part=True)).splitlines()[1:] == ["a = A [code]  (alias memo)"]


def test_what_nobody_fills_and_nobody_needs_is_no_fault() -> None:
    """The line says that nobody fills it, and names no code."""
    node = Node("slot a", "adapter", "a", None, None, "app", "idle")

    assert as_text(Graph("small", "default", ORDER, (node,), ())).splitlines()[-1] == "   a = nobody"


def test_what_was_not_found_stands_at_the_end() -> None:
    """An empty answer says why it is empty."""
    graph = Graph("small", "default", ORDER, (), (), notes=("nothing has a problem",))

    assert as_text(graph) == "small   profile default   code < env\nnothing has a problem"


def test_no_name_writes_into_the_terminal() -> None:
    """Every name stands in its own line, without terminal codes."""
    text = as_text(nasty())

    assert [char for char in "\x1b\u2028\u202e" if char in text] == []
    assert len(text.splitlines()) == 5
