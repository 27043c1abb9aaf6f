"""The examples as a user meets them: the demo as a process, and the wheel in a clean environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command without anything in the environment that Oneiric or the import path would read."""
    hidden = {"PORT", "PYTHONPATH", "PYTHONHOME"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden and not name.startswith("ONEIRIC_")}
    environ = {**kept, "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1", **variables}
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, encoding="utf-8", check=False)


def test_the_demo_shows_what_it_promises() -> None:
    """It exits with 0, every order is accounted for, and what it prints to a pipe has no colours."""
    done = run(sys.executable, "-m", "examples.demo", cwd=ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "50 answered 204" in lines
    assert {"accepted 43 43", "duplicates 6 6", "rejected 1 1", "sum of the orders 2,160.60"} <= set(lines)
    assert [line for line in lines if line.startswith("* ") and "******" not in line] == [  # of explanations, but one
        "* profile memory examples/orders/oneiric.toml:4",
        "* env memory ONEIRIC_SELECT__CACHE",
        "* env memory ONEIRIC_SELECT__STORAGE",
        "* in force",
    ]
    assert any(line.startswith("* env ****** fp:") for line in lines)
    assert any(line.startswith("* secrets ****** file ") for line in lines)
    assert any("env < secrets < explicit (profile serverless: secrets above env)" in line for line in lines)
    assert "storage: local -> memory, generation 2" in lines
    live = [re.findall(r"\d+(?= orders| answered| written)", line) for line in lines if "came in meanwhile" in line]
    assert [len(set(counts)) for counts in live] == [1]
    assert any(" slot:storage flipped 2 local -> memory reload " in line for line in lines)
    assert "2* reload storage: local (profile) -> memory (profile)" in lines
    assert "from the" not in done.stdout
    assert "\x1b" not in done.stdout


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).stdout.strip())
    # A folder named in a .pth file is searched after the environment's own, and its own .pth files, such as that of
    # an editable install, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    wheel: list[str | Path] = [
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--disable-pip-version-check",
        "--wheel-dir",
        folder,
    ]
    built = run(python, "-m", "pip", "wheel", ROOT, *wheel, cwd=folder)
    assert built.returncode == 0, built.stderr
    install = ["--no-deps", "--no-index", "--ignore-installed", "--disable-pip-version-check"]
    installed = run(python, "-m", "pip", "install", *install, next(folder.glob("*.whl")), cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return python


def test_the_wheel_holds_the_package_and_nothing_else(clean: Path) -> None:
    """Type checkers find the types, and neither tests nor examples are installed."""
    (wheel,) = clean.parents[2].glob("oneiric-*.whl")

    names = zipfile.ZipFile(wheel).namelist()

    assert "oneiric/py.typed" in names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"oneiric"}
    assert [name for name in names if "__pycache__" in name or "/tests/" in name] == []


def test_the_installed_command_shows_its_help(clean: Path, tmp_path: Path) -> None:
    """`oneiric --help` runs from the wheel, far from the checkout."""
    done = run(clean.parent / "oneiric", "--help", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "orchestrate" in done.stdout


def test_the_wheel_runs_the_example_that_lies_beside_it(clean: Path, tmp_path: Path) -> None:
    """With `examples` copied beside it, the demo runs on the installed package."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))

    place = run(clean, "-c", "import oneiric; print(oneiric.__file__)", cwd=tmp_path)
    demo = run(clean, "-m", "examples.demo", cwd=tmp_path)

    assert Path(place.stdout.strip()).is_relative_to(clean.parents[1])
    assert demo.returncode == 0, demo.stdout + demo.stderr
