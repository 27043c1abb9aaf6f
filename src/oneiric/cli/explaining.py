"""What `oneiric explain` answers: an explanation, why somebody did not win, or what another profile changes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from typing import Any

from oneiric.cli.answers import application, inputs_of
from oneiric.cli.failures import FAILED
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.containers.explanation import NOBODY, Explanation
from oneiric.containers.graph import clean
from oneiric.containers.why_not import known_names, why_not
from oneiric.core.errors import BadOption, did_you_mean
from oneiric.core.log import HIDDEN
from oneiric.core.log import configure as configure_log
from oneiric.runtime.application import Application

COMMAND = "oneiric explain"


def explain(
    options: Options, name: str, *, asked: str | None = None, diff: str | None = None, probe: bool = False
) -> Reply:
    """
    Answer with the explanation of a slot or a key; it fails where the start would.

    Args:
        options: Which application, and where its configuration comes from.
        name: The slot or the key.
        asked: An adapter or a layer: why it did not win.
        diff: Another profile: what differs there.
        probe: Ask the secret store, also one that has to be opened, whether the secrets exist.
    """
    with application(options) as app:
        found = app.explain(name)
        if probe and app.secrets.unasked:
            configure_log(level="WARNING")
            found = asyncio.run(_probed(app, name))
        if asked is not None:
            return _why_not(found, asked)
        if diff is not None:
            app.configure(replace(inputs_of(options), profile=diff))
            return _difference(found, app.explain(name))
        return Reply(found.fields, found.text, code=FAILED if found.faults else 0)


def explain_running(
    options: Options, name: str, *, at: int | None = None, process: int | None = None, is_plain: bool = True
) -> Reply:
    """Answer with what the running application says. Raises BadOption for what only this process could answer."""
    from oneiric.cli import swapping

    if not is_plain:
        raise BadOption("--why-not, --diff and --probe ask this process, not the one that runs", command=COMMAND)
    return swapping.explain(options, name, at=at, process=process)


async def _probed(app: Application, name: str) -> Explanation:
    """Explain with what the store says now; it is closed again."""
    try:
        await app.secrets.ask(sorted(app.secrets.unasked))
        return app.explain(name)
    finally:
        await app.stop()


def _why_not(found: Explanation, asked: str) -> Reply:
    told = why_not(found, asked)
    if not told.candidates:
        known = known_names(found)
        hint = " ".join(did_you_mean(asked, known))
        raise BadOption(f'--why-not: "{asked}" is no adapter and no layer of {found.name}; {hint}', command=COMMAND)
    return Reply(told.fields, told.text)


def _difference(here: Explanation, there: Explanation) -> Reply:
    """Compare what counts: who fills the slot, and each setting with its layer."""
    mine, theirs = _counting(here), _counting(there)
    changes = [
        {"name": name, "here": mine.get(name), "there": theirs.get(name)}
        for name in sorted({*mine, *theirs})
        if mine.get(name) != theirs.get(name)
    ]
    fields = answer(
        "explain-diff",
        name=here.name,
        profiles=[here.profile, there.profile],
        changes=changes,
        here=here.fields(),
        there=there.fields(),
    )
    return Reply(fields, partial(_text, here, there, changes), code=FAILED if here.faults or there.faults else 0)


def _counting(explained: Explanation) -> dict[str, dict[str, Any]]:
    """Return layer and value, or the code of the error, by the name of the slot or the key."""
    counting: dict[str, dict[str, Any]] = {}
    for one in (explained, *explained.settings):
        if one.error is not None:
            counting[one.name] = {"error": one.error.code}
        elif one.winner is not None:
            shown = {"redacted": True, "fp": one.winner.fp} if one.winner.redacted else {"value": one.winner.value}
            counting[one.name] = {"layer": one.winner.layer, **shown}
    return counting


def _text(here: Explanation, there: Explanation, changes: list[dict[str, Any]]) -> str:
    head = f"{here.kind} {here.name}: profile {here.profile} -> {there.profile}"
    if not changes:
        return f"{head}   no difference"
    width = max(len(change["name"]) for change in changes)
    rows = [f"  {one['name']:<{width}}  {_said(one['here'])} -> {_said(one['there'])}" for one in changes]
    return "\n".join(clean(line) for line in [head, *rows])


def _said(one: dict[str, Any] | None) -> str:
    if one is None:
        return NOBODY
    if "error" in one:
        return f"fails ({one['error']})"
    if "redacted" in one:
        return HIDDEN + (f" fp:{one['fp']}" if one["fp"] else "") + f" ({one['layer']})"
    value = one["value"]
    return f"{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)} ({one['layer']})"
