"""A reload: the configuration is read again, and what differs becomes one swap or nothing."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from pydantic import SecretStr

from oneiric import INJECTED, Application, Event, Inject, Inputs, Settings, inject
from oneiric.adapters.cache import Cache
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.adapters.storage import Storage
from oneiric.adapters.storage.local import LocalStorage
from oneiric.adapters.storage.memory import MemoryStorage
from oneiric.core.errors import NotRunning, OneiricError, SecretUnavailable, SwapFailed
from oneiric.core.log import configure
from oneiric.runtime.swap_events import SwapEvent
from oneiric.testing.fake_secrets import FakeSecrets

ORDER = Event(type="order.created")
BEFORE = '[select]\nstorage = "memory"\n\n[settings.shop]\nregion = "EU"\n'


class ShopSettings(Settings, section="shop"):
    """A section of the application."""

    region: str = "none"
    token: SecretStr = SecretStr("of the code")


class Recorded:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[SwapEvent] = []

    def record(self, event: SwapEvent) -> None:
        """Keep an event."""
        self.events.append(event)

    @property
    def failures(self) -> list[tuple[str, str | None, str]]:
        """Which slot failed, with which code and cause."""
        return [(event.slot, event.error, event.cause) for event in self.events if event.step == "failed"]


class Seen:
    """What one call was given."""

    def __init__(self, cache: Cache, storage: Storage, settings: ShopSettings) -> None:
        self.cache, self.storage, self.settings = cache, storage, settings


@inject
async def take(
    event: Event,
    cache: Inject[Cache] = INJECTED,
    storage: Inject[Storage] = INJECTED,
    settings: Inject[ShopSettings] = INJECTED,
) -> Seen:
    """Return what it was given."""
    return Seen(cache, storage, settings)


def shop(folder: Path, text: str = BEFORE, **environ: str) -> Application:
    """Return an application that is configured by `oneiric.toml` of a folder."""
    (folder / "oneiric.toml").write_text(text)
    app = Application("shop", inputs=Inputs(environ=environ, folder=folder, settings=["swap.drain_grace_s=0"]))
    app.on("order.created", name="take")(take)
    return app


def record(app: Application) -> Recorded:
    """Let the steps of an application's swaps be kept."""
    recorded = Recorded()
    app.recorders.append(recorded)
    return recorded


@pytest.mark.asyncio
async def test_a_changed_file_becomes_one_swap(tmp_path: Path) -> None:
    """Two slots and a section differ: one generation, all new at once, and what did not change stays."""
    app = shop(tmp_path)
    async with app:
        before = await take(ORDER)
        (tmp_path / "oneiric.toml").write_text(
            f'[select]\nstorage = "local"\n\n[settings]\nshop.region = "US"\nstorage.local.root = "{tmp_path}/files"\n'
        )
        swapped = await app.reload()
        after = await take(ORDER)

    assert [change.slot for change in swapped.slots] == ["settings.shop", "storage"]
    assert (swapped.generation, [one.cause for one in app.generations]) == (2, ["start", "reload"])
    assert isinstance(before.storage, MemoryStorage)
    assert isinstance(after.storage, LocalStorage)
    assert (before.settings.region, after.settings.region) == ("EU", "US")
    assert after.cache is before.cache


@pytest.mark.asyncio
async def test_an_equal_file_changes_nothing(tmp_path: Path) -> None:
    """A comment is no change: no generation, no event, the same objects."""
    app = shop(tmp_path)
    recorded = record(app)
    async with app:
        before = await take(ORDER)
        (tmp_path / "oneiric.toml").write_text("# a remark\n" + BEFORE)
        swapped = await app.reload()
        after = await take(ORDER)

    assert swapped.is_same
    assert (swapped.generation, recorded.events) == (1, [])
    assert after.storage is before.storage


def delete(path: Path) -> None:
    """Delete a file."""
    path.unlink()


def write(text: str) -> Callable[[Path], None]:
    """Return what writes a text into a file."""
    return lambda path: path.write_text(text) and None


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("change", "code", "slot"),
    [
        pytest.param(write("[select"), "config-not-found", "", id="half written"),
        pytest.param(write(""), "config-not-found", "", id="empty"),
        pytest.param(delete, "config-not-found", "", id="deleted"),
        pytest.param(write("select = 7"), "invalid-value", "", id="a table that is a number"),
        pytest.param(write('[select]\nstorrage = "local"'), "unknown-slot", "storage", id="a slot that is none"),
        pytest.param(write('[select]\nstorage = "locl"'), "selection-unknown", "storage", id="an adapter that is none"),
        pytest.param(write('[select]\nqueue = "memry"'), "selection-unknown", "queue", id="one of an unused slot"),
        pytest.param(
            write('[select]\nstorage = "memory"\n[settings.app]\nstop_timeout_s = "soon"'),
            "invalid-value",
            "settings.shop",
            id="a section that does not fit",
        ),
        pytest.param(
            write('[select]\nstorage = "memory"\n[settings.cache.memory]\nmax_items = -1'),
            "invalid-value",
            "cache",
            id="settings that do not fit",
        ),
        pytest.param(
            write('[select]\nstorage = "local"\n[settings.storage.local]\nroot = "/dev/null/files"'),
            "unavailable",
            "storage",
            id="an adapter that does not open",
        ),
        pytest.param(write('profile = "nowhere"'), "unknown-profile", "", id="a profile that is none"),
    ],
)
async def test_what_cannot_be_is_told_and_changes_nothing(
    tmp_path: Path, change: Callable[[Path], None], code: str, slot: str
) -> None:
    """The error, a record with its code, and all that served serves on; the next good file is used."""
    app = shop(tmp_path)
    recorded = record(app)
    async with app:
        before = await take(ORDER)
        change(tmp_path / "oneiric.toml")
        with pytest.raises(OneiricError):
            await app.reload()
        after = await take(ORDER)
        failed, generation = recorded.failures, app.generation
        (tmp_path / "oneiric.toml").write_text(BEFORE.replace("EU", "US"))
        await app.reload()
        mended = await take(ORDER)

    assert (slot, code, "reload") in failed
    assert generation == 1
    assert (after.storage, after.cache, after.settings) == (before.storage, before.cache, before.settings)
    assert mended.settings.region == "US"


@pytest.mark.asyncio
async def test_the_profile_stays(tmp_path: Path) -> None:
    """A file that names another one is used in the profile in force, and that is told."""
    app, told = shop(tmp_path), StringIO()
    configure(stream=told)
    async with app:
        (tmp_path / "oneiric.toml").write_text(
            'profile = "serverless"\n[settings.shop]\nregion = "US"\n'
            '[profiles.serverless.settings.shop]\nregion = "CH"\n'
        )
        await app.reload()
        region = (await take(ORDER)).settings.region

    assert (app.profile.name, region) == ("default", "US")
    assert "the profile does not change while the application runs" in told.getvalue()


@pytest.mark.asyncio
async def test_layers_of_code_stay_where_they_are(tmp_path: Path) -> None:
    """What `override` and `swap` put above the flags stays above them, and the file changes below."""
    app = shop(tmp_path)
    app.configure(Inputs(environ={}, folder=tmp_path, select=["cache=memory", "storage=memory"]))
    fake, other = MemoryStorage(MemoryStorage.Settings()), MemoryCache(MemoryCache.Settings())
    with app.override({"storage": fake}):
        async with app:
            await app.swap({"cache": other})
            (tmp_path / "oneiric.toml").write_text(BEFORE.replace("EU", "US"))
            await app.reload()
            seen = await take(ORDER)

    assert (seen.storage, seen.cache, seen.settings.region) == (fake, other, "US")


@pytest.mark.asyncio
async def test_variables_are_those_of_the_process(tmp_path: Path) -> None:
    """An env file is read again, below the variables that the process was started with."""
    env_file = tmp_path / "shop.env"
    env_file.write_text("ONEIRIC_SHOP__REGION=US\nONEIRIC_SELECT__STORAGE=local\n")
    app = shop(tmp_path, ONEIRIC_ENV_FILE=str(env_file), ONEIRIC_SELECT__STORAGE="memory")
    async with app:
        before = await take(ORDER)
        env_file.write_text("ONEIRIC_SHOP__REGION=CH\nONEIRIC_SELECT__STORAGE=local\n")
        await app.reload()
        after = await take(ORDER)

    assert (before.settings.region, after.settings.region) == ("US", "CH")
    assert after.storage is before.storage
    assert isinstance(after.storage, MemoryStorage)


@pytest.mark.asyncio
async def test_a_reload_follows_a_rollback(tmp_path: Path) -> None:
    """After a rollback the file still says the later state, and a reload makes it so again; a swap stays undone."""
    app = shop(tmp_path)
    async with app:
        (tmp_path / "oneiric.toml").write_text(BEFORE.replace("EU", "US"))
        await app.reload()
        await app.swap({"storage": MemoryStorage})
        await app.rollback(1)
        back = (await take(ORDER)).settings.region
        await app.reload()
        again = (await take(ORDER)).settings.region

    assert (back, again) == ("EU", "US")
    assert [layer.name for layer in app.applied] == []


@pytest.mark.asyncio
async def test_a_rolled_back_swap_survives_a_reload(tmp_path: Path) -> None:
    """A layer of code that a rollback brings back belongs to no file."""
    app = shop(tmp_path)
    fake = MemoryStorage(MemoryStorage.Settings())
    async with app:
        await app.swap({"storage": fake})
        await app.rollback(1)
        await app.rollback(2)
        (tmp_path / "oneiric.toml").write_text(BEFORE.replace("EU", "US"))
        await app.reload()
        seen = await take(ORDER)

    assert (seen.storage, seen.settings.region) == (fake, "US")


@pytest.mark.asyncio
async def test_a_failed_reload_is_forgotten_by_the_next(tmp_path: Path) -> None:
    """Neither its layers nor its file count; a good file after it is compared with what serves."""
    app = shop(tmp_path)
    async with app:
        (tmp_path / "oneiric.toml").write_text(BEFORE.replace('"memory"', '"locl"'))
        with pytest.raises(SwapFailed):
            await app.reload()
        (tmp_path / "oneiric.toml").write_text(BEFORE)
        swapped = await app.reload()
        winner = app.explain("storage").winner

    assert swapped.is_same
    assert winner is not None
    assert (winner.value, winner.layer) == ("memory", "profile")


@pytest.mark.asyncio
async def test_other_profiles_are_explained_by_the_new_file(tmp_path: Path) -> None:
    """Also where nothing differs in the profile in force."""
    app = shop(tmp_path)
    async with app:
        (tmp_path / "oneiric.toml").write_text(BEFORE + '[profiles.serverless.settings.shop]\nregion = "CH"\n')
        swapped = await app.reload()

    assert swapped.is_same
    layers = [layer for layer in app.layers_in(app.profiles()["serverless"]) if layer.name == "profile"]
    assert [said.value for layer in layers for said in layer.settings.values()] == ["EU", "CH"]


@pytest.mark.asyncio
async def test_an_application_that_does_not_run_is_not_reloaded(tmp_path: Path) -> None:
    """It reads its configuration when it starts."""
    with pytest.raises(NotRunning):
        await shop(tmp_path).reload()


class KeyedCache(MemoryCache):
    """A cache that needs a secret; with a wrong one it does not open."""

    class Settings(MemoryCache.Settings):
        """The key that it is made with."""

        token: SecretStr = SecretStr("")

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.token = settings.token.get_secret_value()

    async def open(self) -> None:
        """Open it. Raises ValueError with a wrong key."""
        if self.token == "wrong":
            raise ValueError("wrong key")
        await super().open()


def keyed(folder: Path, store: FakeSecrets) -> Application:
    """Return the shop with a cache whose key is in a store."""
    app = shop(folder, BEFORE + '[settings.secrets.bindings]\n"cache.KeyedCache.token" = "cache-token"\n')
    app.override({"secrets": store, "cache": KeyedCache})
    return app


@pytest.mark.asyncio
async def test_a_rotated_secret_rebuilds_what_uses_it(tmp_path: Path) -> None:
    """The adapter with the old value is replaced by one with the new value; others stay."""
    store = FakeSecrets({"cache-token": "one"})
    app = keyed(tmp_path, store)
    async with app:
        before = await take(ORDER)
        store.rotate("cache-token", "two")
        rotation = await app.rotate_secrets()
        after = await take(ORDER)

    assert (rotation.changed, rotation.generation) == (("cache-token",), 2)
    assert (getattr(before.cache, "token", None), getattr(after.cache, "token", None)) == ("one", "two")
    assert after.storage is before.storage


@pytest.mark.asyncio
async def test_a_rotated_secret_renews_the_section_that_holds_it(tmp_path: Path) -> None:
    """A section that is injected is an object like others."""
    store = FakeSecrets({"shop-token": "one"})
    app = keyed(tmp_path, store)
    async with app:
        before = (await take(ORDER)).settings.token.get_secret_value()
        store.rotate("shop-token", "two")
        await app.rotate_secrets()
        after = (await take(ORDER)).settings.token.get_secret_value()

    assert (before, after) == ("one", "two")


@pytest.mark.asyncio
async def test_a_secret_that_does_not_work_keeps_the_old_adapter(tmp_path: Path) -> None:
    """It is told with its slot; the next reload tries again, with whatever the store has then."""
    store = FakeSecrets({"cache-token": "one"})
    app = keyed(tmp_path, store)
    recorded = record(app)
    async with app:
        before = await take(ORDER)
        store.rotate("cache-token", "wrong")
        with pytest.raises(SwapFailed):
            await app.rotate_secrets()
        kept, generation = await take(ORDER), app.generation
        with pytest.raises(SwapFailed):
            await app.reload()
        store.rotate("cache-token", "three")
        swapped = await app.reload(secrets=["cache-token"])
        after = await take(ORDER)

    assert (kept.cache, generation) == (before.cache, 1)
    assert recorded.failures == [("cache", "ValueError", "secrets"), ("cache", "ValueError", "reload")]
    assert [(change.slot, change.settings) for change in swapped.slots] == [("cache", ("cache.KeyedCache.token",))]
    assert getattr(after.cache, "token", None) == "three"


@pytest.mark.asyncio
async def test_a_store_that_is_denied_refuses_the_reload(tmp_path: Path) -> None:
    """What serves has the old value, and the next reload brings the new one."""
    store = FakeSecrets({"cache-token": "one", "shop-token": "old"})
    app = keyed(tmp_path, store)
    async with app:
        await take(ORDER)
        store.rotate("cache-token", "two")
        store.state = "denied"
        with pytest.raises(SecretUnavailable):
            await app.reload(secrets=["cache-token", "shop-token"])
        kept = (await take(ORDER)).cache
        store.state = "ok"
        await app.reload(secrets=["cache-token", "shop-token"])
        after = (await take(ORDER)).cache

    assert (getattr(kept, "token", None), getattr(after, "token", None)) == ("one", "two")


@pytest.mark.asyncio
async def test_another_folder_of_secrets_has_other_values(tmp_path: Path) -> None:
    """Where the file names another store, what was built from the old one is built again."""
    for name, value in (("old", "one"), ("new", "two")):
        (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / name / "shop-token").touch(mode=0o600)
        (tmp_path / name / "shop-token").write_text(value)
    text = f'[select]\nsecrets = "file"\n\n[settings.secrets.file]\nfolder = "{tmp_path}/old"\n'
    app = shop(tmp_path, text)
    async with app:
        before = (await take(ORDER)).settings.token.get_secret_value()
        (tmp_path / "oneiric.toml").write_text(text.replace("/old", "/new"))
        await app.reload()
        after = (await take(ORDER)).settings.token.get_secret_value()

    assert (before, after) == ("one", "two")
