"""Options before and after the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneiric.cli.options import Options
from tests.cli.conftest import Run
from tests.support.command import APPS, of_app

COUNTER = of_app("counter_shop")


@pytest.mark.parametrize(
    ("before", "after", "profile"),
    [
        pytest.param((), (), "default", id="nowhere"),
        pytest.param(("--profile", "test"), (), "test", id="before"),
        pytest.param((), ("--profile", "systemd"), "systemd", id="after"),
        pytest.param(("--profile", "test"), ("--profile", "systemd"), "systemd", id="after wins"),
    ],
)
def test_the_profile_is_taken_before_and_after_the_command(
    oneiric: Run, before: tuple[str, ...], after: tuple[str, ...], profile: str
) -> None:
    """What stands nearer to the question wins."""
    done = oneiric(*before, "explain", "cache", *COUNTER, "--json", *after)

    assert done.answer["profile"] == profile


def test_a_flag_wins_over_its_variable(oneiric: Run) -> None:
    """`--profile` is said for this one run."""
    done = oneiric("explain", "cache", *COUNTER, "--json", "--profile", "test", ONEIRIC_PROFILE="systemd")

    assert done.answer["profile"] == "test"


def test_choices_and_values_may_be_given_again_and_again(oneiric: Run) -> None:
    """Those before and after the command add up, and of two for one name the later counts."""
    done = oneiric(
        *("--select", "cache=memory", "--set", "cache.guarded.tries=5"),
        *("explain", "cache", *COUNTER, "--json"),
        *("--select", "cache=guarded", "--set", "cache.guarded.max_items=9"),
    )

    winner = done.answer["winner"]
    values = {s["name"]: s["winner"]["value"] for s in done.answer["settings"] if s["winner"]["layer"] == "explicit"}
    assert (winner["value"], winner["origin"]) == ("guarded", {"kind": "cli", "flag": "--select cache=guarded"})
    assert values == {"cache.guarded.max_items": 9, "cache.guarded.tries": 5}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param({"ONEIRIC_APP": "counter_shop:app"}, id="variable"),
        pytest.param({}, id="pyproject.toml"),
    ],
)
def test_the_application_may_be_named_outside_the_command_line(
    oneiric: Run, folder: Path, source: dict[str, str]
) -> None:
    """`ONEIRIC_APP` and `[tool.oneiric] app` mean the same as `--app`."""
    if not source:
        (folder / "pyproject.toml").write_text('[tool.oneiric]\napp = "counter_shop:app"\n', "utf-8")

    done = oneiric("list", "--app-dir", str(APPS), "--json", **source)

    assert (done.code, done.answer["app"]) == (0, "counter")


def test_files_are_named_by_flags(oneiric: Run, folder: Path) -> None:
    """`--config` replaces `oneiric.toml`, and variables of `--env-file` stand above it."""
    (folder / "oneiric.toml").write_text('[select]\ncache = "memory"\n', "utf-8")
    (folder / "other.toml").write_text('[select]\ncache = "guarded"\n', "utf-8")
    (folder / "shop.env").write_text("ONEIRIC_CACHE__GUARDED__TRIES=4\n", "utf-8")

    done = oneiric("explain", "cache", *COUNTER, "--config", "other.toml", "--env-file", "shop.env", "--json")

    tries = next(s for s in done.answer["settings"] if s["name"] == "cache.guarded.tries")["winner"]
    assert done.answer["winner"]["origin"] == {"kind": "file", "path": "other.toml", "line": 2, "key": "select.cache"}
    assert (tries["layer"], tries["origin"]["kind"], tries["value"]) == ("env", "envfile", 4)


def test_options_laid_over_others_keep_what_they_do_not_say() -> None:
    """Each option is merged by itself; lists grow, the later part last."""
    below = Options(app="a:app", profile="test", select=("cache=memory",))
    above = Options(profile="systemd", config="x.toml", select=("cache=redis",))

    assert above.over(below) == Options(
        app="a:app", profile="systemd", config="x.toml", select=("cache=memory", "cache=redis")
    )
