"""What holds for the evaluator whatever layers say: merging, determinism, and origins that are true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from oneiric.core.config import evaluate
from oneiric.core.deciding import decide
from oneiric.core.origins import CodeOrigin
from oneiric.core.reasons import REASONS
from oneiric.core.secrets import SecretRules
from oneiric.core.sources import Said
from oneiric.core.values import MISSING, Field, Value
from oneiric.core.words import Speaker
from tests.core.sayings import layer, words

KEY = "x.options"
CODES = {"invalid-value", "invalid-directive", "invalid-secret-reference", "secret-not-found", "missing-required"}

names = st.sampled_from(["a", "b", "c.d"])
scalars = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "p", "q"])
lists = st.lists(st.integers(0, 3), max_size=3)
plain = scalars | lists
changes = st.one_of(
    st.sampled_from(["$append", "$prepend", "$remove"]).flatmap(lambda name: lists.map(lambda items: {name: items})),
    plain.map(lambda value: {"$replace": value}),
)
directives = changes | st.just({"$unset": True})


def trees_of(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return nested tables with these leaves."""
    inside = st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=2), max_leaves=4)
    return st.dictionaries(names, inside, max_size=3)


trees, wild_trees, changing_trees = trees_of(plain), trees_of(plain | directives), trees_of(plain | changes)
shaped_trees = st.fixed_dictionaries(  # in which a name is a table everywhere, or nowhere
    {}, optional={"a": plain, "b": st.fixed_dictionaries({}, optional={"x": plain, "y": plain}), "c.d": plain}
)
odd_values = st.recursive(
    plain | directives | st.sampled_from(["secret://", "secret://x", "secret://x?optional"]),
    lambda inner: (
        st.dictionaries(names | st.sampled_from(["$append", "$merge", "$unset"]), inner, max_size=2)
        | st.lists(inner, max_size=2)
    ),
)


def field(default: Any = MISSING) -> Field:
    """Return a setting that may be anything."""
    return Field(KEY, Any, default, origin=CodeOrigin("code"))


def said(trees: list[Any]) -> list[Speaker]:
    """Return a layer for each value, low to high, named by its position."""
    return [layer(f"l{n}", {KEY: tree}) for n, tree in enumerate(trees)]


def value_of(trees: list[Any], default: Any = MISSING) -> Any:
    """Return what the layers come to."""
    return evaluate(field(default), words(*said(trees))).value


def parts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every leaf of a value with its path."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from parts(part, (*path, name))
    else:
        yield path, value


def at(value: Any, path: tuple[str, ...]) -> Any:
    """Return a part of a value."""
    for name in path:
        value = value[name]
    return value


@given(shaped_trees, shaped_trees, shaped_trees)
def test_merging_tables_is_associative(low: Any, middle: Any, high: Any) -> None:
    """Where a name is a table in every layer or in none, it does not matter which two layers are merged first."""
    first_low = value_of([value_of([low, middle]), high])
    first_high = value_of([low, value_of([middle, high])])

    assert first_low == first_high == value_of([low, middle, high])


@given(st.lists(wild_trees, min_size=1, max_size=2), st.lists(changing_trees, min_size=1, max_size=2), trees)
def test_lower_layers_can_be_merged_first(low: list[Any], high: list[Any], default: Any) -> None:
    """With the code below them, whatever directives they hold: what is above sees only what they come to."""
    below = value_of(low, default)
    assume(below is not MISSING)

    assert value_of([{"$replace": below}, *high], default) == value_of([*low, *high], default)


@given(st.lists(wild_trees, max_size=3), wild_trees, st.integers(0, 3))
def test_a_layer_that_says_nothing_about_it_changes_nothing(layers: list[Any], other: Any, position: int) -> None:
    """It has no share either."""
    speakers = said(layers)
    silent = layer("silent", {"x.other": other, "x.optionsx": 1, "x": 2})

    with_it = evaluate(field({}), words(*speakers[:position], silent, *speakers[position:]))
    without = evaluate(field({}), words(*speakers))

    assert with_it.value == without.value
    assert with_it.shares == without.shares


@given(st.lists(odd_values, max_size=3), st.data())
def test_evaluation_is_deterministic(layers: list[Any], data: st.DataObject) -> None:
    """Neither asking again nor the order in which a layer holds its words changes the value or a share."""
    speakers = said(layers)
    mixed = [one._replace(said=dict(data.draw(st.permutations(list(one.said.items()))))) for one in speakers]

    first, again, other = (evaluate(field({}), words(*spoken)) for spoken in (speakers, speakers, mixed))

    assert outcome(first) == outcome(again) == outcome(other)
    assert [str(share) + str(share.origin) for share in first.shares] == [
        str(share) + str(share.origin) for share in other.shares
    ]


def outcome(value: Value) -> Any:
    """Return a value, or the text of its error."""
    return value.value if value.error is None else str(value.error)


@given(st.lists(trees, min_size=1, max_size=4), trees)
def test_the_origin_of_every_leaf_is_a_layer_that_holds_its_value(layers: list[Any], default: Any) -> None:
    """And no layer above that one says anything at that place."""
    decision = decide(field(default), words(*said(layers)), SecretRules())

    trees = {"code": default} | {f"l{n}": tree for n, tree in enumerate(layers)}
    for path, value in parts(decision.value):
        owner = str(decision.origins[path]).partition(":")[0]
        assert at(trees[owner], path) == value
        above = [tree for name, tree in trees.items() if name > owner]
        assert not any(part[: len(path)] == path for tree in above for part, _ in parts(tree))


@given(st.lists(trees, max_size=4), trees)
def test_who_has_a_leaf_won_or_merged(layers: list[Any], default: Any) -> None:
    """The highest of them is the winner."""
    decision = decide(field(default), words(*said(layers)), SecretRules())

    owners = {str(origin).partition(":")[0] for origin in decision.origins.values()}
    winners = [share.layer for share in decision.shares if share.status == "winner"]
    if owners:
        assert winners == [max(owners, key=["code", "l0", "l1", "l2", "l3"].index)]
        assert owners <= {share.layer for share in decision.shares if share.status in {"winner", "merged"}}


@given(st.lists(odd_values, max_size=4), st.sampled_from([MISSING, {}, None, "x", ["a"]]), st.booleans())
def test_anything_ends_in_a_value_or_a_listed_error(layers: list[Any], default: Any, required: bool) -> None:
    """With one winner at most, layers high to low, and a listed reason for everybody who lost."""
    setting = field(default)._replace(required=required)

    found = evaluate(setting, words(*said(layers)), SecretRules())

    positions = [["code", "l0", "l1", "l2", "l3"].index(share.layer) for share in found.shares]
    assert positions == sorted(positions, reverse=True)
    assert sum(share.status == "winner" for share in found.shares) <= 1
    assert all(share.reason is None or share.reason in REASONS for share in found.shares)
    if found.error is not None:
        assert found.error.code in CODES
        assert found.value is MISSING
        assert found.winner is None


@given(st.lists(st.none() | st.text(max_size=3), max_size=4), st.sampled_from([str, bool, int, list[str], Any]))
def test_a_variable_ends_in_a_value_or_a_listed_error(texts: list[str | None], annotation: Any) -> None:
    """Whatever its text and the type of its setting are; an error has the variable and shows no text of it."""
    speakers = [
        Speaker(f"l{n}", {KEY: Said(text, CodeOrigin(f"l{n}"), text=True)})
        for n, text in enumerate(texts)
        if text is not None
    ]

    found = evaluate(Field(KEY, annotation, None), words(*speakers))

    assert found.error is None or (found.error.code in CODES and found.error.origin is not None)
    heard = [text for text in texts if text]
    if found.error is None and not heard:
        assert found.value is None
