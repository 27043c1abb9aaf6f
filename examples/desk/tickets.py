"""The tickets: what one call of a client reads and writes, in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from oneiric import INJECTED, Inject, inject
from oneiric.adapters.database import Database

TABLE = """CREATE TABLE IF NOT EXISTS tickets (
    number INTEGER PRIMARY KEY, customer TEXT NOT NULL, subject TEXT NOT NULL, answer TEXT)"""


class NoSuchTicket(Exception):
    """There is no ticket of that number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no ticket {number}")
        self.number = number


@dataclass(frozen=True, slots=True)
class Ticket:
    """
    What a customer wants to know.

    Attributes:
        number: 1 for the first one.
        customer: Who asked.
        subject: What was asked.
        answer: What was answered; None for an open ticket.
    """

    number: int
    customer: str
    subject: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class TicketTable:
    """The table exists; whoever writes to it asks for this first."""

    name: str = "tickets"


class Tickets:
    """
    The tickets, as one call of a client sees them.

    Args:
        transaction: All is read and written in it; who opened it commits it.
    """

    def __init__(self, transaction: Database) -> None:
        self._transaction = transaction

    async def open(self, customer: str, subject: str) -> Ticket:
        """Write a new ticket."""
        await self._transaction.execute(
            "INSERT INTO tickets (customer, subject) VALUES (:customer, :subject)",
            {"customer": customer, "subject": subject},
        )
        row = await self._transaction.fetch_one("SELECT max(number) AS number FROM tickets")
        return Ticket(row["number"] if row is not None else 0, customer, subject, None)

    async def answer(self, number: int, text: str) -> Ticket:
        """
        Write the answer to a ticket, in place of an earlier one.

        Raises:
            NoSuchTicket: There is none of that number.
        """
        await self._transaction.execute(
            "UPDATE tickets SET answer = :text WHERE number = :number", {"number": number, "text": text}
        )
        return await self.find(number)

    async def find(self, number: int) -> Ticket:
        """
        Return a ticket.

        Raises:
            NoSuchTicket: There is none of that number.
        """
        row = await self._transaction.fetch_one("SELECT * FROM tickets WHERE number = :number", {"number": number})
        if row is None:
            raise NoSuchTicket(number)
        return Ticket(row["number"], row["customer"], row["subject"], row["answer"])

    async def unanswered(self) -> list[Ticket]:
        """Return the open tickets, oldest first."""
        rows = await self._transaction.fetch_all("SELECT * FROM tickets WHERE answer IS NULL ORDER BY number")
        return [Ticket(row["number"], row["customer"], row["subject"], None) for row in rows]


@inject
async def ticket_table(database: Inject[Database] = INJECTED) -> TicketTable:
    """Make the table where it is missing, once for each start of the server."""
    await database.execute(TABLE)
    return TicketTable()


@inject
async def tickets(
    table: Inject[TicketTable] = INJECTED, database: Inject[Database] = INJECTED
) -> AsyncIterator[Tickets]:
    """Open the tickets for one call: what it wrote is committed at its end, or rolled back where it failed."""
    async with database.transaction() as transaction:
        yield Tickets(transaction)
