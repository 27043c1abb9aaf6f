"""A program of Typer that runs inside of an application: `python -m tests.integrations.apps.typer_shop`."""

from __future__ import annotations

import typer

from oneiric import INJECTED, Inject, inject
from oneiric.integrations.typer import attach
from tests.integrations.shop import Desk, Greeting, Session, shop

desk = Desk()
app = shop(desk)
program = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@program.command()
@inject
def greet(name: str, code: int = 0, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> None:
    """Greet somebody, and end with a code."""
    typer.echo(f"{greeting.word} {name} {greeting.is_open} {session.use()}")
    raise typer.Exit(code)


@program.command()
@inject
async def wait(name: str, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> None:
    """Greet somebody, asynchronously."""
    typer.echo(f"{greeting.word} {name} {greeting.is_open} {session.use()}")


attach(program, app)

if __name__ == "__main__":
    program()
