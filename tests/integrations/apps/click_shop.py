"""A program of Click that runs inside of an application: `python -m tests.integrations.apps.click_shop`."""

from __future__ import annotations

import click

from oneiric import INJECTED, Inject, inject
from oneiric.integrations.click import attach
from tests.integrations.shop import Desk, Greeting, Session, shop

desk = Desk()
app = shop(desk)


@click.group()
def program() -> None:
    """Greet people."""


@program.command()
@click.argument("name")
@click.option("--code", default=0)
@inject
def greet(name: str, code: int, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> None:
    """Greet somebody, and end with a code."""
    click.echo(f"{greeting.word} {name} {greeting.is_open} {session.use()}")
    click.get_current_context().exit(code)


@program.command()
@click.argument("name")
@inject
async def wait(name: str, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> None:
    """Greet somebody, asynchronously."""
    click.echo(f"{greeting.word} {name} {greeting.is_open} {session.use()}")


attach(program, app)

if __name__ == "__main__":
    program()
