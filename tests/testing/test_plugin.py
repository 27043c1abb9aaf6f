"""The pytest plugin, as the tests of somebody else's project see it."""

from __future__ import annotations

import pytest

from tests.testing.project import IN_ORDER, run

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_starting_pytest_imports_nothing_of_the_framework(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that uses no fixture of it loads the plugin alone; pydantic, Starlette and the engine stay out."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins may load pydantic for themselves
    project.makeini("")

    result = run(
        project,
        """
        import sys

        def test_nothing():
            print("loaded", sorted(name for name in sys.modules if name.partition(".")[0] in {
                "oneiric", "pydantic", "pydantic_settings", "starlette", "dependency_injector", "loguru"}))
        """,
        "-s",
        "-p",
        "oneiric.testing.plugin",
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*loaded [[]'oneiric', 'oneiric.testing', 'oneiric.testing.plugin'[]]*"])


def test_the_application_comes_from_the_environment_in_profile_test(project: pytest.Pytester) -> None:
    """ONEIRIC_APP names it; it is the default of the process, and is as before when the test is over."""
    result = run(
        project,
        """
        from oneiric import Application
        from shop import OtherStock, app, held

        others = [Application("a"), Application("b")]

        def test_first(oneiric_app):
            assert oneiric_app is app
            assert app.profile.name == "test"
            assert held() == "Stock"

        def test_second():
            assert app.profile.name == "default"

        def test_third(oneiric_app):
            assert app.profile.name == "test"
        """,
    )

    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("scope", [pytest.param("session", id="session"), pytest.param("function", id="function")])
def test_a_fixture_of_the_project_gives_the_application(project: pytest.Pytester, scope: str) -> None:
    """It may have any scope, and wins over ONEIRIC_APP."""
    result = run(
        project,
        f"""
        import pytest
        from oneiric import Application

        @pytest.fixture(scope="{scope}")
        def oneiric_application():
            return Application("own")

        def test_first(oneiric_app):
            assert (oneiric_app.name, oneiric_app.profile.name) == ("own", "test")

        def test_second(oneiric_app):
            assert (oneiric_app.name, oneiric_app.profile.name) == ("own", "test")
        """,
    )

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("fixture", "said"),
    [
        pytest.param("", "*no application to test: neither ONEIRIC_APP nor*", id="nobody names one"),
        pytest.param("return 3", "*has to return an Application, and returned a int*", id="something else"),
        pytest.param(
            "import asyncio; from shop import app; asyncio.run(app.start()); return app",
            "*application shop was started in profile default, not in test*",
            id="it runs already in another profile",
        ),
    ],
)
def test_an_application_that_cannot_be_tested_is_told(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, fixture: str, said: str
) -> None:
    """The message says what is wrong and what to do."""
    monkeypatch.delenv("ONEIRIC_APP")
    own = f"@pytest.fixture\ndef oneiric_application():\n    {fixture}\n" if fixture else ""

    result = run(project, f"import pytest\n{own}\ndef test_it(oneiric_app):\n    pass\n")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([said])


def test_a_profile_that_the_fixture_asks_for_stands(project: pytest.Pytester) -> None:
    """So that the tests of a deployment can run in its own profile."""
    result = run(
        project,
        """
        import pytest
        from oneiric import Application, Inputs

        @pytest.fixture
        def oneiric_application():
            app = Application("own")
            app.configure(Inputs(profile="systemd", environ={}))
            return app

        def test_it(oneiric_app):
            assert oneiric_app.profile.name == "systemd"
        """,
    )

    result.assert_outcomes(passed=1)


OVERRIDES = """
import asyncio
import threading

import pytest
from shop import OtherStock, app, held

def in_a_thread():
    said = []
    thread = threading.Thread(target=lambda: said.append(held()))
    thread.start()
    thread.join()
    return said[0]

def test_everywhere(oneiric_override):
    oneiric_override({"stock": OtherStock()})
    assert (held(), in_a_thread()) == ("OtherStock", "OtherStock")

def test_here_alone(oneiric_local):
    oneiric_local({"stock": OtherStock()})
    assert (held(), in_a_thread()) == ("OtherStock", "Stock")

@pytest.mark.asyncio
async def test_everywhere_in_a_task(oneiric_app, oneiric_override):
    oneiric_override({"stock": OtherStock()})
    async with oneiric_app:
        assert await asyncio.to_thread(held) == "OtherStock"

@pytest.mark.asyncio
async def test_here_alone_in_a_task(oneiric_app, oneiric_local):
    async with oneiric_app:
        oneiric_local({"stock": OtherStock()})
        assert (held(), in_a_thread()) == ("OtherStock", "Stock")

def test_one_is_undone_early(oneiric_override, oneiric_local):
    oneiric_override({"stock": OtherStock()}).undo()
    with oneiric_local({"stock": OtherStock()}):
        assert held() == "OtherStock"
    assert held() == "Stock"

@pytest.mark.parametrize("n", range(4))
def test_nothing_stays(oneiric_app, n):
    assert held() == "Stock"
"""


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(IN_ORDER, id="in order"),
        pytest.param(("-n", "2"), id="xdist"),
        pytest.param(("-p", "randomly", "-p", "no:xdist"), id="random order"),
    ],
)
def test_overrides_end_with_their_test(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    """Each test sees what it says itself, wherever and in whatever order it runs."""
    run(project, OVERRIDES, *options).assert_outcomes(passed=9)


LEAKS = """
import asyncio
import sys

import pytest
import pytest_asyncio
from oneiric import Application
from shop import OtherStock, app, held

kept = []
shared, started = Application("shared"), Application("started")

@pytest.fixture
def overridden():
    with app.override({"cache": "memory"}):
        yield

@pytest.fixture(scope="module")
def for_all_tests():
    with app.override({"messaging": "console"}):
        yield

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running():
    async with shared:
        shared.adapters.cache()
        yield shared

def test_override():
    app.override({"stock": OtherStock(), "storage": "memory"})

def test_settings():
    from oneiric import LayerContainer
    app.override(LayerContainer("explicit", settings={"cache.memory.max_items": 3}))

def test_slot_override():
    app.services.stock.override(OtherStock())

def test_local_override():
    kept.append(app.local_override({"stock": OtherStock()}))

@pytest.mark.asyncio
async def test_local_override_in_a_task():
    app.local_override({"stock": OtherStock()})

def test_decoration():
    app.decorate("stock", lambda stock: stock)

def test_scope():
    kept.append(app.scope("task"))
    kept[-1].__enter__()

@pytest.mark.asyncio
async def test_scope_in_a_task():
    await app.scope("request").__aenter__()

@pytest.mark.asyncio
async def test_start():
    await started.start()

@pytest.mark.asyncio(loop_scope="module")
async def test_task(running):
    kept.append(asyncio.create_task(asyncio.Event().wait(), name="forgotten"))

@pytest.mark.asyncio(loop_scope="module")
async def test_object(running):
    running.adapters.cache.cell.live = None

def test_application_of_the_test(oneiric_application, oneiric_app):
    oneiric_app.override({"stock": OtherStock()})

@pytest.mark.parametrize("n", range(2))
def test_clean(n, overridden, for_all_tests):
    own = Application("own")
    own.override({"cache": "memory"})
    with app.scope("task"), app.local_override({"cache": "memory"}):
        pass
"""

LEFT = {
    "test_override": "application shop: override of stock, storage at test_shop:*",
    "test_settings": "application shop: override of cache.memory.max_items at test_shop:*",
    "test_slot_override": "application shop: override of stock at test_shop:*",
    "test_local_override": "application shop: local override of stock at test_shop:*",
    "test_local_override_in_a_task": "application shop: local override of stock at test_shop:*",
    "test_decoration": "application shop: decoration of stock by test_shop:*",
    "test_scope": "application shop: scope task: it was not closed",
    "test_scope_in_a_task": "application shop: scope request: it was not closed",
    "test_start": "application started: its start: it was not stopped",
    "test_task": "application shared: task forgotten: it still runs",
    "test_object": "application shared: slot cache: it holds another object than before",
    "test_application_of_the_test": "application shop: override of stock at test_shop:*",
}


def test_what_a_test_leaves_behind_fails_it(project: pytest.Pytester) -> None:
    """Each of them fails the very test that left it, by name; the tests before and after it pass."""
    result = run(project, LEAKS)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=len(LEFT) + 2, failed=len(LEFT))
    for name, left in LEFT.items():
        result.stdout.fnmatch_lines([f"{name} left behind {left}"])
        result.stdout.fnmatch_lines([f"FAILED test_shop.py::{name} - *"])
