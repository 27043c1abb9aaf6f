"""One run of a program: when the application starts and stops, and how the scope of the command ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from oneiric import INJECTED, Application, Inject, inject
from oneiric.core.errors import StartFailed
from oneiric.integrations.click import attach
from tests.integrations.shop import Broken, Desk, Greeting, Session, shop

States = list[str]


def program(app: Application, states: States) -> click.Group:
    """Return a program whose commands note the state of the application."""

    @click.group()
    @click.option("--loud", is_flag=True)
    def root(loud: bool) -> None:
        states.append(f"root {app.state}")

    @root.command()
    @click.option("--name", default="Ada")
    @inject
    def greet(name: str, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> str:
        """Greet somebody."""
        states.append(f"greet {app.state}")
        return f"{greeting.word} {name} {session.use()}"

    @root.group()
    @inject
    def deep(greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> None:
        states.append(f"deep {app.state} {session.use()}")

    @deep.command()
    @inject
    async def later(session: Inject[Session] = INJECTED) -> int:
        """Tell the number of the session."""
        states.append(f"later {app.state}")
        return session.use()

    attach(root, app)
    return root


def run(command: click.Command, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, standalone_mode=False)


def test_the_application_starts_when_the_command_is_known_and_stops_after_it() -> None:
    """A callback on the way, which needs nothing of it, does not start it."""
    states, desk = States(), Desk()
    app = shop(desk)

    result = run(program(app, states), "greet")

    assert result.return_value == "hello Ada 0"
    assert states == ["root new", "greet started"]
    assert (app.state, desk.ends) == ("stopped", ["commit"])


def test_an_injected_callback_on_the_way_starts_it_and_shares_the_scope() -> None:
    """All of one run is one request."""
    states, desk = States(), Desk()
    app = shop(desk)

    result = run(program(app, states), "deep", "later")

    assert result.return_value == 0
    assert states == ["root new", "deep started 0", "later started"]
    assert (app.state, desk.ends) == ("stopped", ["commit"])


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--help"], id="help of the program"),
        pytest.param(["greet", "--help"], id="help of a command"),
        pytest.param(["greet", "--nmae", "Ada"], id="a wrong option"),
        pytest.param(["grete"], id="a wrong command"),
    ],
)
def test_what_runs_no_command_starts_nothing(arguments: list[str]) -> None:
    """Help needs no configuration."""
    app = shop(Desk())

    run(program(app, []), *arguments)

    assert app.state == "new"


@inject
def ending(error: BaseException | None, session: Inject[Session] = INJECTED) -> None:
    session.use()
    if error is not None:
        raise error


@inject
async def ending_later(error: BaseException | None, session: Inject[Session] = INJECTED) -> None:
    session.use()
    if error is not None:
        raise error


@pytest.mark.parametrize(
    ("error", "code", "end"),
    [
        pytest.param(None, 0, "commit", id="it returns"),
        pytest.param(click.exceptions.Exit(0), 0, "commit", id="it exits with 0"),
        pytest.param(click.exceptions.Exit(3), 3, "rollback: Exit", id="it exits with a code"),
        pytest.param(SystemExit(), 0, "commit", id="it leaves the interpreter"),
        pytest.param(SystemExit(4), 4, "rollback: SystemExit", id="it leaves with a code"),
        pytest.param(click.UsageError("no"), 2, "rollback: UsageError", id="it refuses its arguments"),
        pytest.param(click.ClickException("no"), 1, "rollback: ClickException", id="it fails with a message"),
        pytest.param(click.Abort(), 1, "rollback: Abort", id="the user gives up"),
        pytest.param(KeyboardInterrupt(), 1, "rollback: KeyboardInterrupt", id="the user interrupts"),
        pytest.param(Broken(), 1, "rollback: Broken", id="it raises"),
    ],
)
@pytest.mark.parametrize("is_async", [pytest.param(False, id="sync"), pytest.param(True, id="async")])
def test_the_exit_code_stays_and_decides_how_the_session_ends(
    error: BaseException | None, code: int, end: str, is_async: bool
) -> None:
    """Success is the code 0, however it comes about."""
    desk = Desk()
    app = shop(desk)

    command = click.Command("end", callback=lambda: (ending_later if is_async else ending)(error))
    attach(command, app)

    assert CliRunner().invoke(command).exit_code == code
    assert desk.ends == [end]
    assert app.state == "stopped"


def test_a_start_that_fails_is_told_and_the_command_does_not_run() -> None:
    """What was opened is closed again."""
    app = shop(Desk())
    ran = []

    @app.provide("broken", eager=True)
    def broken() -> Broken:
        raise Broken

    command = click.Command("run", callback=lambda: ran.append(True))
    attach(command, app)
    result = run(command)

    assert isinstance(result.exception, StartFailed)
    assert (ran, app.state) == ([], "stopped")


def test_a_command_runs_in_the_main_thread_and_may_run_again() -> None:
    """Signals and the context of Click are there, also for asynchronous commands; each run is a new start."""
    threads = list[tuple[Any, ...]]()
    app, before = shop(Desk()), threading.active_count()

    async def later() -> None:
        threads.append((threading.current_thread(), click.get_current_context().info_name, app.state))

    command = click.Command("later", callback=later)
    attach(command, app)
    for _ in range(2):
        assert run(command).exit_code == 0

    assert threads == [(threading.main_thread(), "later", "started")] * 2
    assert threading.active_count() == before


def test_a_second_attach_changes_nothing() -> None:
    """A program is attached once, as its parts are."""
    states, desk = States(), Desk()
    app = shop(desk)
    root = program(app, states)
    attach(root, app)
    attach(root.commands["greet"], app)

    assert run(root, "greet").return_value == "hello Ada 0"
    assert run(root.commands["greet"]).return_value == "hello Ada 1"
    assert desk.ends == ["commit", "commit"]


def test_a_command_that_is_added_later_belongs_to_the_application() -> None:
    """It is attached when it is asked for."""
    app = shop(Desk())
    root = program(app, [])
    root.add_command(click.Command("word", callback=inject(word)))

    assert run(root, "word").return_value == "hello"


def word(greeting: Inject[Greeting] = INJECTED) -> str:
    return greeting.word


@pytest.mark.parametrize(
    "callback",
    [pytest.param(lambda: say(), id="sync"), pytest.param(lambda: say_later(), id="async")],
)
@pytest.mark.asyncio
async def test_an_application_that_runs_already_is_used_and_left_running(callback: Callable[[], Any]) -> None:
    """Whoever started it stops it; the command waits for its event loop from another thread."""
    app = shop(Desk())
    command = click.Command("word", callback=callback)
    attach(command, app)

    async with app:
        result = await asyncio.to_thread(run, command)
        assert app.state == "started"

    assert result.return_value == "hello"


@inject
def say(greeting: Inject[Greeting] = INJECTED) -> str:
    return greeting.word


@inject
async def say_later(greeting: Inject[Greeting] = INJECTED) -> str:
    return greeting.word
