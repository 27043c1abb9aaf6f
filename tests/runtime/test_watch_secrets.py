"""The watcher and the folder of secrets: a rotated one is swapped in, one that is gone keeps its value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oneiric import Application
from oneiric.runtime.watch import Watcher
from tests.runtime.watching import ORDER, shop, take, until, until_generation, watched

GONE = "the file of a secret is gone, its value stays"


def secret(folder: Path, value: str, name: str = "shop-token") -> None:
    """Put the file of a secret in place."""
    beside = folder / ".new"
    beside.touch(mode=0o600)
    beside.write_text(value)
    os.replace(beside, folder / name)


def secretive(folder: Path) -> Application:
    """Return the shop with its secrets in the folder `secrets`."""
    (folder / "oneiric.toml").write_text(
        f'[select]\nsecrets = "file"\n[settings]\nsecrets.file.folder = "{folder}/secrets"\nshop.region = "EU"\n'
    )
    return shop(folder)


async def token() -> str:
    """Return the secret that a call is given."""
    return (await take(ORDER)).token.get_secret_value()


@pytest.mark.asyncio
async def test_a_rotated_secret_is_swapped_in(tmp_path: Path) -> None:
    """Its file is another one: what was built with the old value is built again."""
    (tmp_path / "secrets").mkdir(mode=0o700)
    secret(tmp_path / "secrets", "one")
    app = secretive(tmp_path)
    async with watched(app) as told:
        before = await token()
        secret(tmp_path / "secrets", "two-two-two")
        await until_generation(app, 2)
        after = await token()

    assert (before, after) == ("one", "two-two-two")
    assert "two-two-two" not in told.getvalue()


@pytest.mark.asyncio
async def test_a_secret_that_comes_later_is_swapped_in(tmp_path: Path) -> None:
    """Until then the next layer answers."""
    (tmp_path / "secrets").mkdir(mode=0o700)
    app = secretive(tmp_path)
    async with watched(app):
        before = await token()
        secret(tmp_path / "secrets", "made")
        await until_generation(app, 2)
        after = await token()

    assert (before, after) == ("of the code", "made")


@pytest.mark.asyncio
async def test_a_secret_that_is_deleted_keeps_its_value(tmp_path: Path) -> None:
    """It is told; the one that comes in its place is used."""
    (tmp_path / "secrets").mkdir(mode=0o700)
    secret(tmp_path / "secrets", "one")
    app = secretive(tmp_path)
    async with watched(app) as told:
        (tmp_path / "secrets" / "shop-token").unlink()
        await until(lambda: GONE in told.getvalue(), "the warning")
        kept, generation = await token(), app.generation
        secret(tmp_path / "secrets", "two")
        await until_generation(app, 2)
        after = await token()

    assert (kept, generation, after) == ("one", 1, "two")


@pytest.mark.asyncio
async def test_mounted_secrets_are_switched_at_once(tmp_path: Path) -> None:
    """As Kubernetes does it: the link `..data` leads to another folder."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    for name, value in (("..1", "one"), ("..2", "two")):
        (folder / name).mkdir(mode=0o700)
        secret(folder / name, value)
    (folder / "..data").symlink_to("..1")
    (folder / "shop-token").symlink_to("..data/shop-token")
    app = secretive(tmp_path)
    async with watched(app):
        (folder / "..data_tmp").symlink_to("..2")
        os.replace(folder / "..data_tmp", folder / "..data")
        await until_generation(app, 2)
        after = await token()

    assert after == "two"


@pytest.mark.asyncio
async def test_a_file_and_a_secret_are_one_swap(tmp_path: Path) -> None:
    """Changed together, they are seen together."""
    (tmp_path / "secrets").mkdir(mode=0o700)
    secret(tmp_path / "secrets", "one")
    app = secretive(tmp_path)
    async with app:
        watcher = Watcher(app, is_watching=False)
        watcher.start()
        secret(tmp_path / "secrets", "two")
        text = (tmp_path / "oneiric.toml").read_text()
        (tmp_path / "oneiric.toml").write_text(text.replace("EU", "US"))
        await watcher.look()
        after = await take(ORDER)
        await watcher.stop()

    assert (app.generation, after.region, after.token.get_secret_value()) == (2, "US", "two")
