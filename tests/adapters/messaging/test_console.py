"""Notifications on a stream."""

from __future__ import annotations

import io

import pytest

from oneiric.adapters.messaging.common import Attachment, NotificationMessage
from oneiric.adapters.messaging.console import ConsoleMessaging, render
from oneiric.core.errors import Unavailable
from oneiric.testing.contracts.messaging import MessagingContract


class TestConsoleMessaging(MessagingContract):
    adapter = ConsoleMessaging
    capabilities = frozenset({"html", "attachments"})


def test_a_message_is_a_small_block() -> None:
    """Severity, title and receivers stand first; everything else is indented below."""
    message = NotificationMessage(
        "disk is full",
        "on web-1\nsince noon",
        severity="error",
        to=("#ops", "#dev"),
        fields={"free_bytes": 0, "paths": ["a", "b"]},
        link="https://status.example.org/1",
        html="<p>x</p>",
        attachments=(Attachment("df.txt", b"12345"),),
    )

    assert render(message).splitlines() == [
        "[error] disk is full -> #ops, #dev",
        "  on web-1",
        "  since noon",
        "  free_bytes: 0",
        '  paths: ["a", "b"]',
        "  link: https://status.example.org/1",
        "  html: 8 characters",
        "  attachment: df.txt, 5 bytes",
    ]


def test_a_title_alone_is_one_line() -> None:
    """Nothing is written for what is not there."""
    assert render(NotificationMessage("hello")) == "[info] hello\n"


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        pytest.param("\x1b[31mred", "\\x1b[31mred", id="an escape sequence"),
        pytest.param("a\rb", "a\\rb", id="a return to the start of the line"),
        pytest.param("a\n[critical] b", "a\\n[critical] b", id="a line that looks like a message"),
        pytest.param("a\x9bb", "a\\x9bb", id="an escape of eight bits"),
        pytest.param("a\u202eb", "a\\u202eb", id="a turn of direction"),
        pytest.param("a\u2028b", "a\\u2028b", id="a line separator"),
        pytest.param("ünï \N{PARTY POPPER}", "ünï \N{PARTY POPPER}", id="letters and pictures stay"),
    ],
)
def test_a_title_stays_on_its_line(hostile: str, shown: str) -> None:
    """What a terminal would act on is escaped."""
    assert render(NotificationMessage(hostile)) == f"[info] {shown}\n"


def test_text_cannot_pass_for_another_message() -> None:
    """Each line of the text is indented, whatever ends it."""
    block = render(NotificationMessage("t", "a\n[critical] b\r\n[critical] c\x0b[critical] d"))

    assert [line for line in block.splitlines() if line.startswith("[")] == ["[info] t"]


def test_secrets_are_redacted() -> None:
    """Fields with secret names, credentials in texts, titles and links are hidden."""
    message = NotificationMessage(
        "password=canary1",
        "see redis://u:canary2@example.org",
        fields={"api_token": "canary3", "nested": {"password": "canary4", "host": "web-1"}},
        link="https://u:canary5@example.org/",
    )

    block = render(message)

    assert "canary" not in block
    assert '"host": "web-1"' in block


@pytest.mark.asyncio
async def test_it_writes_to_standard_error_as_it_is_at_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a stream of its own it writes to what sys.stderr is when the message comes."""
    adapter = ConsoleMessaging(ConsoleMessaging.Settings())
    await adapter.open()

    await adapter.send(NotificationMessage("hello"))

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "[info] hello\n")


@pytest.mark.asyncio
async def test_a_stream_of_few_letters_gets_escapes() -> None:
    """A character that the stream's encoding lacks is escaped; the message is not lost."""
    raw = io.BytesIO()
    adapter = ConsoleMessaging(ConsoleMessaging.Settings(), stream=io.TextIOWrapper(raw, encoding="ascii"))
    await adapter.open()

    await adapter.send(NotificationMessage("ü"))

    assert raw.getvalue() == b"[info] \\xfc\n"


@pytest.mark.asyncio
async def test_a_closed_stream_is_unavailable() -> None:
    """The message was not written, and health says why."""
    stream = io.StringIO()
    adapter = ConsoleMessaging(ConsoleMessaging.Settings(), stream=stream)
    await adapter.open()
    stream.close()

    with pytest.raises(Unavailable):
        await adapter.send(NotificationMessage("canary"))

    assert (await adapter.health()).detail == "the stream is closed"
