"""The server as a client starts it: a process that speaks over its standard input and output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from mcp.types import TextResourceContents

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a process whose home is a folder, with the example's configuration."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    config = str(ROOT / "examples" / "desk" / "oneiric.toml")
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": path, "ONEIRIC_CONFIG": config}


def desk(folder: Path) -> StdioTransport:
    """Return the way to a server of its own, whose files lie in a folder."""
    return StdioTransport(
        sys.executable,
        ["-m", "examples.desk"],
        env=environment(folder),
        cwd=str(folder),
        keep_alive=False,
        log_file=folder / "log",
    )


@pytest.mark.asyncio
async def test_a_server_is_a_process_and_its_tickets_outlive_it(tmp_path: Path) -> None:
    """Two processes, one after the other, with one database; the first one ends with its client."""
    async with Client(desk(tmp_path)) as client:
        opened = await client.call_tool("open_ticket", {"customer": "ada", "subject": "the site is down"})
        weighed = await client.call_tool("weigh", {"subject": "the site is down"})
    async with Client(desk(tmp_path)) as client:
        [listed] = await client.read_resource("ticket://open")

    assert (opened.data, weighed.data) == (1, "urgent")
    assert isinstance(listed, TextResourceContents)
    assert listed.text == "1 ada: the site is down"
    assert (tmp_path / "desk.db").exists()


def test_the_application_and_its_tools_have_no_faults(tmp_path: Path) -> None:
    """It is found out without opening anything, in a process that holds no other application."""
    command = [sys.executable, "-m", "oneiric.cli", "check", "--strict", "--app", "examples.desk.server:app"]

    done = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, encoding="utf-8", check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "desk.db").exists()
