"""Typer: `attach(typer_app, app)` lets a program run inside of an application."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from oneiric.integrations.invocation import attach_command
from oneiric.runtime.application import Application

__all__ = ["attach"]


def attach(typer_app: typer.Typer, application: Application) -> None:
    """
    Let every command of a program run inside of an application, also those that are registered afterwards.

    The application starts before the command and stops after it; the command is one request scope. An asynchronous
    command is awaited. The start waits until the command is known and its options are read, so `--help` needs no
    application; a callback of the program runs before that, and starts it only if it is injected or asynchronous.
    """
    group = typer_app.info.cls
    typer_app.info.cls = _attached(group if isinstance(group, type) else TyperGroup, application)
    for info in typer_app.registered_commands:
        info.cls = _attached(info.cls or TyperCommand, application)
    register: Any = typer_app.command

    def command(name: str | None = None, *, cls: type[TyperCommand] | None = None, **options: Any) -> Any:
        return register(name, cls=_attached(cls or TyperCommand, application), **options)

    typer_app.command = command  # type: ignore[method-assign]  # a program of one command is made from that alone


def _attached(kind: Any, application: Application) -> Any:
    """Return a kind of command whose commands run inside of an application."""

    class Attached(kind):  # type: ignore[misc]  # any kind of command
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            attach_command(self, application)

    return Attached
