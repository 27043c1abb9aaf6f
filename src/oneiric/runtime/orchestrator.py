"""
The composition root: finds the application, prepares it, and serves it until a signal comes.

Starlette and uvicorn are imported by `serve`, and not before.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

from oneiric.core.errors import AppNotImportable, ConfigNotFound, InvalidValue, PushAuthConfig, StoreUnavailable
from oneiric.core.importing import load
from oneiric.core.log import configure as configure_log
from oneiric.core.log import log
from oneiric.core.origins import EnvOrigin, FileOrigin
from oneiric.core.sources import unreadable
from oneiric.runtime.application import Application
from oneiric.runtime.bridge import bridged_logs
from oneiric.runtime.configuration import Inputs
from oneiric.runtime.hard_exit import HardExit
from oneiric.runtime.signals import ReloadSignal, StopSignal
from oneiric.runtime.supervisor import Supervisor
from oneiric.runtime.watch import Watcher
from oneiric.web.readiness import Readiness

PROJECT_FILE = "pyproject.toml"
DRAIN_SHARE = 0.5  # of the stop's budget, for requests in flight; services get half of what is left then


class Serving(Protocol):
    """What the life of a process asks of its web server."""

    @property
    def serving(self) -> asyncio.Task[None]:
        """The task that serves."""

    def start(self) -> None:
        """Begin to accept connections."""

    async def stop(self) -> None:
        """Stop accepting, and let the requests in flight finish."""


class Listening(Protocol):
    """What the life of a process asks of its control socket."""

    async def start(self) -> None:
        """Begin to take commands."""

    async def stop(self) -> None:
        """Take no more commands."""


def find_reference(flag: str | None, environ: Mapping[str, str], folder: Path) -> str:
    """
    Return the `module:attribute` of the application: `--app`, then `ONEIRIC_APP`, then pyproject.toml say it.

    Args:
        flag: What `--app` says.
        environ: The environment.
        folder: Where pyproject.toml is looked for; its `[tool.oneiric] app` counts.

    Raises:
        AppNotImportable: Nobody names an application.
        ConfigNotFound: pyproject.toml is needed and cannot be read.
        InvalidValue: `[tool.oneiric] app` is no text.
    """
    if reference := flag or environ.get("ONEIRIC_APP"):
        return reference
    import tomllib  # only where there is a file to read

    try:
        project = tomllib.loads((folder / PROJECT_FILE).read_text("utf-8"))
    except FileNotFoundError:
        project = {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigNotFound(PROJECT_FILE, why=unreadable(error)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigNotFound(PROJECT_FILE, why=f"it is no TOML: {error}") from None
    found: object = project
    for part in ("tool", "oneiric", "app"):
        found = found.get(part, {}) if isinstance(found, dict) else found
    if not found:
        why = f"neither --app, ONEIRIC_APP nor [tool.oneiric] app in {PROJECT_FILE} says one"
        raise AppNotImportable("", why, fixes=("--app package.module:app", "ONEIRIC_APP=package.module:app"))
    if not isinstance(found, str):
        origin = FileOrigin(str(folder / PROJECT_FILE), "tool.oneiric.app")
        raise InvalidValue("tool.oneiric.app", "a text module:attribute", origin=origin)
    return found


def load_application(reference: str, app_dir: Path | None = None) -> Application:
    """
    Import an application; the folder it is imported from is put on the import path, once.

    Args:
        reference: `module:attribute`.
        app_dir: The folder; the working directory by default.

    Raises:
        AppNotImportable: It does not import, or what is found there is no application. A function that would make one
            is not called.
    """
    try:
        folder = (app_dir or Path()).resolve()
    except FileNotFoundError:
        why = "the working directory does not exist any more"
        raise AppNotImportable(reference, why, fixes=("go to another folder",)) from None
    if not folder.is_dir():
        raise AppNotImportable(reference, f"--app-dir {app_dir} is no folder", fixes=("name a folder",))
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
    found = load(reference)
    if isinstance(found, Application):
        return found
    if callable(found):
        raise AppNotImportable(
            reference, "it is a class or a function, and is not called", fixes=("name an application object",)
        )
    raise AppNotImportable(reference, f"it is no Application, its type is {type(found).__name__}")


def prepare(application: Application, inputs: Inputs) -> Application:
    """
    Declare the sections of web and activity, and read the configuration; opens nothing and imports no SDK.

    Raises:
        Refused: The configuration cannot be read; see `read_configuration`.
    """
    application.declare_section("web", "oneiric.web.settings:WebSettings")
    application.declare_section("push", "oneiric.web.settings:PushSettings")
    application.declare_section("activity", "oneiric.runtime.settings:ActivitySettings")
    application.configure(inputs)
    return application


def serve(
    application: Application,
    port: str | int | None = None,
    *,
    web: bool = True,
    environ: Mapping[str, str] | None = None,
) -> int:
    """
    Run a prepared application until SIGTERM or SIGINT: its HTTP server and its services. Only in the main thread.

    Args:
        application: What `prepare` returned.
        port: What `--port` says.
        web: Listen on a port; without it only the services run.
        environ: The environment, for PORT and ONEIRIC_LOG_LEVEL; that of the process by default.

    Returns:
        0 after an orderly stop; 1 if a service failed, or something could not be closed. A stop that takes longer than
        `app.stop_timeout_s` ends the process with 70, and a second signal ends it at once with 130 or 143.

    Raises:
        Refused: The application has faults, or the port cannot be had; nothing was opened.
        StartFailed: Something could not be opened; whatever was open is closed again.
    """
    environ = os.environ if environ is None else environ
    readiness, hard_exit = Readiness(application), HardExit()
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal(readiness.drain).installed())
        watcher = Watcher(
            application,
            is_watching=application.profile.watch,
            asked=stack.enter_context(ReloadSignal().installed()),
        )
        stack.callback(hard_exit.end)
        _configure_log(application, environ)
        stack.enter_context(bridged_logs())
        for warning in application.check():
            log().warning("configuration warning", code=warning.code, warning=warning.message)
        supervisor = Supervisor(application)
        control = _keep_activity(application, readiness, environ, stack)
        server = _make_server(application, readiness, port, environ, stack) if web else None
        if not gc.isenabled():  # the command line starts without
            gc.freeze()  # what a start made is no garbage, and looking through it now would delay the first answer
            gc.enable()
        return asyncio.run(_live(application, supervisor, server, control, watcher, readiness, stop, hard_exit))


def _configure_log(application: Application, environ: Mapping[str, str]) -> None:
    profile = application.profile
    level = (environ.get("ONEIRIC_LOG_LEVEL") or "INFO").upper()
    context = {"app": application.name, "profile": profile.name}
    try:
        configure_log(level=level, as_json=profile.json_logs or not sys.stderr.isatty(), context=context)
    except ValueError:
        why = "choose one of DEBUG, INFO, WARNING, ERROR"
        raise InvalidValue("ONEIRIC_LOG_LEVEL", why, origin=EnvOrigin("ONEIRIC_LOG_LEVEL")) from None


def _keep_activity(
    application: Application, readiness: Readiness, environ: Mapping[str, str], stack: ExitStack
) -> Listening | None:
    """
    Let the application's swaps be kept, and make its control socket, where the profile has one.

    A store that cannot be used now is told, and nothing is kept.

    Raises:
        StoreNewer, StoreCorrupt: The file is none that may be written.
    """
    from oneiric.runtime.activity import MEMORY, ActivityStore, find_path
    from oneiric.runtime.commands import Commands
    from oneiric.runtime.control import Control

    is_local = application.profile.local
    store = ActivityStore(find_path(application.section("activity"), environ, is_local=is_local))
    stack.callback(store.close)
    if store.path != MEMORY:  # which is opened when there is something to keep: until then it costs no thread
        try:
            store.open()
        except StoreUnavailable as error:
            log().warning("activity is not kept", code=error.code, why=error.message, fix=error.fixes[0])
    application.recorders.append(store)
    stack.callback(application.recorders.remove, store)
    return Control(application.name, Commands(application, readiness, store), environ) if is_local else None


def _make_server(
    application: Application,
    readiness: Readiness,
    port: str | int | None,
    environ: Mapping[str, str],
    stack: ExitStack,
) -> Serving:
    """Listen, then make the server: a port that is taken is found out before anything is opened."""
    from oneiric.web.address import find_address, listen

    settings, push = application.section("web"), application.section("push")
    address = find_address(settings, is_public=application.profile.public, flag=port, environ=environ)
    try:
        listener = stack.enter_context(closing(listen(address)))
    except InvalidValue as fault:
        said = application.explain(fault.key).winner
        fault.origin = said.origin if said else None
        raise
    from oneiric.web.routes import make_routes
    from oneiric.web.server import WebServer

    is_push_open = push.auth == "none" and address.is_loopback
    if not is_push_open:
        closed = PushAuthConfig()
        log().warning("push routes are closed", code=closed.code, fix=closed.fixes[0])
    routes = make_routes(application, readiness, is_push_open=is_push_open, max_bytes=push.max_bytes)
    log().info("listening", host=address.host, port=listener.getsockname()[1])
    drain_timeout_s = application.section("app").stop_timeout_s * DRAIN_SHARE
    return WebServer(routes, listener, drain_timeout_s=drain_timeout_s)


async def _live(
    application: Application,
    supervisor: Supervisor,
    server: Serving | None,
    control: Listening | None,
    watcher: Watcher,
    readiness: Readiness,
    stop: StopSignal,
    hard_exit: HardExit,
) -> int:
    """Start, wait for the end, and stop in order; also if the start fails."""
    budget_s = application.section("app").stop_timeout_s
    if server is not None:
        server.start()
    try:
        if await _start(application, stop, hard_exit, budget_s):
            supervisor.start()
            readiness.start()
            if control is not None:
                await control.start()
            watcher.start()
            log().info("application started", slots=application.lifecycle.open_slots)
            await _until_end(supervisor, server, stop)
    finally:
        hard_exit.begin(budget_s)
        readiness.drain()
        hard_exit.step = "watcher"
        await watcher.stop()
        if control is not None:
            hard_exit.step = "control"
            await control.stop()
        code = await _stop(application, supervisor, server, hard_exit, budget_s)
    return code


async def _start(application: Application, stop: StopSignal, hard_exit: HardExit, budget_s: float) -> bool:
    """Start the application; a signal that comes meanwhile cancels it, and what it opened is closed."""
    starting = asyncio.ensure_future(application.start())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        hard_exit.begin(budget_s)
        starting.cancel()
        await asyncio.wait({starting})
    if starting.cancelled():
        return False
    starting.result()
    return not stop.is_set


async def _until_end(supervisor: Supervisor, server: Serving | None, stop: StopSignal) -> None:
    """Wait for a signal, for a service that fails, or for the server to break down."""
    waiting = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(supervisor.failed.wait())]
    serving = [] if server is None else [server.serving]
    await asyncio.wait({*waiting, *serving}, return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()


async def _stop(
    application: Application, supervisor: Supervisor, server: Serving | None, hard_exit: HardExit, budget_s: float
) -> int:
    """Drain, stop the services, close everything; returns the exit code."""
    log().info("application stopping")
    end_s = asyncio.get_running_loop().time() + budget_s
    code = 0
    if server is not None:
        hard_exit.step = "drain"
        await server.stop()
        if error := server.serving.exception():
            log().opt(exception=error).error("the web server broke down")
            code = 1
    hard_exit.step = "services"
    await supervisor.stop(timeout_s=(end_s - asyncio.get_running_loop().time()) / 2)
    hard_exit.step = "adapters"
    try:
        await application.stop()
    except ExceptionGroup:  # the lifecycle logged each of them
        code = 1
    hard_exit.step = "threads"
    log().info("application stopped")
    return 1 if supervisor.failed.is_set() else code
