"""The rules that hold for every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, ClassVar

import pytest
import pytest_asyncio

from oneiric.adapters.database import Database
from oneiric.core.errors import Conflict, Denied, InvalidInput, NotOpen
from oneiric.testing.contracts.adapter import AdapterContract
from oneiric.testing.contracts.backend import Backend

WRITERS = 200
NOT_SURE = [
    pytest.param(True, id="bool"),
    pytest.param(Decimal("1.5"), id="Decimal"),
    pytest.param({"a": 1}, id="JSON object"),
]
NEVER = [
    pytest.param(object(), id="object"),
    pytest.param(2**63, id="more than 64 bits"),
    pytest.param(float("nan"), id="not a number"),
    pytest.param(float("inf"), id="infinite"),
]


class DatabaseContract(AdapterContract):
    """
    What every database promises.

    Attributes:
        bytes_type: How the dialect calls a column of bytes.
    """

    category: ClassVar[str] = "database"
    bytes_type: ClassVar[str] = "BLOB"

    async def use(self, adapter: Any) -> None:  # the class under test
        """Make the smallest query."""
        assert await adapter.fetch_one("SELECT 1 AS one") == {"one": 1}

    @pytest_asyncio.fixture
    async def table(self, opened: Database, backend: Backend) -> AsyncIterator[str]:
        """The name of an empty table: id (key), name (unique text), amount, body; dropped after the test."""
        name = f"t_{backend.unique}"
        await opened.execute(
            f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL UNIQUE,"
            f" amount DOUBLE PRECISION, body {self.bytes_type})"
        )
        yield name
        await opened.execute(f"DROP TABLE {name}")

    async def _names(self, database: Database, table: str) -> list[str]:
        return [row["name"] for row in await database.fetch_all(f"SELECT name FROM {table} ORDER BY id")]

    async def _add(self, database: Database, table: str, id: int, name: str | None = None) -> int:
        values = {"id": id, "name": name or f"n{id}"}
        return await database.execute(f"INSERT INTO {table} (id, name) VALUES (:id, :name)", values)

    def test_it_is_a_database(self, made: Any) -> None:
        """It has every method of the Protocol and names its dialect."""
        assert isinstance(made, Database)
        assert made.dialect in {"sqlite", "postgres", "mysql", "duckdb"}

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("column", "value"),
        [
            pytest.param("id", -(2**31), id="a small int"),
            pytest.param("name", "", id="an empty text"),
            pytest.param("name", "é日本😀'\";--", id="signs"),
            pytest.param("amount", 0.1, id="a float"),
            pytest.param("amount", -1.5e300, id="a big float"),
            pytest.param("amount", None, id="nothing"),
            pytest.param("body", b"", id="no bytes"),
            pytest.param("body", bytes(range(256)), id="all bytes"),
        ],
    )
    async def test_a_value_comes_back_as_it_was(self, opened: Database, table: str, column: str, value: Any) -> None:
        """Int, float, str, bytes and None survive with their type."""
        values = {"id": 1, "name": "n", "amount": None, "body": None, column: value}
        await opened.execute(f"INSERT INTO {table} VALUES (:id, :name, :amount, :body)", values)

        row = await opened.fetch_one(f"SELECT {column} AS found FROM {table}")

        assert row == {"found": value}
        assert type(row["found"]) is type(value)

    @pytest.mark.asyncio
    @pytest.mark.parametrize("value", NEVER)
    async def test_a_value_that_is_never_sure_is_refused(self, opened: Database, value: Any) -> None:
        """What no database keeps as it was is refused before it is sent, and named by its parameter only."""
        with pytest.raises(InvalidInput) as caught:
            await opened.fetch_one("SELECT :wrong AS found", {"wrong": value})

        assert ":wrong" in str(caught.value)
        assert str(value) not in str(caught.value)

    @pytest.mark.asyncio
    @pytest.mark.parametrize("value", NOT_SURE)
    async def test_a_typed_value_needs_the_capability(self, opened: Database, value: Any) -> None:
        """Bool, Decimal and JSON are refused where the capability "typed" is absent."""
        if "typed" in self.capabilities:
            return
        with pytest.raises(InvalidInput) as caught:
            await opened.fetch_one("SELECT :typed AS found", {"typed": value})

        assert ":typed" in str(caught.value)

    @pytest.mark.asyncio
    async def test_parameters_are_found_by_name(self, opened: Database, table: str) -> None:
        """A name may stand twice, what looks like one inside text is none, and unused values are ignored."""
        await self._add(opened, table, 7, "a:b")

        row = await opened.fetch_one(
            f"SELECT id, ':id' AS text FROM {table} /* :no */ WHERE id = :id AND :id = id AND name = :name -- :no",
            {"name": "a:b", "id": 7, "unused": object()},
        )

        assert row == {"id": 7, "text": ":id"}

    @pytest.mark.asyncio
    async def test_a_missing_parameter_is_named(self, opened: Database) -> None:
        """The error says which names have no value, and shows none of the others' values."""
        with pytest.raises(InvalidInput) as caught:
            await opened.fetch_one("SELECT :a AS a, :b AS b, :c AS c", {"b": "canary"})

        assert ":a, :c" in str(caught.value)
        assert "canary" not in str(caught.value)

    @pytest.mark.asyncio
    async def test_a_value_is_never_read_as_sql(self, opened: Database, table: str) -> None:
        """A text that looks like SQL is stored as the text it is."""
        await self._add(opened, table, 1, f"'); DROP TABLE {table}; --")

        assert await self._names(opened, table) == [f"'); DROP TABLE {table}; --"]

    @pytest.mark.asyncio
    async def test_execute_counts_rows(self, opened: Database, table: str) -> None:
        """Insert, update and delete say how many rows they touched."""
        counts = [await self._add(opened, table, 1), await self._add(opened, table, 2)]
        counts.append(await opened.execute(f"UPDATE {table} SET amount = :a", {"a": 1.0}))
        counts.append(await opened.execute(f"DELETE FROM {table} WHERE id > :id", {"id": 5}))

        assert counts == [1, 1, 2, 0]

    @pytest.mark.asyncio
    async def test_execute_many_writes_all_rows(self, opened: Database, table: str) -> None:
        """One statement for many rows of parameters; no rows are no work."""
        sql = f"INSERT INTO {table} (id, name) VALUES (:id, :name)"

        written = await opened.execute_many(sql, [{"id": n, "name": f"n{n}"} for n in range(1, 1001)])

        assert written == 1000
        assert await opened.execute_many(sql, []) == 0
        assert await opened.fetch_one(f"SELECT count(*) AS n FROM {table}") == {"n": 1000}

    @pytest.mark.asyncio
    async def test_execute_many_writes_all_or_none(self, opened: Database, table: str) -> None:
        """A row that fails takes the rows before it back, in a transaction too, which stays usable."""
        sql = f"INSERT INTO {table} (id, name) VALUES (:id, :name)"
        rows = [{"id": n, "name": f"n{n % 3}"} for n in range(5)]

        with pytest.raises(Conflict):
            await opened.execute_many(sql, rows)
        async with opened.transaction() as tx:
            await self._add(tx, table, 9)
            with pytest.raises(Conflict):
                await tx.execute_many(sql, rows)

        assert await self._names(opened, table) == ["n9"]

    @pytest.mark.asyncio
    async def test_fetch_one_is_the_first_row_or_none(self, opened: Database, table: str) -> None:
        """Further rows are dropped, and no row is None."""
        await self._add(opened, table, 2)
        await self._add(opened, table, 1)

        assert await opened.fetch_one(f"SELECT id FROM {table} ORDER BY id") == {"id": 1}
        assert await opened.fetch_one(f"SELECT id FROM {table} WHERE id = 3") is None
        assert await opened.fetch_all(f"SELECT id FROM {table} WHERE id = 3") == []

    @pytest.mark.asyncio
    @pytest.mark.parametrize("batch", [1, 3, 10, 500], ids="batch of {}".format)
    async def test_stream_hands_out_every_row_once(self, opened: Database, table: str, batch: int) -> None:
        """Rows come in order, however the batches fall, and none at all is fine."""
        await opened.execute_many(
            f"INSERT INTO {table} (id, name) VALUES (:id, :name)", [{"id": n, "name": f"n{n}"} for n in range(10)]
        )
        sql = f"SELECT id FROM {table} WHERE id >= :least ORDER BY id"

        seen = [row["id"] async for row in opened.stream(sql, {"least": 0}, batch=batch)]

        assert seen == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        assert [row async for row in opened.stream(sql, {"least": 10}, batch=batch)] == []

    @pytest.mark.asyncio
    async def test_a_batch_below_one_is_refused(self, opened: Database) -> None:
        """A batch of no rows would never end."""
        with pytest.raises(InvalidInput):
            await anext(opened.stream("SELECT 1 AS one", batch=0))

    @pytest.mark.asyncio
    async def test_a_stream_may_be_left_and_written_beside(self, opened: Database, table: str) -> None:
        """Between two rows other calls work, and a stream that is left early is in nobody's way."""
        await opened.execute_many(
            f"INSERT INTO {table} (id, name) VALUES (:id, :name)", [{"id": n, "name": f"n{n}"} for n in range(10)]
        )

        async for row in opened.stream(f"SELECT id FROM {table} ORDER BY id", batch=2):
            await opened.execute(f"UPDATE {table} SET amount = 1.0 WHERE id = :id", dict(row))
            if row["id"] == 4:
                break
        async with opened.transaction() as tx:
            assert (await anext(tx.stream(f"SELECT id FROM {table} ORDER BY id", batch=2))) == {"id": 0}
            await tx.execute(f"UPDATE {table} SET amount = 2.0 WHERE id = 9")

        assert await opened.fetch_one(f"SELECT sum(amount) AS s FROM {table}") == {"s": 7.0}

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("sql", "error"),
        [
            pytest.param("SELEC 1", InvalidInput, id="a syntax error"),
            pytest.param("SELECT * FROM no_such_table_{table}", InvalidInput, id="no such table"),
            pytest.param("SELECT no_such_column FROM {table}", InvalidInput, id="no such column"),
            pytest.param("INSERT INTO {table} (id, name) VALUES (1, 'b')", Conflict, id="a primary key taken"),
            pytest.param("INSERT INTO {table} (id, name) VALUES (2, 'a')", Conflict, id="a unique key taken"),
            pytest.param("INSERT INTO {table} (id, name) VALUES (2, NULL)", InvalidInput, id="not null"),
            pytest.param("BEGIN", InvalidInput, id="begin"),
            pytest.param(" /* x */ -- y\n commit", InvalidInput, id="commit behind comments"),
            pytest.param("SAVEPOINT a", InvalidInput, id="savepoint"),
        ],
    )
    async def test_errors_have_our_names(self, opened: Database, table: str, sql: str, error: type[Exception]) -> None:
        """Each error of the backend becomes one of ours, with category, name and operation; the next call works."""
        await self._add(opened, table, 1, "a")

        with pytest.raises(error) as caught:
            await opened.execute(sql.format(table=table))

        assert type(caught.value) is error
        assert str(caught.value).startswith("database/")
        assert await self._names(opened, table) == ["a"]

    @pytest.mark.asyncio
    async def test_an_error_shows_no_parameter(self, opened: Database, table: str) -> None:
        """What was to be stored stands in no message."""
        await self._add(opened, table, 1, "canary-value")

        with pytest.raises(Conflict) as caught:
            await self._add(opened, table, 2, "canary-value")

        assert "canary" not in f"{caught.value}{caught.value!r}"

    @pytest.mark.asyncio
    async def test_a_transaction_commits_at_its_end(self, opened: Database, table: str) -> None:
        """It sees its own writes, and afterwards all see them."""
        async with opened.transaction() as tx:
            await self._add(tx, table, 1)
            inside = await self._names(tx, table)

        assert inside == ["n1"]
        assert await self._names(opened, table) == ["n1"]

    @pytest.mark.asyncio
    async def test_a_transaction_rolls_back_on_an_exception(self, opened: Database, table: str) -> None:
        """Any exception of the block takes everything back, and passes."""

        async def fail() -> None:
            async with opened.transaction() as tx:
                await self._add(tx, table, 1)
                raise LookupError("the block failed")

        with pytest.raises(LookupError):
            await fail()

        assert await self._names(opened, table) == []

    @pytest.mark.asyncio
    async def test_a_transaction_rolls_back_on_cancellation(self, opened: Database, table: str) -> None:
        """A task that is cancelled in the middle of its transaction leaves nothing, and hurts nobody."""
        written = asyncio.Event()

        async def work() -> None:
            async with opened.transaction() as tx:
                await self._add(tx, table, 1)
                written.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await written.wait()
        task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
        assert await self._names(opened, table) == []
        assert await self._add(opened, table, 1) == 1

    @pytest.mark.asyncio
    @pytest.mark.parametrize("steps", range(0, 24, 2), ids="after {} steps".format)
    async def test_a_transaction_is_whole_or_absent(self, opened: Database, table: str, steps: int) -> None:
        """Wherever the cancellation falls, both rows are there or none."""

        async def work() -> None:
            async with opened.transaction() as tx:
                await self._add(tx, table, 1)
                await self._add(tx, table, 2)

        task = asyncio.create_task(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

        assert await self._names(opened, table) in ([], ["n1", "n2"])
        async with opened.transaction() as tx:
            await self._add(tx, table, 3)

    @pytest.mark.asyncio
    async def test_a_nested_transaction_is_a_savepoint(self, opened: Database, table: str) -> None:
        """An inner one that fails takes back its own writes only, one that succeeds shares the outer one's fate."""

        async def collide(tx: Database) -> None:
            async with tx.transaction() as inner:
                await self._add(inner, table, 2)
                await self._add(inner, table, 1)

        async def fail() -> None:
            async with opened.transaction() as tx:
                async with tx.transaction() as inner:
                    await self._add(inner, table, 5)
                raise LookupError("the outer block failed")

        async with opened.transaction() as tx:
            await self._add(tx, table, 1)
            with pytest.raises(Conflict):
                await collide(tx)
            async with tx.transaction() as inner:
                await self._add(inner, table, 3)
                async with inner.transaction() as innermost:
                    await self._add(innermost, table, 4)
        with pytest.raises(LookupError):
            await fail()

        assert await self._names(opened, table) == ["n1", "n3", "n4"]

    @pytest.mark.asyncio
    async def test_a_transaction_that_reads_refuses_writes(self, opened: Database, table: str) -> None:
        """With read_only a write is denied, a read works, and afterwards writing works again."""
        await self._add(opened, table, 1)

        async with opened.transaction(read_only=True) as tx:
            names = await self._names(tx, table)
        with pytest.raises(Denied):
            async with opened.transaction(read_only=True) as tx:
                await self._add(tx, table, 2)
        async with opened.transaction() as tx:
            await self._add(tx, table, 3)

        assert names == ["n1"]
        assert await self._names(opened, table) == ["n1", "n3"]

    @pytest.mark.asyncio
    async def test_a_transaction_that_is_over_is_not_open(self, opened: Database, table: str) -> None:
        """The object of the block is of no use after the block."""
        async with opened.transaction() as tx:
            await self._add(tx, table, 1)

        with pytest.raises(NotOpen):
            await self._add(tx, table, 2)
        with pytest.raises(NotOpen):
            async with tx.transaction():
                pass

    @pytest.mark.asyncio
    async def test_others_do_not_see_what_is_not_committed(self, opened: Database, table: str) -> None:
        """A statement of another task is made before a transaction or after it, never in it."""
        written, read = asyncio.Event(), asyncio.Event()

        async def write() -> None:
            async with opened.transaction() as tx:
                await self._add(tx, table, 1)
                written.set()
                await asyncio.wait([reading], timeout=0.05)
                raise LookupError("taken back")

        async def look() -> list[str]:
            await written.wait()
            names = await self._names(opened, table)
            read.set()
            return names

        reading = asyncio.create_task(look())
        with pytest.raises(LookupError):
            await write()

        assert await reading == []
        assert read.is_set()

    @pytest.mark.asyncio
    async def test_no_update_is_lost(self, opened: Database, table: str) -> None:
        """200 transactions at the same time that read a counter and write it back by one more make 200."""
        await opened.execute(f"INSERT INTO {table} (id, name, amount) VALUES (1, 'counter', 0)")

        async def count() -> None:
            async with opened.transaction() as tx:
                await tx.execute(f"UPDATE {table} SET name = name WHERE id = 1")  # takes the row's lock
                row = await tx.fetch_one(f"SELECT amount FROM {table} WHERE id = 1")
                assert row is not None
                await tx.execute(f"UPDATE {table} SET amount = :n WHERE id = 1", {"n": row["amount"] + 1})

        await asyncio.gather(*(count() for _ in range(WRITERS)))

        assert await opened.fetch_one(f"SELECT amount FROM {table}") == {"amount": 200.0}
