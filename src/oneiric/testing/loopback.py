"""
A small HTTP server on 127.0.0.1 that behaves well or badly as the path asks; `python -m oneiric.testing.loopback`.

It runs in a process of its own, so that what it holds is not counted among what a test leaves behind. It listens on
two ports, which are two origins. It prints both, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
STOP_TIMEOUT_S = 5.0
TLS_HANDSHAKE = b"\x16"  # the first byte of a TLS connection: RFC 8446 section 5.1
_PIECE = b"piece"


@dataclass(frozen=True, slots=True)
class Loopback:
    """
    A running server.

    Paths: `/echo` answers with the request as JSON. `/status/503` with that status, and with the header Retry-After
    where `?retry_after=` says so. `/redirect?to=&status=` redirects. `/flaky/KEY?failures=2&status=503` fails so often
    and then answers; `/count/KEY` tells how often. `/stall` never answers, `/drip` stalls after two pieces, `/hangup`
    closes, `/cut` ends too early, `/nonsense` speaks no HTTP. `/packed?encoding=` answers with a compressed text,
    `/bomb?bytes=` with that many zeros, compressed. `/cookie` sets one.

    Attributes:
        url: Base address of the first port.
        other_url: Base address of the second one.
    """

    url: str
    other_url: str


@contextmanager
def loopback() -> Iterator[Loopback]:
    """
    Run the server in a process of its own.

    Raises:
        RuntimeError: It did not start.
    """
    command = [sys.executable, "-m", "oneiric.testing.loopback"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            ports = process.stdout.readline().split() if process.stdout is not None else []
            if len(ports) != 2:
                raise RuntimeError("the loopback server did not start")
            yield Loopback(*(f"http://{HOST}:{int(port)}" for port in ports))
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(STOP_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> list[str]:
        return urlsplit(self.target).path.strip("/").split("/")

    def option(self, name: str, default: str = "") -> str:
        return parse_qs(urlsplit(self.target).query).get(name, [default])[0]


class _Server:
    """Answers one connection at a time per task; a connection is used again unless the answer was a fault."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side has enough."""
        try:
            while (request := await _read_request(reader)) is not None and await self._answer(request, reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client went away, which is what some tests are about
        finally:
            writer.close()

    async def _answer(self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Write an answer and tell whether the connection may be used again."""
        match request.path[0]:
            case "stall":
                await reader.read(1)  # ends when the client gives up
                return False
            case "drip":
                writer.write(
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + (b"5\r\n" + _PIECE + b"\r\n") * 2
                )
                await writer.drain()
                await reader.read(1)
                return False
            case "hangup":
                return False
            case "cut":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + _PIECE)
                await writer.drain()
                return False
            case "nonsense":
                writer.write(b"this is no HTTP\r\n\r\n")
                await writer.drain()
                return False
        status, headers, body = self._plan(request)
        head = [f"HTTP/1.1 {status} Answer", f"content-length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
        writer.write("\r\n".join([*head, "", ""]).encode() + (b"" if request.method == "HEAD" else body))
        return True

    def _plan(self, request: _Request) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of a request that gets a proper answer."""
        match request.path:
            case ["status", status]:
                after = request.option("retry_after")
                return int(status), {"retry-after": after} if after else {}, b"the body of status " + status.encode()
            case ["redirect"]:
                return int(request.option("status", "302")), {"location": request.option("to")}, b"moved"
            case ["flaky", key]:
                self._seen[key] += 1
                is_well = self._seen[key] > int(request.option("failures"))
                return (200 if is_well else int(request.option("status", "503"))), {}, str(self._seen[key]).encode()
            case ["count", key]:
                return 200, {}, str(self._seen[key]).encode()
            case ["packed"]:
                return 200, {"content-encoding": request.option("encoding")}, _pack(request.option("encoding"))
            case ["bomb"]:
                return 200, {"content-encoding": "gzip"}, gzip.compress(bytes(int(request.option("bytes"))))
            case ["cookie"]:
                return 200, {"set-cookie": "session=canary-cookie; Path=/"}, b""
        return 200, {"content-type": "application/json"}, _echo(request)


def _pack(encoding: str) -> bytes:
    text = b"a text that was compressed"
    return {"gzip": gzip.compress(text), "deflate": zlib.compress(text)}.get(encoding, text)


def _echo(request: _Request) -> bytes:
    parts = urlsplit(request.target)
    shown = {"method": request.method, "path": parts.path, "query": parts.query, "headers": request.headers}
    return json.dumps({**shown, "body": request.body.decode("utf-8", "replace")}).encode()


async def _read_request(reader: asyncio.StreamReader) -> _Request | None:
    """Read one request; None at the end of the connection, and where somebody speaks TLS."""
    first = await reader.read(1)
    if first in {b"", TLS_HANDSHAKE}:
        return None  # a hello of TLS is random bytes: what looks like a line in it may have no end
    line = first + await reader.readline()
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (field := (await reader.readline()).decode("latin-1").strip()) != "":
        name, _, text = field.partition(":")
        headers[name.lower()] = text.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return _Request(method, target, headers, body)


async def _main() -> None:
    server = _Server()
    listeners = [await asyncio.start_server(server.serve, HOST, 0) for _ in range(2)]
    print(*(each.sockets[0].getsockname()[1] for each in listeners), flush=True)
    await asyncio.gather(*(each.serve_forever() for each in listeners))


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)  # whoever started the server is gone; there is nothing to put in order


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(_main())
