"""What a type checker says about the public API: nothing about its use, and all about its misuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api as mypy

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """The errors of both files, as lines and codes, from one run."""
    options = ["--strict", f"--config-file={ROOT / 'pyproject.toml'}", "--show-error-codes", "--no-error-summary"]
    cache = f"--cache-dir={tmp_path_factory.mktemp('mypy')}"
    said, failed, _ = mypy.run([*options, cache, str(HERE / "api.py"), str(HERE / "misuse.py")])
    assert failed == ""
    found: dict[str, list[tuple[int, str]]] = {"api.py": [], "misuse.py": []}
    for file, line, code in re.findall(r"([\w.]+):(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE):
        found.setdefault(file, []).append((int(line), code))
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_api_is_used_without_a_report(reports: dict[str, list[tuple[int, str]]]) -> None:
    """No `type: ignore` is needed anywhere."""
    assert reports["api.py"] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_misuse_is_reported_where_it_stands(reports: dict[str, list[tuple[int, str]]]) -> None:
    """Exactly those: one report too few is a hole, one too many a nuisance."""
    lines = (HERE / "misuse.py").read_text("utf-8").splitlines()
    planted = [(n, line.rpartition("# wrong: ")[2]) for n, line in enumerate(lines, 1) if "# wrong: " in line[1:]]

    assert reports["misuse.py"] == planted
