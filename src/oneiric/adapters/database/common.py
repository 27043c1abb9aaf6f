"""The Protocol of a database, and its `:name` parameters, which are the same in every dialect."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, runtime_checkable

from oneiric.core.errors import InvalidInput

Row: TypeAlias = Mapping[str, Any]  # Any: what a column holds depends on the query
Params: TypeAlias = Mapping[str, Any] | None  # Any: the adapter checks each value and refuses what is not sure
Scalar: TypeAlias = int | float | str | bytes | None

BATCH = 500
MIN_INT = -(2**63)
MAX_INT = 2**63 - 1
PARSED_STATEMENTS = 512


@runtime_checkable
class Database(Protocol):
    """
    One SQL database.

    A parameter is written `:name` in every dialect and given in a mapping; names of the mapping that the SQL does not
    use are ignored. Inside strings, quoted names and comments, and in casts (`::`), nothing is a parameter. Values are
    int of 64 bits, finite float, str, bytes and None; with the capability "typed" also bool, Decimal, datetime with a
    time zone, and JSON.

    One statement per call. What begins and ends transactions (`BEGIN`, `COMMIT`, `SAVEPOINT`, ...) is refused: that is
    what `transaction` is for. Outside of a transaction each call stands alone and is durable when it returns.

    All methods raise, besides `NotOpen` before `open` and after `close`:
        InvalidInput: The SQL is wrong, a parameter is missing, a value has a type that is not sure, or a value breaks
            a rule of its column.
        Conflict: A unique or foreign key forbids it.
        Denied: The user, the file or a transaction that only reads forbids it.
        TransactionAborted: The database ended the transaction; try the whole of it again.
        TimedOut: The call took longer than `timeout_s`.
        Unavailable: The database cannot be reached, or somebody else holds its lock for too long.

    Attributes:
        dialect: `sqlite`, `postgres`, `mysql` or `duckdb`.
    """

    dialect: str

    async def execute(self, sql: str, params: Params = None) -> int:
        """Run a statement; return how many rows it wrote or removed, 0 for one that does neither."""

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> int:
        """Run a statement once for each row of parameters, all or none; return how many rows it wrote or removed."""

    async def fetch_all(self, sql: str, params: Params = None) -> list[Row]:
        """Run a statement and return its rows. Columns need different names: of two equal ones the last one counts."""

    async def fetch_one(self, sql: str, params: Params = None) -> Row | None:
        """Run a statement and return its first row, or None where it has none; further rows are dropped."""

    def stream(self, sql: str, params: Params = None, *, batch: int = BATCH) -> AsyncIterator[Row]:
        """
        Run a statement and hand out its rows one by one.

        Other calls may be made between two rows. Whether rows that they change are seen by the stream is not defined.

        Args:
            sql: The statement.
            params: Its parameters.
            batch: How many rows are held in memory, 1 or more.
        """

    def transaction(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Database]:
        """
        Make several calls one: commit at the end of the block, roll back on any exception and on cancellation.

        The block uses the object that it gets; that object is not open after the block. Its own `transaction` is a
        savepoint: rolling it back leaves the outer one as it was.

        Args:
            read_only: Every write is `Denied`.
        """


@dataclass(frozen=True, slots=True)
class Statement:
    """
    SQL, cut at its parameters.

    Attributes:
        texts: What stands between the parameters; one more than there are names.
        names: The parameters in the order of the text, a repeated one each time.
        is_control: It begins or ends a transaction.
    """

    texts: tuple[str, ...]
    names: tuple[str, ...]
    is_control: bool

    @classmethod
    def parse(cls, sql: str, *, brackets: bool = False) -> Statement:
        """
        Cut SQL at its parameters.

        Args:
            sql: One statement.
            brackets: `[...]` quotes a name, as in SQLite; elsewhere it is a subscript and may hold a parameter.
        """
        return _parse(sql, brackets)

    def numbered(self, mark: str) -> str:
        """Return the SQL with numbered parameters, `?1` for the mark `?`; a repeated name keeps its number."""
        numbers = {name: number for number, name in enumerate(dict.fromkeys(self.names), 1)}
        marked = (f"{mark}{numbers[name]}{text}" for name, text in zip(self.names, self.texts[1:], strict=True))
        return self.texts[0] + "".join(marked)

    def values(self, params: Params, *, name: str, operation: str) -> tuple[Scalar, ...]:
        """
        Return the values of the numbered parameters, in order.

        Args:
            params: The caller's mapping.
            name: The adapter's name, for the error.
            operation: The method's name, for the error.

        Raises:
            InvalidInput: The mapping lacks a name, or a value is none of the types that are sure. Values are not shown.
        """
        where = {"category": "database", "name": name, "operation": operation}
        given = {} if params is None else params
        wanted = tuple(dict.fromkeys(self.names))
        missing = [parameter for parameter in wanted if parameter not in given]
        if missing:
            raise InvalidInput(f"no value for :{', :'.join(missing)}", **where)
        for parameter in wanted:
            fault = _fault(given[parameter])
            if fault:
                raise InvalidInput(f"parameter :{parameter} {fault}", **where)
        return tuple(given[parameter] for parameter in wanted)


def check_control(statement: Statement, *, name: str, operation: str) -> None:
    """
    Refuse a statement that begins or ends a transaction.

    Raises:
        InvalidInput: It is one.
    """
    if statement.is_control:
        reason = "transactions begin and end with transaction(), not with SQL"
        raise InvalidInput(reason, category="database", name=name, operation=operation)


def check_batch(batch: int, *, name: str) -> None:
    """
    Refuse a batch of less than one row.

    Raises:
        InvalidInput: It is less than 1.
    """
    if batch < 1:
        raise InvalidInput("batch is 1 or more", category="database", name=name, operation="stream")


# A doubled quote ('it''s') needs no rule: it reads as two quoted texts that touch. What is not closed runs to the end.
_PARTS = r"""
    (?<!\w)[eE]'(?:[^'\\]|\\.)*'?            # PostgreSQL's string with escapes
  | '[^']*'? | "[^"]*"? | `[^`]*`?           # strings and quoted names
  | --[^\n]* | /\*.*?(?:\*/|\Z)              # comments
  | (?<!\w)\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)  # dollar quotes
  | ::                                       # a cast
  | (?<![\w:]):(?P<name>[A-Za-z_][A-Za-z0-9_]*)
"""
_PLAIN = re.compile(_PARTS, re.VERBOSE | re.DOTALL)
_BRACKETED = re.compile(_PARTS + r" | \[[^\]]*\]?", re.VERBOSE | re.DOTALL)
_CONTROL = re.compile(
    r"(?:[\s;]|--[^\n]*|/\*.*?\*/)*(?:BEGIN|START\s+TRANSACTION|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE)\b",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=PARSED_STATEMENTS)
def _parse(sql: str, brackets: bool) -> Statement:
    texts, names, begin = [], [], 0
    for part in (_BRACKETED if brackets else _PLAIN).finditer(sql):
        name = part["name"]
        if name is not None:
            texts.append(sql[begin : part.start()])
            names.append(name)
            begin = part.end()
    return Statement((*texts, sql[begin:]), tuple(names), _CONTROL.match(sql) is not None)


def _fault(value: object) -> str | None:
    """Say why a value cannot be a parameter, or return None for one that can; the value itself is not shown."""
    if value is None or type(value) in (str, bytes):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else "is no finite number"
    if isinstance(value, int) and not isinstance(value, bool):
        return None if MIN_INT <= value <= MAX_INT else "is no whole number of 64 bits"
    return f"has the type {type(value).__name__}; sure are int, float, str, bytes and None"
