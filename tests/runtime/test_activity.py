"""The activity store: what is acknowledged is kept, whoever writes and however a process ends; nothing waits for it."""

from __future__ import annotations

import io
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oneiric import Application
from oneiric.core.errors import OneiricError, StoreUnavailable
from oneiric.core.log import configure
from oneiric.runtime.activity import MEMORY, MOST_ROWS, ActivityStore, Entry, Wanted, find_path, read_rows
from oneiric.runtime.settings import ActivitySettings
from oneiric.runtime.swap_events import SwapEvent
from tests.runtime.backends import Second, build

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)
FLIPPED = SwapEvent("flipped", 2, "cache", "memory", "redis", "env", "ONEIRIC_SELECT__CACHE", 0.5)
OURS = "CREATE TABLE activity (id INTEGER PRIMARY KEY); PRAGMA user_version = {}"
# Writes rows one after the other, and says of each that it was acknowledged.
WRITER = """
import sys
from oneiric.runtime.activity import ActivityStore, Entry
store = ActivityStore(sys.argv[1])
for number in range(int(sys.argv[3])):
    print(store.keep(Entry("swap", sys.argv[2], str(number), detail={"filler": "x" * 500})).result(), flush=True)
store.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a store may be; its folder is not there yet."""
    return str(tmp_path / "state" / "activity.sqlite")


@pytest.fixture
def store(path: str) -> Iterator[ActivityStore]:
    """A store whose clock stands at noon."""
    made = ActivityStore(path, now=lambda: NOON)
    yield made
    made.close()


def write(path: str, subject: str, count: int) -> subprocess.Popen[str]:
    """Start a process that writes rows."""
    arguments = [sys.executable, "-c", WRITER, path, subject, str(count)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, encoding="utf-8")


def entry(number: int = 0, *, subject: str = "slot:cache", kind: str = "swap") -> Entry:
    """Return something that happened."""
    return Entry(kind, subject, f"step {number}")


def test_a_step_of_a_swap_is_a_row(store: ActivityStore) -> None:
    """Slot, step, generation and origin have columns; the rest is detail."""
    store.record(FLIPPED)

    assert [row.fields() for row in store.rows()] == [
        {
            "id": 1,
            "at": "2027-01-31T12:00:00.000000Z",
            "kind": "swap",
            "subject": "slot:cache",
            "outcome": "flipped",
            "generation": 2,
            "origin": "ONEIRIC_SELECT__CACHE",
            "detail": {
                "before": "memory",
                "after": "redis",
                "layer": "env",
                "seconds": 0.5,
                "error": None,
                "cause": "swap",
            },
        }
    ]


def test_a_change_that_was_refused_as_a_whole_is_of_the_application(store: ActivityStore) -> None:
    """No slot was looked at; the code says why."""
    store.record(SwapEvent("failed", 1, "", None, None, None, None, 0.0, "invalid-value", "reload"))

    kept = store.rows()[0]
    assert (kept.subject, kept.outcome, kept.detail["error"], kept.detail["cause"]) == (
        "app",
        "failed",
        "invalid-value",
        "reload",
    )


def test_no_secret_reaches_the_file(store: ActivityStore, path: str) -> None:
    """Neither by a name that sounds so, nor as user info of an address."""
    detail = {"password": "hunter2", "url": "redis://me:hunter3@example.org/0"}

    store.keep(Entry("swap", "slot:cache", "failed", origin="https://me:hunter4@example.org", detail=detail)).result()
    store.close()

    assert b"hunter" not in Path(path).read_bytes()
    assert read_rows(path)[0].detail == {"password": "******", "url": "redis://******@example.org/0"}


def test_only_its_user_may_read_the_file(store: ActivityStore, path: str) -> None:
    """What happened is nobody else's business."""
    store.open()

    assert Path(path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("wanted", "outcomes"),
    [
        pytest.param(Wanted(), ["step 0", "step 1", "step 2"], id="all, newest last"),
        pytest.param(Wanted(subject="slot:queue"), ["step 1"], id="of a subject"),
        pytest.param(Wanted(kind="control"), ["step 2"], id="of a kind"),
        pytest.param(Wanted(after=1), ["step 1", "step 2"], id="after an id"),
        pytest.param(Wanted(since="2027-01-31T11:59:59Z"), ["step 0", "step 1", "step 2"], id="since a moment before"),
        pytest.param(Wanted(since="2027-01-31T12:00:01Z"), [], id="since a moment after"),
    ],
)
def test_rows_are_asked_for(store: ActivityStore, path: str, wanted: Wanted, outcomes: list[str]) -> None:
    """By the process that writes them, and by one that only looks at the file."""
    for one in (entry(0), entry(1, subject="slot:queue"), entry(2, kind="control")):
        store.keep(one)

    assert [row.outcome for row in store.rows(wanted)] == outcomes
    assert [row.outcome for row in read_rows(path, wanted)] == outcomes


@pytest.mark.slow
def test_four_processes_write_at_once(path: str) -> None:
    """All rows of all are there, and none of them has to try again."""
    writers = [write(path, f"slot:{number}", 1_000) for number in range(4)]
    for writer in writers:
        writer.communicate()

    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    for number in range(4):
        with closing(sqlite3.connect(path)) as reading:
            kept = reading.execute("SELECT outcome FROM activity WHERE subject = ? ORDER BY id", (f"slot:{number}",))
            assert [outcome for (outcome,) in kept] == [str(n) for n in range(1_000)]


@pytest.mark.slow
@pytest.mark.parametrize("acknowledged", [1, 2, 37, 200])
def test_a_killed_process_loses_nothing_that_was_acknowledged(path: str, acknowledged: int) -> None:
    """Whatever it was doing then, there is no half row, and the file can be written on."""
    with write(path, "slot:cache", 100_000) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout if line.endswith("\n")]

    with closing(sqlite3.connect(path)) as reading:
        assert reading.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = reading.execute("SELECT id, outcome, detail FROM activity ORDER BY id").fetchall()
    assert [number for number, _, _ in rows[: len(told)]] == told
    assert [(outcome, detail) for _, outcome, detail in rows] == [
        (str(n), json.dumps({"filler": "x" * 500})) for n in range(len(rows))
    ]
    store = ActivityStore(path)
    assert store.keep(entry()).result() == len(rows) + 1
    store.close()


def database(script: str) -> Callable[[Path], None]:
    """Return what makes an SQLite file with a script."""

    def make(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)

    return make


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(database(OURS.format(2)), "store-newer", id="of a later version"),
        pytest.param(lambda path: path.write_text("orders: 7\n" * 500), "store-corrupt", id="no database"),
        pytest.param(database("CREATE TABLE orders (id)"), "store-corrupt", id="of another program"),
        pytest.param(
            database("CREATE TABLE orders (id); PRAGMA user_version = 1"), "store-corrupt", id="of another, numbered"
        ),
        pytest.param(database(OURS.format(0)), "store-corrupt", id="of another, with such a table"),
    ],
)
def test_a_file_that_is_no_store_of_ours_is_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], code: str
) -> None:
    """It is refused by name, for writing and for reading, and not one byte of it changes."""
    path = tmp_path / "activity.sqlite"
    make(path)
    before = path.read_bytes()
    store = ActivityStore(str(path))

    with pytest.raises(OneiricError) as opening:
        store.open()
    with pytest.raises(OneiricError) as reading:
        read_rows(str(path))
    with pytest.raises(OneiricError) as keeping:
        store.keep(entry()).result()
    store.close()

    assert [one.value.code for one in (opening, reading, keeping)] == [code] * 3
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["activity.sqlite"]


def test_what_is_too_old_goes_when_the_file_is_opened(path: str) -> None:
    """30 days are kept."""
    moments = iter([NOON, NOON - timedelta(days=31), NOON - timedelta(days=29)])
    first = ActivityStore(path, now=lambda: next(moments))
    for number in range(2):
        first.keep(entry(number)).result()
    first.close()

    second = ActivityStore(path, now=lambda: NOON)
    kept = [row.outcome for row in second.rows()]
    second.close()

    assert kept == ["step 1"]


def test_what_is_too_much_goes_when_the_file_is_opened(store: ActivityStore, path: str) -> None:
    """The newest 100,000 rows are kept."""
    store.open()
    with closing(sqlite3.connect(path)) as connection, connection:
        row = ("2027-01-31T11:00:00.000000Z", "swap", "slot:cache", "flipped", "{}")
        insert = "INSERT INTO activity (at, kind, subject, outcome, detail) VALUES (?, ?, ?, ?, ?)"
        connection.executemany(insert, [row] * (MOST_ROWS + 3))

    again = ActivityStore(path, now=lambda: NOON)
    again.open()
    again.close()

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT min(id), max(id) FROM activity").fetchone() == (4, 100_003)


def test_a_process_that_runs_for_long_drops_what_is_too_old(path: str) -> None:
    """It looks every 1,000 rows."""
    now = [NOON]
    store = ActivityStore(path, now=lambda: now[0])
    store.keep(entry()).result()
    now[0] += timedelta(days=31)

    for number in range(999):
        done = store.keep(entry(number))
    done.result()
    oldest = store.rows(Wanted(after=-1))[0].id
    store.close()

    assert oldest == 2


def test_nobody_waits_for_a_store_that_waits_for_another_process(store: ActivityStore, path: str) -> None:
    """`record` returns while the file is locked, and the row is there afterwards."""
    store.open()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = store.keep(Entry.of(FLIPPED))
        is_done_early = done.done()
        other.execute("COMMIT")

    assert not is_done_early
    assert done.result() == 1


def test_a_store_that_is_closed_writes_what_waits(store: ActivityStore, path: str) -> None:
    """Everything that was said before the end is kept; what comes later is lost, and harms nobody."""
    for number in range(100):
        store.keep(entry(number))
    store.close()
    store.record(FLIPPED)

    assert [row.outcome for row in read_rows(path)] == [f"step {number}" for number in range(100)]


@pytest.mark.asyncio
async def test_a_store_that_fails_fails_no_swap(tmp_path: Path) -> None:
    """The log says so once, however many rows are lost."""
    (tmp_path / "file").write_text("no folder")
    store, stream = ActivityStore(str(tmp_path / "file" / "activity.sqlite")), io.StringIO()
    configure(as_json=True, stream=stream)
    app = build()
    app.recorders.append(store)

    async with app:
        swapped = await app.swap({"backend": Second})
        with pytest.raises(StoreUnavailable):
            store.keep(entry()).result()
    store.close()

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert swapped.generation == 2
    assert [line["code"] for line in lines if line["message"] == "activity is not kept"] == ["store-unavailable"]


def test_a_store_in_memory_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lives as long as the process."""
    monkeypatch.chdir(tmp_path)
    store = ActivityStore(MEMORY)

    store.record(FLIPPED)
    rows = store.rows()
    store.close()

    assert [row.outcome for row in rows] == ["flipped"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "environ", "is_local", "expected"),
    [
        pytest.param(None, {}, True, ".oneiric/activity.sqlite", id="nobody says"),
        pytest.param(
            None, {"STATE_DIRECTORY": "/var/lib/orders"}, True, "/var/lib/orders/activity.sqlite", id="systemd"
        ),
        pytest.param(None, {"STATE_DIRECTORY": "/srv/a:/srv/b"}, True, "/srv/a/activity.sqlite", id="two folders"),
        pytest.param(
            None, {"STATE_DIRECTORY": "/var/lib/orders"}, False, ":memory:", id="nothing stays on the machine"
        ),
        pytest.param("here.sqlite", {"STATE_DIRECTORY": "/srv/a"}, False, "here.sqlite", id="a setting"),
    ],
)
def test_the_file_is_where_setting_profile_and_environment_say(
    said: str | None, environ: dict[str, str], is_local: bool, expected: str
) -> None:
    """The setting wins; without one, a profile that keeps no files keeps it in memory."""
    assert find_path(ActivitySettings(path=said), environ, is_local=is_local) == expected


def test_an_application_keeps_nothing_by_itself() -> None:
    """Who serves it says where; a test that makes one leaves no file."""
    assert Application("orders").recorders == []
