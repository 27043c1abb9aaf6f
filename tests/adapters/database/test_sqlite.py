"""SQLite keeps the contract, its file is shared with other processes, and its thread lets go."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_asyncio

from oneiric.adapters.database import Database
from oneiric.adapters.database.sqlite import SqliteDatabase
from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Conflict,
    Denied,
    InvalidInput,
    NotOpen,
    TimedOut,
    TransactionAborted,
    Unavailable,
)
from oneiric.testing.contracts.backend import Backend
from oneiric.testing.contracts.database import DatabaseContract

FOR_EVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n"


class TestSqliteFile(DatabaseContract):
    """The suite of the category, on a file."""

    adapter: ClassVar[type[SqliteDatabase]] = SqliteDatabase

    def settings(self, backend: Backend) -> dict[str, object]:
        return {"path": str(backend.folder / "app.db")}

    def spoil(self, backend: Backend) -> Callable[[], None] | None:
        file = backend.folder / "app.db"
        file.write_bytes(b"this is no database " * 100)
        return file.unlink


class TestSqliteMemory(DatabaseContract):
    """The suite of the category, in memory."""

    adapter: ClassVar[type[SqliteDatabase]] = SqliteDatabase


@pytest_asyncio.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """An open file with one table `t` of id and name."""
    made = SqliteDatabase(SqliteDatabase.Settings(path=str(tmp_path / "app.db"), busy_timeout_s=0))
    await made.open()
    await made.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    yield made
    await made.close()


async def _count(db: SqliteDatabase) -> int:
    row = await db.fetch_one("SELECT count(*) AS n FROM t")
    assert row is not None
    return int(row["n"])


@pytest.mark.asyncio
async def test_another_process_reads_while_a_transaction_writes(db: SqliteDatabase, tmp_path: Path) -> None:
    """A reader does not wait for the writer, and sees what was committed before."""
    program = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM t').fetchone()[0])"
    await db.execute("INSERT INTO t VALUES (1, 'a')")

    async with db.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (2, 'b')")
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "app.db")], capture_output=True, text=True, check=True
        )

    assert done.stdout == "1\n"
    assert await _count(db) == 2


@pytest.mark.asyncio
async def test_what_is_committed_is_there_after_opening_again(db: SqliteDatabase) -> None:
    """A file outlives close."""
    await db.execute("INSERT INTO t VALUES (1, 'a')")
    await db.close()
    await db.open()

    assert await db.fetch_all("SELECT * FROM t") == [{"id": 1, "name": "a"}]


@pytest.mark.asyncio
async def test_a_lock_of_another_connection_is_unavailable(db: SqliteDatabase, tmp_path: Path) -> None:
    """Whoever cannot write within busy_timeout_s is told so, may try again, and blocks nobody of ours."""
    other = sqlite3.connect(tmp_path / "app.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable):
        await db.execute("INSERT INTO t VALUES (1, 'a')")
    with pytest.raises(Unavailable) as caught:
        async with db.transaction():
            pass
    other.execute("COMMIT")
    other.close()

    assert caught.value.retryable
    assert await db.execute("INSERT INTO t VALUES (1, 'a')") == 1


@pytest.mark.asyncio
async def test_a_write_after_somebody_elses_is_aborted(db: SqliteDatabase, tmp_path: Path) -> None:
    """A stream holds an old picture of the file; a write beside it is told to try again, not to wait."""
    await db.execute_many("INSERT INTO t VALUES (:id, :name)", [{"id": n, "name": f"n{n}"} for n in range(5)])
    stream = db.stream("SELECT id FROM t", batch=1)
    await anext(stream)
    other = sqlite3.connect(tmp_path / "app.db", isolation_level=None)
    other.execute("INSERT INTO t VALUES (9, 'theirs')")
    other.close()

    with pytest.raises(TransactionAborted):
        await db.execute("INSERT INTO t VALUES (10, 'ours')")
    await stream.aclose()  # type: ignore[attr-defined]  # the Protocol promises an iterator, a generator can be closed

    assert await db.execute("INSERT INTO t VALUES (10, 'ours')") == 1


@pytest.mark.asyncio
async def test_a_statement_that_never_ends_is_timed_out(tmp_path: Path) -> None:
    """The call ends after timeout_s, the thread has stopped, and the next call works."""
    db = SqliteDatabase(SqliteDatabase.Settings(timeout_s=0.1))
    await db.open()

    with pytest.raises(TimedOut):
        await db.fetch_one(FOR_EVER)

    assert await db.fetch_one("SELECT 1 AS one") == {"one": 1}
    await db.close()


@pytest.mark.asyncio
async def test_a_write_that_is_timed_out_takes_its_transaction_along() -> None:
    """SQLite rolls everything back when a write is stopped: what follows in the block is aborted, not written alone."""
    db = SqliteDatabase(SqliteDatabase.Settings(timeout_s=0.1))
    await db.open()
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")

    async def go_on() -> None:
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(TimedOut):
                await tx.execute(
                    "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
                )
            await tx.execute("INSERT INTO t VALUES (0)")

    with pytest.raises(TransactionAborted):
        await go_on()

    assert await _count(db) == 0
    await db.close()


@pytest.mark.asyncio
async def test_health_is_ok_in_somebody_elses_transaction(db: SqliteDatabase) -> None:
    """A long transaction is no illness."""
    async with db.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (1, 'a')")
        health = await db.health()

    assert health.ok


@pytest.mark.asyncio
async def test_health_gives_up_behind_a_long_statement() -> None:
    """The answer comes within health_timeout_s, though the thread is busy."""
    db = SqliteDatabase(SqliteDatabase.Settings(health_timeout_s=0.05))
    await db.open()
    busy = asyncio.create_task(db.fetch_one(FOR_EVER))
    await asyncio.sleep(0)

    health = await db.health()
    was_busy = not busy.done()
    busy.cancel()
    await asyncio.wait([busy])

    assert (health.ok, health.detail, was_busy) == (False, "no answer in time", True)
    assert (await db.health()).ok
    await db.close()


@pytest.mark.asyncio
async def test_waiting_for_oneself_is_refused_at_once(db: SqliteDatabase) -> None:
    """The outer object in a transaction of the same task would wait for ever; the error says what to use."""
    async with db.transaction() as tx:
        with pytest.raises(InvalidInput) as caught:
            await db.execute("INSERT INTO t VALUES (1, 'a')")
        async with tx.transaction():
            with pytest.raises(InvalidInput):
                await tx.execute("INSERT INTO t VALUES (1, 'a')")

    assert "use the transaction's object" in str(caught.value)


@pytest.mark.asyncio
async def test_a_statement_waits_for_a_transaction_at_most_timeout_s() -> None:
    """Another task's transaction that does not end makes the call time out, not hang."""
    db = SqliteDatabase(SqliteDatabase.Settings(timeout_s=0.05))
    await db.open()

    async with db.transaction():
        waiting = asyncio.create_task(db.fetch_one("SELECT 1 AS one"))
        await asyncio.wait([waiting])

    assert isinstance(waiting.exception(), TimedOut)
    await db.close()


@pytest.mark.asyncio
async def test_tasks_of_one_transaction_share_it(db: SqliteDatabase) -> None:
    """Tasks that were started in the block write through its object, one after the other."""
    async with db.transaction() as tx:
        await asyncio.gather(*(tx.execute("INSERT INTO t VALUES (:id, NULL)", {"id": n}) for n in range(20)))

    assert await _count(db) == 20


@pytest.mark.asyncio
async def test_an_inner_transaction_ends_with_its_outer_one(db: SqliteDatabase) -> None:
    """A task that goes on in a savepoint whose transaction was rolled back writes nowhere, not into the next one."""
    inside, over = asyncio.Event(), asyncio.Event()

    async def stray(tx: Database) -> None:
        async with tx.transaction() as inner:
            inside.set()
            await over.wait()
            await inner.execute("INSERT INTO t VALUES (1, 'stray')")

    tasks: list[asyncio.Task[None]] = []

    async def fail() -> None:
        async with db.transaction() as tx:
            tasks.append(asyncio.create_task(stray(tx)))
            await inside.wait()
            raise LookupError("the outer block failed")

    with pytest.raises(LookupError):
        await fail()
    async with db.transaction() as following:
        await following.execute("INSERT INTO t VALUES (2, 'right')")
        over.set()
        await asyncio.wait(tasks)

    assert isinstance(tasks[0].exception(), NotOpen)
    assert await db.fetch_all("SELECT name FROM t") == [{"name": "right"}]


@pytest.mark.asyncio
async def test_closing_takes_an_open_transaction_back(db: SqliteDatabase) -> None:
    """Close does not wait for a transaction; what it wrote is gone and its object is not open."""

    async def close_inside() -> None:
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (1, 'a')")
            await db.close()
            await tx.execute("INSERT INTO t VALUES (2, 'b')")

    with pytest.raises(NotOpen):
        await close_inside()
    await db.open()

    assert await _count(db) == 0


@pytest.mark.asyncio
async def test_the_event_loop_goes_on_while_sqlite_works(db: SqliteDatabase) -> None:
    """Other tasks run while a statement does: the loop turns until a long statement is cancelled."""
    busy = asyncio.create_task(db.fetch_one(FOR_EVER))

    for _ in range(100):
        await asyncio.sleep(0)
    turned_while_busy = not busy.done()
    busy.cancel()
    await asyncio.wait([busy])

    assert turned_while_busy
    assert busy.cancelled()


@pytest.mark.asyncio
async def test_a_cancelled_statement_has_stopped_when_its_task_ends(db: SqliteDatabase) -> None:
    """Nothing runs on behind the back of a caller that was cancelled."""
    loop, begun, ticks = asyncio.get_running_loop(), asyncio.Event(), [0]

    def tick() -> int:
        ticks[0] += 1
        loop.call_soon_threadsafe(begun.set)
        return ticks[0]

    db.native.create_function("tick", 0, tick)
    busy = asyncio.create_task(db.fetch_one(FOR_EVER.replace("count(*)", "sum(tick())")))
    await begun.wait()
    busy.cancel()
    await asyncio.wait([busy])

    at_the_end = ticks[0]
    assert (await db.health()).ok
    assert ticks[0] == at_the_end


@pytest.mark.asyncio
async def test_foreign_keys_are_enforced(db: SqliteDatabase) -> None:
    """A reference to nothing is a conflict, also where it is checked at commit only; all is taken back."""
    await db.execute("CREATE TABLE c (t_id INTEGER REFERENCES t (id))")
    await db.execute("CREATE TABLE later (t_id INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)")

    with pytest.raises(Conflict):
        await db.execute("INSERT INTO c VALUES (1)")
    with pytest.raises(Conflict):
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO later VALUES (1)")

    assert await db.fetch_all("SELECT * FROM later") == []


@pytest.mark.asyncio
async def test_rows_that_a_write_returns_are_read_and_kept(db: SqliteDatabase) -> None:
    """RETURNING works with every method, and all rows are written though fetch_one reads one."""
    insert = "INSERT INTO t VALUES (:a, 'x'), (:b, 'y') RETURNING id"
    first = await db.fetch_one(insert, {"a": 1, "b": 2})
    await db.execute("DELETE FROM t")
    count = await db.execute(insert, {"a": 3, "b": 4})

    assert (first, count) == ({"id": 1}, 2)
    assert await db.fetch_all("SELECT id FROM t ORDER BY id") == [{"id": 3}, {"id": 4}]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("sql", "params", "error"),
    [
        pytest.param("SELECT 1; SELECT 2", {}, InvalidInput, id="two statements"),
        pytest.param("SELECT ?", {}, InvalidInput, id="a parameter that is no name"),
        pytest.param("SELECT json_extract('{}', :path)", {"path": "canary["}, InvalidInput, id="a wrong JSON path"),
        pytest.param("SELECT :text", {"text": "canary\ud800"}, InvalidInput, id="half of a surrogate pair"),
        pytest.param("SELECT * FROM f WHERE f MATCH :find", {"find": "canary:x"}, InvalidInput, id="a wrong search"),
        pytest.param("SELECT abs(:least)", {"least": -(2**63)}, InvalidInput, id="an overflow"),
        pytest.param("INSERT INTO t VALUES (:id, 'a')", {"id": "canary"}, InvalidInput, id="a text as a number"),
        pytest.param("INSERT INTO t VALUES (1, :n)", {"n": "canary"}, Conflict, id="a key that is taken"),
    ],
)
async def test_no_error_shows_a_parameter(
    db: SqliteDatabase, sql: str, params: dict[str, Any], error: type[AdapterError]
) -> None:
    """SQLite quotes parameters in some of its messages; ours never do."""
    await db.execute("CREATE VIRTUAL TABLE f USING fts5(body)")
    await db.execute("INSERT INTO t VALUES (1, 'canary')")

    with pytest.raises(error) as caught:
        await db.execute(sql, params)

    assert type(caught.value) is error
    assert "canary" not in f"{caught.value}{caught.value!r}"
    assert caught.value.__suppress_context__


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("sql", "said"),
    [
        pytest.param("SELEC 1", 'near "SELEC": syntax error', id="where the syntax is wrong"),
        pytest.param("SELECT * FROM nowhere WHERE 1 = :id", "no such table: nowhere", id="which table"),
        pytest.param("INSERT INTO t VALUES (:id, 'a')", "UNIQUE constraint failed: t.id", id="which key"),
    ],
)
async def test_an_error_says_what_sqlite_said(db: SqliteDatabase, sql: str, said: str) -> None:
    """A text that holds only names of the statement is kept: a person needs it."""
    await db.execute("INSERT INTO t VALUES (7, 'b')")

    with pytest.raises(AdapterError) as caught:
        await db.execute(sql, {"id": 7})

    assert said in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "content", "error"),
    [
        pytest.param("no/such/folder.db", None, Unavailable, id="a folder that is missing"),
        pytest.param("garbage.db", b"x" * 5000, BadReply, id="a file that is no database"),
    ],
)
async def test_a_file_that_cannot_be_had_fails_at_open(
    tmp_path: Path, path: str, content: bytes | None, error: type[AdapterError]
) -> None:
    """Open finds out, not the first query; the message does not show the path."""
    if content is not None:
        (tmp_path / path).write_bytes(content)
    db = SqliteDatabase(SqliteDatabase.Settings(path=str(tmp_path / path)))

    with pytest.raises(error) as caught:
        await db.open()

    assert str(tmp_path) not in str(caught.value)
    assert not (await db.health()).ok


@pytest.mark.asyncio
async def test_a_file_that_may_only_be_read_is_denied(db: SqliteDatabase) -> None:
    """A write that the connection may not make is denied."""
    await db.execute("PRAGMA query_only = ON")

    with pytest.raises(Denied):
        await db.execute("INSERT INTO t VALUES (1, 'a')")


@pytest.mark.asyncio
async def test_native_is_the_connection_while_it_is_open(db: SqliteDatabase) -> None:
    """What the Protocol leaves out is reached through native."""
    opened = db.native
    await db.close()

    assert isinstance(opened, sqlite3.Connection)
    assert db.native is None
