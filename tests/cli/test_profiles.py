"""What `oneiric profiles` answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.command import of_app
from tests.support.golden import check_golden

FILE = """\
profile = "staging"

[profiles.staging]
like = "serverless"
watch = true
"""


def test_the_profiles_read_as_their_golden(oneiric: Run, folder: Path) -> None:
    """One column each, those of the file last; the one in force is marked. No application is needed."""
    (folder / "oneiric.toml").write_text(FILE, "utf-8")

    done = oneiric("profiles")

    assert (done.code, done.err) == (0, "")
    check_golden("cli/profiles/defined-by-the-file.txt", done.out.rstrip("\n"))


def test_a_profile_is_an_object_with_its_order_and_its_place(oneiric: Run, folder: Path) -> None:
    """A program reads the same, by the names that the settings of a profile have."""
    (folder / "oneiric.toml").write_text(FILE, "utf-8")

    answer = oneiric("profiles", "--json").answer

    rows = {row["name"]: row for row in answer["profiles"]}
    assert (answer["kind"], answer["profile"]) == ("profiles", "staging")
    assert list(rows) == ["default", "serverless", "systemd", "test", "staging"]
    assert rows["staging"] == {
        "name": "staging",
        "in_force": True,
        "order": ["code", "profile", "manifest", "env", "secrets", "explicit"],
        "watch": True,
        "remote": False,
        "background": False,
        "user_file": False,
        "public": True,
        "json_logs": True,
        "on_secret_outage": "fail",
        "plaintext_secrets": False,
        "local": False,
        "default_store": None,
        "own_store": False,
        "origin": {"kind": "file", "path": "oneiric.toml", "line": 4, "key": "profiles.staging.like"},
    }
    assert rows["default"]["origin"] is None


@pytest.mark.parametrize(
    ("arguments", "environment", "name"),
    [
        pytest.param((), {}, "default", id="nobody says"),
        pytest.param((), {"ONEIRIC_PROFILE": "systemd"}, "systemd", id="a variable"),
        pytest.param(("--profile", "test"), {"ONEIRIC_PROFILE": "systemd"}, "test", id="a flag"),
        pytest.param(of_app("counter_shop"), {}, "default", id="an application"),
    ],
)
def test_the_profile_in_force_is_marked(
    oneiric: Run, arguments: tuple[str, ...], environment: dict[str, str], name: str
) -> None:
    """With or without an application, it is the one that every other command would take."""
    done = oneiric("profiles", *arguments, **environment)

    assert [word for word in done.out.splitlines()[0].split() if word.endswith("*")] == [f"{name}*"]


def test_an_unknown_profile_is_refused(oneiric: Run) -> None:
    """The nearest name stands in the remedy, and nothing is shown."""
    done = oneiric("profiles", "--profile", "serverles")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith('error[unknown-profile] no profile is named "serverles"')
    assert "did you mean serverless?" in done.err
