"""What parameters ask for: every spelling, and names that cannot be evaluated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Optional

import pytest

from oneiric import INJECTED, Container, Inject, Named, Provide
from oneiric.containers.needs import Need, Unknown, Way, evaluate, read_needs, site_name
from oneiric.core.errors import AnnotationUnresolved
from oneiric.providers.engine import Object

if TYPE_CHECKING:
    from nowhere import Ghost  # type: ignore[import-not-found]  # it exists for type checkers only


class Cache: ...


app = Container("spelling")


def by_type(x: Inject[Cache] = INJECTED) -> None: ...


def named(x: Annotated[Cache, Named("cache.sessions")] = INJECTED) -> None: ...


def named_below_child(x: Annotated[Cache, Named("adapters.cache")] = INJECTED) -> None: ...


def optional_by_bar(x: Inject[Cache] | None = INJECTED) -> None: ...


def optional_by_name(x: Optional[Inject[Cache]] = INJECTED) -> None: ...  # noqa: UP045  # the spelling under test


def optional_slot(x: Annotated[Cache, Named("cache")] | None = INJECTED) -> None: ...


def provided(x: Cache = Provide["cache"]) -> None: ...


def provided_below_child(x: Cache = Provide["adapters.cache"]) -> None: ...


def provided_slot(x: Cache = Provide[app.adapters.cache]) -> None: ...


def provided_annotation(x: Annotated[Cache, Provide["cache"]]) -> None: ...


def without_default(x: Inject[Cache]) -> None: ...


def ghost_by_type(x: Inject[Ghost] = INJECTED) -> None: ...


def ghost_named(x: Annotated[Ghost, Named("cache")] = INJECTED) -> None: ...


def forward(x: Inject[Later] = INJECTED) -> None: ...


def nested_text(x: Inject["Later"] = INJECTED) -> None: ...  # noqa: UP037  # the spelling under test


class Later: ...


@pytest.mark.parametrize(
    ("function", "slot", "type_", "optional"),
    [
        pytest.param(by_type, None, Cache, False, id="Inject[T]"),
        pytest.param(named, "cache.sessions", Cache, False, id="Named"),
        pytest.param(named_below_child, "adapters.cache", Cache, False, id="Named below its child"),
        pytest.param(optional_by_bar, None, Cache, True, id="Inject[T] | None"),
        pytest.param(optional_by_name, None, Cache, True, id="Optional[Inject[T]]"),
        pytest.param(optional_slot, "cache", Cache, True, id="Named | None"),
        pytest.param(provided, "cache", None, False, id="Provide of a name"),
        pytest.param(provided_below_child, "adapters.cache", None, False, id="Provide below its child"),
        pytest.param(provided_slot, "cache", None, False, id="Provide of a slot"),
        pytest.param(provided_annotation, "cache", Cache, False, id="Annotated with Provide"),
        pytest.param(without_default, None, Cache, False, id="no default"),
        pytest.param(forward, None, Later, False, id="a class defined later"),
        pytest.param(nested_text, None, Later, False, id="a text inside Inject"),
    ],
)
def test_a_spelling_says_slot_or_type(
    function: Callable[..., Any], slot: str | None, type_: type | None, optional: bool
) -> None:
    """All spellings lead to the same record."""
    need = read_needs(function)["x"]

    assert need == Need(site_name(function), "x", Named(slot) if slot else None, type_, optional)
    assert need.at == f"{function.__module__}:{function.__name__}(x)"


def test_a_name_for_type_checkers_only_spoils_a_parameter_that_needs_it() -> None:
    """The slot cannot be found by a type that is not there, and the error says which name to import."""
    need = read_needs(ghost_by_type)["x"]

    with pytest.raises(AnnotationUnresolved) as caught:
        need.check()

    assert caught.value.message == 'name "Ghost" of parameter x exists only under TYPE_CHECKING'
    assert caught.value.path == (need.at,)


def test_a_name_for_type_checkers_only_is_enough_where_the_slot_is_named() -> None:
    """With Named, the type is for the type checker."""
    need = read_needs(ghost_named)["x"]

    need.check()

    assert need.named == Named("cache")
    assert need.missing == "Ghost"


def test_a_missing_name_leaves_the_other_parameters_alone() -> None:
    """Annotations are evaluated one by one."""

    def mixed(a: Ghost, b: Inject[Cache] = INJECTED, c: Inject[Ghost] = INJECTED) -> Ghost: ...

    needs = read_needs(mixed)

    assert list(needs) == ["b", "c"]
    assert [need.is_unclear for need in needs.values()] == [False, True]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("Ghost", "<unknown name Ghost>", id="a name"),
        pytest.param("Ghost.Inner", "<unknown name Ghost.Inner>", id="an attribute"),
        pytest.param("Ghost[int]", "<unknown name Ghost>", id="a generic"),
        pytest.param("list[Ghost]", "list[<unknown name Ghost>]", id="inside another"),
        pytest.param("None | Ghost", "typing.Optional[<unknown name Ghost>]", id="right of a bar"),
    ],
)
def test_an_unknown_name_is_remembered_in_what_is_evaluated(text: str, shown: str) -> None:
    """A placeholder stands for the name, wherever the name stands."""
    assert repr(evaluate(by_type, text)) == shown


def test_an_annotation_that_cannot_be_evaluated_asks_for_nothing() -> None:
    """Any expression may stand there."""

    def odd(x: "1 / 0") -> None: ...  # type: ignore[valid-type]  # noqa: UP037  # an expression of another purpose

    assert read_needs(odd) == {}


def test_names_of_a_closure_come_before_those_of_the_module() -> None:
    """As the interpreter looks names up."""

    class Cache: ...

    def inner(x: Inject[Cache] = INJECTED) -> type:
        return Cache

    assert read_needs(inner)["x"].type is Cache


def test_two_unknown_names_are_equal_when_they_are_the_same_name() -> None:
    """`typing` compares and caches what it is given."""
    assert Unknown("A") == Unknown("A")
    assert Unknown("A") != Unknown("B")
    assert len({Unknown("A"), Unknown("A")}) == 1


@pytest.mark.parametrize(
    "made", [pytest.param(42, id="a number"), pytest.param(Cache(), id="an object"), pytest.param(len, id="a builtin")]
)
def test_what_is_made_already_asks_for_nothing(made: Any) -> None:
    """Only functions and classes have needs."""
    assert read_needs(made) == {}


def test_a_constructor_goes_by_the_name_of_its_class() -> None:
    """A person wrote the class, so messages name the class."""

    class Handler:
        def __init__(self, cache: Inject[Cache] = INJECTED) -> None: ...

    assert read_needs(Handler)["cache"].site.endswith("<locals>.Handler")


def test_a_way_reads_from_the_root_down() -> None:
    """It is kept as a chain from its end, since a chain is cheap to make longer."""
    way = Way(Way(Way(None, "handler"), "slot pricing"), "slot cache")

    assert way.nodes() == ("handler", "slot pricing", "slot cache")


def test_a_provider_that_is_no_slot_is_named_as_it_shows_itself() -> None:
    """The name then fits no slot, and the error shows what was given."""

    def strange(x: int = Provide[Object(42)]) -> None: ...

    assert "Object(42)" in read_needs(strange)["x"].wanted
