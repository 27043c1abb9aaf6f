"""
The control socket of a running application: its user asks and tells it things, from the same machine only.

A message is one line of JSON, and so is its answer: `{"ok": true, "answer": {…}}`, or `{"ok": false, "error": {…}}`
with the fields of a problem. Whatever comes, the application serves on.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from oneiric.core.errors import BadCommand, ControlUnavailable, OneiricError, Refused
from oneiric.core.log import log
from oneiric.runtime.control_sockets import folder_of, listen, user_of

SCHEMA = 1
MAX_MESSAGE_BYTES = 65_536
TIMEOUT_S = 10.0  # for a client to say something, and to take its answer
MOST_CLIENTS = 16


class Obeying(Protocol):
    """What carries out a message: `Commands`."""

    async def carry_out(self, message: Any) -> dict[str, Any]:  # JSON in and out
        """Return the answer. Raises OneiricError."""


class Control:
    """
    Listens for commands while the application serves.

    Args:
        name: The application's name.
        commands: Carries them out.
        environ: XDG_RUNTIME_DIR says where the socket is.
        user: Whose commands are taken; the user of this process by default.
        timeout_s: Seconds for a client to say something, and to take its answer.
    """

    def __init__(
        self,
        name: str,
        commands: Obeying,
        environ: Mapping[str, str],
        *,
        user: int | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._name, self._commands, self._environ = name, commands, environ
        self._user = os.geteuid() if user is None else user
        self._timeout_s = timeout_s
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen; where that cannot be, the log says so, and the application serves without."""
        try:
            listener, path = listen(folder_of(self._environ), self._name)
        except ControlUnavailable as error:
            log().warning("no control socket", code=error.code, why=error.message, fix=error.fixes[0])
            return
        self._server = await asyncio.start_unix_server(self._meet, sock=listener, limit=MAX_MESSAGE_BYTES)
        self._path = path
        log().info("control socket open", path=str(path))

    async def stop(self) -> None:
        """Listen no longer; a command that is being carried out is cancelled. A second call does nothing."""
        if self._server is None or self._path is None:
            return
        self._server.close()
        self._server = None
        self._path.unlink(missing_ok=True)
        for task in self._clients:
            task.cancel()
        if self._clients:
            await asyncio.wait(self._clients)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it leaves, breaks the rules, or has nothing to say for too long."""
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._clients) >= MOST_CLIENTS:
                return
            self._clients.add(task)
            if (user := user_of(writer.get_extra_info("socket"))) != self._user:
                log().warning("a command of another user was refused", user=user)
                return
            while line := await self._line(reader, writer):
                await self._say(writer, await self._answer(line))
        except (TimeoutError, OSError):
            return  # the client is slow or gone
        finally:
            self._clients.discard(task)
            writer.transport.abort()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Return the next message; nothing where the client leaves or sends too much."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return b""
        except asyncio.LimitOverrunError:
            await self._say(writer, _failed(BadCommand(f"a message has at most {MAX_MESSAGE_BYTES} bytes")))
            return b""

    async def _say(self, writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # `drain` waits until the client can have all of it
        writer.write(json.dumps({"schema": SCHEMA, **answer}, default=str).encode() + b"\n")
        async with asyncio.timeout(self._timeout_s):
            await writer.drain()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                raise BadCommand("it is no JSON") from None
            return {"ok": True, "answer": await self._commands.carry_out(message)}
        except OneiricError as error:
            return _failed(error)
        except Exception as error:  # border: a command that breaks down must not end the process
            log().opt(exception=error).error("a command broke down")
            return _failed(OneiricError(f"{type(error).__name__} was raised", fixes=("see the log of the process",)))


def _failed(error: OneiricError) -> dict[str, Any]:
    """Return an error ready for JSON, with the text a person reads."""
    refused = isinstance(error, Refused)
    return {"ok": False, "error": error.problem.fields(), "text": str(error), "is_refused": refused}
