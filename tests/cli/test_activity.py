"""What `oneiric activity` answers of an application that does not run: the file that it has left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oneiric.runtime.activity import ActivityStore, Entry
from tests.cli.conftest import Run
from tests.support.command import of_app
from tests.support.golden import check_golden

COUNTER = of_app("counter_shop")
NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)
FLAG = "oneiric swap cache guarded"
CHANGE = {"before": "memory", "after": "guarded", "cause": "swap", "error": None}
ENTRIES = [
    Entry("swap", "slot:cache", "planned", 2, FLAG, CHANGE),
    Entry("swap", "slot:prices", "built", 2, None, {"before": None, "after": None, "cause": "swap", "error": None}),
    Entry("swap", "slot:cache", "failed", 1, FLAG, {**CHANGE, "error": "open-timeout"}),
    Entry(
        "swap", "app", "failed", 2, None, {"before": None, "after": None, "cause": "reload", "error": "invalid-value"}
    ),
    Entry("swap", "slot:cache", "flipped", 2, "oneiric.toml:7\x1b[2J\nerror", CHANGE),
]


@pytest.fixture
def kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five rows, a second apart, in the file of an application that ran here."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    seconds = iter(range(100))
    store = ActivityStore(".oneiric/activity.sqlite", now=lambda: NOON + timedelta(seconds=next(seconds)))
    for entry in ENTRIES:
        store.keep(entry).result()
    store.close()


@pytest.mark.usefixtures("kept")
def test_what_was_left_reads_as_its_golden(oneiric: Run) -> None:
    """One line each, newest last, and nothing that a terminal would obey."""
    done = oneiric("activity", *COUNTER)

    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    check_golden("cli/activity.txt", done.out.rstrip("\n"))


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("arguments", "outcomes"),
    [
        pytest.param(("--slot", "prices"), ["built"], id="of a slot"),
        pytest.param(("--slot", "nothing"), [], id="of a slot that nothing happened to"),
        pytest.param(("--since", "2027-01-31T12:00:03Z"), ["failed", "failed", "flipped"], id="since a moment"),
        pytest.param(
            ("--since", "2027-01-31T14:00:03+02:00"), ["failed", "failed", "flipped"], id="since one elsewhere"
        ),
        pytest.param(("--since", "2027-01-31"), ["planned", "built", "failed", "failed", "flipped"], id="since a day"),
        pytest.param(("--since", "2027-02-01"), [], id="since a day after"),
    ],
)
def test_rows_are_chosen(oneiric: Run, arguments: tuple[str, ...], outcomes: list[str]) -> None:
    """By the slot, and from a moment on; one without a zone is UTC."""
    answer = oneiric("activity", *arguments, "--json", *COUNTER).answer

    assert (answer["schema"], answer["kind"]) == (1, "activity")
    assert [row["outcome"] for row in answer["activity"]] == outcomes


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("since", ["yesterday", "5", "m", "-5m", "5 m", "2027-13-01", ""])
def test_a_time_that_is_none_is_refused(oneiric: Run, since: str) -> None:
    """With what a time looks like."""
    done = oneiric("activity", f"--since={since}", *COUNTER)

    assert done.code == 2
    assert done.err.startswith("error[bad-option] oneiric activity: --since: give a time ago such as 15m, 2h or 7d")


def test_a_file_of_another_program_is_refused_and_left_as_it_is(oneiric: Run, folder: Path) -> None:
    """Also where it is only read."""
    (folder / "orders.txt").write_text("orders: 7\n" * 100, "utf-8")

    done = oneiric("activity", "--set", "activity.path=orders.txt", *COUNTER, XDG_RUNTIME_DIR=str(folder))

    assert done.code == 2
    assert done.err.startswith("error[store-corrupt] orders.txt is no activity store")
    assert (folder / "orders.txt").read_text("utf-8") == "orders: 7\n" * 100
