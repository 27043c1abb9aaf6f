"""A notification, its receipt, and what every adapter that sends one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args, runtime_checkable
from urllib.parse import urlsplit

from oneiric.core.errors import InvalidInput
from oneiric.core.event import JSON

Severity = Literal["info", "warning", "error", "critical"]
MAX_TITLE_CHARS = 200
MAX_DEDUPE_KEY_CHARS = 255
_SEVERITIES: tuple[str, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    A file that goes with a message.

    Attributes:
        name: Its name, without a folder.
        content: Its bytes.
        content_type: Its media type.

    Raises:
        InvalidInput: The name is empty or holds a slash, a backslash or a control character.
    """

    name: str
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable() or {"/", "\\"} & set(self.name):
            raise _invalid("the name of an attachment is printable and has no folder")


@dataclass(frozen=True, slots=True)
class NotificationMessage:
    """
    What is to be said, in plain text; each adapter escapes it for its service.

    Attributes:
        title: The subject, 1 to 200 characters.
        text: The body.
        severity: How bad it is.
        to: Addresses in the service's own form; empty for the receivers that the adapter's settings name.
        fields: Facts beside the text, by name; a field whose name says that it holds a secret is redacted.
        link: Where to look, an address of http or https.
        dedupe_key: Messages with the same key may be joined into one; at most 255 characters.
        html: The body as HTML; capability `html`.
        attachments: Files; capability `attachments`.

    Raises:
        InvalidInput: One of them is not so; the error names it and does not repeat it.
    """

    title: str
    text: str = ""
    severity: Severity = "info"
    to: tuple[str, ...] = ()
    fields: Mapping[str, JSON] = field(default_factory=dict)
    link: str | None = None
    dedupe_key: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        if not self.title.strip() or len(self.title) > MAX_TITLE_CHARS:
            raise _invalid(f"title has 1 to {MAX_TITLE_CHARS} characters")
        if self.severity not in _SEVERITIES:
            raise _invalid(f"severity is one of {', '.join(_SEVERITIES)}")
        to: object = self.to  # a plain text would pass as a list of its letters
        if isinstance(to, str) or not all(each.strip() for each in self.to):
            raise _invalid("to is a list of addresses, and none of them is empty")
        if self.link is not None and not _is_web_address(self.link):
            raise _invalid("link is an address that begins with http:// or https://")
        if self.dedupe_key is not None and not 0 < len(self.dedupe_key) <= MAX_DEDUPE_KEY_CHARS:
            raise _invalid(f"dedupe_key has 1 to {MAX_DEDUPE_KEY_CHARS} characters")
        object.__setattr__(self, "to", tuple(self.to))
        object.__setattr__(self, "attachments", tuple(self.attachments))
        object.__setattr__(self, "fields", dict(self.fields))


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What the service said to a message.

    Attributes:
        id: The service's name for the message, or one of ours where it gives none.
        accepted: The addresses it took.
        rejected: The addresses it refused, each with the reason.
    """

    id: str
    accepted: tuple[str, ...] = ()
    rejected: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Messaging(Protocol):
    """Something that carries notifications to people."""

    async def send(self, message: NotificationMessage) -> Receipt:
        """
        Hand a message over; it is sent once or, when the outcome is unknown, fails without a second try.

        Raises:
            Unsupported: The message needs a capability that the adapter lacks: `html`, `attachments`.
            InvalidInput: The service takes no such address or content.
            Denied: The service refused us.
            RateLimited: The service asks for a pause.
            Unavailable: The service cannot be reached.
            TimedOut: The service did not answer in time.
            NotOpen: The adapter is not open.
        """
        ...


def _is_web_address(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and link.isprintable() and " " not in link


def _invalid(reason: str) -> InvalidInput:
    return InvalidInput(reason, category="messaging", operation="message")
