"""Parts of a graph: what is near, what lies between, what is at fault."""

from __future__ import annotations

import pytest

from oneiric.containers.graph import Arrow, Graph, Node, draw
from oneiric.containers.graph_filters import Filters, find_node, part_of
from oneiric.core.errors import UnknownSlot
from tests.support.graphs import shop


def kept(filters: Filters, graph: Graph | None = None) -> list[str]:
    """Return the ids of what is left."""
    return [node.id for node in part_of(graph or draw(shop()), filters).nodes]


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        pytest.param(
            Filters(slot="basket"),
            ["handler reserve", "slot basket", "slot cache", "slot cache.sessions", "slot prices", "slot till"],
            id="what a slot needs and who uses it",
        ),
        pytest.param(Filters(slot="basket", depth=1), ["slot basket", "slot prices", "slot till"], id="one step"),
        pytest.param(Filters(slot="basket", depth=0), ["slot basket"], id="no step"),
        pytest.param(Filters(slot="cache.flags"), ["slot cache.flags", "task report"], id="a leaf"),
        pytest.param(Filters(slot="cache.idle"), ["slot cache.idle"], id="what nobody needs"),
        pytest.param(
            Filters(path=("reserve", "cache")),
            ["handler reserve", "slot basket", "slot cache", "slot prices", "slot till"],
            id="every way between two",
        ),
        pytest.param(Filters(path=("till", "till")), ["slot till"], id="from a node to itself"),
        pytest.param(
            Filters(problems=True),
            ["handler book", "handler reserve", "slot cache.flags", "slot till", "task report"],
            id="what is at fault and the ways there",
        ),
        pytest.param(
            Filters(slot="prices", path=("till", "cache"), depth=1),
            ["slot basket", "slot cache", "slot prices"],
            id="near a slot, on the ways between two",
        ),
        pytest.param(
            Filters(slot="till", depth=1, problems=True), ["handler reserve", "slot till"], id="at fault, near a slot"
        ),
    ],
)
def test_a_filter_leaves_what_was_asked_for(filters: Filters, left: list[str]) -> None:
    """Several filters together leave what all of them let through."""
    assert kept(filters) == left


def test_the_edges_are_those_between_what_is_left_with_the_aliases() -> None:
    """No edge leads to a node that is not there."""
    part = part_of(draw(shop()), Filters(path=("basket", "cache")))

    assert part.part
    assert part.edges == (
        Arrow("alias memo", "slot cache", "alias"),
        Arrow("slot basket", "slot prices", by=("prices",)),
        Arrow("slot prices", "slot cache", by=("cache",)),
    )


@pytest.mark.parametrize(
    ("filters", "note"),
    [
        pytest.param(Filters(path=("report", "cache")), "no way leads from task report to slot cache", id="no way"),
        pytest.param(Filters(path=("cache", "reserve")), "no way leads from slot cache to handler reserve", id="back"),
        pytest.param(Filters(slot="cache.idle", problems=True), "nothing has a problem", id="no problem"),
        pytest.param(
            Filters(slot="report", path=("till", "cache")), "task report is on none of these ways", id="beside the way"
        ),
    ],
)
def test_an_empty_answer_says_what_was_not_found(filters: Filters, note: str) -> None:
    """And it is an answer, not an error."""
    part = part_of(draw(shop()), filters)

    assert (part.nodes, part.edges, part.notes) == ((), (), (note,))


def test_a_circle_does_not_hang() -> None:
    """Each node is visited once."""
    nodes = tuple(Node(f"slot {n}", "object", n, n, "code", "app", "idle") for n in "abc")
    edges = (Arrow("slot a", "slot b"), Arrow("slot b", "slot c"), Arrow("slot c", "slot b"))
    graph = Graph("t", "default", ("code",), nodes, edges)

    assert kept(Filters(slot="c"), graph) == ["slot a", "slot b", "slot c"]
    assert kept(Filters(path=("a", "c")), graph) == ["slot a", "slot b", "slot c"]


@pytest.mark.parametrize(
    ("name", "node"),
    [
        pytest.param("cache.flags", "slot cache.flags", id="a slot"),
        pytest.param("adapters.cache", "slot cache", id="below its child container"),
        pytest.param("services.till", "slot till", id="an object below its child container"),
        pytest.param("memo", "slot cache", id="an alias"),
        pytest.param("reserve", "handler reserve", id="a function"),
        pytest.param("events.reserve", "handler reserve", id="a function below its child container"),
        pytest.param("task report", "task report", id="the id itself"),
    ],
)
def test_a_node_is_found_by_each_of_its_names(name: str, node: str) -> None:
    """As the other commands know slots, and functions by the names they are registered under."""
    assert find_node(draw(shop()), name) == node


def test_a_slot_stands_before_a_function_of_the_same_name() -> None:
    """The id of the function still leads to it."""
    nodes = (
        Node("handler a", "handler", "a", "m:a", "code", "app", "idle"),
        Node("slot a", "adapter", "a", "b", "code", "app", "idle"),
    )
    graph = Graph("t", "default", ("code",), nodes, ())

    assert (find_node(graph, "a"), find_node(graph, "handler a")) == ("slot a", "handler a")


@pytest.mark.parametrize(
    "filters",
    [
        pytest.param(Filters(slot="cache.flag"), id="slot"),
        pytest.param(Filters(path=("cache.flag", "cache")), id="from"),
        pytest.param(Filters(path=("reserve", "cache.flag")), id="to"),
        pytest.param(Filters(slot="tasks.cache.flags"), id="below the wrong child container"),
    ],
)
def test_a_name_that_nothing_has_offers_the_nearest(filters: Filters) -> None:
    """A misspelling is refused before anything is shown."""
    with pytest.raises(UnknownSlot) as refused:
        part_of(draw(shop()), filters)

    assert "cache.flags" in refused.value.fixes[0]
