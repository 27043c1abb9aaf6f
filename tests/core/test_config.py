"""The evaluator: which value a setting has; a plain case takes a short way to the same answer."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from oneiric.core.config import evaluate
from oneiric.core.deciding import decide
from oneiric.core.secrets import SecretRules
from oneiric.core.values import MISSING, Field
from oneiric.core.words import Speaker
from tests.core.sayings import STORE, became, field, held, layer, words

KEY = "cache.redis"


class Settings(BaseModel):
    """Settings of every kind."""

    host: str = "localhost"
    port: int = 1
    tls: bool = False
    tags: list[str] = ["a"]
    options: dict[str, Any] = {}
    password: SecretStr | None = None
    token: SecretStr = SecretStr("secret://cache-token")
    region: str


CASES: list[Any] = [
    pytest.param("host", [], "localhost", False, id="the default where nobody speaks"),
    pytest.param("region", [], MISSING, True, id="nothing where the code has no default"),
    pytest.param("host", [layer("profile", {"cache.redis.host": "p"})], "p", True, id="one layer"),
    pytest.param(
        "host",
        [layer("profile", {"cache.redis.host": "p"}), layer("env", {"cache.redis.host": "e"})],
        "e",
        True,
        id="the highest of two",
    ),
    pytest.param("port", [layer("profile", {"cache.redis.port": 0})], 0, True, id="zero is a value"),
    pytest.param("tls", [layer("profile", {"cache.redis.tls": False})], False, True, id="false is a value"),
    pytest.param("host", [layer("profile", {"cache.redis.host": ""})], "", True, id="the empty text of a file"),
    pytest.param(
        "tags",
        [layer("profile", {"cache.redis.tags": ["b"]}), layer("env", {"cache.redis.tags": '["c"]'})],
        ["c"],
        True,
        id="a list replaces a list",
    ),
    pytest.param(
        "options", [layer("profile", {"cache.redis.options": {"a": 1}})], {"a": 1}, True, id="a map of one layer"
    ),
    pytest.param(
        "options",
        [layer("profile", {"cache.redis.options": {"a": None}})],
        {"a": None},
        True,
        id="null inside a map is a value",
    ),
    pytest.param(
        "password", [layer("manifest", {"cache.redis.password": None})], None, True, id="null is a value, not nothing"
    ),
    pytest.param(
        "port", [layer("env", {"cache.redis.ports": "2"})], 1, False, id="another key with the same beginning"
    ),
]


@pytest.mark.parametrize(("name", "layers", "value", "is_said"), CASES)
def test_the_value_of_a_setting(name: str, layers: list[Speaker], value: object, is_said: bool) -> None:
    """The highest layer that says anything; the default of the code below all of them."""
    found = evaluate(field(Settings, f"{KEY}.{name}"), words(*layers))

    assert found.value == value
    assert found.is_said is is_said


@pytest.mark.parametrize(("name", "layers", "value", "is_said"), CASES)
def test_the_short_way_gives_what_the_full_one_gives(
    name: str, layers: list[Speaker], value: object, is_said: bool
) -> None:
    """The shares are found later, by the function that decides, and agree with the value that was used."""
    setting, said = field(Settings, f"{KEY}.{name}"), words(*layers)

    found = evaluate(setting, said)
    decision = decide(setting, said, SecretRules())

    assert found.value == decision.value == value
    assert found.shares == decision.shares
    assert (found.error is None) == (decision.error is None)


def test_the_shares_are_found_once() -> None:
    """A second question gets the same answer."""
    found = evaluate(field(Settings, f"{KEY}.host"), words(layer("profile", {"cache.redis.host": "p"})))

    assert found.shares is found.shares
    assert found.winner is not None
    assert found.winner.layer == "profile"


@pytest.mark.parametrize(
    ("setting", "layers", "rules"),
    [
        pytest.param(field(Settings, f"{KEY}.token"), [], held({}), id="a reference in a default of the code"),
        pytest.param(
            Field(f"{KEY}.hosts", list[str], default=["a", "secret://b"]), [], held({}), id="one inside a list there"
        ),
        pytest.param(
            field(Settings, f"{KEY}.host"),
            [layer("env", {"cache.redis.host": "secret://x"})],
            held({}),
            id="a variable",
        ),
        pytest.param(
            field(Settings, f"{KEY}.host"),
            [layer("profile", {"cache.redis.host": "secret://x"})],
            held({}),
            id="a file",
        ),
    ],
)
def test_a_reference_never_takes_the_short_way(setting: Field, layers: list[Speaker], rules: SecretRules) -> None:
    """Its text would else be used as the value."""
    found = evaluate(setting, words(*layers), rules)

    assert found.value is MISSING
    assert found.error is not None
    assert found.error.code == "secret-not-found"


def test_a_bound_key_never_takes_the_short_way() -> None:
    """The secrets layer answers for it, as for a typed secret."""
    rules = held({"dsn-host": b"10.0.0.1"}, bindings={"cache.redis.host": "dsn-host"})

    found = evaluate(field(Settings, f"{KEY}.host"), words(layer("env", {"cache.redis.host": "e"}), STORE), rules)

    assert found.winner is not None
    assert (found.winner.layer, found.winner.redacted, found.winner.secret) == ("secrets", True, "dsn-host")


def test_a_remote_manifest_never_takes_the_short_way() -> None:
    """What it may not set is not heard, and the layer below answers."""
    setting = Field("logging.level", str, default="INFO")
    manifest = layer("manifest", {"logging.level": "DEBUG"}, trust="remote")

    found = evaluate(setting, words(layer("profile", {"logging.level": "WARNING"}), manifest))

    assert found.value == "WARNING"
    assert became(found.shares) == [
        ("manifest", "ineligible", "protected-key"),
        ("profile", "winner", None),
        ("code", "shadowed", "lower-layer"),
    ]


def test_only_words_that_count_make_a_setting_said() -> None:
    """A variable that is empty changes nothing, and the setting is the code's own."""
    found = evaluate(field(Settings, f"{KEY}.host"), words(layer("env", {"cache.redis.host": ""})))

    assert (found.value, found.is_said) == ("localhost", False)


def test_a_value_shows_its_key_and_not_itself() -> None:
    """It may be a secret, and a debugger prints what it holds."""
    found = evaluate(field(Settings, f"{KEY}.password"), words(layer("env", {"cache.redis.password": "hunter2"})))

    assert "hunter2" not in f"{found!r} {found.shares!r}"
    assert "cache.redis.password" in repr(found)
