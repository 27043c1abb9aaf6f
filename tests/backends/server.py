"""One server that a test started: its process, its folder, and how to end it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.support.wait import is_listening, wait_until

STOP_TIMEOUT_S = 10.0
LOG_TAIL_CHARS = 600


@dataclass(slots=True)
class Server:
    """
    A running server. Use it as a context manager, or call `stop`.

    Attributes:
        settings: What a client needs to reach it.
        process: The leader of its own process group; None for one that lives inside this process.
        folder: Its files, removed by `stop`.
        keep: An object that keeps an in-process server alive.
    """

    settings: dict[str, str | int]
    process: subprocess.Popen[str] | None = None
    folder: Path | None = None
    keep: object = field(default=None, repr=False)

    def stop(self) -> None:
        """End the process group, by force after 10 s, and remove the folder; a second call does nothing."""
        process, self.process = self.process, None
        if process is not None:
            _end_group(process)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.keep = None

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def new_folder() -> Path:
    """Return a fresh temporary folder."""
    return Path(tempfile.mkdtemp(prefix="oneiric-test-"))


def launch(
    command: Sequence[object],
    settings: Mapping[str, str | int],
    *,
    ports: Sequence[int],
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 40.0,
) -> Server:
    """
    Start a program in a process group of its own, and wait until it accepts connections on all its ports.

    Args:
        command: Program and arguments.
        settings: What a client needs.
        ports: Loopback ports to wait for.
        folder: Working folder, a fresh one by default; it goes when the server stops.
        env: Variables on top of this process's own.
        timeout_s: Seconds that it may take to listen.

    Raises:
        RuntimeError: It ended, or listened too late; the message holds the end of its log.
    """
    home = folder or new_folder()
    log = home / "server.log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=home,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            text=True,
        )
    server = Server(dict(settings), process, home)
    try:
        for port in ports:
            wait_until(
                lambda port=port: process.poll() is not None or is_listening(port), timeout_s, what=f"port {port}"
            )
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    except (TimeoutError, RuntimeError) as error:
        said = log.read_text(errors="replace")[-LOG_TAIL_CHARS:]
        server.stop()
        raise RuntimeError(f"{command[0]} does not serve: {error}; {said}") from error
    return server


def program(name: str) -> str:
    """
    Return the path of a program: on PATH, beside this interpreter, or among the system's servers.

    Raises:
        FileNotFoundError: It is in none of them.
    """
    beside = Path(sys.executable).parent / name
    found = shutil.which(name) or (str(beside) if beside.exists() else None)
    found = found or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise FileNotFoundError(f"the program {name} is not installed")
    return found


def in_wheel(package: str, *parts: str) -> str:
    """
    Return the path of a file inside an installed wheel, without importing it.

    Raises:
        FileNotFoundError: The wheel is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the wheel {package} is not installed")
    return str(Path(spec.submodule_search_locations[0], *parts))


def node_modules() -> Path:
    """Return the folder of npm packages: `$NODE_MODULES`, or `node_modules` below it or below the working folder."""
    folder = Path(os.environ.get("NODE_MODULES", "node_modules"))
    return (folder if folder.name == "node_modules" else folder / "node_modules").resolve()


def node_program(name: str) -> str:
    """
    Return the path of a program of an npm package.

    Raises:
        FileNotFoundError: It is not installed.
    """
    path = node_modules() / ".bin" / name
    if not path.exists():
        raise FileNotFoundError(f"the npm program {name} is not installed")
    return str(path)


def _end_group(process: subprocess.Popen[str]) -> None:
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_TIMEOUT_S)
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait(STOP_TIMEOUT_S)
    if process.stdout is not None:
        process.stdout.close()
