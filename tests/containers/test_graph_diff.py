"""The graph held against another profile."""

from __future__ import annotations

import pytest

from oneiric import Container, LayerContainer
from oneiric.containers.graph import Outcome, draw
from oneiric.containers.graph_diff import against
from oneiric.containers.graph_filters import Filters, part_of
from oneiric.core.errors import UnknownProfile
from tests.support.graphs import shelf, shop


def chosen() -> Container:
    """Return a container whose profile layer and env layer choose, under the default profile."""
    container = Container("chosen", catalog=shelf())
    container.override(LayerContainer("profile", {"cache": "disk"}))
    container.override(LayerContainer("env", {"adapters.cache": "null"}))
    return container


def marks(container: Container, profile: str) -> dict[str, Outcome | None]:
    """Return what differs, by slot."""
    nodes = against(draw(container), container, profile).nodes
    return {node.name: node.elsewhere for node in nodes if node.elsewhere}


def test_a_slot_that_another_layer_decides_there_is_marked() -> None:
    """Under `test`, env is silent."""
    assert marks(chosen(), "test") == {"cache": Outcome("disk", "profile")}


def test_a_choice_that_cannot_be_there_is_marked_with_its_fault() -> None:
    """The shop's own profile lets env be silent; the default one listens, and what env names lacks a capability."""
    assert marks(shop(), "default") == {"cache": Outcome(None, "env", "selection-missing-capability")}


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param("serverless", id="another that decides alike"),
        pytest.param("default", id="the one in force"),
    ],
)
def test_where_nothing_differs_the_answer_says_so(profile: str) -> None:
    """No mark is an answer as well."""
    container = chosen()

    graph = against(draw(container), container, profile)

    assert [node.id for node in graph.nodes if node.elsewhere] == []
    assert graph.notes == (f"nothing shown here differs under profile {profile}",)


def test_only_what_is_shown_is_compared() -> None:
    """A part of the graph in which nothing differs says so, even if something else does."""
    container = shop()
    part = part_of(draw(container), Filters(slot="report"))

    assert against(part, container, "default").notes == ("nothing shown here differs under profile default",)


def test_an_empty_part_has_one_sentence() -> None:
    """It says what was not found, and not that it does not differ."""
    container = shop()
    part = part_of(draw(container), Filters(path=("report", "cache")))

    assert against(part, container, "default").notes == ("no way leads from task report to slot cache",)


def test_what_the_code_provides_stands_under_every_profile() -> None:
    """An override of an object that another profile keeps silent gives way to it."""
    container = shop()
    container.override(LayerContainer("secrets", {"till": "memory"}))

    assert "prices" not in marks(container, "default")
    assert "till" not in marks(container, "test")


def test_a_profile_that_does_not_exist_is_refused() -> None:
    """With the nearest name, and all there are."""
    container = chosen()

    with pytest.raises(UnknownProfile) as refused:
        against(draw(container), container, "tset")

    assert refused.value.fixes == ("did you mean test?", "choose one of: default, serverless, systemd, test")
