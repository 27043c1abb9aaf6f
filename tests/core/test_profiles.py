"""Profiles: the table of orders and toggles, as data."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from oneiric.core.errors import UnknownProfile
from oneiric.core.origins import EnvOrigin
from oneiric.core.profiles import BUILT_IN, LAYERS, find_profile, known_names

ORDERS = {
    "default": "code < profile < secrets < manifest < env < explicit",
    "serverless": "code < profile < manifest < env < secrets < explicit",
    "systemd": "code < profile < manifest < env < secrets < explicit",
    "test": "code < profile < manifest < explicit",
}
# What each profile switches on; all the others are off.
TOGGLES = {
    "default": {"watch", "remote", "background", "user_file", "plaintext_secrets"},
    "serverless": {"public", "json_logs"},
    "systemd": {"watch", "remote", "background", "user_file", "json_logs"},
    "test": {"background"},
}
ON_SECRET_OUTAGE = {"default": "fall", "serverless": "fail", "systemd": "fail", "test": "fail"}


@pytest.mark.parametrize(("name", "order"), [pytest.param(name, order, id=name) for name, order in ORDERS.items()])
def test_a_profile_orders_its_layers(name: str, order: str) -> None:
    """The order, low to high, is the whole difference in precedence between profiles."""
    assert " < ".join(find_profile(name).order) == order


@pytest.mark.parametrize(("name", "on"), [pytest.param(name, on, id=name) for name, on in TOGGLES.items()])
def test_a_profile_switches_on_what_the_table_says(name: str, on: set[str]) -> None:
    """Serverless watches nothing, fetches nothing and works only within requests."""
    fields = asdict(find_profile(name))

    assert {field for field, value in fields.items() if value is True} == on
    assert fields["on_secret_outage"] == ON_SECRET_OUTAGE[name]


def test_production_differs_from_the_laptop_by_one_move() -> None:
    """Only the secrets layer changes its place: from under the manifest to above the environment."""
    laptop = [layer for layer in find_profile("default").order if layer != "secrets"]
    production = [layer for layer in find_profile("serverless").order if layer != "secrets"]

    assert laptop == production


@pytest.mark.parametrize(
    ("profile", "higher", "lower"),
    [
        pytest.param("default", "env", "secrets", id="env is above secrets on a laptop"),
        pytest.param("serverless", "secrets", "env", id="secrets are above env in serverless"),
        pytest.param("systemd", "secrets", "env", id="secrets are above env under systemd"),
        pytest.param("serverless", "explicit", "secrets", id="an override is above all"),
        pytest.param("test", "explicit", "manifest", id="an override is above all in tests"),
        pytest.param("default", "profile", "code", id="code is under all"),
    ],
)
def test_a_higher_layer_has_the_higher_rank(profile: str, higher: str, lower: str) -> None:
    """Ranks are numbers, so that layers compare whenever they arrive."""
    found = find_profile(profile)

    assert (found.rank(higher) or 0) > (found.rank(lower) or 0) > 0


@pytest.mark.parametrize("layer", ["env", "secrets"])
def test_a_layer_outside_the_order_is_silent(layer: str) -> None:
    """The test profile hears neither the environment nor a secret store."""
    assert find_profile("test").rank(layer) is None


def test_every_order_is_made_of_known_layers() -> None:
    """A profile cannot invent a layer, nor name one twice."""
    for profile in BUILT_IN.values():
        assert set(profile.order) <= set(LAYERS)
        assert len(set(profile.order)) == len(profile.order)


def test_an_unknown_profile_is_refused_with_the_known_names() -> None:
    """A typing error never becomes the default profile."""
    with pytest.raises(UnknownProfile) as caught:
        find_profile("serverles", origin=EnvOrigin("ONEIRIC_PROFILE"))

    assert str(caught.value) == (
        'error[unknown-profile] no profile is named "serverles"\n'
        "  origin     ONEIRIC_PROFILE\n"
        "  fix: did you mean serverless?   or   choose one of: default, serverless, systemd, test"
    )


def test_the_names_of_the_profiles_are_sorted() -> None:
    """Every list that a person reads has one order."""
    assert list(known_names()) == ["default", "serverless", "systemd", "test"]
