"""What all tests share: the choice of backends, and how hard property tests try."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.backends.server import Server
from tests.support.backend import Backend, MissingBackend, from_environment, start

# A missing one of these fails in CI; any other one is reported as skipped there too.
REQUIRED_IN_CI = frozenset({"redis", "postgres", "mariadb", "rabbitmq", "nats"})

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


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile of property tests."""
    settings.load_profile("ci" if is_ci() else "laptop")


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
def backend(started: dict[str, Server]) -> Callable[[str], Backend]:
    """
    Find a backend by name: `backend("redis")`.

    Where it is missing, the test is skipped with the reason; in CI it fails if the backend is required.
    """

    def find(name: str) -> Backend:
        try:
            found = from_environment(name)
            if found is not None:
                return found
            if name not in started:
                started[name] = start(name)
        except MissingBackend as missing:
            if is_ci() and name in REQUIRED_IN_CI:
                pytest.fail(f"required backend {name}: {missing}")
            pytest.skip(f"backend {name}: {missing}")
        return Backend(name, started[name].settings)

    return find
