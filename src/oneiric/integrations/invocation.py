"""
One run of a command line program: the application starts, the command runs in a request scope, the application stops.

Click and the copy of it inside Typer are of one shape, so this needs to import neither.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from functools import partial, update_wrapper
from types import TracebackType
from typing import Any, NamedTuple

from oneiric.containers import active
from oneiric.containers.request import Request
from oneiric.integrations.loop import ProgramLoop, RunningLoop
from oneiric.runtime.application import Application


class Invocation:
    """
    One run of a program, as a `with` block.

    The application starts when the first command is called, so neither `--help` nor a wrong option starts it. What the
    command raises reaches the resources of the scope, unless it is an exit with the code 0.

    Args:
        application: What is started, and whose slots are injected; one that runs already is left as it is.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self._loop: ProgramLoop | RunningLoop | None = None
        self._at_end = ExitStack()

    def __enter__(self) -> Invocation:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        failure = None if error is None or _is_success(error) else error
        self._at_end.__exit__(type(failure) if failure is not None else None, failure, trace)

    def call(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call what a command does, and wait for it where it is asynchronous; returns its result."""
        if self._loop is None:
            self._loop = self._start()
        result = callback(*args, **kwargs)
        return self._loop.wait(result) if inspect.iscoroutine(result) else result

    def _start(self) -> ProgramLoop | RunningLoop:
        running = self.application.lifecycle.loop
        if self.application.state == "started" and running is not None and running.is_running():
            loop: ProgramLoop | RunningLoop = RunningLoop(running)
        else:
            loop = ProgramLoop()
            self._at_end.callback(loop.close)
            loop.wait(_started(self.application))
            self._at_end.callback(lambda: loop.wait(self.application.stop()))
        self._at_end.enter_context(active.serving(self.application))
        self._at_end.enter_context(Request())
        return loop


async def _started(application: Application) -> None:
    await application.start()


def _is_success(error: BaseException) -> bool:
    """Tell whether an exception ends the program with the exit code 0."""
    code = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", 1)
    return code in {0, None}


class _Now(NamedTuple):
    """The invocation that runs in this context, and the innermost context of Click in it."""

    invocation: Invocation
    context: Any


_now: ContextVar[_Now | None] = ContextVar("oneiric_invocation", default=None)


class _Invoke:
    """Stands for the `invoke` of a command: the outermost one is an invocation, those inside belong to it."""

    def __init__(self, command: Any, application: Application) -> None:
        self.application = application
        self._invoke = command.invoke

    def __call__(self, context: Any) -> Any:
        now = _now.get()
        if now is not None and now.invocation.application is self.application:
            return self._invoke_in(now.invocation, context)
        with Invocation(self.application) as invocation:
            return self._invoke_in(invocation, context)

    def _invoke_in(self, invocation: Invocation, context: Any) -> Any:
        token = _now.set(_Now(invocation, context))
        try:
            return self._invoke(context)
        finally:
            _now.reset(token)


def attach_command(command: Any, application: Application) -> None:
    """
    Let a command of Click, and all below it, run inside of an application; a second call changes nothing.

    Args:
        command: A command or a group; what is added to a group later is attached when it is asked for.
        application: The application.
    """
    if isinstance(command.invoke, _Invoke):
        return
    command.invoke = _Invoke(command, application)
    if command.callback is not None:
        command.callback = update_wrapper(partial(_call, command, command.callback), command.callback)
    if hasattr(command, "get_command"):
        command.get_command = partial(_get_command, command.get_command, application)


def _get_command(get_command: Callable[..., Any], application: Application, context: Any, name: str) -> Any:
    found = get_command(context, name)
    if found is not None:
        attach_command(found, application)
    return found


def _call(command: Any, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    now = _now.get()
    if now is None or (_leads_on(command, now.context) and not _needs_application(callback)):
        return callback(*args, **kwargs)
    return now.invocation.call(callback, *args, **kwargs)


def _leads_on(command: Any, context: Any) -> bool:
    """Tell whether this is a group on the way to a command, which may turn out to be a wrong one, or ask for help."""
    return hasattr(command, "get_command") and context.invoked_subcommand is not None


def _needs_application(callback: Callable[..., Any]) -> bool:
    return hasattr(callback, "__site__") or inspect.iscoroutinefunction(inspect.unwrap(callback))
