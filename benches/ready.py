"""From the start of a process to the first 200 on `/readyz`, against an application wired by hand."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection, HTTPException

from benches.rows import Row
from benches.timing import CannotMeasure, Contestant, Effort, environment, interleave, shown

ROUNDS = 20
BUDGET = 1.25
LIMIT_S = 30.0
PAUSE_S = 0.005
OURS = ["-m", "oneiric.cli", "orchestrate", "--app", "benches.wired:app", "--profile", "serverless"]
THEIRS = ["-m", "benches.handwired"]


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the row of getting ready."""
    best_s = interleave({"ours": start(OURS), "theirs": start(THEIRS)}, effort.rounds(ROUNDS))
    yield Row(
        "orchestrate --profile serverless, to the first 200 on /readyz",
        best_s["ours"] / best_s["theirs"],
        BUDGET,
        f"{shown(best_s['ours'])} against {shown(best_s['theirs'])} of the same routes wired by hand",
    )


def start(command: Sequence[str]) -> Contestant:
    """
    Return a contestant that starts a server, waits until it is ready, and stops it; it takes the seconds until ready.

    Raises:
        CannotMeasure: When it runs: the server ends by itself, or is not ready in time.
    """

    def run() -> float:
        port = free_port()
        environ = environment(PORT=str(port), ONEIRIC_LOG_LEVEL="WARNING")
        began_s = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, *command], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            while not is_ready(port):
                if server.poll() is not None or time.perf_counter() - began_s > LIMIT_S:
                    server.kill()
                    said = server.communicate()[1]
                    raise CannotMeasure(f"{' '.join(command)} does not get ready: {said.strip()[-500:]}")
                time.sleep(PAUSE_S)
            return time.perf_counter() - began_s
        finally:
            server.terminate()
            server.communicate()

    return run


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_ready(port: int) -> bool:
    """Tell whether `/readyz` answers 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
