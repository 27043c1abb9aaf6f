"""The options that stand before or after the name of a command; those after it win."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

REPLY_OPTIONS = ("as_json", "debug")


class Options(NamedTuple):
    """
    Which application is meant, and where its configuration comes from.

    Attributes:
        app: `module:attribute`; without it ONEIRIC_APP, then pyproject.toml decide.
        app_dir: The folder that is put on the import path; the working directory without it.
        profile: The profile's name.
        config: The configuration file, instead of `./oneiric.toml`.
        env_file: A file of variables that stand below the real ones.
        select: `SLOT=ADAPTER`, the later wins.
        settings: `KEY=VALUE`, the later wins.
        manifest: The manifest of the build, instead of `./oneiric.manifest.json`.
    """

    app: str | None = None
    app_dir: Path | None = None
    profile: str | None = None
    config: str | None = None
    env_file: str | None = None
    select: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    manifest: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:  # values as Typer parsed them
        """Return the options among the parameters of a command."""
        return cls(
            app=given.get("app"),
            app_dir=given.get("app_dir"),
            profile=given.get("profile"),
            config=given.get("config"),
            env_file=given.get("env_file"),
            select=tuple(given.get("select") or ()),
            settings=tuple(given.get("settings") or ()),
            manifest=given.get("manifest"),
        )

    def over(self, below: Options) -> Options:
        """Return these options laid over those given before the command."""
        return Options(
            app=self.app or below.app,
            app_dir=self.app_dir or below.app_dir,
            profile=self.profile or below.profile,
            config=self.config or below.config,
            env_file=self.env_file or below.env_file,
            select=(*below.select, *self.select),
            settings=(*below.settings, *self.settings),
            manifest=self.manifest or below.manifest,
        )


def before_command(
    ctx: typer.Context,
    app: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="The application; else ONEIRIC_APP, else pyproject.toml."),
    ] = None,
    app_dir: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Import from here.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="How to run; else ONEIRIC_PROFILE.")] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="Instead of ./oneiric.toml.")] = None,
    env_file: Annotated[str | None, typer.Option(metavar="FILE", help="Variables below the real ones.")] = None,
    manifest: Annotated[
        str | None, typer.Option(metavar="FILE", help="Instead of ./oneiric.manifest.json, a path or package:NAME.")
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option(metavar="SLOT=ADAPTER", help="Choose an adapter; repeatable.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a value; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Run an application from one container graph, and ask why it is as it is."""
    ctx.obj = Options.of(locals())


@functools.cache
def _shared() -> tuple[inspect.Parameter, ...]:
    """Return the parameters of `before_command`: the context, then the options."""
    return tuple(inspect.signature(before_command, eval_str=True).parameters.values())


def accepting(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """
    Decorate a command that also takes options of `before_command`; without names, all of them.

    The command itself is written as `command(options, ...)`; only Typer sees the long signature.
    """

    def decorate(work: Callable[..., Any]) -> Callable[..., Any]:
        context, *shared = _shared()
        own = list(inspect.signature(work, eval_str=True).parameters.values())[1:]
        taken = [option for option in shared if not names or option.name in names]

        @functools.wraps(work)
        def command(ctx: typer.Context, **given: Any) -> Any:
            options = Options.of(given).over(ctx.obj)
            return work(options, **{parameter.name: given[parameter.name] for parameter in own})

        parameters = [context, *(p.replace(kind=p.KEYWORD_ONLY) for p in [*own, *taken])]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        del command.__wrapped__  # type hints are those of the long signature
        return command

    return decorate
