"""Commands for an application that runs: its process is found, asked through its control socket, and answers."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.cli.failures import FAILED, REFUSED
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.containers.graph import clean
from oneiric.core.errors import ControlUnavailable, NotRunning, SeveralRunning

ANSWER_TIMEOUT_S = 120.0  # a swap builds, opens and asks for health, each within limits of its own
MAX_ANSWER_BYTES = 64 * 1_048_576


class Told(NamedTuple):
    """
    What a running application said.

    Attributes:
        fields: Its answer, or the fields of its error.
        failure: The reply of a command that failed there; None for one that was carried out.
    """

    fields: dict[str, Any]
    failure: Reply | None = None


def ask(options: Options, process: int | None, what: str, **message: Any) -> Told:
    """
    Send a message to the process that runs an application, and return its answer.

    Args:
        options: Which application is meant.
        process: The process, where several run; then the application need not be imported.
        what: What for, in the words of the refusal where none runs.
        message: The message: `op` and its fields.

    Raises:
        NotRunning: No process of this user runs it.
        SeveralRunning: Several do, and `process` says none.
        ControlUnavailable: It does not answer.
        AppNotImportable: The application is not found.
    """
    said = _exchange(_find(options, process, what), message)
    if said["ok"]:
        return Told(said["answer"])
    text = "\n".join(map(clean, str(said["text"]).splitlines()))
    code = REFUSED if said["is_refused"] else FAILED
    return Told(said["error"], Reply(answer("error", **said["error"]), notices=(text,), code=code))


def name_of(options: Options) -> str:
    """Return the name of the application that is meant. Its configuration is not read: it may be what is broken."""
    from oneiric.runtime.orchestrator import find_reference, load_application

    with contextlib.redirect_stdout(sys.stderr):
        return load_application(find_reference(options.app, os.environ, Path()), options.app_dir).name


def _find(options: Options, process: int | None, what: str) -> Path:
    """Return the socket of the one process that is meant."""
    from oneiric.runtime.control_sockets import folder_of, running

    name = name_of(options) if process is None else None
    found = dict(running(folder_of(os.environ), name))
    if process is not None:
        if process not in found:
            raise NotRunning(f"of process {process}", what)
        return found[process]
    if not found:
        raise NotRunning(str(name), what)
    if len(found) > 1:
        raise SeveralRunning(str(name), sorted(found))
    return next(iter(found.values()))


def _exchange(path: Path, message: dict[str, Any]) -> dict[str, Any]:
    """Send one message and return its answer."""
    from oneiric.runtime.control_sockets import user_of

    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(ANSWER_TIMEOUT_S)
        try:
            asking.connect(str(path))
            if user_of(asking) != os.geteuid():
                raise ControlUnavailable(str(path), "a process of another user listens there")
            asking.sendall(json.dumps(message).encode() + b"\n")
            with asking.makefile("rb") as lines:
                line = lines.readline(MAX_ANSWER_BYTES)
            said: dict[str, Any] = json.loads(line)
        except (OSError, ValueError) as error:
            why = "it does not answer in time" if isinstance(error, TimeoutError) else "it hung up without an answer"
            raise ControlUnavailable(str(path), why) from None
    return said
