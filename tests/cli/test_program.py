"""Refusals: every bad input ends in one block or one object, the right exit code, and no traceback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from oneiric.cli.program import wants_json
from tests.cli.conftest import Run
from tests.support.command import APPS, LIMIT_S, of_app, run_process, start_process, steady, until
from tests.support.golden import check_golden

COUNTER = of_app("counter_shop")
HERE = ("--app-dir", str(APPS))
SECRET = "hunter2-and-far-too-long-for-this-field"

REFUSED = [
    pytest.param("unknown-slot", ("explain", "chache", *COUNTER), {}, id="unknown slot"),
    pytest.param("unknown-key", ("explain", "cache.memory.max_itms", *COUNTER), {}, id="unknown key"),
    pytest.param("unknown-profile", ("check", "--profile", "serverles", *COUNTER), {}, id="unknown profile by flag"),
    pytest.param("unknown-profile", ("check", *COUNTER), {"ONEIRIC_PROFILE": "prod"}, id="unknown profile by env"),
    pytest.param("app-not-importable", ("check", "--app", "counter_shop", *HERE), {}, id="reference without colon"),
    pytest.param("app-not-importable", ("check", "--app", "no_shop:app", *HERE), {}, id="reference to no module"),
    pytest.param("app-not-importable", ("check", "--app", "raising_shop:app", *HERE), {}, id="module that raises"),
    pytest.param("app-not-importable", ("check", "--app", "leaving_shop:app", *HERE), {}, id="module that exits"),
    pytest.param("app-not-importable", ("check", "--app", "counter_shop:shop", *HERE), {}, id="no such attribute"),
    pytest.param("app-not-importable", ("check", "--app", "counter_shop:__name__", *HERE), {}, id="no Application"),
    pytest.param("app-not-importable", ("check",), {}, id="no reference at all"),
    pytest.param("config-not-found", ("check", "--config", "none.toml", *COUNTER), {}, id="missing config file"),
    pytest.param("config-not-found", ("check", *COUNTER), {"ONEIRIC_ENV_FILE": "none.env"}, id="missing env file"),
    pytest.param("config-not-found", ("check", "--config", "broken.toml", *COUNTER), {}, id="broken TOML"),
    pytest.param("invalid-value", ("check", "--select", "cache", *COUNTER), {}, id="flag without equals sign"),
    pytest.param("invalid-port", ("orchestrate", "--port", "eighty", *COUNTER), {}, id="port that is no number"),
    pytest.param("bad-option", ("graph", "--format", "pdf", *COUNTER), {}, id="unknown format"),
    pytest.param("bad-option", ("check", "--strickt", *COUNTER), {}, id="unknown option"),
    pytest.param("bad-option", ("chekc", *COUNTER), {}, id="unknown command"),
    pytest.param("bad-option", ("explain", *COUNTER), {}, id="missing argument"),
    pytest.param("bad-option", ("--profile", "test"), {}, id="options without a command"),
]


@pytest.fixture(autouse=True)
def broken_file(folder: Path) -> None:
    """A file that is no TOML."""
    (folder / "broken.toml").write_text('[select\ncache = "memory"\n', "utf-8")


@pytest.mark.parametrize(("code", "arguments", "environment"), REFUSED)
def test_a_refusal_is_one_block_on_standard_error(
    oneiric: Run, request: pytest.FixtureRequest, code: str, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    """The exit code is 2, standard output stays empty, and the block reads as its golden."""
    done = oneiric(*arguments, **environment)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error[{code}] ")
    assert "  fix: " in done.err
    assert "Traceback" not in done.err
    if code != "bad-option":  # those texts are Typer's own
        check_golden(f"cli/refused/{request.node.callspec.id.replace(' ', '-')}.txt", steady(done.err))


@pytest.mark.parametrize(("code", "arguments", "environment"), REFUSED)
def test_a_refusal_is_one_object_with_json(
    oneiric: Run, code: str, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    """A program reads code, message, path, origin and fixes from standard output; nothing else is written."""
    done = oneiric(*arguments, "--json", **environment)

    assert (done.code, done.err) == (2, "")
    assert list(done.answer) == ["schema", "kind", "code", "message", "path", "origin", "fixes"]
    assert (done.answer["schema"], done.answer["kind"], done.answer["code"]) == (1, "error", code)


CHOICES = [
    pytest.param("selection-unknown", {"ONEIRIC_SELECT__CACHE": "reddis"}, id="unknown adapter"),
    pytest.param("selection-not-installed", {"ONEIRIC_SELECT__CACHE": "valkey"}, id="missing extra"),
    pytest.param("invalid-value", {"ONEIRIC_CACHE__GUARDED__TRIES": "0"}, id="setting out of range"),
    pytest.param("invalid-value", {"ONEIRIC_CACHE__GUARDED__PASSWORD": SECRET}, id="secret that does not fit"),
]


@pytest.mark.parametrize(("code", "environment"), CHOICES)
@pytest.mark.parametrize("name", ["check", "explain"])
def test_a_choice_or_a_setting_that_cannot_be_fails_with_its_block(
    oneiric: Run, folder: Path, request: pytest.FixtureRequest, name: str, code: str, environment: dict[str, str]
) -> None:
    """`check` and `explain` show the fault with its origin and exit with 1; a secret value is shown by nobody."""
    (folder / "oneiric.toml").write_text('[select]\ncache = "guarded"\n', "utf-8")

    done = oneiric(name, *(["cache"] if name == "explain" else []), *COUNTER, **environment)

    assert done.code == 1
    assert f"error[{code}] " in (done.err if name == "check" else done.out)
    assert next(iter(environment)) in done.out + done.err
    assert SECRET not in done.out + done.err
    case = request.node.callspec.id.replace(" ", "-")
    check_golden(f"cli/failed/{case}.txt", steady(done.out + done.err))


@pytest.mark.parametrize(("code", "environment"), CHOICES)
def test_orchestrate_refuses_what_check_finds_before_it_opens_anything(
    oneiric: Run, folder: Path, code: str, environment: dict[str, str]
) -> None:
    """The same block, exit code 2, and all faults in the object of `--json`."""
    (folder / "oneiric.toml").write_text('[select]\ncache = "guarded"\n', "utf-8")

    text = oneiric("orchestrate", "--port", "0", *COUNTER, **environment)
    done = oneiric("orchestrate", "--port", "0", "--json", *COUNTER, **environment)

    assert (text.code, text.out, done.code) == (2, "", 2)
    assert f"error[{code}] " in text.err
    assert (done.answer["kind"], done.answer["code"]) == ("error", "invalid-application")
    assert [fault["code"] for fault in done.answer["faults"]] == [code]
    assert SECRET not in text.err + done.out + done.err


def test_a_refused_choice_says_what_lower_layers_would_have_given(oneiric: Run, folder: Path) -> None:
    """A named choice never falls through, and the reader sees what it hides."""
    (folder / "oneiric.toml").write_text('[select]\ncache = "guarded"\n', "utf-8")

    done = oneiric("check", *COUNTER, ONEIRIC_SELECT__CACHE="valkey")

    note = "  lower layers would give: guarded (oneiric.toml:2); not used, a named choice never falls through\n"
    assert note in done.err


def test_a_traceback_is_shown_only_with_debug(oneiric: Run) -> None:
    """The error of the user's own module is told in one line, and in full for who asks."""
    arguments = ("check", "--app", "raising_shop:app", *HERE)

    plain, debug = oneiric(*arguments), oneiric("--debug", *arguments)

    assert "RuntimeError: the till is locked" in plain.err
    assert "Traceback" not in plain.err
    assert 'raise RuntimeError("the till is locked")' in debug.err
    assert (plain.code, debug.code) == (2, 2)


def test_an_error_that_is_none_of_ours_exits_with_1_and_hides_its_text(oneiric: Run, folder: Path) -> None:
    """Somebody else's exception may hold anything: its type is told, its text only with `--debug`."""
    (folder / "odd_shop.py").write_text(
        "from oneiric import Application\n"
        "class Odd(Application):\n"
        "    def explain(self, name):\n"
        "        raise LookupError('hunter2')\n"
        "app = Odd('odd')\n",
        "utf-8",
    )

    done = oneiric("explain", "cache", "--app", "odd_shop:app")

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error[oneiric-error] LookupError was raised at odd_shop:4\n"
        "  fix: run it again with --debug for the traceback\n"
    )


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        pytest.param(["check", "--json"], True, id="flag after"),
        pytest.param(["--json", "check"], True, id="flag before"),
        pytest.param(["graph", "--format", "json"], True, id="format"),
        pytest.param(["graph", "--format=json"], True, id="format with equals sign"),
        pytest.param(["graph", "--format", "dot"], False, id="another format"),
        pytest.param(["explain", "json"], False, id="a slot of that name"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_json_is_seen_in_the_bare_arguments(arguments: list[str], answer: bool) -> None:
    """It counts also where the rest of the line cannot be parsed."""
    assert wants_json(arguments) is answer


def test_without_arguments_the_help_is_shown(oneiric: Run) -> None:
    """Whoever types the name alone learns the commands."""
    done = oneiric()

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: oneiric [OPTIONS] COMMAND [ARGS]...")


@pytest.mark.parametrize("module", ["oneiric.cli", "oneiric"])
def test_the_program_runs_as_a_module(folder: Path, module: str) -> None:
    """`python -m oneiric` and `python -m oneiric.cli` are the same program, with its exit codes."""
    done = run_process("version", "--json", folder=folder, module=module)
    refused = run_process("versoin", folder=folder, module=module)

    assert (done.code, done.err, done.answer["kind"]) == (0, "", "version")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("error[bad-option] oneiric: No such command 'versoin'.")


def test_a_port_that_is_taken_is_refused_before_anything_is_opened(folder: Path) -> None:
    """Exit code 2, with address and remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_process("orchestrate", *COUNTER, "--port", str(port), "--json", folder=folder)

    assert (done.code, done.answer["code"]) == (2, "port-in-use")
    assert f"127.0.0.1:{port}" in done.answer["message"]


def test_orchestrate_runs_until_it_is_told_to_stop(folder: Path) -> None:
    """SIGTERM ends it with 0; the log goes to standard error, and the answer is the one object."""
    with start_process("orchestrate", "--no-web", *COUNTER, "--json", folder=folder) as process:
        log = until(process, "application started")
        process.terminate()
        out, rest = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 0
    assert json.loads(out) == {"schema": 1, "kind": "orchestrate", "app": "counter", "profile": "default", "code": 0}
    assert "application stopped" in log + rest


def test_a_reader_that_goes_away_gets_no_traceback(folder: Path) -> None:
    """`oneiric graph | head -1` ends in silence."""
    with start_process("graph", *COUNTER, folder=folder) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()

    assert (process.returncode, said) == (1, "")


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_swallows_what_is_written(folder: Path, closed: str) -> None:
    """A daemon starts like that; the exit code still says what became of the command."""
    program = (
        f"{sys.executable} -m oneiric.cli version {closed}; echo $?; {sys.executable} -m oneiric.cli versoin {closed}"
    )

    done = subprocess.run(
        ["sh", "-c", program], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )

    assert "0\n" in done.stdout
    assert (done.returncode, "AttributeError" in done.stderr) == (2, False)


def test_an_answer_that_cannot_be_written_gets_no_traceback(folder: Path) -> None:
    """The disk is full: the exit code tells it, with `--json` too."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "oneiric.cli", "version", "--json"],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=LIMIT_S,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("explain", "a\nerror[forged] b"), id="argument"),
        pytest.param(("check", "--select", "a\nerror[forged] b=memory"), id="slot of a flag"),
        pytest.param(("explain", "cache", "--select", "cache=a\nerror[forged] b"), id="adapter of a flag"),
        pytest.param(("check", "--set", "a\nwarning[forged] b=1"), id="key of a flag"),
        pytest.param(("check", "--app", "a\nerror[forged] b:app"), id="application"),
    ],
)
def test_a_name_forges_no_line(oneiric: Run, arguments: tuple[str, ...]) -> None:
    """A line break inside a name is shown as a question mark, wherever the name stands."""
    done = oneiric(*arguments, *(COUNTER if "--app" not in arguments else ()))

    assert "[forged]" in done.out + done.err
    assert not [
        line for line in (done.out + done.err).splitlines() if line.startswith(("error[forged", "warning[forged"))
    ]


def test_a_working_directory_that_is_gone_is_refused(oneiric: Run, folder: Path) -> None:
    """A shell may stand in a folder that somebody removed."""
    (folder / "gone").mkdir()
    os.chdir(folder / "gone")
    (folder / "gone").rmdir()

    done = oneiric("check", "--app", "shop:app")

    assert done.code == 2
    assert done.err == (
        'error[app-not-importable] cannot load "shop:app": the working directory does not exist any more\n'
        "  fix: go to another folder\n"
    )


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        pytest.param("ONEIRIC_PROFLE", "did you mean ONEIRIC_PROFILE?", id="a variable that is no setting"),
        pytest.param("ONEIRIC_WEB__PORTT", "did you mean ONEIRIC_WEB__PORT or ONEIRIC_WEB__HOST?", id="a setting"),
        pytest.param(
            "ONEIRIC_SELCT__CACHE",
            "did you mean ONEIRIC_SELECT__CACHE or ONEIRIC_SELECT__CACHE__SESSIONS or ONEIRIC_SELECT__PRICES?",
            id="a choice",
        ),
        pytest.param("ONEIRIC_QQQQ", "oneiric explain SLOT lists what a slot reads", id="nothing like it"),
    ],
)
def test_a_misspelt_variable_is_answered_with_the_name_to_set(oneiric: Run, name: str, fix: str) -> None:
    """The reader corrects a variable, not a key."""
    done = oneiric("check", *COUNTER, **{name: "1"})

    assert done.err.endswith(f"  fix: {fix}\n")


def test_a_host_that_cannot_be_bound_is_refused_with_who_said_it(oneiric: Run) -> None:
    """The origin leads to the variable, the file or the flag."""
    done = oneiric("orchestrate", "--port", "0", *COUNTER, ONEIRIC_WEB__HOST="300.1.1.1")

    assert done.code == 2
    assert done.err.startswith(
        'error[invalid-value] web.host: "300.1.1.1" is no address of this machine\n  origin     ONEIRIC_WEB__HOST\n'
    )


def test_what_a_module_prints_does_not_spoil_the_answer(oneiric: Run) -> None:
    """Standard output holds the one object, and nothing that the application's modules say."""
    done = oneiric("list", *of_app("talking_shop"), "--json")

    assert done.err == "the shop opens\n"
    assert json.loads(done.out)["app"] == "talking"
