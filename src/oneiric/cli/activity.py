"""What `oneiric activity` answers: what happened, newest last; of a running application, or of what it left behind."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from oneiric.cli.answers import application
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.cli.running import ask
from oneiric.cli.tables import table
from oneiric.containers.graph import clean
from oneiric.core.errors import BadOption, NotRunning

COMMAND = "oneiric activity"
LOOK_S = 0.5  # between two looks with --follow
HEAD = ("at", "subject", "outcome", "generation", "detail")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"(\d{1,6})([smhd])")

Fields = dict[str, Any]  # JSON
Read = Callable[[int], tuple[list[Fields], Reply | None]]  # rows after an id, or the reply of a question that failed


def activity(
    options: Options, *, slot: str | None = None, since: str | None = None, follow: bool = False, process: int | None
) -> Reply:
    """
    Answer with what is kept.

    Args:
        options: Which application.
        slot: Only what happened to this slot.
        since: Only from then on: `15m`, `2h`, `7d`, or a moment such as 2027-01-31T12:00:00Z.
        follow: Go on with what happens, until the command is ended.
        process: The process to ask, where several run.
    """
    subject = None if slot is None else f"slot:{slot}"
    moment = None if since is None else _moment(since, datetime.now(UTC))
    read = partial(_rows, options, process, subject, moment)
    rows, failure = read(0)
    if failure is not None:
        return failure
    more = _following(read, rows[-1]["id"] if rows else 0) if follow else ()
    fields = answer("activity", activity=rows)
    return Reply(fields, partial(_text, rows, is_more=False), more=more)


def _following(read: Read, last: int) -> Iterator[Reply]:
    """Yield one reply for all that happened since the last look; a look that fails ends it."""
    while True:
        time.sleep(LOOK_S)
        rows, failure = read(last)
        if failure is not None:
            yield failure
            return
        if rows:
            last = rows[-1]["id"]
            yield Reply(answer("activity", activity=rows), partial(_text, rows, is_more=True))


def _rows(
    options: Options, process: int | None, subject: str | None, since: str | None, after: int
) -> tuple[list[Fields], Reply | None]:
    """Return rows of the process that runs, which may keep them in memory; else of the file."""
    try:
        told = ask(options, process, "its activity", op="activity", subject=subject, since=since, after=after)
    except NotRunning:
        if process is not None:
            raise
        return _kept(options, subject, since, after), None
    return ([], told.failure) if told.failure is not None else (told.fields["activity"], None)


def _kept(options: Options, subject: str | None, since: str | None, after: int) -> list[Fields]:
    """Return rows of the file. Raises NotRunning if there is none."""
    from oneiric.runtime.activity import Wanted, find_path, read_rows

    with application(options) as app:
        path = find_path(app.section("activity"), os.environ, is_local=app.profile.local)
        try:
            return [one.fields() for one in read_rows(path, Wanted(subject=subject, since=since, after=after))]
        except FileNotFoundError:
            raise NotRunning(app.name, f"{path} is not there either: its activity") from None


def _moment(said: str, now: datetime) -> str:
    """Return the moment that `--since` means, as rows have it. Raises BadOption."""
    from oneiric.runtime.activity import stamp

    if ago := _AGO.fullmatch(said):
        return stamp(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        why = "--since: give a time ago such as 15m, 2h or 7d, or a moment such as 2027-01-31T12:00:00Z"
        raise BadOption(why, command=COMMAND) from None
    return stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _text(rows: Sequence[Fields], *, is_more: bool) -> str:
    if not rows:
        return "nothing is kept"
    shown = [(one["at"], one["subject"], one["outcome"], str(one["generation"] or ""), _detail(one)) for one in rows]
    if is_more:  # a heading between the lines would not be wanted
        return "\n".join("  ".join(clean(cell) or "-" for cell in row) for row in shown)
    return table(HEAD, shown)


def _detail(row: Fields) -> str:
    """Return what else is to say: who filled the slot and who does, the error, and the place that asked for it."""
    detail = row["detail"]
    parts = [
        f"{detail.get('before')} -> {detail.get('after')}" if detail.get("after") else "",
        detail.get("error") or "",
    ]
    parts += [detail.get("cause") or "", row["origin"] or ""]
    return "   ".join(part if isinstance(part, str) else json.dumps(part) for part in parts if part)
