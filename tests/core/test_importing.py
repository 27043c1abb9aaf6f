"""Importing by name, late, with errors that say what is wrong with the name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneiric.core.errors import AppNotImportable, NotInstalled
from oneiric.core.importing import is_installed, load, require
from oneiric.core.origins import CodeOrigin


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path; modules that came from it are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        pytest.param("oneiric.core.origins:CodeOrigin", CodeOrigin, id="a class"),
        pytest.param("oneiric.core.origins:CodeOrigin.kind", "code", id="an attribute further in"),
    ],
)
def test_a_reference_leads_to_what_it_names(reference: str, found: object) -> None:
    """`module:attribute` is followed; dots after the colon reach further in."""
    assert load(reference) is found


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        pytest.param("shop", "it is not of the form module:attribute", id="no colon"),
        pytest.param(":app", "it is not of the form module:attribute", id="no module"),
        pytest.param("shop:", "it is not of the form module:attribute", id="no attribute"),
        pytest.param("..shop:app", "it is not of the form module:attribute", id="relative"),
        pytest.param(
            "oneiric.nowhere:app",
            "ModuleNotFoundError: No module named 'oneiric.nowhere'",
            id="no such module",
        ),
        pytest.param(
            "oneiric.core.origins:Nothing",
            '"oneiric.core.origins" has no attribute "Nothing"',
            id="no such attribute",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_says_why(reference: str, why: str) -> None:
    """The error repeats the reference as it was given, and tells which part of it is wrong."""
    with pytest.raises(AppNotImportable) as caught:
        load(reference)

    assert caught.value.message == f'cannot load "{reference}": {why}'
    assert caught.value.reference == reference


def test_a_module_that_raises_is_reported_with_its_own_error_chained(folder: Path) -> None:
    """The application's fault stays visible, with its own traceback."""
    (folder / "broken_shop.py").write_text("1 / 0\n")

    with pytest.raises(AppNotImportable, match="ZeroDivisionError: division by zero") as caught:
        load("broken_shop:app")

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_what_a_module_says_when_it_raises_holds_no_credential(folder: Path) -> None:
    """An exception may quote a connection string; the error is shown to whoever runs a command."""
    (folder / "leaky_shop.py").write_text("raise RuntimeError('redis://ada:hunter2@db/0 is down, token=hunter3')\n")

    with pytest.raises(AppNotImportable) as caught:
        load("leaky_shop:app")

    assert caught.value.message == (
        'cannot load "leaky_shop:app": RuntimeError: redis://******@db/0 is down, token=******'
    )
    assert caught.value.fixes == ("mend the module; --debug shows where it fails",)


def test_our_own_error_in_a_module_is_told_in_one_sentence_with_its_fix(folder: Path) -> None:
    """Its block would be a block inside a block."""
    (folder / "loud_shop.py").write_text("from oneiric import Application\nApplication('a').provide('Till')(int)\n")

    with pytest.raises(AppNotImportable) as caught:
        load("loud_shop:app")

    assert caught.value.message.startswith('cannot load "loud_shop:app": InvalidName: "Till" cannot be a name here')
    assert caught.value.fixes == ("use lower-case segments such as cache.sessions: letters, digits, underscores",)


def test_require_returns_the_module() -> None:
    """An SDK that is there is simply imported, submodules too."""
    assert require("json.decoder", extra="none") is sys.modules["json.decoder"]


@pytest.mark.parametrize(
    "module", [pytest.param("absent_sdk", id="top module"), pytest.param("absent_sdk.asyncio", id="submodule")]
)
def test_an_absent_sdk_names_the_line_that_installs_it(module: str) -> None:
    """The person can paste the remedy."""
    with pytest.raises(NotInstalled) as caught:
        require(module, extra="absent")

    assert str(caught.value) == f"not-installed ({module} is missing: pip install 'oneiric[absent]')"
    assert caught.value.fixes == ("pip install 'oneiric[absent]'",)
    assert caught.value.__cause__ is None


def test_an_sdk_that_lacks_something_of_its_own_is_not_called_absent(folder: Path) -> None:
    """Installing our extra would not help, so the SDK's own error is shown."""
    (folder / "half_sdk.py").write_text("import what_the_sdk_needs\n")

    with pytest.raises(ModuleNotFoundError, match="what_the_sdk_needs"):
        require("half_sdk", extra="half")


@pytest.mark.parametrize(
    ("module", "there"),
    [
        pytest.param("json", True, id="there"),
        pytest.param("json.nothing", True, id="only the top module is asked for"),
        pytest.param("absent_sdk", False, id="absent"),
        pytest.param("", False, id="no name"),
    ],
)
def test_asking_whether_a_module_is_installed_answers(module: str, there: bool) -> None:
    """The catalog asks this for every adapter with an extra."""
    assert is_installed(module) is there


def test_asking_whether_a_module_is_installed_does_not_import_it(folder: Path) -> None:
    """Looking costs nothing and runs no foreign code."""
    (folder / "loud_sdk.py").write_text("raise RuntimeError('imported')\n")

    assert is_installed("loud_sdk")
    assert "loud_sdk" not in sys.modules
