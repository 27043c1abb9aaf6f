"""The application as a real process: its port, its signals, its exit codes, and what its log says was left open."""

from __future__ import annotations

import shlex
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.program import ORCHESTRATE, ROOT, Program, running
from tests.support.wait import free_port, is_listening, wait_until

APPS = Path(__file__).parent / "apps"
OPEN = {"ONEIRIC_PUSH__AUTH": "none", "ONEIRIC_WEB__HOST": "127.0.0.1"}
LOCAL = {"ONEIRIC_WEB__HOST": "127.0.0.1"}
SHIP = {"specversion": "1.0", "id": "1", "source": "/sea", "type": "ship.arrived"}
ORDERLY_S = 5.0  # a limit for the wait, not a measurement: an orderly stop takes far less
STOP_SIGNALS = [pytest.param(signal.SIGTERM, id="SIGTERM"), pytest.param(signal.SIGINT, id="SIGINT")]

pytestmark = pytest.mark.slow


class Harbour(Protocol):
    """Starts the harbour as a process."""

    def __call__(
        self, *, port: int | str | None = None, arguments: tuple[str, ...] = ORCHESTRATE, **environ: str
    ) -> AbstractContextManager[Program]:
        """Return the running program."""


@pytest.fixture
def harbour(tmp_path: Path) -> Harbour:
    """Run the harbour: by default as the Procfile does, on a free port."""

    def start(
        *, port: int | str | None = None, arguments: tuple[str, ...] = ORCHESTRATE, **environ: str
    ) -> AbstractContextManager[Program]:
        chosen = free_port() if port is None else port
        return running(APPS, tmp_path, port=chosen, arguments=arguments, ONEIRIC_APP="harbour:app", **environ)

    return start


def assert_closed_in_reverse(program: Program, opened: list[str]) -> None:
    """Every slot that was opened is closed once, the last one first."""
    assert program.slots("slot opened") == opened
    assert program.slots("slot closed") == opened[::-1]


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_the_line_of_the_procfile_serves_and_stops(harbour: Harbour, number: signal.Signals) -> None:
    """With PORT and ONEIRIC_APP alone: ready, push closed, exit 0 at the signal, and nothing left open."""
    line = (ROOT / "Procfile").read_text("utf-8").strip()
    kind, _, command = line.partition(": ")
    python, *arguments = shlex.split(command)

    with harbour(arguments=tuple(arguments)) as program:
        program.wait_until_ready()
        push = program.push(SHIP)
        program.signal(number)
        code = program.wait(ORDERLY_S)

    assert (kind, python) == ("web", "python")
    assert (push[0], push[1]["code"]) == (403, "push-auth-config")
    assert code == 0
    assert_closed_in_reverse(program, ["quay", "crane"])
    assert [warning["code"] for warning in program.lines("push routes are closed")] == ["push-auth-config"]


def test_without_authentication_on_loopback_events_are_taken(harbour: Harbour) -> None:
    """One machine needs no tokens; bad input runs nothing."""
    with harbour(**OPEN) as program:
        program.wait_until_ready()
        taken = program.push(SHIP)
        malformed = program.push({**SHIP, "id": ""})
        oversized = program.push(b"{" + b" " * 2_000_000)
        still_taken = program.push({**SHIP, "id": "2"})
        program.signal(signal.SIGTERM)
        code = program.wait(ORDERLY_S)

    assert [taken[0], malformed[0], oversized[0], still_taken[0]] == [204, 400, 413, 204]
    assert [malformed[1]["code"], oversized[1]["code"]] == ["invalid-event", "body-too-large"]
    assert [line["id"] for line in program.lines("ship unloaded")] == ["1", "2"]
    assert code == 0


def test_without_authentication_on_a_public_address_push_stays_closed(harbour: Harbour) -> None:
    """`push.auth = none` alone opens nothing: in this profile the host is 0.0.0.0."""
    with harbour(ONEIRIC_PUSH__AUTH="none") as program:
        program.wait_until_ready()
        push = program.push(SHIP)

    assert (push[0], push[1]["code"]) == (403, "push-auth-config")


def test_an_unhealthy_adapter_makes_the_process_not_ready(harbour: Harbour) -> None:
    """It lives, and names who fails; the words of the adapter stay inside."""
    with harbour(HARBOUR_HEALTH="bad", **LOCAL) as program:
        program.wait_for_line("application started")
        wait_until(lambda: program.get("/startupz")[0] == 200, ORDERLY_S)
        (live, _), (ready, body) = program.get("/livez"), program.get("/readyz")

    assert (live, ready) == (200, 503)
    assert [subject["health"] for subject in body["subjects"]] == ["failing", "ok"]
    assert "hunter2" not in str(body)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_during_the_start_stops_in_order(harbour: Harbour, number: signal.Signals) -> None:
    """What was opened is closed; what was just opening is given up."""
    with harbour(HARBOUR_OPEN="hang", **LOCAL) as program:
        program.wait_for_line("crane opening")
        starting = program.get("/readyz")
        program.signal(number)
        code = program.wait(ORDERLY_S)

    assert (starting[0], starting[1]["status"]) == (503, "starting")
    assert code == 0
    assert_closed_in_reverse(program, ["quay"])


def test_requests_in_flight_finish_before_anything_is_closed(harbour: Harbour) -> None:
    """50 at once: a signal loses none of them, and nobody new is let in."""
    count = 50
    with harbour(**OPEN) as program, ThreadPoolExecutor(count) as pool:
        program.wait_until_ready()
        ships = [{**SHIP, "type": "ship.waits", "id": str(number)} for number in range(count)]
        answers = [pool.submit(program.push, ship) for ship in ships]
        wait_until(lambda: len(program.lines("ship waits")) == count, ORDERLY_S * 2)
        program.signal(signal.SIGTERM)
        program.wait_for_line("application stopping")
        wait_until(lambda: not is_listening(int(program.port)), ORDERLY_S)
        closed_early = program.slots("slot closed")
        program.signal(signal.SIGUSR1)
        statuses = [answer.result()[0] for answer in answers]
        code = program.wait(ORDERLY_S)

    assert statuses == [204] * count
    assert closed_early == []
    assert code == 0
    assert_closed_in_reverse(program, ["quay", "crane"])


def test_a_request_that_never_finishes_is_given_up(harbour: Harbour) -> None:
    """The drain has half of the budget; then the rest goes on in order."""
    with harbour(ONEIRIC_APP__STOP_TIMEOUT_S="2", **OPEN) as program, ThreadPoolExecutor(1) as pool:
        program.wait_until_ready()
        answer = pool.submit(program.push, {**SHIP, "type": "ship.waits"})
        program.wait_for_line("ship waits")
        program.signal(signal.SIGTERM)
        code = program.wait(ORDERLY_S)
        answer.exception()

    assert code == 0
    assert program.lines("ship unloaded") == []
    assert_closed_in_reverse(program, ["quay", "crane"])


@pytest.mark.parametrize(
    "how", [pytest.param("fail", id="a closer that raises"), pytest.param("hang", id="a closer that hangs")]
)
def test_a_closer_that_fails_does_not_keep_the_others_open(harbour: Harbour, how: str) -> None:
    """The rest is closed, and the exit code tells that something was not."""
    with harbour(HARBOUR_CLOSE=how, **LOCAL) as program:
        program.wait_until_ready()
        program.signal(signal.SIGTERM)
        code = program.wait(ORDERLY_S)

    assert code == 1
    assert program.slots("slot failed to close") == ["crane"]
    assert program.slots("slot closed") == ["quay"]
    assert "hunter2" not in program.text


def test_a_closer_that_holds_the_loop_meets_the_hard_exit(harbour: Harbour) -> None:
    """No time limit of the loop can end it; the process is gone all the same, and says where it hung."""
    with harbour(HARBOUR_CLOSE="block", ONEIRIC_APP__STOP_TIMEOUT_S="1", **LOCAL) as program:
        program.wait_until_ready()
        program.signal(signal.SIGTERM)
        code = program.wait(ORDERLY_S)

    assert code == 70
    assert [line["step"] for line in program.lines("the stop hangs, the process ends hard")] == ["adapters"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [pytest.param(signal.SIGTERM, 143, id="SIGTERM"), pytest.param(signal.SIGINT, 130, id="SIGINT")],
)
def test_the_second_signal_ends_the_process_at_once(harbour: Harbour, number: signal.Signals, expected: int) -> None:
    """Also while a closer holds the event loop: the handler does not belong to the loop."""
    with harbour(HARBOUR_CLOSE="block", ONEIRIC_APP__STOP_TIMEOUT_S="60", **LOCAL) as program:
        program.wait_until_ready()
        program.signal(signal.SIGTERM)
        program.wait_for_line("pilot home")
        wait_until(lambda: program.process.poll() is not None or program.signal(number), ORDERLY_S)
        code = program.wait(ORDERLY_S)

    assert code == expected


def test_a_start_that_fails_leaves_nothing_open(harbour: Harbour) -> None:
    """Exit 1, the error block, what was open is closed, the port is free again."""
    with harbour(HARBOUR_OPEN="fail", **LOCAL) as program:
        code = program.wait()

    assert code == 1
    assert "error[start-failed] the start failed at slot crane" in program.text
    assert "Traceback" not in program.text
    assert "hunter2" not in program.text
    assert_closed_in_reverse(program, ["quay"])
    assert not is_listening(int(program.port))


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        pytest.param({"ONEIRIC_SELECT__QUEY": "memory"}, "unknown-slot", id="a fault that check finds"),
        pytest.param({"ONEIRIC_WEB__PORT": "eighty"}, "invalid-value", id="a setting that is no port"),
        pytest.param({"PORT": "eighty"}, "invalid-port", id="a PORT that is none"),
        pytest.param({"ONEIRIC_WEB__HOST": "192.0.2.1"}, "invalid-value", id="a host of elsewhere"),
        pytest.param({"ONEIRIC_LOG_LEVEL": "LOUD"}, "invalid-value", id="a log level that is none"),
        pytest.param({"ONEIRIC_APP": "harbor:app"}, "app-not-importable", id="an application that is not there"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_opened(
    tmp_path: Path, environ: dict[str, str], code: str
) -> None:
    """Exit 2 with the error block; a platform need not try again."""
    said = {"ONEIRIC_APP": "harbour:app", **environ}
    port = said.pop("PORT", free_port())

    with running(APPS, tmp_path, port=port, **said) as program:
        exit_code = program.wait()

    assert exit_code == 2
    assert f"error[{code}]" in program.text
    assert "Traceback" not in program.text
    assert program.slots("slot opened") == []


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_is_refused_before_anything_is_opened(harbour: Harbour, taken: int) -> None:
    """Exit 2, naming the address."""
    with harbour(port=taken, **LOCAL) as program:
        code = program.wait()

    assert code == 2
    assert f"error[port-in-use] cannot listen on 127.0.0.1:{taken}" in program.text
    assert program.slots("slot opened") == []


def test_a_service_that_fails_stops_the_whole_process_in_order(harbour: Harbour) -> None:
    """Exit 1: the platform starts it again."""
    with harbour(HARBOUR_SERVICE="fail", **LOCAL) as program:
        code = program.wait()

    assert code == 1
    assert [line["service"] for line in program.lines("service failed")] == ["pilot"]
    assert_closed_in_reverse(program, ["quay", "crane"])


def test_without_web_only_the_services_run(harbour: Harbour) -> None:
    """No port is listened on; the stop is the same."""
    with harbour(arguments=(*ORCHESTRATE, "--no-web"), **LOCAL) as program:
        program.wait_for_line("service started")
        is_listened_on = is_listening(int(program.port))
        program.signal(signal.SIGTERM)
        code = program.wait(ORDERLY_S)

    assert not is_listened_on
    assert code == 0
    assert len(program.lines("pilot home")) == 1
    assert_closed_in_reverse(program, ["quay", "crane"])
