"""Commands of Oneiric as processes, and their answers as texts that do not change from run to run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
APPS = ROOT / "tests" / "cli" / "apps"
LIMIT_S = 30
_LINE_OF_OURS = re.compile(r"\b(oneiric\.(?!toml)[a-z_.]+):\d+")
_FINGERPRINT = re.compile(r"fp:[0-9a-f]{4}\b")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did: its exit code, what it wrote to standard output, and to standard error."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object on standard output. Raises ValueError if there is anything else."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def of_app(name: str) -> tuple[str, ...]:
    """Return the options that name one of the applications of these tests, `counter_shop`."""
    return ("--app", f"{name}:app", "--app-dir", str(APPS))


def run_process(*arguments: str, folder: Path, module: str = "oneiric.cli", **environment: str) -> Outcome:
    """Run one command in a new process and a folder of its own, without any variable of ours but those given."""
    with start_process(*arguments, folder=folder, module=module, **environment) as process:
        out, err = process.communicate(timeout=LIMIT_S)
    return Outcome(process.returncode, out, err)


def start_process(
    *arguments: str, folder: Path, module: str = "oneiric.cli", **environment: str
) -> subprocess.Popen[str]:
    """Start one command in a new process; who calls waits for its end."""
    clean = {k: v for k, v in os.environ.items() if not k.upper().startswith(("ONEIRIC_", "XDG_"))}
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**clean, "HOME": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def until(process: subprocess.Popen[str], message: str) -> str:
    """Read the log of a process until a line holds a message; return what was read. The process may end before."""
    read = ""
    assert process.stderr is not None
    for line in process.stderr:
        read += line
        if message in line:
            break
    return read


def steady(text: str) -> str:
    """Return a text without what may change: line numbers inside Oneiric, and fingerprints."""
    return _FINGERPRINT.sub("fp:0000", _LINE_OF_OURS.sub(r"\1:N", text)).rstrip("\n")
