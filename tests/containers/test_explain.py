"""Explanations: winner, losers with reasons, origins, and what would be otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import pytest
from dependency_injector import providers
from pydantic import BaseModel

from oneiric import INJECTED, Application, Event, Inject, Inputs, LayerContainer, Named, inject
from oneiric.adapters.cache import Cache
from oneiric.core.errors import OneiricError, UnknownSlot
from oneiric.providers.catalog import ROWS, Catalog
from tests.containers.shapes import Clock, FixedClock

FILE = """\
[select]
storage = "memory"

[settings.cache.memory]
max_items = 4

[profiles.test.select]
storage = "local"
"""


def application(folder: Path, **environ: str) -> Application:
    """Return an application that reads one file and this environment, nothing else."""
    (folder / "oneiric.toml").write_text(FILE)
    known = [row for row in ROWS if row.name in {"httpx", "local", "memory"}]  # one more must change nothing here
    app = Application("shop", catalog=Catalog(rows=known), inputs=Inputs(environ=environ, folder=folder))
    app.slot("cache.sessions", Cache)
    app.slot("clock", Clock)
    app.on("order.created", name="orders:reserve")(reserve)
    return app


@inject
async def reserve(event: Event, sessions: Annotated[Cache, Named("cache.sessions")] = INJECTED) -> None:
    """Ask for a named slot."""


def rows(app: Application, name: str) -> list[tuple[str, str, str | None, object]]:
    """Return layer, status, reason and value of each candidate."""
    return [(c.layer, c.status, c.reason, c.value) for c in app.explain(name).candidates]


def test_nobody_chose_and_the_ranking_decides(tmp_path: Path) -> None:
    """Every layer above `code` is absent, and the default member of the category wins."""
    app = application(tmp_path)

    assert rows(app, "cache") == [
        ("explicit", "absent", "absent", None),
        ("env", "absent", "absent", None),
        ("manifest", "absent", "absent", None),
        ("secrets", "absent", "absent", None),
        ("profile", "absent", "absent", None),
        ("code", "winner", None, "memory"),
    ]


def test_a_variable_chooses_and_the_file_is_shadowed(tmp_path: Path) -> None:
    """The winner and the loser name their origins; adapters that were not chosen are ineligible."""
    app = application(tmp_path, ONEIRIC_SELECT__STORAGE="local")

    explained = app.explain("storage")

    assert explained.winner is not None
    assert explained.winner.fields() == {
        "layer": "env",
        "status": "winner",
        "reason": None,
        "value": "local",
        "redacted": False,
        "fp": None,
        "origin": {"kind": "env", "name": "ONEIRIC_SELECT__STORAGE"},
        "detail": None,
    }
    assert ("profile", "shadowed", "lower-layer", "memory") in rows(app, "storage")
    loser = next(c for c in explained.candidates if c.layer == "profile")
    assert loser.origin is not None
    assert loser.origin.fields() == {"kind": "file", "path": "oneiric.toml", "line": 2, "key": "select.storage"}
    assert [(c.value, c.reason) for c in explained.candidates if c.layer == "code"] == [
        ("local", "lower-priority"),
        ("memory", "lower-priority"),
    ]


def test_counterfactuals_are_decided_again(tmp_path: Path) -> None:
    """Without the winner the next layer answers; in a profile with tables of its own, these do."""
    app = application(tmp_path, ONEIRIC_SELECT__STORAGE="local")

    found = [item.fields() for item in app.explain("storage").counterfactuals]

    assert found == [
        {"if": {"without": "env"}, "then": {"layer": "profile", "value": "memory"}},
        {"if": {"profile": "test"}, "then": {"layer": "profile", "value": "local"}},
    ]


@pytest.mark.parametrize(
    ("environ", "row"),
    [
        pytest.param({"ONEIRIC_SELECT__CACHE": ""}, ("env", "absent", "empty-ignored", None), id="empty"),
        pytest.param({"ONEIRIC_SELECT__CACHE": "@unset"}, ("env", "unset", None, "@unset"), id="unset"),
        pytest.param({"ONEIRIC_SELECT__CACHE": "rediss"}, ("env", "ineligible", None, "rediss"), id="unknown"),
        pytest.param(
            {"ONEIRIC_SELECT__CACHE": "memory", "ONEIRIC_PROFILE": "test"},
            ("env", "ineligible", "layer-disabled", "memory"),
            id="silent in this profile",
        ),
    ],
)
def test_every_word_has_its_row(tmp_path: Path, environ: dict[str, str], row: tuple[object, ...]) -> None:
    """What a layer said is never left out, whether it counted or not."""
    assert row in rows(application(tmp_path, **environ), "cache")


def test_what_unset_masks_is_said(tmp_path: Path) -> None:
    """Choices below `@unset` are masked."""
    app = application(tmp_path, ONEIRIC_SELECT__STORAGE="@unset")

    assert ("profile", "masked", "masked-by-unset", "memory") in rows(app, "storage")
    assert ("code", "winner", None, "local") in rows(app, "storage")


def test_an_explained_error_is_the_raised_one(tmp_path: Path) -> None:
    """The explanation of a slot nobody can fill holds the error that using it raises."""
    app = application(tmp_path, ONEIRIC_SELECT__CACHE="rediss")

    explained = app.explain("cache")
    with pytest.raises(OneiricError) as raised:
        app.adapters.cache()

    assert explained.winner is None
    assert explained.error == raised.value.problem
    assert explained.error.code == "selection-unknown"


def test_settings_of_the_winner_are_explained(tmp_path: Path) -> None:
    """Each field has its own stack, typed as the model makes it."""
    app = application(tmp_path, ONEIRIC_CACHE__MEMORY__MAX_ITEMS="7")

    setting = app.explain("cache").setting("max_items")

    assert [(c.layer, c.status, c.value) for c in setting.candidates if c.status != "absent"] == [
        ("env", "winner", 7),
        ("profile", "shadowed", 4),
        ("code", "shadowed", 10_000),
    ]
    assert app.explain("cache.memory.max_items") == setting


def test_a_secret_is_shown_by_its_fingerprint_only(tmp_path: Path) -> None:
    """Value and length are hidden; equal secrets have equal fingerprints within the process."""
    app = application(tmp_path, ONEIRIC_HTTP__HTTPX__AUTHORIZATION="Bearer canary-4711")
    same = application(tmp_path, ONEIRIC_HTTP__HTTPX__AUTHORIZATION="Bearer canary-4711")
    other = application(tmp_path, ONEIRIC_HTTP__HTTPX__AUTHORIZATION="Bearer canary-4712")

    first, second, third = (a.explain("http").setting("authorization").winner for a in (app, same, other))

    assert first is not None
    assert (first.value, first.redacted) == (None, True)
    assert second is not None
    assert third is not None
    assert first.fp == second.fp != third.fp
    assert "canary" not in json.dumps(app.explain("http").fields())


def test_who_needs_a_slot_is_listed(tmp_path: Path) -> None:
    """A registered function stands with its parameter."""
    explained = application(tmp_path).explain("cache.sessions")

    assert "tests.containers.test_explain:reserve(sessions)" in explained.used_by


def test_an_object_that_was_bound_wins_by_its_class(tmp_path: Path) -> None:
    """An override with an object shows what it is and the line that made it."""
    app = application(tmp_path)

    with app.override({"clock": FixedClock()}):
        explained = app.explain("clock")

    assert explained.winner is not None
    assert explained.winner.value == "tests.containers.shapes:FixedClock object"
    assert explained.winner.origin is not None
    assert str(explained.winner.origin).startswith("override at tests.containers.test_explain:")


def test_a_layer_given_by_hand_is_explained(tmp_path: Path) -> None:
    """A layer of any name takes its place in the order."""
    app = application(tmp_path)

    app.override(LayerContainer("manifest", {"cache": "memory"}))

    assert ("manifest", "winner", None, "memory") in rows(app, "cache")


def test_an_unknown_name_offers_the_nearest(tmp_path: Path) -> None:
    """A misspelt slot is an error with a suggestion."""
    with pytest.raises(UnknownSlot) as caught:
        application(tmp_path).explain("cahce")

    assert caught.value.fixes[0].startswith("did you mean cache")


def test_two_explanations_are_the_same_bytes(tmp_path: Path) -> None:
    """Nothing in an explanation depends on addresses, time or order of sets."""
    app = application(tmp_path, ONEIRIC_SELECT__STORAGE="local")

    first, second = (json.dumps(app.explain("storage").fields()) for _ in range(2))

    assert first == second


def test_the_schema_has_every_field(tmp_path: Path) -> None:
    """Schema 1: no field is left out where it is empty."""
    assert list(application(tmp_path).explain("cache").fields()) == [
        "schema",
        "kind",
        "name",
        "profile",
        "order",
        "generation",
        "winner",
        "candidates",
        "warnings",
        "error",
        "settings",
        "decorations",
        "parents",
        "needs",
        "used_by",
        "counterfactuals",
    ]


def test_a_choice_by_an_alias_counts_in_every_profile(tmp_path: Path) -> None:
    """Where its layer is silent it is told as disabled, and it decides under a profile that lets it speak."""
    app = application(tmp_path, ONEIRIC_PROFILE="test", ONEIRIC_SELECT__BLOBS="local")
    app.override(LayerContainer("profile", {"storage": "memory"}))
    app.alias("blobs", "storage")

    explained = app.explain("blobs")

    assert [(c.value, c.reason) for c in explained.candidates if c.layer == "env"] == [("local", "layer-disabled")]
    assert {c.condition["profile"]: dict(c.outcome) for c in explained.counterfactuals if "profile" in c.condition} == {
        name: {"layer": "env", "value": "local"} for name in ("default", "serverless", "systemd")
    }


def test_settings_below_an_alias_are_those_of_its_slot(tmp_path: Path) -> None:
    """They can be asked for by both names, and are no unknown keys."""
    app = application(tmp_path, ONEIRIC_KV__MEMORY__MAX_ITEMS="5")
    app.alias("kv", "cache")

    assert app.explain("kv.memory.max_items").winner == app.explain("cache").setting("max_items").winner
    assert app.explain("cache").setting("max_items").winner.value == 5
    assert "unknown-key" not in [warning.code for warning in app.faults()[1]]


def test_a_layer_given_by_hand_keeps_its_place_in_other_profiles(tmp_path: Path) -> None:
    """The file stands above it there as well, since it was applied later."""
    by_hand = LayerContainer("profile", {"storage": "nosuch"})
    (tmp_path / "oneiric.toml").write_text(FILE.replace('storage = "local"', 'storage = "memory"'))
    app = Application("shop", layers=[by_hand], inputs=Inputs(environ={}, folder=tmp_path))

    explained = app.explain("storage")

    assert explained.winner.value == "memory"
    assert [dict(c.condition) for c in explained.counterfactuals] == [{"without": "profile"}]


def test_asking_about_a_slot_makes_nobody_a_user(tmp_path: Path) -> None:
    """An answer does not depend on what was asked before."""
    app = application(tmp_path)
    app.slot("reader", Reader)
    app.override({"reader": Reader})
    app.explain("reader")

    assert app.explain("cache").used_by == ()


class Reader:
    """Needs a cache, and nobody needs it."""

    def __init__(self, cache: Inject[Cache] = INJECTED) -> None:
        self.cache = cache


@pytest.mark.parametrize(
    ("provider", "value"),
    [
        pytest.param(providers.Singleton(FixedClock), "Singleton of tests.containers.shapes:FixedClock", id="a class"),
        pytest.param(
            providers.Object(FixedClock()), "Object of tests.containers.shapes:FixedClock object", id="an object"
        ),
        pytest.param(providers.List(), "List", id="several"),
    ],
)
def test_a_provider_of_the_engine_is_named_without_an_address(tmp_path: Path, provider: object, value: str) -> None:
    """Explanations are the same bytes in every process, and show no object."""
    app = application(tmp_path)
    app.override({"clock": provider})

    assert app.explain("clock").winner.value == value


def test_a_part_of_a_setting_in_a_silent_layer_is_told(tmp_path: Path) -> None:
    """Its layer is disabled, whatever part of the value it would say."""

    class Orders(BaseModel):
        limits: dict[str, int] = {"a": 1}

    app = application(tmp_path, ONEIRIC_PROFILE="test", ONEIRIC_ORDERS__LIMITS__B="2")
    app.declare_section("orders", Orders)

    assert [row for row in rows(app, "orders.limits") if row[1] != "absent"] == [
        ("env", "ineligible", "layer-disabled", {"b": "2"}),
        ("code", "winner", None, {"a": 1}),
    ]
