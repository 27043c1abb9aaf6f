"""The bridge to our log: what other libraries, warnings and lost exceptions have to say arrives there, redacted."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

from oneiric.core.log import log

FOREIGN_LOGGERS = ("uvicorn", "asyncio", "py.warnings")


class _Bridge(logging.Handler):
    """Hands what other libraries log to our logger, redacted as everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, asyncio.CancelledError):
            return  # a request that a stop cancels is counted by whoever cancels; its traceback tells nothing
        # Fields are bound, not passed: with fields a foreign text would be formatted, and it may hold braces.
        level = record.levelname if record.levelno in _LEVELS else record.levelno
        log().bind(source=record.name).opt(exception=error).log(level, record.getMessage().strip())


_LEVELS = frozenset({logging.WARNING, logging.ERROR, logging.CRITICAL})  # those that loguru has by name


@contextmanager
def bridged_logs() -> Iterator[None]:
    """
    Send what others would write to standard error to our log, until the block ends.

    These are warnings and errors of uvicorn, asyncio and every library for which the application set up no logging of
    its own, Python's warnings, and exceptions that end a thread or a finalizer.
    """
    bridge = _Bridge(logging.WARNING)
    root = logging.getLogger()
    with ExitStack() as stack:
        for name in FOREIGN_LOGGERS:
            stack.enter_context(_handled(logging.getLogger(name), bridge))
        if not root.handlers:  # else the application has its own logging, and others write there
            stack.enter_context(_handled(root, bridge))
        logging.captureWarnings(True)
        stack.callback(logging.captureWarnings, False)
        stack.enter_context(_hooked(threading, "excepthook", _lost_in_thread))
        stack.enter_context(_hooked(sys, "unraisablehook", _lost_in_finalizer))
        yield


@contextmanager
def _handled(logger: logging.Logger, handler: logging.Handler) -> Iterator[None]:
    before = (logger.handlers, logger.propagate)
    logger.handlers, logger.propagate = [handler], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before


@contextmanager
def _hooked(module: Any, name: str, hook: Any) -> Iterator[None]:  # hooks of different signatures
    before = getattr(module, name)
    setattr(module, name, hook)
    try:
        yield
    finally:
        setattr(module, name, before)


def _lost_in_thread(lost: threading.ExceptHookArgs) -> None:
    name = lost.thread.name if lost.thread is not None else None
    if not issubclass(lost.exc_type, SystemExit):
        _say("a thread ended with an exception", lost.exc_value, lost.exc_traceback, thread=name)


def _lost_in_finalizer(lost: Any) -> None:  # `sys.UnraisableHookArgs` exists in stubs only
    _say(lost.err_msg or "an exception was ignored", lost.exc_value, lost.exc_traceback)


def _say(message: str, error: BaseException | None, trace: TracebackType | None, **fields: Any) -> None:
    told = (type(error), error, trace) if error is not None else None
    log().bind(**fields).opt(exception=told).error(message)
