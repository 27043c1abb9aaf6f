"""What the adapters on SQLite share: a connection with a thread of its own, and the error map."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Conflict,
    Denied,
    InvalidInput,
    TransactionAborted,
    Unavailable,
)

T = TypeVar("T")
MEMORY = ":memory:"
STEPS_BETWEEN_LOOKS = 1000  # instructions of SQLite's machine, well below a millisecond


class _Job:
    """A piece of work for the thread, and whether nobody waits for it any more."""

    __slots__ = ("is_abandoned",)

    def __init__(self) -> None:
        self.is_abandoned = False


class SqliteThread:
    """
    The thread that alone touches the connection; it does one job after the other.

    A thread cannot be cancelled. Whoever is cancelled while a job runs makes SQLite stop it, through the progress
    handler, and waits until the thread has let go: so no statement runs on behind its caller's back.

    Args:
        category: The category of the adapter, for errors.

    Attributes:
        connection: For what runs on the thread; None before `connect` and after `close`.
        is_closed: `close` was called; nothing more may be run.
    """

    def __init__(self, category: str) -> None:
        self._category = category
        self.connection: sqlite3.Connection | None = None
        self.is_closed = False
        self._job: _Job | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="oneiric-sqlite")

    async def connect(self, path: str, busy_timeout_s: float) -> None:
        """
        Open a file, or `:memory:`, with foreign keys enforced and, for a file, in WAL mode.

        On failure and cancellation the thread ends and nothing stays open.

        Args:
            path: The file; its folder has to exist.
            busy_timeout_s: Seconds a statement waits for a lock of another connection, 0 or more.

        Raises:
            AdapterError: The file cannot be opened, or is none of SQLite's.
        """
        try:
            await self.run(lambda: self._connect(path, busy_timeout_s))
        except BaseException:
            await self.close()
            raise

    async def run(self, work: Callable[[], T], *, to_the_end: bool = False) -> T:
        """
        Do something on the thread and return its result.

        Args:
            work: What to do; it runs alone.
            to_the_end: Let it finish although its caller is cancelled meanwhile: for commit, rollback and close.

        Raises:
            CancelledError: The caller was cancelled; the thread has let go by then.
            Exception: Whatever `work` raises.
        """
        job = _Job()
        submitted = self._executor.submit(self._do, job, work)
        running = asyncio.wrap_future(submitted)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if to_the_end or not submitted.cancel():  # what has not begun need not be waited for
                job.is_abandoned = not to_the_end
                await _settled(running)
            raise

    async def close(self) -> None:
        """
        Close the connection after what is under way, and end the thread; a second call does nothing.

        A transaction that is open is rolled back.
        """
        if self.is_closed:
            return
        self.is_closed = True
        try:
            await self.run(self._disconnect, to_the_end=True)
        finally:
            self._executor.shutdown()  # joins a thread that has nothing left to do

    def _connect(self, path: str, busy_timeout_s: float) -> None:
        with translated(self._category, "open"):
            # Only this thread uses the connection, but the garbage collector may free a cursor in any.
            connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
            self.connection = connection
            connection.set_progress_handler(self._is_abandoned, STEPS_BETWEEN_LOOKS)
            connection.execute("PRAGMA foreign_keys = ON")
            if path != MEMORY:
                connection.execute("PRAGMA journal_mode = WAL")
            look(connection)

    def _disconnect(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _do(self, job: _Job, work: Callable[[], T]) -> T:
        self._job = job
        try:
            return work()
        finally:
            self._job = None

    def _is_abandoned(self) -> bool:
        return self._job is not None and self._job.is_abandoned


def look(connection: sqlite3.Connection) -> None:
    """Read the header of the file, which fails where the file is none of SQLite's; for open and health."""
    connection.execute("PRAGMA schema_version").fetchone()


async def _settled(running: asyncio.Future[Any]) -> None:  # its result is dropped
    """Wait until the thread has let go, however often the caller is cancelled meanwhile; the caller raises on."""
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            continue
    if not running.cancelled():
        running.exception()  # so that asyncio does not report it as never looked at


@contextmanager
def translated(category: str, operation: str, values: Sequence[object] = ()) -> Iterator[None]:
    """
    Give errors of the standard library our names.

    Args:
        category: The adapter's category.
        operation: The method that runs.
        values: The statement's parameters. SQLite's own text is kept where it shows none of them.

    Raises:
        AdapterError: Something of sqlite3 was raised in the block.
    """
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeEncodeError) as error:
        kind, reason = described(error)
        said = _SAFE_TO_SAY.fullmatch(str(error))
        if said and not any(_overlap(said[said.lastindex or 0], value) for value in values if said.lastindex):
            reason = f"{reason}: {error}"
        raise kind(reason, category=category, name="sqlite", operation=operation) from None


def described(error: Exception) -> tuple[type[AdapterError], str]:
    """Return our class for an error of sqlite3, and what happened in a few words without any value."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # found by Python's own layer: the number of parameters, two statements, a lone surrogate
        return InvalidInput, "SQLite cannot take this statement or these parameters"
    return _KINDS.get(code) or _KINDS.get(code & 0xFF) or (AdapterError, f"SQLite's error {code}")


def _overlap(part: str, value: object) -> bool:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return value is not None and (part in text or (text in part and text != ""))


# Source of the codes: https://sqlite.org/rescode.html. An extended code keeps its primary code in the lowest 8 bits.
_KINDS: dict[int, tuple[type[AdapterError], str]] = {
    sqlite3.SQLITE_ERROR: (InvalidInput, "wrong SQL"),
    sqlite3.SQLITE_MISMATCH: (InvalidInput, "a value does not fit its column"),
    sqlite3.SQLITE_TOOBIG: (InvalidInput, "a value or the statement is too big"),
    sqlite3.SQLITE_CONSTRAINT: (InvalidInput, "a value breaks a rule of its column"),
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: (Conflict, "a unique key is taken"),
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: (Conflict, "a primary key is taken"),
    sqlite3.SQLITE_CONSTRAINT_ROWID: (Conflict, "a primary key is taken"),
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: (Conflict, "a foreign key forbids it"),
    sqlite3.SQLITE_BUSY: (Unavailable, "another connection has the file locked"),
    sqlite3.SQLITE_BUSY_SNAPSHOT: (TransactionAborted, "another connection has written since it began"),
    sqlite3.SQLITE_LOCKED: (Unavailable, "a table is locked"),
    sqlite3.SQLITE_ABORT: (TransactionAborted, "a rollback ended it"),
    sqlite3.SQLITE_READONLY: (Denied, "only reading is allowed"),
    sqlite3.SQLITE_PERM: (Denied, "no access"),
    sqlite3.SQLITE_AUTH: (Denied, "no access"),
    sqlite3.SQLITE_CANTOPEN: (Unavailable, "the file cannot be opened: does its folder exist?"),
    sqlite3.SQLITE_IOERR: (Unavailable, "the file cannot be read or written"),
    sqlite3.SQLITE_FULL: (Unavailable, "the disk is full"),
    sqlite3.SQLITE_CORRUPT: (BadReply, "the file is damaged"),
    sqlite3.SQLITE_NOTADB: (BadReply, "the file is no SQLite database"),
}
# Texts that hold names of the schema, or a word (in the group) that is one of the statement unless a full text search
# or a JSON path took it from a parameter.
_SAFE_TO_SAY = re.compile(
    r"incomplete input|FOREIGN KEY constraint failed|attempt to write a readonly database"
    r"|(?:UNIQUE|NOT NULL|CHECK) constraint failed: .*|(?:table|index) \S+ already exists"
    r'|near "(.*)": syntax error|no such (?:table|column|function): (.*)|ambiguous column name: (.*)',
    re.DOTALL,
)
