"""What each command answers, as plain data with its text. Nothing is written here."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from oneiric.cli.failures import FAILED, blocks, refused
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.cli.tables import table
from oneiric.containers.explanation import NOBODY
from oneiric.containers.graph import clean, draw
from oneiric.containers.index import Record
from oneiric.core.errors import BadOption, InvalidApplication, OneiricError
from oneiric.core.importing import load
from oneiric.core.origins import Origin
from oneiric.providers.catalog import Catalog
from oneiric.runtime.application import Application
from oneiric.runtime.configuration import Inputs

DISTRIBUTION = "oneiric"
RENDERERS = {  # by the value of `--format`; imported when asked for
    "text": "oneiric.containers.graph_text:as_text",
    "json": "oneiric.containers.graph:Graph.json",
    "dot": "oneiric.containers.graph_dot:as_dot",
    "mermaid": "oneiric.containers.graph_mermaid:as_mermaid",
    "html": "oneiric.containers.graph_page:as_html",
}


def inputs_of(options: Options) -> Inputs:
    """Return where the options say that the configuration comes from."""
    return Inputs(
        profile=options.profile,
        config=options.config,
        env_file=options.env_file,
        select=options.select,
        settings=options.settings,
        manifest=options.manifest,
    )


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

    with contextlib.redirect_stdout(sys.stderr):
        reference = find_reference(options.app, os.environ, Path())
        yield prepare(load_application(reference, options.app_dir), inputs_of(options))


def orchestrate(options: Options, port: str | None, *, web: bool) -> Reply:
    """Run the application until it is told to stop, and answer with the exit code; what happens meanwhile is logged."""
    from oneiric.runtime.orchestrator import serve

    with application(options) as app:
        prepared = app
    try:
        code = serve(prepared, port, web=web)
    except InvalidApplication as error:
        return refused(error, prepared)
    return Reply(answer("orchestrate", app=prepared.name, profile=prepared.profile.name, code=code), code=code)


def graph(
    options: Options,
    form: str,
    *,
    slot: str | None = None,
    depth: int | None = None,
    path: tuple[str, str] | None = None,
    shadowed: bool = False,
    problems: bool = False,
    diff: str | None = None,
) -> Reply:
    """Answer with the graph, or the part of it that was asked for, in one of its renderings."""
    from oneiric.containers.graph_diff import against
    from oneiric.containers.graph_filters import Filters, part_of

    if depth is not None and slot is None:
        raise BadOption("--depth counts the steps from a slot: give --slot as well", command="oneiric graph")
    with application(options) as app:
        drawn = draw(app, app.faults()[0])
        if slot is not None or path is not None or problems:
            drawn = part_of(drawn, Filters(slot, depth, path, problems))
        if diff is not None:
            drawn = against(drawn, app, diff)
        drawn = drawn._replace(shadowed=shadowed)
        return Reply(drawn.fields, partial(load(RENDERERS[form]), drawn))


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
        return Reply(fields, lambda: text, notices, FAILED if faults else 0)


def _count(found: list[OneiricError], noun: str) -> str:
    return f"1 {noun}" if len(found) == 1 else f"{len(found) or 'no'} {noun}s"


def list_slots(options: Options) -> Reply:
    """Answer with every slot and who fills it."""
    with application(options) as app:
        records = [app.index.records[slot] for _, slot in sorted(app.slots.by_name.items())]
        origins = [_origin(record) for record in records]
        rows = [
            {
                "name": record.slot.name,
                "winner": record.label,
                "layer": record.layer,
                "scope": record.slot.scope,
                "origin": origin.fields() if origin else None,
                "error": record.fault.code if record.fault else None,
            }
            for record, origin in zip(records, origins, strict=True)
        ]
        shown = [
            (
                record.slot.name,
                record.label or f"{NOBODY} ({record.fault.code if record.fault else ''})",
                record.layer or "",
                str(origin or ""),
            )
            for record, origin in zip(records, origins, strict=True)
        ]
        fields = answer("list", app=app.name, profile=app.profile.name, slots=rows)
        return Reply(fields, partial(table, ("slot", "adapter", "layer", "origin"), shown))


def _origin(record: Record) -> Origin | None:
    """Return where somebody said who fills a slot, also where that cannot be."""
    if record.winner is not None:
        return record.winner.origin
    return record.fault.origin if record.fault else None


def adapters(options: Options) -> Reply:
    """Answer with the rows of the catalog; of an application's own, where one is named before the command."""
    if options.app is None:
        catalog = Catalog()
    else:
        with application(options) as app:
            catalog = app.catalog
    rows = catalog.all_rows()
    fields = [
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
        for row in rows
    ]
    shown = [
        (
            row.category,
            row.name,
            str(row.priority),
            row.extra or "",
            "yes" if row.installed else "no",
            ", ".join(sorted(row.capabilities)),
            row.verified,
        )
        for row in rows
    ]
    head = ("category", "name", "priority", "extra", "installed", "capabilities", "verified")
    return Reply(answer("adapters", adapters=fields), partial(table, head, shown))


def version() -> Reply:
    """Answer with the versions of Oneiric and of Python."""
    from importlib.metadata import version as version_of

    own, python = version_of(DISTRIBUTION), ".".join(map(str, sys.version_info[:3]))
    return Reply(answer("version", version=own, python=python), lambda: f"oneiric {own}   python {python}")
