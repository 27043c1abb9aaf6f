"""Deciding a setting in full: what became of each layer's word, and why."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from oneiric.core.deciding import decide
from oneiric.core.secrets import SecretRules
from oneiric.core.values import MISSING, Decision
from oneiric.core.words import Speaker
from tests.core.sayings import became, field, layer, words

RULES = SecretRules()
WINS = ("winner", None)
LOWER = ("shadowed", "lower-layer")
MASKED = ("masked", "masked-by-unset")
JOINS = ("merged", None)


class Settings(BaseModel):
    """Settings that a layer can combine with lower ones."""

    host: str = "localhost"
    tls: bool = False
    tags: list[str] = ["a"]
    options: dict[str, Any] = {}
    limits: dict[str, list[int]] = {"low": [1]}
    limit: int | None = None
    region: str
    zone: str = None  # type: ignore[assignment]  # required, since its type has no None


def decided(name: str, *layers: Speaker, path: tuple[str, ...] = ()) -> Decision:
    """Decide a setting of `x`."""
    return decide(field(Settings, f"x.{name}"), words(*layers), RULES, path)


def said(*values: Any, name: str = "tags") -> list[Speaker]:
    """Return layers `l0`, `l1` and so on, low to high, that say these values."""
    return [layer(f"l{n}", {f"x.{name}": value}) for n, value in enumerate(values)]


def test_the_highest_layer_wins_and_the_others_are_shadowed() -> None:
    """Each layer that speaks has its share with a status, high to low; one that says nothing has none."""
    decision = decided("host", layer("profile", {"x.host": "p"}), layer("manifest", {}), layer("env", {"x.host": "e"}))

    assert decision.value == "e"
    assert became(decision.shares) == [("env", *WINS), ("profile", *LOWER), ("code", *LOWER)]
    assert [str(share.origin) for share in decision.shares[:2]] == ["env:x.host", "profile:x.host"]
    assert [share.value for share in decision.shares] == ["e", "p", "localhost"]


def test_an_empty_variable_does_not_count() -> None:
    """`X=` is ignored, and says so."""
    decision = decided("host", layer("profile", {"x.host": "p"}), layer("env", {"x.host": ""}))

    assert decision.value == "p"
    assert became(decision.shares)[0] == ("env", "absent", "empty-ignored")


@pytest.mark.parametrize(
    ("layers", "value", "statuses"),
    [
        pytest.param([{"a.x": 1}, {"a.y": 2}], {"a": {"x": 1, "y": 2}}, [WINS, JOINS, JOINS], id="leaves of one table"),
        pytest.param(
            [{"a": 1, "b.x": 1, "b.y": 1}, {"b.y": 2, "c": 3}],
            {"a": 1, "b": {"x": 1, "y": 2}, "c": 3},
            [WINS, JOINS, JOINS],
            id="what it names and nothing else",
        ),
        pytest.param(
            [{"a": 1}, {"b": 2}, {"a": 3}],
            {"a": 3, "b": 2},
            [WINS, JOINS, LOWER, JOINS],
            id="nothing is left of the lowest",
        ),
        pytest.param([{"a": 1}, {"": {}}], {"a": 1}, [JOINS, WINS, JOINS], id="an empty table adds nothing"),
        pytest.param([{"a": 5}, {"a.b": 1}], {"a": {"b": 1}}, [WINS, LOWER, JOINS], id="a table hides a value"),
        pytest.param([{"a.b": 1}, {"a": 5}], {"a": 5}, [WINS, LOWER, JOINS], id="a value hides a table"),
        pytest.param(
            [{"a.b": 1}, {"a": 5}, {"a.c": 2}],
            {"a": {"c": 2}},
            [WINS, LOWER, LOWER, JOINS],
            id="a value between two tables parts them",
        ),
        pytest.param([{"": {}}], {}, [WINS, JOINS], id="an empty table alone wins"),
        pytest.param([{"a": 1}, {"a": None}], {"a": None}, [WINS, LOWER, JOINS], id="null hides a value"),
        pytest.param(
            [{"a": {"b": 1}}, {"a": {"$unset": True}}],
            {},
            [("unset", None), MASKED, WINS],
            id="unset takes a part away",
        ),
        pytest.param(
            [{"a.b": 1, "c": 1}, {"a": {"$replace": {"d": 2}}}],
            {"a": {"d": 2}, "c": 1},
            [WINS, JOINS, JOINS],
            id="replace stops the merge of a part",
        ),
    ],
)
def test_maps_merge_leaf_by_leaf(
    layers: list[dict[str, Any]], value: object, statuses: list[tuple[str, str | None]]
) -> None:
    """
    The highest contributor wins, the others are merged, and those of whom nothing is left are shadowed.

    An empty map, such as the default here, takes part and hides nothing: nobody says something else than it does.
    """
    speakers = [
        layer(f"l{n}", {f"x.options.{part}".rstrip("."): value for part, value in one.items()})
        for n, one in enumerate(layers)
    ]

    decision = decided("options", *speakers)

    assert decision.value == value
    assert [(status, reason) for _, status, reason in became(decision.shares)] == statuses


def test_each_leaf_of_a_merged_map_keeps_its_own_origin() -> None:
    """So that a fault inside a map is told with the line it stands on."""
    decision = decided(
        "options", layer("profile", {"x.options": {"a": {"b": 1, "c": 1}}}), layer("env", {"x.options.a.c": "2"})
    )

    assert {path: str(origin) for path, origin in decision.origins.items()} == {
        ("a", "b"): "profile:x.options.a.b",
        ("a", "c"): "env:x.options.a.c",
    }


@pytest.mark.parametrize(
    ("values", "value", "statuses"),
    [
        pytest.param([{"$append": ["b"]}], ["a", "b"], [WINS, JOINS], id="append to the code"),
        pytest.param([{"$prepend": ["b"]}], ["b", "a"], [WINS, JOINS], id="prepend to the code"),
        pytest.param([{"$remove": ["a"]}], [], [WINS, JOINS], id="remove from the code"),
        pytest.param([["b"], {"$append": ["c"]}], ["b", "c"], [WINS, JOINS, LOWER], id="append to a layer"),
        pytest.param(
            [{"$append": ["b", "c"]}, {"$remove": ["b"]}, {"$prepend": ["z"]}],
            ["z", "a", "c"],
            [WINS, JOINS, JOINS, JOINS],
            id="three, the lowest first",
        ),
        pytest.param([{"$append": ["b"]}, ["c"]], ["c"], [WINS, LOWER, LOWER], id="a list hides a directive"),
        pytest.param([["b"], {"$replace": ["c"]}], ["c"], [WINS, LOWER, LOWER], id="replace"),
        pytest.param(
            [["b"], {"$replace": ["c"]}, {"$append": ["d"]}],
            ["c", "d"],
            [WINS, JOINS, LOWER, LOWER],
            id="append to what replaces",
        ),
        pytest.param([["b"], {"$replace": {"$append": ["c"]}}], ["c"], [WINS, LOWER, LOWER], id="append in replace"),
        pytest.param([["b"], {"$unset": True}], ["a"], [("unset", None), MASKED, WINS], id="unset: back to the code"),
        pytest.param(
            [["b"], {"$unset": True}, ["c"]], ["c"], [WINS, ("unset", None), MASKED, LOWER], id="a layer above unset"
        ),
        pytest.param(
            [["b"], {"$unset": True}, {"$append": ["c"]}],
            ["a", "c"],
            [WINS, ("unset", None), MASKED, JOINS],
            id="append above unset: to the code",
        ),
        pytest.param([["b"], []], [], [WINS, LOWER, LOWER], id="an empty list is a value"),
    ],
)
def test_directives_combine_with_what_lies_below(
    values: list[Any], value: object, statuses: list[tuple[str, str | None]]
) -> None:
    """A layer that only changes what lies below leaves that a share."""
    decision = decided("tags", *said(*values))

    assert decision.value == value
    assert [(status, reason) for _, status, reason in became(decision.shares)] == statuses


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("tags", '@append:["b"]', ["a", "b"], id="append"),
        pytest.param("tags", '@remove:["a"]', [], id="remove"),
        pytest.param("limits", '@replace:{"high": [2]}', {"high": [2]}, id="replace"),
        pytest.param("host", "@unset", "localhost", id="unset"),
        pytest.param("host", "@empty", "", id="the empty text"),
        pytest.param("host", "@@unset", "@unset", id="a text that looks like one"),
    ],
)
def test_variables_spell_directives_with_an_at(name: str, text: str, value: object) -> None:
    """They mean what the same directive of a file means."""
    assert decided(name, layer("env", {f"x.{name}": text})).value == value


def test_a_directive_on_nothing_works_on_an_empty_list() -> None:
    """A part of a map that nobody else names is there afterwards."""
    decision = decided("limits", layer("profile", {"x.limits.high": {"$append": [2]}}))

    assert decision.value == {"low": [1], "high": [2]}


@pytest.mark.parametrize(
    ("name", "values", "code", "at"),
    [
        pytest.param("host", [{"$append": ["x"]}], "invalid-value", "l0:x.host", id="append to a text"),
        pytest.param("options", ["x", {"$append": ["y"]}], "invalid-value", "l1:x.options", id="to a text of a layer"),
        pytest.param("tags", [{"$append": "x"}], "invalid-value", "l0:x.tags", id="append a text"),
        pytest.param("tags", [{"$append": [], "$remove": []}], "invalid-directive", "l0:x.tags", id="two directives"),
        pytest.param("tags", [["b"], {"$merge": []}], "invalid-directive", "l1:x.tags", id="one that does not exist"),
    ],
)
def test_a_directive_that_cannot_be_is_an_error_of_its_layer(name: str, values: list[Any], code: str, at: str) -> None:
    """It never falls to the layer below."""
    decision = decided(name, *said(*values, name=name))

    assert decision.value is MISSING
    assert decision.error is not None
    assert (decision.error.code, str(decision.error.origin)) == (code, at)
    assert decision.shares[0].status == "ineligible"


def test_an_error_has_no_winner() -> None:
    """Not even the layer whose value a directive could not be carried out on."""
    decision = decided("limit", *said(None, {"$append": ["x"]}, name="limit"))

    assert decision.error is not None
    assert became(decision.shares) == [("l1", "ineligible", None), ("l0", *JOINS), ("code", *LOWER)]


def test_a_directive_that_cannot_be_is_no_fault_below_unset() -> None:
    """What is masked has no say, also if it is wrong."""
    decision = decided("tags", *said({"$merge": []}, {"$unset": True}))

    assert (decision.value, decision.error) == (["a"], None)


@pytest.mark.parametrize(
    ("name", "text"),
    [pytest.param("tls", "hunter2", id="a truth value"), pytest.param("tags", "a,hunter2", id="a list")],
)
def test_text_that_does_not_fit_is_an_error_and_never_falls(name: str, text: str) -> None:
    """The next layer is not asked, and the text is not shown."""
    decision = decided(name, layer("profile", {f"x.{name}": True}), layer("env", {f"x.{name}": text}))

    assert decision.value is MISSING
    assert decision.error is not None
    assert (decision.error.code, str(decision.error.origin)) == ("invalid-value", f"env:x.{name}")
    assert "hunter2" not in str(decision.error)


def test_a_text_that_cannot_be_read_is_a_warning_below_one_that_can() -> None:
    """Only the word that counts has to fit; a hidden one is told, without its text."""
    decision = decided("tls", layer("env", {"x.tls": "hunter2"}), layer("explicit", {"x.tls": True}))

    assert (decision.value, decision.error) == (True, None)
    assert became(decision.shares) == [("explicit", *WINS), ("env", *LOWER), ("code", *LOWER)]
    assert [(one.code, str(one.origin)) for one in decision.warnings] == [("invalid-shadowed", "env:x.tls")]
    assert "hunter2" not in f"{decision.warnings[0]} {decision.shares!r}"


@pytest.mark.parametrize(
    ("name", "layers", "tried"),
    [
        pytest.param("region", [], ["code: no default"], id="nobody says anything"),
        pytest.param(
            "region",
            [layer("env", {"x.region": ""})],
            ["env: empty-ignored", "code: no default"],
            id="only an empty variable",
        ),
        pytest.param(
            "region",
            [layer("profile", {"x.region": "eu"}), layer("env", {"x.region": "@unset"})],
            ["env: unset", "profile: masked-by-unset", "code: no default"],
            id="masked, with no default below",
        ),
        pytest.param(
            "region", [layer("profile", {"x.region": None})], ["profile: null", "code: no default"], id="null won"
        ),
        pytest.param("zone", [], ["code: null"], id="the code has null where none may be"),
    ],
)
def test_what_is_required_and_missing_lists_every_place_tried(
    name: str, layers: list[Speaker], tried: list[str]
) -> None:
    """Each with its reason, high to low."""
    decision = decided(name, *layers)

    assert decision.value is MISSING
    assert decision.error is not None
    assert decision.error.code == "missing-required"
    assert all(place in str(decision.error) for place in tried)
    assert [str(decision.error).index(place) for place in tried] == sorted(map(str(decision.error).index, tried))
    assert not any(share.status == "winner" for share in decision.shares)


def test_null_is_a_value_where_the_type_has_none() -> None:
    """It wins over what lies below."""
    decision = decided("limit", layer("profile", {"x.limit": 5}), layer("manifest", {"x.limit": None}))

    assert (decision.value, decision.error) == (None, None)
    assert became(decision.shares)[0] == ("manifest", *WINS)


@pytest.mark.parametrize(
    ("path", "value", "shares"),
    [
        pytest.param(("a",), {"b": 1, "c": 2}, [("env", *WINS), ("profile", "merged", None)], id="a map inside"),
        pytest.param(("a", "b"), 1, [("profile", *WINS)], id="a leaf of the lower layer"),
        pytest.param(("a", "c"), 2, [("env", *WINS), ("profile", *LOWER)], id="a leaf of both"),
        pytest.param(("z",), MISSING, [], id="nothing"),
    ],
)
def test_a_part_of_a_map_is_decided_by_itself(
    path: tuple[str, ...], value: object, shares: list[tuple[str, str, str | None]]
) -> None:
    """Only who speaks about that part has a share in it."""
    layers = [layer("profile", {"x.options": {"a": {"b": 1, "c": 1}}}), layer("env", {"x.options": '{"a": {"c": 2}}'})]

    decision = decided("options", *layers, path=path)

    assert decision.value == value
    assert became(decision.shares) == shares
