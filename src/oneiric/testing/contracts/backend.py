"""What a test gets to run an adapter against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Backend:
    """
    One place to work in, private to one test.

    Attributes:
        url: Address of a running server; None where the adapter needs none.
        folder: An empty temporary folder.
        unique: A name that no other test has, of `a-z0-9` and at most 40 characters: for namespaces, tables, queues.
        settings: What a client needs besides the address, such as a region or a key.
    """

    url: str | None
    folder: Path
    unique: str
    settings: Mapping[str, str | int] = field(default_factory=dict)
