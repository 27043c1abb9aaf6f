"""The server under test: a client in memory, and an outbox in place of the messaging."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastmcp import Client

from examples.desk.app import app
from examples.desk.server import mcp
from oneiric import Application, Inputs
from oneiric.testing.outbox import Outbox


@pytest.fixture
def oneiric_application(tmp_path: Path) -> Application:
    """The application as it is, with a database in memory; nothing outside is read."""
    app.configure(Inputs(environ={}, folder=tmp_path))
    return app


@pytest.fixture
def outbox(oneiric_override: Callable[[Mapping[Any, object]], object]) -> Outbox:
    """What the tools send."""
    kept = Outbox()
    oneiric_override({"messaging": kept})
    return kept


@pytest_asyncio.fixture
async def client(outbox: Outbox) -> AsyncIterator[Client[Any]]:
    """A client of the server, which runs as long as that is connected."""
    async with Client(mcp) as connected:
        yield connected
