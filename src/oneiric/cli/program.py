"""The program around every command: it parses, runs, writes the answer and returns the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from copy import copy
from itertools import pairwise
from typing import Any

import typer

from oneiric.cli.commands import program
from oneiric.cli.output import write, write_json
from oneiric.cli.reply import Reply

INTERRUPTED = 130
UNWRITTEN = 1


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error becomes a block or an object, never a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _fill_closed_streams()
    try:
        return _run(given, as_json=wants_json(given))
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except OSError:  # who read our output went away, or the disk it goes to is full: there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNWRITTEN


def _fill_closed_streams() -> None:
    """Let a stream that was closed before the start (`2>&-`) swallow what is written, as a daemon expects."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # open until the process ends


def wants_json(given: Sequence[str]) -> bool:
    """Tell whether the answer is to be JSON; asked of the bare arguments, since an error in them is an answer too."""
    asked = {"--json", "--format=json"} & set(given)
    return bool(asked) or ("--format", "json") in pairwise(given)


def _run(given: Sequence[str], *, as_json: bool) -> int:
    """Run a command and write its answer, or what became of its error."""
    try:
        outcome = _needed(given)(list(given) or ["--help"], prog_name="oneiric", standalone_mode=False)
        return _show(outcome, as_json=as_json)
    except (BrokenPipeError, typer.Abort):
        raise
    except Exception as error:  # border: the program ends here; the error is written for a person or as JSON
        if "--debug" in given:
            _trace(error)
        from oneiric.cli.failures import failed

        return _show(failed(_misused(error) or error), as_json=as_json)


def _needed(given: Sequence[str]) -> typer.Typer:
    """Return the program with the commands the arguments may mean: Typer makes each of them before it runs one."""
    every = program.registered_commands
    meant = [info for info in every if (info.name or getattr(info.callback, "__name__", "")) in given]
    groups = [info for info in program.registered_groups if info.name in given]
    if not (meant or groups) or "--help" in given:
        return program
    smaller = copy(program)
    smaller.registered_commands, smaller.registered_groups = meant, groups
    return smaller


def _misused(error: Any) -> Exception | None:  # whatever was raised; Typer gives the class no public name
    """Return our error for a command line that Typer refused; None for any other error."""
    refusal: Any = typer.BadParameter.__bases__[0]
    if not isinstance(error, refusal):
        return None
    from oneiric.core.errors import BadOption

    context = getattr(error, "ctx", None)
    return BadOption(error.format_message(), command=context.command_path if context else "oneiric")


def _trace(error: Exception) -> None:
    """Write the traceback somebody asked for, with what looks like a credential hidden."""
    import traceback

    from oneiric.core.log import scrub

    write(scrub("".join(traceback.format_exception(error))).rstrip(), sys.stderr)


def _show(outcome: Any, *, as_json: bool) -> int:  # what the command returned; Typer's own are exit codes
    if not isinstance(outcome, Reply):
        return int(outcome or 0)
    _write(outcome, as_json=as_json)
    code = outcome.code
    for reply in outcome.more:
        _write(reply, as_json=as_json)
        code = reply.code
    return code


def _write(reply: Reply, *, as_json: bool) -> None:
    if as_json:
        write_json(reply.fields())
        return
    if text := reply.text():
        write(text, sys.stdout)
    for notice in reply.notices:
        write(notice, sys.stderr)
