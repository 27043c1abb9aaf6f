"""
CloudEvents over HTTP, read into our `Event`. Importing this module imports `cloudevents`: push loads it on first use.

The bindings of the library take the message apart. It reads leniently (text that is no JSON becomes a string, a missing
id is made up), so what it meets is checked here first, and by `Event` last.

Source: https://github.com/cloudevents/spec, `cloudevents/bindings/http-protocol-binding.md` section 3 and
`cloudevents/formats/json-format.md` section 3.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured
from cloudevents.core.formats.json import JSONFormat

from oneiric.core.errors import InvalidEvent
from oneiric.core.event import MAX_JSON_DEPTH, Event

SPEC_VERSION = "1.0"
REQUIRED = ("specversion", "id", "source", "type")
OPTIONAL = ("subject", "time", "datacontenttype", "dataschema")
META = {"driver": "push"}


class StrictFormat(JSONFormat):
    """The library's JSON format, which refuses what is no JSON instead of taking it for text."""

    def read(self, event_factory: Any, data: str | bytes) -> Any:  # the library's types; ours makes an Event
        """Read a structured event. Raises InvalidEvent if it is no JSON object, or holds data of a wrong form."""
        document = _read_json(data if isinstance(data, bytes) else data.encode())
        if not isinstance(document, dict):
            raise InvalidEvent("body", "it must be a JSON object")
        if "time" in document and not isinstance(document["time"], str):
            raise InvalidEvent("time", "it must be a text of RFC 3339")
        if document.get("data_base64") is not None:
            _check_base64(document)
        return super().read(event_factory, data)

    def read_data(self, body: bytes, datacontenttype: str | None) -> Any:
        """Read the body of a binary-mode event. Raises InvalidEvent if it is no JSON."""
        return _read_json(body) if body else None


def read_event(headers: Mapping[str, str], body: bytes, *, is_structured: bool) -> Event:
    """
    Read one CloudEvent from an HTTP message.

    Args:
        headers: The headers, names in lower case.
        body: The whole body; JSON.
        is_structured: The body holds the whole event; otherwise `ce-*` headers hold its attributes.

    Raises:
        InvalidEvent: It is no CloudEvent 1.0; the error names the attribute.
    """
    read: Callable[..., Any] = from_structured if is_structured else from_binary
    try:
        event: Event = read(HTTPMessage(dict(headers), body), StrictFormat(), _to_event)
    except ValueError:  # of the library's reader of times; everything else was checked before
        raise InvalidEvent("time", "it must be a text of RFC 3339") from None
    return event


def _to_event(attributes: dict[str, Any], data: Any) -> Event:
    """Make our event of what the library read; a null attribute counts as absent."""
    given = {name: value for name, value in attributes.items() if value is not None}
    for name in REQUIRED:
        if name not in given:
            raise InvalidEvent(name, "it is missing")
    if given.pop("specversion") != SPEC_VERSION:
        raise InvalidEvent("specversion", f"only {SPEC_VERSION} is understood")
    known = {name: given.pop(name) for name in (*REQUIRED[1:], *OPTIONAL) if name in given}
    return Event(**known, data=data, extensions=given, meta=META)


def _read_json(body: bytes) -> Any:  # any JSON value
    try:
        value = json.loads(body.decode("utf-8"))
        if b"\\ud" in body or b"\\uD" in body:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text: nobody could store it
        return value
    except RecursionError:
        raise InvalidEvent("data", f"nested deeper than {MAX_JSON_DEPTH}") from None
    except ValueError:
        raise InvalidEvent("data", "it is no JSON") from None


def _check_base64(document: Mapping[str, Any]) -> None:
    packed = document["data_base64"]
    if document.get("data") is not None:
        raise InvalidEvent("data_base64", "it cannot stand beside data")
    try:
        base64.b64decode(packed, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidEvent("data_base64", "it is no base64") from None
