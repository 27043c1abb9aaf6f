"""How a command fails: one block or one JSON object for every error, and the exit code that goes with it."""

from __future__ import annotations

from collections.abc import Sequence

from oneiric.cli.reply import Reply, answer
from oneiric.containers.container import Container
from oneiric.containers.graph import clean
from oneiric.core.errors import InvalidApplication, OneiricError, Problem, Refused, StartFailed

FAILED, REFUSED = 1, 2
DEBUG_FIX = "run it again with --debug for the traceback"


def failed(error: Exception) -> Reply:
    """
    Return the answer of a command that raised.

    A refusal exits with 2, anything else with 1. Of an exception that is none of ours only the type is told, since its
    text may hold anything.
    """
    if isinstance(error, InvalidApplication):
        return refused(error)
    if isinstance(error, StartFailed) and isinstance(error.cause, InvalidApplication):
        return _reported(error, error.cause.faults, FAILED)
    if not isinstance(error, OneiricError):
        error = OneiricError(f"{_names(error)} was raised{_place(error)}", fixes=(DEBUG_FIX,))
    code = REFUSED if isinstance(error, Refused) else FAILED
    return Reply(answer("error", **error.problem.fields()), notices=(block(error.problem),), code=code)


def refused(error: InvalidApplication, application: Container | None = None) -> Reply:
    """Return the answer of a command that does not start because the application has faults: all of them."""
    return _reported(error, error.faults, REFUSED, application)


def _reported(
    error: OneiricError, faults: Sequence[OneiricError], code: int, application: Container | None = None
) -> Reply:
    fields = answer("error", **error.problem.fields(), faults=[fault.problem.fields() for fault in faults])
    return Reply(fields, notices=(block(error.problem), *blocks(faults, application)), code=code)


def blocks(
    errors: Sequence[OneiricError], application: Container | None = None, *, label: str = "error"
) -> tuple[str, ...]:
    """
    Return one block for each error.

    Args:
        errors: The errors.
        application: Where they come from, so that a refused choice can say what lower layers would have given.
        label: `error` or `warning`.
    """
    return tuple(block(error.problem, label=label, notes=_notes(error, application)) for error in errors)


def block(problem: Problem, *, label: str = "error", notes: Sequence[str] = ()) -> str:
    """Return the lines a person reads: no name breaks a line or reaches the terminal as a control."""
    return problem.text(label, notes, shown=clean)


def _notes(error: OneiricError, application: Container | None) -> Sequence[str]:
    slot = getattr(error, "slot", None)
    if application is None or slot is None or not error.code.startswith("selection-"):
        return ()
    return application.explain(slot).notes


def _place(error: BaseException) -> str:
    """Return ` at module:line` of the line that raised; nothing where nobody knows it."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f" at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"


def _names(error: BaseException) -> str:
    """Return the type of an exception, and of those in a group."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(dict.fromkeys(_names(inner) for inner in error.exceptions))
    return type(error).__name__
