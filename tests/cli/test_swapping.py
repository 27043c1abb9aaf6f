"""Commands for an application that runs in a process of its own: told through its control socket, answered as ever."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.command import Outcome, of_app, start_process
from tests.support.control import runtime_folder
from tests.support.program import Program, running
from tests.support.wait import free_port, wait_until

COUNTER = of_app("counter_shop")
SERVE = ("-m", "oneiric.cli", "orchestrate", *COUNTER)
LOCAL = {"ONEIRIC_WEB__HOST": "127.0.0.1"}
STARTED = "application started"
END_S = 10.0

pytestmark = pytest.mark.slow

Ask = Callable[..., Outcome]


@pytest.fixture
def runtime() -> Iterator[Path]:
    """What XDG_RUNTIME_DIR names, for those who serve and for those who ask."""
    with runtime_folder() as found:
        yield found


@pytest.fixture
def shop(folder: Path, runtime: Path) -> Iterator[Program]:
    """The shop at the counter, serving."""
    with running(folder, folder, port=free_port(), arguments=SERVE, XDG_RUNTIME_DIR=str(runtime), **LOCAL) as program:
        program.wait_for_line(STARTED)
        yield program


@pytest.fixture
def ask(oneiric: Run, runtime: Path) -> Ask:
    """Run a command that finds who serves."""
    return lambda *arguments: oneiric(*arguments, *COUNTER, XDG_RUNTIME_DIR=str(runtime))


def test_a_swap_is_made_shown_and_taken_back(shop: Program, ask: Ask) -> None:
    """Without a restart; what it changed is told by the process that serves."""
    swapped = ask("swap", "cache", "guarded")
    explained = ask("explain", "cache", "--running")
    back = ask("rollback", "1")
    listed = ask("generations")

    head = f"counter   profile default   process {shop.process.pid}"
    assert [one.code for one in (swapped, explained, back, listed)] == [0, 0, 0, 0]
    assert swapped.out.splitlines() == [
        f"{head}   generation 2",
        "  cache: memory (code) -> guarded (explicit)",
        "  built anew: cache, prices",
    ]
    assert explained.out.startswith("slot cache -> guarded")
    assert "ready, generation 2" in explained.out
    assert "oneiric swap cache guarded" in explained.out
    assert back.out.splitlines()[:2] == [f"{head}   generation 3", "  cache: guarded (explicit) -> memory (code)"]
    assert [line.split() for line in listed.out.splitlines()] == [
        ["generation", "cause", "changed"],
        ["1", "start", "-"],
        ["2", "swap", "cache:", "memory", "(code)", "->", "guarded", "(explicit)"],
        ["3*", "rollback", "to", "1", "cache:", "guarded", "(explicit)", "->", "memory", "(code)"],
        [],
        ["*", "in", "force"],
    ]


def test_an_earlier_generation_is_explained(shop: Program, ask: Ask) -> None:
    """As it was, not as it is; a process that does not serve knows nothing of it."""
    ask("swap", "cache", "guarded")
    then, here = ask("explain", "cache", "--at", "1"), ask("explain", "cache")

    assert then.out.startswith("slot cache -> memory")
    assert "as it was, generation 1" in then.out
    assert "not started" in here.out


REFUSED = [
    pytest.param(("swap", "cache", "nope"), "selection-unknown", id="an adapter that is not there"),
    pytest.param(("swap", "cache", "valkey"), "selection-not-installed", id="an adapter that is not installed"),
    pytest.param(("swap", "cach", "memory"), "unknown-slot", id="a slot that is not there"),
    pytest.param(("rollback", "77"), "unknown-generation", id="a generation that never was"),
    pytest.param(("explain", "cach", "--running"), "unknown-slot", id="explain a slot that is not there"),
    pytest.param(("explain", "cache", "--at", "77"), "unknown-generation", id="explain what never was"),
    pytest.param(("explain", "cache", "--running", "--probe"), "bad-option", id="what only this process can do"),
]


@pytest.mark.parametrize(("arguments", "code"), REFUSED)
def test_what_cannot_be_is_refused_there(shop: Program, ask: Ask, arguments: tuple[str, ...], code: str) -> None:
    """Exit 2, the same block as here and the same object; the application serves on as before."""
    text, fields = ask(*arguments), ask(*arguments, "--json")
    generations = ask("generations", "--json").answer["generations"]

    assert (text.code, fields.code, text.out) == (2, 2, "")
    assert text.err.startswith(f"error[{code}] ")
    assert "  fix: " in text.err
    assert (fields.answer["kind"], fields.answer["code"]) == ("error", code)
    assert len(generations) == 1


def test_a_plan_shows_what_would_change(shop: Program, ask: Ask, folder: Path) -> None:
    """Of a file that is named from here; secrets are hidden, and nothing changes."""
    (folder / "next.toml").write_text(
        '[select]\ncache = "guarded"\n[settings.cache.guarded]\npassword = "hunter2"\ntries = 5\n', "utf-8"
    )

    text, fields = ask("plan", "--config", "next.toml"), ask("plan", "--config", "next.toml", "--json")
    after = ask("explain", "cache", "--running", "--json").answer

    assert (text.code, fields.code) == (0, 0)
    assert "hunter2" not in text.out + fields.out
    lines = text.out.splitlines()
    assert lines[1] == "  cache: memory (code) -> guarded (profile)"
    assert lines[2].startswith("  cache.guarded.password: nothing -> ****** fp:")
    assert lines[3:] == ["  cache.guarded.tries: nothing -> 5 (profile)", "  would be built anew: cache, prices"]
    assert (fields.answer["kind"], fields.answer["rebuilt"], fields.answer["faults"]) == (
        "plan",
        ["cache", "prices"],
        [],
    )
    assert (after["generation"], after["winner"]["value"]) == (1, "memory")


def test_a_plan_that_could_not_be_fails(shop: Program, ask: Ask, folder: Path) -> None:
    """Exit 1, with the block of each fault."""
    (folder / "next.toml").write_text('[select]\ncache = "nope"\n', "utf-8")

    planned = ask("plan", "--config", "next.toml")

    assert planned.code == 1
    assert planned.err.startswith('error[selection-unknown] slot cache: "nope"')


def test_a_plan_of_a_file_that_is_not_there_is_refused(shop: Program, ask: Ask) -> None:
    """As every command refuses it."""
    planned = ask("plan", "--config", "nowhere.toml")

    assert planned.code == 2
    assert planned.err.startswith("error[config-not-found] ")


def test_its_health_is_asked(shop: Program, ask: Ask) -> None:
    """Every open adapter, and the generation; exit 0 where it is ready."""
    text, fields = ask("health"), ask("health", "--json")

    assert (text.code, fields.code) == (0, 0)
    assert text.out.splitlines()[0].endswith("generation 1   ready")
    assert {name: fields.answer[name] for name in ("schema", "kind", "status", "app", "generation")} == {
        "schema": 1,
        "kind": "health",
        "status": "ready",
        "app": "counter",
        "generation": 1,
    }
    assert [(one["subject"], one["health"]) for one in fields.answer["subjects"]] == [
        ("slot:cache", "ok"),
        ("slot:cache.sessions", "ok"),
        ("slot:database", "ok"),
    ]


def test_what_happened_is_told_while_it_serves_and_afterwards(shop: Program, ask: Ask, runtime: Path) -> None:
    """By the process, and then by the file that it leaves; the socket is gone."""
    ask("swap", "cache", "guarded")
    serving = ask("activity", "--slot", "cache", "--json").answer
    shop.signal(signal.SIGTERM)
    code = shop.wait(END_S)
    afterwards = ask("activity", "--slot", "cache", "--since", "1h", "--json").answer

    outcomes = [one["outcome"] for one in serving["activity"]]
    assert code == 0
    assert outcomes[:4] == ["planned", "built", "healthy", "flipped"]
    assert afterwards["activity"][: len(outcomes)] == serving["activity"]
    assert list((runtime / "oneiric").iterdir()) == []


def test_what_happens_is_followed(shop: Program, ask: Ask, folder: Path, runtime: Path) -> None:
    """Line by line, as objects with --json, until somebody ends it."""
    command = ("activity", "--follow", "--json", *COUNTER)
    with start_process(*command, folder=folder, XDG_RUNTIME_DIR=str(runtime)) as following:
        assert following.stdout is not None
        before = json.loads(following.stdout.readline())
        ask("swap", "cache", "guarded")
        then = json.loads(following.stdout.readline())
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=END_S)

    assert before == {"schema": 1, "kind": "activity", "activity": []}
    assert then["activity"][0]["outcome"] == "planned"
    assert following.returncode == 130


COMMANDS = [
    pytest.param(("swap", "cache", "memory"), id="swap"),
    pytest.param(("rollback", "1"), id="rollback"),
    pytest.param(("generations",), id="generations"),
    pytest.param(("health",), id="health"),
    pytest.param(("plan",), id="plan"),
    pytest.param(("activity",), id="activity"),
    pytest.param(("explain", "cache", "--running"), id="explain"),
    pytest.param(("generations", "--pid", "1"), id="a process that is none of ours"),
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_without_a_process_that_serves_a_command_is_refused(ask: Ask, folder: Path, arguments: tuple[str, ...]) -> None:
    """Exit 2, and no file or folder is made by asking."""
    done = ask(*arguments)

    assert done.code == 2
    assert done.err.startswith("error[not-running] ")
    assert list(folder.iterdir()) == []


def test_two_processes_of_one_application_do_not_meet(shop: Program, ask: Ask, folder: Path, runtime: Path) -> None:
    """A command says which one is meant; the other one does not change."""
    home = folder / "second"
    home.mkdir()
    with running(home, home, port=free_port(), arguments=SERVE, XDG_RUNTIME_DIR=str(runtime), **LOCAL) as second:
        second.wait_for_line(STARTED)
        first_id, second_id = (str(one.process.pid) for one in (shop, second))
        unclear = ask("swap", "cache", "guarded")
        swapped = ask("swap", "cache", "guarded", "--pid", second_id, "--json").answer
        other = ask("generations", "--pid", first_id, "--json").answer

    assert unclear.code == 2
    assert unclear.err.startswith("error[several-running] application counter runs in 2 processes")
    assert (swapped["pid"], swapped["generation"]) == (second.process.pid, 2)
    assert (other["pid"], other["generation"]) == (shop.process.pid, 1)


def test_what_a_killed_process_left_is_replaced(ask: Ask, folder: Path, runtime: Path) -> None:
    """Its socket stays behind and is nobody; the next one takes its place, and its rows are still there."""
    socket_folder = runtime / "oneiric"
    serve = {"arguments": SERVE, "XDG_RUNTIME_DIR": str(runtime), **LOCAL}
    with running(folder, folder, port=free_port(), **serve) as killed:
        killed.wait_for_line(STARTED)
        ask("swap", "cache", "guarded")
        wait_until(lambda: "flipped" in outcomes(ask), END_S, what="the rows of the swap")
        killed.signal(signal.SIGKILL)
        killed.wait(END_S)
    left = os.listdir(socket_folder)
    nobody = ask("health")
    with running(folder, folder, port=free_port(), **serve) as second:
        second.wait_for_line(STARTED)
        found = os.listdir(socket_folder)
        rows = outcomes(ask)

    assert left == [f"counter-{killed.process.pid}.sock"]
    assert nobody.code == 2
    assert found == [f"counter-{second.process.pid}.sock"]
    assert rows[:4] == ["planned", "built", "built", "healthy"]


def outcomes(ask: Ask) -> list[str]:
    """Return what the activity store holds, oldest first."""
    return [row["outcome"] for row in ask("activity", "--json").answer["activity"]]


@pytest.mark.parametrize("profile", [pytest.param("serverless", id="serverless"), pytest.param("test", id="test")])
def test_a_profile_that_is_not_local_opens_no_socket_and_keeps_no_file(
    folder: Path, runtime: Path, profile: str
) -> None:
    """Nobody is there to ask, and the disk is none."""
    arguments = (*SERVE, "--profile", profile, "--set", "web.host=127.0.0.1")
    with running(folder, folder, port=free_port(), arguments=arguments, XDG_RUNTIME_DIR=str(runtime)) as program:
        program.wait_for_line(STARTED)
        program.signal(signal.SIGTERM)
        code = program.wait(END_S)

    assert code == 0
    assert list(runtime.iterdir()) == []
    assert sorted(one.name for one in folder.iterdir()) == ["log.txt"]


STORES = [
    pytest.param("no database at all\n" * 100, 2, "error[store-corrupt]", id="no store"),
    pytest.param(None, 0, "activity is not kept", id="a place that cannot be written"),
]


@pytest.mark.parametrize(("text", "code", "said"), STORES)
def test_a_store_that_cannot_be_used_is_told_at_the_start(
    folder: Path, runtime: Path, text: str | None, code: int, said: str
) -> None:
    """A file of somebody else's is refused before anything is opened; a place that is lost is only told."""
    (folder / "file").write_text(text or "", "utf-8")
    path = "file" if text else "file/activity.sqlite"
    arguments = (*SERVE, "--set", f"activity.path={path}")
    with running(
        folder, folder, port=free_port(), arguments=arguments, XDG_RUNTIME_DIR=str(runtime), **LOCAL
    ) as program:
        if not code:
            program.wait_for_line(STARTED)
            program.signal(signal.SIGTERM)
        ended = program.wait(END_S)

    assert ended == code
    assert said in program.text
    assert (folder / "file").read_text("utf-8") == (text or "")
