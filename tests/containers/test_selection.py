"""Selections and settings in one profile, from layers and the catalog."""

from __future__ import annotations

import dataclasses
import sys
from importlib.abc import MetaPathFinder

import pytest

from oneiric import Container, LayerContainer
from oneiric.containers.selection import Selection
from oneiric.core.errors import SelectionDenied, SelectionUnknown
from oneiric.core.profiles import DEFAULT, SERVERLESS
from oneiric.providers.catalog import Catalog, Category, Row
from tests.containers.shapes import Clock

PROTOCOL = "tests.containers.shapes:Clock"
ROWS = (
    Row("clock", "fixed", "tests.containers.shapes:FixedClock", priority=100),
    Row("clock", "atomic", "tests.containers.shapes:FixedClock", background=True),
)


@pytest.fixture
def catalog() -> Catalog:
    """A catalog with one category of two adapters, one of which works in the background."""
    return Catalog([Category("clock", PROTOCOL)], ROWS, third_party=False)


def test_a_layer_chooses_by_name(catalog: Catalog) -> None:
    """A text bound to a slot is the name of an adapter."""
    container = Container("t", catalog=catalog, layers=[LayerContainer("env", {"clock": "atomic"})])

    assert container.stack.winner(container.adapters.clock).chosen == "atomic"


def test_a_choice_that_the_profile_denies_is_refused(catalog: Catalog) -> None:
    """The deny list of a layer counts against every layer but `explicit`."""
    layers = [LayerContainer("profile", {"clock": "fixed"}, deny={"clock": ["fixed"]})]
    container = Container("t", catalog=catalog, layers=layers)

    with pytest.raises(SelectionDenied):
        container.stack.winner(container.adapters.clock)

    container.override({"clock": "fixed"})
    assert container.stack.winner(container.adapters.clock).layer == "explicit"


def test_background_work_is_refused_where_there_is_none(catalog: Catalog) -> None:
    """An adapter that needs processor time between calls cannot be chosen in a profile without background work."""
    layers = [LayerContainer("env", {"clock": "atomic"})]
    container = Container("t", catalog=catalog, profile="serverless", layers=layers)

    with pytest.raises(SelectionDenied, match="profile serverless"):
        container.stack.winner(container.adapters.clock)


def test_an_adapter_of_another_category_is_named_as_such() -> None:
    """The error says where an adapter of that name can be had."""
    container = Container("t", layers=[LayerContainer("env", {"cache": "sqlite"})])

    with pytest.raises(SelectionUnknown, match="category database has one of that name"):
        container.stack.winner(container.adapters.cache)


def test_layers_that_are_silent_are_kept_apart(catalog: Catalog) -> None:
    """A layer that the profile's order leaves out does not speak, and is remembered for the explanation."""
    quiet = dataclasses.replace(DEFAULT, name="quiet", order=("code", "explicit"))
    layer = LayerContainer("env", {"clock": "atomic"}, settings={"clock.atomic.rate": 1})

    selection = Selection(catalog, quiet, [layer])

    assert selection.silent == [layer]
    assert [one.layer for one in selection.words.speakers] == []


def test_speakers_stand_in_the_order_of_the_profile(catalog: Catalog) -> None:
    """Settings are decided in the profile's order, which moves `secrets` above `env` in serverless."""
    layers = [LayerContainer(name, settings={"a.b": name}) for name in ("env", "secrets", "profile")]

    default, serverless = Selection(catalog, DEFAULT, layers), Selection(catalog, SERVERLESS, layers)

    assert [one.layer for one in default.words.speakers if one.said] == ["profile", "secrets", "env"]
    assert [one.layer for one in serverless.words.speakers if one.said] == ["profile", "env", "secrets"]


def test_among_equal_layers_the_later_applied_one_wins() -> None:
    """What counts is when a layer was applied, not when it was made; bindings and settings agree on that."""
    container = Container("t")
    first = LayerContainer("env", {"cache": "memory"}, settings={"cache.memory.max_items": 1})
    second = LayerContainer("env", {"cache": "memory"}, settings={"cache.memory.max_items": 2})

    container.override(second)
    container.override(first)

    assert container.stack.winner(container.adapters.cache) is container.stack.applied[first]["cache"]
    assert container.explain("cache.memory.max_items").winner.value == 1


def test_an_sdk_that_is_absent_is_searched_once_for_all_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search looks through every folder of the path, and the answer is the same for the slots that ask the same."""
    searched: list[str] = []

    class Watching(MetaPathFinder):
        def find_spec(self, fullname: str, path: object, target: object = None) -> None:
            searched.append(fullname)

    monkeypatch.setattr(sys, "meta_path", [Watching(), *sys.meta_path])
    row = Row("clock", "better", "tests.containers.shapes:FixedClock", sdk="sdk_of_nobody", priority=200)
    container = Container("t", catalog=Catalog([Category("clock", PROTOCOL)], [*ROWS, row], third_party=False))
    slots = [container.slot(f"clock.number{number}", Clock) for number in range(20)]

    assert {container.stack.winner(slot).chosen for slot in slots} == {"fixed"}
    assert searched.count("sdk_of_nobody") == 1


def test_a_slot_that_asks_for_more_or_is_denied_more_is_decided_by_itself(catalog: Catalog) -> None:
    """What was decided for others counts for those only that ask the same."""
    container = Container("t", catalog=catalog, layers=[LayerContainer("env", deny={"clock.b": ["fixed"]})])
    container.slot("clock.a", Clock)
    container.slot("clock.b", Clock)
    container.slot("clock.c", Clock, capabilities={"leap"})

    found = [container.wiring.look(container.slot(f"clock.{name}")) for name in "abc"]

    assert [binding.chosen if binding is not None else None for binding, _ in found] == ["fixed", "atomic", None]
