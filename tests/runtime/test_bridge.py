"""The bridge to our log: what others say comes in redacted, and everything is given back."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from oneiric.core.log import configure
from oneiric.runtime.bridge import bridged_logs

SECRET_URL = "https://user:hunter2@example.org/{x}"


@pytest.fixture
def stream() -> io.StringIO:
    """Where the log of one test goes."""
    said = io.StringIO()
    configure(as_json=True, stream=said)
    return said


@contextmanager
def bridged() -> Iterator[None]:
    """Build the bridge as in a process in which nobody set up logging, which the test runner did."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [])
        with bridged_logs():
            yield


def crash() -> None:
    """Fail with a secret."""
    raise ValueError(SECRET_URL)


def end_a_thread() -> None:
    """Let an exception end a thread."""
    thread = threading.Thread(target=crash, name="till")
    thread.start()
    thread.join()


class Finalized:
    """Fails where nobody can catch it."""

    def __del__(self) -> None:
        crash()


@pytest.mark.parametrize(
    ("say", "message", "severity"),
    [
        pytest.param(
            lambda: logging.getLogger("uvicorn.error").warning("refused %s", SECRET_URL),
            "refused https://******@example.org/{x}",
            "WARNING",
            id="a library that is known",
        ),
        pytest.param(
            lambda: logging.getLogger("sdk").error("refused %s", SECRET_URL),
            "refused https://******@example.org/{x}",
            "ERROR",
            id="any library",
        ),
        pytest.param(
            lambda: logging.getLogger("sdk").log(35, "odd level"), "odd level", "Level 35", id="a level of its own"
        ),
        pytest.param(end_a_thread, "a thread ended with an exception", "ERROR", id="a thread"),
        pytest.param(Finalized, "Exception ignored", "ERROR", id="a finalizer"),
    ],
)
def test_what_others_would_write_to_standard_error_comes_into_our_log(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str], say: Callable[[], object], message: str, severity: str
) -> None:
    """One log, in one format, redacted; and nothing beside it."""
    with bridged():
        say()

    line = json.loads(stream.getvalue())
    assert message in line["message"] or line["message"] == "an exception was ignored"
    assert line["severity"] == severity
    assert "hunter2" not in stream.getvalue()
    assert capsys.readouterr() == ("", "")


def test_a_warning_of_python_comes_into_our_log(stream: io.StringIO) -> None:
    """A library warns with what it was given."""
    with warnings.catch_warnings(), bridged():
        warnings.simplefilter("always")
        warnings.warn(SECRET_URL, stacklevel=1)

    line = json.loads(stream.getvalue())
    assert "UserWarning: https://******@example.org/{x}" in line["message"]
    assert line["source"] == "py.warnings"


def test_what_is_below_a_warning_is_dropped(stream: io.StringIO) -> None:
    """What a library does in detail is no news."""
    with bridged():
        logging.getLogger("sdk").info("connected")

    assert stream.getvalue() == ""


def test_logging_of_the_application_stays_its_own(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who set up logging reads there what libraries say."""
    own = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(own)])

    with bridged_logs():
        logging.getLogger("sdk").warning("refused")

    assert own.getvalue() == "refused\n"
    assert stream.getvalue() == ""


def test_everything_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test or a host program finds it as it was."""

    def state() -> list[object]:
        loggers = [logging.getLogger(name) for name in (None, "uvicorn", "asyncio", "py.warnings")]
        hooks = [threading.excepthook, sys.unraisablehook, warnings.showwarning]
        return [*hooks, *((one.handlers, one.propagate) for one in loggers)]

    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    before = state()

    with bridged_logs():
        during = state()

    assert state() == before
    assert not any(one == other for one, other in zip(before, during, strict=True))
