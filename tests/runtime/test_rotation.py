"""Secrets over time: rotated by hand, read again in the background, and on use where nothing runs between requests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from oneiric import Application, Inputs, Settings
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.core.errors import SecretUnavailable
from oneiric.testing.clock import FakeClock
from oneiric.testing.fake_secrets import FakeSecrets
from tests.support.loop import pass_time, run

KEY, SECRET = "orders.token", "orders-token"


class OrdersSettings(Settings, section="orders"):
    """One setting that the secrets layer answers."""

    token: SecretStr = SecretStr("of the code")


class RemoteSecrets(FakeSecrets):
    """A store that has to be waited for, with a cache of its own."""

    is_local = False

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.dropped: list[Sequence[str] | None] = []

    def invalidate(self, names: Sequence[str] | None) -> None:
        self.dropped.append(names)


def made(store: FakeSecrets, profile: str, folder: Path, *, file: str = "") -> Application:
    (folder / "oneiric.toml").write_text(file)
    app = Application("orders", profile=profile, inputs=Inputs(environ={}, folder=folder))
    app.declare_section("orders", OrdersSettings)
    app.override({"secrets": store})
    app.secrets.cache.draw = lambda: 0.5
    return app


def token(app: Application) -> str:
    value: SecretStr = app.setting(KEY)
    return value.get_secret_value()


@pytest.mark.asyncio
async def test_a_rotation_makes_a_new_generation_once(tmp_path: Path) -> None:
    """What changed is named, and the generation grows; a rotation that finds nothing new changes nothing."""
    store = RemoteSecrets({SECRET: "one"})
    app = made(store, "default", tmp_path)

    async with app:
        store.rotate(SECRET, "two")
        first, second = await app.rotate_secrets(), await app.rotate_secrets()
        value = token(app)

    assert (first.changed, first.generation) == ((SECRET,), 2)
    assert (second.changed, second.generation) == ((), 2)
    assert value == "two"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("names", "dropped"),
    [pytest.param(None, None, id="all"), pytest.param([SECRET, "another"], ["another", SECRET], id="by name")],
)
async def test_a_rotation_drops_the_cache_of_the_store(
    tmp_path: Path, names: list[str] | None, dropped: list[str] | None
) -> None:
    """A store that keeps values itself is told to forget them, else the old ones would come back."""
    store = RemoteSecrets({SECRET: "one"})
    app = made(store, "default", tmp_path)

    async with app:
        await app.rotate_secrets(names)

    assert store.dropped == [dropped]


@pytest.mark.asyncio
async def test_only_the_named_secrets_are_rotated(tmp_path: Path) -> None:
    """The others keep their value and their age."""
    store = RemoteSecrets({SECRET: "one"})
    app = made(store, "default", tmp_path)

    async with app:
        store.rotate(SECRET, "two")
        rotation = await app.rotate_secrets(["another"])
        value = token(app)

    assert (rotation.changed, value) == ((), "one")


@pytest.mark.asyncio
async def test_a_rotation_finds_a_secret_that_was_made_since(tmp_path: Path) -> None:
    """An absence is not believed for its 30 s when somebody says that the secret is there now."""
    store = RemoteSecrets({})
    app = made(store, "serverless", tmp_path)

    async with app:
        before = token(app)
        store.rotate(SECRET, "made")
        rotation = await app.rotate_secrets()
        after = token(app)

    assert (before, after) == ("of the code", "made")
    assert (rotation.changed, rotation.generation) == ((SECRET,), 2)


@pytest.mark.asyncio
async def test_a_rotation_that_fails_keeps_the_old_value(tmp_path: Path) -> None:
    """It raises secret-unavailable; the old value serves on in the old generation, and explain says why."""
    store = RemoteSecrets({SECRET: "one"})
    app = made(store, "serverless", tmp_path)

    async with app:
        store.rotate(SECRET, "two")
        store.state = "denied"
        with pytest.raises(SecretUnavailable):
            await app.rotate_secrets()
        value, explained = token(app), app.explain(KEY)

    assert value == "one"
    assert explained.generation == 1
    assert explained.winner is not None
    assert explained.winner.detail == "age 0 s, stale, refresh failed: denied"


def test_secrets_are_read_again_in_the_background(tmp_path: Path) -> None:
    """On a laptop a new version is there when the time to live is over, without anybody's asking."""
    store = RemoteSecrets({SECRET: "one"})
    app = made(store, "default", tmp_path)

    async def serve() -> tuple[list[str], int | None]:
        app.secrets.cache.clock = asyncio.get_running_loop().time
        seen = []
        async with app:
            store.rotate(SECRET, "two")
            for pause_s in (299, 2):
                await pass_time(pause_s)
                seen.append(token(app))
            return seen, app.generation

    (seen, generation), _ = run(serve())

    assert (seen, generation) == (["one", "two"], 2)
    assert store.asked == [SECRET, SECRET]


def test_an_outage_in_the_background_is_survived(tmp_path: Path) -> None:
    """The old value serves while the store is away, and the new one is there soon after it is back."""
    store = RemoteSecrets({SECRET: "one"})
    app = made(store, "default", tmp_path)

    async def serve() -> list[tuple[str, str | None]]:
        app.secrets.cache.clock = asyncio.get_running_loop().time
        seen = []
        async with app:
            store.rotate(SECRET, "two")
            store.state = "unavailable"
            for pause_s in (301, 1000):
                await pass_time(pause_s)
                winner = app.explain(KEY).winner
                seen.append((token(app), winner.detail if winner is not None else None))
            store.state = "ok"
            await pass_time(31)
            return [*seen, (token(app), None)]

    seen, _ = run(serve())

    assert seen == [
        ("one", "age 301 s, stale, refresh failed: unavailable"),
        ("one", "age 1301 s, stale, refresh failed: unavailable"),
        ("two", None),
    ]


@pytest.mark.parametrize(
    ("file", "reads"),
    [
        pytest.param("", 1, id="not before the time to live"),
        pytest.param("[settings.secrets]\nttl_s = 0", 11, id="once a second without a cache"),
    ],
)
def test_the_background_reads_no_more_than_it_must(tmp_path: Path, file: str, reads: int) -> None:
    """In ten seconds: a store is not asked more than once a second, whatever the settings say."""
    store = RemoteSecrets({SECRET: "one"})
    app = made(store, "default", tmp_path, file=file)

    async def serve() -> None:
        app.secrets.cache.clock = asyncio.get_running_loop().time
        async with app:
            await pass_time(10.5)

    run(serve())

    assert len(store.asked) == reads


def test_nothing_is_read_between_requests_in_serverless(tmp_path: Path) -> None:
    """No task outlives the start, and hours later the store was asked once."""
    store = RemoteSecrets({SECRET: "one"})
    app = made(store, "serverless", tmp_path)

    async def serve() -> tuple[int, int]:
        app.secrets.cache.clock = asyncio.get_running_loop().time
        async with app:
            await pass_time(10_000)
            return len(store.asked), len(asyncio.all_tasks())

    (asked, tasks), _ = run(serve())

    assert (asked, tasks) == (1, 1)


@pytest.mark.asyncio
async def test_a_local_store_is_read_again_on_use_in_serverless(tmp_path: Path) -> None:
    """A setting, and a section, whose time is over have the new value at once."""
    store = FakeSecrets({SECRET: "one"})
    app = made(store, "serverless", tmp_path)
    app.secrets.cache.clock = clock = FakeClock()

    async with app:
        store.rotate(SECRET, "two")
        clock.advance(299)
        before = token(app)
        clock.advance(1)
        after = token(app)
        store.rotate(SECRET, "three")
        clock.advance(300)
        section = app.section("orders").token.get_secret_value()

    assert (before, after, section) == ("one", "two", "three")


class KeyedCache(MemoryCache):
    """A cache that needs a secret, made anew for each use in the test."""

    class Settings(MemoryCache.Settings):
        """The key that it is made with."""

        token: SecretStr = SecretStr("")

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.token = settings.token.get_secret_value()


@pytest.mark.asyncio
async def test_an_adapter_that_is_built_later_has_the_new_value(tmp_path: Path) -> None:
    """A build is a use: in serverless it reads a secret again whose time is over."""
    store = RemoteSecrets({"cache-token": "one"})
    app = made(
        store, "serverless", tmp_path, file='[settings.secrets.bindings]\n"cache.KeyedCache.token" = "cache-token"'
    )
    app.secrets.cache.clock = clock = FakeClock()
    app.override({"cache": KeyedCache})

    async with app:
        await app.secrets.fetch([("cache-token", "latest")])
        store.rotate("cache-token", "two")
        clock.advance(301)
        cache = await app.wiring.abuild(app.slot("cache"))

    assert cache.token == "two"
