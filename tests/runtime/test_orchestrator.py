"""Finding, loading and preparing an application, without a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneiric import Application, Inputs
from oneiric.core.errors import AppNotImportable, ConfigNotFound, InvalidValue, PortInUse, UnknownProfile
from oneiric.runtime.orchestrator import find_reference, load_application, prepare, serve
from oneiric.web.address import Address, listen

HEAVY = ("starlette", "uvicorn", "httpx", "typer", "cloudevents", "boto3", "google")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder to import from, which is forgotten afterwards."""
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


PROJECT = '[tool.oneiric]\napp = "from_project:app"'


@pytest.mark.parametrize(
    ("flag", "variable", "project", "reference"),
    [
        pytest.param("from_flag:app", "from_env:app", PROJECT, "from_flag:app", id="the flag stands above all"),
        pytest.param(None, "from_env:app", PROJECT, "from_env:app", id="the variable stands above the project"),
        pytest.param(None, "", PROJECT, "from_project:app", id="an empty variable says nothing"),
        pytest.param(None, None, PROJECT, "from_project:app", id="the project"),
        pytest.param("from_flag:app", None, "no TOML", "from_flag:app", id="a project that is not needed is not read"),
    ],
)
def test_the_application_is_named_by_the_first_who_names_one(
    tmp_path: Path, flag: str | None, variable: str | None, project: str, reference: str
) -> None:
    """`--app`, then ONEIRIC_APP, then `[tool.oneiric] app` in pyproject.toml."""
    (tmp_path / "pyproject.toml").write_text(project, "utf-8")
    environ = {} if variable is None else {"ONEIRIC_APP": variable}

    assert find_reference(flag, environ, tmp_path) == reference


@pytest.mark.parametrize(
    ("project", "kind"),
    [
        pytest.param(None, AppNotImportable, id="no project"),
        pytest.param("[project]", AppNotImportable, id="a project that names none"),
        pytest.param("no TOML", ConfigNotFound, id="a project that is no TOML"),
        pytest.param("[tool.oneiric]\napp = 7", InvalidValue, id="a number"),
        pytest.param("[tool]\noneiric = 7", InvalidValue, id="a table that is a number"),
        pytest.param("tool = 7", InvalidValue, id="tools that are a number"),
    ],
)
def test_nobody_names_an_application(tmp_path: Path, project: str | None, kind: type[Exception]) -> None:
    """The error says where a name would have counted."""
    if project is not None:
        (tmp_path / "pyproject.toml").write_text(project, "utf-8")

    with pytest.raises(kind):
        find_reference(None, {}, tmp_path)


def test_an_application_is_imported_from_its_folder(folder: Path) -> None:
    """The folder stands first on the import path, once."""
    (folder / "shop_of_folder.py").write_text("from oneiric import Application\napp = Application('shop')", "utf-8")

    first = load_application("shop_of_folder:app", folder)
    second = load_application("shop_of_folder:app", folder)

    assert isinstance(first, Application)
    assert first is second
    assert sys.path[0] == str(folder)
    assert sys.path.count(str(folder)) == 1


def test_without_a_folder_the_working_directory_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python -m` has it, also for the installed command."""
    (folder / "shop_of_cwd.py").write_text("from oneiric import Application\napp = Application('shop')", "utf-8")
    monkeypatch.chdir(folder)

    assert load_application("shop_of_cwd:app").name == "shop"


@pytest.mark.parametrize(
    ("source", "reference", "why"),
    [
        pytest.param("", "shop_bad", "it is not of the form module:attribute", id="no colon"),
        pytest.param("", "no_such_shop:app", "No module named 'no_such_shop'", id="no module"),
        pytest.param("", "shop_bad:app", 'has no attribute "app"', id="no attribute"),
        pytest.param("import no_such_thing", "shop_bad:app", "No module named 'no_such_thing'", id="a broken import"),
        pytest.param("1 / 0", "shop_bad:app", "ZeroDivisionError", id="a module that raises"),
        pytest.param("app = 7", "shop_bad:app", "it is no Application, its type is int", id="something else"),
        pytest.param("def app(): raise SystemExit", "shop_bad:app", "is not called", id="a function"),
        pytest.param("from oneiric import Application", "shop_bad:Application", "is not called", id="a class"),
    ],
)
def test_what_is_no_application_is_refused_with_the_reason(folder: Path, source: str, reference: str, why: str) -> None:
    """The reason is the one of the import, not a guess."""
    (folder / "shop_bad.py").write_text(source, "utf-8")

    with pytest.raises(AppNotImportable) as caught:
        load_application(reference, folder)

    assert why in caught.value.message


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """It does not just find nothing."""
    with pytest.raises(AppNotImportable, match="no folder"):
        load_application("shop:app", tmp_path / "absent")


def test_preparing_declares_the_sections_of_the_web_and_reads_the_configuration(tmp_path: Path) -> None:
    """Their values have origins like all others, and nothing is opened."""
    app = Application("shop")

    prepared = prepare(app, Inputs(environ={"ONEIRIC_WEB__PORT": "81"}, folder=tmp_path))

    assert prepared is app
    assert app.section("web").port == 81
    assert app.section("push").auth == "oidc"
    found = app.explain("web.port").winner
    assert found is not None
    assert found.layer == "env"
    assert (app.state, app.lifecycle.open_slots) == ("new", [])


def test_preparing_refuses_an_unknown_profile(tmp_path: Path) -> None:
    """Never a silent default."""
    with pytest.raises(UnknownProfile):
        prepare(Application("shop"), Inputs(profile="serverles", environ={}, folder=tmp_path))


def test_serving_refuses_a_taken_port_and_leaves_no_trace(tmp_path: Path) -> None:
    """The application was not touched; it can be served later."""
    app = prepare(Application("shop"), Inputs(environ={}, folder=tmp_path))
    with listen(Address("127.0.0.1", 0)) as listener, pytest.raises(PortInUse):
        serve(app, listener.getsockname()[1], environ={"ONEIRIC_LOG_LEVEL": "ERROR"})

    assert (app.state, app.lifecycle.open_slots) == ("new", [])


@pytest.mark.slow
def test_preparing_loads_no_sdk_and_no_web(tmp_path: Path) -> None:
    """Only `serve` pays for the server."""
    program = (
        "import sys\n"
        "from oneiric import Application, Inputs\n"
        "from oneiric.runtime.orchestrator import prepare\n"
        "prepare(Application('shop'), Inputs(environ={})).check()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
