"""Validation: all faults at once, each with path, origin and fixes, before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest

from oneiric import INJECTED, Application, Container, Event, Inject, Inputs, LayerContainer, Named, inject
from oneiric.adapters.cache import Cache
from oneiric.core.adapter import AdapterSettings
from oneiric.core.errors import InvalidApplication
from oneiric.providers.catalog import Catalog, Category, Row
from tests.containers.shapes import Car, Clock, Engine, FixedClock, Garage


class Session:
    """Lives for one request."""


def codes(container: Container) -> list[str]:
    """Return the codes of all faults, sorted."""
    return [fault.code for fault in container.faults()[0]]


def test_an_application_without_faults_has_none() -> None:
    """The defaults of the catalog are valid as they are."""
    assert codes(Container("t")) == []


def test_all_faults_come_in_one_report(tmp_path: Path) -> None:
    """Five faults of five kinds are found together, each with its path, origin and a fix."""
    environ = {"ONEIRIC_SELECT__QUEUE": "rabit"}
    layers = [LayerContainer("profile", {"storage": FixedClock()})]
    app = Application("faulty", layers=layers, inputs=Inputs(environ=environ, folder=tmp_path))
    app.provide("ping")(ping)
    app.provide("pong")(pong)
    app.provide("session", scope="request")(Session)
    app.provide("garage")(keep_session)
    app.on("order.created", name="orders:reserve")(reserve)

    faults, _ = app.faults()

    assert sorted(fault.code for fault in faults) == [
        "dependency-cycle",
        "missing-dependency",
        "scope-leak",
        "selection-unknown",
        "wrong-type",
    ]
    assert all(fault.path and fault.origin and fault.fixes for fault in faults)
    with pytest.raises(InvalidApplication) as caught:
        app.check()
    assert len(caught.value.faults) == 5


@inject
def ping(pong: Annotated[object, Named("pong")] = INJECTED) -> Engine:
    """Need pong."""
    return Engine()


@inject
def pong(ping: Annotated[object, Named("ping")] = INJECTED) -> Car:
    """Need ping."""
    return Car(Engine())


@inject
def keep_session(session: Inject[Session] = INJECTED) -> Garage:
    """Hold for ever what lives for a request."""
    raise NotImplementedError


@inject
def reserve(event: Event, clock: Inject[Clock] = INJECTED) -> None:
    """Need a type that no slot has."""


def test_a_cycle_shows_its_way() -> None:
    """The path goes once around, with the names of the slots."""
    container = Container("t")
    container.provide("ping")(ping)
    container.provide("pong")(pong)

    (fault,) = container.faults()[0]

    assert fault.code == "dependency-cycle"
    assert fault.path in {("ping", "pong", "ping"), ("pong", "ping", "pong")}


@pytest.mark.parametrize(
    ("layer", "code", "origin"),
    [
        pytest.param(LayerContainer("env", {"cahce": "memory"}), "unknown-slot", None, id="a slot that is not there"),
        pytest.param(LayerContainer("profile", deny={"cahce": ["x"]}), "unknown-slot", None, id="denied for no slot"),
        pytest.param(LayerContainer("env", {"cache": "rediss"}), "selection-unknown", None, id="an unknown adapter"),
        pytest.param(
            LayerContainer("env", {"cache": FixedClock()}), "wrong-type", None, id="an object that does not fit"
        ),
    ],
)
def test_a_faulty_layer_is_reported(layer: LayerContainer, code: str, origin: object) -> None:
    """What a layer says is checked also where nothing needs the slot."""
    container = Container("t", layers=[layer])

    (fault,) = container.faults()[0]

    assert fault.code == code
    assert str(fault.origin).startswith("override at tests.containers.test_validation")


def test_the_settings_of_what_is_used_are_validated(tmp_path: Path) -> None:
    """A value out of range is found before the adapter is built, with its variable."""
    environ = {"ONEIRIC_CACHE__MEMORY__MAX_ITEMS": "-1", "ONEIRIC_APP__STOP_TIMEOUT_S": "x"}
    app = Application("t", inputs=Inputs(environ=environ, folder=tmp_path))
    app.slot("cache", eager=True)

    faults, _ = app.faults()

    assert sorted((fault.code, str(fault.origin)) for fault in faults) == [
        ("invalid-value", "ONEIRIC_APP__STOP_TIMEOUT_S"),
        ("invalid-value", "ONEIRIC_CACHE__MEMORY__MAX_ITEMS"),
    ]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        pytest.param("ONEIRIC_CACHE__MEMORY__MAX_ITEM", "ONEIRIC_CACHE__MEMORY__MAX_ITEMS", id="a field"),
        pytest.param("ONEIRIC_CAHCE__MEMORY__MAX_ITEMS", "ONEIRIC_CACHE__MEMORY__MAX_ITEMS", id="a slot"),
    ],
)
def test_a_setting_that_nothing_reads_is_a_warning(tmp_path: Path, name: str, near: str) -> None:
    """A likely misspelling is named with the nearest variable; in a strict check it is a fault."""
    app = Application("t", inputs=Inputs(environ={name: "1"}, folder=tmp_path))
    app.slot("cache", eager=True)

    (warning,) = [found for found in app.check() if found.code == "unknown-key"]

    assert near in warning.fixes[0]
    with pytest.raises(InvalidApplication):
        app.check(strict=True)


def test_a_free_function_that_lacks_a_slot_is_a_warning() -> None:
    """An injected function that is not registered may belong to another application."""

    @inject
    def free(clock: Annotated[Clock, Named("clock.nowhere")] = INJECTED) -> None:
        """Belongs to nobody."""

    ours, theirs = Container("ours"), Container("theirs")
    ours.task("nothing")(print_nothing)

    found = [warning.code for warning in ours.check() if "free" in warning.path[0]]

    assert found == ["unknown-slot"]
    assert theirs.check() == []
    assert free is not None


def test_a_missing_capability_is_a_fault() -> None:
    """What a parameter asks of an adapter is part of the graph."""
    container = Container("t")

    @container.task("work")
    @inject
    def work(cache: Annotated[Cache, Named("cache", capabilities=["persistent"])] = INJECTED) -> None:
        """Ask for more than there is."""

    (fault,) = container.faults()[0]

    assert fault.code == "no-candidate"
    assert "missing-capability" in fault.message


def test_a_long_chain_is_no_recursion() -> None:
    """Five thousand objects in a row are validated; the search does not use the interpreter's stack."""
    container = Container("t")
    for number in range(5_000):
        container.provide(f"n{number}")(link(number))

    assert codes(container) == []


def print_nothing() -> None:
    """Need nothing."""


def link(number: int) -> object:
    """Return a factory that needs the next one."""
    if number == 4_999:

        def last() -> int:
            return 0

        return last

    def step(below: object = INJECTED) -> int:
        return 0

    step.__annotations__["below"] = Annotated[object, Named(f"n{number + 1}")]
    return step


def test_validation_builds_nothing() -> None:
    """No factory is called while faults are looked for."""
    called: list[str] = []
    container = Container("t")

    @container.provide("car")
    def car() -> Iterator[Car]:
        called.append("car")
        yield Car(Engine())

    container.check()

    assert called == []


def test_the_settings_of_an_object_are_checked(tmp_path: Path) -> None:
    """A class that is provided has settings as an adapter has."""

    class Pricing:
        class Settings(AdapterSettings):
            rate: int

        def __init__(self, settings: Settings) -> None:
            self.settings = settings

    app = Application("t", inputs=Inputs(environ={}, folder=tmp_path))
    app.provide("pricing")(Pricing)
    other = Application("t", inputs=Inputs(environ={"ONEIRIC_PRICING__PRICING__RATE": "5"}, folder=tmp_path))
    other.provide("pricing")(Pricing)

    assert [fault.key for fault in app.faults()[0]] == ["pricing.Pricing.rate"]
    assert other.faults()[0] == []
    assert other.services.pricing().settings.rate == 5


def test_an_empty_table_is_no_unknown_key(tmp_path: Path) -> None:
    """It says nothing that somebody would have to read."""
    (tmp_path / "oneiric.toml").write_text("[settings.cache.memory]\n[settings.nowhere]\n")
    app = Application("t", inputs=Inputs(environ={}, folder=tmp_path))

    assert app.check() == []


def test_an_adapter_whose_class_is_not_there_is_one_fault_among_others() -> None:
    """A row that leads nowhere is a fault of its slot: the others are still found, and the explanation says it too."""
    rows = (Row("clock", "sundial", "tests.containers.shapes:Sundial", priority=1),)
    catalog = Catalog([Category("clock", "tests.containers.shapes:Clock")], rows, third_party=False)
    container = Container("t", catalog=catalog, layers=[LayerContainer("env", {"colck": "sundial"})])
    container.slot("clock", eager=True)

    found = {fault.code: fault for fault in container.faults()[0]}

    assert set(found) == {"app-not-importable", "unknown-slot"}
    assert found["app-not-importable"].path == ("slot clock",)
    assert found["app-not-importable"].fixes[0] == "correct the path in the adapter's row of the catalog"
    assert container.explain("clock").error == found["app-not-importable"].problem
