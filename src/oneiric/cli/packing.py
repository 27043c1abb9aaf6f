"""What `oneiric manifest pack` answers: the manifest of a build, written beside its digest, or why it cannot be."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from oneiric.cli.answers import inputs_of
from oneiric.cli.failures import FAILED, blocks, refused
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.containers.graph import clean
from oneiric.containers.packing import Packing, pack_layers
from oneiric.core.errors import BadOption, InvalidApplication, InvalidValue
from oneiric.core.manifest import MANIFEST_FILE, Manifest
from oneiric.core.manifest import pack as pack_tables
from oneiric.core.origins import Origin
from oneiric.core.profiles import DEFAULT
from oneiric.core.sources import unreadable
from oneiric.remote.inline import DIGEST_FILE, write_inline
from oneiric.runtime.configuration import Inputs

COMMAND = "oneiric manifest pack"
UNVERSIONED = "unversioned"
NOTHING_SAID = Inputs(profile=DEFAULT.name, environ={}, folder=Path(os.devnull))  # no variable, no file, no manifest
# RFC 3339 section 5.6; the leap second is left out, which Python does not know
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})")


def pack(
    options: Options,
    *,
    name: str | None = None,
    version: str = UNVERSIONED,
    expires: str | None = None,
    out: Path | None = None,
) -> Reply:
    """
    Write what the files of layer `profile` say as a manifest, and answer with what it holds.

    The user's own file is no part of a build, nor is what variables say, or a manifest that is there already. Where
    anything is refused, nothing is written.

    Args:
        options: Which application, and where its files are.
        name: What the manifest calls itself; the application's name by default.
        version: Its version.
        expires: From when on it is refused, as RFC 3339 writes a time.
        out: The folder it is written to; the working directory by default.
    """
    from oneiric.runtime.orchestrator import find_reference, load_application, prepare

    if options.select or options.settings or options.manifest:
        raise BadOption("--select, --set and --manifest: only what files say is packed", command=COMMAND)
    moment = _moment(expires)
    with contextlib.redirect_stdout(sys.stderr):  # what the application's modules print is no part of the answer
        app = prepare(load_application(find_reference(options.app, os.environ, Path()), options.app_dir), NOTHING_SAID)
        configuration = app.read(inputs_of(options))
        profile = configuration.profile
        packing = pack_layers(app, profile, configuration.file_layers(replace(profile, user_file=False)))
    if packing.faults:
        return _refused(app.name, packing)
    try:
        manifest = pack_tables(packing.tables, name=name or app.name, version=version, issued=None, expires=moment)
    except InvalidValue as error:
        return _refused(app.name, packing._replace(faults=(error,)))
    folder = out or Path()
    try:
        write_inline(manifest, folder)
    except OSError as error:
        raise BadOption(f"--out {folder}: {unreadable(error)}", command=COMMAND) from None
    return _packed(manifest, profile.name, folder, packing)


def _refused(name: str, packing: Packing) -> Reply:
    return refused(InvalidApplication(name, packing.faults))._replace(code=FAILED)


def _moment(text: str | None) -> datetime | None:
    """Read a time that is yet to come. Raises BadOption for anything else."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.upper()) if _MOMENT.fullmatch(text) else None
    except ValueError:  # the 31st of February
        moment = None
    if moment is None:
        raise BadOption("--expires: give a time with its zone, such as 2027-01-31T12:00:00Z", command=COMMAND)
    if moment <= datetime.now(UTC):
        raise BadOption("--expires: that time is over, and the manifest would never be read", command=COMMAND)
    return moment


def _packed(manifest: Manifest, profile: str, folder: Path, packing: Packing) -> Reply:
    files = [str(folder / file) for file in (MANIFEST_FILE, DIGEST_FILE)]
    fields = answer(
        "manifest-pack",
        name=manifest.name,
        version=manifest.version,
        profile=profile,
        digest=manifest.digest,
        expires=manifest.document["expires"],
        select=len(manifest.select),
        settings=len(manifest.settings),
        files=files,
        left_out=[{"name": name, "origin": origin.fields()} for name, origin in packing.left_out],
        warnings=[warning.problem.fields() for warning in packing.warnings],
    )
    text = partial(_text, manifest, profile, files, packing.left_out)
    return Reply(fields, text, blocks(packing.warnings, label="warning"))


def _text(manifest: Manifest, profile: str, files: Sequence[str], left_out: Sequence[tuple[str, Origin]]) -> str:
    lines = [
        f"packed {manifest.name}@{manifest.version}   profile {profile}",
        f"  digest    sha256:{manifest.digest}",
        f"  expires   {manifest.document['expires'] or 'never'}",
        f"  select    {len(manifest.select)}",
        f"  settings  {len(manifest.settings)}",
        *(f"  written   {file}" for file in files),
        *(
            f"  left out  {name} ({origin}): a manifest denies nothing, deploy the file too"
            for name, origin in left_out
        ),
    ]
    return "\n".join(map(clean, lines))
