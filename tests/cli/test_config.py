"""What `oneiric config` answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.command import of_app, steady
from tests.support.golden import check_golden

COUNTER = of_app("counter_shop")
FILE = """\
[select]
cache = "guarded"

[settings.cache.guarded]
max_items = 500

[profiles.test.settings.cache.guarded]
tries = 5
"""
SECRET = "hunter2"


@pytest.fixture(autouse=True)
def configured(folder: Path) -> None:
    """A configuration file with a choice and two values."""
    (folder / "oneiric.toml").write_text(FILE, "utf-8")


LISTS = [
    pytest.param((), {}, id="all"),
    pytest.param(("--changed",), {}, id="changed"),
    pytest.param(("--changed", "--profile", "test"), {"ONEIRIC_WEB__PORT": "9000"}, id="changed in profile test"),
    pytest.param(("--changed",), {"ONEIRIC_CACHE__GUARDED__PASSWORD": SECRET}, id="a secret in a variable"),
    pytest.param(("--changed",), {"SECRET_CACHE_GUARDED_PASSWORD": SECRET}, id="a secret of the store"),
]


@pytest.mark.parametrize(("arguments", "environment"), LISTS)
def test_the_settings_read_as_their_golden(
    oneiric: Run, request: pytest.FixtureRequest, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    """Every setting in use stands in a line, with its value, the layer that decided and where it said so."""
    done = oneiric("config", *arguments, *COUNTER, **environment)

    assert (done.code, done.err) == (0, "")
    assert SECRET not in done.out
    check_golden(f"cli/config/{request.node.callspec.id.replace(' ', '-')}.txt", steady(done.out))


def test_the_settings_are_an_object_too(oneiric: Run) -> None:
    """Each has its winner, as an explanation tells it."""
    answer = oneiric("config", "--changed", *COUNTER, "--json").answer

    assert {name: answer[name] for name in answer if name != "settings"} == {
        "schema": 1,
        "kind": "config",
        "app": "counter",
        "profile": "default",
        "order": ["code", "profile", "secrets", "manifest", "env", "explicit"],
    }
    (setting,) = answer["settings"]
    assert (setting["name"], setting["warnings"], setting["error"]) == ("cache.guarded.max_items", [], None)
    assert (setting["winner"]["layer"], setting["winner"]["value"]) == ("profile", 500)
    assert setting["winner"]["origin"] == {
        "kind": "file",
        "path": "oneiric.toml",
        "line": 5,
        "key": "settings.cache.guarded.max_items",
    }


def test_a_value_that_cannot_be_is_marked_and_told(oneiric: Run) -> None:
    """The line names the code and the origin, a block says what to do, and the command fails."""
    done = oneiric("config", "--changed", *COUNTER, ONEIRIC_CACHE__GUARDED__TRIES="0")

    assert done.code == 1
    check_golden("cli/config/a-value-that-cannot-be.txt", steady(done.out + done.err))


def test_a_value_that_is_shadowed_and_cannot_be_is_a_warning(oneiric: Run) -> None:
    """It may come to count one day; today it does not."""
    done = oneiric("config", *COUNTER, "--set", "cache.guarded.tries=4", ONEIRIC_CACHE__GUARDED__TRIES="0")

    assert done.code == 0
    assert done.err.startswith("warning[invalid-shadowed] cache.guarded.tries: ")


def test_an_application_that_changes_nothing_has_an_empty_list(oneiric: Run, folder: Path) -> None:
    """One line says so, rather than a heading without rows."""
    (folder / "oneiric.toml").unlink()

    done = oneiric("config", "--changed", *COUNTER)

    assert (done.code, done.out) == (0, "no setting is in use, or only the code says what they are\n")
