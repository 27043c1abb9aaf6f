"""Directives: values that say how to combine with what lower layers say."""

from __future__ import annotations

import pytest

from oneiric.core.directives import Directive, directive_of
from oneiric.core.errors import InvalidDirective, InvalidValue
from oneiric.core.origins import CodeOrigin

AT = CodeOrigin("oneiric.toml:7")


@pytest.mark.parametrize(
    ("directive", "below", "result"),
    [
        pytest.param(Directive("append", ["c"]), ["a", "b"], ["a", "b", "c"], id="append"),
        pytest.param(Directive("append", ["a"]), ["a"], ["a", "a"], id="append what is there already"),
        pytest.param(Directive("prepend", ["x", "y"]), ["a"], ["x", "y", "a"], id="prepend keeps its own order"),
        pytest.param(Directive("remove", ["a", "z"]), ["a", "b", "a"], ["b"], id="remove takes every one"),
        pytest.param(Directive("remove", ["a"]), [], [], id="remove from nothing"),
        pytest.param(Directive("append", []), ["a"], ["a"], id="append nothing"),
        pytest.param(Directive("remove", [{"a": 1}]), [{"a": 1}, {"a": 2}], [{"a": 2}], id="remove a map"),
    ],
)
def test_a_list_directive_changes_the_list_below(
    directive: Directive, below: list[object], result: list[object]
) -> None:
    """The list itself is left as it was."""
    before = list(below)

    assert directive.applied(below) == result
    assert below == before


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param({"$append": ["x"]}, Directive("append", ["x"]), id="append"),
        pytest.param({"$prepend": []}, Directive("prepend", []), id="prepend nothing"),
        pytest.param({"$remove": ["x"]}, Directive("remove", ["x"]), id="remove"),
        pytest.param({"$replace": {"a": 1}}, Directive("replace", {"a": 1}), id="replace by a map"),
        pytest.param({"$replace": None}, Directive("replace", None), id="replace by null"),
        pytest.param({"$unset": True}, Directive("unset", True), id="unset"),
        pytest.param({"append": ["x"]}, {"append": ["x"]}, id="a plain key"),
        pytest.param({}, {}, id="an empty map"),
        pytest.param("$append", "$append", id="a text"),
        pytest.param(["$append"], ["$append"], id="a list"),
        pytest.param({1: 2}, {1: 2}, id="a key that is a number"),
    ],
)
def test_a_map_with_one_dollar_key_is_a_directive(value: object, found: object) -> None:
    """Everything else is a value."""
    assert directive_of("k", value, AT) == found


@pytest.mark.parametrize(
    ("value", "code", "why"),
    [
        pytest.param({"$append": [], "$remove": []}, "invalid-directive", '"$append", "$remove"', id="two directives"),
        pytest.param({"$append": [], "a": 1}, "invalid-directive", "does not stand alone", id="beside a plain key"),
        pytest.param({"$merge": 1}, "invalid-directive", 'no directive "merge"', id="one that does not exist"),
        pytest.param({"$": 1}, "invalid-directive", 'no directive ""', id="one without a name"),
        pytest.param({"$unset": False}, "invalid-directive", "given as true", id="unset as false"),
        pytest.param({"$unset": 1}, "invalid-directive", "given as true", id="unset as a number"),
        pytest.param({"$append": "x"}, "invalid-value", "append takes a list", id="append a text"),
        pytest.param({"$remove": {"a": 1}}, "invalid-value", "remove takes a list", id="remove a map"),
        pytest.param({"$prepend": None}, "invalid-value", "prepend takes a list", id="prepend null"),
    ],
)
def test_a_directive_that_cannot_be_is_refused_with_its_place(value: object, code: str, why: str) -> None:
    """The error names the key and where it was written."""
    with pytest.raises((InvalidDirective, InvalidValue)) as raised:
        directive_of("cache.redis.tags", value, AT)

    assert raised.value.code == code
    assert raised.value.origin == AT
    assert "cache.redis.tags" in str(raised.value)
    assert why in str(raised.value)
