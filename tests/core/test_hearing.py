"""Hearing the layers: each one's word about a setting, put together from its leaves."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from oneiric.core.directives import Directive
from oneiric.core.hearing import Fault, Within, Word, hear, named, part_of, plain
from oneiric.core.markers import Protected
from oneiric.core.secrets import SecretRules
from oneiric.core.values import MISSING
from oneiric.core.words import Speaker
from tests.core.sayings import STORE, field, layer, words

RULES = SecretRules()


class Color(enum.Enum):
    """A key of a map in code."""

    RED = "red"


class Inner(BaseModel):
    """A model inside another."""

    attempts: int = 3
    tags: list[str] = []
    trusted: Annotated[list[str], Protected] = []


class Settings(BaseModel):
    """Settings that are heard in parts."""

    host: str = "h"
    tags: list[str] = []
    inner: Inner = Inner(attempts=7, tags=["z"])
    limits: dict[str, list[int]] = {}
    options: dict[str, Any] = {}
    maxItems: int = 1
    pinned: Annotated[str, Protected] = "p"


def heard(name: str, *layers: Speaker, path: tuple[str, ...] = ()) -> list[Word]:
    """Return the words about a setting of `my-app`, without that of the code."""
    found = hear(field(Settings, f"my-app.{name}"), words(*layers), RULES, path)
    return [word for word in found if not word.is_default]


@pytest.mark.parametrize(
    ("name", "variables", "node"),
    [
        pytest.param("limits", {"limits.a": "[1]"}, {"a": [1]}, id="a leaf is read by its own type"),
        pytest.param("limits", {"limits": '{"a": [1]}', "limits.b": "[2]"}, {"a": [1], "b": [2]}, id="JSON and a leaf"),
        pytest.param("limits", {"limits": "", "limits.b": "[2]"}, {"b": [2]}, id="an empty whole is ignored"),
        pytest.param("limits", {"limits.a": "", "limits.b": "[2]"}, {"b": [2]}, id="an empty leaf is ignored"),
        pytest.param("limits", {"limits.a": '@append:["1"]'}, {"a": {"$append": ["1"]}}, id="a directive of a leaf"),
        pytest.param("inner", {"inner.tags": '["a"]'}, {"tags": ["a"]}, id="a field of a model"),
        pytest.param("inner", {"inner.attempts": "5"}, {"attempts": "5"}, id="a number is left to the model"),
        pytest.param("maxItems", {"maxitems": "5"}, "5", id="case is ignored"),
        pytest.param("host", {"host": "secret://s"}, "secret://s", id="a reference stays a text"),
        pytest.param("limits", {"limits": "secret://s"}, "secret://s", id="also for a map"),
    ],
)
def test_variables_of_a_setting_are_put_together(name: str, variables: dict[str, str], node: object) -> None:
    """They say parts of it; neither case nor `-` of a name can be said by them."""
    (word,) = heard(name, layer("env", {f"my_app.{key}": text for key, text in variables.items()}))

    assert word.node == node


def test_a_file_says_its_keys_as_they_are() -> None:
    """Its directives are seen later, where they stand in the merge."""
    (word,) = heard("inner", layer("profile", {"my-app.inner": {"attempts": 5, "tags": {"$append": ["a"]}}}))

    assert word.node == {"attempts": 5, "tags": {"$append": ["a"]}}
    assert str(word.at(("attempts",))) == "profile:my-app.inner.attempts"
    assert str(word.at(("tags",))) == "profile:my-app.inner.tags"


@pytest.mark.parametrize(
    ("name", "text"),
    [pytest.param("tags", "hunter2", id="no JSON"), pytest.param("host", "@hunter2", id="no directive")],
)
def test_a_text_that_cannot_be_read_is_heard_as_a_fault(name: str, text: str) -> None:
    """It is an error only if it counts, which is not known here."""
    (word,) = heard(name, layer("env", {f"my_app.{name.lower()}": text}))

    assert isinstance(word.node, Fault)
    assert "hunter2" not in str(word.node.error)


def test_a_variable_that_says_nothing_is_heard_as_absent_with_its_name() -> None:
    """The explanation tells that it was there."""
    (word,) = heard("limits", layer("env", {"my_app.limits.a": ""}))

    assert (word.node, word.status, word.reason) == (MISSING, "absent", "empty-ignored")
    assert str(word.origin) == "env:my_app.limits.a"


def test_layers_are_heard_high_to_low_and_the_code_last() -> None:
    """Those that say nothing are passed over."""
    layers = layer("profile", {"my-app.host": "p"}), layer("manifest", {}), layer("env", {"my_app.host": "e"})

    found = [(word.layer, word.node) for word in hear(field(Settings, "my-app.host"), words(*layers), RULES)]

    assert found == [("env", "e"), ("profile", "p"), ("code", "h")]


@pytest.mark.parametrize(
    ("name", "said", "node", "reason"),
    [
        pytest.param("host", {"host": "m"}, "m", None, id="an ordinary setting"),
        pytest.param("pinned", {"pinned": "m"}, MISSING, "protected-key", id="a protected one"),
        pytest.param("inner", {"inner.trusted": ["m"]}, MISSING, "protected-key", id="a protected part"),
        pytest.param(
            "inner", {"inner.trusted": ["m"], "inner.attempts": 1}, {"attempts": 1}, None, id="the other parts"
        ),
        pytest.param("inner", {"inner": {"$replace": {}}}, MISSING, "protected-key", id="a whole with such a part"),
    ],
)
def test_a_remote_manifest_is_not_heard_where_it_may_not_speak(
    name: str, said: dict[str, Any], node: object, reason: str | None
) -> None:
    """Just those entries are ignored; the manifest of the build says anything."""
    spoken = {f"my-app.{key}": value for key, value in said.items()}

    (remote,) = heard(name, layer("manifest", spoken, trust="remote"))
    (inline,) = heard(name, layer("manifest", spoken))

    assert (remote.node, remote.reason) == (node, reason)
    assert inline.reason is None


@pytest.mark.parametrize(
    ("said", "path", "node"),
    [
        pytest.param({"a": {"b": 1}}, ("a", "b"), 1, id="a leaf"),
        pytest.param({"a": {"b": 1}}, ("a",), {"b": 1}, id="a map"),
        pytest.param({"a": {"$replace": {"b": 1}}}, ("a", "b"), Directive("replace", 1), id="below a replace"),
        pytest.param({"a": {"$unset": True}}, ("a", "b"), Directive("unset", True), id="below an unset"),
        pytest.param({"a": 5}, ("a", "b"), Directive("replace", MISSING), id="a scalar replaces the part as well"),
        pytest.param({"a": "secret://s"}, ("a", "b"), Within("secret://s", ("b",)), id="a part of a secret"),
    ],
)
def test_a_word_about_the_whole_says_something_about_its_parts(
    said: dict[str, Any], path: tuple[str, ...], node: object
) -> None:
    """Only that is heard where only the part is asked for."""
    (word,) = heard("options", layer("profile", {"my-app.options": said}), path=path)

    assert word.node == node


def test_a_layer_that_says_nothing_about_a_part_is_passed_over() -> None:
    """It speaks about others."""
    assert heard("options", layer("profile", {"my-app.options": {"a": 1}}), path=("b",)) == []


def test_the_store_is_heard_for_typed_secrets_and_bound_keys_only() -> None:
    """For nothing else is it asked."""
    bound = SecretRules(bindings={"my-app.host": "dsn"})

    assert heard("host", STORE) == []
    found = next(hear(field(Settings, "my-app.host"), words(STORE), bound))
    assert (found.layer, found.is_store, found.names) == ("secrets", True, ["dsn"])


def test_a_map_of_the_code_is_read_by_the_names_that_layers_use() -> None:
    """Its keys may be numbers or members of an enumeration."""
    tree = {1: "one", Color.RED: "red"}

    assert [part_of(tree, name) for name in ("1", "red")] == ["one", "red"]
    assert part_of(tree, "blue") is MISSING
    assert [named(key) for key in tree] == ["1", "red"]


def test_a_default_that_is_a_model_is_a_map_of_its_fields() -> None:
    """So that layers merge with it; lists stay as they are."""
    assert plain({"inner": Inner(attempts=1)}) == {"inner": {"attempts": 1, "tags": [], "trusted": []}}
    assert plain(["a"]) == ["a"]
