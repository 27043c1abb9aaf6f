"""Runs files of precedence cases against the public API; `--cases FILE` names others, and may be repeated."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from oneiric import Application
from oneiric.containers.explanation import Explanation
from oneiric.core.errors import OneiricError
from tests.conformance.cases import Case, UsageError, build, layer_count, read_cases

OWN = Path(__file__).with_name("precedence-cases.yaml")
NOTHING = object()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item for each case of each file."""
    if "case" in metafunc.fixturenames:
        files = metafunc.config.getoption("cases") or [str(OWN)]
        try:
            cases = [case for file in files for case in read_cases(Path(file))]
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        metafunc.parametrize("case", [pytest.param(case, id=case.id) for case in cases])


def test_the_case_holds(case: Case, tmp_path: Path) -> None:
    """What the case expects is what explain says and what the settings are."""
    check(case, tmp_path)


def check(case: Case, folder: Path) -> None:
    """Compare a case with what the application says."""
    expect = case.expect
    found = ask(case, folder)
    if "error" in expect:
        assert found.error == expect["error"]
        return
    assert found.error is None
    assert found.explained is not None
    candidates = found.explained.candidates
    winner = found.explained.winner
    if "value" in expect:
        assert found.value == expect["value"]
    if "layer" in expect:
        assert winner is not None
        assert winner.layer == expect["layer"]
    if "redacted" in expect:
        assert winner is not None
        assert winner.redacted == expect["redacted"]
    if "shadowed" in expect:
        assert {one.layer for one in candidates if one.status == "shadowed"} == set(expect["shadowed"])
    for layer, reason in expect.get("reasons", {}).items():
        assert reason in {one.reason for one in candidates if one.layer == layer}
    assert set(expect.get("warn", ())) <= found.warnings
    if "without_winner" in expect:
        assert winner is not None
        rest = {name: body for name, body in case.layers.items() if name != winner.layer}
        compare(ask(case.changed(layers=rest), folder), expect["without_winner"])
        compare_outcome(found, {"without": winner.layer}, expect["without_winner"])
    for profile, other in expect.get("as_profile", {}).items():
        compare(ask(case.changed(profile=profile), folder), other)
        compare_outcome(found, {"profile": profile}, other)


class Found:
    """What one application says about one query."""

    def __init__(self) -> None:
        self.error: str | None = None
        self.value: Any = NOTHING
        self.explained: Explanation | None = None
        self.warnings: set[str] = set()


def compare(found: Found, expected: Mapping[str, Any]) -> None:
    """Compare layer, value or error of an answer."""
    assert found.error == expected.get("error")
    if "value" in expected:
        assert found.value == expected["value"]
    if "layer" in expected:
        assert found.explained is not None
        assert found.explained.winner is not None
        assert found.explained.winner.layer == expected["layer"]


def compare_outcome(found: Found, condition: Mapping[str, str], expected: Mapping[str, Any]) -> None:
    """Compare what the explanation says would be; an answer that would be the same is not listed."""
    assert found.explained is not None
    for item in found.explained.counterfactuals:
        if dict(item.condition) == dict(condition) and "layer" in expected:
            assert item.outcome.get("layer") == expected["layer"]


def ask(case: Case, folder: Path) -> Found:
    """Ask an application about the query of a case; an explained error is the one that is raised."""
    found = Found()
    try:
        app = build(case, folder)
    except OneiricError as error:
        found.error = error.code
        return found
    query = case.data["query"]
    name = query.get("slot") or query.get("slot_settings") or query["key"]
    raised: str | None = None
    try:
        found.value = value_of(app, query)
    except OneiricError as error:
        raised = error.code
    found.explained = explained = app.explain(name)
    found.error = explained.error.code if explained.error else None
    assert found.error == raised
    found.warnings = {warning.code for warning in (*explained.warnings, *(w.problem for w in app.faults()[1]))}
    return found


def value_of(app: Application, query: Mapping[str, Any]) -> Any:
    """Return the value of a query, with secrets opened."""
    if "key" in query:
        return opened(app.setting(query["key"]))
    if "slot_settings" in query:
        model = app.settings_of(query["slot_settings"])
        own = [name for name in type(model).model_fields if not name.endswith("_timeout_s")]
        return {name: opened(getattr(model, name)) for name in own}
    explained = app.explain(query["slot"])
    app.settings_of(query["slot"])
    return explained.winner.value if explained.winner else None


def opened(value: Any) -> Any:
    """Return a value with its secrets opened."""
    if isinstance(value, dict):
        return {name: opened(part) for name, part in value.items()}
    if isinstance(value, list):
        return [opened(part) for part in value]
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def test_two_explanations_are_equal_bytes_in_any_order_of_layers(case: Case, tmp_path: Path) -> None:
    """Only rank counts: layers may come in any order, and asking twice changes nothing."""
    query = case.data["query"]
    name = query.get("slot") or query.get("slot_settings") or query["key"]
    try:
        app = build(case, tmp_path)
    except OneiricError:
        return  # no such profile, and nothing to explain
    first = json.dumps(app.explain(name).fields())
    drawn = random.Random(7)
    positions = list(range(layer_count(case)))

    assert json.dumps(app.explain(name).fields()) == first
    for _ in range(3):
        drawn.shuffle(positions)
        assert json.dumps(build(case, tmp_path, order=positions).explain(name).fields()) == first


def test_no_secret_is_shown(case: Case, tmp_path: Path) -> None:
    """Neither the text nor the JSON of an explanation holds a value of a store or of a secret field."""
    found = ask(case, tmp_path)
    if found.explained is None:
        return
    text, document = found.explained.text(), found.explained.fields()

    for secret in secrets_of(case):
        for shown in (text, *texts(document)):
            assert not re.search(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", shown)


def secrets_of(case: Case) -> Iterator[str]:
    """Yield every value that nobody may see."""
    body = case.layers.get("secrets") or {}
    yield from (body.get("store") or {}).values()
    sealed = {key for key, said in case.fields.items() if said.get("secret")}
    for name, layer in case.layers.items():
        if name == "env":
            spelled = {f"ONEIRIC_{key.upper().replace('.', '__')}" for key in sealed}
            yield from (text for key, text in layer.items() if key in spelled and not text.startswith("secret://"))
        elif name != "secrets":
            said = (layer.get("settings") or {}).items()
            yield from (v for k, v in said if k in sealed and isinstance(v, str) and not v.startswith("secret://"))


def texts(document: Any) -> Iterator[str]:
    """Yield every text inside a JSON document."""
    if isinstance(document, dict):
        for part in document.values():
            yield from texts(part)
    elif isinstance(document, list):
        for part in document:
            yield from texts(part)
    elif isinstance(document, str):
        yield document


def test_any_changed_expectation_fails(case: Case, tmp_path: Path) -> None:
    """The runner compares everything that a case expects."""
    for expect in spoiled(case.expect):
        with pytest.raises(AssertionError):
            check(case.changed(expect=expect), tmp_path)


def spoiled(expect: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the expectations with one thing wrong."""
    wrong: dict[str, Any] = {
        "layer": "nobody",
        "value": "another",
        "error": "another-code",
        "shadowed": ["nobody"],
        "warn": ["another-code"],
    }
    for part, value in expect.items():
        changed = copy.deepcopy(dict(expect))
        if part in wrong:
            yield {**changed, part: wrong[part]}
        elif part == "redacted":
            yield {**changed, part: not value}
        elif part == "reasons":
            yield from ({**changed, part: {**value, layer: "another-code"}} for layer in value)
        elif part == "without_winner":
            yield from ({**changed, part: {**value, inner: "another"}} for inner in value)
        else:
            yield from (
                {**changed, part: {**value, profile: {**other, inner: "another"}}}
                for profile, other in value.items()
                for inner in other
            )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("schema: 2\n", id="another schema"),
        pytest.param("schema: 1\nfields: {}\nregistry: {}\ncases: []\nmore: 1\n", id="an unknown part"),
        pytest.param(
            "schema: 1\nfields: {}\nregistry: {}\ncases: [{id: X, profile: test, query: {slot: a}, expect: {}}]\n",
            id="a case that expects nothing",
        ),
        pytest.param(
            "schema: 1\nfields: {}\nregistry: {}\ncases: [{id: X, query: {slot: a}, expect: {values: 1}}]\n",
            id="an unknown expectation",
        ),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    """A part that the runner does not know is never passed over."""
    file = tmp_path / "cases.yaml"
    file.write_text(text, "utf-8")

    with pytest.raises(UsageError):
        read_cases(file)
