"""What type checkers say about the public API: nothing about its use, and all about its misuse."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api as mypy

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = [HERE / "api.py", HERE / "misuse.py", *sorted((ROOT / "examples").rglob("*.py"))]
RIGHT = [path for path in FILES if path.name != "misuse.py"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Reports = dict[tuple[Path, int], list[str]]


def say_mypy(folder: Path) -> Reports:
    """Return the codes that mypy reports, by file and line."""
    options = ["--strict", f"--config-file={ROOT / 'pyproject.toml'}", "--show-error-codes", "--no-error-summary"]
    options += [f"--cache-dir={folder}", "--show-absolute-path"]
    said, failed, _ = mypy.run([*options, *map(str, FILES)])
    assert failed == ""
    found: Reports = {}
    for file, line, code in re.findall(r"^(.+?):(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE):
        found.setdefault((Path(file), int(line)), []).append(code)
    return found


def say_pyright() -> Reports:
    """Return the rules that pyright reports, by file and line."""
    options = ["--outputjson", "--pythonpath", sys.executable, "--pythonversion", "3.11"]
    command = [sys.executable, "-m", "pyright", *options, *map(str, FILES)]
    environ = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # it asks nobody whether there is a newer one
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, encoding="utf-8", check=False, timeout=250
    )
    said = json.loads(done.stdout)
    assert said["summary"]["filesAnalyzed"] == len(FILES)
    found: Reports = {}
    for report in said["generalDiagnostics"]:
        where = (Path(report["file"]), report["range"]["start"]["line"] + 1)
        found.setdefault(where, []).append(report.get("rule", report["message"]))
    return found


@pytest.fixture(scope="module", params=[pytest.param(0, id="mypy"), pytest.param(1, id="pyright")])
def checked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Reports]:
    """Which of the two checkers it is, and what it reports of all files in one run."""
    return request.param, say_pyright() if request.param else say_mypy(tmp_path_factory.mktemp("mypy"))


def test_the_api_is_used_without_a_report(checked: tuple[int, Reports]) -> None:
    """Neither the API's own page nor an example has an error."""
    _, reports = checked

    assert {where: codes for where, codes in reports.items() if where[0].name != "misuse.py"} == {}


def test_each_misuse_is_reported_where_it_stands(checked: tuple[int, Reports]) -> None:
    """Exactly those: one report too few is a hole, one too many a nuisance."""
    which, reports = checked
    lines = (HERE / "misuse.py").read_text("utf-8").splitlines()
    marks = {n: line.rpartition("# wrong: ")[2].split("; ") for n, line in enumerate(lines, 1) if "  # wrong: " in line}
    planted = {(HERE / "misuse.py", n): mark[which].split(", ") for n, mark in marks.items()}

    assert {where: sorted(codes) for where, codes in reports.items() if where[0].name == "misuse.py"} == planted


def test_right_use_needs_no_silencing() -> None:
    """No line of the API's page tells a checker to look away; the examples do so in their tests of bad input alone."""
    silenced = [
        path.name
        for path in RIGHT
        if path.parent.name != "tests" and re.search(r"type: ignore|pyright:", path.read_text("utf-8"))
    ]

    assert silenced == []
