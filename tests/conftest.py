"""What all tests share: the choice of backends, and how hard property tests try."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from oneiric.core import log
from oneiric.testing.contracts import Backend
from tests.backends.server import Server
from tests.support.backend import MissingBackend, from_environment, start

# A missing one of these fails in CI; any other one is reported as skipped there too.
REQUIRED_IN_CI = frozenset({"aws", "redis", "postgres", "mariadb", "rabbitmq", "nats", "vault"})

# No deadline: a slow machine is no fault of the code. CI draws the same examples every time, and more of them.
settings.register_profile("laptop", max_examples=50, deadline=None, database=None)
settings.register_profile(
    "ci",
    max_examples=200,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `--cases FILE` name the files of precedence cases; repeatable."""
    parser.addoption("--cases", action="append", default=[], metavar="FILE", help="precedence cases to run")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile of property tests, and let signals count."""
    settings.load_profile("ci" if is_ci() else "laptop")
    # A run in the background of a shell, or under nohup, inherits that these are ignored, and hands it on to the
    # processes that tests start and end by them.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def a_log_that_nobody_set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test writes where another one did, and what one remembers as secret is not hidden in the next."""
    monkeypatch.setattr(log, "_known", ())
    yield
    if "loguru" in sys.modules:
        log.log().remove()
        log.log().configure(extra={}, patcher=lambda record: None)


def is_ci() -> bool:
    """Tell whether a missing backend is a failure."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


@pytest.fixture(scope="session")
def started() -> Iterator[dict[str, Server]]:
    """The servers that this run has started; each is started once and ends with the run."""
    servers: dict[str, Server] = {}
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
def find_backend(started: dict[str, Server], tmp_path: Path) -> Callable[[str], Backend]:
    """
    Find a backend by name: `find_backend("redis")`.

    Where it is missing, the test is skipped with the reason; in CI it fails if the backend is required.
    """

    def find(name: str) -> Backend:
        try:
            settings = from_environment(name)
            if settings is None:
                if name not in started:
                    started[name] = start(name)
                settings = started[name].settings
        except MissingBackend as missing:
            if is_ci() and name in REQUIRED_IN_CI:
                pytest.fail(f"required backend {name}: {missing}")
            pytest.skip(f"backend {name}: {missing}")
        url = settings.get("url")
        return Backend(None if url is None else str(url), tmp_path, f"t{uuid.uuid4().hex[:12]}", settings)

    return find


@pytest.fixture
def backend(request: pytest.FixtureRequest, find_backend: Callable[[str], Backend]) -> Backend:
    """The backend that a test class names: `backend = "redis"` in a class that inherits a contract suite."""
    return find_backend(request.cls.backend)
