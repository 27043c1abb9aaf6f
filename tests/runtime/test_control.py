"""The control socket: its user is answered, and nobody else; whatever comes, the process serves on."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from oneiric.core.errors import BadCommand, NotRunning, StartFailed
from oneiric.core.log import configure
from oneiric.runtime.control import MAX_MESSAGE_BYTES, MOST_CLIENTS, Control
from tests.support.control import hung_up, runtime_folder, said

HELLO = b'{"op": "hello"}\n'


class Parrot:
    """Answers with what it is told, or as the message says."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.begun = asyncio.Event()
        self.cancelled = False

    async def carry_out(self, message: Any) -> dict[str, Any]:
        """Answer, fail, break down, hang, or say very much."""
        self.heard.append(message)
        match message:
            case {"op": "refuse"}:
                raise NotRunning("orders", "a swap")
            case {"op": "fail"}:
                raise StartFailed("slot cache", ValueError("hunter2"))
            case {"op": "break"}:
                raise KeyError("hunter2")
            case {"op": "hang"}:
                await self._hang()
            case {"op": "much"}:
                return {"much": "x" * 10_000_000}
            case {}:
                return {"heard": message}
        raise BadCommand("it is no JSON object")

    async def _hang(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled = True


@pytest.fixture
def folder() -> Iterator[Path]:
    """What XDG_RUNTIME_DIR names."""
    with runtime_folder() as found:
        yield found


@pytest.fixture
def stream() -> io.StringIO:
    """Where the log goes."""
    found = io.StringIO()
    configure(as_json=True, stream=found)
    return found


def messages(stream: io.StringIO) -> list[str]:
    """Return what was logged."""
    return [json.loads(line)["message"] for line in stream.getvalue().splitlines()]


def own_socket(folder: Path) -> Path:
    """Return where the socket of this process is."""
    return folder / "oneiric" / f"orders-{os.getpid()}.sock"


@asynccontextmanager
async def listening(folder: Path, **options: Any) -> AsyncIterator[tuple[Parrot, Path]]:
    """A parrot behind a control socket."""
    parrot = Parrot()
    control = Control("orders", parrot, {"XDG_RUNTIME_DIR": str(folder)}, **options)
    await control.start()
    try:
        yield parrot, own_socket(folder)
    finally:
        await control.stop()


@pytest.mark.asyncio
async def test_a_message_is_a_line_and_so_is_its_answer(folder: Path) -> None:
    """A client may say one after the other."""
    async with listening(folder) as (_, path):
        answers = await said(path, HELLO, b'{"op": "caf\\u00e9"}\n')

    assert answers == [
        {"schema": 1, "ok": True, "answer": {"heard": {"op": "hello"}}},
        {"schema": 1, "ok": True, "answer": {"heard": {"op": "café"}}},
    ]


@pytest.mark.asyncio
async def test_only_its_user_may_come_near_and_nothing_is_left_behind(folder: Path) -> None:
    """The folder and the socket are closed to everybody else, and the socket goes with the process."""
    async with listening(folder) as (_, path):
        modes = path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777
        kind = path.is_socket()

    assert modes == (0o700, 0o600)
    assert kind
    assert list(path.parent.iterdir()) == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("message", "code", "is_refused", "text"),
    [
        pytest.param("refuse", "not-running", True, "error[not-running] application orders", id="refused"),
        pytest.param("fail", "start-failed", False, "error[start-failed] the start failed at slot cache", id="failed"),
        pytest.param("break", "oneiric-error", False, "error[oneiric-error] KeyError was raised", id="broken down"),
    ],
)
async def test_an_error_is_an_answer(
    folder: Path, stream: io.StringIO, message: str, code: str, is_refused: bool, text: str
) -> None:
    """With the fields of a problem and its text; of a foreign exception only the type is told."""
    async with listening(folder) as (_, path):
        failure, after = await said(path, json.dumps({"op": message}).encode() + b"\n", HELLO)

    assert (failure["ok"], failure["error"]["code"], failure["is_refused"]) == (False, code, is_refused)
    assert failure["text"].startswith(text)
    assert "hunter2" not in json.dumps(failure)
    assert after["ok"]


GARBAGE = [
    pytest.param(b"swap cache memory\n", id="no JSON"),
    pytest.param(b"\n", id="an empty line"),
    pytest.param(b"\xff\xfe\x00\n", id="bytes"),
    pytest.param(b"[1, 2]\n", id="a list"),
    pytest.param(b"[" * 60_000 + b"\n", id="a deep nest"),
    pytest.param(b"1" * 60_000 + b"\n", id="a long number"),
    pytest.param(b'"\\ud800"\n', id="half a character"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_is_answered_and_harms_nobody(folder: Path, garbage: bytes) -> None:
    """The same client may go on."""
    async with listening(folder) as (_, path):
        answers = await said(path, garbage, HELLO)

    assert [answer["ok"] for answer in answers] == [False, True]
    assert answers[0]["error"]["code"] == "bad-command"


@pytest.mark.asyncio
@pytest.mark.parametrize("end", [pytest.param(b"\n", id="with an end"), pytest.param(b"", id="without end")])
async def test_a_message_that_is_too_big_ends_the_talk(folder: Path, end: bytes) -> None:
    """It is not read to its end, and never carried out; the next client is answered."""
    huge = b'{"op": "' + b"x" * (4 * MAX_MESSAGE_BYTES) + b'"}' + end
    async with listening(folder) as (parrot, path):
        answers = await said(path, huge, HELLO)
        heard = list(parrot.heard)
        after = await said(path, HELLO)

    assert [answer["error"]["code"] for answer in answers] in ([], ["bad-command"])
    assert heard == []
    assert after[0]["ok"]


@pytest.mark.asyncio
async def test_the_biggest_message_is_taken(folder: Path) -> None:
    """64 KiB with its end."""
    message = json.dumps({"op": "hello", "filler": ""}).encode()
    message = message.replace(b'""', b'"' + b"x" * (MAX_MESSAGE_BYTES - len(message) - 1) + b'"') + b"\n"
    async with listening(folder) as (_, path):
        answers = await said(path, message)

    assert len(message) == MAX_MESSAGE_BYTES
    assert answers[0]["ok"]


@pytest.mark.asyncio
@pytest.mark.parametrize("words", [pytest.param(b"", id="nothing"), pytest.param(b'{"op": "he', id="half a message")])
async def test_a_client_that_says_nothing_is_dropped(folder: Path, words: bytes) -> None:
    """Its time is limited, and meanwhile others are answered."""
    async with listening(folder, timeout_s=0.05) as (parrot, path):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(words)
        other = await said(path, HELLO)
        is_dropped = await hung_up(reader)
        writer.close()

    assert other[0]["ok"]
    assert is_dropped
    assert parrot.heard == [{"op": "hello"}]


@pytest.mark.asyncio
async def test_a_client_that_does_not_listen_is_dropped(folder: Path) -> None:
    """An answer that nobody takes is thrown away, and others are answered."""
    async with listening(folder, timeout_s=0.05) as (_, path):
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(path))
            deaf.sendall(b'{"op": "much"}\n')
            other = await said(path, HELLO)
            await asyncio.to_thread(_until_hung_up, deaf)

    assert other[0]["ok"]


def _until_hung_up(deaf: socket.socket) -> None:
    """Wait until the other side is gone, without taking a byte: only then writing fails."""
    try:
        while True:
            deaf.sendall(b"\n")
    except OSError:
        return


@pytest.mark.asyncio
async def test_another_user_is_not_heard(folder: Path, stream: io.StringIO) -> None:
    """The kernel says who is at the other end; the message is not even read."""
    async with listening(folder, user=os.geteuid() + 1) as (parrot, path):
        answers = await said(path, HELLO)

    assert answers == []
    assert parrot.heard == []
    assert "a command of another user was refused" in messages(stream)


@pytest.mark.asyncio
async def test_too_many_clients_are_not_let_in(folder: Path) -> None:
    """Those who came first are served; as soon as one leaves, there is room."""
    async with listening(folder) as (_, path):
        first = [await asyncio.open_unix_connection(str(path)) for _ in range(MOST_CLIENTS)]
        for reader, writer in first:
            writer.write(HELLO)
            assert json.loads(await reader.readline())["ok"]
        refused = await said(path, HELLO)
        for reader, writer in first:
            writer.write_eof()
            assert await hung_up(reader)
            writer.close()
        after = await said(path, HELLO)

    assert refused == []
    assert after[0]["ok"]


@pytest.mark.asyncio
async def test_a_stop_does_not_wait_for_a_command(folder: Path) -> None:
    """What is under way is cancelled, and so undone."""
    async with listening(folder) as (parrot, path):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b'{"op": "hang"}\n')
        await parrot.begun.wait()
    is_dropped = await hung_up(reader)
    writer.close()

    assert parrot.cancelled
    assert is_dropped


@pytest.mark.asyncio
async def test_a_client_that_leaves_does_not_undo_its_command(folder: Path) -> None:
    """A swap that was begun is not left half made because a terminal was closed."""
    async with listening(folder) as (parrot, path):
        _, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b'{"op": "hang"}\n')
        await parrot.begun.wait()
        writer.close()
        await writer.wait_closed()
        other = await said(path, HELLO)
        is_cancelled = parrot.cancelled

    assert other[0]["ok"]
    assert not is_cancelled


@pytest.mark.asyncio
async def test_a_socket_that_cannot_be_made_is_told_and_nothing_else(tmp_path: Path, stream: io.StringIO) -> None:
    """The application serves without; a stop has nothing to do."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    control = Control("orders", Parrot(), {"XDG_RUNTIME_DIR": str(deep)})

    await control.start()
    await control.stop()

    assert messages(stream) == ["no control socket"]
