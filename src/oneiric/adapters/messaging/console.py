"""Notifications as text on a stream: for laptops, and wherever logs are all there is."""

from __future__ import annotations

import json
import sys
import uuid
from typing import TextIO

from oneiric.adapters.messaging.common import NotificationMessage, Receipt
from oneiric.core.adapter import AdapterSettings, Health
from oneiric.core.errors import NotOpen, Unavailable
from oneiric.core.log import redact, scrub


class ConsoleMessaging:
    """
    Writes one small block for each message, redacted, every control character escaped.

    It takes every message: of HTML and attachments it shows that they are there.

    Args:
        settings: The life of the adapter; nothing else can be set.
        stream: Where to write; standard error, at the time of each call, by default.
    """

    class Settings(AdapterSettings):
        """Nothing but the life of the adapter."""

    def __init__(self, settings: Settings, *, stream: TextIO | None = None) -> None:
        self._given = stream
        self._is_open = False

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False

    async def health(self) -> Health:
        if not self._is_open:
            return Health(False, "not open")
        is_writable = not self._stream().closed
        return Health(is_writable, "" if is_writable else "the stream is closed")

    async def send(self, message: NotificationMessage) -> Receipt:
        if not self._is_open:
            raise NotOpen(category="messaging", name="console", operation="send")
        stream = self._stream()
        encoding = stream.encoding or "utf-8"
        text = render(message).encode(encoding, "backslashreplace").decode(encoding)
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):  # ValueError is what a closed stream raises
            raise Unavailable(
                "the stream cannot be written", category="messaging", name="console", operation="send"
            ) from None
        return Receipt(uuid.uuid4().hex, message.to)

    def _stream(self) -> TextIO:
        return sys.stderr if self._given is None else self._given


def render(message: NotificationMessage) -> str:
    """
    Return a message as a block of lines: severity and title first, everything else indented below.

    User text cannot break out of its line: line ends begin a new indented line, other control characters, escape
    sequences and marks that turn the direction of text become `\\x1b` and the like.
    """
    to = f" -> {', '.join(map(_plain, message.to))}" if message.to else ""
    lines = [f"[{message.severity}] {_plain(message.title)}{to}"]
    lines += [f"  {_plain(line)}" for line in message.text.splitlines()]
    for name, value in message.fields.items():
        shown = redact(name, value)
        lines.append(f"  {_plain(name)}: {_plain(shown if isinstance(shown, str) else json.dumps(shown))}")
    if message.link is not None:
        lines.append(f"  link: {_plain(message.link)}")
    if message.html is not None:
        lines.append(f"  html: {len(message.html)} characters")
    lines += [f"  attachment: {_plain(each.name)}, {len(each.content)} bytes" for each in message.attachments]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Hide credentials, and escape what a terminal would act on."""
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode() for char in scrub(text)
    )
