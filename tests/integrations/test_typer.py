"""Typer: options, help, exit codes and adapters of an attached program, in process and as a process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from oneiric import INJECTED, Inject, inject
from oneiric.integrations.typer import attach
from tests.integrations.apps import typer_shop
from tests.integrations.shop import Desk, Greeting, Session, shop

ROOT = Path(__file__).parents[2]


def plain() -> typer.Typer:
    """Return a program without decoration."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def test_help_lists_what_is_not_injected() -> None:
    """No option is made of an injected parameter."""
    printed = CliRunner().invoke(typer_shop.program, ["greet", "--help"]).stdout

    assert "Greet somebody, and end with a code." in printed
    assert re.findall(r"^  (?:--)?(\w+)", printed, re.MULTILINE)[1:] == ["name", "code", "help"]


@pytest.mark.slow
@pytest.mark.parametrize("module", [pytest.param(name, id=name) for name in ("typer_shop", "click_shop")])
@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        pytest.param(["greet", "Ada"], 0, "hello Ada True 0\n", id="a command"),
        pytest.param(["greet", "Ada", "--code", "3"], 3, "hello Ada True 0\n", id="an exit code"),
        pytest.param(["wait", "Ada"], 0, "hello Ada True 0\n", id="an async command"),
        pytest.param(["greet"], 2, "", id="a missing argument"),
    ],
)
def test_a_process_keeps_output_and_exit_code(module: str, arguments: list[str], code: int, printed: str) -> None:
    """The application starts and stops around the command."""
    command = [sys.executable, "-m", f"tests.integrations.apps.{module}", *arguments]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)

    assert (done.returncode, done.stdout) == (code, printed), done.stderr


def test_a_program_of_one_command_stays_one() -> None:
    """Whether the command is registered before or after; it has no name on the command line."""
    for is_attached_first in (True, False):
        desk, program = Desk(), plain()
        app = shop(desk)
        if is_attached_first:
            attach(program, app)

        @program.command()
        @inject
        def greet(name: str, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> None:
            typer.echo(f"{greeting.word} {name} {session.use()}")

        if not is_attached_first:
            attach(program, app)

        assert CliRunner().invoke(program, ["Ada"]).stdout == "hello Ada 0\n"
        assert (app.state, desk.ends) == ("stopped", ["commit"])


def test_a_program_that_is_part_of_another_one_keeps_its_application() -> None:
    """Only the commands below it run inside of the application."""
    desk, outer, inner = Desk(), plain(), plain()
    app = shop(desk)
    states = []

    @inner.command()
    @inject
    def greet(greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> None:
        states.append(f"{greeting.word} {session.use()}")

    @inner.command()
    def other() -> None:
        states.append(app.state)

    @outer.command()
    def plainly() -> None:
        states.append(app.state)

    attach(inner, app)
    outer.add_typer(inner, name="shop")
    for arguments in (["plainly"], ["shop", "greet"], ["shop", "other"], ["plainly"]):
        assert CliRunner().invoke(outer, arguments).exit_code == 0

    assert states == ["new", "hello 0", "started", "stopped"]


def test_the_context_of_the_framework_is_given_beside() -> None:
    """A command may ask for it as always."""
    program = plain()

    @program.command()
    @inject
    def where(ctx: typer.Context, greeting: Inject[Greeting] = INJECTED) -> None:
        typer.echo(f"{ctx.info_name} {greeting.word}")

    attach(program, shop(Desk()))

    assert CliRunner().invoke(program, []).stdout == "where hello\n"
