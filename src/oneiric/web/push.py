"""What comes in by push: a body of bounded length, decoded into an event."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable

from starlette.exceptions import HTTPException

from oneiric.core.errors import BodyTooLarge, InvalidEvent
from oneiric.core.event import Event

STRUCTURED = "application/cloudevents+json"
_JSON = re.compile(r"(application|text)/([a-z0-9.!#$&^_-]+\+)?json")


async def read_body(pieces: AsyncIterable[bytes], *, max_bytes: int) -> bytes:
    """
    Read a body, counting what really arrives: a Content-Length may be absent or wrong.

    Args:
        pieces: The body as it comes in.
        max_bytes: The largest body that is taken, 1 or more.

    Raises:
        BodyTooLarge: There is more; the rest is not kept.
    """
    body = bytearray()
    async for piece in pieces:
        if len(body) + len(piece) > max_bytes:
            raise BodyTooLarge(max_bytes)
        body += piece
    return bytes(body)


def decode(headers: Iterable[tuple[str, str]], body: bytes) -> Event:
    """
    Decode one CloudEvent in structured or in binary mode, with JSON data.

    Args:
        headers: All headers in order, names in lower case.
        body: The whole body.

    Raises:
        HTTPException: Status 415: a media type other than these two, such as a batch.
        InvalidEvent: It is no CloudEvent 1.0, or a header comes twice.
    """
    given: dict[str, str] = {}
    for name, value in headers:
        if name != "content-type" and not name.startswith("ce-"):
            continue
        if name in given:
            raise InvalidEvent(name.removeprefix("ce-")[:40], "its header comes twice")
        given[name] = value
    media_type = given.get("content-type", "").partition(";")[0].strip().lower()
    is_structured = media_type == STRUCTURED
    is_empty = not media_type and not body
    if not is_structured and not is_empty and not _is_json(media_type):
        raise HTTPException(415)
    # The library is imported on the first event: it costs more than all the rest of a start.
    from oneiric.web.envelope import read_event

    return read_event(given, body, is_structured=is_structured)


def _is_json(media_type: str) -> bool:
    """Tell JSON data from the rest; the batch and other formats of CloudEvents hold events, not data."""
    return bool(_JSON.fullmatch(media_type)) and not media_type.startswith("application/cloudevents")
