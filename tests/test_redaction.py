"""Secrets: planted in every layer, told by everything that can fail, and found in nothing that anybody can read."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.canaries import CANARIES, Planted, found_in, plant, text_of
from tests.support.command import Outcome, run_process
from tests.support.program import running
from tests.support.wait import free_port

pytestmark = pytest.mark.slow
CANARY = CANARIES["env variable"].text
COMMANDS = (
    "config",
    "config --json",
    "check --debug",
    "check --json --strict",
    "list",
    "list --json",
    "explain cache",
    "explain cache --json --why-not losing --diff serverless",
    "explain cache.losing.password --json",
    "explain shop.door",
    "explain shop.door --json",
    "explain shop.url --json",
    "explain shop.doors --json",
    "explain shop.store_pin --probe",
    "graph --shadowed",
    "graph --format json",
    "graph --format dot --shadowed",
    "graph --format mermaid",
    "graph --format html --diff serverless",
    "secrets check",
    "secrets check --json",
    "secrets rotate kept till --json",
    "profiles --json",
    "adapters --json",
)
FAILING = (  # what fails, the command, its exit code, and what the person is told
    pytest.param("", "explain shop.pni --debug", 2, "unknown-key", id="unknown key"),
    pytest.param("", "check --debug --set shop.headers=no-json", 1, "invalid-value", id="invalid value"),
    pytest.param(
        "", "check --json --debug --set shop.toml_pin=secret://", 1, "invalid-secret-reference", id="reference"
    ),
    pytest.param("", "check --json --set shop.toml_pin=secret://gone", 1, "secret-not-found", id="missing secret"),
    pytest.param(
        "", "check --debug --set cache.spilling.max_items=none", 1, "invalid-value", id="settings of an adapter"
    ),
    pytest.param("", "config --json --set shop.raw=@replace", 1, "invalid-directive", id="directive"),
    pytest.param("validator", "orchestrate --no-web --debug", 1, "invalid-value", id="validator"),
    pytest.param("constructor", "orchestrate --no-web --debug", 1, "build-failed", id="constructor"),
    pytest.param("constructor", "orchestrate --no-web --json", 1, "start-failed", id="constructor as JSON"),
    pytest.param("open", "orchestrate --no-web --debug", 1, "start-failed", id="open"),
    pytest.param("timeout", "orchestrate --no-web --debug", 1, "did not open within", id="timeout"),
    pytest.param("service", "orchestrate --no-web --debug", 1, "service failed", id="service"),
)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    """One folder with a canary in every layer."""
    folder = tmp_path_factory.mktemp("planted")
    return folder, plant(folder)


def run(planted: tuple[Path, Planted], command: str, **environment: str) -> Outcome:
    """Run a command of the application whose layers hold the canaries."""
    folder, said = planted
    return run_process(*command.split(), *said.options, folder=folder, **said.environment, **environment)


@pytest.mark.parametrize("command", [pytest.param(command, id=command) for command in COMMANDS])
def test_no_command_shows_a_secret(planted: tuple[Path, Planted], command: str) -> None:
    """Whatever is asked, and in whatever form it is answered."""
    name, *options = command.split()
    plain = name in {"profiles", "adapters"}

    outcome = run(planted, command) if not plain else run_process(name, *options, folder=planted[0])

    assert outcome.code == 0, outcome.err
    assert len(outcome.out) > 20
    assert found_in(outcome.out) == []
    assert found_in(outcome.err) == []


@pytest.mark.parametrize(("fault", "command", "code", "told"), FAILING)
def test_no_failure_shows_a_secret(
    planted: tuple[Path, Planted], fault: str, command: str, code: int, told: str
) -> None:
    """Also where the application's own code, or an SDK, quotes every secret it was given in its exception."""
    outcome = run(planted, command, SPILL=fault)

    assert outcome.code == code, outcome.err
    assert told in outcome.out + outcome.err
    assert found_in(outcome.out) == []
    assert found_in(outcome.err) == []


@pytest.mark.parametrize(
    ("profile", "level"),
    [
        pytest.param("default", "DEBUG", id="text, every level"),
        pytest.param("default", "ERROR", id="errors only"),
        pytest.param("serverless", "DEBUG", id="JSON, every level"),
    ],
)
def test_a_crash_in_a_served_handler_shows_no_secret(tmp_path: Path, profile: str, level: str) -> None:
    """
    Answer, log, a sink of the application's own, standard output: the handler tells its secrets in all of them.

    It logs at every level through loguru and logging, warns, loses exceptions in a thread, a callback and a finalizer,
    and raises a group with cause and context.
    """
    said = plant(tmp_path)
    flags = ("--profile", profile, "--set", "push.auth=none", "--set", "web.host=127.0.0.1")
    own = tmp_path / "own.txt"
    event = {"specversion": "1.0", "id": "1", "source": "/t", "type": "order.created", "data": {}}
    environment = {**said.environment, "SPILL": "close", "SPILL_LOG": str(own), "ONEIRIC_LOG_LEVEL": level}

    with running(
        tmp_path,
        tmp_path,
        port=free_port(),
        arguments=("-m", "oneiric.cli", "orchestrate", *said.options, *flags),
        **environment,
    ) as program:
        program.wait_until_ready()
        answers = [program.push(event), program.get("/readyz"), program.get("/livez")]
        program.process.terminate()
        program.wait()

    assert answers[0][0] == 503
    assert found_in(json.dumps(answers)) == []
    assert found_in(own.read_text("utf-8")) == []
    assert found_in(program.text) == []
    assert "a thread ended with an exception" in program.text
    assert "handler failed" in program.text


@pytest.mark.parametrize(
    ("encode", "is_whole"),
    [
        pytest.param(str, True, id="plain"),
        pytest.param(repr, True, id="repr"),
        pytest.param(json.dumps, True, id="JSON"),
        pytest.param(quote, True, id="percent"),
        pytest.param(html.escape, True, id="HTML"),
        pytest.param(lambda text: base64.b64encode(text.encode()).decode(), True, id="base64"),
        pytest.param(
            lambda text: base64.urlsafe_b64encode(b"u:" + text.encode()).decode(), True, id="base64 of a pair"
        ),
        pytest.param(lambda text: text.encode().hex(), True, id="hex"),
        pytest.param(lambda text: text[:14], False, id="only its beginning"),
        pytest.param(lambda text: text[-14:], False, id="only its end"),
    ],
)
def test_the_search_finds_a_leak(encode: Callable[[str], str], is_whole: bool) -> None:
    """A search that finds nothing would let every other test here pass."""
    said = f'{{"noise": "xyz{encode(CANARY)}"}} and more' if is_whole else f"noise {encode(CANARY)}..."

    assert found_in(said) == ["env variable"]


def test_a_leak_of_a_command_is_seen(planted: tuple[Path, Planted]) -> None:
    """A secret in a field that nothing calls one is shown, and the search over the answer sees it."""
    outcome = run(planted, f"explain shop.door.name --set shop.door.name={quote(text_of('no layer'))}")

    assert found_in(outcome.out) == ["no layer"]
