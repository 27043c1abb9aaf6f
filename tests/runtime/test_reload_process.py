"""A real process whose configuration changes while it serves: no request fails, and the log tells of each swap."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from examples.orders.report import report
from tests.support.program import ORCHESTRATE, ROOT, Program, running
from tests.support.wait import free_port, wait_until

APPS = Path(__file__).parent / "apps"
CALLERS = 8
SWAPS = 6
END_S = 30.0  # a limit for the wait, not a measurement

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def select(folder: Path, storage: str) -> str:
    """Return the text of a file that chooses a storage."""
    return f'[select]\nstorage = "{storage}"\n\n[settings.storage.local]\nroot = "{folder}/files"\n'


def put(path: Path, text: str) -> None:
    """Put another file in place of one."""
    beside = path.with_suffix(".new")
    beside.write_text(text, "utf-8")
    os.replace(beside, path)


def orders(folder: Path) -> AbstractContextManager[Program]:
    """Run the example as `oneiric orchestrate`, configured by a file of the folder."""
    put(folder / "oneiric.toml", select(folder, "memory"))
    environ = {
        "ONEIRIC_APP": "examples.orders.app:app",
        "ONEIRIC_CONFIG": str(folder / "oneiric.toml"),
        "ONEIRIC_PUSH__AUTH": "none",
        "ONEIRIC_DATABASE__SQLITE__PATH": str(folder / "orders.db"),
        "ONEIRIC_ACTIVITY__PATH": str(folder / "activity.sqlite"),
        "XDG_RUNTIME_DIR": str(folder),
    }
    command = ("-m", "oneiric.cli", "orchestrate")
    return running(ROOT, folder, port=free_port(), arguments=command, **environ)


def order(number: int) -> dict[str, object]:
    """Return an order as an event."""
    data = {"number": f"N-{number:04}", "customer": "ada", "lines": [{"sku": "TEA", "quantity": 1}]}
    event = {"specversion": "1.0", "type": "order.created", "source": "/test", "id": f"order-{number}"}
    return {**event, "datacontenttype": "application/json", "data": data}


def wait_for_more(found: Callable[[], Sequence[object]], count: int) -> None:
    """Return when so many more are there than when this was called."""
    before = len(found())
    wait_until(lambda: len(found()) >= before + count, END_S, what=f"{count} more")


def test_no_order_is_lost_while_the_file_changes(tmp_path: Path) -> None:
    """Eight callers send orders through six swaps between two adapters: each is answered 204 and written down once."""
    statuses: list[int] = []
    is_over = False

    def send(caller: int) -> None:
        number = caller
        while not is_over:
            statuses.append(program.push(order(number))[0])
            number += CALLERS

    def flips() -> list[str]:
        return [line["after"] for line in program.lines("swap flipped") if line["slot"] == "storage"]

    with orders(tmp_path) as program, ThreadPoolExecutor(CALLERS) as pool:
        program.wait_until_ready()
        callers = [pool.submit(send, caller) for caller in range(CALLERS)]
        try:
            for number in range(SWAPS):
                put(tmp_path / "oneiric.toml", select(tmp_path, ("local", "memory")[number % 2]))
                wait_for_more(flips, 1)
                wait_for_more(lambda: statuses, CALLERS)
        finally:
            is_over = True
        for caller in callers:
            caller.result()
        program.signal(signal.SIGTERM)
        code = program.wait()

    assert set(statuses) == {204}
    assert flips() == ["local", "memory"] * (SWAPS // 2)
    assert report(tmp_path / "orders.db")["accepted"] == len(statuses)
    assert [line["slots"] for line in program.lines("configuration reloaded")] == [["storage"]] * SWAPS
    assert sorted(program.slots("slot opened")) == sorted(program.slots("slot closed"))
    assert code == 0


def test_a_file_that_is_wrong_is_told_and_the_process_serves_on(tmp_path: Path) -> None:
    """The log has the code, and readiness stays."""
    with orders(tmp_path) as program:
        program.wait_until_ready()
        put(tmp_path / "oneiric.toml", "[select")
        program.wait_for_line("the change of the configuration is not used")
        ready, taken = program.get("/readyz")[0], program.push(order(1))[0]
        program.signal(signal.SIGTERM)
        code = program.wait()

    assert (ready, taken, code) == (200, 204, 0)
    assert {line["code"] for line in program.lines("the change of the configuration is not used")} == {
        "config-not-found"
    }


def test_a_hang_up_reloads_where_nothing_is_watched(tmp_path: Path) -> None:
    """In `serverless` a changed file waits for SIGHUP."""
    path = tmp_path / "harbour.toml"
    path.write_text("[settings.app]\nstop_timeout_s = 7\n")
    arguments = (*ORCHESTRATE, "--config", str(path))
    environ = {"ONEIRIC_APP": "harbour:app", "ONEIRIC_WEB__HOST": "127.0.0.1"}
    with running(APPS, tmp_path, port=free_port(), arguments=arguments, **environ) as program:
        program.wait_until_ready()
        path.write_text("[settings.app]\nstop_timeout_s = 6\n")
        program.signal(signal.SIGHUP)
        program.wait_for_line("configuration reloaded")
        program.signal(signal.SIGTERM)
        code = program.wait()

    assert [line["generation"] for line in program.lines("configuration reloaded")] == [2]
    assert code == 0
