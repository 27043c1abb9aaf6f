"""The program under test, with its edges replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from examples.stock.app import app
from examples.stock.commands import program
from oneiric import Application, Inputs
from oneiric.adapters.storage.memory import MemoryStorage
from oneiric.core.log import log

Run = Callable[..., Result]


@pytest.fixture(scope="session", autouse=True)
def early_log() -> None:
    """The log writes where it is first asked for, and that shall not be what is captured of one command."""
    log()


@pytest.fixture
def oneiric_application(tmp_path: Path) -> Application:
    """The application as it is, with a database that outlives one command; nothing outside is read."""
    app.configure(Inputs(environ={}, folder=tmp_path, settings=[f"database.sqlite.path={tmp_path / 'stock.db'}"]))
    return app


@pytest.fixture
def storage(oneiric_override: Callable[[dict[str, Any]], object]) -> MemoryStorage:
    """The storage that the program uses; nobody else opens or closes it, so that a test can look into it."""
    given = MemoryStorage(MemoryStorage.Settings())
    asyncio.run(given.open())
    oneiric_override({"storage": given})
    return given


@pytest.fixture
def run(storage: MemoryStorage) -> Run:
    """Run one command line, `run("receive", "MUG", "12")`."""

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(program, arguments)

    return invoke
