"""What a command answers: plain data, its text, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

SCHEMA = 1


class Reply(NamedTuple):
    """
    The answer of one command. JSON and text are made on demand: only one of them is ever written.

    Attributes:
        fields: Returns the whole answer as one JSON object, for `--json`.
        text: Returns the same for a person, on standard output; nothing is written where it is empty.
        notices: Blocks for a person on standard error: faults and warnings.
        code: The exit code.
        more: Answers that follow, each written when it comes; the exit code is that of the last.
    """

    fields: Callable[[], Mapping[str, Any]]
    text: Callable[[], str] = str
    notices: Sequence[str] = ()
    code: int = 0
    more: Iterable[Any] = ()  # of replies: a named tuple cannot name itself


def answer(kind: str, **fields: Any) -> Callable[[], dict[str, Any]]:
    """Return what makes the JSON object of an answer, with its schema and kind in front."""
    return lambda: {"schema": SCHEMA, "kind": kind, **fields}
