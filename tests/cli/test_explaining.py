"""What `oneiric explain` answers to --why-not, --diff and --probe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.command import of_app, steady
from tests.support.golden import check_golden

COUNTER, DRAWER = of_app("counter_shop"), of_app("drawer_shop")
FILE = """\
[select]
cache = "guarded"

[settings.cache.guarded]
max_items = 500

[profiles.staging]
like = "serverless"

[profiles.staging.select]
cache = "memory"

[profiles.staging.settings.cache.guarded]
max_items = 20
"""


@pytest.fixture(autouse=True)
def configured(folder: Path) -> None:
    """A configuration file with a profile of its own."""
    (folder / "oneiric.toml").write_text(FILE, "utf-8")


ASKED = [
    pytest.param(("cache", "--why-not", "memory"), id="why not the default member"),
    pytest.param(("cache", "--why-not", "valkey"), id="why not one that is not installed"),
    pytest.param(("cache", "--why-not", "guarded"), id="why not the winner"),
    pytest.param(("cache", "--why-not", "profile", "--select", "cache=memory"), id="why not a layer"),
    pytest.param(("cache.guarded.max_items", "--why-not", "env"), id="why not the layer of a value"),
    pytest.param(("cache.guarded.max_items", "--why-not", "code"), id="why not the code"),
    pytest.param(("cache", "--diff", "staging"), id="diff of a slot"),
    pytest.param(("cache.guarded.max_items", "--diff", "staging"), id="diff of a value"),
    pytest.param(("web.port", "--diff", "staging"), id="diff without a difference"),
]


@pytest.mark.parametrize("arguments", ASKED)
def test_a_narrower_question_reads_as_its_golden(
    oneiric: Run, request: pytest.FixtureRequest, arguments: tuple[str, ...]
) -> None:
    """Only what was asked for is answered, with its reason and its place."""
    done = oneiric("explain", *arguments, *COUNTER)

    assert (done.code, done.err) == (0, "")
    check_golden(f"cli/explaining/{request.node.callspec.id.replace(' ', '-')}.txt", steady(done.out))


def test_why_not_is_an_object_too(oneiric: Run) -> None:
    """The candidate as an explanation tells it, and one sentence more."""
    answer = oneiric("explain", "cache", "--why-not", "valkey", *COUNTER, "--json").answer

    (candidate,) = answer["candidates"]
    assert (answer["kind"], answer["name"], answer["asked"]) == ("why-not", "cache", "valkey")
    assert answer["winner"]["value"] == "guarded"
    assert (candidate["reason"], candidate["detail"]) == ("not-installed", "pip install 'oneiric[valkey]'")
    assert candidate["why"] == "The extra that the adapter needs is not installed."


def test_who_is_no_candidate_is_refused_with_the_nearest_name(oneiric: Run) -> None:
    """A misspelt name is no loser."""
    done = oneiric("explain", "cache", "--why-not", "memry", *COUNTER)

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        'error[bad-option] oneiric explain: --why-not: "memry" is no adapter and no layer of cache; '
        "did you mean memory?\n"
        "  fix: oneiric explain --help\n"
    )


def test_a_difference_is_an_object_too(oneiric: Run) -> None:
    """Both explanations stand beside what differs."""
    answer = oneiric("explain", "cache.guarded.max_items", "--diff", "staging", *COUNTER, "--json").answer

    assert (answer["kind"], answer["profiles"]) == ("explain-diff", ["default", "staging"])
    assert answer["changes"] == [
        {
            "name": "cache.guarded.max_items",
            "here": {"layer": "profile", "value": 500},
            "there": {"layer": "profile", "value": 20},
        }
    ]
    assert (answer["here"]["winner"]["value"], answer["there"]["winner"]["value"]) == (500, 20)


def test_an_unknown_profile_to_compare_with_is_refused(oneiric: Run) -> None:
    """It is no profile without differences."""
    done = oneiric("explain", "cache", "--diff", "stagin", *COUNTER)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith('error[unknown-profile] no profile is named "stagin"')


def test_a_difference_shows_no_secret(oneiric: Run) -> None:
    """What a variable holds is hidden on both sides."""
    done = oneiric(
        *("explain", "cache", "--diff", "test", "--select", "cache=guarded", *COUNTER),
        ONEIRIC_CACHE__GUARDED__PASSWORD="hunter2",
    )

    assert "hunter2" not in done.out
    assert "cache.guarded.password  ****** fp:0000 (env) -> null (code)" in steady(done.out)


@pytest.mark.parametrize(
    ("probe", "status", "layer"),
    [
        pytest.param((), "unknown", "secrets", id="presumed without --probe"),
        pytest.param(("--probe",), "winner", "secrets", id="known with --probe"),
    ],
)
def test_a_store_that_has_to_be_opened_is_asked_only_with_probe(
    oneiric: Run, probe: tuple[str, ...], status: str, layer: str
) -> None:
    """Without it, the store stands as the presumed winner."""
    arguments = ("explain", "till.key", *DRAWER, *probe, "--profile", "serverless", "--json")

    winner = oneiric(*arguments).answer["winner"]

    assert (winner["status"], winner["layer"], winner["redacted"]) == (status, layer, True)
    assert winner["origin"]["version"] == ("3" if probe else None)


def test_what_is_presumed_is_told_with_what_would_be_without_it(oneiric: Run) -> None:
    """A store that was not asked may lack the secret, and the fallback is named."""
    done = oneiric("explain", "till.key", *DRAWER, "--profile", "serverless")

    assert (done.code, done.err) == (0, "")
    check_golden("cli/explaining/presumed-without-probe.txt", steady(done.out))


def test_probing_says_that_a_secret_is_not_there(oneiric: Run) -> None:
    """The next layer answers then, and the explanation says why."""
    done = oneiric("explain", "till.spare", *DRAWER, "--profile", "serverless", "--probe")

    assert (done.code, done.err) == (0, "")
    check_golden("cli/explaining/probe-for-a-secret-that-is-missing.txt", steady(done.out))
