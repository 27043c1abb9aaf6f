"""The container as users of the engine know it, and registration."""

from __future__ import annotations

import copy
from typing import Annotated

import pytest
from dependency_injector import containers, providers

from oneiric import INJECTED, Container, Inject, Named, Provide, inject
from oneiric.adapters.cache import Cache
from oneiric.core.errors import (
    DuplicateName,
    DuplicateSubscription,
    InvalidName,
    UnknownProfile,
    UnknownSlot,
)
from oneiric.providers.catalog import Catalog, Row
from oneiric.providers.slot import Slot
from tests.containers.shapes import Car, Clock, Engine, FixedClock


@pytest.fixture
def container() -> Container:
    """A container with an engine and a car."""
    made = Container("t")
    made.slot("engine", Engine)
    made.provide("car")(make_car)
    made.override({"engine": Engine()})
    return made


@inject
def make_car(engine: Inject[Engine] = INJECTED) -> Car:
    """Make a car."""
    return Car(engine)


def test_a_container_is_one_of_the_engine(container: Container) -> None:
    """It is a DynamicContainer, its children are, and its slots are providers."""
    assert isinstance(container, containers.DynamicContainer)
    assert isinstance(container.adapters, containers.DynamicContainer)
    assert isinstance(container.adapters.engine, providers.Provider)
    assert container.adapters.providers["engine"] is container.adapters.engine


def test_children_are_made_on_first_access(container: Container) -> None:
    """All five children exist when they are asked for, and stay the same objects."""
    assert "tasks" not in vars(container)

    names = {name: getattr(container, name) for name in ("adapters", "services", "tasks", "events", "workflows")}

    assert all(getattr(container, name) is child for name, child in names.items())


def test_what_is_registered_later_appears_in_a_child_that_exists(container: Container) -> None:
    """A slot declared after the first access is reached in the same way."""
    children = container.adapters, container.tasks
    container.slot("clock", Clock)
    container.task("wash")(lambda: "clean")

    assert children[0].clock is container.slot("clock")
    assert children[1].wash()() == "clean"


def test_a_named_slot_is_reached_below_its_category(container: Container) -> None:
    """`cache.sessions` is an attribute of `cache`, and a provider of the child container."""
    slot = container.slot("cache.sessions", Cache)

    assert container.adapters.cache.sessions is slot
    assert container.adapters.providers["cache.sessions"] is slot
    assert container.slot("adapters.cache.sessions") is slot


def test_slots_are_objects_of_their_own(container: Container) -> None:
    """Asking a declared slot by type or name gives the same slot; a copy of it is itself."""
    slot = container.slot(Cache)

    assert slot is container.slot("cache") is container.adapters.cache
    assert copy.deepcopy(slot) is slot


def test_traversal_meets_every_slot_and_what_is_bound(container: Container) -> None:
    """`traverse` yields slots, and with types only those."""
    slots = {slot.name for slot in container.traverse(types=[Slot])}
    objects = [provider() for provider in container.traverse(types=[providers.Object])]

    assert {"engine", "car", "cache"} <= slots
    assert any(isinstance(found, Engine) for found in objects)


def test_a_slot_works_as_an_argument_of_an_engine_factory(container: Container) -> None:
    """Other containers of the engine can depend on slots, and see overrides."""
    factory = providers.Factory(Car, engine=container.adapters.engine)
    fake = Engine()

    with container.adapters.engine.override(fake):
        made = factory()

    assert made.engine is fake


def test_a_declarative_container_takes_a_child_as_its_dependencies(container: Container) -> None:
    """`DependenciesContainer` of the engine is filled by `app.adapters`."""

    class Services(containers.DeclarativeContainer):
        adapters = providers.DependenciesContainer()
        car = providers.Factory(Car, adapters.engine)

    services = Services(adapters=container.adapters)

    assert services.car().engine is container.adapters.engine()


@pytest.mark.parametrize(
    "marker",
    [
        pytest.param(Provide["engine"], id="by name"),
        pytest.param(Provide["adapters.engine"], id="with the child's name"),
    ],
)
def test_engine_markers_mean_a_slot(container: Container, marker: object) -> None:
    """`Provide[...]` is taken as a default, without any wiring."""

    @inject
    def drive(engine: Engine = marker) -> Engine:  # type: ignore[assignment]
        return engine

    assert container.call(drive) is container.adapters.engine()


def test_an_alias_leads_to_the_same_object(container: Container) -> None:
    """A second name is no second object."""
    container.alias("motor", "engine")

    @inject
    def drive(engine: Annotated[Engine, Named("motor")] = INJECTED) -> Engine:
        return engine

    assert container.call(drive) is container.adapters.engine()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        pytest.param("Cache", InvalidName, id="upper case"),
        pytest.param("1cache", InvalidName, id="a digit first"),
        pytest.param("cache..x", InvalidName, id="an empty segment"),
        pytest.param("cache.override", InvalidName, id="a name a slot answers to"),
        pytest.param("cache.cell", InvalidName, id="another name a slot answers to"),
        pytest.param("engine", DuplicateName, id="taken by a slot"),
        pytest.param("car", DuplicateName, id="taken by an object"),
    ],
)
def test_a_name_that_cannot_be_is_refused(container: Container, name: str, error: type[Exception]) -> None:
    """Names follow one grammar, and each is there once."""
    with pytest.raises(error):
        container.slot(name, Cache)


def test_the_same_handler_twice_is_refused(container: Container) -> None:
    """A subscription has one name."""
    container.on("a", name="h")(print)

    with pytest.raises(DuplicateSubscription, match='handler "h" is declared twice'):
        container.on("b", name="h")(print)


def test_a_task_declared_twice_is_refused(container: Container) -> None:
    """A task has one name."""
    container.task("t")(print)

    with pytest.raises(DuplicateName):
        container.task("t")(print)


def test_an_unknown_slot_or_profile_offers_names(container: Container) -> None:
    """Both errors name the nearest."""
    with pytest.raises(UnknownSlot) as slot:
        container.slot("enigne")
    with pytest.raises(UnknownProfile) as profile:
        Container("t", profile="serverles")

    assert slot.value.fixes == ("did you mean engine?",)
    assert profile.value.fixes[0] == "did you mean serverless?"


def test_an_attribute_that_is_not_there_offers_the_nearest(container: Container) -> None:
    """A child container answers like any object, with a suggestion."""
    with pytest.raises(AttributeError, match="did you mean engine"):
        _ = container.adapters.enigne
    with pytest.raises(AttributeError):
        _ = container.nothing


def test_a_container_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only an application is configured from outside."""
    monkeypatch.setenv("ONEIRIC_SELECT__CACHE", "rediss")

    container = Container("t")

    assert container.stack.winner(container.adapters.cache).chosen == "memory"


def test_resetting_takes_overrides_away(container: Container) -> None:
    """`reset_override` ends every explicit override of a container, `reset_last_overriding` the topmost."""
    first = container.adapters.engine()
    container.override({"engine": Engine()})
    container.override({"engine": Engine()})

    container.reset_last_overriding()
    assert len(container.overridden) == 2
    container.reset_override()

    assert container.overridden == ()
    assert first is not None


def test_an_object_of_the_wrong_scope_name_is_refused(container: Container) -> None:
    """There are three scopes."""
    with pytest.raises(InvalidName, match="it is no scope"):
        container.provide("x", scope="session")


def test_a_clock_by_protocol_is_injected(container: Container) -> None:
    """A Protocol is a type like any other."""
    container.slot("clock", Clock)

    @inject
    def now(clock: Inject[Clock] = INJECTED) -> float:
        return clock.now()

    with container.override({Clock: FixedClock(4)}):
        assert container.call(now) == 4


@pytest.mark.parametrize("is_declared_first", [True, False])
def test_a_function_may_ask_for_capabilities_before_its_slot_is_declared(is_declared_first: bool) -> None:
    """The order of registration decides nothing."""
    path = "oneiric.adapters.cache.memory:MemoryCache"
    rows = [
        Row("cache", "plain", path, priority=100),
        Row("cache", "durable", path, capabilities=frozenset({"persistent"})),
    ]
    container = Container("t", catalog=Catalog(rows=rows, third_party=False))
    if is_declared_first:
        container.slot("cache.sessions", Cache)
    container.task("clean")(clean)
    if not is_declared_first:
        container.slot("cache.sessions", Cache)

    assert container.explain("cache.sessions").winner.value == "durable"


@inject
def clean(cache: Annotated[Cache, Named("cache.sessions", capabilities=["persistent"])] = INJECTED) -> None:
    """Ask for a capability."""
