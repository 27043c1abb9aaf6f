"""The event envelope: CloudEvents 1.0 as one frozen value."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from oneiric.core.errors import InvalidEvent

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
MAX_TYPE_CHARS = 255
UNSOURCED = "/oneiric"
MAX_JSON_DEPTH = 64
CONTEXT_ATTRIBUTES = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"}
)
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
_BLANK_OR_CONTROL = re.compile(r"[\s\x00-\x1f\x7f]")
# CloudEvents 1.0, "Type System", String: neither U+0000 to U+001F nor U+007F to U+009F
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _fresh_id() -> str:
    return uuid.uuid4().hex


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    Something that happened. `(source, id)` identifies it.

    Attribute names and their grammar are those of CloudEvents 1.0
    (https://github.com/cloudevents/spec, `cloudevents/spec.md`, "Context Attributes").

    Attributes:
        type: What happened, `order.created`; 1 to 255 characters without blanks or control characters.
        source: Where; for `UNSOURCED`, the default, the application that emits it puts `/{its name}`.
        id: Unique within its source; a fresh uuid4 by default.
        subject: What it happened to, or None.
        time: When, with a time zone; now in UTC by default.
        datacontenttype: Media type of `data`.
        dataschema: URI of the schema of `data`, or None.
        data: A JSON value, or bytes.
        extensions: Further attributes, names of 1 to 20 of `a-z0-9`, values str, bool or int.
        meta: Facts about the transport; never sent on, and no part of equality.

    Raises:
        InvalidEvent: An attribute breaks its grammar; the error names it.
    """

    type: str
    source: str = UNSOURCED
    id: str = field(default_factory=_fresh_id)
    subject: str | None = None
    time: datetime = field(default_factory=_now)
    datacontenttype: str = "application/json"
    dataschema: str | None = None
    data: JSON | bytes = None
    extensions: Mapping[str, str | bool | int] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("id", "source", "type", "datacontenttype"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise InvalidEvent(name, "it must be a text that is not empty")
        if len(self.type) > MAX_TYPE_CHARS or _BLANK_OR_CONTROL.search(self.type):
            raise InvalidEvent("type", f"at most {MAX_TYPE_CHARS} characters, no blanks, no control characters")
        for name in ("subject", "dataschema"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise InvalidEvent(name, "it must be absent or a text that is not empty")
        for name in ("id", "source", "subject", "datacontenttype", "dataschema"):
            if _CONTROL.search(getattr(self, name) or ""):
                raise InvalidEvent(name, "it holds a control character")
        if not isinstance(self.time, datetime) or self.time.tzinfo is None:
            raise InvalidEvent("time", "it must be a time with a time zone")
        for name, extension in self.extensions.items():
            _check_extension(name, extension)
        if not isinstance(self.data, bytes):
            _check_json(self.data, "data", 0)

    def caused(self, *, type: str, source: str | None = None, data: JSON | bytes = None) -> Event:
        """Return an event that this one led to: same trace and correlation, with this one's id as its cause."""
        extensions: dict[str, str | bool | int] = {"causationid": self.id}
        extensions["correlationid"] = self.extensions.get("correlationid", self.id)
        if "traceparent" in self.extensions:
            extensions["traceparent"] = self.extensions["traceparent"]
        return Event(type=type, source=source or self.source, data=data, extensions=extensions)


def _check_extension(name: object, value: object) -> None:
    if not isinstance(name, str) or not _EXTENSION.fullmatch(name) or name in CONTEXT_ATTRIBUTES:
        raise InvalidEvent(str(name)[:40], "an extension has a name of 1 to 20 of a-z0-9 that is no context attribute")
    if not isinstance(value, (str, bool, int)):
        raise InvalidEvent(name, "an extension holds a text, a truth value or a whole number")


def _check_json(value: object, where: str, depth: int) -> None:
    """Refuse what is no JSON value, and what is nested deeper than 64."""
    if depth > MAX_JSON_DEPTH:
        raise InvalidEvent(where[:80], f"nested deeper than {MAX_JSON_DEPTH}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidEvent(where[:80], "not a finite number")
    if value is None or isinstance(value, (bool, int, float, str)):
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check_json(item, f"{where}.{index}", depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidEvent(where[:80], "a key that is no text")
            _check_json(item, f"{where}.{key}", depth + 1)
    else:
        raise InvalidEvent(where[:80], f"{type(value).__name__} is no JSON value")
