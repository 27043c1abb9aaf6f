"""
The pytest plugin: the application under test, overrides that end with the test, and a check for what a test leaves.

pytest imports it in every run, so that the framework itself is imported by the fixtures, on their first use.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # the only way to name them: importing them costs every pytest run in an environment with Oneiric
    from oneiric.containers.layers import Override
    from oneiric.containers.local import LocalOverride
    from oneiric.runtime.application import Application
    from oneiric.testing.clock import FakeClock
    from oneiric.testing.graphs import GraphGoldens
    from oneiric.testing.leaks import Leaks

_IS_LEFT = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--oneiric-update`."""
    parser.getgroup("oneiric").addoption(
        "--oneiric-update", action="store_true", help="write the goldens of oneiric_graph instead of comparing them"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Let a contract suite show both sides of what failed; a conftest may be the first to import one."""
    pytest.register_assert_rewrite("oneiric.testing.contracts")


@pytest.fixture(autouse=True)
def _oneiric_watch(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], None]]:
    """Fail the test that leaves something behind in an application; it is set up first, and ends last."""
    watched: list[Leaks] = []

    def watch(*applications: Any) -> None:
        from oneiric.testing.leaks import Leaks

        watched[:] = watched or [Leaks()]
        for application in applications:
            watched[0].watch(application)

    if "oneiric.containers.active" in sys.modules:
        watch()
    yield watch
    left = [text for leaks in watched for text in leaks.end()]
    if left:
        request.node.stash[_IS_LEFT] = True
        pytest.fail("\n".join(f"{request.node.name} left behind {one}" for one in left), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Mark the report of a test that left something behind; the mark travels with it from a worker."""
    report = yield
    if call.when == "teardown" and item.stash.get(_IS_LEFT, False):
        report.oneiric_left = True
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count what was left behind as a failure of the test, and not as an error of its surroundings."""
    return ("failed", "F", "FAILED") if getattr(report, "oneiric_left", False) else None


@pytest.fixture(scope="session")
def oneiric_application(request: pytest.FixtureRequest) -> Application:
    """The application under test, named by ONEIRIC_APP or pyproject.toml; define this fixture to say otherwise."""
    from oneiric.testing.subject import find_application

    return find_application(os.environ, request.config.rootpath)


@pytest.fixture
def oneiric_app(oneiric_application: Application, _oneiric_watch: Callable[[Any], None]) -> Iterator[Application]:
    """The application under test in profile `test`, and the default of the process; it is not started."""
    from oneiric.testing.subject import under_test

    with under_test(oneiric_application) as application:
        _oneiric_watch(application)
        yield application


@pytest.fixture
def oneiric_override(oneiric_app: Application) -> Iterator[Callable[[Mapping[Any, object]], Override]]:
    """Override slots for everybody, `oneiric_override({"cache": fake})`, until the end of the test."""
    with ExitStack() as undone:

        def override(overriding: Mapping[Any, object]) -> Override:
            handle = oneiric_app.override(overriding)
            undone.callback(handle.undo)
            return handle

        yield override


@pytest.fixture
def oneiric_local(oneiric_app: Application) -> Iterator[Callable[[Mapping[Any, object]], LocalOverride]]:
    """Override slots for this context and what copies it, `oneiric_local({"cache": fake})`, until the end."""
    with ExitStack() as undone:

        def override(overriding: Mapping[Any, object]) -> LocalOverride:
            handle = oneiric_app.local_override(overriding)
            undone.callback(handle.undo)
            return handle

        yield override


@pytest.fixture
def oneiric_graph(oneiric_app: Application, request: pytest.FixtureRequest) -> GraphGoldens:
    """Compare the graph with a golden beside the test, `oneiric_graph.match("shop")`; `--oneiric-update` writes it."""
    from oneiric.testing.graphs import FOLDER, GraphGoldens

    is_written = bool(request.config.getoption("oneiric_update"))
    return GraphGoldens(oneiric_app, request.path.parent / FOLDER, is_written=is_written)


@pytest.fixture
def oneiric_clock() -> FakeClock:
    """A clock that stands still until the test moves it, for whatever takes `time.monotonic`."""
    from oneiric.testing.clock import FakeClock

    return FakeClock()
