"""Where the configuration comes from, and who stands above whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oneiric import Application, Inputs
from oneiric.core.errors import ConfigNotFound, DuplicateEnv, InvalidValue, OneiricError, UnknownProfile
from oneiric.runtime.configuration import read_configuration


def write(folder: Path, text: str, name: str = "oneiric.toml") -> Path:
    """Write a file of the configuration."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def winner(inputs: Inputs, name: str) -> tuple[Any, str]:
    """Return who fills a slot or what value a setting has, and the layer that decided."""
    found = Application("shop", inputs=inputs).explain(name).winner
    assert found is not None
    return found.value, found.layer


@pytest.mark.parametrize(
    ("flag", "variable", "file", "profile"),
    [
        pytest.param("test", "systemd", "serverless", "test", id="the flag stands above all"),
        pytest.param(None, "systemd", "serverless", "systemd", id="the variable stands above the file"),
        pytest.param(None, "", "serverless", "serverless", id="an empty variable says nothing"),
        pytest.param(None, None, "serverless", "serverless", id="the file"),
        pytest.param(None, None, None, "default", id="nobody"),
    ],
)
def test_the_profile_is_said_by_the_first_who_says_one(
    tmp_path: Path, flag: str | None, variable: str | None, file: str | None, profile: str
) -> None:
    """`--profile`, then ONEIRIC_PROFILE, then the top of the file, then `default`."""
    if file is not None:
        write(tmp_path, f'profile = "{file}"')
    environ = {} if variable is None else {"ONEIRIC_PROFILE": variable}

    found = read_configuration(Inputs(profile=flag, environ=environ, folder=tmp_path))

    assert found.profile.name == profile


@pytest.mark.parametrize(
    ("flags", "environ", "file", "expected"),
    [
        pytest.param(
            ("storage=memory",), {"ONEIRIC_SELECT__STORAGE": "local"}, "local", ("memory", "explicit"), id="the flag"
        ),
        pytest.param((), {"ONEIRIC_SELECT__STORAGE": "memory"}, "local", ("memory", "env"), id="the environment"),
        pytest.param((), {}, "memory", ("memory", "profile"), id="the file"),
    ],
)
def test_each_source_is_a_layer(
    tmp_path: Path, flags: tuple[str, ...], environ: dict[str, str], file: str, expected: tuple[str, str]
) -> None:
    """Flags stand above the environment, that above the file."""
    write(tmp_path, f'[select]\nstorage = "{file}"')

    assert winner(Inputs(select=flags, environ=environ, folder=tmp_path), "storage") == expected


def test_a_profile_has_tables_of_its_own_in_the_file(tmp_path: Path) -> None:
    """They stand above the base tables of the same file, and speak in that profile only."""
    write(tmp_path, '[select]\nstorage = "local"\n[profiles.test.select]\nstorage = "memory"')

    others = winner(Inputs(environ={}, folder=tmp_path), "storage")
    own = winner(Inputs(profile="test", environ={}, folder=tmp_path), "storage")

    assert (others, own) == (("local", "profile"), ("memory", "profile"))


def test_a_named_file_replaces_those_that_are_found(tmp_path: Path) -> None:
    """Neither the one of the folder nor the user's own counts then."""
    write(tmp_path, "[settings.app]\nstop_timeout_s = 1")
    write(tmp_path, "[settings.app]\nstart_timeout_s = 2", "home/oneiric/oneiric.toml")
    write(tmp_path, "", "deploy.toml")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "home"), "ONEIRIC_CONFIG": "deploy.toml"}
    inputs = Inputs(environ=environ, folder=tmp_path)

    found = [winner(inputs, name) for name in ("app.stop_timeout_s", "app.start_timeout_s")]

    assert found == [(8.0, "code"), (60.0, "code")]


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        pytest.param("default", (2, "profile"), id="on a laptop"),
        pytest.param("serverless", (60.0, "code"), id="not in serverless"),
    ],
)
def test_the_file_of_the_user_counts_where_the_profile_reads_it(
    tmp_path: Path, profile: str, expected: tuple[float, str]
) -> None:
    """A deployment does not depend on somebody's home."""
    write(tmp_path, "[settings.app]\nstart_timeout_s = 2", "home/.config/oneiric/oneiric.toml")
    inputs = Inputs(profile=profile, environ={"HOME": str(tmp_path / "home")}, folder=tmp_path)

    assert winner(inputs, "app.start_timeout_s") == expected


def test_an_env_file_stands_below_the_real_environment(tmp_path: Path) -> None:
    """It fills what is not set."""
    write(tmp_path, "ONEIRIC_APP__START_TIMEOUT_S=2\nONEIRIC_APP__STOP_TIMEOUT_S=3", ".env")
    environ = {"ONEIRIC_APP__STOP_TIMEOUT_S": "4"}
    inputs = Inputs(env_file=".env", environ=environ, folder=tmp_path)

    found = [winner(inputs, name) for name in ("app.start_timeout_s", "app.stop_timeout_s")]

    assert found == [(2.0, "env"), (4.0, "env")]


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        pytest.param({"profile": "serverles"}, UnknownProfile, id="a profile that is none"),
        pytest.param({"environ": {"ONEIRIC_PROFILE": "x"}}, UnknownProfile, id="said by the environment"),
        pytest.param({"config": "absent.toml"}, ConfigNotFound, id="a file that is not there"),
        pytest.param({"env_file": "absent.env"}, ConfigNotFound, id="an env file that is not there"),
        pytest.param({"environ": {"ONEIRIC_A__B": "1", "oneiric_a__b": "2"}}, DuplicateEnv, id="one variable twice"),
        pytest.param({"select": ("storage",)}, InvalidValue, id="a flag without a value"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, inputs: dict[str, Any], kind: type[OneiricError]) -> None:
    """Never a silent default."""
    with pytest.raises(kind):
        read_configuration(Inputs(**{"environ": {}, "folder": tmp_path, **inputs}))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("profile = 7", id="a profile that is a number"),
        pytest.param("select = 7", id="a table that is a number"),
        pytest.param("[select]\nstorage = 7", id="an adapter that is a number"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused(tmp_path: Path, text: str) -> None:
    """The error names the key."""
    write(tmp_path, text)

    with pytest.raises(InvalidValue):
        Application("shop", inputs=Inputs(environ={}, folder=tmp_path)).check()


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        pytest.param({"oneiric_profile": "systemd"}, "", id="case is ignored"),
        pytest.param({}, "ONEIRIC_PROFILE=systemd", id="the env file names it"),
        pytest.param({"ONEIRIC_PROFILE": "systemd"}, "oneiric_profile=test", id="the real variable hides the file's"),
    ],
)
def test_a_reserved_variable_is_read_like_any_other(tmp_path: Path, environ: dict[str, str], line: str) -> None:
    """Whatever its case, and from an env file too."""
    (tmp_path / "some.env").write_text(line)

    found = read_configuration(Inputs(environ=environ, folder=tmp_path, env_file="some.env"))

    assert found.profile.name == "systemd"
