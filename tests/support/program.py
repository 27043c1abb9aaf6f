"""The command line as a process of its own: started, waited for, signalled, and read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.wait import wait_until

ROOT = Path(__file__).parents[2]
END_S = 30.0  # a limit for waiting, far above what is expected
ORCHESTRATE = ("-m", "oneiric.cli", "orchestrate", "--profile", "serverless")


class Program:
    """
    A running process.

    Attributes:
        port: The port that PORT names.
        log_path: Where its standard error goes.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int | str, log_path: Path) -> None:
        self.process = process
        self.port = port
        self.log_path = log_path

    @property
    def text(self) -> str:
        """What it wrote to standard error so far."""
        return self.log_path.read_text("utf-8")

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Return the log lines of a message."""
        found = [json.loads(line) for line in self.text.splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in found if line["message"] == message]

    def slots(self, message: str) -> list[str]:
        """Return the slots that the log lines of a message name, in order."""
        return [line["slot"] for line in self.lines(message)]

    def wait_for_line(self, message: str) -> None:
        """Return when the log has a line of this message; fails if the process ends without."""
        wait_until(lambda: self.lines(message) or self._ended(message), END_S, what=f'the log line "{message}"')

    def wait_until_ready(self) -> None:
        """Return when `/readyz` answers 200; fails if the process ends without."""
        wait_until(lambda: self.get("/readyz")[0] == 200 or self._ended("readiness"), END_S, what="readiness")

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of a GET; status 0 where nobody answers."""
        return self._send(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}"))

    def push(self, document: object) -> tuple[int, dict[str, Any]]:
        """Send a structured event; returns status and JSON."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"content-type": "application/cloudevents+json"}
        url = f"http://127.0.0.1:{self.port}/push/events"
        return self._send(urllib.request.Request(url, body, headers, method="POST"))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self, timeout_s: float = END_S) -> int:
        """Wait for the end, and return the exit code; negative for a signal that was not handled."""
        return self.process.wait(timeout_s)

    def _send(self, request: urllib.request.Request) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(request, timeout=END_S) as response:
                body = response.read()
                return response.status, json.loads(body) if body else {}
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read())
        except OSError:
            return 0, {}

    def _ended(self, waited_for: str) -> bool:
        code = self.process.poll()
        assert code is None, f"it ended with {code} before {waited_for}:\n{self.text}"
        return False


@contextmanager
def running(
    folder: Path, home: Path, *, port: int | str, arguments: Sequence[str] = ORCHESTRATE, **environ: str
) -> Iterator[Program]:
    """
    Run Python in a folder with a bare environment: PATH, HOME, PORT and what is given; it is gone afterwards.

    Args:
        folder: The working directory.
        home: A folder for its files, such as its standard error.
        port: What PORT says.
        arguments: What follows the interpreter; by default the line of the Procfile.
        environ: Further variables.
    """
    log_path = home / "log.txt"
    bare = {"PATH": os.environ["PATH"], "HOME": str(home), "PORT": str(port), **environ}
    with log_path.open("wb") as log:
        process = subprocess.Popen([sys.executable, *arguments], cwd=folder, env=bare, stderr=log)
    try:
        yield Program(process, port, log_path)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
