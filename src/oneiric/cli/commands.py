"""The commands by name. Each answer is made in `answers.py`, which is imported when a command runs and not before."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from oneiric.cli.options import REPLY_OPTIONS, Options, accepting, before_command

# Plain help and plain errors: rich would cost more than all the rest, and wrap what is piped.
program = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
program.callback()(before_command)


class Format(StrEnum):
    """How a graph is written."""

    TEXT = "text"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"


@program.command()
@accepting()
def orchestrate(
    options: Options,
    port: Annotated[str | None, typer.Option(metavar="NUMBER", help="Listen here; 0 takes a free one.")] = None,
    no_web: Annotated[bool, typer.Option("--no-web", help="Serve no HTTP.")] = False,
) -> Any:
    """Run the application until SIGTERM or SIGINT. It opens what is needed, serves, and closes everything."""
    from oneiric.cli import answers

    return answers.orchestrate(options, port, web=not no_web)


@program.command()
@accepting()
def explain(
    options: Options,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A slot such as cache, or a key such as web.port.")],
) -> Any:
    """Say who fills a slot or what a setting is, and why. Shown are all sources, and why the others lost."""
    from oneiric.cli import answers

    return answers.explain(options, name)


@program.command()
@accepting()
def graph(
    options: Options, format: Annotated[Format, typer.Option(help="How the graph is written.")] = Format.TEXT
) -> Any:
    """Show who needs whom."""
    from oneiric.cli import answers

    return answers.graph(options, format.value)


@program.command()
@accepting()
def check(
    options: Options, strict: Annotated[bool, typer.Option("--strict", help="Warnings count as faults.")] = False
) -> Any:
    """Find every fault in one run. Nothing is opened."""
    from oneiric.cli import answers

    return answers.check(options, strict=strict)


@program.command("list")
@accepting()
def list_slots(options: Options) -> Any:
    """List the slots with who fills each. Shown are also the layer that decided, and where it says so."""
    from oneiric.cli import answers

    return answers.list_slots(options)


@program.command()
@accepting(*REPLY_OPTIONS)
def adapters(options: Options) -> Any:
    """List every adapter there is to choose from. With --app before the command, those of its catalog."""
    from oneiric.cli import answers

    return answers.adapters(options)


@program.command()
@accepting(*REPLY_OPTIONS)
def version(options: Options) -> Any:
    """Show the version of Oneiric and of Python."""
    from oneiric.cli import answers

    return answers.version()
