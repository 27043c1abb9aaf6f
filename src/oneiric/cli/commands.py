"""The commands by name. Each answer is made in `answers.py`, which is imported when a command runs and not before."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from oneiric.cli.options import REPLY_OPTIONS, Options, accepting, before_command

# Plain help and plain errors: rich would cost more than all the rest, and wrap what is piped.
program = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
program.callback()(before_command)

Pid = Annotated[int | None, typer.Option(metavar="NUMBER", help="The process, where several run.")]
OF_RUNNING = ("app", "app_dir", *REPLY_OPTIONS)


class Format(StrEnum):
    """How a graph is written."""

    TEXT = "text"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"
    HTML = "html"


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
    why_not: Annotated[
        str | None, typer.Option("--why-not", metavar="NAME", help="Why this adapter or layer did not win.")
    ] = None,
    diff: Annotated[str | None, typer.Option(metavar="PROFILE", help="Only what differs under this profile.")] = None,
    probe: Annotated[bool, typer.Option("--probe", help="Ask a remote secret store what exists.")] = False,
    running: Annotated[bool, typer.Option("--running", help="Ask the process that runs the application.")] = False,
    at: Annotated[
        int | None, typer.Option(metavar="GENERATION", help="As it was then, in the process that runs.")
    ] = None,
    pid: Pid = None,
) -> Any:
    """Say who fills a slot or what a setting is, and why. Shown are all sources, and why the others lost."""
    from oneiric.cli import explaining

    if running or at is not None or pid is not None:
        return explaining.explain_running(options, name, at=at, process=pid, is_plain=not (why_not or diff or probe))
    return explaining.explain(options, name, asked=why_not, diff=diff, probe=probe)


@program.command()
@accepting()
def graph(
    options: Options,
    format: Annotated[Format, typer.Option(help="How the graph is written.")] = Format.TEXT,
    slot: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what this slot needs, and who uses it.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="With --slot: as far as so many steps.")
    ] = None,
    path: Annotated[
        tuple[str, str] | None, typer.Option(metavar="FROM TO", help="Only the ways from one node to another.")
    ] = None,
    shadowed: Annotated[
        bool, typer.Option("--shadowed", help="Losers as nodes of their own, also those of the ranking.")
    ] = False,
    problems: Annotated[bool, typer.Option("--problems", help="Only what is at fault, and the ways there.")] = False,
    diff: Annotated[
        str | None, typer.Option(metavar="PROFILE", help="Mark what is filled otherwise under this profile.")
    ] = None,
) -> Any:
    """Show who needs whom, who fills each slot, and who lost. As HTML it is one page that needs no network."""
    from oneiric.cli import answers

    return answers.graph(
        options,
        format.value,
        slot=slot,
        depth=depth,
        path=path,
        shadowed=shadowed,
        problems=problems,
        diff=diff,
    )


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
@accepting()
def config(
    options: Options,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out what only the code says.")] = False,
) -> Any:
    """List every setting in use with its value. Shown are also the layer that decided, and where it says so."""
    from oneiric.cli import config

    return config.config(options, changed=changed)


@program.command()
@accepting()
def bundle(
    options: Options,
    only: Annotated[
        str | None, typer.Option(metavar="HANDLER", help="What this handler, service or task needs, and nothing else.")
    ] = None,
) -> Any:
    """List what has to be installed, as requirements for pip. The adapters of the profile need not be there yet."""
    from oneiric.cli import bundling

    return bundling.bundled(options, only=only)


@program.command()
@accepting("app", "app_dir", "profile", "config", "env_file", *REPLY_OPTIONS)
def profiles(options: Options) -> Any:
    """Show every profile beside the others, and which one is in force. It needs no application."""
    from oneiric.cli import profiles

    return profiles.profiles(options)


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


@program.command()
@accepting(*OF_RUNNING)
def swap(
    options: Options,
    slot: Annotated[str, typer.Argument(metavar="SLOT", help="A slot such as cache.")],
    adapter: Annotated[str, typer.Argument(metavar="ADAPTER", help="The name of an adapter.")],
    pid: Pid = None,
) -> Any:
    """Fill a slot otherwise while the application serves. Where that fails, nothing is changed."""
    from oneiric.cli import swapping

    return swapping.swap(options, slot, adapter, process=pid)


@program.command()
@accepting(*OF_RUNNING)
def rollback(
    options: Options,
    generation: Annotated[int, typer.Argument(metavar="GENERATION", help="A number that `generations` shows.")],
    pid: Pid = None,
) -> Any:
    """Go back to what layers said in an earlier generation, while the application serves."""
    from oneiric.cli import swapping

    return swapping.rollback(options, generation, process=pid)


@program.command()
@accepting(*OF_RUNNING)
def generations(options: Options, pid: Pid = None) -> Any:
    """List the states that the running application has been in, and what each of them changed."""
    from oneiric.cli import swapping

    return swapping.generations(options, process=pid)


@program.command()
@accepting("app", "app_dir", "config", *REPLY_OPTIONS)
def plan(options: Options, pid: Pid = None) -> Any:
    """Show what a reload of the running application would change, also with another --config. Nothing is touched."""
    from oneiric.cli import swapping

    return swapping.plan(options, process=pid)


@program.command()
@accepting(*OF_RUNNING)
def health(options: Options, pid: Pid = None) -> Any:
    """Ask every open adapter of the running application for its health. It fails where the application is not ready."""
    from oneiric.cli import swapping

    return swapping.health(options, process=pid)


@program.command()
@accepting()
def activity(
    options: Options,
    slot: Annotated[str | None, typer.Option(metavar="NAME", help="Only what happened to this slot.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From then on: 15m, 2h, 7d, or a moment.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what happens, until Ctrl-C.")] = False,
    pid: Pid = None,
) -> Any:
    """List what happened, newest last. Where the application does not run, what it has left in its file."""
    from oneiric.cli import activity

    return activity.activity(options, slot=slot, since=since, follow=follow, process=pid)


secrets_commands = typer.Typer(help="Ask the secret store, never for a value that is shown.", rich_markup_mode=None)
program.add_typer(secrets_commands, name="secrets")


@secrets_commands.command("check")
@accepting()
def secrets_check(options: Options) -> Any:
    """Read every secret that counts, and say whether it can be had. No value is shown or kept."""
    from oneiric.cli import secrets

    return secrets.check(options)


@secrets_commands.command("rotate")
@accepting()
def secrets_rotate(
    options: Options,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Secrets such as cache-redis-password.")],
) -> Any:
    """Read secrets anew, and say which settings take which version. A process that runs does so after secrets.ttl_s."""
    from oneiric.cli import secrets

    return secrets.rotate(options, names)


manifest_commands = typer.Typer(help="Make the manifest of a build.", rich_markup_mode=None)
program.add_typer(manifest_commands, name="manifest")


@manifest_commands.command("pack")
@accepting("app", "app_dir", "profile", "config", "env_file", *REPLY_OPTIONS)
def manifest_pack(
    options: Options,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What it is called; else as the application.")
    ] = None,
    version: Annotated[str, typer.Option(metavar="TEXT", help="Its version.")] = "unversioned",
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="Refuse it from then on: 2027-01-31T12:00:00Z.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write it there; else here.")] = None,
) -> Any:
    """Write what the configuration file says in a profile as a manifest. Its digest is written beside it."""
    from oneiric.cli import packing

    return packing.pack(options, name=name, version=version, expires=expires, out=out)
