"""The messaging of tests, which is an adapter like any other."""

from __future__ import annotations

import pytest

from oneiric import Application, Inputs
from oneiric.adapters.messaging.common import Messaging, NotificationMessage
from oneiric.core.errors import Unavailable
from oneiric.testing.contracts.messaging import MessagingContract
from oneiric.testing.outbox import Outbox


class TestOutbox(MessagingContract):
    adapter = Outbox
    capabilities = frozenset({"html", "attachments"})


@pytest.mark.asyncio
async def test_what_is_bound_as_it_is_takes_messages_at_once() -> None:
    """Nobody opens an object that is given, so it needs no opening; it keeps the messages in order."""
    app, outbox = Application("shop", inputs=Inputs(environ={})), Outbox()

    with app.slot(Messaging).override(outbox):
        async with app:
            await app.adapters.messaging().send(NotificationMessage("first", to=("#ops",)))
            receipt = await app.adapters.messaging().send(NotificationMessage("second", to=("#ops",)))

    assert outbox.titles == ["first", "second"]
    assert [message.to for message in outbox.sent] == [("#ops",), ("#ops",)]
    assert (receipt.id, receipt.accepted) == ("outbox-2", ("#ops",))


@pytest.mark.asyncio
async def test_it_fails_as_long_as_the_test_says() -> None:
    """A message that fails is not kept, and health says so too."""
    outbox = Outbox()
    outbox.failure = Unavailable("the line is dead", category="messaging", name="outbox", operation="send")

    with pytest.raises(Unavailable, match="the line is dead"):
        await outbox.send(NotificationMessage("lost"))
    health = await outbox.health()
    outbox.failure = None
    await outbox.send(NotificationMessage("kept"))

    assert not health.ok
    assert outbox.titles == ["kept"]
