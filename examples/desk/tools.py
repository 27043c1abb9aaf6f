"""What the server offers. Each function asks for what it needs in its signature, and the client sees the rest."""

from __future__ import annotations

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError

from examples.desk.tickets import NoSuchTicket, Tickets
from examples.desk.triage import Triage
from oneiric import INJECTED, Inject, inject
from oneiric.adapters.cache import Cache
from oneiric.adapters.messaging import Messaging, NotificationMessage

TICKETS_PER_HOUR = 3
HOUR_S = 3_600.0


def register_tools(mcp: FastMCP) -> None:
    """Offer what opens, answers and weighs tickets."""

    @mcp.tool
    @inject
    async def open_ticket(
        customer: str,
        subject: str,
        tickets: Inject[Tickets] = INJECTED,
        triage: Inject[Triage] = INJECTED,
        cache: Inject[Cache] = INJECTED,
        messaging: Inject[Messaging] = INJECTED,
    ) -> int:
        """Open a ticket and tell the desk; returns its number. A customer may open 3 an hour."""
        if await cache.incr(f"desk:opened:{customer.encode().hex()}", ttl_s=HOUR_S) > TICKETS_PER_HOUR:
            raise ToolError(f"{customer} has opened {TICKETS_PER_HOUR} tickets in this hour")
        ticket = await tickets.open(customer, subject)
        await messaging.send(
            NotificationMessage(
                title=f"{triage.priority(subject)} ticket {ticket.number}", text=f"{customer}: {subject}"
            )
        )
        return ticket.number

    @mcp.tool
    @inject
    async def answer_ticket(
        number: int,
        text: str,
        ctx: Context,
        tickets: Inject[Tickets] = INJECTED,
        messaging: Inject[Messaging] = INJECTED,
    ) -> str:
        """Answer a ticket and tell the customer; where they cannot be told, the ticket stays open."""
        try:
            ticket = await tickets.answer(number, text)
        except NoSuchTicket as error:
            raise ToolError(str(error)) from None
        await messaging.send(NotificationMessage(title=f"your ticket {number}", text=text, to=(ticket.customer,)))
        return f"{ctx.fastmcp.name}: ticket {number} is answered"

    @mcp.tool
    @inject
    def weigh(subject: str, triage: Inject[Triage] = INJECTED) -> str:
        """Tell how urgent a ticket of this subject would be."""
        return triage.priority(subject)


def register_resources(mcp: FastMCP) -> None:
    """Offer the tickets to read."""

    @mcp.resource("ticket://open")
    @inject
    async def open_tickets(tickets: Inject[Tickets] = INJECTED) -> str:
        """The open tickets, one a line."""
        return "\n".join(f"{one.number} {one.customer}: {one.subject}" for one in await tickets.unanswered())


def register_prompts(mcp: FastMCP) -> None:
    """Offer what a person would ask a model for."""

    @mcp.prompt
    @inject
    async def draft_answer(number: int, tickets: Inject[Tickets] = INJECTED, triage: Inject[Triage] = INJECTED) -> str:
        """Ask for the draft of an answer."""
        ticket = await tickets.find(number)
        return f"Draft an answer to {ticket.customer}, {triage.priority(ticket.subject)}: {ticket.subject}"
