"""The example as a process: started, asked, stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
APP = "examples.orders.app:app"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
CALL_TIMEOUT_S = 10.0
POLL_S = 0.05


class ServerFailed(Exception):
    """The server did not start or stop as it should; its log is in the message."""


def environment(**ours: str) -> dict[str, str]:
    """Return the environment of this process with our variables, and no other one that Oneiric reads."""
    theirs = {name: value for name, value in os.environ.items() if name != "PORT" and not name.startswith("ONEIRIC_")}
    return {**theirs, "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1", **ours}


def oneiric(*arguments: str, environ: Mapping[str, str]) -> str:
    """
    Run one command of Oneiric to its end, and return what it prints.

    Raises:
        ServerFailed: It does not exit with 0.
    """
    command = [sys.executable, "-m", "oneiric.cli", *arguments, "--app", APP]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, encoding="utf-8", timeout=START_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise ServerFailed(f"oneiric {' '.join(arguments)} exits with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Server:
    """
    `oneiric orchestrate` on the example, on a free loopback port.

    As a context manager it ends its process at the end of the block, whatever happened in it.

    Args:
        environ: The environment of the process.
        log: The file that takes everything it prints.
    """

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._origin = ""
        command = [sys.executable, "-m", "oneiric.cli", "orchestrate", "--app", APP, "--port", "0"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, cwd=ROOT, env=dict(environ), stdout=output, stderr=output)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def origin(self) -> str:
        """Where it listens: `http://127.0.0.1:PORT`; empty before `wait_until_ready`."""
        return self._origin

    def text(self) -> str:
        """Return everything it has printed."""
        return self._log.read_text("utf-8", "replace")

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Return its log lines with this message."""
        return [line for line in self._log_lines() if line["message"] == message]

    def errors(self) -> list[dict[str, Any]]:
        """Return its log lines that report an error."""
        return [line for line in self._log_lines() if line["severity"] in {"ERROR", "CRITICAL"}]

    def _log_lines(self) -> list[dict[str, Any]]:
        # Its messaging writes plain text between the lines of the log, and the last line may not be complete.
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{") and line.endswith("}")]

    def wait_until_ready(self) -> float:
        """
        Wait until `/readyz` answers 200, and return how many seconds that took.

        Raises:
            ServerFailed: The process ended, or is not ready in time.
        """
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < START_TIMEOUT_S:
            if self._process.poll() is not None:
                raise ServerFailed(f"the server ended with {self._process.returncode}:\n{self.text()}")
            listening = self.lines("listening")
            if listening:
                self._origin = f"http://127.0.0.1:{listening[0]['port']}"
                if self.call("/readyz") == 200:
                    return time.monotonic() - begun_s
            time.sleep(POLL_S)
        raise ServerFailed(f"the server is not ready after {START_TIMEOUT_S:g} s:\n{self.text()}")

    def wait_for(self, message: str, **fields: str) -> dict[str, Any]:
        """
        Wait until its log has a line of this message with these fields, and return the line.

        Raises:
            ServerFailed: There is none in time.
        """
        end_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end_s:
            for line in self.lines(message):
                if fields.items() <= line.items():
                    return line
            time.sleep(POLL_S)
        raise ServerFailed(f'the log has no line "{message}" after {START_TIMEOUT_S:g} s:\n{self.text()}')

    def call(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> int:
        """Return the status of a GET, or of a POST where there is a body; 0 if nobody answers."""
        request = urllib.request.Request(self._origin + path, data=body, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=CALL_TIMEOUT_S) as response:
                status: int = response.status
                return status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def stop(self) -> tuple[int, float]:
        """
        Send SIGTERM, and return the exit code and how many seconds the end took.

        Raises:
            ServerFailed: It does not end in time.
        """
        begun_s = time.monotonic()
        self._process.terminate()
        try:
            return self._process.wait(STOP_TIMEOUT_S), time.monotonic() - begun_s
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"the server did not end within {STOP_TIMEOUT_S:g} s:\n{self.text()}") from None

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
