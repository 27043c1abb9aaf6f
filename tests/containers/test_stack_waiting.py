"""Layers that speak of a slot before it is declared, and answers that were given before a change."""

from __future__ import annotations

from typing import Any

import pytest

from oneiric import INJECTED, Container, Inject, LayerContainer, inject, using
from oneiric.core.profiles import BUILT_IN


class Meter:
    """An object that fills a slot."""


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("meter", id="its name"),
        pytest.param("adapters.meter", id="its name in the child container"),
        pytest.param(Meter, id="its type"),
    ],
)
def test_a_layer_binds_a_slot_that_is_declared_after_it(key: Any) -> None:
    """What a layer says waits for its slot, by whichever key it names the slot."""
    meter = Meter()
    app = Container(layers=[LayerContainer("manifest", {key: meter})])

    app.slot("meter", Meter)

    assert app.adapters.meter() is meter


def test_a_layer_binds_a_slot_by_an_alias_that_is_given_after_it() -> None:
    """A further name is a key as well."""
    meter = Meter()
    app = Container(layers=[LayerContainer("manifest", {"gauge": meter})])
    app.slot("meter", Meter)

    app.alias("gauge", "meter")

    assert app.adapters.meter() is meter


def test_a_layer_binds_nothing_but_the_slot_that_was_declared() -> None:
    """The other names go on waiting, and are faults of a check."""
    app = Container(layers=[LayerContainer("manifest", {"meter": Meter(), "nowhere": Meter()})])

    app.slot("meter", Meter)

    assert [fault.code for fault in app.faults()[0]] == ["unknown-slot"]


def test_an_answer_given_before_a_slot_was_declared_is_not_kept() -> None:
    """The records are those of the state in force."""
    app = Container()
    before = [node.name for node in app.graph().nodes]

    app.slot("meter", Meter)

    after = [node.name for node in app.graph().nodes]
    assert "meter" not in before
    assert "meter" in after


def test_an_injected_call_follows_every_change() -> None:
    """A call site that was bound under `using` looks again when a layer comes or goes."""
    first, second = Meter(), Meter()
    app = Container()
    app.slot("meter", Meter)
    app.override({"meter": first})

    @inject
    def read(meter: Inject[Meter] = INJECTED) -> Meter:
        return meter

    with using(app):
        before = read()
        override = app.override({"meter": second})
        during = read()
        override.undo()
        after = read()

    assert (before, during, after) == (first, second, first)


def test_another_profile_is_heard_without_any_layer() -> None:
    """Ranking by another profile changes the answers, also where no layer is applied."""
    app = Container()
    first = app.explain("cache").profile

    app.stack.use_profile(BUILT_IN["serverless"])

    assert (first, app.explain("cache").profile) == ("default", "serverless")
