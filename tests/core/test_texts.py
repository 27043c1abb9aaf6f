"""Texts of variables and flags, read by the declared type."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from oneiric.core.directives import Directive
from oneiric.core.errors import InvalidDirective, InvalidValue
from oneiric.core.origins import EnvOrigin
from oneiric.core.sources import Said
from oneiric.core.texts import folded, is_secret_type, parse, plain_type, read_text, type_at, type_of_item


def said(text: str) -> Said:
    """Return the word of a variable."""
    return Said(text, EnvOrigin("ONEIRIC_ORDERS__K"), text=True)


class Level(enum.Enum):
    """Told by a number."""

    LOW = 1


@dataclass
class Point:
    """A pair of numbers."""

    x: int


class Model(BaseModel):
    """A list inside a model."""

    tags: list[str]


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        pytest.param(str, "007", "007", id="a text of digits stays a text"),
        pytest.param(str, "a,b", "a,b", id="a text with a comma is no list"),
        pytest.param(str, "[1]", "[1]", id="a text that looks like JSON stays a text"),
        pytest.param(int, "12", "12", id="a number is left to the model"),
        pytest.param(bool | None, "off", False, id="an optional truth value"),
        pytest.param(Annotated[bool, "x"], "on", True, id="an annotated truth value"),
        pytest.param(Literal[1, 2], "2", 2, id="a literal number"),
        pytest.param(Literal["a"], "a", "a", id="a literal text"),
        pytest.param(Level, "1", 1, id="an enumeration by its value"),
        pytest.param(Sequence[int], "[1]", [1], id="a sequence"),
        pytest.param(frozenset[int], "[1]", [1], id="a set"),
        pytest.param(tuple[int, str] | None, '[1, "a"]', [1, "a"], id="an optional tuple"),
        pytest.param(Mapping[str, int], '{"a": 1}', {"a": 1}, id="a map"),
        pytest.param(Point, '{"x": 1}', {"x": 1}, id="a dataclass"),
        pytest.param(Model, '{"tags": []}', {"tags": []}, id="a model"),
        pytest.param(list[int] | dict[str, int], "[1]", [1], id="a list or a map"),
        pytest.param(int | list[int], "1", "1", id="a number or a list is left to the model"),
        pytest.param(Path, "/x", "/x", id="a path"),
        pytest.param(bytes, "ab", "ab", id="bytes"),
        pytest.param(ipaddress.IPv4Network, "10.0.0.0/8", "10.0.0.0/8", id="a network"),
        pytest.param(Any, "[1]", "[1]", id="anything"),
    ],
)
def test_the_declared_type_decides(annotation: object, text: str, value: object) -> None:
    """Never the look of the text."""
    assert parse("k", annotation, text, EnvOrigin("K")) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(pytest.param(text, True, id=text) for text in ("true", "1", "on", "yes", "YES")),
        *(pytest.param(text, False, id=text) for text in ("false", "0", "off", "no", "Off")),
    ],
)
def test_a_truth_value_has_four_spellings_each(text: str, value: bool) -> None:
    """In upper or lower case, and nothing else is one."""
    assert parse("k", bool, text, None) is value


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        pytest.param(str, "@empty", "", id="the empty text"),
        pytest.param(str, "@@x", "@x", id="a text that begins with @"),
        pytest.param(str, "@@empty", "@empty", id="the text that means the empty one"),
        pytest.param(str, "@@@x", "@@x", id="a text that begins with two"),
        pytest.param(str, "a@b", "a@b", id="an @ further behind is nothing special"),
        pytest.param(list[int], "[1]", [1], id="anything else by the type"),
        pytest.param(str, "@unset", Directive("unset", True), id="unset"),
        pytest.param(list[str], '@append:["x"]', Directive("append", ["x"]), id="append"),
        pytest.param(list[str], '@prepend:["x"]', Directive("prepend", ["x"]), id="prepend"),
        pytest.param(list[str], '@remove:["x"]', Directive("remove", ["x"]), id="remove"),
        pytest.param(dict[str, int], '@replace:{"a": 1}', Directive("replace", {"a": 1}), id="replace"),
    ],
)
def test_a_text_with_an_at_is_a_directive_or_is_escaped(annotation: object, text: str, value: object) -> None:
    """`@@` stands for one `@`, and `@empty` for the text that a variable cannot be set to."""
    assert read_text("k", annotation, said(text)) == value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("@hunter2", "invalid-directive", id="no such directive"),
        pytest.param("@hunter2:[1]", "invalid-directive", id="none with items either"),
        pytest.param("@append", "invalid-directive", id="no items"),
        pytest.param("@Unset", "invalid-directive", id="in another case"),
        pytest.param("@unset:hunter2", "invalid-value", id="unset with something that is no JSON"),
        pytest.param("@unset:false", "invalid-directive", id="unset with something else than true"),
        pytest.param("@append:hunter2", "invalid-value", id="items that are no JSON"),
        pytest.param('@append:{"hunter2": 1}', "invalid-value", id="items that are no list"),
    ],
)
def test_a_directive_that_cannot_be_is_refused_with_its_place(text: str, code: str) -> None:
    """The error names key and variable, and shows nothing that could be a value."""
    with pytest.raises((InvalidDirective, InvalidValue)) as raised:
        read_text("orders.k", list[str], said(text))

    assert raised.value.code == code
    assert raised.value.origin == EnvOrigin("ONEIRIC_ORDERS__K")
    assert "orders.k" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_text_of_brackets_only_is_an_error_and_no_crash() -> None:
    """JSON that is nested too deep is JSON that cannot be read."""
    with pytest.raises(InvalidValue):
        parse("k", list[Any], "[" * 100_000, None)


@pytest.mark.parametrize("annotation", [pytest.param(bool, id="truth"), pytest.param(Sequence[int], id="list")])
def test_a_text_that_does_not_fit_is_not_shown(annotation: object) -> None:
    """The error has the key and the variable, and not the text."""
    with pytest.raises(InvalidValue) as raised:
        parse("orders.k", annotation, "hunter2", EnvOrigin("ONEIRIC_ORDERS__K"))

    assert "hunter2" not in str(raised.value)
    assert "ONEIRIC_ORDERS__K" in str(raised.value)


@pytest.mark.parametrize(
    ("annotation", "path", "found"),
    [
        pytest.param(Model, ("tags",), list[str], id="a field of a model"),
        pytest.param(dict[str, Model], ("a", "tags"), list[str], id="a model in a map"),
        pytest.param(dict[str, bool] | None, ("a",), bool, id="a value of an optional map"),
        pytest.param(dict, ("a",), Any, id="a map of anything"),
    ],
)
def test_a_part_has_a_type_of_its_own(annotation: object, path: tuple[str, ...], found: object) -> None:
    """It is found by the path below the field."""
    assert type_at(annotation, path) == found


@pytest.mark.parametrize(
    ("annotation", "position", "found"),
    [
        pytest.param(list[Model], 3, Model, id="an item of a list"),
        pytest.param(tuple[int, str], 1, str, id="an item of a pair"),
        pytest.param(tuple[int, str], 2, Any, id="one behind the pair"),
        pytest.param(tuple[int, ...], 7, int, id="an item of a tuple of any length"),
        pytest.param(list[int] | None, 0, int, id="an item of an optional list"),
        pytest.param(list, 0, Any, id="a list of anything"),
        pytest.param(dict[str, int], 0, Any, id="a map has no items"),
    ],
)
def test_an_item_of_a_list_has_a_type_of_its_own(annotation: object, position: int, found: object) -> None:
    """It is found by its position."""
    assert type_of_item(annotation, position) == found


@pytest.mark.parametrize(
    ("annotation", "is_secret"),
    [
        pytest.param(SecretStr, True, id="a text"),
        pytest.param(SecretBytes | None, True, id="optional bytes"),
        pytest.param(Annotated[SecretStr, "x"] | None, True, id="annotated"),
        pytest.param(Secret[int], True, id="any type"),
        pytest.param(str, False, id="an ordinary text"),
        pytest.param(list[SecretStr], False, id="a list of secrets is none itself"),
    ],
)
def test_a_type_tells_whether_it_hides_its_value(annotation: object, is_secret: bool) -> None:
    """Optional and Annotated change nothing."""
    assert is_secret_type(annotation) is is_secret


def test_a_choice_between_several_types_stays_one() -> None:
    """Only None and annotations are taken off."""
    assert plain_type(Annotated[int | None, "x"]) is int
    assert plain_type(int | str) == int | str


def test_a_variable_spells_neither_case_nor_dashes() -> None:
    """So keys are compared without them."""
    assert folded("queue.Redis-Streams.maxLen") == "queue.redis_streams.maxlen"
