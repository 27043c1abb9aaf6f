"""What a run of the benches shows, and the file that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benches.report import table, write
from benches.rows import Row


@pytest.mark.parametrize(
    ("ratio", "budget", "ok"),
    [
        pytest.param(1.2, 1.5, True, id="below the budget"),
        pytest.param(1.5, 1.5, True, id="at the budget"),
        pytest.param(1.6, 1.5, False, id="above the budget"),
        pytest.param(0.0, 0.0, True, id="a count of none"),
        pytest.param(1.0, 0.0, False, id="a count of one"),
        pytest.param(27.0, None, True, id="no budget"),
        pytest.param(None, None, True, id="neither a budget nor a ratio"),
        pytest.param(None, 1.5, False, id="a budget that nothing was measured for"),
    ],
)
def test_a_budget_is_kept_up_to_its_edge(ratio: float | None, budget: float | None, ok: bool) -> None:
    """A row is right while its ratio is not above its budget."""
    assert Row("get", ratio, budget).ok is ok


def test_the_file_is_a_list_of_one_object_a_row(tmp_path: Path) -> None:
    """Each object has the same five fields; the folder is made where it is missing."""
    path = tmp_path / "build" / "bench.json"

    write([Row("get", 1.23456, 1.5, "84 ns"), Row("get: peer", None, None, "not installed")], path)

    assert json.loads(path.read_text("utf-8")) == [
        {"name": "get", "ratio": 1.235, "budget": 1.5, "ok": True, "detail": "84 ns"},
        {"name": "get: peer", "ratio": None, "budget": None, "ok": True, "detail": "not installed"},
    ]


def test_a_missed_budget_is_shown_as_over() -> None:
    """The table says `ok` or `over` for each row, and is aligned."""
    shown = table([Row("get", 1.2, 1.5, "fine"), Row("build", 3.25, 0.5, "slow")])

    assert shown.splitlines() == [
        "      what     ratio   budget  detail",
        "ok    get       1.20     1.50  fine",
        "over  build     3.25     0.50  slow",
    ]


def test_a_row_without_a_budget_has_no_verdict() -> None:
    """Other libraries are shown for comparison, and one that is not installed has no ratio."""
    shown = table([Row("get: one", 27.0, None, "one 4.2"), Row("get: two", None, None, "not installed")])

    assert shown.splitlines() == [
        "      what        ratio   budget  detail",
        "      get: one    27.00        -  one 4.2",
        "      get: two        -        -  not installed",
    ]
