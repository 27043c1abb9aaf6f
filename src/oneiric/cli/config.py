"""What `oneiric config` answers: the value that each setting in use has, and who says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from oneiric.cli.answers import application
from oneiric.cli.failures import FAILED, block
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.cli.tables import table
from oneiric.containers.explanation import Candidate, Explanation
from oneiric.core.log import HIDDEN

FAULT = "!"
CODE = "code"


def config(options: Options, *, changed: bool = False) -> Reply:
    """
    Answer with every setting in use; it fails where the start would.

    Args:
        options: Which application, and where its configuration comes from.
        changed: Leave out what only the code says.
    """
    with application(options) as app:
        found = [one for one in app.config() if not changed or _is_changed(one)]
        fields = answer(
            "config",
            app=app.name,
            profile=app.profile.name,
            order=list(app.profile.order),
            settings=[_fields(one) for one in found],
        )
        faults = [fault for one in found for fault in one.faults]
        warnings = [warning for one in found for warning in one.warnings]
        notices = (*map(block, faults), *(block(warning, label="warning") for warning in warnings))
        return Reply(fields, partial(_text, found), notices, FAILED if faults else 0)


def _is_changed(explained: Explanation) -> bool:
    return explained.winner is None or explained.winner.layer != CODE or bool(explained.faults)


def _fields(explained: Explanation) -> dict[str, Any]:
    """Return a setting ready for JSON, each part as it stands in its explanation."""
    return {
        "name": explained.name,
        "winner": explained.winner.fields() if explained.winner else None,
        "warnings": [warning.fields() for warning in explained.warnings],
        "error": explained.error.fields() if explained.error else None,
    }


def _text(found: Sequence[Explanation]) -> str:
    if not found:
        return "no setting is in use, or only the code says what they are"
    return table(("key", "value", "layer", "origin"), [_row(one) for one in found])


def _row(explained: Explanation) -> tuple[str, str, str, str]:
    """Return a line of the table; a value that cannot be is marked, and its code stands in its place."""
    won, error = explained.winner, explained.error
    if error is not None:
        origin = error.origin or (won.origin if won else None)
        return explained.name, f"{FAULT} {error.code}", won.layer if won else "", str(origin or "")
    if won is None:
        return explained.name, "", "", ""
    return explained.name, _shown(won), won.layer, str(won.origin or "")


def _shown(won: Candidate) -> str:
    """Return a value as it may be seen: JSON, or nothing of a secret but what tells whether two are equal."""
    if won.redacted:
        unasked = " (not asked)" if won.status == "unknown" else ""
        return HIDDEN + (f" fp:{won.fp}" if won.fp else "") + unasked
    return json.dumps(won.value, ensure_ascii=False, default=str)
