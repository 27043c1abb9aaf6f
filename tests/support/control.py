"""A folder for control sockets whose path is short enough, and a client that says what it likes."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MOST_READ_BYTES = 1_000_000


@contextmanager
def runtime_folder() -> Iterator[Path]:
    """An empty folder, as XDG_RUNTIME_DIR names one; the folders of pytest are too deep for a socket."""
    with tempfile.TemporaryDirectory(prefix="on-") as folder:
        yield Path(folder)


async def said(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Say lines to a socket and return all it answers until it hangs up, or until there is an answer to each."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=MOST_READ_BYTES)
    answers = []
    try:
        for line in lines:
            writer.write(line)
        await writer.drain()
        for _ in lines:
            if not (answer := await reader.readline()):
                break
            answers.append(json.loads(answer))
    except ConnectionError:
        pass  # it hung up while we were still talking
    finally:
        writer.transport.abort()
    return answers


async def hung_up(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side hangs up without a word."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True
