"""Where a test's backend comes from: an address in the environment, else a starter."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from tests.backends.backends import STARTERS
from tests.backends.server import Server
from tests.support.wait import is_listening


class MissingBackend(Exception):
    """A backend that can neither be reached nor started here; the message says what would help."""


def variable_of(name: str) -> str:
    """Return the environment variable that holds the address of a backend."""
    return f"ONEIRIC_TEST_{name.upper()}_URL"


def from_environment(name: str) -> Mapping[str, str | int] | None:
    """
    Return what a client needs to reach a backend whose address the environment holds; None where it holds none.

    Args:
        name: As in `STARTERS`, or the part of the variable between `ONEIRIC_TEST_` and `_URL`, in lower case.

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
    return {"url": url}


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
