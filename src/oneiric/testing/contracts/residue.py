"""What an adapter may leave behind: threads, tasks and file descriptors; and what it may touch while it is built."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")
_WATCHED = ("open", "os.", "socket.", "sqlite3.", "subprocess.", "shutil.", "tempfile.", "urllib.", "ssl.")
_watchers: dict[int, list[str]] = {}
_hooks: list[object] = []


@dataclass(frozen=True, slots=True)
class Residue:
    """
    How much this process holds at one moment.

    Attributes:
        threads: Names of the threads that run, sorted.
        tasks: How many tasks the running event loop has.
        descriptors: How many file descriptors are open; 0 where the system has no `/proc/self/fd`.
    """

    threads: tuple[str, ...]
    tasks: int
    descriptors: int

    @classmethod
    def now(cls) -> Residue:
        """
        Count what the process holds now.

        Raises:
            RuntimeError: No event loop is running.
        """
        threads = tuple(sorted(thread.name for thread in threading.enumerate()))
        descriptors = len(list(_DESCRIPTORS.iterdir())) if _DESCRIPTORS.is_dir() else 0
        return cls(threads, len(asyncio.all_tasks()), descriptors)

    def over(self, before: Residue) -> list[str]:
        """Return one line for each kind of which there is more now than there was before; empty means no leak."""
        found = []
        if len(self.threads) > len(before.threads):
            found.append(f"threads: {', '.join(before.threads)} became {', '.join(self.threads)}")
        if self.tasks > before.tasks:
            found.append(f"tasks: {before.tasks} became {self.tasks}")
        if self.descriptors > before.descriptors:
            found.append(f"file descriptors: {before.descriptors} became {self.descriptors}")
        return found


@contextmanager
def watched() -> Iterator[list[str]]:
    """
    Collect the files, sockets and processes that this thread touches, by the interpreter's audit events.

    Source: https://docs.python.org/3/library/audit_events.html. An audit hook cannot be taken out again, so there is
    one for the whole process, and it looks at nothing while nobody watches.
    """
    if not _hooks:
        sys.addaudithook(_record)
        _hooks.append(_record)
    seen: list[str] = []
    me = threading.get_ident()
    _watchers[me] = seen
    try:
        yield seen
    finally:
        del _watchers[me]


def _record(event: str, _arguments: tuple[object, ...]) -> None:
    if not _watchers or not event.startswith(_WATCHED):
        return
    seen = _watchers.get(threading.get_ident())
    if seen is not None:
        seen.append(event)
