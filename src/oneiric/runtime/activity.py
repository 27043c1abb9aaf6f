"""
The activity store: what happened to an application, kept in an SQLite file that several processes write.

One thread of each process has the connection. Whoever tells the store something does not wait; the future that `keep`
returns is done when the row is on the disk, so that what was acknowledged outlives the process and the machine.

Source: https://sqlite.org/wal.html (readers do not block writers), https://sqlite.org/pragma.html#pragma_synchronous
(FULL: a commit that returned is durable).
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from oneiric.core.errors import OneiricError, StoreCorrupt, StoreNewer, StoreUnavailable
from oneiric.core.log import log, redact, scrub
from oneiric.core.vendors.sqlite import described
from oneiric.runtime.settings import ActivitySettings
from oneiric.runtime.swap_events import SwapEvent

MEMORY = ":memory:"
FOLDER, FILE = ".oneiric", "activity.sqlite"
BUSY_TIMEOUT_S = 5.0
RETENTION = timedelta(days=30)
MOST_ROWS = 100_000
PRUNED_EVERY = 1_000  # rows
MOST_WAITING = 10_000  # rows that are not written yet; more are lost rather than fill the memory
MOST_READ = 1_000
LOOK_S = 0.01  # between two tries to switch a new file to WAL

_FIRST = """
CREATE TABLE activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    generation INTEGER,
    origin TEXT,
    detail TEXT NOT NULL
);
CREATE INDEX activity_at ON activity (at);
CREATE INDEX activity_subject ON activity (subject, id);
"""
MIGRATIONS = (_FIRST,)  # the schema number is how many of them a file has seen
COLUMNS = "id, at, kind, subject, outcome, generation, origin, detail"
_NO_DATABASE = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


class Entry(NamedTuple):
    """
    One thing that happened.

    Attributes:
        kind: `swap`.
        subject: What it happened to: `slot:cache`.
        outcome: What happened; of a swap the step, such as `flipped` or `failed`.
        generation: The generation that it led to, or that stayed.
        origin: The place that asked for it.
        detail: What else there is to say; it is redacted before it is kept.
        id: Its number in the store, rising; 0 before it is kept.
        at: When it was kept, UTC, `2027-01-31T12:00:00.000000Z`; empty before.
    """

    kind: str
    subject: str
    outcome: str
    generation: int | None = None
    origin: str | None = None
    detail: Mapping[str, Any] = {}
    id: int = 0
    at: str = ""

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "id": self.id,
            "at": self.at,
            "kind": self.kind,
            "subject": self.subject,
            "outcome": self.outcome,
            "generation": self.generation,
            "origin": self.origin,
            "detail": dict(self.detail),
        }

    @classmethod
    def of(cls, event: SwapEvent) -> Entry:
        """Return what is kept of one step of a swap."""
        told = event.fields()
        detail = {name: told[name] for name in ("before", "after", "layer", "seconds", "error", "cause")}
        subject = f"slot:{event.slot}" if event.slot else "app"
        return cls("swap", subject, event.step, event.generation, event.origin, detail)


class Wanted(NamedTuple):
    """
    Which rows are asked for.

    Attributes:
        kind: Only of this kind.
        subject: Only about this subject.
        since: Only from this moment on, as `stamp` writes it.
        after: Only with a higher id.
    """

    kind: str | None = None
    subject: str | None = None
    since: str | None = None
    after: int = 0


EVERYTHING = Wanted()


def find_path(settings: ActivitySettings, environ: Mapping[str, str], *, is_local: bool) -> str:
    """
    Return the file of the store, or `:memory:`.

    Args:
        settings: Section `activity`; its path wins.
        environ: STATE_DIRECTORY names the folder that systemd gives a service, the first of a list with colons.
        is_local: The profile keeps files on this machine.

    Source: systemd.exec(5), StateDirectory=.
    """
    if settings.path is not None:
        return settings.path
    if not is_local:
        return MEMORY
    return str(Path(environ.get("STATE_DIRECTORY", "").partition(":")[0] or FOLDER, FILE))


def stamp(moment: datetime) -> str:
    """Return a moment as rows have it: UTC, of one width, so that texts sort as moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def utc_now() -> datetime:
    """Return the moment of now."""
    return datetime.now(UTC)


class ActivityStore:
    """
    Keeps what happened; a `Recorder` of swaps.

    A store that fails loses rows and says so in the log once; it never fails what it reports.

    Args:
        path: The file, or `:memory:`. It is opened by `open`, or by the first use.
        now: Returns the moment of now.
    """

    def __init__(self, path: str, *, now: Callable[[], datetime] = utc_now) -> None:
        self.path, self._now = path, now
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="oneiric-activity")
        self._connection: sqlite3.Connection | None = None  # only the thread touches it
        self._lock = Lock()
        self._waiting: list[tuple[Entry, Future[int]]] = []
        self._inserted = 0
        self._is_closed = self._has_told = False

    def open(self) -> None:
        """
        Open the file, bring it to the schema of today, and drop rows that are too old.

        Raises:
            StoreNewer: A later version has written it; nothing was changed.
            StoreCorrupt: It is no activity store; nothing was changed.
            StoreUnavailable: It cannot be opened now.
        """
        self._executor.submit(self._connected).result()

    def record(self, event: SwapEvent) -> None:
        """Keep a step of a swap; does not wait and does not raise."""
        self.keep(Entry.of(event))

    def keep(self, entry: Entry) -> Future[int]:
        """
        Keep something; does not wait and does not raise.

        Returns:
            A future of the row's id. It is done when the row is on the disk, and has the error of a row that is lost.
        """
        done: Future[int] = Future()
        with self._lock:
            is_refused = self._is_closed or len(self._waiting) >= MOST_WAITING
            if not is_refused:
                self._waiting.append((entry, done))
                if len(self._waiting) == 1:
                    self._executor.submit(self._write_waiting)
        if is_refused:
            self._lost([(entry, done)], StoreUnavailable(self.path, "it is closed, or too far behind"))
        return done

    def rows(self, wanted: Wanted = EVERYTHING) -> list[Entry]:
        """
        Return rows, newest last: those that follow `after`, or the newest ones; at most 1,000.

        Raises:
            StoreNewer, StoreCorrupt, StoreUnavailable: The store cannot be read.
        """
        return self.ask(wanted).result()

    def ask(self, wanted: Wanted) -> Future[list[Entry]]:
        """Return a future of the same; does not wait."""
        return self._executor.submit(self._read, wanted)

    def close(self) -> None:
        """Write what waits, and close the file; a second call does nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._executor.submit(self._disconnect)
        self._executor.shutdown()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = _connect(self.path)
            try:
                with _named(self.path):
                    _prepare(connection, self.path)
                    with _transaction(connection):
                        self._prune(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, wanted: Wanted) -> list[Entry]:
        connection = self._connected()
        with _named(self.path):
            return _select(connection, wanted)

    def _write_waiting(self) -> None:
        """Write all that waits in one transaction: one wait for the disk, however many rows there are."""
        with self._lock:
            batch, self._waiting = self._waiting, []
        batch = [one for one in batch if one[1].set_running_or_notify_cancel()]
        try:
            ids = self._insert([entry for entry, _ in batch])
        except Exception as error:  # border: what happened has happened, whether it can be kept or not
            self._lost(batch, error)
            return
        for (_, done), number in zip(batch, ids, strict=True):
            done.set_result(number)

    def _insert(self, entries: Sequence[Entry]) -> list[int]:
        connection = self._connected()
        insert = f"INSERT INTO activity ({COLUMNS}) VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
        at = stamp(self._now())
        with _named(self.path), _transaction(connection):
            ids = [connection.execute(insert, (at, *_shown(entry))).lastrowid or 0 for entry in entries]
            self._inserted += len(entries)
            if self._inserted >= PRUNED_EVERY:
                self._prune(connection)
        return ids

    def _prune(self, connection: sqlite3.Connection) -> None:
        """Drop the rows that are too old or too many."""
        connection.execute("DELETE FROM activity WHERE at < ?", (stamp(self._now() - RETENTION),))
        newest = "SELECT id FROM activity ORDER BY id DESC LIMIT 1 OFFSET ?"
        connection.execute(f"DELETE FROM activity WHERE id <= ({newest})", (MOST_ROWS,))
        self._inserted = 0

    def _lost(self, batch: Sequence[tuple[Entry, Future[int]]], error: Exception) -> None:
        if not self._has_told:
            self._has_told = True
            code = error.code if isinstance(error, OneiricError) else type(error).__name__
            log().warning("activity is not kept", code=code, why=str(error))
        for _, done in batch:
            done.set_exception(error)


def read_rows(path: str, wanted: Wanted = EVERYTHING) -> list[Entry]:
    """
    Return rows of a store that other processes may write, as `ActivityStore.rows`; the file is not changed.

    Raises:
        FileNotFoundError: There is no such file.
        StoreNewer, StoreCorrupt, StoreUnavailable: The file cannot be read.
    """
    if not Path(path).exists():
        raise FileNotFoundError(path)
    connection = _connect(path)
    try:
        with _named(path):
            return _select(connection, wanted) if _schema(connection, path) else []
    finally:
        connection.close()


def _connect(path: str) -> sqlite3.Connection:
    """Open a file; nothing is written, but an empty file where there is none, which only its user may read."""
    with _named(path):
        if path != MEMORY:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def _schema(connection: sqlite3.Connection, path: str) -> int:
    """Return the schema number of a file. Raises StoreNewer or StoreCorrupt if it is none of ours."""
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if tables and "activity" not in tables:
        raise StoreCorrupt(path, "it is the database of another program")
    if number > len(MIGRATIONS):
        raise StoreNewer(path, number, len(MIGRATIONS))
    if tables and not number:
        raise StoreCorrupt(path, "it is the database of another program")
    return number


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    """Bring a file to the schema of today; several processes may do so at once."""
    _schema(connection, path)
    if path != MEMORY:
        _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    with _transaction(connection):
        for number in range(_schema(connection, path), len(MIGRATIONS)):
            for statement in MIGRATIONS[number].split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait for others here as it does elsewhere, so that we have to."""
    end = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
            time.sleep(LOOK_S)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of a block or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Give errors of the standard library our names."""
    try:
        yield
    except sqlite3.Error as error:
        why = described(error)[1]
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_DATABASE:
            raise StoreCorrupt(path, why) from None
        raise StoreUnavailable(path, why) from None
    except OSError as error:
        raise StoreUnavailable(path, error.strerror or type(error).__name__) from None


def _select(connection: sqlite3.Connection, wanted: Wanted) -> list[Entry]:
    said = {"kind =": wanted.kind, "subject =": wanted.subject, "at >=": wanted.since, "id >": wanted.after}
    asked = {test: value for test, value in said.items() if value is not None}
    where = " AND ".join(f"{test} ?" for test in asked)
    order = "ASC" if wanted.after else "DESC"
    select = f"SELECT {COLUMNS} FROM activity WHERE {where} ORDER BY id {order} LIMIT {MOST_READ}"
    rows = [
        Entry(kind, subject, outcome, generation, origin, json.loads(detail), number, at)
        for number, at, kind, subject, outcome, generation, origin, detail in connection.execute(
            select, [*asked.values()]
        )
    ]
    return rows if wanted.after else rows[::-1]


def _shown(entry: Entry) -> tuple[Any, ...]:
    """Return the columns of an entry, without secrets."""
    detail = json.dumps(redact("detail", entry.detail))
    origin = None if entry.origin is None else scrub(entry.origin)
    return entry.kind, scrub(entry.subject), entry.outcome, entry.generation, origin, detail
