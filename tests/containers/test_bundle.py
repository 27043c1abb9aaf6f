"""Bundles: which extras and distributions an application needs in one profile, and which it does not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import SecretStr

from oneiric import INJECTED, Container, Event, Inject, LayerContainer, Named, inject
from oneiric.adapters.cache import Cache
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.adapters.queue import Queue
from oneiric.containers.bundle import Use, bundle, functions
from oneiric.containers.explanation import Explanation
from oneiric.providers import catalog
from oneiric.providers.catalog import CATEGORIES, GROUP, Catalog, Row, distribution_of
from oneiric.testing.fake_secrets import FakeSecrets

ABSENT = "no_such_module_anywhere"
QUEUE = "oneiric.adapters.queue.memory:MemoryQueue"
ENV = "oneiric.adapters.secrets.env:EnvSecrets"
OWN = version("oneiric")


class RemoteCache(MemoryCache):
    """A cache that needs an extra, and a password."""

    class Settings(MemoryCache.Settings):
        """Its password."""

        password: SecretStr | None = None


class RelayedCache(MemoryCache):
    """A cache that asks for a queue."""

    def __init__(self, settings: MemoryCache.Settings, queue: Inject[Queue] = INJECTED) -> None:
        super().__init__(settings)


class Prices:
    """What things cost."""

    def __init__(self, cache: Inject[Cache] = INJECTED) -> None:
        self.cache = cache


@inject
async def reserve(event: Event, prices: Inject[Prices] = INJECTED) -> None:
    """Take an order."""


@inject
async def forward(event: Event, queue: Inject[Queue] = INJECTED) -> None:
    """Hand an order on."""


@inject
async def forget(event: Event, sessions: Annotated[Cache, Named("cache.sessions")] = INJECTED) -> None:
    """Drop a session."""


def rows() -> list[Row]:
    """Return adapters whose extras are not installed, beside one of each category that needs none."""
    return [
        Row("cache", "memory", "oneiric.adapters.cache.memory:MemoryCache", priority=100),
        Row("cache", "redis", f"{__name__}:RemoteCache", extra="redis", sdk=ABSENT),
        Row("cache", "relayed", f"{__name__}:RelayedCache", extra="storage", sdk=ABSENT),
        Row("queue", "memory", QUEUE, priority=100),
        Row("queue", "nats", QUEUE, extra="nats", sdk=ABSENT),
        Row("secrets", "env", ENV, priority=100),
        Row("secrets", "gcp", ENV, extra="gcp-secrets", sdk=ABSENT),
    ]


def shop(profile: str = "default", **chosen: str | type) -> Container:
    """Return an application with three handlers; `cache__sessions="redis"` chooses for a named slot."""
    names = {name.replace("__", "."): value for name, value in chosen.items()}
    layer = LayerContainer("profile", names)
    shelf = Catalog([one for one in CATEGORIES if one.name in {"cache", "queue", "secrets"}], rows(), third_party=False)
    app = Container("shop", profile=profile, layers=[layer], catalog=shelf)
    app.slot("cache.sessions", Cache)
    app.provide("prices")(Prices)
    for name, handler in (("reserve", reserve), ("forward", forward), ("forget", forget)):
        app.on(f"order.{name}", name=name)(handler)
    return app


def lines(app: Container, only: str | None = None) -> list[str]:
    """Return the requirements of a bundle without faults, and without their versions."""
    found = bundle(app, only)
    assert found.faults == ()
    return [requirement.line.partition("==")[0] for requirement in found.requirements]


BUNDLES = [
    pytest.param({}, None, "oneiric", id="nothing chosen, nothing needed"),
    pytest.param({"cache": "redis"}, None, "oneiric[redis]", id="an adapter that an object of a handler asks for"),
    pytest.param({"cache": "redis", "queue": "nats"}, None, "oneiric[nats,redis]", id="extras stand sorted"),
    pytest.param({"cache": "redis", "cache__sessions": "redis"}, None, "oneiric[redis]", id="twice is once"),
    pytest.param({"cache": "relayed"}, None, "oneiric[storage]", id="an adapter that needs one without an extra"),
    pytest.param({"cache": RemoteCache}, None, "oneiric[redis]", id="a class that the catalog knows"),
    pytest.param({"cache": "redis", "queue": "nats"}, "reserve", "oneiric[redis]", id="only what a handler reaches"),
    pytest.param({"cache": "redis", "queue": "nats"}, "forward", "oneiric[nats]", id="and not what others reach"),
    pytest.param({"cache": "redis", "queue": "nats"}, "forget", "oneiric", id="a named slot ranks on its own"),
    pytest.param({"cache": "relayed", "queue": "nats"}, "reserve", "oneiric[nats,storage]", id="through an adapter"),
]


@pytest.mark.parametrize(("chosen", "only", "line"), BUNDLES)
def test_a_bundle_holds_the_extras_of_the_adapters_that_are_reached(
    chosen: dict[str, str | type], only: str | None, line: str
) -> None:
    """None of the extras is installed here: they are known from the rows of the catalog."""
    assert lines(shop(**chosen), only) == [line]


STORES = [
    pytest.param("default", {"cache": "redis", "secrets": "gcp"}, "reserve", "gcp-secrets,redis", id="a typed secret"),
    pytest.param("serverless", {"cache": "redis", "secrets": "gcp"}, "reserve", "gcp-secrets,redis", id="serverless"),
    pytest.param("default", {"cache": "redis", "secrets": "gcp"}, "forward", "", id="no secret in what it reaches"),
    pytest.param("test", {"cache": "redis", "secrets": "gcp"}, "reserve", "redis", id="test reads no such store"),
    pytest.param("default", {"secrets": "gcp"}, None, "gcp-secrets", id="a store that is chosen has to be there"),
]


@pytest.mark.parametrize(("profile", "chosen", "only", "extras"), STORES)
def test_the_store_is_needed_where_a_setting_may_come_from_it(
    profile: str, chosen: dict[str, str], only: str | None, extras: str
) -> None:
    """A function that reads no secret takes no store along."""
    assert lines(shop(profile, **chosen), only) == [f"oneiric[{extras}]" if extras else "oneiric"]


@pytest.mark.parametrize(
    ("layer", "extras"),
    [
        pytest.param("explicit", "gcp-secrets,redis", id="explicit"),
        pytest.param("profile", "redis", id="the file"),
    ],
)
def test_the_test_profile_reads_a_store_that_is_bound_explicitly_and_no_other(layer: str, extras: str) -> None:
    """Its functions need that one where a setting refers to it."""
    app = shop("test", cache="redis")
    app.override(LayerContainer(layer, {"secrets": "gcp"}))
    app.override(LayerContainer("explicit", {}, settings={"cache.redis.password": "secret://till"}))

    assert lines(app, "reserve") == [f"oneiric[{extras}]"]


def test_a_reference_to_a_secret_needs_the_store() -> None:
    """`secret://` in any layer is read from there, whatever the type of the setting."""
    app = shop(cache="memory", secrets="gcp")
    app.override(LayerContainer("profile", {}, settings={"cache.memory.max_items": "secret://cache-size"}))

    assert lines(app, "reserve") == ["oneiric[gcp-secrets]"]


def test_an_adapter_that_is_chosen_and_reached_by_nobody_is_needed() -> None:
    """The application does not start without it, as `check` says."""
    app = shop()
    app.slot("cache.drafts", Cache)
    app.override(LayerContainer("profile", {"cache.drafts": "redis"}))

    (requirement,) = bundle(app).requirements

    assert requirement.line == f"oneiric[redis]=={OWN}"
    assert requirement.uses == (Use("cache.drafts", "redis", "redis"),)
    assert [fault.code for fault in app.faults()[0]] == ["selection-not-installed"]


def test_an_object_that_a_layer_brings_needs_nothing() -> None:
    """It is there already, and the catalog does not know its class."""
    app = shop(secrets="env")
    app.override({"cache": Stub(), "secrets": FakeSecrets()})

    assert lines(app) == ["oneiric"]


class Stub(MemoryCache):
    """A cache of a test."""

    def __init__(self) -> None:
        super().__init__(MemoryCache.Settings())


def test_a_bundle_leaves_the_application_as_it_was() -> None:
    """What is not installed here stays that after the question."""
    app = shop(cache="redis")
    before = app.explain("cache")

    bundle(app)

    after: Explanation = app.explain("cache")
    assert after.error is not None
    assert (after.error.code, after.text()) == ("selection-not-installed", before.text())


FAULTS = [
    pytest.param({"cache": "reddis"}, "selection-unknown", id="no such adapter"),
    pytest.param({"chache": "redis"}, "unknown-slot", id="no such slot"),
]


@pytest.mark.parametrize(("chosen", "code"), FAULTS)
def test_any_other_fault_is_told(chosen: dict[str, str], code: str) -> None:
    """A bundle for an application that starts nowhere is of no use."""
    assert [fault.code for fault in bundle(shop(queue="nats", **chosen)).faults] == [code]


def test_an_adapter_that_is_not_installed_may_be_denied_nevertheless() -> None:
    """Only that its extra is absent is passed over, no other reason against it."""
    app = shop()
    app.override(LayerContainer("profile", {"cache": "redis"}, deny={"cache": ["redis"]}))

    assert [fault.code for fault in bundle(app).faults] == ["selection-denied-by-profile"]


def test_a_secret_that_this_machine_lacks_is_a_warning() -> None:
    """The bundle is for another machine, whose store is asked there."""
    app = shop("serverless", cache="redis")
    app.override({"secrets": FakeSecrets(state="unavailable")})

    found = bundle(app)

    assert (found.faults, [warning.code for warning in found.warnings]) == ((), ["secret-unavailable"])
    assert found.requirements[0].extras == ("redis",)


def test_functions_are_what_a_bundle_can_be_made_for() -> None:
    """Handlers, services and tasks, but no objects."""
    app = shop()
    app.task("sweep")(forget)

    assert functions(app) == ["forget", "forward", "reserve", "sweep"]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Install another distribution, acme 1.0 with the extra `big-toys`; the argument is the code that sets its ROWS."""

    def install(code: str) -> None:
        (tmp_path / "acme_rows.py").write_text(f"from oneiric.providers.catalog import Row\n{code}\n", "utf-8")
        described = tmp_path / "acme-1.0.dist-info"
        described.mkdir()
        about = "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\nProvides-Extra: big-toys\n"
        (described / "METADATA").write_text(about, "utf-8")
        (described / "entry_points.txt").write_text(f"[{GROUP}]\nacme = acme_rows:ROWS\n", "utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        catalog._added.cache_clear()

    yield install
    catalog._added.cache_clear()
    sys.modules.pop("acme_rows", None)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        pytest.param(None, [f"oneiric=={OWN}", "acme==1.0"], id="no extra"),
        pytest.param("big_toys", [f"oneiric=={OWN}", "acme[big_toys]==1.0"], id="an extra of its own"),
        pytest.param("redis", [f"oneiric[redis]=={OWN}", "acme==1.0"], id="an extra of Oneiric"),
    ],
)
def test_an_adapter_of_another_distribution_needs_that_one(
    install: Callable[[str], None], extra: str | None, expected: list[str]
) -> None:
    """It stands below Oneiric, with its extra where it is the one that has it."""
    sdk = ABSENT if extra else None
    install(f"ROWS = (Row('queue', 'own', '{QUEUE}', extra={extra!r}, sdk={sdk!r}),)")
    app = Container("shop", layers=[LayerContainer("profile", {"queue": "own"})])
    app.on("order.forward", name="forward")(forward)

    found = bundle(app)

    assert (found.faults, [requirement.line for requirement in found.requirements]) == ((), expected)
    assert {use.slot for requirement in found.requirements for use in requirement.uses} == {"queue"}


def test_a_row_of_an_application_belongs_to_no_distribution(install: Callable[[str], None]) -> None:
    """Whoever installs the application has it."""
    install(f"ROWS = (Row('queue', 'own', '{QUEUE}'),)")

    assert distribution_of(Row("queue", "own", QUEUE)) == "acme"
    assert distribution_of(Row("queue", "mine", QUEUE)) is None
