"""Each secret store through a whole application: what a value, an absence and an outage become, and how it is shown."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest
from pydantic import SecretStr

from oneiric import Application, Explanation, Inputs, Settings
from oneiric.core.errors import StartFailed
from oneiric.core.origins import EnvOrigin, FileOrigin, SecretOrigin
from oneiric.testing.clock import FakeClock
from oneiric.testing.contracts import Backend
from tests.support.aws import REGION, AwsPeer, isolate
from tests.support.secret_manager import SecretManager, need_sdk, secret_manager
from tests.support.vault import Store, admitted
from tests.support.wait import free_port

KEY, SECRET = "orders.token", "orders-token"
CANARY = "canary-of-the-store-51c2"
ONE_TRY: dict[str, object] = {"retry.attempts": 1, "breaker.failures": 1000}
SHORT: dict[str, object] = {"timeout_s": 0.3, "open_timeout_s": 0.3}

Trouble = tuple[dict[str, object], str]  # settings of the adapter, and the secret to ask for


class OrdersSettings(Settings, section="orders"):
    """One setting that the secrets layer answers."""

    token: SecretStr = SecretStr("of the code")


class SecretStore(Protocol):
    """What a test asks of a store: its settings, a way to put a secret there, and a way to each trouble."""

    adapter: ClassVar[str]
    missing_version: ClassVar[str]  # well formed, and nowhere
    too_slow: ClassVar[str]  # the code of a store that does not answer, to a question or already while it opens

    def settings(self) -> dict[str, object]: ...
    def place(self, name: str, value: str) -> str: ...
    def resource(self, name: str) -> str: ...
    def denied(self) -> Trouble: ...
    def unavailable(self) -> Trouble: ...
    def slow(self, deaf: str) -> Trouble: ...


@dataclass
class Google:
    """Google Secret Manager; troubles are in the names of secrets."""

    adapter: ClassVar[str] = "gcp"
    too_slow: ClassVar[str] = "timed-out"
    missing_version: ClassVar[str] = "99"
    manager: SecretManager
    project: str = field(default_factory=lambda: f"u{uuid.uuid4().hex}")

    def settings(self) -> dict[str, object]:
        return {"project": self.project, "endpoint": self.manager.address, "insecure": True, **ONE_TRY}

    def place(self, name: str, value: str) -> str:
        return self.manager.place(self.project, name, value.encode())

    def resource(self, name: str) -> str:
        return f"projects/{self.project}/secrets/{name}"

    def denied(self) -> Trouble:
        return {}, "fail-PERMISSION_DENIED"

    def unavailable(self) -> Trouble:
        return {}, "fail-UNAVAILABLE"

    def slow(self, deaf: str) -> Trouble:
        return {"timeout_s": 0.3}, "stall"


@dataclass
class Amazon:
    """One of the two services of AWS: the values are in a local server of the service, refusals come from a peer."""

    adapter: ClassVar[str] = "aws"
    too_slow: ClassVar[str] = "open-timeout"
    url: str
    unique: str
    service: str
    peer: AwsPeer

    @property
    def missing_version(self) -> str:  # type: ignore[override]  # the two services write versions in two ways
        return "99" if self.service == "ssm" else "99999999-2222-3333-4444-555555555555"

    def settings(self) -> dict[str, object]:
        prefix = f"/{self.unique}/" if self.service == "ssm" else f"{self.unique}/"
        where: dict[str, object] = {"service": self.service, "region": REGION, "endpoint_url": self.url}
        return {**where, "prefix": prefix, **ONE_TRY}

    def place(self, name: str, value: str) -> str:
        import boto3

        client: Any = boto3.client(self.service, region_name=REGION, endpoint_url=self.url)  # made at run time
        full = f"{self.settings()['prefix']}{name}"
        try:
            if self.service == "ssm":
                put = client.put_parameter(Name=full, Value=value, Type="SecureString", Overwrite=True)
                return str(put["Version"])
            try:
                return str(client.put_secret_value(SecretId=full, SecretString=value)["VersionId"])
            except client.exceptions.ResourceNotFoundException:
                return str(client.create_secret(Name=full, SecretString=value)["VersionId"])
        finally:
            client.close()

    def resource(self, name: str) -> str:
        return f"{self.service}/{REGION}/{self.unique}/{name}"

    def denied(self) -> Trouble:
        self.peer.refuses("AccessDeniedException", "it is not authorized to perform this")
        return {"endpoint_url": self.peer.url}, SECRET

    def unavailable(self) -> Trouble:
        self.peer.refuses("InternalServerError", status=500)
        return {"endpoint_url": self.peer.url}, SECRET

    def slow(self, deaf: str) -> Trouble:
        return {"endpoint_url": f"http://{deaf}", **SHORT}, SECRET


@dataclass
class Vault:
    """A real OpenBao server, with a token that has the rights of one test."""

    adapter: ClassVar[str] = "vault"
    too_slow: ClassVar[str] = "open-timeout"
    missing_version: ClassVar[str] = "99"
    store: Store

    def settings(self) -> dict[str, object]:
        unique = self.store.unique
        return {"url": self.store.url, "token": unique, "prefix": unique, **ONE_TRY}

    def place(self, name: str, value: str) -> str:
        self.store.write(name, {"value": value})
        told: Any = self.store.ask("GET", f"secret/metadata/{self.store.unique}/{name}")  # JSON
        return str(told["data"]["current_version"])

    def resource(self, name: str) -> str:
        return f"secret/data/{self.store.unique}/{name}"

    def denied(self) -> Trouble:
        self.store.allow('path "secret/data/{unique}/another" {{ capabilities = ["read"] }}')
        return {}, SECRET

    def unavailable(self) -> Trouble:
        return {"url": f"http://127.0.0.1:{free_port()}"}, SECRET

    def slow(self, deaf: str) -> Trouble:
        return {"url": f"http://{deaf}", **SHORT}, SECRET


@pytest.fixture(scope="module")
def manager() -> Iterator[SecretManager]:
    need_sdk()
    with secret_manager() as running:
        yield running


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(
    params=[
        pytest.param("gcp", id="Google"),
        pytest.param("secretsmanager", id="AWS Secrets Manager"),
        pytest.param("ssm", id="AWS Parameter Store"),
        pytest.param("vault", id="Vault"),
    ]
)
def store(
    request: pytest.FixtureRequest,
    find_backend: Callable[[str], Backend],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SecretStore]:
    """Each store in turn, with nothing in it."""
    if request.param == "gcp":
        yield Google(request.getfixturevalue("manager"))
    elif request.param == "vault":
        yield Vault(admitted(find_backend("vault")))
    else:
        backend = find_backend("aws")
        isolate(monkeypatch)
        url = backend.url or str(backend.settings["endpoint_url"])
        with AwsPeer() as peer:
            yield Amazon(url, backend.unique, request.param, peer)


@dataclass
class Place:
    """The folder and the environment that select a store and set its settings, as an operator would."""

    store: SecretStore
    folder: Path

    def app(self, profile: str, *, more: str = "", env: str | None = None, **changed: object) -> Application:
        """Return an application that reads its own file, and the environment of this place."""
        said = {**self.store.settings(), **{name.replace("__", "."): value for name, value in changed.items()}}
        lines = [f"[settings.secrets.{self.store.adapter}]", *(f"{name} = {_toml(said[name])}" for name in said), more]
        (self.folder / "oneiric.toml").write_text("\n".join(lines))
        environ = {"ONEIRIC_SELECT__SECRETS": self.store.adapter, "ONEIRIC_PROFILE": profile}
        environ |= {"ONEIRIC_ORDERS__TOKEN": env} if env is not None else {}
        app = Application("orders", inputs=Inputs(environ=environ, folder=self.folder))
        app.declare_section("orders", OrdersSettings)
        return app


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


@pytest.fixture
def place(store: SecretStore, tmp_path: Path) -> Place:
    return Place(store, tmp_path)


def told(explained: Explanation, layer: str = "secrets") -> tuple[str, str | None]:
    """Return status and reason of a layer."""
    return next((one.status, one.reason) for one in explained.candidates if one.layer == layer)


def token(app: Application) -> str:
    value: SecretStr = app.setting(KEY)
    return value.get_secret_value()


PROFILES = [pytest.param("default", id="default"), pytest.param("serverless", id="serverless")]
TROUBLES = ["denied", "unavailable", "slow"]


def trouble_of(place: Place, kind: str, deaf: str) -> tuple[dict[str, object], str, str]:
    """Return the changed settings and the binding that lead into a trouble, and how the store's answer is called."""
    store = place.store
    settings, name = {"denied": store.denied, "unavailable": store.unavailable, "slow": lambda: store.slow(deaf)}[
        kind
    ]()
    why = store.too_slow if kind == "slow" else kind
    return settings, f'[settings.secrets.bindings]\n"{KEY}" = "{name}"\n', why


@pytest.mark.asyncio
@pytest.mark.parametrize("profile", PROFILES)
async def test_a_value_comes_from_the_store(place: Place, profile: str) -> None:
    """It wins over the file in every profile, and is shown by store, resource, version and age, never itself."""
    version = place.store.place(SECRET, CANARY)
    app = place.app(profile, more='[settings.orders]\ntoken = "of the file"')
    app.secrets.cache.clock = clock = FakeClock()

    async with app:
        clock.advance(41)
        explained, value = app.explain(KEY), token(app)

    assert value == CANARY
    assert explained.winner is not None
    assert explained.winner.layer == "secrets"
    assert explained.winner.origin == SecretOrigin(place.store.adapter, place.store.resource(SECRET), version)
    assert explained.winner.detail == "age 41 s"
    assert told(explained, "profile") == ("shadowed", "lower-layer")
    assert CANARY not in f"{explained}{explained.fields()}"


@pytest.mark.asyncio
@pytest.mark.parametrize("profile", PROFILES)
async def test_a_pinned_version_stays(place: Place, profile: str) -> None:
    """`?version=N` is that version after a rotation as well, with the rank of the layer that says so."""
    first = place.store.place("pinned", CANARY)
    place.store.place("pinned", "the second")
    app = place.app(profile, more=f'[settings.orders]\ntoken = "secret://pinned?version={first}"')

    async with app:
        rotation = await app.rotate_secrets()
        explained, value = app.explain(KEY), token(app)

    assert (value, rotation.changed) == (CANARY, ())
    assert explained.winner is not None
    assert explained.winner.layer == "profile"
    assert isinstance(explained.winner.origin, FileOrigin)
    assert explained.winner.detail == "secret://pinned, age 0 s"


@pytest.mark.asyncio
@pytest.mark.parametrize("said", [pytest.param("", id="latest"), pytest.param("?version={version}", id="pinned")])
async def test_a_reference_that_leads_nowhere_stops_the_start(place: Place, said: str) -> None:
    """A missing secret, and a missing version of one, is secret-not-found with the origin of the reference."""
    if said:
        place.store.place("nowhere", CANARY)
    reference = "secret://nowhere" + said.format(version=place.store.missing_version)
    app = place.app("default", more=f'[settings.orders]\ntoken = "{reference}"')

    with pytest.raises(StartFailed) as caught:
        await app.start()

    error = app.explain(KEY).error
    assert error is not None
    assert error.code == "secret-not-found"
    assert error.origin is not None
    assert str(error.origin).startswith("oneiric.toml:")
    assert "error[secret-not-found]" in str(caught.value)


@pytest.mark.asyncio
async def test_an_absent_secret_lets_env_answer(place: Place) -> None:
    """Not found is no outage: in serverless, where the store ranks above env, env answers without a warning."""
    app = place.app("serverless", env="of the environment")

    async with app:
        explained, value = app.explain(KEY), token(app)

    assert value == "of the environment"
    assert told(explained) == ("absent", "secret-not-found")
    assert explained.winner is not None
    assert explained.winner.origin == EnvOrigin("ONEIRIC_ORDERS__TOKEN")
    assert explained.warnings == ()


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", TROUBLES)
async def test_an_outage_falls_with_a_warning_on_a_laptop(place: Place, kind: str, deaf: str) -> None:
    """In default the next layer answers, and secret-fallback says why the store did not."""
    settings, binding, why = trouble_of(place, kind, deaf)
    app = place.app("default", more=f'{binding}[settings.orders]\ntoken = "of the file"', **settings)

    async with app:
        explained, value = app.explain(KEY), token(app)

    assert value == "of the file"
    assert told(explained) == ("ineligible", "secret-unavailable")
    assert [warning.code for warning in explained.warnings] == ["secret-fallback"]
    assert f"cannot be had ({why}); layer profile answers instead" in explained.warnings[0].message


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", TROUBLES)
async def test_an_outage_stops_the_start_where_the_store_is_the_authority(place: Place, kind: str, deaf: str) -> None:
    """In serverless an outage never downgrades credentials: the start fails even though env has a value."""
    settings, binding, why = trouble_of(place, kind, deaf)
    app = place.app("serverless", more=binding, env="of the environment", **settings)

    with pytest.raises(StartFailed) as caught:
        await app.start()

    explained = app.explain(KEY)
    assert explained.error is not None
    assert explained.error.code == "secret-unavailable"
    assert explained.error.message.endswith(f"cannot be had: {why}")
    assert told(explained) == ("ineligible", "secret-unavailable")
    assert told(explained, "env") == ("shadowed", "lower-layer")
    assert "error[secret-unavailable]" in str(caught.value)
    assert app.state == "stopped"


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", TROUBLES)
async def test_an_outage_falls_where_the_operator_says_so(place: Place, kind: str, deaf: str) -> None:
    """`secrets.on_error = "fallback"` lets env answer in serverless too, with the same warning."""
    settings, binding, why = trouble_of(place, kind, deaf)
    more = f'[settings.secrets]\non_error = "fallback"\n{binding}'
    app = place.app("serverless", more=more, env="of the environment", **settings)

    async with app:
        explained, value = app.explain(KEY), token(app)

    assert value == "of the environment"
    assert told(explained) == ("ineligible", "secret-unavailable")
    assert [warning.code for warning in explained.warnings] == ["secret-fallback"]
    assert f"cannot be had ({why}); layer env answers instead" in explained.warnings[0].message


@pytest.mark.asyncio
@pytest.mark.parametrize("profile", PROFILES)
async def test_a_rotated_secret_makes_a_new_generation(place: Place, profile: str) -> None:
    """After a rotation the new version wins, with a new age; one that changes nothing leaves the generation alone."""
    place.store.place(SECRET, "the first")
    app = place.app(profile)
    app.secrets.cache.clock = clock = FakeClock()

    async with app:
        version = place.store.place(SECRET, CANARY)
        clock.advance(60)
        before = token(app)
        rotation = await app.rotate_secrets()
        explained, after = app.explain(KEY), token(app)
        again = await app.rotate_secrets()

    assert (before, after) == ("the first", CANARY)
    assert (rotation.changed, rotation.generation) == ((SECRET,), 2)
    assert (again.changed, again.generation) == ((), 2)
    assert explained.winner is not None
    assert explained.winner.origin == SecretOrigin(place.store.adapter, place.store.resource(SECRET), version)
    assert (explained.winner.detail, explained.generation) == ("age 0 s", 2)
