"""The graph: sorted data, equal bytes, and renderings in which every label is escaped."""

from __future__ import annotations

import json

import pytest

from oneiric import INJECTED, Container, Inject, LayerContainer, inject
from oneiric.adapters.cache import Cache
from oneiric.containers.graph import Arrow, Graph, Node, as_dot, as_mermaid, as_text, clean
from tests.containers.shapes import Car, Engine

NASTY = 'a"b<c>\n\x1b[31m]\\'


@inject
def make_car(engine: Inject[Engine] = INJECTED, cache: Inject[Cache] | None = INJECTED) -> Car:
    """Make a car."""
    return Car(engine)


def garage() -> Container:
    """Return a container in which one object needs two slots."""
    container = Container("garage")
    container.slot("engine", Engine)
    container.provide("car", scope="request")(make_car)
    container.alias("motor", "engine")
    container.override(LayerContainer("profile", {"cache": "memory"}))
    container.override(LayerContainer("env", {"cache": "memory"}))
    return container


def test_the_graph_is_plain_sorted_data() -> None:
    """Nodes with winner, layer, scope and losers; edges with the parameters that make them."""
    graph = garage().graph()

    nodes = {node.id: node for node in graph.nodes}
    assert [node.id for node in graph.nodes] == sorted(nodes)
    assert nodes["slot cache"] == Node(
        "slot cache", "adapter", "cache", "memory", "env", "app", "idle", (("memory", "profile"),)
    )
    assert nodes["slot engine"].problem == "no-candidate"
    assert nodes["slot car"].scope == "request"
    assert graph.edges == (
        Arrow("alias motor", "slot engine", "alias"),
        Arrow("slot car", "slot cache", by=("cache",)),
        Arrow("slot car", "slot engine", by=("engine",)),
    )


def test_equal_graphs_are_equal_bytes() -> None:
    """Two containers made alike give the same JSON."""
    first, second = garage().graph().json(), garage().graph().json()

    assert first == second
    assert json.loads(first)["schema"] == 1


def test_a_built_object_is_ready() -> None:
    """The state of a node tells whether its object is there."""
    container = garage()
    container.override({"engine": Engine()})
    container.adapters.engine()

    states = {node.name: node.state for node in container.graph().nodes}

    assert (states["engine"], states["cache"]) == ("ready", "idle")


def test_text_is_a_tree_from_what_is_registered() -> None:
    """Functions and objects stand at the top, what they need below; the rest is listed apart."""
    lines = as_text(garage().graph()).splitlines()

    assert lines[1:4] == [
        "car = tests.containers.test_graph:make_car [code]  scope request",
        "├─ cache = memory [env]  (shadows memory [profile])",
        "└─ engine = nobody (no-candidate)",
    ]
    assert "   queue = memory [code]" in lines


@pytest.mark.parametrize("render", [as_dot, as_mermaid, as_text])
def test_no_label_can_break_a_format(render: object) -> None:
    """Quotes, angle brackets, line ends and terminal codes in a name stay inside their label."""
    node = Node(f"slot {NASTY}", "adapter", NASTY, NASTY, "env", "app", "idle", ((NASTY, "profile"),))
    graph = Graph(NASTY, "default", ("code",), (node,), (Arrow(f"slot {NASTY}", f"slot {NASTY}"),))

    text = render(graph)  # type: ignore[operator]

    assert "\x1b" not in text
    assert 'a"b' not in text.replace('\\"', "") or render is as_text
    if render is as_mermaid:
        assert "<c>" not in text


def test_a_cycle_does_not_hang_the_text() -> None:
    """A graph with a circle is drawn once around."""
    nodes = tuple(Node(f"slot {n}", "object", n, n, "code", "app", "idle") for n in "abc")
    edges = (Arrow("slot a", "slot b"), Arrow("slot b", "slot c"), Arrow("slot c", "slot b"))

    text = as_text(Graph("t", "default", ("code",), nodes, edges))

    assert "(again: a cycle)" in text


def test_control_characters_are_replaced() -> None:
    """No name can write into a terminal."""
    assert clean("a\x1b[0m\r\nb") == "a?[0m??b"
