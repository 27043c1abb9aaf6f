"""The application under test, set up for one test and put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oneiric import INJECTED, Application, Inject, Inputs, inject
from oneiric.containers import active
from oneiric.testing.subject import find_application, under_test


class Desk:
    """What a call gets."""


@inject
def which(desk: Inject[Desk] = INJECTED) -> Desk:
    return desk


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Application]:
    """An application whose file chooses the profile `systemd` and fills a slot; others exist beside it."""
    (tmp_path / "oneiric.toml").write_text('profile = "systemd"\n[select]\ncache = "memory"\n', "utf-8")
    made = Application("desk", inputs=Inputs(environ={"ONEIRIC_SELECT__QUEUE": "memory"}, folder=tmp_path))
    made.provide("desk")(Desk)
    others = [Application("other"), Application("another")]
    yield made
    assert others


def test_it_is_in_profile_test_and_the_default_of_the_process(app: Application) -> None:
    """The profile of the file does not count, and calls that say nothing else belong to it."""
    with under_test(app) as application:
        assert application is app
        assert app.profile.name == "test"
        assert which() is app.services.desk()


def test_afterwards_all_is_as_before(app: Application) -> None:
    """Profile, layers and default are those that were there."""
    before = (app.profile.name, [layer.name for layer in app.overridden], active.default())

    with under_test(app):
        during = [layer.name for layer in app.overridden if layer.rank(app.profile) is not None]

    assert during == ["profile"]  # the environment does not speak in profile test
    assert (app.profile.name, [layer.name for layer in app.overridden], active.default()) == before


def test_layers_of_the_configuration_are_told_from_those_of_code(app: Application) -> None:
    """An override counts as applied by code, what files and environment say does not."""
    app.configure()

    with app.override({"cache": "memory"}) as _:
        applied = [layer.name for layer in app.applied]

    assert applied == ["explicit"]
    assert app.applied == ()


def test_what_no_application_is_cannot_be_tested() -> None:
    """The message names the fixture that returned it."""
    with (
        pytest.raises(pytest.fail.Exception, match="fixture oneiric_application has to return an Application"),
        under_test(3),
    ):
        pass


def test_nobody_names_an_application(tmp_path: Path) -> None:
    """Without variable and file there is nothing to test, and the message says both ways to name one."""
    with pytest.raises(pytest.fail.Exception) as caught:
        find_application({}, tmp_path)

    assert str(caught.value).splitlines()[1] == (
        "fix: define the fixture oneiric_application, which returns it   or   set ONEIRIC_APP=package.module:app"
    )
