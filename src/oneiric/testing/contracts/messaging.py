"""What every messaging adapter promises."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from oneiric.adapters.messaging.common import Attachment, Messaging, NotificationMessage, Receipt
from oneiric.core.errors import NotOpen, Unsupported
from oneiric.testing.contracts.adapter import AdapterContract


class MessagingContract(AdapterContract):
    """
    Behaviour of category `messaging`.

    Capabilities that are checked: `html`, `attachments`. Attribute `to` holds addresses that the service takes.
    """

    category: ClassVar[str] = "messaging"
    to: ClassVar[tuple[str, ...]] = ("ops@example.org",)

    def message(self, **changed: Any) -> NotificationMessage:  # any field of a message
        """Return a message with every plain field set."""
        given = {
            "title": "disk is full",
            "text": "first line\nsecond line",
            "severity": "error",
            "to": self.to,
            "fields": {"host": "web-1", "free_bytes": 0},
            "link": "https://status.example.org/1",
            "dedupe_key": "disk",
        }
        return NotificationMessage(**{**given, **changed})

    async def use(self, adapter: Any) -> None:  # the class under test
        """Send an ordinary message."""
        await adapter.send(self.message())

    def test_it_has_the_methods_of_the_category(self, made: Any) -> None:
        """The adapter has send."""
        assert isinstance(made, Messaging)

    @pytest.mark.asyncio
    async def test_a_message_gets_a_receipt(self, opened: Any) -> None:
        """The receipt has an id, and every address is accepted or rejected."""
        receipt = await opened.send(self.message())

        assert isinstance(receipt, Receipt)
        assert receipt.id
        assert {*receipt.accepted, *receipt.rejected} == set(self.to)

    @pytest.mark.asyncio
    async def test_two_messages_have_two_ids(self, opened: Any) -> None:
        """Each message has an id of its own, equal text or not."""
        first = await opened.send(self.message(dedupe_key="a"))
        second = await opened.send(self.message(dedupe_key="b"))

        assert first.id != second.id

    @pytest.mark.asyncio
    async def test_a_title_is_enough(self, opened: Any) -> None:
        """A message of a title alone is sent."""
        receipt = await opened.send(NotificationMessage("only a title", to=self.to))

        assert receipt.accepted == self.to

    @pytest.mark.asyncio
    async def test_text_that_is_markup_elsewhere_is_sent(self, opened: Any) -> None:
        """Markup of any service, control characters and letters beyond ASCII are text like any other."""
        hostile = "<b>&amp; *bold* `code` <!channel> \x1b[31mred\x1b[0m\x00 ünïcödé \N{PARTY POPPER}"

        receipt = await opened.send(self.message(title=hostile[:200], text=hostile, fields={hostile: hostile}))

        assert receipt.accepted == self.to

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("capability", "changed"),
        [
            pytest.param("html", {"html": "<p>disk is full</p>"}, id="html"),
            pytest.param("attachments", {"attachments": (Attachment("a.txt", b"a", "text/plain"),)}, id="attachments"),
        ],
    )
    async def test_what_it_cannot_carry_is_unsupported(
        self, opened: Any, capability: str, changed: dict[str, Any]
    ) -> None:
        """A message that needs a capability which is absent is refused as a whole, and names the capability."""
        message = self.message(**changed)

        if capability in self.capabilities:
            assert (await opened.send(message)).accepted == self.to
            return
        with pytest.raises(Unsupported, match=capability):
            await opened.send(message)

    @pytest.mark.asyncio
    async def test_sending_before_open_is_refused(self, made: Any) -> None:
        """It is not-open."""
        with pytest.raises(NotOpen):
            await made.send(self.message())
