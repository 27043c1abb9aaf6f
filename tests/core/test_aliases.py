"""The names under which a settings model takes its fields."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field

from oneiric.core.aliases import aliased, field_at, is_renaming, own_path, own_place, places_of, put, spellings
from oneiric.core.config import evaluate
from oneiric.core.models import fields_of, validated
from oneiric.core.words import Speaker
from tests.core.sayings import layer, words


class Inner(BaseModel):
    """A model inside another."""

    url: str = Field("in", validation_alias="INNER_URL")


class Settings(BaseModel):
    """Fields with every kind of alias."""

    plain: str = "p"
    url: str = Field("u", validation_alias="DATABASE_URL")
    port: int = Field(1, validation_alias=AliasChoices("portNumber", "PORT"))
    first: str = Field("f", validation_alias=AliasPath("hosts", 0))
    user: str = Field("n", validation_alias=AliasPath("login", "user"))
    inner: Inner = Inner()
    maybe: Inner | None = None


class ByName(BaseModel):
    """Takes both names, and prefers its own."""

    model_config = ConfigDict(populate_by_name=True)
    url: str = Field("u", validation_alias="DATABASE_URL")


class Itself(BaseModel):
    """A model that holds itself."""

    below: Itself | None = None


class Ordinary(BaseModel):
    """A model without aliases."""

    host: str = "h"
    itself: Itself | None = None


class Cased(BaseModel):
    """A field that a variable cannot spell."""

    maxItems: int = 1


@pytest.mark.parametrize(
    ("model", "name", "places"),
    [
        pytest.param(Settings, "plain", [("plain",)], id="no alias"),
        pytest.param(Settings, "url", [("DATABASE_URL",)], id="an alias replaces the name"),
        pytest.param(Settings, "port", [("portNumber",), ("PORT",)], id="choices in their order"),
        pytest.param(Settings, "first", [("hosts", 0)], id="a place in a list"),
        pytest.param(Settings, "user", [("login", "user")], id="a place in a map"),
        pytest.param(ByName, "url", [("url",), ("DATABASE_URL",)], id="both, its own name first"),
        pytest.param(Settings, "nobody", [("nobody",)], id="no field at all"),
    ],
)
def test_where_a_model_takes_a_field_from(model: Any, name: str, places: list[tuple[str | int, ...]]) -> None:
    """As pydantic does, what it prefers first."""
    assert places_of(model, name) == places


@pytest.mark.parametrize(
    ("written", "loosely", "path", "rank"),
    [
        pytest.param(("plain",), False, ("plain",), 0, id="its own name"),
        pytest.param(("DATABASE_URL",), False, ("url",), 1, id="an alias"),
        pytest.param(("url",), False, ("url",), 0, id="the name of a field that has an alias"),
        pytest.param(("database_url",), False, ("database_url",), 0, id="an alias in another case is none in a file"),
        pytest.param(("database_url",), True, ("url",), 1, id="a variable knows no case"),
        pytest.param(("portnumber",), True, ("port",), 1, id="the first choice"),
        pytest.param(("PORT",), False, ("port",), 2, id="the second choice"),
        pytest.param(("login", "user"), False, ("user",), 1, id="a place in a map"),
        pytest.param(("inner", "INNER_URL"), False, ("inner", "url"), 1, id="an alias inside a model"),
        pytest.param(("maybe", "inner_url"), True, ("maybe", "url"), 1, id="inside an optional one, by a variable"),
        pytest.param(("nobody", "x"), False, ("nobody", "x"), 0, id="what is no field stays"),
        pytest.param((), False, (), 0, id="nothing"),
    ],
)
def test_a_path_is_brought_under_the_names_of_fields(
    written: tuple[str, ...], loosely: bool, path: tuple[str, ...], rank: int
) -> None:
    """The rank tells how far back the spelling stands."""
    found = own_path(Settings, written, loosely=loosely)

    assert (found.path, found.rank) == (path, rank)


@pytest.mark.parametrize(
    ("model", "renames"),
    [
        pytest.param(Settings, True, id="aliases"),
        pytest.param(Cased, True, id="a name that variables cannot spell"),
        pytest.param(Ordinary, False, id="none, also where a model holds itself"),
    ],
)
def test_whether_a_model_renames_anything(model: Any, renames: bool) -> None:
    """One that does not is not looked at again for each key."""
    assert is_renaming(model) is renames


@pytest.mark.parametrize(
    ("tree", "data"),
    [
        pytest.param({"plain": "x"}, {"plain": "x"}, id="no alias"),
        pytest.param({"url": "x", "port": 2}, {"DATABASE_URL": "x", "portNumber": 2}, id="the preferred alias"),
        pytest.param({"first": "x"}, {"hosts": ["x"]}, id="a place in a list makes the list"),
        pytest.param({"user": "x"}, {"login": {"user": "x"}}, id="a place in a map makes the map"),
        pytest.param({"inner": {"url": "x"}}, {"inner": {"INNER_URL": "x"}}, id="inside a model"),
        pytest.param({"other": 1, "url": "x"}, {"DATABASE_URL": "x", "other": 1}, id="what is no field stays"),
    ],
)
def test_values_are_given_as_the_model_takes_them(tree: dict[str, Any], data: dict[str, Any]) -> None:
    """Every value reaches the field that it was decided for."""
    assert aliased(Settings, tree) == data


@pytest.mark.parametrize(
    ("data", "place", "result"),
    [
        pytest.param({}, ("a",), {"a": 9}, id="a key"),
        pytest.param({"a": {"x": 1}}, ("a", "b"), {"a": {"x": 1, "b": 9}}, id="into a map"),
        pytest.param({}, ("a", 2), {"a": [None, None, 9]}, id="a list that is long enough"),
        pytest.param({"a": [1, 2]}, ("a", 0), {"a": [9, 2]}, id="into a list"),
        pytest.param({}, ("a", -1), {"a": [9]}, id="the last of a list"),
        pytest.param({"a": 1}, ("a", "b"), {"a": {"b": 9}}, id="a scalar gives way"),
    ],
)
def test_a_value_is_put_into_its_place(data: dict[str, Any], place: tuple[str | int, ...], result: object) -> None:
    """What stands beside it stays."""
    put(data, place, 9)

    assert data == result


def test_a_value_is_put_into_a_copy_of_what_holds_it() -> None:
    """A default of the code, which may be shared, is never written to."""
    shared = {"x": 1}

    put({"a": shared}, ("a", "b"), 9)

    assert shared == {"x": 1}


@pytest.mark.parametrize(
    ("place", "own"),
    [
        pytest.param(("DATABASE_URL",), ("url",), id="an alias"),
        pytest.param(("hosts", 0), ("first",), id="an item of a list"),
        pytest.param(("inner", "INNER_URL"), ("inner", "url"), id="inside a model"),
        pytest.param(("nobody", 3), ("nobody", 3), id="no field"),
    ],
)
def test_a_place_at_fault_is_told_by_the_names_of_fields(
    place: tuple[str | int, ...], own: tuple[str | int, ...]
) -> None:
    """So that the message has the key that a person writes."""
    assert own_place(Settings, place) == own


def test_a_place_belongs_to_the_field_that_takes_it() -> None:
    """What is left of the place stands below that field."""
    assert field_at(Settings, ("login", "user", "x")) == ("user", ("x",))
    assert field_at(Settings, ("login",)) == ("", ("login",))


def test_every_way_to_write_a_field_is_listed() -> None:
    """In a file and in a variable; a place inside a list cannot be written in either."""
    assert set(spellings(Settings)) == {
        *("plain", "url", "port", "first", "user", "inner", "maybe"),
        *("DATABASE_URL", "portNumber", "PORT", "login.user"),
        *("database_url", "portnumber"),
    } | {"port"}


@pytest.mark.parametrize(
    ("speakers", "expected"),
    [
        pytest.param([layer("profile", {"x.DATABASE_URL": "f"})], {"url": "f"}, id="an alias in a file"),
        pytest.param([layer("env", {"x.database_url": "e"})], {"url": "e"}, id="an alias in a variable"),
        pytest.param([layer("env", {"x.url": "e"})], {"url": "e"}, id="the field's own name in a variable"),
        pytest.param(
            [layer("profile", {"x.url": "f"}), layer("env", {"x.database_url": "e"})], {"url": "e"}, id="layers by rank"
        ),
        pytest.param(
            [layer("profile", {"x.DATABASE_URL": "f"}), layer("env", {"x.url": "e"})], {"url": "e"}, id="rank again"
        ),
        pytest.param([layer("env", {"x.first": "e"})], {"first": "e"}, id="a field that is taken from a list"),
        pytest.param([layer("profile", {"x.login": {"user": "f"}})], {"user": "f"}, id="one that is taken from a map"),
        pytest.param(
            [layer("env", {"x.inner.inner_url": "e"})], {"inner": Inner(INNER_URL="e")}, id="one inside a model"
        ),
        pytest.param([layer("env", {"x.port": "7"})], {"port": 7}, id="read by the type of the field"),
    ],
)
def test_a_setting_is_decided_and_built_under_any_of_its_names(
    speakers: list[Speaker], expected: dict[str, object]
) -> None:
    """From the word of a layer to the field of the model."""
    heard = words(*speakers).renamed("x", Settings)

    made = validated(Settings, [evaluate(one, heard) for one in fields_of(Settings, "x")])

    assert {name: getattr(made, name) for name in expected} == expected
    untouched = set(Settings.model_fields) - set(expected)
    assert {name: getattr(made, name) for name in untouched} == {name: getattr(Settings(), name) for name in untouched}


def test_a_model_that_takes_both_names_is_built_by_its_own() -> None:
    """Of the two in one layer, the field's own name counts."""
    heard = words(layer("profile", {"x.DATABASE_URL": "alias", "x.url": "own"})).renamed("x", ByName)

    made = validated(ByName, [evaluate(one, heard) for one in fields_of(ByName, "x")])

    assert made.url == "own"
