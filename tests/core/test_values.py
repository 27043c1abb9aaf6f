"""Decided values as plain data: who won, and what code gets of it."""

from __future__ import annotations

import pytest
from pydantic import SecretBytes, SecretStr

from oneiric.core.secrets import Opened
from oneiric.core.values import PENDING, Decision, Field, Share, Status, Value, holds, opened, sealed


def value(decided: object, *statuses: Status) -> Value:
    """Return a value in which layers `l0`, `l1` and so on, high to low, have shares of these statuses."""
    shares = tuple(Share(f"l{n}", status, None, None, None) for n, status in enumerate(statuses))
    return Value(Field("x.host", str), decided, lambda: Decision(decided, shares))


@pytest.mark.parametrize(
    ("made", "winner"),
    [
        pytest.param(value("a", "absent", "winner", "shadowed"), "l1", id="the winner"),
        pytest.param(value(PENDING, "unknown", "shadowed"), "l0", id="presumed, where nobody asked the store"),
        pytest.param(value("a", "unknown", "winner"), "l1", id="a store below, or above, that was not asked"),
        pytest.param(value(None, "ineligible", "absent"), None, id="nobody"),
        pytest.param(value("a"), None, id="no shares"),
    ],
)
def test_whose_word_counts(made: Value, winner: str | None) -> None:
    """A layer that was not asked counts only while the value is not there."""
    assert (made.winner.layer if made.winner is not None else None) == winner


def test_the_shares_are_made_when_somebody_asks() -> None:
    """Once, and not for a value that is only used."""
    asked: list[int] = []

    def decide() -> Decision:
        asked.append(1)
        return Decision("a", ())

    made = Value(Field("x.host", str), "a", decide)

    assert asked == []
    assert made.shares == made.typed("b").shares == ()
    assert asked == [1]


@pytest.mark.parametrize(
    ("decided", "given", "in_model"),
    [
        pytest.param("a", "a", "a", id="a plain value"),
        pytest.param(Opened("S"), SecretStr("S"), "S", id="a text of the store"),
        pytest.param(Opened(b"S"), SecretBytes(b"S"), b"S", id="bytes of the store"),
        pytest.param(Opened(5), SecretStr("5"), 5, id="a number of the store"),
        pytest.param(
            {"a": [Opened("S"), 1]}, {"a": [SecretStr("S"), 1]}, {"a": ["S", 1]}, id="inside a map and a list"
        ),
    ],
)
def test_what_came_from_the_store_hides_itself_in_code(decided: object, given: object, in_model: object) -> None:
    """A settings model takes it as it is, since its field decides; code gets it in a type that hides it."""
    assert sealed(decided) == given
    assert opened(decided) == in_model


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        pytest.param("x", True, id="itself"),
        pytest.param({"a": ["y", ("x",)]}, True, id="inside a map, a list and a tuple"),
        pytest.param({"x": "y"}, False, id="a key is no part"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_a_value_is_searched_to_its_leaves(inside: object, found: bool) -> None:
    """As a reference may stand anywhere in it."""
    assert holds(inside, lambda part: part == "x") is found


def test_nothing_decided_shows_its_value() -> None:
    """Neither a value nor a share."""
    made = value("hunter2", "winner")

    assert "hunter2" not in f"{made!r} {made.shares!r}"
    assert made.field.name == "host"
