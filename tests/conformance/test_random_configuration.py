"""Environments and files drawn at random: they end in a result or in a listed error, which explain tells alike."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from oneiric import Application
from oneiric.core.errors import OneiricError
from oneiric.runtime.configuration import Inputs
from oneiric.testing.fake_secrets import FakeSecrets

CODES = {
    "ambiguous-slot", "bootstrap-cycle", "config-not-found", "duplicate-env", "invalid-directive",
    "invalid-secret-reference", "invalid-value", "missing-required", "plaintext-secret", "secret-field-not-found",
    "secret-not-found", "secret-unavailable", "selection-denied-by-profile", "selection-not-installed",
    "selection-unknown", "unknown-key", "unknown-profile", "unknown-slot",
}  # fmt: skip
EXAMPLES = 60


class Orders(BaseModel):
    """A section of an application, with a setting of every kind."""

    host: str = "localhost"
    port: int = 1
    tls: bool = False
    tags: list[str] = ["a"]
    options: dict[str, Any] = {}
    password: SecretStr | None = None
    region: str = "eu"


KEYS = [f"orders.{name}" for name in Orders.model_fields]
PARTS = ["orders", "cache", "memory", "redis", "select", "secrets", "host", "port", "tags", "options", "password", "x"]
TEXTS = [
    "",
    "1",
    "yes",
    "[1]",
    '["a"]',
    '{"a": 1}',
    "@unset",
    "@empty",
    "@@x",
    '@append:["b"]',
    "@x",
    "memory",
    "redis",
]
TEXTS += [
    "secret://",
    "secret://held",
    "secret://held#a",
    "secret://none?optional",
    "secret://none",
    "\u20ac\n",
    "[" * 9,
]

variables = st.dictionaries(
    st.one_of(
        st.sampled_from(KEYS).map(lambda key: "ONEIRIC_" + key.replace(".", "__").upper()),
        st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map(lambda parts: "ONEIRIC_" + "__".join(parts)),
        st.sampled_from(["ONEIRIC_SELECT__CACHE", "ONEIRIC_PROFILE", "oneiric_profile", "ONEIRIC_", "ONEIRIC___"]),
    ),
    st.sampled_from(TEXTS) | st.text(max_size=4).filter(lambda text: "\0" not in text),
    max_size=5,
)
values = st.recursive(
    st.booleans() | st.integers(-1, 9) | st.sampled_from(TEXTS),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b.c", "$append", "$unset", "$replace", "$x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
tables = st.fixed_dictionaries(
    {},
    optional={
        "profile": st.sampled_from(["default", "serverless", "systemd", "test", "nowhere"]) | values,
        "select": st.dictionaries(st.sampled_from(["cache", "x", "secrets"]), values, max_size=2) | values,
        "settings": st.dictionaries(
            st.sampled_from(["orders", "cache", "cache.memory", "secrets", "x"]),
            st.dictionaries(st.sampled_from(PARTS), values, max_size=3) | values,
            max_size=2,
        ),
        "deny": st.dictionaries(st.sampled_from(["cache", "x"]), values, max_size=1),
        "profiles": st.dictionaries(st.sampled_from(["mine", "test"]), values, max_size=1),
    },
)


def toml(table: dict[str, Any]) -> str:
    """Return a table as TOML, every part of it on one line."""
    return "".join(f"{json.dumps(name)} = {inline(value)}\n" for name, value in table.items())


def inline(value: Any) -> str:
    """Return a value as TOML has it on one line; its strings are those of JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {inline(part)}" for name, part in value.items()) + "}"
    return f"[{', '.join(map(inline, value))}]" if isinstance(value, list) else json.dumps(value)


def questions(app: Application) -> Iterator[tuple[str, Any]]:
    """Yield what can be explained and used alike: the name, and the question that uses it."""
    yield "cache", lambda: app.settings_of("cache")
    for key in KEYS:
        yield key, lambda key=key: app.setting(key)


def application(environ: dict[str, str], file: str, folder: Path) -> Application:
    """Return an application with this configuration and a store that holds one secret."""
    (folder / "oneiric.toml").write_text(file, "utf-8")
    app = Application("random", inputs=Inputs(environ=environ, folder=folder))
    app.declare_section("orders", Orders)
    app.override({"secrets": FakeSecrets({"held": '{"a": "1"}', "orders-password": "p"})})
    return app


@settings(max_examples=EXAMPLES)
@given(variables, tables)
@example({}, {"settings": {"orders": {"port": [], "host": []}}}).via("two faults hid each other")
@example({"ONEIRIC_ORDERS__TAGS": "[1]"}, {}).via("a fault inside a list was not explained")
def test_any_configuration_ends_in_a_result_or_in_a_listed_error(
    environ: dict[str, str], table: dict[str, Any]
) -> None:
    """And what explain says is what happens: the same error word for word, or none and a value."""
    with tempfile.TemporaryDirectory() as folder:
        app = application(environ, toml(table), Path(folder))
        try:
            app.configure()
        except OneiricError as error:
            assert error.code in CODES  # noqa: PT017  # most configurations raise nothing
            return

        told = []
        for name, use in questions(app):
            raised = problem_of(use)  # first: explain fetches no secret, and a wrong one may be found out by its value
            explained = app.explain(name).error
            assert explained == raised
            assert raised is None or raised.code in CODES
            told += [explained] if name in KEYS and explained is not None else []
        refused = problem_of(lambda: app.section("orders"))
        assert (refused in told) if told else (refused is None)
        assert {fault.code for fault in app.faults()[0]} <= CODES


def problem_of(use: Any) -> Any:
    """Return the problem that a question raises; None if it has an answer."""
    try:
        use()
    except OneiricError as error:
        return error.problem
    return None


@settings(max_examples=EXAMPLES)
@given(st.text(max_size=60) | st.lists(st.sampled_from("[]{}=\"'.#\n select cache true 1"), max_size=40).map("".join))
def test_any_text_in_the_file_ends_in_a_result_or_in_a_listed_error(text: str) -> None:
    """A file that somebody broke by hand is told with its name."""
    with tempfile.TemporaryDirectory() as folder:
        app = application({}, text.encode("utf-8", "replace").decode(), Path(folder))

        found = problem_of(app.configure)

    assert found is None or found.code in CODES
