"""Secrets when an application starts: which are fetched, which are not, and what never happens to them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretBytes, SecretStr, create_model

from oneiric import Application, Inputs, Settings
from oneiric.adapters.secrets.common import LATEST, Secret
from oneiric.core.errors import InvalidApplication, StartFailed
from oneiric.core.origins import SecretOrigin
from oneiric.testing.fake_secrets import FakeSecrets, State
from tests.support.loop import pass_time, run

KEY, SECRET = "orders.token", "orders-token"
CANARY = "canary-of-the-start-90ab"


class OrdersSettings(Settings, section="orders"):
    """One setting that the secrets layer answers, and one that it does not."""

    token: SecretStr = SecretStr("of the code")
    host: str = "localhost"


class SlowSecrets(FakeSecrets):
    """Takes a second for each value, and counts how many are waited for at once."""

    is_local = False

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.now = self.most = 0

    async def get(self, name: str, *, version: str = LATEST) -> Secret:
        self.now += 1
        self.most = max(self.most, self.now)
        await pass_time(1)
        self.now -= 1
        return await super().get(name, version=version)


class WatchedSecrets(FakeSecrets):
    """Notes every attempt to write."""

    is_local = False

    def __init__(self, values: dict[str, str], *, state: State = "ok") -> None:
        super().__init__(values, state=state)
        self.written: list[str] = []

    async def put(self, name: str, value: SecretBytes) -> str:
        self.written.append(name)
        return await super().put(name, value)


def made(store: FakeSecrets, profile: str, folder: Path, *, file: str = "", **env: str) -> Application:
    """Return an application whose store is bound in layer explicit."""
    (folder / "oneiric.toml").write_text(file)
    app = Application("orders", profile=profile, inputs=Inputs(environ=env, folder=folder))
    app.declare_section("orders", OrdersSettings)
    app.override({"secrets": store})
    return app


def token(app: Application) -> str:
    value: SecretStr = app.setting(KEY)
    return value.get_secret_value()


def test_all_secrets_are_fetched_in_one_batch(tmp_path: Path) -> None:
    """Twenty-one that take a second each are there after three: eight at a time, and each of them once."""
    fields: dict[str, Any] = {f"part{n:02}": (SecretStr, ...) for n in range(20)}  # as create_model takes them
    store = SlowSecrets({f"many-{name}": "x" for name in fields})
    app = made(store, "serverless", tmp_path)
    app.declare_section("many", create_model("Many", **fields))

    async def start() -> None:
        async with app:
            assert app.section("many").part07.get_secret_value() == "x"

    _, took_s = run(start())

    assert (store.most, took_s) == (8, pytest.approx(3.0))
    assert sorted(store.asked) == [*(f"many-part{n:02}" for n in range(20)), SECRET]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("profile", "file", "env", "flag", "is_fetched"),
    [
        pytest.param("default", "x", {}, None, True, id="above a file in default"),
        pytest.param("default", "", {"ONEIRIC_ORDERS__TOKEN": "x"}, None, False, id="under env in default"),
        pytest.param("serverless", "", {"ONEIRIC_ORDERS__TOKEN": "x"}, None, True, id="above env in serverless"),
        pytest.param("systemd", "", {"ONEIRIC_ORDERS__TOKEN": "x"}, None, True, id="above env in systemd"),
        pytest.param("default", "", {}, "x", False, id="under an explicit value in default"),
        pytest.param("serverless", "", {}, "x", False, id="under an explicit value in serverless"),
        pytest.param("test", "x", {}, None, False, id="silent in test"),
    ],
)
async def test_a_secret_that_cannot_win_is_not_fetched(
    tmp_path: Path, profile: str, file: str, env: dict[str, str], flag: str | None, is_fetched: bool
) -> None:
    """The store is asked for a value only where its layer would win."""
    store = FakeSecrets({SECRET: CANARY})
    app = made(store, profile, tmp_path, file=f'[settings.orders]\ntoken = "{file}"' if file else "", **env)
    if flag is not None:
        app.configure(Inputs(profile=profile, settings=[f"{KEY}={flag}"], environ=env, folder=tmp_path))

    async with app:
        value = token(app)

    assert (value, store.asked) == ((CANARY, [SECRET]) if is_fetched else ("x", []))


@pytest.mark.asyncio
async def test_an_outage_does_not_matter_where_the_store_cannot_win(tmp_path: Path) -> None:
    """Under an explicit value even the strict profile starts without its store."""
    store = FakeSecrets({SECRET: CANARY}, state="unavailable")
    app = made(store, "serverless", tmp_path)
    app.configure(Inputs(profile="serverless", settings=[f"{KEY}=x"], environ={}, folder=tmp_path))

    async with app:
        assert token(app) == "x"


@pytest.mark.asyncio
async def test_the_settings_of_an_adapter_that_is_not_in_use_fetch_nothing(tmp_path: Path) -> None:
    """They are inert: the store is asked neither for their references nor by their conventional names."""
    store = FakeSecrets({"cache-redis-password": CANARY, "elsewhere": CANARY})
    file = '[select]\ncache = "memory"\n[settings.cache.redis]\nhost = "secret://elsewhere"'
    app = made(store, "serverless", tmp_path, file=file)

    async with app:
        pass

    assert store.asked == []


@pytest.mark.asyncio
async def test_a_start_after_an_outage_asks_again(tmp_path: Path) -> None:
    """What could not be had a moment ago is no reason for the next start to fail."""
    store = WatchedSecrets({SECRET: CANARY}, state="unavailable")
    app = made(store, "serverless", tmp_path)
    with pytest.raises(StartFailed):
        await app.start()
    store.state = "ok"

    async with app:
        assert token(app) == CANARY


@pytest.mark.asyncio
async def test_a_missing_secret_is_never_created(tmp_path: Path) -> None:
    """Start, use, rotation and probe only read."""
    store = WatchedSecrets({})
    app = made(store, "serverless", tmp_path)

    async with app:
        await app.rotate_secrets()
        await app.secrets.probe([SECRET])
        value = token(app)

    assert value == "of the code"
    assert store.written == []
    assert await store.version(SECRET) is None


@pytest.mark.asyncio
async def test_values_are_never_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file below home, cache, temporary and working folder holds a value after start, rotation and stop."""
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    store = FakeSecrets({SECRET: CANARY})
    app = made(store, "serverless", tmp_path)

    async with app:
        store.rotate(SECRET, CANARY + "2")
        await app.rotate_secrets()
        assert token(app) == CANARY + "2"
        app.explain(KEY).text()

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["oneiric.toml"]
    assert CANARY not in files[0].read_text()


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of credentials as systemd makes it: mode 0500, one file of mode 0400."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / SECRET).write_text(CANARY + "\n")
    (folder / SECRET).chmod(0o400)
    folder.chmod(0o500)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def under_systemd(folder: Path, **env: str) -> Application:
    app = Application("orders", profile="systemd", inputs=Inputs(environ=env, folder=folder))
    app.declare_section("orders", OrdersSettings)
    return app


@pytest.mark.asyncio
async def test_under_systemd_secrets_come_from_the_credentials_directory(credentials: Path, tmp_path: Path) -> None:
    """Nobody has to choose a store: the folder that systemd names is it, and it ranks above env."""
    app = under_systemd(tmp_path, ONEIRIC_ORDERS__TOKEN="of the environment")

    async with app:
        value, explained, slot = token(app), app.explain(KEY), app.explain("secrets")

    assert value == CANARY
    assert slot.winner is not None
    assert slot.winner.value == "file"
    assert explained.winner is not None
    assert isinstance(explained.winner.origin, SecretOrigin)
    assert (explained.winner.origin.provider, explained.winner.origin.resource) == ("file", f"{credentials}/{SECRET}")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("mode", "folder_mode"),
    [
        pytest.param(0o404, 0o500, id="a file that everybody may read"),
        pytest.param(0o420, 0o500, id="a file that its group may write"),
        pytest.param(0o400, 0o722, id="a folder that others may write"),
    ],
)
async def test_credentials_that_others_can_reach_stop_the_start(
    credentials: Path, tmp_path: Path, mode: int, folder_mode: int
) -> None:
    """Permissions are checked; a store that is not safe is an outage in systemd, even though env has a value."""
    (credentials / SECRET).chmod(mode)
    credentials.chmod(folder_mode)
    app = under_systemd(tmp_path, ONEIRIC_ORDERS__TOKEN="of the environment")

    with pytest.raises((InvalidApplication, StartFailed)) as caught:
        await app.start()

    error = app.explain(KEY).error
    assert error is not None
    assert (error.code, error.message.endswith("cannot be had: denied")) == ("secret-unavailable", True)
    assert "error[secret-unavailable]" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.asyncio
async def test_a_credential_that_is_not_there_lets_env_answer(credentials: Path, tmp_path: Path) -> None:
    """A unit may be given only some of its secrets as credentials."""
    credentials.chmod(0o700)
    os.unlink(credentials / SECRET)
    app = under_systemd(tmp_path, ONEIRIC_ORDERS__TOKEN="of the environment")

    async with app:
        assert token(app) == "of the environment"
