"""The storage in a folder keeps the contract, stays inside its folder, and survives a kill."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from oneiric.adapters.storage.local import RESERVED, LocalStorage, _Files
from oneiric.core.errors import BadReply, Conflict, Denied, InvalidInput, NotFound, Unavailable
from oneiric.testing.contracts import Backend
from oneiric.testing.contracts.storage import StorageContract, keys, read

KILLED = """
import asyncio, sys
from oneiric.adapters.storage.local import LocalStorage

async def body():
    yield b"new" * 100_000
    print("written", flush=True)
    await asyncio.Event().wait()

async def main():
    storage = LocalStorage(LocalStorage.Settings(root=sys.argv[1]))
    await storage.open()
    await storage.put("a", body(), content_type="text/new")

asyncio.run(main())
"""
LINKED: list[Any] = [  # pytest's ParameterSet is not public
    pytest.param(lambda storage, key: storage.put(key, b"x"), id="put"),
    pytest.param(lambda storage, key: storage.get(key), id="get"),
    pytest.param(lambda storage, key: read(storage, key), id="stream"),
    pytest.param(lambda storage, key: storage.head(key), id="head"),
    pytest.param(lambda storage, key: storage.copy(key, "copied"), id="copy from"),
    pytest.param(lambda storage, key: storage.copy("fine", key), id="copy to"),
    pytest.param(lambda storage, key: storage.delete(key), id="delete"),
]


class TestLocalStorage(StorageContract):
    """The suite of the category."""

    adapter: ClassVar[type[LocalStorage]] = LocalStorage

    def settings(self, backend: Backend) -> dict[str, object]:
        """Work in the test's own folder, below one that is not there yet."""
        return {"root": str(backend.folder / "new" / "root")}

    def spoil(self, backend: Backend) -> Callable[[], None]:
        """Put a file where the folder should be."""
        place = backend.folder / "new"
        place.write_bytes(b"")
        return place.unlink


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the storage under test."""
    return tmp_path / "root"


@pytest_asyncio.fixture
async def storage(root: Path) -> AsyncIterator[LocalStorage]:
    """An open storage in that folder."""
    made = LocalStorage(LocalStorage.Settings(root=str(root)))
    await made.open()
    yield made
    await made.close()


def left_over(root: Path) -> list[str]:
    """Return the names of temporary files."""
    return os.listdir(root / RESERVED / "incoming")


@pytest.mark.asyncio
async def test_an_object_is_a_file_under_its_key(storage: LocalStorage, root: Path) -> None:
    """Whoever looks into the folder finds the objects by their names."""
    await storage.put("reports/2024.csv", b"a,b", content_type="text/csv")

    assert (root / "reports" / "2024.csv").read_bytes() == b"a,b"


@pytest.mark.asyncio
async def test_a_file_put_there_by_hand_is_an_object(storage: LocalStorage, root: Path) -> None:
    """It has no content type and no metadata, also where it takes the place of an object that had."""
    await storage.put("a", b"ours", content_type="text/plain", metadata={"a": "1"})
    (root / "a").write_bytes(b"by hand")

    head = await storage.head("a")

    assert head is not None
    assert (head.size_bytes, head.content_type, head.metadata) == (7, None, {})
    assert await storage.get("a") == b"by hand"


@pytest.mark.asyncio
@pytest.mark.parametrize("link", ["link/secret", "deep/link/secret", "link", "secret"])
@pytest.mark.parametrize("call", LINKED)
async def test_no_link_leads_out_of_the_folder(
    storage: LocalStorage, root: Path, tmp_path: Path, call: Any, link: str
) -> None:
    """A key that a symbolic link is part of, as a folder or as the file itself, is denied; outside nothing changes."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "deep").mkdir()
    (root / "link").symlink_to(outside)
    (root / "deep" / "link").symlink_to(outside)
    (root / "secret").symlink_to(outside / "secret")
    await storage.put("fine", b"fine")

    with pytest.raises(Denied, match="symbolic link"):
        await call(storage, link)

    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"secret": b"secret"}
    assert await keys(storage) == ["fine"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "key",
    [
        pytest.param("../outside", id="up"),
        pytest.param("a/../../outside", id="down and up"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("..\\outside", id="up, as Windows writes it"),
        pytest.param("a\0/../outside", id="behind a NUL"),
        pytest.param(f"{RESERVED}/lock", id="the adapter's own folder"),
    ],
)
async def test_no_key_leads_out_of_the_folder(storage: LocalStorage, tmp_path: Path, key: str) -> None:
    """A key that would reach another folder is refused before the disk is touched."""
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(InvalidInput):
        await storage.put(key, b"x")
    with pytest.raises(InvalidInput):
        await storage.get(key)

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("there", "key"),
    [
        pytest.param("a", "a/b", id="below an object"),
        pytest.param("a", "a/b/c", id="far below an object"),
        pytest.param("a/b", "a", id="where objects lie below"),
    ],
)
async def test_a_key_is_an_object_or_a_folder(storage: LocalStorage, there: str, key: str) -> None:
    """One path cannot be both: to put is a conflict, to look finds nothing; when the other is gone, it works."""
    await storage.put(there, b"x")

    with pytest.raises(Conflict):
        await storage.put(key, b"y")
    with pytest.raises(NotFound):
        await storage.get(key)
    assert await storage.head(key) is None
    await storage.delete(key)
    assert await keys(storage) == [there]
    await storage.delete(there)
    await storage.put(key, b"y")

    assert await keys(storage) == [key]


@pytest.mark.asyncio
async def test_folders_without_an_object_give_way(storage: LocalStorage, root: Path) -> None:
    """Empty folders, which a kill may leave, do not take a key away; they are no objects either."""
    (root / "a" / "b" / "c").mkdir(parents=True)
    (root / "a" / "d").mkdir()

    assert await keys(storage) == []
    await storage.put("a", b"x")

    assert await keys(storage) == ["a"]


@pytest.mark.asyncio
async def test_a_segment_longer_than_a_file_name_is_refused(storage: LocalStorage) -> None:
    """The file system's limit is invalid-input for a put, and such an object is absent for the rest."""
    key = f"a/{'k' * 300}"

    with pytest.raises(InvalidInput, match="segment"):
        await storage.put(key, b"x")

    assert await storage.head(key) is None
    await storage.delete(key)


@pytest.mark.asyncio
async def test_strange_files_are_not_listed(storage: LocalStorage, root: Path) -> None:
    """Links, pipes and names that are no key are left out, and a pipe cannot hold a reader up."""
    await storage.put("a", b"x", metadata={"a": "1"})
    (root / "link").symlink_to(root / "a")
    (root / "back\\slash").write_bytes(b"x")
    os.mkfifo(root / "pipe")
    with open(os.fsencode(root) + b"/\xff", "wb"):
        pass

    assert await keys(storage) == ["a"]
    with pytest.raises(NotFound):
        await storage.get("pipe")


@pytest.mark.asyncio
async def test_long_lists_come_in_several_looks(storage: LocalStorage, root: Path) -> None:
    """A list is read in batches and has every object once."""
    for number in range(250):
        (root / f"{number:03}").write_bytes(b"")

    assert await keys(storage) == [f"{number:03}" for number in range(250)]


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["raises", "is cancelled"])
async def test_a_put_that_ends_early_leaves_no_file(storage: LocalStorage, root: Path, how: str) -> None:
    """The temporary file goes with its put, and the folders of the key were not made."""
    reached, never = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 200_000
        assert len(left_over(root)) == 1
        reached.set()
        if how == "raises":
            raise ConnectionResetError("the sender went away")
        await never.wait()

    putting = asyncio.create_task(storage.put("a/b", body(), metadata={"a": "1"}))
    await reached.wait()
    if how == "is cancelled":
        putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)

    assert left_over(root) == []
    assert sorted(os.listdir(root)) == [RESERVED]


@pytest.mark.asyncio
@pytest.mark.parametrize("steps", range(0, 40, 2))
async def test_wherever_a_put_is_cancelled_the_object_is_whole(root: Path, storage: LocalStorage, steps: int) -> None:
    """After a cancelled put the object is the old one or the new one with its own metadata, and nothing is left."""
    await storage.put("a", b"old", metadata={"is": "old"})
    putting = asyncio.create_task(storage.put("a", b"new", metadata={"is": "new"}))
    for _ in range(steps):
        await asyncio.sleep(0)
    was_running = putting.cancel()
    await asyncio.wait([putting])

    assert putting.cancelled() is was_running
    head = await storage.head("a")
    assert head is not None
    assert (await storage.get("a")).decode() == head.metadata["is"]
    assert left_over(root) == []


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_killed_put_leaves_the_old_object(storage: LocalStorage, root: Path) -> None:
    """A process that dies in the middle of a body changes nothing, and the next open clears its traces away."""
    await storage.put("a", b"old", content_type="text/old")
    with subprocess.Popen([sys.executable, "-c", KILLED, str(root)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.kill()

    assert len(left_over(root)) == 1
    assert [(one.key, one.content_type) async for one in storage.list()] == [("a", "text/old")]
    assert await storage.get("a") == b"old"
    await storage.close()
    await storage.open()
    assert left_over(root) == []


@pytest.mark.asyncio
async def test_opening_spares_the_puts_of_others(storage: LocalStorage, root: Path) -> None:
    """An adapter that opens a folder in which another one writes does not take its temporary file away."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        reached.set()
        await go_on.wait()
        yield b"two"

    putting = asyncio.create_task(storage.put("a", body()))
    await reached.wait()
    other = LocalStorage(LocalStorage.Settings(root=str(root)))
    await other.open()
    go_on.set()
    await putting

    assert await other.get("a") == b"onetwo"
    await other.close()


@pytest.mark.asyncio
async def test_a_put_waits_for_the_change_of_another_process(storage: LocalStorage, root: Path) -> None:
    """Whoever looks whether a key is free and takes it holds a lock, so that nobody comes between the two."""
    await storage.put("b", b"x")
    with open(root / RESERVED / "change", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        putting = asyncio.create_task(storage.put("a", b"ours", if_absent=True))
        done, _ = await asyncio.wait([putting], timeout=0.2)
        (root / "a").write_bytes(b"theirs")

    assert done == set()
    with pytest.raises(Conflict):
        await putting
    assert await storage.get("a") == b"theirs"


@pytest.mark.asyncio
async def test_a_look_never_joins_two_versions(storage: LocalStorage, root: Path) -> None:
    """When an object is replaced between the look at its file and the one at its details, the look begins again."""
    await storage.put("a", b"old", metadata={"is": "old"})
    looked_at = (root / "a").stat()
    await storage.put("a", b"new", metadata={"is": "new"})

    files = _Files(str(root))

    assert files.describe("a", looked_at) is None
    assert files.head("a").metadata == {"is": "new"}


@pytest.mark.asyncio
async def test_the_details_of_old_versions_go(storage: LocalStorage, root: Path) -> None:
    """Beside the bodies lies one file for each object that has a content type or metadata, and no more."""
    for number in range(3):
        await storage.put("a", b"x", metadata={"n": str(number)})
        await storage.put("b", b"x", metadata={"n": str(number)})
    await storage.put("b", b"x")
    await storage.put("c", b"x", content_type="text/plain")
    await storage.delete("c")

    assert len(os.listdir(root / RESERVED / "details")) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("text", [pytest.param(b"{", id="cut"), pytest.param(b"7", id="no object of JSON")])
async def test_damaged_details_are_reported(storage: LocalStorage, root: Path, text: bytes) -> None:
    """Details that cannot be read are a bad-reply, not an object without details; the body can still be had."""
    await storage.put("a", b"x", metadata={"a": "1"})
    (details,) = (root / RESERVED / "details").iterdir()
    details.write_bytes(text)

    with pytest.raises(BadReply, match="damaged"):
        await storage.head("a")
    assert await storage.get("a") == b"x"


@pytest.mark.asyncio
async def test_a_folder_that_is_gone_is_unavailable_until_it_is_back(storage: LocalStorage, root: Path) -> None:
    """A root that vanished is not an empty storage; when it is there again, all works without a new open."""
    await storage.put("a", b"x")
    away = root.with_name("away")
    root.rename(away)

    for call in (storage.get("a"), storage.head("a"), storage.put("b", b"x"), keys(storage), storage.delete("a")):
        with pytest.raises(Unavailable):
            await call
    assert not (await storage.health()).ok
    away.rename(root)

    assert await storage.get("a") == b"x"
    assert (await storage.health()).ok


@pytest.mark.asyncio
async def test_a_relative_root_is_fixed_at_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that changes its working folder keeps its objects."""
    monkeypatch.chdir(tmp_path)
    storage = LocalStorage(LocalStorage.Settings())
    await storage.open()
    monkeypatch.chdir("/")

    await storage.put("a", b"x")

    assert (tmp_path / ".oneiric" / "storage" / "a").read_bytes() == b"x"
    await storage.close()


@pytest.mark.slow
@given(
    st.dictionaries(
        st.lists(
            st.text(
                st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=9
            ).filter(lambda text: text not in {".", ".."}),
            min_size=1,
            max_size=3,
        ).map("/".join),
        st.binary(max_size=20),
        max_size=5,
    )
)
def test_any_keys_come_back_in_their_order(tmp_path_factory: pytest.TempPathFactory, objects: dict[str, bytes]) -> None:
    """What was put under whatever keys is listed in order and read back, but for keys that others make a folder."""

    async def stored() -> tuple[list[str], dict[str, bytes]]:
        storage = LocalStorage(LocalStorage.Settings(root=str(tmp_path_factory.mktemp("root"))))
        await storage.open()
        kept = {}
        for key, body in objects.items():
            try:
                await storage.put(key, body)
            except Conflict:
                continue
            kept[key] = body
        listed = await keys(storage)
        assert {key: await storage.get(key) for key in listed} == kept
        await storage.close()
        return listed, kept

    listed, kept = asyncio.run(stored())

    assert listed == sorted(kept)
    assert all(
        any(key.startswith(f"{k}/") or k.startswith(f"{key}/") for k in kept) for key in objects.keys() - kept.keys()
    )
