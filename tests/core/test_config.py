"""The evaluator: one table of who wins and why, for selections and for values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from oneiric.core.config import MISSING, Offer, Value, Wants, choose, evaluate, faults_of, fields_of, validated
from oneiric.core.config import Field as Setting
from oneiric.core.errors import InvalidValue
from oneiric.core.origins import CodeOrigin, EnvOrigin, Origin
from oneiric.core.sources import Said

AT = CodeOrigin("catalog")
OFFERS = {
    "memory": Offer("memory", 100, frozenset({"ttl"}), AT),
    "redis": Offer("redis", 0, frozenset({"ttl", "shared"}), AT),
    "valkey": Offer("valkey", 500, frozenset({"shared"}), AT, extra="valkey", installed=False),
}


@dataclass
class Word:
    """A layer's word, as a binding is one."""

    layer: str
    chosen: str | None
    unset: bool = False
    origin: Origin | None = field(default_factory=lambda: EnvOrigin("X"))


@dataclass(frozen=True)
class Case:
    """One row: what layers say, high to low, and the adapter or the error code that comes out."""

    words: tuple[Word, ...]
    wants: Wants
    expected: str


CASES = {
    "nobody chooses: the highest priority that is installed": Case((), Wants(), "memory"),
    "the highest layer that names one wins": Case((Word("env", "redis"), Word("profile", "memory")), Wants(), "redis"),
    "an unknown name is an error and never falls": Case(
        (Word("env", "rediss"), Word("profile", "memory")), Wants(), "selection-unknown"
    ),
    "an absent extra is an error and never falls": Case(
        (Word("env", "valkey"), Word("profile", "memory")), Wants(), "selection-not-installed"
    ),
    "a denied choice is an error": Case(
        (Word("env", "redis"),), Wants(denied={"redis": AT}), "selection-denied-by-profile"
    ),
    "only an explicit override may use a denied one": Case(
        (Word("explicit", "redis"),), Wants(denied={"redis": AT}), "redis"
    ),
    "a choice that lacks a capability is an error": Case(
        (Word("env", "memory"),), Wants(frozenset({"shared"})), "selection-missing-capability"
    ),
    "one of several capabilities is enough where any is asked for": Case(
        (Word("env", "memory"),), Wants(any_of=frozenset({frozenset({"ttl", "shared"})})), "memory"
    ),
    "unset masks the choices below and asks the ranking": Case(
        (Word("env", None, unset=True), Word("profile", "redis")), Wants(), "memory"
    ),
    "a layer above unset still chooses": Case(
        (Word("explicit", "redis"), Word("env", None, unset=True)), Wants(), "redis"
    ),
    "the secrets layer never chooses": Case((Word("secrets", "redis"),), Wants(), "memory"),
    "capabilities filter the ranking": Case((), Wants(frozenset({"shared"})), "redis"),
    "a denied adapter is not ranked": Case((), Wants(denied={"memory": AT}), "redis"),
    "none is left": Case((), Wants(frozenset({"persistent"})), "no-candidate"),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_who_fills_a_slot(case: Case) -> None:
    """A named choice is used or is an error; without one the ranking decides."""
    choice = choose("cache", case.words, OFFERS, case.wants)

    found = choice.error.code if choice.error else choice.offer.name if choice.offer else None
    assert found == case.expected


def test_equal_priority_is_an_error_that_names_both() -> None:
    """A tie is never settled by the order of registration."""
    tied = {name: Offer(name, 5, frozenset(), CodeOrigin(f"rows:{name}")) for name in ("rabbit", "nats")}

    choice = choose("queue", (), tied, Wants())

    assert choice.error is not None
    assert choice.error.code == "ambiguous-slot"
    assert "nats (rows:nats) and rabbit (rows:rabbit)" in choice.error.message


class Settings(BaseModel):
    """Settings of every kind."""

    host: str = "localhost"
    port: int = Field(default=1, ge=1)
    tls: bool = False
    tags: list[str] = ["a"]
    options: dict[str, Any] = {}
    password: SecretStr | None = None
    limit: int | None = None


def field_of(name: str) -> Setting:
    """Return one field of the settings."""
    return next(found for found in fields_of(Settings, "cache.redis") if found.name == name)


def env(text: str) -> Said:
    """Return the word of a variable."""
    return Said(text, EnvOrigin("V"), text=True)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("host", "007", "007", id="text stays text"),
        pytest.param("host", "a,b", "a,b", id="text with a comma is no list"),
        pytest.param("host", "[1]", "[1]", id="text that looks like JSON is text"),
        pytest.param("tls", "ON", True, id="a truth value"),
        pytest.param("tls", "no", False, id="another truth value"),
        pytest.param("tags", '["x"]', ["x"], id="a list is JSON"),
        pytest.param("options", '{"a": 1}', {"a": 1}, id="a map is JSON"),
        pytest.param("port", "12", "12", id="a number is left to the model"),
        pytest.param("limit", "3", "3", id="an optional number too"),
    ],
)
def test_text_is_read_by_the_declared_type(name: str, text: str, value: object) -> None:
    """The type of the field decides how a variable is read, never the look of the text."""
    found = evaluate(field_of(name), [("env", {f"cache.redis.{name}": env(text)})])

    assert found.value == value


@pytest.mark.parametrize(
    ("name", "text"),
    [pytest.param("tls", "maybe", id="a truth value"), pytest.param("tags", "a,b", id="a list")],
)
def test_text_that_does_not_fit_is_an_error_and_never_falls(name: str, text: str) -> None:
    """The next layer is not asked, and the text is not shown."""
    key = f"cache.redis.{name}"

    found = evaluate(field_of(name), [("profile", {key: Said(True, EnvOrigin("F"))}), ("env", {key: env(text)})])

    assert found.error is not None
    assert found.error.code == "invalid-value"
    assert text not in str(found.error)
    assert found.value is MISSING


def test_the_highest_layer_wins_and_the_others_are_shadowed() -> None:
    """Each layer has its share with a status, high to low."""
    key = "cache.redis.host"
    layers = [("profile", {key: Said("p", EnvOrigin("F"))}), ("manifest", {}), ("env", {key: env("e")})]

    found = evaluate(field_of("host"), layers)

    assert found.value == "e"
    assert [(share.layer, share.status, share.reason) for share in found.shares] == [
        ("env", "winner", None),
        ("manifest", "absent", "absent"),
        ("profile", "shadowed", "lower-layer"),
        ("code", "shadowed", "lower-layer"),
    ]


def test_an_empty_variable_does_not_count() -> None:
    """`X=` is ignored, and says so."""
    key = "cache.redis.host"

    found = evaluate(field_of("host"), [("profile", {key: Said("p", EnvOrigin("F"))}), ("env", {key: env("")})])

    assert found.value == "p"
    assert (found.shares[0].status, found.shares[0].reason) == ("absent", "empty-ignored")


def test_maps_merge_leaf_by_leaf() -> None:
    """A layer adds to a map what it names, and replaces nothing else."""
    key = "cache.redis.options"
    low = {f"{key}.a": Said(1, AT), f"{key}.b.x": Said(1, AT), f"{key}.b.y": Said(1, AT)}
    high = {f"{key}.b.y": Said(2, AT), f"{key}.c": Said(3, AT)}

    found = evaluate(field_of("options"), [("profile", low), ("manifest", high)])

    assert found.value == {"a": 1, "b": {"x": 1, "y": 2}, "c": 3}
    assert [share.status for share in found.shares] == ["winner", "merged", "shadowed"]


def decided(**said: Said) -> list[Value]:
    """Return the decided values of the settings with one layer that says this."""
    layer = {f"cache.redis.{name}": item for name, item in said.items()}
    return [evaluate(one, [("env", layer)]) for one in fields_of(Settings, "cache.redis")]


def test_a_valid_model_is_built_from_what_was_decided() -> None:
    """Text from variables becomes what the model declares."""
    model = validated(Settings, decided(port=env("12"), password=env("s"), limit=env("3")))

    assert (model.port, model.limit, model.host) == (12, 3, "localhost")
    assert model.password.get_secret_value() == "s"


def test_a_value_out_of_range_names_key_and_origin() -> None:
    """Every fault of a model is found, each with its own key and origin."""
    faults = list(faults_of(Settings, decided(port=env("0"), limit=env("canary"))))

    found = sorted((fault.key, str(fault.origin)) for fault in faults if isinstance(fault, InvalidValue))
    assert found == [("cache.redis.limit", "V"), ("cache.redis.port", "V")]
    assert not any("canary" in str(fault) for fault in faults)


def test_a_secret_that_does_not_fit_is_never_shown() -> None:
    """For a secret even the model's message is left out."""
    faults = list(faults_of(Settings, decided(password=Said(["canary-4711"], AT))))

    assert [fault.code for fault in faults] == ["invalid-value"]
    assert "canary" not in str(faults[0])


def test_a_field_knows_the_line_that_declares_it() -> None:
    """The origin of a default is found in the source when it is asked for."""
    origin = str(field_of("tls").origin)

    module, line = origin.split(":")
    assert module.endswith("test_config")
    assert "tls: bool = False" in Path(__file__).read_text().splitlines()[int(line) - 1]


@pytest.mark.parametrize(
    ("name", "secret"),
    [pytest.param("password", True, id="by type"), pytest.param("host", False, id="an ordinary one")],
)
def test_a_secret_is_known_by_type_or_name(name: str, secret: bool) -> None:
    """What is secret is decided from the declaration, before any value is seen."""
    assert field_of(name).secret is secret


class Inner(BaseModel):
    """A part of the settings with parts of its own."""

    attempts: int = 3
    tags: list[str] = []


class Nested(BaseModel):
    """Settings whose defaults are models and maps."""

    inner: Inner = Inner(attempts=7, tags=["z"])
    limits: dict[str, list[int]] = {}
    maxItems: int = 1  # a name that a variable cannot spell


def nested(name: str) -> Setting:
    """Return one field of the nested settings."""
    return next(found for found in fields_of(Nested, "my-app.x") if found.name == name)


@pytest.mark.parametrize(
    ("layers", "value", "statuses"),
    [
        pytest.param(
            [{"a.x": 1}, {"a.y": 2}],
            {"a": {"x": 1, "y": 2}},
            ["winner", "merged", "shadowed"],
            id="both have a leaf of one table",
        ),
        pytest.param(
            [{"a": 1}, {"b": 2}, {"a": 3}],
            {"a": 3, "b": 2},
            ["winner", "merged", "shadowed", "shadowed"],
            id="nothing is left of the lowest",
        ),
        pytest.param(
            [{"a": 1}, {"": {}}], {"a": 1}, ["merged", "winner", "shadowed"], id="an empty table adds nothing"
        ),
        pytest.param(
            [{"a": 5}, {"a.b": 1}], {"a": {"b": 1}}, ["winner", "shadowed", "shadowed"], id="a table hides a value"
        ),
        pytest.param([{"a.b": 1}, {"a": 5}], {"a": 5}, ["winner", "shadowed", "shadowed"], id="a value hides a table"),
    ],
)
def test_each_layer_of_a_merged_map_has_its_own_share(
    layers: list[dict[str, Any]], value: object, statuses: list[str]
) -> None:
    """The highest contributor wins, the others are merged, and those of whom nothing is left are shadowed."""
    key = "cache.redis.options"
    speakers = [
        (f"l{n}", {f"{key}.{k}".rstrip("."): Said(v, AT) for k, v in la.items()}) for n, la in enumerate(layers)
    ]

    found = evaluate(field_of("options"), speakers)

    assert found.value == value
    assert [share.status for share in found.shares] == statuses


def test_a_text_that_cannot_be_read_is_no_fault_below_one_that_can() -> None:
    """Only the word that counts has to fit; the other one is shadowed."""
    key = "cache.redis.tls"

    found = evaluate(field_of("tls"), [("env", {key: env("maybe")}), ("explicit", {key: env("yes")})])

    assert (found.value, found.error) == (True, None)
    assert [(share.layer, share.status) for share in found.shares] == [
        ("explicit", "winner"),
        ("env", "shadowed"),
        ("code", "shadowed"),
    ]


@pytest.mark.parametrize(
    ("name", "variables", "value"),
    [
        pytest.param("limits", {"limits.a": "[1]"}, {"a": [1]}, id="a leaf is read by its own type"),
        pytest.param("limits", {"limits": '{"a": [1]}', "limits.b": "[2]"}, {"a": [1], "b": [2]}, id="JSON and a leaf"),
        pytest.param("limits", {"limits": "", "limits.b": "[2]"}, {"b": [2]}, id="an empty whole is ignored"),
        pytest.param("limits", {"limits.a": "", "limits.b": "[2]"}, {"b": [2]}, id="an empty leaf is ignored"),
        pytest.param("inner", {"inner.tags": '["a"]'}, {"attempts": 7, "tags": ["a"]}, id="a default model merges"),
        pytest.param("maxItems", {"maxitems": "5"}, "5", id="case is ignored"),
    ],
)
def test_variables_of_a_nested_field_are_put_together(name: str, variables: dict[str, str], value: object) -> None:
    """Variables say parts of a field; neither case nor `-` of a name can be said by them."""
    said = {f"my_app.x.{key}": env(text) for key, text in variables.items()}

    assert evaluate(nested(name), [("env", said)]).value == value


def test_a_variable_that_says_nothing_about_a_part_is_ignored_with_its_name() -> None:
    """The explanation tells that it was there."""
    share = evaluate(nested("limits"), [("env", {"my_app.x.limits.a": env("")})]).shares[0]

    assert (share.status, share.reason, share.origin) == ("absent", "empty-ignored", EnvOrigin("V"))


def test_each_set_of_alternatives_has_to_be_met() -> None:
    """Two functions that ask for one of several capabilities each get one."""
    wants = Wants(any_of=frozenset({frozenset({"ttl", "x"}), frozenset({"shared", "y"})}))

    assert wants.missing(OFFERS["memory"]) == {"shared", "y"}
    assert wants.missing(OFFERS["redis"]) == frozenset()


def test_a_quoted_part_of_a_key_keeps_its_dots() -> None:
    """A map may have keys with dots, such as host names."""
    found = evaluate(field_of("options"), [("profile", {'cache.redis.options."example.org"': Said(1, AT)})])

    assert found.value == {"example.org": 1}
