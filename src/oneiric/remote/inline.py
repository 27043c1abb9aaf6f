"""The manifest that is packed in the build: found, held to the digest beside it, and written."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.core.document import MAX_BYTES
from oneiric.core.errors import ConfigNotFound, InlineDigestMismatch
from oneiric.core.manifest import MANIFEST_FILE, Manifest, read_manifest
from oneiric.core.origins import Origin
from oneiric.core.sources import unreadable

DIGEST_FILE = "oneiric.manifest.sha256"
PACKAGE = "package:"
_DIGEST_LINE = rb"([0-9a-f]{64})\r?\n?"

_Folder = Any  # a Path, or a Traversable of importlib.resources: what both can do is join and open


class Inline(NamedTuple):
    """The manifest of the build; `path` is how a person names it, `place` where its lines can be read, if anywhere."""

    manifest: Manifest
    path: str
    place: str


def read_inline(reference: str | None, folder: Path, now: datetime, *, origin: Origin | None = None) -> Inline | None:
    """
    Read the manifest of the build; None if nobody names one and the folder has none.

    Args:
        reference: A path, or `package:NAME` for `oneiric.manifest.json` in the folder of an import package, no code of
            which runs; None looks for that file in `folder`.
        folder: What a path is relative to.
        now: The time, with its zone.
        origin: Who named it, for the error.

    Raises:
        ConfigNotFound: The one that is named cannot be read.
        InlineDigestMismatch: The digest is not beside it, or belongs to other content.
        InvalidManifest: It is no manifest, or has expired.
    """
    if reference is None:
        within, name, path = folder, MANIFEST_FILE, MANIFEST_FILE
        if not (folder / MANIFEST_FILE).is_file():
            return None
    elif reference.startswith(PACKAGE):
        within, name, path = _folder_of(reference, origin), MANIFEST_FILE, f"{reference}/{MANIFEST_FILE}"
    else:
        within, name, path = (folder / reference).parent, Path(reference).name, reference
    try:
        content = _read(within, name)
    except OSError as error:
        raise ConfigNotFound(path, why=unreadable(error), origin=origin) from None
    manifest = read_manifest(content, path=path, now=now, sealed=_digest_beside(within, path))
    file = within.joinpath(name)
    return Inline(manifest, path, str(file) if isinstance(file, Path) else "")


def inline_files(reference: str | None, folder: Path) -> tuple[Path, ...]:
    """Return the files that `read_inline` reads, as far as they can change while a process runs: none of a package."""
    if reference is not None and reference.startswith(PACKAGE):
        return ()
    path = folder / (reference or MANIFEST_FILE)
    return path, path.parent / DIGEST_FILE


def write_inline(manifest: Manifest, folder: Path) -> None:
    """
    Write the manifest and its digest into the folder of a build.

    Each file appears whole, the digest last: whoever reads in between is refused, and never gets half of both.

    Raises:
        OSError: The folder is not there, or cannot be written to.
    """
    _replace(folder / MANIFEST_FILE, manifest.text())
    _replace(folder / DIGEST_FILE, f"{manifest.digest}\n")


def _folder_of(reference: str, origin: Origin | None) -> _Folder:
    """Return the folder of an import package, also of one in an archive; neither it nor a package around it is run."""
    from importlib.resources import files  # takes longer to load than everything else here; most builds name no package

    name, *inner = segments = reference.removeprefix(PACKAGE).split(".")
    try:
        spec = importlib.util.find_spec(name) if all(map(str.isidentifier, segments)) else None
    except (ImportError, ValueError):  # ValueError: a module that was run, and never imported
        spec = None
    if spec is None:
        raise ConfigNotFound(reference, why="there is no such package", origin=origin)
    if spec.submodule_search_locations is None:
        raise ConfigNotFound(reference, why=f"{name} is a module, and has no folder", origin=origin)
    found: _Folder = files(importlib.util.module_from_spec(spec))
    for part in inner:
        found = found.joinpath(part)
    return found


def _digest_beside(folder: _Folder, path: str) -> str:
    try:
        line = re.fullmatch(_DIGEST_LINE, _read(folder, DIGEST_FILE))
    except OSError as error:
        why = "is not beside it" if isinstance(error, FileNotFoundError) else f"cannot be read: {unreadable(error)}"
        raise InlineDigestMismatch(path, why=f"{DIGEST_FILE} {why}") from None
    if line is None:
        raise InlineDigestMismatch(path, why=f"{DIGEST_FILE} does not hold 64 hex digits")
    return line[1].decode()


def _read(folder: _Folder, name: str) -> bytes:
    with folder.joinpath(name).open("rb") as file:
        return bytes(file.read(MAX_BYTES + 1))  # one more than is taken, so that it is refused and not cut off


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
