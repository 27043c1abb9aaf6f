"""The graph: sorted plain data, equal bytes for equal graphs, with who lost and what is wrong."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest

from oneiric import INJECTED, Container, Inject, LayerContainer, Named, inject
from oneiric.adapters.cache import Cache
from oneiric.containers.graph import Arrow, Graph, Node, clean, draw
from oneiric.core.errors import Refused
from oneiric.core.origins import OverrideOrigin
from oneiric.providers.catalog import Catalog
from tests.containers.shapes import Car, Engine
from tests.support.golden import check_golden
from tests.support.graphs import large, nasty, shop


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


def fields_of(graph: Graph, node: str) -> dict[str, Any]:
    """Return the JSON fields of one node."""
    return next(fields for fields in graph.fields()["nodes"] if fields["id"] == node)


def test_the_graph_is_plain_sorted_data() -> None:
    """Nodes with winner, layer, scope and losers; edges with the parameters that make them."""
    graph = garage().graph()

    ids = [node.id for node in graph.nodes]
    assert ids == sorted(ids)
    assert fields_of(graph, "slot cache") == {
        "id": "slot cache",
        "kind": "adapter",
        "name": "cache",
        "winner": "memory",
        "layer": "env",
        "scope": "app",
        "state": "idle",
        "losers": [{"value": "memory", "layer": "profile", "reason": "lower-layer"}],
        "problem": None,
        "elsewhere": None,
    }
    assert fields_of(graph, "slot car")["scope"] == "request"
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


@pytest.mark.parametrize("name", ["shop", "shop-shadowed"])
def test_the_json_reads_as_its_golden(name: str) -> None:
    """Every reason to lose, without the ranking and with it; there are no fingerprints, ages or addresses."""
    graph = draw(shop())._replace(shadowed=name == "shop-shadowed")

    check_golden(f"graph/{name}.json", json.dumps(json.loads(graph.json()), indent=1, ensure_ascii=False))


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(nasty()._replace(shadowed=False), id="names that break out"),
        pytest.param(nasty(), id="with losers as nodes"),
        pytest.param(large(60), id="many nodes"),
        pytest.param(Graph("a", "default", ("code",), (), (), notes=("nothing is declared",)), id="no node"),
    ],
)
def test_the_text_is_what_json_makes_of_the_fields(graph: Graph) -> None:
    """It is put together by hand for speed, and must not differ by a byte."""
    assert graph.json() == json.dumps(graph.fields(), ensure_ascii=False, separators=(",", ":"))


def test_a_built_object_is_ready() -> None:
    """The state of a node tells whether its object is there."""
    container = garage()
    container.override({"engine": Engine()})
    container.adapters.engine()

    states = {node.name: node.state for node in container.graph().nodes}

    assert (states["engine"], states["cache"]) == ("ready", "idle")


def test_a_node_at_fault_says_so() -> None:
    """Who holds too long, who needs what is not there, and what nobody can fill; what nobody needs is no fault."""
    container = shop()
    container.slot("engine", Engine).at = ""

    problems = {node.id: node.problem for node in container.graph().nodes if node.problem}

    assert problems == {
        "handler book": "missing-dependency",
        "slot cache.flags": "selection-not-installed",
        "slot till": "scope-leak",
    }
    assert fields_of(container.graph(), "slot engine")["winner"] is None


def test_everything_in_a_circle_is_at_fault() -> None:
    """A cycle is the fault of all who stand in it."""
    container = Container("circle")
    container.provide("first", eager=True)(_asks_for("second"))
    container.provide("second")(_asks_for("first"))

    problems = {node.name: node.problem for node in container.graph().nodes if node.problem}

    assert problems == {"first": "dependency-cycle", "second": "dependency-cycle"}


def _asks_for(name: str) -> type:
    def __init__(self: object, other: Any = INJECTED) -> None:
        """Take the other one."""

    __init__.__annotations__ = {"other": Annotated[object, Named(name)], "return": None}
    return type("Asking", (), {"__init__": __init__, "__module__": __name__})


def test_faults_that_are_given_are_marked() -> None:
    """The command hands in all that `check` finds, also the settings; one without a node marks none."""
    fault = Refused("the size is missing", path=("handler reserve", "slot cache"))
    elsewhere = Refused("the port is missing", path=("section web",))

    graph = draw(shop(), [fault, elsewhere])

    assert {node.id: node.problem for node in graph.nodes if node.problem} == {"slot cache": "refused"}


def test_losers_become_nodes_when_they_are_asked_for() -> None:
    """Each is a node of kind `shadowed` with its reason, and the edge says whom it is shadowed by."""
    fields = draw(shop())._replace(shadowed=True).fields()

    assert {node["name"]: node["reason"] for node in fields["nodes"] if node["id"].startswith("slot prices / ")} == {
        "tests.support.graphs:Prices": "lower-layer"
    }
    assert {"from": "slot prices", "to": "slot prices / 0", "kind": "shadows", "by": []} in fields["edges"]
    assert [node["id"] for node in fields["nodes"]] == sorted(node["id"] for node in fields["nodes"])


def test_a_node_remembers_where_its_winner_was_named() -> None:
    """For the page; the JSON of the graph holds no places, so that it is the same wherever the code lies."""
    container = garage()
    container.override(LayerContainer("explicit", {"cache": "memory"}, origin=OverrideOrigin("shop:7")))

    graph = container.graph()

    assert next(node for node in graph.nodes if node.name == "cache").origin == OverrideOrigin("shop:7")
    assert "shop:7" not in graph.json()


def test_a_container_without_slots_says_so() -> None:
    """An empty picture explains itself."""
    graph = Container("void", catalog=Catalog([], [], third_party=False)).graph()

    assert (graph.nodes, graph.notes) == ((), ("nothing is declared",))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\x1b[0m\r\nb", "a?[0m??b", id="terminal codes and line ends"),
        pytest.param("a\u2028b\x85", "a?b?", id="line ends of other alphabets"),
        pytest.param("\u202egpj.exe\u2066", "?gpj.exe?", id="text that runs backwards"),
        pytest.param("a\udcffb", "a?b", id="a byte that is no UTF-8"),
        pytest.param("größe <b>", "größe <b>", id="letters and signs stay"),
    ],
)
def test_control_characters_are_replaced(text: str, shown: str) -> None:
    """No name can write into a terminal, break a line or look like another name."""
    assert clean(text) == shown


def test_a_registered_function_is_no_slot() -> None:
    """Its node has no stack."""
    kinds = {node.id: node.is_slot for node in draw(shop()).nodes}

    assert (kinds["handler book"], kinds["task report"], kinds["slot till"]) == (False, False, True)
    assert Node("slot a", "adapter", "a", None, None, "app", "idle").losers() == []
