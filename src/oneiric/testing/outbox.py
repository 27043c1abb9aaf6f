"""Messaging for tests: it keeps what it is given, and fails as a test says."""

from __future__ import annotations

from typing import ClassVar

from oneiric.adapters.messaging.common import NotificationMessage, Receipt
from oneiric.core.adapter import AdapterSettings, Health
from oneiric.core.errors import AdapterError, NotOpen


class Outbox:
    """
    Keeps every message; bind it with `app.override({"messaging": Outbox()})`.

    An object that is bound as it is is opened by nobody, so that it takes messages from the start. Built from settings,
    as `app.override({"messaging": Outbox})` does, it has the life of an adapter.

    Args:
        settings: The life of the adapter; nothing else can be set.

    Attributes:
        sent: The messages, in order.
        failure: What the next calls of `send` raise; None lets them pass.
    """

    class Settings(AdapterSettings):
        """Nothing but the life of the adapter."""

    name: ClassVar[str] = "outbox"

    def __init__(self, settings: Settings | None = None) -> None:
        self.sent: list[NotificationMessage] = []
        self.failure: AdapterError | None = None
        self._is_open = settings is None

    @property
    def titles(self) -> list[str]:
        """The titles of the messages, in order."""
        return [message.title for message in self.sent]

    async def open(self) -> None:
        """Take messages from now on."""
        self._is_open = True

    async def close(self) -> None:
        """Take no more messages; those that came are kept."""
        self._is_open = False

    async def health(self) -> Health:
        """Be healthy while it is open and nothing is to fail."""
        if not self._is_open:
            return Health(False, "not open")
        return Health(self.failure is None, "" if self.failure is None else self.failure.message)

    async def send(self, message: NotificationMessage) -> Receipt:
        """Keep a message, and accept every address; or raise `failure`, and keep nothing."""
        if not self._is_open:
            raise NotOpen(category="messaging", name=self.name, operation="send")
        if self.failure is not None:
            raise self.failure
        self.sent.append(message)
        return Receipt(f"{self.name}-{len(self.sent)}", message.to)
