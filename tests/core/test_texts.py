"""Texts of variables and flags, read by the declared type."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel

from oneiric.core.errors import InvalidValue
from oneiric.core.origins import EnvOrigin
from oneiric.core.sources import Said
from oneiric.core.texts import folded, parse, type_at


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
        pytest.param(str, "@empty", "", id="the empty text"),
        pytest.param(str, "@@x", "@x", id="a text that begins with @"),
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
    assert parse("k", annotation, Said(text, EnvOrigin("K"), text=True)) == value


@pytest.mark.parametrize("annotation", [pytest.param(bool, id="truth"), pytest.param(Sequence[int], id="list")])
def test_a_text_that_does_not_fit_is_not_shown(annotation: object) -> None:
    """The error has the key and the variable, and not the text."""
    with pytest.raises(InvalidValue) as raised:
        parse("orders.k", annotation, Said("hunter2", EnvOrigin("ONEIRIC_ORDERS__K"), text=True))

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


def test_a_variable_spells_neither_case_nor_dashes() -> None:
    """So keys are compared without them."""
    assert folded("queue.Redis-Streams.maxLen") == "queue.redis_streams.maxlen"
