"""What the commands for a running application answer: swap, rollback, generations, plan, health, explain --running."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from oneiric.cli.failures import FAILED
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.cli.running import ask
from oneiric.cli.tables import table
from oneiric.containers.explanation import NOBODY
from oneiric.containers.graph import clean
from oneiric.core.log import HIDDEN

Fields = Mapping[str, Any]  # JSON


def swap(options: Options, slot: str, adapter: str, *, process: int | None = None) -> Reply:
    """Fill one slot of the running application with another adapter; it fails where nothing was changed."""
    told = ask(options, process, "a swap", op="swap", slots={slot: adapter})
    return told.failure or _changed("swap", told.fields)


def rollback(options: Options, generation: int, *, process: int | None = None) -> Reply:
    """Go back to the layers of an earlier generation, by a new one."""
    told = ask(options, process, "a rollback", op="rollback", to=generation)
    return told.failure or _changed("rollback", told.fields)


def _changed(kind: str, said: Fields) -> Reply:
    return Reply(answer(kind, **said), partial(_changes, said))


def _changes(said: Fields) -> str:
    """Return what a change came to: each slot with who filled it and who does now, and what was built."""
    if not said["slots"]:
        return f"{_head(said)}   nothing to change"
    return "\n".join([_head(said), *map(clean, _slot_lines(said["slots"])), *_rebuilt(said)])


def _head(said: Fields) -> str:
    return clean(f"{said['app']}   profile {said['profile']}   process {said['pid']}   generation {said['generation']}")


def _slot_lines(slots: Sequence[Fields]) -> list[str]:
    return [f"  {one['slot']}: {_filled(one['before'])} -> {_filled(one['after'])}" for one in slots]


def _filled(one: Fields) -> str:
    if one["winner"] is None:
        return f"{NOBODY} ({one['origin']})" if one["origin"] else NOBODY
    return f"{one['winner']} ({one['layer']})"


def _rebuilt(said: Fields) -> list[str]:
    return [clean(f"  built anew: {', '.join(said['rebuilt'])}")] if said["rebuilt"] else []


def generations(options: Options, *, process: int | None = None) -> Reply:
    """Answer with the generations that are kept, and what each changed."""
    told = ask(options, process, "this question", op="generations")
    if told.failure is not None:
        return told.failure
    rows = [
        (
            f"{one['generation']}{'*' if one['in_force'] else ''}",
            one["cause"],
            ", ".join(f"{c['slot']}: {_filled(c['before'])} -> {_filled(c['after'])}" for c in one["slots"]),
        )
        for one in told.fields["generations"]
    ]
    head = ("generation", "cause", "changed")
    return Reply(answer("generations", **told.fields), lambda: f"{table(head, rows)}\n\n* in force")


def health(options: Options, *, process: int | None = None) -> Reply:
    """Answer with the health of every open adapter; it fails where the application is not ready."""
    told = ask(options, process, "its health", op="health")
    if told.failure is not None:
        return told.failure
    said = {name: value for name, value in told.fields.items() if name not in {"schema", "kind", "is_ready"}}
    rows = [(one["subject"], one["state"], one["health"]) for one in said["subjects"]]

    def text() -> str:
        return f"{_head(said)}   {said['status']}\n{table(('subject', 'state', 'health'), rows)}"

    return Reply(answer("health", **said), text, code=0 if told.fields["is_ready"] else FAILED)


def plan(options: Options, *, process: int | None = None) -> Reply:
    """Answer with what a reload would change, of this file or of the one in use; it fails where it could not be."""
    config = None if options.config is None else str(Path(options.config).absolute())
    told = ask(options, process, "a plan", op="plan", config=config)
    if told.failure is not None:
        return told.failure
    said = told.fields
    notices = [clean(line) for fault in said["faults"] for line in fault["text"].splitlines()]
    return Reply(
        answer("plan", **{**said, "faults": [{n: v for n, v in f.items() if n != "text"} for f in said["faults"]]}),
        partial(_planned, said),
        notices,
        FAILED if said["faults"] else 0,
    )


def _planned(said: Fields) -> str:
    if not (said["slots"] or said["settings"] or said["rebuilt"]):
        return f"{_head(said)}   nothing would change"
    settings = [f"  {one['name']}: {_said(one['before'])} -> {_said(one['after'])}" for one in said["settings"]]
    rebuilt = [line.replace("built anew", "would be built anew") for line in _rebuilt(said)]
    return "\n".join([_head(said), *map(clean, [*_slot_lines(said["slots"]), *settings]), *rebuilt])


def _said(one: Fields | None) -> str:
    """Return a value with the layer that says it; nothing of a secret but what tells whether two are equal."""
    if one is None:
        return "nothing"
    shown = json.dumps(one["value"], ensure_ascii=False)
    if one["redacted"]:
        shown = HIDDEN + (f" fp:{one['fp']}" if one["fp"] else "")
    return f"{shown} ({one['layer']})"


def explain(options: Options, name: str, *, at: int | None = None, process: int | None = None) -> Reply:
    """Answer with the explanation that the running application gives, of now or of an earlier generation."""
    told = ask(options, process, "explain --running", op="explain", name=name, at=at)
    if told.failure is not None:
        return told.failure
    said = told.fields
    text = "\n".join(map(clean, said["text"].splitlines()))
    return Reply(lambda: said["explanation"], lambda: text, code=FAILED if said["has_faults"] else 0)
