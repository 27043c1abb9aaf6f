"""Who lost a slot: every reason, as an explanation gives it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from oneiric import Container, LayerContainer
from oneiric.containers.graph import draw
from oneiric.containers.graph_rivals import Rival
from oneiric.core.origins import EnvOrigin, FileOrigin
from tests.support.graphs import shelf, shop

Told = tuple[str, str, str, str | None]


def rivals(container: Container, name: str) -> Sequence[Rival]:
    """Return the rivals in one slot."""
    return next(node.rivals for node in draw(container).nodes if node.id == f"slot {name}")


def told(container: Container, name: str) -> list[Told]:
    """Return them in short."""
    return [(rival.layer, rival.value, rival.status, rival.reason) for rival in rivals(container, name)]


def test_each_loser_has_its_reason() -> None:
    """Layers high to low, then the catalog by priority and name, then the layers that are silent."""
    assert told(shop(), "cache") == [
        ("secrets", "disk", "ineligible", "secrets-cannot-select"),
        ("profile", "memory", "shadowed", "lower-layer"),
        ("code", "memory", "ineligible", "lower-priority"),
        ("code", "null", "ineligible", "missing-capability"),
        ("code", "slow", "ineligible", "denied-by-profile"),
        ("code", "valkey", "ineligible", "not-installed"),
        ("env", "null", "ineligible", "layer-disabled"),
    ]


def test_a_mask_hides_what_lies_below_and_has_no_reason_itself() -> None:
    """`@unset` chooses nothing: the ranking does, and the mask is no loser."""
    assert told(shop(), "cache.sessions")[:2] == [
        ("manifest", "@unset", "unset", None),
        ("profile", "disk", "masked", "masked-by-unset"),
    ]


def test_what_was_chosen_and_cannot_be_is_no_loser() -> None:
    """The fault of the slot says why; below it, layers lost as always."""
    container = shop()
    container.override(LayerContainer("profile", {"cache.flags": "disk"}))

    assert told(container, "cache.flags")[:3] == [
        ("manifest", "valkey", "ineligible", None),
        ("profile", "disk", "shadowed", "lower-layer"),
        ("code", "memory", "ineligible", "lower-priority"),
    ]


def test_an_object_of_the_application_loses_to_an_override() -> None:
    """What the code provides is a word of layer code, not a row of the catalog."""
    assert told(shop(), "prices") == [("code", "tests.support.graphs:Prices", "shadowed", "lower-layer")]


def test_the_higher_of_two_overrides_shadows_the_other() -> None:
    """As in an explanation: within a layer the later word counts."""
    container = Container("twice", catalog=shelf())
    container.override(LayerContainer("explicit", {"cache": "null"}))
    container.override(LayerContainer("explicit", {"cache": "disk"}))

    assert told(container, "cache")[0] == ("explicit", "null", "shadowed", "lower-layer")


@pytest.mark.parametrize(
    ("value", "layer", "detail"),
    [
        pytest.param("disk", "code", "priority 5 < 10", id="ranked lower"),
        pytest.param("valkey", "code", "pip install 'oneiric[valkey]'", id="not installed"),
    ],
)
def test_a_loser_of_the_ranking_says_what_would_help(value: str, layer: str, detail: str) -> None:
    """The detail is the one of an explanation."""
    found = {(rival.value, rival.layer): rival.detail for rival in rivals(shop(), "cache.idle")}

    assert found[value, layer] == detail


def test_the_ranking_against_a_choice_compares_no_priorities() -> None:
    """A chosen adapter wins by its layer: what the others have for a priority is not the reason."""
    found = {rival.value: rival.detail for rival in rivals(shop(), "cache") if rival.layer == "code"}

    assert found["memory"] == "priority 10"
    assert found["null"] == "lacks ttl"


def test_a_loser_knows_where_it_was_named() -> None:
    """The file, and the variable of a layer that is silent."""
    found = {rival.layer: rival.origin for rival in rivals(shop(), "cache") if rival.layer != "code"}

    assert found["profile"] == FileOrigin("oneiric.toml", "select.cache")
    assert found["env"] == EnvOrigin("ONEIRIC_SELECT__CACHE")


@pytest.mark.parametrize("name", ["cache", "cache.sessions", "cache.flags", "cache.idle", "prices", "till"])
def test_the_reasons_are_those_of_an_explanation(name: str) -> None:
    """Two views of one decision: an explanation also lists the winner, and who was chosen once more in the catalog."""
    container = shop()
    explained = container.explain(name)
    filled = (explained.winner.layer, explained.winner.value) if explained.winner else None
    others = {
        (candidate.layer, str(candidate.value), candidate.status, candidate.reason)
        for candidate in explained.candidates
        if candidate.status not in {"absent", "winner"}
        and not (candidate.layer == "code" and filled and candidate.value == filled[1] and filled[0] != "code")
    }

    assert {(one.layer, one.value, one.status, one.reason) for one in rivals(container, name)} == {
        (layer, value, status, None if status == "ineligible" and layer == "manifest" else reason)
        for layer, value, status, reason in others
    }
