"""What a command answers: plain data, its text, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """
    The answer of one command.

    Attributes:
        fields: The whole answer as one JSON object, for `--json`.
        text: The same for a person, on standard output.
        notices: Blocks for a person on standard error: faults and warnings.
        code: The exit code.
    """

    fields: Mapping[str, Any]
    text: str
    notices: Sequence[str] = ()
    code: int = 0


def answer(kind: str, **fields: Any) -> dict[str, Any]:
    """Return the JSON object of an answer, with its schema and kind in front."""
    return {"schema": SCHEMA, "kind": kind, **fields}
