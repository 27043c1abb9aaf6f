"""The shop under test, and the messaging that it is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from oneiric import Application, Event
from oneiric.adapters.messaging import NotificationMessage, Receipt


class Outbox:
    """Messaging that keeps what it is given."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.texts: list[str] = []

    async def send(self, message: NotificationMessage) -> Receipt:
        """Keep a message."""
        self.titles.append(message.title)
        self.texts.append(message.text)
        return Receipt("kept", message.to)


@dataclass
class Shop:
    """The started application, and what it sent."""

    app: Application
    outbox: Outbox = field(default_factory=Outbox)

    async def order(self, number: str, *, customer: str = "ada", sku: str = "MUG", quantity: int = 1) -> bool:
        """Send an order; return whether its handler came through."""
        lines = [{"sku": sku, "quantity": quantity}]
        return await self.send({"number": number, "customer": customer, "lines": lines})

    async def send(self, data: object, *, id: str = "e-1") -> bool:
        """Send any data as an order; return whether its handler came through."""
        event = Event(type="order.created", source="/shop", id=id, data=data)  # type: ignore[arg-type]  # bad data too
        return not (await self.app.events.emit(event)).failed

    async def rows(self, sql: str) -> list[dict[str, object]]:
        """Return the rows of a query."""
        return [dict(row) for row in await self.app.adapters.database().fetch_all(sql)]
