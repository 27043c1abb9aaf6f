"""The manifest of the build: where it is found, what refuses it, and how it is written."""

from __future__ import annotations

import errno
import os
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from oneiric.core.errors import ConfigNotFound, InlineDigestMismatch, InvalidManifest
from oneiric.core.manifest import Manifest, pack
from oneiric.core.origins import CodeOrigin, EnvOrigin
from oneiric.core.sources import Said, Tables
from oneiric.remote.inline import DIGEST_FILE, Inline, read_inline, write_inline

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
FILE = "oneiric.manifest.json"
NAMED_BY = EnvOrigin("ONEIRIC_MANIFEST")


def packed(adapter: str = "redis", expires: datetime | None = None) -> Manifest:
    """Pack a manifest that selects one adapter."""
    tables = Tables(select={"cache": Said(adapter, CodeOrigin("shop.app:12"))})
    return pack(tables, name="orders", version="v41", issued=NOW, expires=expires)


def read(reference: str | None, folder: Path) -> Inline | None:
    """Read the manifest of the build under a short name."""
    return read_inline(reference, folder, NOW, origin=NAMED_BY)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path, for packages that fail when they are run."""
    folder = tmp_path / "site"
    package = folder / "oneiric_test_shop" / "deploy"
    package.mkdir(parents=True)
    for init in (package / "__init__.py", package.parent / "__init__.py"):
        init.write_text("raise RuntimeError('this package was run')")
    write_inline(packed("redis"), package.parent)
    write_inline(packed("valkey"), package)
    (folder / "oneiric_test_alone.py").write_text("raise RuntimeError('this module was run')")
    (folder / "oneiric_test_plain").mkdir()
    write_inline(packed("memory"), folder / "oneiric_test_plain")
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    assert not {name for name in set(sys.modules) - before if name.startswith("oneiric_test_")}


def test_the_manifest_of_the_folder_is_found(tmp_path: Path) -> None:
    """Nobody has to name the one that the build put there."""
    write_inline(packed(), tmp_path)

    found = read(None, tmp_path)

    assert found == (packed(), FILE, str(tmp_path / FILE))


def test_a_folder_without_a_manifest_has_none(tmp_path: Path) -> None:
    """A manifest is no duty."""
    assert read(None, tmp_path) is None


def test_a_path_is_relative_to_the_folder_and_shown_as_given(tmp_path: Path) -> None:
    """The file may have any name; its digest stands in the same folder under the usual one."""
    (tmp_path / "build").mkdir()
    write_inline(packed(), tmp_path / "build")
    (tmp_path / "build" / FILE).rename(tmp_path / "build" / "eu.json")

    found = read("build/eu.json", tmp_path)

    assert found == (packed(), "build/eu.json", str(tmp_path / "build" / "eu.json"))


def test_the_line_of_a_key_can_be_looked_up(tmp_path: Path) -> None:
    """Where it was read and how it is shown are told apart."""
    write_inline(packed(), tmp_path)
    found = read(None, tmp_path)
    assert found is not None

    said = found.manifest.tables("inline", found.path, found.place).select["cache"]

    assert f"{FILE}:8 from shop.app:12" in str(said.origin)


@pytest.mark.parametrize(
    ("name", "adapter"),
    [
        pytest.param("oneiric_test_shop", "redis", id="a package"),
        pytest.param("oneiric_test_shop.deploy", "valkey", id="a package in a package"),
        pytest.param("oneiric_test_plain", "memory", id="a folder without __init__"),
    ],
)
def test_a_package_is_read_without_being_run(packages: Path, name: str, adapter: str) -> None:
    """Its folder is looked up as an import would; neither its code nor that of the packages around it runs."""
    found = read(f"package:{name}", packages)

    assert found is not None
    assert found.manifest.select == {"cache": adapter}
    assert found.path == f"package:{name}/{FILE}"
    assert found.place == str(packages.joinpath(*name.split("."), FILE))


def test_a_package_in_an_archive_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no file then in which a line could be looked up."""
    archive = tmp_path / "site.zip"
    with zipfile.ZipFile(archive, "w") as packing:
        packing.writestr("oneiric_test_zipped/__init__.py", "raise RuntimeError('this package was run')")
        packing.writestr(f"oneiric_test_zipped/{FILE}", packed().text())
        packing.writestr(f"oneiric_test_zipped/{DIGEST_FILE}", f"{packed().digest}\n")
    monkeypatch.syspath_prepend(archive)

    found = read("package:oneiric_test_zipped", tmp_path)

    assert found == (packed(), f"package:oneiric_test_zipped/{FILE}", "")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        pytest.param("absent.json", "cannot read absent.json: there is no such file", id="a file that is absent"),
        pytest.param("site", "cannot read site: is a directory", id="a folder"),
        pytest.param("package:", "cannot read package:: there is no such package", id="no package"),
        pytest.param(
            "package:oneiric_test_absent",
            "cannot read package:oneiric_test_absent: there is no such package",
            id="a package that is absent",
        ),
        pytest.param(
            "package:../site", "cannot read package:../site: there is no such package", id="a path where a name stands"
        ),
        pytest.param(
            "package:oneiric_test_alone",
            "cannot read package:oneiric_test_alone: oneiric_test_alone is a module, and has no folder",
            id="a module",
        ),
        pytest.param(
            "package:oneiric_test_shop.absent",
            f"cannot read package:oneiric_test_shop.absent/{FILE}: there is no such file",
            id="a package without one",
        ),
    ],
)
def test_a_manifest_that_is_named_must_be_there(packages: Path, reference: str, message: str) -> None:
    """The error says who named it."""
    with pytest.raises(ConfigNotFound) as caught:
        read(reference, packages.parent)

    assert caught.value.message == message
    assert caught.value.origin == NAMED_BY


def test_a_module_that_was_made_and_not_imported_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the program itself: nothing is known about its folder."""
    monkeypatch.setitem(sys.modules, "oneiric_test_made", ModuleType("oneiric_test_made"))

    with pytest.raises(ConfigNotFound, match="there is no such package"):
        read("package:oneiric_test_made", tmp_path)


@pytest.mark.parametrize(
    ("digest", "why"),
    [
        pytest.param(None, f"{DIGEST_FILE} is not beside it", id="absent"),
        pytest.param(b"", f"{DIGEST_FILE} does not hold 64 hex digits", id="empty"),
        pytest.param(b"9C1E" * 16, f"{DIGEST_FILE} does not hold 64 hex digits", id="in capitals"),
        pytest.param(b"9c1e" * 16 + b"\n\n", f"{DIGEST_FILE} does not hold 64 hex digits", id="of two lines"),
        pytest.param(b"\xff" * 64, f"{DIGEST_FILE} does not hold 64 hex digits", id="of bytes"),
        pytest.param(b"9c1e" * 16 + b"\n", "its digest is not the one that was written beside it", id="another one"),
    ],
)
def test_the_digest_beside_a_manifest_must_be_its_own(tmp_path: Path, digest: bytes | None, why: str) -> None:
    """Without it nobody can tell the manifest of the build from another one."""
    write_inline(packed(), tmp_path)
    (tmp_path / DIGEST_FILE).unlink()
    if digest is not None:
        (tmp_path / DIGEST_FILE).write_bytes(digest)

    with pytest.raises(InlineDigestMismatch) as caught:
        read(None, tmp_path)

    assert caught.value.message.startswith(f"{FILE}: {why}")


def test_a_digest_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    """As every file that cannot be read."""
    write_inline(packed(), tmp_path)
    (tmp_path / DIGEST_FILE).unlink()
    (tmp_path / DIGEST_FILE).mkdir()

    with pytest.raises(InlineDigestMismatch, match=rf"{DIGEST_FILE} cannot be read: is a directory"):
        read(None, tmp_path)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["no line end", "a line end", "that of Windows"])
def test_the_line_end_of_a_digest_does_not_matter(tmp_path: Path, end: str) -> None:
    """Tools that copy text change it."""
    write_inline(packed(), tmp_path)
    (tmp_path / DIGEST_FILE).write_bytes(f"{packed().digest}{end}".encode())

    assert read(None, tmp_path) is not None


def test_an_altered_manifest_is_refused_even_with_a_digest_of_its_own(tmp_path: Path) -> None:
    """Whoever alters it would have to alter the file beside it too."""
    write_inline(packed("redis"), tmp_path)
    (tmp_path / FILE).write_text(packed("memory").text())

    with pytest.raises(InlineDigestMismatch):
        read(None, tmp_path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param("{", "line 1, column 2 is no JSON", id="no JSON"),
        pytest.param(packed(expires=NOW).text(), "it expired at 2026-06-01T12:00:00Z", id="expired"),
        pytest.param(" " * 1_048_577, "it is over 1048576 bytes", id="more than 1 MiB"),
    ],
)
def test_a_manifest_that_cannot_be_taken_is_refused(tmp_path: Path, content: str, why: str) -> None:
    """With its digest beside it, so that only the manifest is at fault."""
    write_inline(packed(expires=NOW), tmp_path)
    (tmp_path / FILE).write_text(content)

    with pytest.raises(InvalidManifest) as caught:
        read(None, tmp_path)

    assert caught.value.message.startswith(f"{FILE}: {why}")


def test_writing_leaves_two_files_that_everybody_may_read(tmp_path: Path) -> None:
    """A deployment runs as another user than the build; nothing else is left behind."""
    umask = os.umask(0o022)
    try:
        write_inline(packed(), tmp_path)
    finally:
        os.umask(umask)

    assert sorted(os.listdir(tmp_path)) == [FILE, DIGEST_FILE]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}
    assert (tmp_path / FILE).read_bytes() == packed().text().encode()
    assert (tmp_path / DIGEST_FILE).read_bytes() == f"{packed().digest}\n".encode()


def test_writing_replaces_what_was_there(tmp_path: Path) -> None:
    """A second build counts."""
    write_inline(packed("redis"), tmp_path)
    write_inline(packed("memory"), tmp_path)

    found = read(None, tmp_path)

    assert found is not None
    assert found.manifest.select == {"cache": "memory"}


def test_a_write_that_fails_leaves_nothing_half_done(tmp_path: Path) -> None:
    """The old pair does not match any more then, and no temporary file is left."""
    write_inline(packed("redis"), tmp_path)
    (tmp_path / DIGEST_FILE).unlink()
    (tmp_path / DIGEST_FILE).mkdir()  # a file cannot take the place of a folder

    with pytest.raises(OSError) as caught:
        write_inline(packed("memory"), tmp_path)

    assert caught.value.errno == errno.EISDIR
    assert sorted(os.listdir(tmp_path)) == [FILE, DIGEST_FILE]
    assert (tmp_path / FILE).read_text() == packed("memory").text()
    with pytest.raises(InlineDigestMismatch):
        read(None, tmp_path)


def test_a_folder_that_is_absent_is_not_made(tmp_path: Path) -> None:
    """A typing error in its name does not make a second one."""
    with pytest.raises(FileNotFoundError):
        write_inline(packed(), tmp_path / "biuld")

    assert list(tmp_path.iterdir()) == []
