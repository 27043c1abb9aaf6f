"""What each command answers, as plain data with its text. Nothing is written here."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oneiric.cli.failures import FAILED, blocks, refused
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.cli.tables import table
from oneiric.containers.graph import as_dot, as_mermaid, as_text, clean
from oneiric.core.errors import InvalidApplication, InvalidPort, OneiricError
from oneiric.core.origins import FlagOrigin
from oneiric.providers.catalog import Catalog
from oneiric.providers.slot import Slot
from oneiric.runtime.application import Application
from oneiric.runtime.configuration import Inputs

DISTRIBUTION = "oneiric"
RENDERERS = {"text": as_text, "json": lambda graph: graph.json(), "dot": as_dot, "mermaid": as_mermaid}
MAX_PORT = 65535


@contextmanager
def application(options: Options) -> Iterator[Application]:
    """
    Import the application that is meant, with the configuration that the options say; nothing is opened.

    What its modules print while it is looked at goes to standard error: standard output holds the answer alone.

    Raises:
        AppNotImportable: None is named, or the name leads to none.
        Refused: Its configuration cannot be.
    """
    from oneiric.runtime.orchestrator import find_reference, load_application, prepare

    inputs = Inputs(
        profile=options.profile,
        config=options.config,
        env_file=options.env_file,
        select=options.select,
        settings=options.settings,
    )
    with contextlib.redirect_stdout(sys.stderr):
        reference = find_reference(options.app, os.environ, Path())
        yield prepare(load_application(reference, options.app_dir), inputs)


def orchestrate(options: Options, port: str | None, *, web: bool) -> Reply | int:
    """Run the application until it is told to stop, and return the exit code."""
    from oneiric.runtime.orchestrator import serve

    number = None if port is None else _port(port)
    with application(options) as app:
        pass
    try:
        return serve(app, port=number, web=web)
    except InvalidApplication as error:
        return refused(error, app)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_PORT:
        raise InvalidPort(text, origin=FlagOrigin("--port"))
    return int(text)


def explain(options: Options, name: str) -> Reply:
    """Answer with the explanation of a slot or a key; it fails where the start would."""
    with application(options) as app:
        found = app.explain(name)
        return Reply(found.fields(), found.text(), code=FAILED if found.faults else 0)


def graph(options: Options, form: str) -> Reply:
    """Answer with the graph in one of its renderings."""
    with application(options) as app:
        drawn = app.graph()
        return Reply(drawn.fields(), RENDERERS[form](drawn))


def check(options: Options, *, strict: bool) -> Reply:
    """Answer with every fault and every warning; it fails if there are faults."""
    with application(options) as app:
        faults, warnings = app.faults(strict=strict)
        profile = app.profile.name
        fields = answer(
            "check",
            app=app.name,
            profile=profile,
            faults=[fault.problem.fields() for fault in faults],
            warnings=[warning.problem.fields() for warning in warnings],
        )
        text = f"{clean(app.name)}   profile {profile}   {_count(faults, 'fault')}, {_count(warnings, 'warning')}"
        notices = (*blocks(faults, app), *blocks(warnings, app, label="warning"))
        return Reply(fields, text, notices, FAILED if faults else 0)


def _count(found: list[OneiricError], noun: str) -> str:
    return f"1 {noun}" if len(found) == 1 else f"{len(found) or 'no'} {noun}s"


def list_slots(options: Options) -> Reply:
    """Answer with every slot and who fills it."""
    with application(options) as app:
        rows = [_row(app, slot) for _, slot in sorted(app.registry.slots.items())]
        fields = answer("list", app=app.name, profile=app.profile.name, slots=rows)
        shown = [(r["name"], r["winner"] or f"nobody ({r['error']})", r["layer"] or "", r["at"]) for r in rows]
        return Reply(fields, table(("slot", "adapter", "layer", "origin"), shown))


def _row(app: Application, slot: Slot) -> dict[str, Any]:
    record = app.index.records[slot]
    try:
        origin = app.stack.winner(slot).origin
    except OneiricError as error:
        origin = error.origin
    return {
        "name": slot.name,
        "winner": record.label,
        "layer": record.layer,
        "scope": slot.scope,
        "origin": origin.fields() if origin else None,
        "at": str(origin or ""),
        "error": record.fault.code if record.fault else None,
    }


def adapters(options: Options) -> Reply:
    """Answer with the rows of the catalog; of an application's own, where one is named before the command."""
    if options.app is None:
        catalog = Catalog()
    else:
        with application(options) as app:
            catalog = app.catalog
    rows = [
        {
            "category": row.category,
            "name": row.name,
            "priority": row.priority,
            "extra": row.extra,
            "installed": row.installed,
            "capabilities": sorted(row.capabilities),
            "verified": row.verified,
            "path": row.path,
        }
        for row in catalog.all_rows()
    ]
    shown = [
        (
            row["category"],
            row["name"],
            str(row["priority"]),
            row["extra"] or "",
            "yes" if row["installed"] else "no",
            ", ".join(row["capabilities"]),
            row["verified"],
        )
        for row in rows
    ]
    head = ("category", "name", "priority", "extra", "installed", "capabilities", "verified")
    return Reply(answer("adapters", adapters=rows), table(head, shown))


def version() -> Reply:
    """Answer with the versions of Oneiric and of Python."""
    from importlib.metadata import version as version_of

    own, python = version_of(DISTRIBUTION), ".".join(map(str, sys.version_info[:3]))
    return Reply(answer("version", version=own, python=python), f"oneiric {own}   python {python}")
