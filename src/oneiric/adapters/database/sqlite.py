"""A database in one file or in memory: the standard library's SQLite on a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pydantic import Field

from oneiric.adapters.database.common import (
    BATCH,
    Database,
    Params,
    Row,
    Scalar,
    Statement,
    check_batch,
    check_control,
)
from oneiric.core.adapter import CALL_TIMEOUT_S, AdapterSettings, Health
from oneiric.core.errors import InvalidInput, NotOpen, TimedOut, TransactionAborted
from oneiric.core.vendors.sqlite import MEMORY, SqliteThread, described, look, translated

T = TypeVar("T")
BUSY_TIMEOUT_S = 2.0


class _Turn:
    """The right to use a session: a statement has it for its own time, a transaction for as long as it lives."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None  # the task whose transaction has it; its result is not read

    async def take(self, operation: str, timeout_s: float, *, own: bool = False) -> None:
        """Wait for it, at most `timeout_s`; `own` remembers the task, which would wait for itself a second time."""
        if self._owner is not None and self._owner is asyncio.current_task():
            reason = "a transaction of this task is open, and this would wait for itself: use the transaction's object"
            raise InvalidInput(reason, **_where(operation))
        try:
            async with asyncio.timeout(timeout_s):
                await self._lock.acquire()
        except TimeoutError:
            raise _timed_out(operation, timeout_s) from None
        if own:
            self._owner = asyncio.current_task()

    def give_back(self) -> None:
        """Let the next one in."""
        self._owner = None
        self._lock.release()


class _Session:
    """Where statements are made: the database itself, or one of its transactions."""

    dialect: str = "sqlite"

    def __init__(self, timeout_s: float, worker: SqliteThread | None = None) -> None:
        self._timeout_s = timeout_s
        self._worker = worker
        self._depth = 0
        self._read_only = False
        self._turn = _Turn()
        self._inner: _Transaction | None = None
        self._cursors: set[sqlite3.Cursor] = set()  # of streams; only the thread touches it

    async def execute(self, sql: str, params: Params = None) -> int:
        text, values = self._prepared("execute", sql, params)

        def work(connection: sqlite3.Connection) -> int:
            cursor = connection.execute(text, _numbered(values))
            if cursor.description is not None:
                cursor.fetchall()  # rows that nobody asked for; with RETURNING the count is right only after them
            return max(cursor.rowcount, 0)

        return await self._call("execute", work, values)

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> int:
        statement = self._parsed("execute_many", sql)
        text = statement.numbered("?")
        values = [statement.values(row, name="sqlite", operation="execute_many") for row in rows]

        def work(connection: sqlite3.Connection) -> int:
            connection.execute("SAVEPOINT oneiric_many")  # outside of a transaction this begins one
            try:
                written = connection.executemany(text, map(_numbered, values)).rowcount
                connection.execute("RELEASE oneiric_many")
            except BaseException:
                if connection.in_transaction:  # SQLite may have rolled back everything by itself
                    connection.execute("ROLLBACK TO oneiric_many")
                    connection.execute("RELEASE oneiric_many")
                raise
            return max(written, 0)

        return await self._call("execute_many", work, [value for row in values for value in row])

    async def fetch_all(self, sql: str, params: Params = None) -> list[Row]:
        text, values = self._prepared("fetch_all", sql, params)

        def work(connection: sqlite3.Connection) -> list[Row]:
            cursor = connection.execute(text, _numbered(values))
            return _rows(cursor, cursor.fetchall())

        return await self._call("fetch_all", work, values)

    async def fetch_one(self, sql: str, params: Params = None) -> Row | None:
        text, values = self._prepared("fetch_one", sql, params)

        def work(connection: sqlite3.Connection) -> Row | None:
            cursor = connection.execute(text, _numbered(values))
            rows = _rows(cursor, cursor.fetchmany(1))
            cursor.close()
            return rows[0] if rows else None

        return await self._call("fetch_one", work, values)

    async def stream(self, sql: str, params: Params = None, *, batch: int = BATCH) -> AsyncIterator[Row]:
        check_batch(batch, name="sqlite")
        text, values = self._prepared("stream", sql, params)
        made: list[sqlite3.Cursor] = []

        def begin(connection: sqlite3.Connection) -> None:
            made.append(connection.cursor())
            self._cursors.add(made[0])
            made[0].execute(text, _numbered(values))

        def more(_connection: sqlite3.Connection) -> list[Row]:
            return _rows(made[0], made[0].fetchmany(batch))

        worker = self._worker
        try:
            await self._call("stream", begin, values)
            while rows := await self._call("stream", more, values):
                for row in rows:
                    yield row
        finally:
            if worker is not None and not worker.is_closed and made:
                await worker.run(lambda: self._forget(made[0]), to_the_end=True)

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[Database]:
        self._ready("transaction")
        turn = self._turn
        await turn.take("transaction", self._timeout_s, own=True)
        try:
            inner = self._inner = _Transaction(self, self._ready("transaction"), read_only)
            try:
                await inner.begin()
                yield inner
                await inner.commit()
            finally:
                await inner.end()
        finally:
            turn.give_back()

    def _ready(self, operation: str) -> SqliteThread:
        if self._worker is None or self._worker.is_closed:
            raise NotOpen("open it first" if self._depth == 0 else "the transaction is over", **_where(operation))
        return self._worker

    def _parsed(self, operation: str, sql: str) -> Statement:
        statement = Statement.parse(sql, brackets=True)
        check_control(statement, name="sqlite", operation=operation)
        return statement

    def _prepared(self, operation: str, sql: str, params: Params) -> tuple[str, tuple[Scalar, ...]]:
        statement = self._parsed(operation, sql)
        return statement.numbered("?"), statement.values(params, name="sqlite", operation=operation)

    async def _call(self, operation: str, work: Callable[[sqlite3.Connection], T], values: Sequence[Scalar]) -> T:
        """Wait for the turn and do the work on the thread, in `timeout_s` altogether."""
        self._ready(operation)
        turn, begun_s = self._turn, time.monotonic()
        await turn.take(operation, self._timeout_s)
        try:
            left_s = self._timeout_s - (time.monotonic() - begun_s)
            async with asyncio.timeout(max(left_s, 0)):
                return await self._on_thread(operation, work, values)
        except TimeoutError:
            raise _timed_out(operation, self._timeout_s) from None
        finally:
            turn.give_back()

    async def _on_thread(
        self,
        operation: str,
        work: Callable[[sqlite3.Connection], T],
        values: Sequence[Scalar] = (),
        *,
        to_the_end: bool = False,
    ) -> T:
        worker = self._ready(operation)  # it may have been closed while this call waited

        def guarded() -> T:
            connection = worker.connection
            if connection is None:
                raise NotOpen("open it first", **_where(operation))
            if self._depth > 0 and not connection.in_transaction:
                raise _aborted(operation)  # what follows would be written although the transaction is lost
            with translated("database", operation, values):
                return work(connection)

        return await worker.run(guarded, to_the_end=to_the_end)

    def _forget(self, cursor: sqlite3.Cursor) -> None:
        self._cursors.discard(cursor)
        cursor.close()


class _Transaction(_Session):
    """A transaction, or a savepoint in one."""

    def __init__(self, outer: _Session, worker: SqliteThread, read_only: bool) -> None:
        super().__init__(outer._timeout_s, worker)
        self._outer = outer
        self._depth = outer._depth + 1
        self._read_only = read_only or outer._read_only
        self._is_begun = False  # written by the thread, where the statements are

    async def begin(self) -> None:
        """Begin; a writer takes the write lock at once, so that two of them cannot block each other half-way."""

        def work(connection: sqlite3.Connection) -> None:
            first = "BEGIN" if self._read_only else "BEGIN IMMEDIATE"
            connection.execute(first if self._depth == 1 else f"SAVEPOINT oneiric_{self._depth}")
            self._is_begun = True
            if self._read_only:
                connection.execute("PRAGMA query_only = ON")

        await self._outer._on_thread("transaction", work, to_the_end=True)

    async def commit(self) -> None:
        """Make what was done stay; a cancellation meanwhile comes too late to prevent it."""

        def work(connection: sqlite3.Connection) -> None:
            self._close_cursors()
            connection.execute("COMMIT" if self._depth == 1 else f"RELEASE oneiric_{self._depth}")
            self._is_begun = False

        # A task that was started in the block may be in the middle of a statement.
        await self._turn.take("transaction", self._timeout_s)
        try:
            await self._on_thread("transaction", work, to_the_end=True)
        finally:
            self._turn.give_back()

    async def end(self) -> None:
        """Roll back unless it was committed, whoever is cancelled meanwhile, and refuse all further use."""
        worker = self._worker
        self._detach()
        if worker is None or worker.is_closed:
            return  # closing the connection has rolled it back

        def work() -> None:
            connection = worker.connection
            if connection is None:
                return
            with translated("database", "transaction"):
                self._close_cursors()
                if self._read_only and not self._outer._read_only:
                    connection.execute("PRAGMA query_only = OFF")
                if self._is_begun and connection.in_transaction:
                    if self._depth == 1:
                        connection.execute("ROLLBACK")
                    else:
                        connection.execute(f"ROLLBACK TO oneiric_{self._depth}")
                        connection.execute(f"RELEASE oneiric_{self._depth}")

        await worker.run(work, to_the_end=True)

    def _detach(self) -> None:
        """Refuse all further use, also of an inner transaction that another task still has."""
        self._worker = None
        if self._inner is not None:
            self._inner._detach()

    def _close_cursors(self) -> None:
        for cursor in tuple(self._cursors):
            self._forget(cursor)


class SqliteDatabase(_Session):
    """
    SQLite on one connection and one thread; the event loop never waits for the disk.

    All calls share the connection: while a transaction is open, statements of other tasks wait for it, at most
    `timeout_s`. A statement on this object inside a transaction of the same task is refused, since it would wait for
    itself. Other processes may use the same file: it is in WAL mode, where readers and a writer do not wait for each
    other. Not every file system of a network can do that; the file belongs on a local one.
    """

    class Settings(AdapterSettings):
        """Which file, and how long to wait."""

        path: str = Field(
            default=MEMORY,
            min_length=1,
            description="the file, made where it is missing, in a folder that exists; :memory: lives until close",
        )
        timeout_s: float = Field(default=CALL_TIMEOUT_S, gt=0, description="seconds that one call may take in all")
        busy_timeout_s: float = Field(
            default=BUSY_TIMEOUT_S, ge=0, description="seconds to wait while another process has the file locked"
        )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.timeout_s)
        self._settings = settings

    @property
    def native(self) -> Any:  # sqlite3.Connection | None; outside the contract
        """The `sqlite3.Connection` while it is open, else None; not to be used while calls are under way."""
        return None if self._worker is None else self._worker.connection

    async def open(self) -> None:
        if self._worker is not None:
            return
        worker = SqliteThread("database")
        await worker.connect(self._settings.path, min(self._settings.busy_timeout_s, self._settings.timeout_s))
        self._worker, self._turn = worker, _Turn()

    async def close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()

    async def health(self) -> Health:
        worker, begun_s = self._worker, time.monotonic()
        if worker is None or worker.connection is None:
            return Health(ok=False, detail="not open")
        connection = worker.connection
        try:
            # Not in the session's turn: a long transaction of somebody else is no illness.
            async with asyncio.timeout(self._settings.health_timeout_s):
                await worker.run(lambda: look(connection))
        except TimeoutError:
            return Health(ok=False, detail="no answer in time", latency_s=time.monotonic() - begun_s)
        except sqlite3.Error as error:
            return Health(ok=False, detail=described(error)[1], latency_s=time.monotonic() - begun_s)
        return Health(ok=True, latency_s=time.monotonic() - begun_s)


def _numbered(values: Sequence[Scalar]) -> dict[str, Scalar]:
    """
    Return the values of `?1`, `?2` by their numbers.

    Python 3.12.0 to 3.12.3 warn where these get a sequence (https://github.com/python/cpython/issues/117995).
    """
    return {str(number): value for number, value in enumerate(values, 1)}


def _rows(cursor: sqlite3.Cursor, found: Sequence[tuple[Any, ...]]) -> list[Row]:  # whatever the columns hold
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found]


def _where(operation: str) -> dict[str, str]:
    return {"category": "database", "name": "sqlite", "operation": operation}


def _timed_out(operation: str, timeout_s: float) -> TimedOut:
    return TimedOut(f"not done within {timeout_s:g} s", **_where(operation))


def _aborted(operation: str) -> TransactionAborted:
    return TransactionAborted("the database has rolled the transaction back", **_where(operation))
