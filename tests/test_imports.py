"""What importing costs: nothing is loaded before it is needed, and importing a module does nothing."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import oneiric
from tests.support.command import of_app

LIMIT_S = 120
WEB = ("fastapi", "httpx", "httpcore", "starlette", "uvicorn", "werkzeug", "yaml")
SDKS = ("asyncpg", "boto3", "botocore", "google", "nats", "obstore", "redis", "sqlalchemy", "temporalio", "watchfiles")
LIBRARIES = ("aiobreaker", "anyio", "cryptography", "loguru", "rich", "tenacity")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(oneiric.__path__, "oneiric.")
    if not module.name.endswith("__main__")
)
FOLDERS = sorted({name.split(".")[1] for name in MODULES})
LOADED = "import sys; print(' '.join(sorted(sys.modules)))"

# Imports each module in a child of its own, which tells what the import did besides.
ALONE = """
import importlib, os, signal, sys, threading, traceback

asked = []

class Watched(type(os.environ)):
    def __getitem__(self, name):
        if name.upper().startswith("ONEIRIC_"):
            asked.append(name)
        return super().__getitem__(name)

def deeds(name):
    old = os.environ
    os.environ = Watched(old._data, old.encodekey, old.decodekey, old.encodevalue, old.decodevalue)
    path, before, handler = list(sys.path), dict(old), signal.getsignal(signal.SIGTERM)
    importlib.import_module(name)
    yield from (f"reads {variable}" for variable in asked)
    if threading.active_count() > 1:
        yield "starts a thread"
    if dict(old) != before:
        yield "changes the environment"
    if sys.path != path:
        yield "changes the import path"
    if signal.getsignal(signal.SIGTERM) is not handler:
        yield "installs a signal handler"
    if "loguru" in sys.modules:
        yield "loads the log library"

for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            found = list(deeds(name))
            for deed in found:
                print(f"{name} {deed}", flush=True)
            os._exit(0)
        except BaseException:
            print(f"{name} fails: {traceback.format_exc()}", flush=True)
            os._exit(1)
    os.waitpid(child, 0)
"""


def run(code: str, *arguments: str, folder: Path) -> str:
    """Run Python code in a new process and return what it prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ONEIRIC_")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**clean, "HOME": str(folder)},
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(code: str, folder: Path) -> set[str]:
    """Return the modules that a new process has loaded after some code."""
    return set(run(f"{code}\n{LOADED}", folder=folder).splitlines()[-1].split())


def command(*arguments: str) -> str:
    """Return code that runs one command and swallows what it writes."""
    return (
        "import contextlib, io\nfrom oneiric.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    assert main({list(arguments)!r}) == 0"
    )


def test_importing_oneiric_loads_oneiric_alone(tmp_path: Path) -> None:
    """The names of the package are loaded when they are touched."""
    bare = loaded_by("import __future__, importlib, typing", tmp_path)

    assert loaded_by("import oneiric", tmp_path) - bare == {"oneiric"}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        pytest.param(
            "from oneiric import Application, Inject; Application('x')",
            (*WEB, *SDKS, *LIBRARIES, "typer", "oneiric.web.routes"),
            id="an application is made",
        ),
        pytest.param(
            command("explain", "cache", *of_app("counter_shop")),
            (*WEB, *SDKS, *LIBRARIES, "oneiric.web.routes"),
            id="oneiric explain",
        ),
        pytest.param(
            command("check", *of_app("counter_shop")),
            (*WEB, *SDKS, *LIBRARIES, "oneiric.web.routes"),
            id="oneiric check",
        ),
        pytest.param(
            command("--help"),
            (*WEB, *SDKS, *LIBRARIES, "asyncio", "dependency_injector", "pydantic", "oneiric.containers"),
            id="oneiric --help",
        ),
    ],
)
def test_what_is_not_needed_is_not_loaded(tmp_path: Path, code: str, absent: tuple[str, ...]) -> None:
    """No SDK, no web framework and no log library before somebody uses it."""
    loaded = loaded_by(code, tmp_path)

    assert sorted(set(absent) & loaded) == []


@pytest.mark.slow
@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("folder", FOLDERS)
def test_each_module_imports_alone_and_does_nothing(tmp_path: Path, folder: str) -> None:
    """In any order, and without an environment read, a thread, a signal handler or a log sink."""
    modules = [name for name in MODULES if name.split(".")[1] == folder]

    assert run(ALONE, *modules, folder=tmp_path) == ""
