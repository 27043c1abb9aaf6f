"""Where a test's backend comes from: an address in the environment, else a starter."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.backends.backends import STARTERS
from tests.backends.server import Server
from tests.support.wait import is_listening


class MissingBackend(Exception):
    """A backend that can neither be reached nor started here; the message says what would help."""


@dataclass(slots=True)
class Backend:
    """
    A server that a test may use.

    Attributes:
        name: As in `STARTERS`, or the part of the variable between `ONEIRIC_TEST_` and `_URL`, in lower case.
        settings: What a client needs; `url` where the server has one.
        unique: A prefix of this test's own, `[a-z][a-z0-9]*`, so that tests share a server without meeting.
    """

    name: str
    settings: dict[str, str | int]
    unique: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:12]}")

    @property
    def url(self) -> str:
        """The server's address."""
        return str(self.settings["url"])


def variable_of(name: str) -> str:
    """Return the environment variable that holds the address of a backend."""
    return f"ONEIRIC_TEST_{name.upper()}_URL"


def from_environment(name: str) -> Backend | None:
    """
    Return the backend whose address the environment holds, or None where the variable is not set.

    Raises:
        MissingBackend: It is set, and nothing listens there.
    """
    url = os.environ.get(variable_of(name))
    if not url:
        return None
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port
    if port is not None and not is_listening(port, host=host):
        raise MissingBackend(f"{variable_of(name)} names {host}:{port}, and nothing listens there")
    return Backend(name, {"url": url})


def start(name: str) -> Server:
    """
    Start a backend of `STARTERS`.

    Raises:
        MissingBackend: It has no starter, or its program is not installed.
    """
    if name not in STARTERS:
        raise MissingBackend(f"{name} has no starter: set {variable_of(name)}")
    try:
        return STARTERS[name]()
    except FileNotFoundError as error:
        wants = (STARTERS[name].__doc__ or "").strip().splitlines()[0]
        raise MissingBackend(f"{error}; set {variable_of(name)}, or install it: {wants}") from error
