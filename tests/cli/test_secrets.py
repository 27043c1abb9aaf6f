"""What `oneiric secrets check` and `oneiric secrets rotate` answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.command import of_app, steady
from tests.support.golden import check_golden

COUNTER = of_app("counter_shop")
VALUE, OTHER = "hunter2", "correct-horse"
STORED = {"SECRET_CACHE_GUARDED_PASSWORD": VALUE}


@pytest.fixture(autouse=True)
def configured(folder: Path) -> None:
    """A configuration file that chooses the cache with a password."""
    (folder / "oneiric.toml").write_text('[select]\ncache = "guarded"\n', "utf-8")


NO_CREDENTIALS = ("--profile", "systemd")
CHECKED = [
    pytest.param((), STORED, 0, id="there"),
    pytest.param((), {}, 0, id="absent and not required"),
    pytest.param((), {**STORED, "ONEIRIC_CACHE__GUARDED__PASSWORD": OTHER}, 0, id="below a variable"),
    pytest.param(
        (), {**STORED, "ONEIRIC_CACHE__GUARDED__PASSWORD": "secret://till-key"}, 1, id="a reference to nothing"
    ),
    pytest.param(NO_CREDENTIALS, {}, 1, id="a store that is not there"),
    pytest.param(("--select", "cache=memory"), {}, 0, id="no secret in use"),
]


@pytest.mark.parametrize(("arguments", "environment", "code"), CHECKED)
def test_each_secret_is_told_with_what_the_store_says(
    oneiric: Run, request: pytest.FixtureRequest, arguments: tuple[str, ...], environment: dict[str, str], code: int
) -> None:
    """It fails where the start would, and shows no value."""
    done = oneiric("secrets", "check", *arguments, *COUNTER, **environment)

    assert done.code == code
    assert [value for value in (VALUE, OTHER) if value in done.out + done.err] == []
    check_golden(f"cli/secrets/{request.node.callspec.id.replace(' ', '-')}.txt", steady(done.out + done.err))


def test_a_checked_secret_is_an_object_too(oneiric: Run) -> None:
    """Name, answer, version, and the settings that it is for; never its value."""
    done = oneiric("secrets", "check", *COUNTER, "--json", **STORED)

    assert VALUE not in done.out
    assert done.answer == {
        "schema": 1,
        "kind": "secrets-check",
        "app": "counter",
        "profile": "default",
        "secrets": [
            {
                "name": "cache-guarded-password",
                "answer": "ok",
                "version": "env",
                "counts": True,
                "settings": ["cache.guarded.password"],
                "resource": "SECRET_CACHE_GUARDED_PASSWORD",
            }
        ],
        "faults": [],
    }


@pytest.mark.parametrize(
    ("environment", "code", "said"),
    [pytest.param(STORED, 0, "ok", id="there"), pytest.param({}, 1, "not-found", id="absent")],
)
def test_rotating_tells_the_version_that_is_there_now(
    oneiric: Run, environment: dict[str, str], code: int, said: str
) -> None:
    """It fails where a named secret cannot be had, since nothing could take its new value."""
    done = oneiric("secrets", "rotate", "cache-guarded-password", *COUNTER, "--json", **environment)

    assert (done.code, done.answer["kind"]) == (code, "secrets-rotate")
    assert [(one["name"], one["answer"]) for one in done.answer["secrets"]] == [("cache-guarded-password", said)]
    assert VALUE not in done.out + done.err


def test_a_secret_that_no_setting_reads_is_refused(oneiric: Run) -> None:
    """A misspelt name must not look as if it were rotated."""
    done = oneiric("secrets", "rotate", "cache-password", *COUNTER, **STORED)

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        'error[bad-option] oneiric secrets rotate: no setting in use reads the secret "cache-password"; '
        "did you mean cache-guarded-password?\n"
        "  fix: oneiric secrets rotate --help\n"
    )
