"""What the commands answer, as text and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneiric.cli.failures import failed
from oneiric.core.errors import Refused, Unavailable
from tests.cli.conftest import Run
from tests.support.command import of_app, run_process, steady
from tests.support.golden import check_golden

COUNTER, FAULTY = of_app("counter_shop"), of_app("faulty_shop")
FILE = """\
[select]
cache = "memory"

[settings.cache.memory]
max_items = 500

[profiles.test.select]
cache = "guarded"
"""


@pytest.fixture(autouse=True)
def configured(folder: Path) -> None:
    """A configuration file that chooses the cache."""
    (folder / "oneiric.toml").write_text(FILE, "utf-8")


EXPLAINED = [
    pytest.param(("cache",), {}, id="cache before"),
    pytest.param(("cache",), {"ONEIRIC_SELECT__CACHE": "guarded"}, id="cache after"),
    pytest.param(
        ("cache", "--select", "cache=guarded"),
        {"ONEIRIC_CACHE__GUARDED__PASSWORD": "hunter2", "ONEIRIC_SELECT__CACHE": "memory"},
        id="cache with a secret",
    ),
    pytest.param(("cache", "--profile", "test"), {"ONEIRIC_SELECT__CACHE": "memory"}, id="cache in profile test"),
    pytest.param(("cache", "--profile", "serverless"), {}, id="cache in profile serverless"),
    pytest.param(("cache",), {"ONEIRIC_SELECT__CACHE": "@unset"}, id="cache unset"),
    pytest.param(("cache",), {"ONEIRIC_SELECT__CACHE": ""}, id="cache empty"),
    pytest.param(("prices",), {}, id="an object"),
    pytest.param(("cache.memory.max_items",), {"ONEIRIC_CACHE__MEMORY__MAX_ITEMS": "9"}, id="a setting"),
    pytest.param(("web.host",), {"ONEIRIC_WEB__HOST": "127.0.0.1"}, id="a setting of a section"),
]


@pytest.mark.parametrize(("arguments", "environment"), EXPLAINED)
def test_an_explanation_reads_as_its_golden(
    oneiric: Run, request: pytest.FixtureRequest, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    """The layer order is the second line; the winner is marked, each loser has its reason, all have origins."""
    done = oneiric("explain", *arguments, *COUNTER, **environment)

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1].startswith("order  code < profile < ")
    assert "hunter2" not in done.out
    check_golden(f"cli/explain/{request.node.callspec.id.replace(' ', '-')}.txt", steady(done.out))


def test_a_variable_changes_the_winner_and_the_file_becomes_a_loser_with_a_reason(oneiric: Run) -> None:
    """`--json` is the object that the text is made from."""
    before = oneiric("explain", "cache", *COUNTER, "--json").answer
    after = oneiric("explain", "cache", *COUNTER, "--json", ONEIRIC_SELECT__CACHE="guarded").answer

    file = {"kind": "file", "path": "oneiric.toml", "line": 2, "key": "select.cache"}
    losers = {c["layer"]: c for c in after["candidates"] if c["status"] == "shadowed"}
    assert (before["winner"]["layer"], before["winner"]["value"], before["winner"]["origin"]) == (
        "profile",
        "memory",
        file,
    )
    assert (after["winner"]["layer"], after["winner"]["value"]) == ("env", "guarded")
    assert after["winner"]["origin"] == {"kind": "env", "name": "ONEIRIC_SELECT__CACHE"}
    assert (losers["profile"]["reason"], losers["profile"]["origin"]) == ("lower-layer", file)
    assert {c["value"]: c["reason"] for c in after["candidates"] if c["layer"] == "code"} == {
        "guarded": "lower-priority",
        "memory": "lower-priority",
        "valkey": "not-installed",
    }
    assert after["order"] == ["code", "profile", "secrets", "manifest", "env", "explicit"]


@pytest.mark.parametrize("form", ["text", "json", "dot", "mermaid"])
def test_a_graph_is_the_same_bytes_in_every_process(folder: Path, form: str) -> None:
    """Two processes with their own hash seeds write the same graph, which reads as its golden."""
    first, second = (
        run_process("graph", "--format", form, *COUNTER, folder=folder, PYTHONHASHSEED=seed) for seed in ("1", "2")
    )

    assert (first.code, first.err, first.out) == (0, "", second.out)
    check_golden(f"cli/graph/counter.{form}", first.out.rstrip("\n"))


def test_json_and_format_json_are_one_thing(oneiric: Run) -> None:
    """`graph --json` writes what `graph --format json` writes."""
    assert oneiric("graph", "--json", *COUNTER).out == oneiric("graph", "--format", "json", *COUNTER).out


FIVE = ["dependency-cycle", "missing-dependency", "scope-leak", "selection-unknown", "wrong-type"]


def test_check_finds_five_faults_in_one_run(folder: Path) -> None:
    """Each has its block; they stand together, sorted, and the command fails."""
    done = run_process("check", *FAULTY, folder=folder, ONEIRIC_SELECT__QUEUE="rabbit")

    assert done.code == 1
    assert [line.split("]")[0] for line in done.err.splitlines() if line.startswith("error[")] == [
        f"error[{code}" for code in FIVE
    ]
    check_golden("cli/check/faulty.txt", steady(done.out + done.err))


def test_each_fault_has_path_origin_and_fix(folder: Path) -> None:
    """So that a program, or a person, can go there and mend it."""
    done = run_process("check", "--json", *FAULTY, folder=folder, ONEIRIC_SELECT__QUEUE="rabbit")

    assert (done.code, done.err) == (1, "")
    assert list(done.answer) == ["schema", "kind", "app", "profile", "faults", "warnings"]
    assert [fault["code"] for fault in done.answer["faults"]] == FIVE
    assert [fault["code"] for f in [done.answer["faults"]] for fault in f if not fault["path"]] == []
    assert [fault["code"] for fault in done.answer["faults"] if not fault["origin"]] == []
    assert [fault["code"] for fault in done.answer["faults"] if not fault["fixes"]] == []


def test_orchestrate_reports_the_same_five_and_opens_nothing(folder: Path) -> None:
    """What `check` finds keeps the application from starting."""
    done = run_process("orchestrate", "--json", *FAULTY, folder=folder, ONEIRIC_SELECT__QUEUE="rabbit")

    assert done.code == 2
    assert [fault["code"] for fault in done.answer["faults"]] == FIVE


def test_a_sound_application_passes_the_check(folder: Path) -> None:
    """One line says so; a setting that nothing reads is a warning, and a fault if one is strict."""
    sound = run_process("check", *COUNTER, folder=folder)
    warned = run_process("check", *COUNTER, folder=folder, ONEIRIC_CACHE__MEMORY__MAX_ITMS="1")
    strict = run_process("check", "--strict", *COUNTER, folder=folder, ONEIRIC_CACHE__MEMORY__MAX_ITMS="1")

    assert (sound.code, sound.out, sound.err) == (0, "counter   profile default   no faults, no warnings\n", "")
    assert (warned.code, warned.out) == (0, "counter   profile default   no faults, 1 warning\n")
    assert warned.err.startswith('warning[unknown-key] nothing reads the setting "cache.memory.max_itms"')
    assert (strict.code, strict.out) == (1, "counter   profile default   1 fault, no warnings\n")


def test_the_list_shows_every_slot_with_its_winner(oneiric: Run) -> None:
    """A slot whose choice is an error says which."""
    done = oneiric("list", *COUNTER, ONEIRIC_SELECT__QUEUE="rabbit", ONEIRIC_SELECT__CACHE__SESSIONS="guarded")

    assert (done.code, done.err) == (0, "")
    check_golden("cli/list.txt", steady(done.out))


def test_the_list_is_an_object_too(oneiric: Run) -> None:
    """Winner, layer, scope and origin of each slot, by name."""
    done = oneiric("list", *COUNTER, "--json", ONEIRIC_SELECT__QUEUE="rabbit")

    slots = {slot["name"]: slot for slot in done.answer["slots"]}
    assert list(slots) == sorted(slots)
    assert slots["cache"] == {
        "name": "cache",
        "winner": "memory",
        "layer": "profile",
        "scope": "app",
        "origin": {"kind": "file", "path": "oneiric.toml", "line": 2, "key": "select.cache"},
        "error": None,
    }
    assert (slots["queue"]["winner"], slots["queue"]["error"]) == (None, "selection-unknown")


def test_the_catalog_needs_no_application(oneiric: Run) -> None:
    """`adapters` tells what can be chosen, and what has to be installed for it."""
    own = oneiric("adapters")
    named = oneiric(*COUNTER, "adapters", "--json").answer["adapters"]

    assert (own.code, own.err) == (0, "")
    assert own.out.splitlines()[0].split() == [
        *("category", "name", "priority", "extra", "installed", "capabilities", "verified"),
    ]
    assert next(row for row in named if row["name"] == "valkey") == {
        "category": "cache",
        "name": "valkey",
        "priority": 0,
        "extra": "valkey",
        "installed": False,
        "capabilities": [],
        "verified": "none",
        "path": "counter_valkey:ValkeyCache",
    }


def test_the_catalog_reads_as_its_golden(oneiric: Run) -> None:
    """Plain columns that no terminal width breaks."""
    check_golden("cli/adapters.txt", steady(oneiric(*COUNTER, "adapters").out))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(Refused("the shop is closed"), 2, id="refused before anything was opened"),
        pytest.param(Unavailable("connection refused"), 1, id="an adapter failed"),
        pytest.param(ExceptionGroup("stop", [ValueError("hunter2")]), 1, id="several, none of ours"),
    ],
)
def test_the_kind_of_an_error_decides_the_exit_code(error: Exception, code: int) -> None:
    """2 means that nothing was opened, 1 that something was tried; a foreign text is never shown."""
    reply = failed(error)

    assert reply.code == code
    assert "hunter2" not in f"{reply.fields()} {reply.text()} {reply.notices}"
