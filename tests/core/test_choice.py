"""Who fills a slot: what layers chose, and the ranking where nobody did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from oneiric.core.choice import Wants, choose
from oneiric.core.errors import OneiricError, SelectionDenied, SelectionNotInstalled, SelectionUnknown
from oneiric.core.origins import CodeOrigin, EnvOrigin, Origin

AT = CodeOrigin("catalog")


class Offer(NamedTuple):
    """An adapter as the catalog lists it."""

    name: str
    priority: int
    capabilities: frozenset[str]
    origin: Origin
    extra: str | None = None
    installed: bool = True


OFFERS = {
    "memory": Offer("memory", 100, frozenset({"ttl"}), AT),
    "redis": Offer("redis", 0, frozenset({"ttl", "shared"}), AT),
    "valkey": Offer("valkey", 500, frozenset({"shared"}), AT, extra="valkey", installed=False),
}


@dataclass
class Voice:
    """A layer's word, as a binding is one."""

    layer: str
    chosen: str | None
    unset: bool = False
    trust: str = "inline"
    origin: Origin = field(default_factory=lambda: EnvOrigin("ONEIRIC_SELECT__CACHE"))


@dataclass(frozen=True)
class Case:
    """One row: what layers say, high to low, and the adapter or the error code that comes out."""

    voices: tuple[Voice, ...]
    wants: Wants
    expected: str


CASES = {
    "nobody chooses: the highest priority that is installed": Case((), Wants(), "memory"),
    "the highest layer that names one wins": Case(
        (Voice("env", "redis"), Voice("profile", "memory")), Wants(), "redis"
    ),
    "an unknown name is an error and never falls": Case(
        (Voice("env", "rediss"), Voice("profile", "memory")), Wants(), "selection-unknown"
    ),
    "an absent extra is an error and never falls": Case(
        (Voice("env", "valkey"), Voice("profile", "memory")), Wants(), "selection-not-installed"
    ),
    "an error below the one that counts is none": Case(
        (Voice("env", "redis"), Voice("profile", "rediss")), Wants(), "redis"
    ),
    "a denied choice is an error": Case(
        (Voice("env", "redis"),), Wants(denied={"redis": AT}), "selection-denied-by-profile"
    ),
    "a denied choice is an error also where it was the only one to fit": Case(
        (Voice("manifest", "redis"),), Wants(frozenset({"shared"}), denied={"redis": AT}), "selection-denied-by-profile"
    ),
    "only an explicit override may use a denied one": Case(
        (Voice("explicit", "redis"),), Wants(denied={"redis": AT}), "redis"
    ),
    "an explicit override needs the capabilities as well": Case(
        (Voice("explicit", "memory"),), Wants(frozenset({"shared"})), "selection-missing-capability"
    ),
    "a choice that lacks a capability is an error": Case(
        (Voice("env", "memory"),), Wants(frozenset({"shared"})), "selection-missing-capability"
    ),
    "a choice that lacks one of two capabilities is an error": Case(
        (Voice("env", "memory"),), Wants(frozenset({"shared", "ttl"})), "selection-missing-capability"
    ),
    "one of several capabilities is enough where any is asked for": Case(
        (Voice("env", "memory"),), Wants(any_of=frozenset({frozenset({"ttl", "shared"})})), "memory"
    ),
    "unset masks the choices below and asks the ranking": Case(
        (Voice("env", None, unset=True), Voice("profile", "redis")), Wants(), "memory"
    ),
    "unset hides errors below as well": Case(
        (Voice("env", None, unset=True), Voice("profile", "rediss")), Wants(), "memory"
    ),
    "a layer above unset still chooses": Case(
        (Voice("explicit", "redis"), Voice("env", None, unset=True)), Wants(), "redis"
    ),
    "the secrets layer never chooses": Case((Voice("secrets", "redis"),), Wants(), "memory"),
    "the secrets layer never masks": Case(
        (Voice("secrets", None, unset=True), Voice("env", "redis")), Wants(), "redis"
    ),
    "a remote manifest chooses for an ordinary slot": Case(
        (Voice("manifest", "redis", trust="remote"),), Wants(), "redis"
    ),
    "a remote manifest has no say in a protected slot": Case(
        (Voice("manifest", "redis", trust="remote"),), Wants(protected=True), "memory"
    ),
    "a remote manifest does not mask the choices of a protected slot": Case(
        (Voice("manifest", None, unset=True, trust="remote"), Voice("profile", "redis")), Wants(protected=True), "redis"
    ),
    "the manifest of the build chooses for a protected slot": Case(
        (Voice("manifest", "redis"),), Wants(protected=True), "redis"
    ),
    "capabilities filter the ranking": Case((), Wants(frozenset({"shared"})), "redis"),
    "a denied adapter is not ranked": Case((), Wants(denied={"memory": AT}), "redis"),
    "what the profile prefers is taken before the ranking": Case((), Wants(preferred="redis"), "redis"),
    "what the profile prefers is not taken if it is denied": Case(
        (), Wants(denied={"redis": AT}, preferred="redis"), "memory"
    ),
    "what the profile prefers is not taken if it is not installed": Case((), Wants(preferred="valkey"), "memory"),
    "a choice wins over what the profile prefers": Case(
        (Voice("profile", "memory"),), Wants(preferred="redis"), "memory"
    ),
    "none is left": Case((), Wants(frozenset({"persistent"})), "no-candidate"),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_who_fills_a_slot(case: Case) -> None:
    """A named choice is used or is an error; without one the ranking decides."""
    choice = choose("cache", case.voices, OFFERS, case.wants)

    found = choice.error.code if choice.error else choice.offer.name if choice.offer else None
    assert found == case.expected


def test_a_layer_that_brings_its_own_object_wins_without_an_adapter() -> None:
    """An override by an object needs no row in the catalog, and no capability."""
    choice = choose("cache", (Voice("explicit", None), Voice("env", "redis")), OFFERS, Wants(frozenset({"persistent"})))

    assert (choice.voice, choice.offer, choice.error) == (0, None, None)


@pytest.mark.parametrize(
    ("priorities", "expected"),
    [
        pytest.param({"nats": 0, "rabbit": -1}, "nats", id="0 is a priority and stands above -1"),
        pytest.param({"nats": -1000, "rabbit": 1000}, "rabbit", id="the ends of the range"),
        pytest.param({"nats": -5}, "nats", id="a low one where there is no other"),
        pytest.param({"nats": 5, "rabbit": 5}, "ambiguous-slot", id="a tie"),
        pytest.param({"rabbit": 5, "nats": 5}, "ambiguous-slot", id="a tie in another order of registration"),
        pytest.param({"nats": 5, "rabbit": 5, "redis": 6}, "redis", id="a tie below the top is none"),
        pytest.param({}, "no-candidate", id="nobody"),
    ],
)
def test_the_ranking_goes_by_priority_alone(priorities: dict[str, int], expected: str) -> None:
    """The highest one wins; two at the top are an error, never an order of registration."""
    offers = {name: Offer(name, priority, frozenset(), AT) for name, priority in priorities.items()}

    choice = choose("queue", (), offers, Wants())

    found = choice.error.code if choice.error else choice.offer.name if choice.offer else None
    assert found == expected


def test_equal_priority_is_an_error_that_names_both() -> None:
    """Both names and both places stand in the message."""
    tied = {name: Offer(name, 5, frozenset(), CodeOrigin(f"rows:{name}")) for name in ("rabbit", "nats")}

    choice = choose("queue", (), tied, Wants())

    assert choice.error is not None
    assert "nats (rows:nats) and rabbit (rows:rabbit)" in choice.error.message


@pytest.mark.parametrize(
    ("chosen", "wants", "kind", "says"),
    [
        pytest.param("rediss", Wants(), SelectionUnknown, "redis", id="the nearest name"),
        pytest.param("valkey", Wants(), SelectionNotInstalled, "pip install 'oneiric[valkey]'", id="the extra"),
        pytest.param("redis", Wants(denied={"redis": AT}), SelectionDenied, "catalog", id="the place that denies"),
    ],
)
def test_a_refused_choice_says_who_chose_and_what_to_do(
    chosen: str, wants: Wants, kind: type[OneiricError], says: str
) -> None:
    """The error has the origin of the choice, and a way out."""
    error = choose("cache", (Voice("env", chosen),), OFFERS, wants).error

    assert isinstance(error, kind)
    assert error.origin == EnvOrigin("ONEIRIC_SELECT__CACHE")
    assert says in str(error)


def test_each_set_of_alternatives_has_to_be_met() -> None:
    """Two functions that ask for one of several capabilities each get one."""
    wants = Wants(any_of=frozenset({frozenset({"ttl", "x"}), frozenset({"shared", "y"})}))

    assert wants.missing(OFFERS["memory"]) == {"shared", "y"}
    assert wants.missing(OFFERS["redis"]) == frozenset()


@pytest.mark.parametrize(
    ("name", "wants", "reason"),
    [
        pytest.param("memory", Wants(), None, id="nothing is against it"),
        pytest.param("valkey", Wants(frozenset({"ttl"})), "not-installed", id="an absent extra comes first"),
        pytest.param("memory", Wants(denied={"memory": AT}), "denied-by-profile", id="denied"),
        pytest.param("memory", Wants(frozenset({"shared"})), "missing-capability", id="lacks a capability"),
    ],
)
def test_an_offer_that_is_not_ranked_has_a_reason(name: str, wants: Wants, reason: str | None) -> None:
    """The reason is one of the listed codes, and explain shows it."""
    assert wants.refusal(OFFERS[name]) == reason


@pytest.mark.parametrize(
    ("voice", "reason"),
    [
        pytest.param(Voice("secrets", "redis"), "secrets-cannot-select", id="secrets"),
        pytest.param(Voice("manifest", "redis", trust="remote"), "protected-key", id="a remote manifest"),
        pytest.param(Voice("manifest", "redis"), None, id="the manifest of the build"),
        pytest.param(Voice("env", "redis"), None, id="a variable"),
    ],
)
def test_a_voice_without_a_say_has_a_reason(voice: Voice, reason: str | None) -> None:
    """A protected slot listens to what belongs to the build and the machine only."""
    assert Wants(protected=True).ignores(voice) == reason
