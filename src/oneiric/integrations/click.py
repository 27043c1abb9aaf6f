"""Click: `attach(command, app)` lets a command or a group run inside of an application."""

from __future__ import annotations

import click

from oneiric.integrations.invocation import attach_command
from oneiric.runtime.application import Application

__all__ = ["attach"]


def attach(command: click.Command, application: Application) -> None:
    """
    Let a command, or a group with all below it, run inside of an application.

    The application starts before the command and stops after it; the command is one request scope. An asynchronous
    command is awaited. The start waits until the command is known and its options are read, so `--help` needs no
    application; the callback of a group runs before that, and starts it only if it is injected or asynchronous.
    """
    attach_command(command, application)
