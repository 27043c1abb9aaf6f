"""The watcher, on real files: however a file changes, what serves is what it says last, or what served before."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oneiric import Application, Inputs
from oneiric.adapters.storage.memory import MemoryStorage
from oneiric.core.manifest import pack
from oneiric.core.origins import FileOrigin
from oneiric.core.sources import Said, Tables
from oneiric.providers.catalog import Catalog, Row
from oneiric.remote.inline import write_inline
from oneiric.runtime.watch import Watcher
from tests.runtime.watching import ORDER, region, shop, take, until, until_generation, watched


def write(folder: Path) -> None:
    """Write into the file."""
    (folder / "oneiric.toml").write_text(region("US"))


def replace(folder: Path) -> None:
    """Put another file in its place, as careful editors do."""
    (folder / ".oneiric.toml.swp").write_text(region("US"))
    os.replace(folder / ".oneiric.toml.swp", folder / "oneiric.toml")


def move_away_first(folder: Path) -> None:
    """Keep the old file as a backup, as other editors do."""
    os.rename(folder / "oneiric.toml", folder / "oneiric.toml~")
    write(folder)


def write_in_pieces(folder: Path) -> None:
    """Write in pieces."""
    with (folder / "oneiric.toml").open("w") as file:
        for piece in region("US").splitlines(keepends=True):
            file.write(piece)
            file.flush()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(write, id="written"),
        pytest.param(replace, id="replaced"),
        pytest.param(move_away_first, id="moved away first"),
        pytest.param(write_in_pieces, id="written in pieces"),
    ],
)
async def test_a_changed_file_is_used(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """However an editor writes."""
    (tmp_path / "oneiric.toml").write_text(region("EU"))
    app = shop(tmp_path)
    async with watched(app):
        before = (await take(ORDER)).region
        change(tmp_path)
        await until(lambda: app.setting("shop.region") == "US", "the new region")
        after = (await take(ORDER)).region

    assert (before, after) == ("EU", "US")


@pytest.mark.asyncio
async def test_a_file_that_comes_later_is_used(tmp_path: Path) -> None:
    """Also in a folder that is not there yet: the user's own file."""
    app = shop(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "home" / ".config"))
    async with watched(app):
        own = tmp_path / "home" / ".config" / "oneiric" / "oneiric.toml"
        own.parent.mkdir(parents=True)
        own.write_text(region("CH"))
        first = await until_generation(app, 2)
        (tmp_path / "oneiric.toml").write_text(region("US"))
        second = await until_generation(app, 3)

    assert (first, second) == ("CH", "US")


@pytest.mark.asyncio
async def test_a_link_that_is_set_anew_is_followed(tmp_path: Path) -> None:
    """Kubernetes switches `..data`, the second link of the path, from one folder to another."""
    for name, said in (("..1", "EU"), ("..2", "US"), ("..3", "CH")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "oneiric.toml").write_text(region(said))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "oneiric.toml").symlink_to("..data/oneiric.toml")
    app = shop(tmp_path)
    seen = []
    async with watched(app):
        for number, name in ((2, "..2"), (3, "..3")):
            (tmp_path / "..data_tmp").symlink_to(name)
            os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
            seen.append(await until_generation(app, number))

    assert seen == ["US", "CH"]


@pytest.mark.asyncio
async def test_a_folder_that_is_a_link_may_be_exchanged(tmp_path: Path) -> None:
    """`current` leads to another release."""
    for name, said in (("one", "EU"), ("two", "US")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "oneiric.toml").write_text(region(said))
    (tmp_path / "current").symlink_to("one")
    app = shop(tmp_path / "current")
    async with watched(app):
        (tmp_path / "next").symlink_to("two")
        os.replace(tmp_path / "next", tmp_path / "current")
        first = await until_generation(app, 2)
        (tmp_path / "two" / "oneiric.toml").write_text(region("CH"))
        second = await until_generation(app, 3)

    assert (first, second) == ("US", "CH")


@pytest.mark.asyncio
async def test_a_folder_may_be_deleted_and_made_again(tmp_path: Path) -> None:
    """What is there meanwhile, nothing, changes nothing."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "oneiric.toml").write_text(region("EU"))
    app = shop(folder)
    seen = []
    async with watched(app):
        for number, name in ((2, "US"), (3, "CH")):
            shutil.rmtree(folder)
            folder.mkdir()
            (folder / "oneiric.toml").write_text(region(name))
            seen.append(await until_generation(app, number))

    assert seen == ["US", "CH"]


@pytest.mark.asyncio
async def test_an_env_file_is_watched(tmp_path: Path) -> None:
    """It may also name the configuration file."""
    (tmp_path / "one.toml").write_text(region("EU"))
    (tmp_path / "two.toml").write_text(region("US"))
    (tmp_path / "shop.env").write_text("ONEIRIC_CONFIG=one.toml\n")
    app = shop(tmp_path, ONEIRIC_ENV_FILE="shop.env")
    async with watched(app):
        (tmp_path / "shop.env").write_text("ONEIRIC_CONFIG=two.toml\n")
        first = await until_generation(app, 2)
        (tmp_path / "two.toml").write_text(region("CH"))
        second = await until_generation(app, 3)

    assert (first, second) == ("US", "CH")


def manifest_of(name: str, folder: Path) -> None:
    """Write a manifest of the build that says one region."""
    said = Tables(settings={"shop.region": Said(name, FileOrigin("oneiric.toml", "settings.shop.region"))})
    write_inline(pack(said, name="shop", version=name, issued=None), folder)


@pytest.mark.asyncio
async def test_the_manifest_of_the_build_is_watched(tmp_path: Path) -> None:
    """With its digest: what is between the two files is refused, and what comes of it is used."""
    manifest_of("EU", tmp_path)
    app = shop(tmp_path)
    async with watched(app):
        before = (await take(ORDER)).region
        manifest_of("US", tmp_path)
        after = await until_generation(app, 2)

    assert (before, after) == ("EU", "US")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("[settings.shop", "config-not-found", id="half written"),
        pytest.param("", "config-not-found", id="empty"),
        pytest.param(None, "config-not-found", id="deleted"),
        pytest.param('[select]\nchache = "memory"\n', "swap-failed", id="a slot that is none"),
        pytest.param('profile = "nowhere"\n', "unknown-profile", id="a profile that is none"),
    ],
)
async def test_what_cannot_be_is_told_once_and_changes_nothing(tmp_path: Path, text: str | None, code: str) -> None:
    """What serves goes on, and the next good file is used."""
    path = tmp_path / "oneiric.toml"
    path.write_text(region("EU"))
    app = shop(tmp_path)
    async with watched(app) as told:
        path.unlink() if text is None else path.write_text(text)
        await until(lambda: f"code={code}" in told.getvalue() or f"'{code}'" in told.getvalue(), "the warning")
        kept, generation = (await take(ORDER)).region, app.generation
        path.write_text(region("US"))
        after = await until_generation(app, 2)

    assert (kept, generation, after) == ("EU", 1, "US")
    assert told.getvalue().count("the change of the configuration is not used") == 1


@pytest.mark.asyncio
async def test_a_hundred_changes_in_a_second_are_few_swaps(tmp_path: Path) -> None:
    """The last one wins."""
    path = tmp_path / "oneiric.toml"
    path.write_text(region("R"))
    app = shop(tmp_path)

    def change() -> None:
        for number in range(100):
            (tmp_path / "next").write_text(region(f"R{number}"))
            os.replace(tmp_path / "next", path)

    async with watched(app):
        await asyncio.to_thread(change)
        await until(lambda: app.setting("shop.region") == "R99", "the last region")
        last = (await take(ORDER)).region

    assert last == "R99"
    assert app.generation is not None
    assert 2 <= app.generation <= 10


@pytest.mark.asyncio
async def test_a_change_before_the_watcher_counts(tmp_path: Path) -> None:
    """What differs from what was read is a change, whenever it was made."""
    path = tmp_path / "oneiric.toml"
    path.write_text(region("EU"))
    app = shop(tmp_path)
    app.configure()
    path.write_text(region("US"))
    async with watched(app):
        after = await until_generation(app, 2)

    assert after == "US"


class Asking:
    """Somebody who asks when the test says so."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def wait(self) -> None:
        """Return when the event is set, once."""
        await self.event.wait()
        self.event.clear()


@pytest.mark.asyncio
async def test_who_asks_is_reloaded_also_without_watching(tmp_path: Path) -> None:
    """SIGHUP does so in a profile that watches nothing."""
    path = tmp_path / "oneiric.toml"
    path.write_text(region("EU"))
    app, asking = shop(tmp_path), Asking()
    async with app:
        watcher = Watcher(app, is_watching=False, asked=asking)
        watcher.start()
        path.write_text(region("US"))
        asking.event.set()
        after = await until_generation(app, 2)
        await watcher.stop()

    assert after == "US"


@pytest.mark.asyncio
async def test_nothing_of_it_is_left_after_a_stop(tmp_path: Path) -> None:
    """No task, and a change is not seen any more."""
    path = tmp_path / "oneiric.toml"
    path.write_text(region("EU"))
    app = shop(tmp_path)
    async with app:
        before = len(asyncio.all_tasks())
        watcher = Watcher(app)
        watcher.start()
        path.write_text(region("US"))
        await until_generation(app, 2)
        await watcher.stop()
        await app.swaps.drained()
        await app.settled()
        after = len(asyncio.all_tasks())

    assert (before, after) == (after, before)


class Quick(MemoryStorage):
    """A storage under a name of the test."""


class Hanging(MemoryStorage):
    """One that never is open."""

    is_opening = False

    async def open(self) -> None:
        """Wait for ever."""
        Hanging.is_opening = True
        await asyncio.Event().wait()


@pytest.mark.asyncio
async def test_a_stop_gives_up_a_reload_that_hangs(tmp_path: Path) -> None:
    """What serves has not changed, and the application stops as ever."""
    path = tmp_path / "oneiric.toml"
    path.write_text('[select]\nstorage = "memory"\n')
    rows = [Row("storage", "hanging", f"{__name__}:Hanging"), Row("storage", "memory", f"{__name__}:Quick")]
    app = Application("shop", catalog=Catalog(rows=rows, third_party=False), inputs=Inputs(environ={}, folder=tmp_path))
    async with watched(app):
        await app.wiring.abuild(app.slot("storage"))
        path.write_text('[select]\nstorage = "hanging"\n')
        await until(lambda: Hanging.is_opening, "the opening")

    assert [one.number for one in app.generations] == [1]
