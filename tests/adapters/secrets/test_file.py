"""Secrets in files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretBytes

from oneiric.adapters.secrets.file import FileSecrets
from oneiric.core.errors import Denied, InvalidInput, NotFound, Unavailable
from oneiric.testing.contracts.backend import Backend
from oneiric.testing.contracts.secrets import SecretsContract


class TestFileSecrets(SecretsContract):
    adapter = FileSecrets
    capabilities = frozenset({"write"})

    def settings(self, backend: Backend) -> dict[str, object]:
        return {"folder": str(backend.folder / "secrets")}

    def place(self, backend: Backend, name: str, value: bytes) -> None:
        write(backend.folder / "secrets" / name, value)

    def spoil(self, backend: Backend) -> Callable[[], None]:
        folder, away = backend.folder / "secrets", backend.folder / "away"
        folder.rename(away)

        def repair() -> None:
            away.rename(folder)

        return repair


def write(path: Path, value: bytes = b"value", mode: int = 0o600) -> Path:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(value)
    path.chmod(mode)
    return path


async def opened(folder: Path, *, is_read_only: bool = False, **settings: object) -> FileSecrets:
    given = FileSecrets.Settings.model_validate({"folder": str(folder), **settings})
    adapter = FileSecrets(given, is_read_only=lambda descriptor: is_read_only)
    await adapter.open()
    return adapter


@pytest.mark.parametrize(
    ("mode", "is_read_only", "is_read"),
    [
        pytest.param(0o400, False, True, id="systemd's 0400"),
        pytest.param(0o440, False, True, id="systemd's 0440"),
        pytest.param(0o600, False, True, id="one's own 0600"),
        pytest.param(0o640, False, True, id="0640 for a group"),
        pytest.param(0o444, False, False, id="0444 on a disk"),
        pytest.param(0o644, False, False, id="0644 on a disk"),
        pytest.param(0o444, True, True, id="Docker's 0444 on a read-only mount"),
        pytest.param(0o644, True, True, id="Kubernetes' 0644 on a read-only mount"),
        pytest.param(0o620, False, False, id="written by a group"),
        pytest.param(0o602, False, False, id="written by everybody"),
        pytest.param(0o666, True, False, id="written by everybody on a read-only mount"),
    ],
)
@pytest.mark.asyncio
async def test_the_mode_of_a_file_decides(tmp_path: Path, mode: int, is_read_only: bool, is_read: bool) -> None:
    """Others never write a secret, and read it only where the whole mount is read-only."""
    write(tmp_path / "name", b"canary", mode)
    adapter = await opened(tmp_path, is_read_only=is_read_only)

    if is_read:
        assert (await adapter.get("name")).value.get_secret_value() == b"canary"
        return
    with pytest.raises(Denied) as caught:
        await adapter.get("name")
    with pytest.raises(Denied):
        await adapter.version("name")
    assert "fix: chmod 600 name" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "is_read_only", "is_opened"),
    [
        pytest.param(0o700, False, True, id="one's own"),
        pytest.param(0o755, False, True, id="seen by others"),
        pytest.param(0o770, False, False, id="changed by a group"),
        pytest.param(0o777, False, False, id="changed by everybody"),
        pytest.param(0o1777, True, True, id="Kubernetes' 1777 on a read-only mount"),
    ],
)
@pytest.mark.asyncio
async def test_the_mode_of_the_folder_decides(tmp_path: Path, mode: int, is_read_only: bool, is_opened: bool) -> None:
    """A folder in which others may exchange files is refused at open, with what to do about it."""
    folder = tmp_path / "secrets"
    write(folder / "name")
    folder.chmod(mode)

    if is_opened:
        adapter = await opened(folder, is_read_only=is_read_only)
        assert (await adapter.health()).ok
        return
    with pytest.raises(Denied, match="chmod 700"):
        await opened(folder, is_read_only=is_read_only)


@pytest.mark.parametrize(
    ("content", "strip", "value"),
    [
        pytest.param(b"a\n", True, b"a", id="the line end of an editor goes"),
        pytest.param(b"a\r\n", True, b"a", id="that of another system too"),
        pytest.param(b"a\n\n", True, b"a\n", id="one only"),
        pytest.param(b"a ", True, b"a ", id="blanks stay"),
        pytest.param(b"", True, b"", id="an empty file is an empty value"),
        pytest.param(b"a\n", False, b"a\n", id="nothing goes if the settings say so"),
    ],
)
@pytest.mark.asyncio
async def test_one_line_end_is_no_part_of_the_secret(tmp_path: Path, content: bytes, strip: bool, value: bytes) -> None:
    """At most one line end is taken off, unless strip_newline is false."""
    write(tmp_path / "name", content)
    adapter = await opened(tmp_path, strip_newline=strip)

    assert (await adapter.get("name")).value.get_secret_value() == value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"a", id="plain"),
        pytest.param(b"a\n", id="a line end"),
        pytest.param(b"a\r\n", id="two characters of line end"),
        pytest.param(b"", id="empty"),
        pytest.param(bytes(range(256)), id="all bytes"),
    ],
)
@pytest.mark.asyncio
async def test_what_was_written_is_read(tmp_path: Path, value: bytes) -> None:
    """put and get are inverse, for values that end in a line end too; the file is for its owner only."""
    adapter = await opened(tmp_path)

    version = await adapter.put("name", SecretBytes(value))

    assert (await adapter.get("name", version=version)).value.get_secret_value() == value
    assert (tmp_path / "name").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["name"]


@pytest.mark.asyncio
async def test_a_written_value_has_a_new_version(tmp_path: Path) -> None:
    """After put, the version that was read before is not-found."""
    adapter = await opened(tmp_path)
    old = await adapter.put("name", SecretBytes(b"old"))

    new = await adapter.put("name", SecretBytes(b"new"))

    assert old != new
    with pytest.raises(NotFound):
        await adapter.get("name", version=old)


@pytest.mark.asyncio
async def test_the_links_of_kubernetes_are_followed(tmp_path: Path) -> None:
    """A link to a link to a file below the folder is that file; exchanging `..data` changes the value."""
    for number in (b"1", b"2"):
        write(tmp_path / f"..{number.decode()}" / "name", number)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "name").symlink_to("..data/name")
    adapter = await opened(tmp_path)
    first = await adapter.get("name")

    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    second = await adapter.get("name")

    assert (first.value.get_secret_value(), second.value.get_secret_value()) == (b"1", b"2")
    assert first.version != second.version


@pytest.mark.asyncio
async def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    """It is denied, also to a folder whose name begins alike."""
    folder = tmp_path / "secrets"
    write(folder / "inside")
    write(tmp_path / "secrets-of-others" / "name", b"canary")
    (folder / "name").symlink_to("../secrets-of-others/name")
    adapter = await opened(folder)

    with pytest.raises(Denied, match="link to a file outside"):
        await adapter.get("name")


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("folder", id="a folder"),
        pytest.param("pipe", id="a named pipe nobody writes to"),
        pytest.param("loop", id="a link to itself"),
        pytest.param("long", id="a file over the limit"),
    ],
)
@pytest.mark.asyncio
async def test_what_is_no_ordinary_small_file_is_refused(tmp_path: Path, kind: str) -> None:
    """It is denied, and nothing waits for it."""
    match kind:
        case "folder":
            (tmp_path / "name").mkdir(mode=0o700)
        case "pipe":
            os.mkfifo(tmp_path / "name", 0o600)
        case "loop":
            (tmp_path / "name").symlink_to("name")
        case "long":
            write(tmp_path / "name", b"x" * 11)
    adapter = await opened(tmp_path, max_bytes=10)

    with pytest.raises(Denied):
        await adapter.get("name")


@pytest.mark.asyncio
async def test_a_value_over_the_limit_is_not_written(tmp_path: Path) -> None:
    """It is invalid-input, and no file is left."""
    adapter = await opened(tmp_path, max_bytes=10)

    with pytest.raises(InvalidInput, match="longer than 10 bytes"):
        await adapter.put("name", SecretBytes(b"x" * 11))

    assert os.listdir(tmp_path) == []


@pytest.mark.asyncio
async def test_a_folder_that_went_away_is_no_absent_secret(tmp_path: Path) -> None:
    """Then get, version and put are unavailable, and health is not ok."""
    folder = tmp_path / "secrets"
    write(folder / "name")
    adapter = await opened(folder)
    folder.rename(tmp_path / "elsewhere")

    for call in (adapter.get("name"), adapter.version("name"), adapter.put("name", SecretBytes(b"canary"))):
        with pytest.raises(Unavailable):
            await call
    assert not (await adapter.health()).ok


@pytest.mark.parametrize(
    ("setting", "variable", "wanted"),
    [
        pytest.param("a", "b", "a", id="the setting wins"),
        pytest.param(None, "b", "b", id="systemd's credentials come next"),
    ],
)
@pytest.mark.asyncio
async def test_the_folder_is_found(tmp_path: Path, setting: str | None, variable: str, wanted: str) -> None:
    """The folder is the setting, else what CREDENTIALS_DIRECTORY names when the adapter opens."""
    for name in ("a", "b"):
        write(tmp_path / name / "name", name.encode())
    adapter = FileSecrets(
        FileSecrets.Settings(folder=setting and str(tmp_path / setting)),
        environ={"CREDENTIALS_DIRECTORY": str(tmp_path / variable)},
    )

    await adapter.open()

    assert (await adapter.get("name")).value.get_secret_value() == wanted.encode()
