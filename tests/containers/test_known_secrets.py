"""What a container knows of its secrets, without asking more than it must."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, SecretStr

from oneiric.containers.container import Container
from oneiric.containers.layers import LayerContainer
from oneiric.core.errors import NeedsAsyncOpen
from oneiric.testing.clock import FakeClock
from oneiric.testing.fake_secrets import FakeSecrets, State

KEY, SECRET = "orders.token", "orders-token"


class OrdersSettings(BaseModel):
    """One setting that the secrets layer answers."""

    token: SecretStr = SecretStr("of the code")


class RemoteSecrets(FakeSecrets):
    """A store that has to be waited for."""

    is_local = False


def made(store: FakeSecrets, *, profile: str = "serverless", **settings: object) -> tuple[Container, FakeClock]:
    """Return a container with a store, and the clock of its secrets."""
    said = {name.replace("__", "."): value for name, value in settings.items()}
    container = Container(profile=profile, layers=[LayerContainer("profile", settings=said)])
    container.declare_section("orders", OrdersSettings)
    container.override({"secrets": store})
    container.secrets.cache.clock = clock = FakeClock()
    container.secrets.cache.draw = lambda: 0.5
    return container, clock


def token(container: Container) -> str:
    value: SecretStr = container.setting(KEY)
    return value.get_secret_value()


def status(container: Container) -> tuple[str, str | None]:
    found = next(one for one in container.explain(KEY).candidates if one.layer == "secrets")
    return found.status, found.reason


def test_a_local_store_is_asked_without_its_value() -> None:
    """explain shows that the secret is there, in which version; no value is fetched for it."""
    store = FakeSecrets({SECRET: "x"})
    container, _ = made(store)

    winner = container.explain(KEY).winner

    assert winner is not None
    assert (winner.layer, winner.status, str(winner.origin).rpartition(" ")[2]) == ("secrets", "winner", "v1")
    assert store.asked == []


def test_a_store_that_has_to_be_waited_for_is_not_asked() -> None:
    """It stands as presumed winner, unknown, and is noted among those that a probe asks."""
    container, _ = made(RemoteSecrets({SECRET: "x"}))

    assert status(container) == ("unknown", None)
    assert container.secrets.unasked == {SECRET}


def test_a_value_is_fetched_from_synchronous_code_where_that_can_be() -> None:
    """A local store hands it over; any other one needs a start, and the error says so."""
    local, _ = made(FakeSecrets({SECRET: "x"}))
    remote, _ = made(RemoteSecrets({SECRET: "x"}))

    assert token(local) == "x"
    with pytest.raises(NeedsAsyncOpen) as caught:
        token(remote)
    assert "await app.start()" in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("values", "state", "shown"),
    [
        pytest.param({SECRET: "x"}, "ok", ("winner", None), id="there"),
        pytest.param({}, "ok", ("absent", "secret-not-found"), id="absent"),
        pytest.param({SECRET: "x"}, "denied", ("ineligible", "secret-unavailable"), id="denied"),
        pytest.param({SECRET: "x"}, "timed-out", ("ineligible", "secret-unavailable"), id="slow"),
    ],
)
async def test_asking_tells_what_the_store_says(
    values: dict[str, str], state: State, shown: tuple[str, str | None]
) -> None:
    """explain --probe asks a remote store for existence and version alone."""
    store = RemoteSecrets(values)
    container, _ = made(store)
    store.state = state

    container.explain(KEY)
    await container.secrets.ask(container.secrets.unasked)

    assert status(container) == shown
    assert store.asked == []


def test_an_absent_secret_is_looked_for_again_after_thirty_seconds() -> None:
    """One that is made meanwhile is found then, not earlier, and without a restart."""
    store = FakeSecrets({})
    container, clock = made(store)
    before = token(container)
    store.rotate(SECRET, "made")

    clock.advance(29)
    early = token(container)
    clock.advance(1)

    assert (before, early, token(container)) == ("of the code", "of the code", "made")


def test_what_is_invalidated_is_fetched_again() -> None:
    """The next use reads the store, whatever the age of the value was."""
    store = FakeSecrets({SECRET: "one"})
    container, _ = made(store)
    before = token(container)
    store.rotate(SECRET, "two")

    kept = token(container)
    dropped = container.secrets.invalidate([SECRET, "another"])

    assert (before, kept, dropped, token(container)) == ("one", "one", 1, "two")


def test_the_age_that_is_shown_is_that_of_now() -> None:
    """It grows between two explanations, though nothing was decided anew."""
    container, clock = made(FakeSecrets({SECRET: "x"}))
    token(container)

    shown = []
    for pause_s in (0, 5, 5):
        clock.advance(pause_s)
        container.faults()
        winner = container.explain(KEY).winner
        shown.append(winner.detail if winner is not None else None)

    assert shown == ["age 0 s", "age 5 s", "age 10 s"]


def test_without_a_cache_each_use_reads_once() -> None:
    """`ttl_s = 0`: the value is never older than its use, and no use reads twice."""
    store = FakeSecrets({SECRET: "one"})
    container, _ = made(store, secrets__ttl_s=0)

    first = token(container)
    store.rotate(SECRET, "two")
    second = token(container)

    assert (first, second) == ("one", "two")
    assert store.asked == [SECRET, SECRET]


def test_a_pinned_version_is_read_once() -> None:
    """A reference with a version is kept for the life of the process, even without a cache."""
    store = FakeSecrets({"pinned": "one"})
    container, clock = made(store, profile="default", secrets__ttl_s=0, orders__token="secret://pinned?version=1")

    first = token(container)
    store.rotate("pinned", "two")
    clock.advance(10**6)

    assert (first, token(container), store.asked) == ("one", "one", ["pinned"])


def test_another_profile_does_not_change_how_long_values_live() -> None:
    """To explain what would be elsewhere leaves the time to live alone."""
    store = FakeSecrets({SECRET: "one"})
    container, _ = made(store, secrets__ttl_s=60)
    token(container)

    container.explain(KEY)
    other = LayerContainer("profile", settings={"secrets.ttl_s": 7})
    profiles = container.profiles()
    selection = container.stack.selection_in(profiles["default"], [other])

    assert selection.rules.outage_falls
    assert container.secrets.cache.ttl_s == 60


@pytest.mark.asyncio
async def test_a_probe_keeps_no_value() -> None:
    """It proves that the value can be read, and remembers that and the version alone."""
    store = RemoteSecrets({SECRET: "one"})
    container, _ = made(store)

    await container.secrets.probe([SECRET, "another"])

    found, absent = container.secrets.cache.look(SECRET), container.secrets.cache.look("another")
    assert (found.state, found.value, found.version, absent.state) == ("known", None, "1", "missing")
    assert store.asked == [SECRET, "another"]


def test_the_names_of_bound_secrets_are_shown() -> None:
    """A binding holds a name: it is no secret, though the key that it answers is one."""
    container, _ = made(FakeSecrets({}, state="denied"), secrets__bindings={"orders.token": "team-a-token"})

    explained, error = container.explain("secrets.bindings"), container.explain(KEY).error

    assert explained.winner is not None
    assert explained.winner.value == {"orders.token": "team-a-token"}
    assert error is not None
    assert error.message == 'orders.token: the secret "team-a-token" cannot be had: denied'
