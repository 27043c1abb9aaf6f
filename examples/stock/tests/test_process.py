"""The program as a user runs it, with its configuration file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow


def stock(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command line in a folder."""
    return run("examples.stock", *arguments, folder=folder, **variables)


def run(module: str, *arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a module as a program in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ONEIRIC_")}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    ours = {"PYTHONPATH": path, "NO_COLOR": "1", "ONEIRIC_CONFIG": str(ROOT / "examples" / "stock" / "oneiric.toml")}
    command = [sys.executable, "-m", module, *arguments]
    environ = {**kept, **ours, **variables}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, encoding="utf-8", check=False)


def test_commands_share_what_the_configuration_names(tmp_path: Path) -> None:
    """Database and storage are files of the folder; what they print is all there is."""
    done = [
        stock("receive", "MUG", "12", folder=tmp_path),
        stock("take", "MUG", "50", folder=tmp_path),
        stock("export", "monday.csv", folder=tmp_path),
    ]

    assert [(one.returncode, one.stdout, one.stderr) for one in done] == [
        (0, "MUG: 12\n", ""),
        (1, "", "MUG: 12 there, 50 wanted\n"),
        (0, "monday.csv: 20 bytes\n", ""),
    ]
    assert (tmp_path / "stock" / "monday.csv").read_text("utf-8") == "sku,quantity\nMUG,12\n"


def test_another_adapter_is_chosen_from_outside(tmp_path: Path) -> None:
    """A variable is enough: the export goes into memory, and ends with the command."""
    done = stock("export", "monday.csv", folder=tmp_path, ONEIRIC_SELECT__STORAGE="memory")

    assert (done.returncode, done.stdout) == (0, "monday.csv: 13 bytes\n"), done.stderr
    assert not (tmp_path / "stock").exists()


def test_a_wrong_option_opens_nothing(tmp_path: Path) -> None:
    """The exit status is 2, and neither a database nor a folder is made."""
    done = stock("receive", "MUG", "0", folder=tmp_path)

    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_the_application_and_its_commands_have_no_faults(tmp_path: Path) -> None:
    """It is found out without opening anything, in a process that holds no other application."""
    done = run("oneiric.cli", "check", "--strict", "--app", "examples.stock.commands:app", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
