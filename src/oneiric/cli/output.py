"""Standard output and error: JSON or text, colours on a terminal only, and no text that the stream cannot write."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

RED, GREEN, YELLOW, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
_COLOURED = (
    (re.compile(r"^error\[[^\]]*\]", re.MULTILINE), RED),
    (re.compile(r"^warning\[[^\]]*\]", re.MULTILINE), YELLOW),
    (re.compile(r"^\* .*$", re.MULTILINE), GREEN),
)


def write_json(fields: Mapping[str, Any]) -> None:
    """Write one object in one line; all but ASCII is escaped, so that no value reaches the terminal as a control."""
    write(json.dumps(fields, default=str, separators=(",", ":")), sys.stdout)


def write(text: str, stream: TextIO) -> None:
    """Write a text and a line break; a character that the stream's encoding lacks becomes a question mark."""
    if has_colour(stream, os.environ):
        text = coloured(text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()


def has_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """
    Tell whether a stream takes colours: it is a terminal, and nobody said no.

    Source: https://no-color.org (`NO_COLOR` counts when it is not empty).
    """
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def coloured(text: str) -> str:
    """Return a text with its errors in red, its warnings in yellow and the winner of an explanation in green."""
    for pattern, colour in _COLOURED:
        text = pattern.sub(lambda match, colour=colour: f"{colour}{match[0]}{PLAIN}", text)  # type: ignore[misc]
    return text
