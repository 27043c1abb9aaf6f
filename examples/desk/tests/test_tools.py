"""What clients see and get; what a tool is given is replaced by overrides, also while a client is connected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from examples.desk.server import mcp
from examples.desk.triage import Triage
from oneiric import Application
from oneiric.core.errors import Unavailable
from oneiric.testing.outbox import Outbox

Overriding = Callable[[Mapping[Any, object]], object]


async def opened(client: Client[Any], subject: str, *, customer: str = "ada") -> int:
    """Open a ticket; returns its number."""
    result = await client.call_tool("open_ticket", {"customer": customer, "subject": subject})
    return int(result.data)


async def unanswered(client: Client[Any]) -> str:
    """Read the list of the open tickets."""
    return str((await client.read_resource("ticket://open"))[0].text)  # type: ignore[union-attr]  # a text


@pytest.mark.asyncio
async def test_a_ticket_is_opened_listed_and_answered(client: Client[Any], outbox: Outbox) -> None:
    """Each call is a transaction of its own, and the next one sees what it wrote."""
    number = await opened(client, "the kettle is lost")
    listed = await unanswered(client)
    answer = await client.call_tool("answer_ticket", {"number": number, "text": "it is in the mail"})

    assert (number, listed) == (1, "1 ada: the kettle is lost")
    assert answer.data == "desk: ticket 1 is answered"
    assert await unanswered(client) == ""
    assert [(one.title, one.text, one.to) for one in outbox.sent] == [
        ("urgent ticket 1", "ada: the kettle is lost", ()),
        ("your ticket 1", "it is in the mail", ("ada",)),
    ]


@pytest.mark.asyncio
async def test_an_answer_that_cannot_be_sent_leaves_the_ticket_open(client: Client[Any], outbox: Outbox) -> None:
    """What the tool wrote is rolled back with it."""
    number = await opened(client, "a question")
    outbox.failure = Unavailable("the line is dead", category="messaging", name="outbox", operation="send")

    with pytest.raises(ToolError):
        await client.call_tool("answer_ticket", {"number": number, "text": "yes"})

    assert await unanswered(client) == "1 ada: a question"


@pytest.mark.asyncio
async def test_a_ticket_that_is_not_there_cannot_be_answered(client: Client[Any], outbox: Outbox) -> None:
    """The client is told so, and nobody else anything."""
    with pytest.raises(ToolError, match="there is no ticket 7"):
        await client.call_tool("answer_ticket", {"number": 7, "text": "yes"})

    assert outbox.sent == []


@pytest.mark.asyncio
async def test_a_customer_opens_three_tickets_an_hour(client: Client[Any]) -> None:
    """The count is in the cache, so that servers could share it; another customer has a count of their own."""
    numbers = [await opened(client, "a question") for _ in range(3)]

    with pytest.raises(ToolError, match="ada has opened 3 tickets in this hour"):
        await opened(client, "a question")

    assert numbers == [1, 2, 3]
    assert await opened(client, "a question", customer="bob") == 4


@pytest.mark.asyncio
async def test_tickets_that_are_opened_at_once_are_all_written(client: Client[Any], outbox: Outbox) -> None:
    """Concurrent calls have transactions of their own."""
    numbers = await asyncio.gather(*(opened(client, "a question", customer=f"c{n}") for n in range(20)))

    assert sorted(numbers) == list(range(1, 21))
    assert len(outbox.sent) == 20


@pytest.mark.asyncio
async def test_a_prompt_is_made_of_the_ticket(client: Client[Any]) -> None:
    """A prompt asks for the same things as a tool."""
    number = await opened(client, "the kettle is lost")

    prompt = await client.get_prompt("draft_answer", {"number": str(number)})

    assert prompt.messages[0].content.text == "Draft an answer to ada, urgent: the kettle is lost"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("subject", "priority"),
    [
        pytest.param("the kettle is lost", "urgent", id="an urgent word"),
        pytest.param("The site is DOWN", "urgent", id="in any case"),
        pytest.param("download", "normal", id="a part of another word"),
        pytest.param("", "normal", id="nothing"),
    ],
)
@pytest.mark.asyncio
async def test_a_subject_is_weighed_by_its_words(client: Client[Any], subject: str, priority: str) -> None:
    """The tool is synchronous."""
    assert (await client.call_tool("weigh", {"subject": subject})).data == priority


@pytest.mark.asyncio
async def test_an_override_that_is_made_while_a_client_is_connected_is_used(
    client: Client[Any], oneiric_app: Application
) -> None:
    """It reaches everybody, and what was there before comes back."""
    said = [(await client.call_tool("weigh", {"subject": "tea"})).data]
    with oneiric_app.override({"triage": Triage(("tea",))}):
        said.append((await client.call_tool("weigh", {"subject": "tea"})).data)
    said.append((await client.call_tool("weigh", {"subject": "tea"})).data)

    assert said == ["normal", "urgent", "normal"]


@pytest.mark.asyncio
async def test_a_local_override_is_seen_by_the_server_that_starts_under_it(
    oneiric_local: Overriding, outbox: Outbox
) -> None:
    """The server runs in a task that the client creates, which copies the context of that moment."""
    oneiric_local({Triage: Triage(("tea",))})

    async with Client(mcp) as client:
        assert (await client.call_tool("weigh", {"subject": "tea"})).data == "urgent"


@pytest.mark.asyncio
async def test_a_local_override_of_another_task_is_not_seen(client: Client[Any], oneiric_app: Application) -> None:
    """Two tests, or two tasks, that replace one slot locally do not disturb each other."""

    async def weighed_under(word: str) -> str:
        with oneiric_app.local_override({Triage: Triage((word,))}):
            async with Client(mcp) as own:
                return str((await own.call_tool("weigh", {"subject": "tea"})).data)

    tea, mug = await asyncio.gather(weighed_under("tea"), weighed_under("mug"))

    assert (tea, mug) == ("urgent", "normal")
    assert (await client.call_tool("weigh", {"subject": "tea"})).data == "normal"


@pytest.mark.asyncio
async def test_a_client_is_shown_nothing_that_is_injected(client: Client[Any]) -> None:
    """Neither in the schema of a tool nor among the arguments of a prompt, nor the framework's own context."""
    tools, prompts = await client.list_tools(), await client.list_prompts()

    assert {tool.name: list(tool.input_schema["properties"]) for tool in tools} == {
        "open_ticket": ["customer", "subject"],
        "answer_ticket": ["number", "text"],
        "weigh": ["subject"],
    }
    assert [[argument.name for argument in prompt.arguments or []] for prompt in prompts] == [["number"]]
