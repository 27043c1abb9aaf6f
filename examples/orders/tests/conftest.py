"""The application as it is, with its edges replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from examples.orders.app import app
from examples.orders.tests.shop import Shop
from oneiric import Inputs


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """The application with a database and a storage in memory, and an outbox; nothing outside is read."""
    found = Shop(app)
    app.configure(Inputs(environ={}, folder=tmp_path))
    with app.override({"storage": "memory", "messaging": found.outbox}):
        async with app:
            yield found
