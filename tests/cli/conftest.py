"""Running commands: in this process, with an environment and a folder of their own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from weakref import WeakSet

import pytest

from oneiric.cli import main
from oneiric.containers import active
from tests.support.command import APPS, Outcome

Run = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment that says nothing to Oneiric."""
    for name in list(os.environ):
        if name.upper().startswith(("ONEIRIC_", "XDG_")) and not name.startswith("ONEIRIC_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def oneiric(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run one command in this process: `oneiric("explain", "cache", ONEIRIC_SELECT__CACHE="memory")`."""
    monkeypatch.setattr(active, "_sites", WeakSet())  # those of other tests are no part of this program
    path, known = list(sys.path), set(sys.modules)
    importlib.invalidate_caches()

    def run(*arguments: str, **environment: str) -> Outcome:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        code = main(arguments)
        for name in environment:
            monkeypatch.delenv(name)
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    yield run
    sys.path[:] = path
    for name in set(sys.modules) - known:
        home = getattr(sys.modules[name], "__file__", None)
        if home and Path(home).parent in {APPS, folder}:  # the next test imports it anew
            del sys.modules[name]
