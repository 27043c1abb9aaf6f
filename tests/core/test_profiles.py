"""Profiles: the table of orders and toggles, as data, and the profiles that a file defines."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric.core.errors import InvalidValue, UnknownProfile
from oneiric.core.origins import EnvOrigin, FileOrigin
from oneiric.core.profiles import BUILT_IN, LAYERS, SWITCHES, Profile, define_profiles, find_profile, known_names

PRODUCTION = ("code", "profile", "manifest", "env", "secrets", "explicit")
ON, OFF = True, False
# Every toggle of every profile that is built in.
TABLE: dict[str, dict[str, object]] = {
    "default": {
        "order": ("code", "profile", "secrets", "manifest", "env", "explicit"),
        "watch": ON,
        "remote": ON,
        "background": ON,
        "user_file": ON,
        "public": OFF,
        "json_logs": OFF,
        "on_secret_outage": "fall",
        "plaintext_secrets": ON,
        "local": ON,
        "default_store": None,
        "own_store": OFF,
    },
    "serverless": {
        "order": PRODUCTION,
        "watch": OFF,
        "remote": OFF,
        "background": OFF,
        "user_file": OFF,
        "public": ON,
        "json_logs": ON,
        "on_secret_outage": "fail",
        "plaintext_secrets": OFF,
        "local": OFF,
        "default_store": None,
        "own_store": OFF,
    },
    "systemd": {
        "order": PRODUCTION,
        "watch": ON,
        "remote": ON,
        "background": ON,
        "user_file": ON,
        "public": OFF,
        "json_logs": ON,
        "on_secret_outage": "fail",
        "plaintext_secrets": OFF,
        "local": ON,
        "default_store": "file",
        "own_store": OFF,
    },
    "test": {
        "order": ("code", "profile", "manifest", "explicit"),
        "watch": OFF,
        "remote": OFF,
        "background": ON,
        "user_file": OFF,
        "public": OFF,
        "json_logs": OFF,
        "on_secret_outage": "fail",
        "plaintext_secrets": OFF,
        "local": OFF,
        "default_store": None,
        "own_store": ON,
    },
}


def place(key: str) -> FileOrigin:
    """Say where a key stands, as a file does."""
    return FileOrigin("oneiric.toml", key)


def define(**tables: dict[str, Any]) -> dict[str, Profile]:
    """Define profiles by their tables."""
    return define_profiles(tables, place)


@pytest.mark.parametrize(("name", "said"), [pytest.param(name, said, id=name) for name, said in TABLE.items()])
def test_a_built_in_profile_is_what_the_table_says(name: str, said: dict[str, object]) -> None:
    """A named order plus toggles; nothing else tells profiles apart."""
    assert asdict(find_profile(name)) == {"name": name, **said}


def test_the_table_knows_every_built_in_profile() -> None:
    """No profile goes without a row."""
    assert list(BUILT_IN) == list(TABLE)


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
        find_profile("serverles", origin=EnvOrigin("ONEIRIC_PROFILE"), defined=define(staging={"like": "test"}))

    assert str(caught.value) == (
        'error[unknown-profile] no profile is named "serverles"\n'
        "  origin     ONEIRIC_PROFILE\n"
        "  fix: did you mean serverless?   or   choose one of: default, serverless, staging, systemd, test"
    )


def test_the_names_of_the_profiles_are_sorted() -> None:
    """Every list that a person reads has one order."""
    assert list(known_names()) == ["default", "serverless", "systemd", "test"]
    assert list(known_names(define(early={"like": "test"}))) == ["default", "early", "serverless", "systemd", "test"]


def test_a_defined_profile_has_the_order_and_the_toggles_of_the_one_it_is_like() -> None:
    """What its table says differs, all else is inherited."""
    defined = define(staging={"like": "serverless", "remote": True, "on_secret_outage": "fall"})

    found = find_profile("staging", defined=defined)

    assert asdict(found) == {
        **TABLE["serverless"],
        "name": "staging",
        "remote": True,
        "on_secret_outage": "fall",
    }


def test_a_profile_may_be_like_one_that_is_defined() -> None:
    """A chain is followed to its end, and the toggles nearest to the profile win, wherever their tables stand."""
    defined = define(
        third={"like": "second", "watch": False},
        second={"like": "first", "watch": True, "public": True},
        first={"like": "test", "watch": False, "public": False, "json_logs": True},
    )

    found = defined["third"]

    assert (found.watch, found.public, found.json_logs, found.own_store) == (False, True, True, True)
    assert (found.name, found.order) == ("third", ("code", "profile", "manifest", "explicit"))
    assert sorted(defined) == ["first", "second", "third"]


def test_the_tables_of_a_profile_are_no_toggles() -> None:
    """What it selects, sets and denies is read elsewhere, and is not inherited; built-in profiles have such tables."""
    tables: dict[str, Any] = {"select": {"cache": "memory"}, "settings": {"like": {"order": 1}}, "deny": {"cache": []}}

    defined = define(serverless=tables, staging={"like": "serverless", **tables})

    assert asdict(defined["staging"]) == {**TABLE["serverless"], "name": "staging"}


def test_a_table_without_like_defines_no_profile() -> None:
    """It is unknown when it is asked for, and not before."""
    defined = define(staging={"watch": True})

    with pytest.raises(UnknownProfile, match='no profile is named "staging"'):
        find_profile("staging", defined=defined)


@pytest.mark.parametrize(
    ("tables", "key", "why", "fix"),
    [
        pytest.param(
            {"serverless": {"watch": True}},
            "profiles.serverless.watch",
            "serverless is built in, and stays as it is",
            'define your own: [profiles.my-serverless] with like = "serverless" and what differs',
            id="a toggle of a built-in one",
        ),
        pytest.param(
            {"test": {"like": "default"}},
            "profiles.test.like",
            "test is built in, and stays as it is",
            'define your own: [profiles.my-test] with like = "test" and what differs',
            id="a built-in one made like another",
        ),
        pytest.param(
            {"staging": {"like": "test", "wach": True}},
            "profiles.staging.wach",
            "no profile has such a toggle",
            "did you mean watch?",
            id="a toggle that is none",
        ),
        pytest.param(
            {"test": {"selects": {}}},
            "profiles.test.selects",
            "no profile has such a toggle",
            "did you mean select?",
            id="a table that is none, of a built-in one",
        ),
        pytest.param(
            {"staging": {"like": "test", "own_store": False}},
            "profiles.staging.own_store",
            "no profile has such a toggle",
            "choose one of: background, deny, json_logs, like, local, on_secret_outage, plaintext_secrets, public, "
            "remote, select, settings, user_file, watch",
            id="a toggle that nobody sets",
        ),
        pytest.param(
            {"staging": {"like": "test", "order": ["code"]}},
            "profiles.staging.order",
            "a profile has no order of its own",
            'like = "serverless" gives it the order of that one',
            id="an order",
        ),
        pytest.param(
            {"staging": {"like": "test", "watch": "yes"}},
            "profiles.staging.watch",
            "it is true or false",
            "watch = true or false",
            id="a text where true or false stands",
        ),
        pytest.param(
            {"staging": {"like": "test", "watch": 1}},
            "profiles.staging.watch",
            "it is true or false",
            "watch = true or false",
            id="a number where true or false stands",
        ),
        pytest.param(
            {"staging": {"like": "test", "on_secret_outage": True}},
            "profiles.staging.on_secret_outage",
            'it is "fall" or "fail"',
            'on_secret_outage = "fall" or "fail"',
            id="an outage that neither falls nor fails",
        ),
        pytest.param(
            {"staging": {"like": ["test"]}},
            "profiles.staging.like",
            "the name of a profile is a text",
            'like = "serverless"',
            id="like a list",
        ),
        pytest.param(
            {"a": {"like": "b"}, "b": {"like": "c"}, "c": {"like": "b"}},
            "profiles.c.like",
            "a -> b -> c -> b is a circle",
            "give profiles.c.like a value that fits",
            id="a circle",
        ),
        pytest.param(
            {"eu.staging": {"like": "eu.staging"}},
            'profiles."eu.staging".like',
            "eu.staging -> eu.staging is a circle",
            'give profiles."eu.staging".like a value that fits',
            id="like itself",
        ),
    ],
)
def test_a_definition_that_cannot_be_is_refused(tables: dict[str, Any], key: str, why: str, fix: str) -> None:
    """The error names the key, where it stands, and what to write."""
    with pytest.raises(InvalidValue) as caught:
        define_profiles(tables, place)

    assert (caught.value.key, caught.value.origin) == (key, FileOrigin("oneiric.toml", key))
    assert why in caught.value.message
    assert caught.value.fixes == (fix,)


@pytest.mark.parametrize(
    ("like", "fix"),
    [
        pytest.param("serverles", "did you mean serverless?", id="a typing error"),
        pytest.param(
            "stagin", "choose one of: default, other, serverless, systemd, test", id="never the profile itself"
        ),
        pytest.param("plain", "choose one of: default, other, serverless, systemd, test", id="a table without like"),
    ],
)
def test_a_profile_like_an_unknown_one_is_refused(like: str, fix: str) -> None:
    """The error says where `like` stands."""
    with pytest.raises(UnknownProfile) as caught:
        define(staging={"like": like}, other={"like": "test"}, plain={"watch": True})

    assert caught.value.name == like
    assert caught.value.origin == FileOrigin("oneiric.toml", "profiles.staging.like")
    assert caught.value.fixes[0] == fix


def test_every_toggle_but_those_of_the_store_can_be_set() -> None:
    """A new toggle is either in the grammar of the tables, or left out on purpose."""
    toggles = {field.name for field in fields(Profile)} - {"name", "order"}

    assert toggles - {*SWITCHES, "on_secret_outage"} == {"default_store", "own_store"}


NAMES = st.sampled_from(["a", "b", "c", "d", "default", "serverless", "test"])
TABLES = st.fixed_dictionaries({}, optional={"like": NAMES, "watch": st.booleans(), "select": st.just({})})


@given(st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), TABLES))
def test_any_set_of_tables_ends_in_profiles_or_a_listed_error(tables: dict[str, dict[str, Any]]) -> None:
    """No chain of `like` runs for ever, and a profile that comes out has the order at the end of its chain."""
    try:
        defined = define_profiles(tables, place)
    except (InvalidValue, UnknownProfile):
        return

    assert set(defined) == {name for name, table in tables.items() if "like" in table}
    for name, profile in defined.items():
        like = tables[name]["like"]
        parent = BUILT_IN.get(like) or defined[like]
        assert (profile.name, profile.order) == (name, parent.order)
        assert profile.watch == tables[name].get("watch", parent.watch)
