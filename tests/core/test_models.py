"""Settings models: their fields, built from decided values, and the faults of these."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ForwardRef

import pytest
from pydantic import BaseModel, Field, SecretBytes, SecretStr, create_model, field_validator, model_validator
from pydantic_settings import BaseSettings

from oneiric.core.aliases import is_renaming
from oneiric.core.config import evaluate
from oneiric.core.errors import InvalidValue, OneiricError, SecretUnavailable
from oneiric.core.markers import Protected, Public
from oneiric.core.models import FieldOrigin, fields_of, validated, warnings_of
from oneiric.core.models import faults_of as found_faults_of
from oneiric.core.secrets import Finding
from oneiric.core.values import MISSING, Value
from oneiric.core.words import Speaker
from tests.core.sayings import STORE, field, held, layer, words


class Inner(BaseModel):
    """A part of the settings with parts of its own."""

    attempts: int = 3
    password: SecretStr | None = None
    trusted: Annotated[list[str], Protected] = []


class Settings(BaseModel):
    """Settings of every kind."""

    host: str = "localhost"
    port: int = Field(default=1, ge=1)
    tls: bool = False
    tags: list[str] = ["a"]
    inner: Inner = Inner(attempts=7)
    limit: int | None = None
    zone: str = None  # type: ignore[assignment]  # required, since its type has no None
    made: list[str] = Field(default_factory=lambda: ["x"])
    password: SecretStr | None = None
    raw: SecretBytes | None = None
    api_token: str = "t"
    key_path: Annotated[str, Public] = "/k"
    keys: list[SecretStr] = []
    pinned: Annotated[int, Protected] = 1
    maxItems: int = 1
    region: str


class Small(BaseModel):
    """Settings with a range."""

    host: str = "localhost"
    port: int = Field(default=1, ge=1)
    tags: list[str] = ["a"]
    limits: dict[str, int] = {}
    password: SecretStr | None = None


def decided(model: type[BaseModel], *layers: Speaker, **secrets: bytes | Finding) -> list[Value]:
    """Return the decided values of a model at `x`; the store holds these secrets, `x_password` for `x-password`."""
    rules = held({name.replace("_", "-"): found for name, found in secrets.items()})
    return [evaluate(one, words(*layers), rules) for one in fields_of(model, "x")]


def faults_of(model: type[BaseModel], values: list[Value]) -> list[tuple[str, str, str]]:
    """Return of each fault the code, the key and the origin."""
    return sorted((one.code, getattr(one, "key", ""), str(one.origin)) for one in found_faults_of(model, values))


@pytest.mark.parametrize(
    ("name", "default", "required"),
    [
        pytest.param("host", "localhost", False, id="a default"),
        pytest.param("made", ["x"], False, id="a default that is made"),
        pytest.param("limit", None, False, id="None where the type has it"),
        pytest.param("zone", None, True, id="None where the type has none"),
        pytest.param("region", MISSING, True, id="no default"),
    ],
)
def test_a_field_is_required_if_the_code_has_no_value_for_it(name: str, default: object, required: bool) -> None:
    """None counts as a value only where the type says so."""
    found = field(Settings, f"x.{name}")

    assert (found.default, found.required) == (default, required)


@pytest.mark.parametrize(
    ("name", "secret", "sealed"),
    [
        pytest.param("host", False, (), id="an ordinary one"),
        pytest.param("password", True, ((),), id="by type"),
        pytest.param("raw", True, ((),), id="bytes by type"),
        pytest.param("api_token", True, (), id="by name: hidden, and no secret of the store"),
        pytest.param("key_path", False, (), id="by name, and declared public"),
        pytest.param("keys", True, (), id="a list of secrets"),
        pytest.param("inner", False, (("password",),), id="one inside a model"),
    ],
)
def test_what_is_secret_is_known_from_the_declaration(
    name: str, secret: bool, sealed: tuple[tuple[str, ...], ...]
) -> None:
    """By type, or by a name that sounds so, before any value is seen."""
    found = field(Settings, f"x.{name}")

    assert (found.secret, found.sealed) == (secret, sealed)


@pytest.mark.parametrize(
    ("name", "guarded"),
    [
        pytest.param("host", (), id="an ordinary one"),
        pytest.param("pinned", ((),), id="the whole"),
        pytest.param("inner", (("trusted",),), id="a part of a model"),
    ],
)
def test_what_a_remote_manifest_may_not_set_is_declared(name: str, guarded: tuple[tuple[str, ...], ...]) -> None:
    """`Protected` on a field, also on one inside a model."""
    assert field(Settings, f"x.{name}").guarded == guarded


def test_a_key_that_variables_cannot_spell_has_a_spelling() -> None:
    """Case is lost and `_` stands for `-`; a key that needs none has none."""
    assert field(Settings, "my-app.maxItems").spelled == "my_app.maxitems"
    assert field(Settings, "x.host").spelled == ""


def test_a_type_that_is_defined_after_the_model_counts_as_soon_as_it_is_known() -> None:
    """What was found out before that is not kept."""
    unfinished = create_model("Unfinished", inner=(ForwardRef("Later"), None))
    before = [(one.sealed, is_renaming(unfinished)) for one in fields_of(unfinished, "x")]
    later = create_model("Later", password=(SecretStr, Field(SecretStr("x"), alias="PASSWORD")))
    unfinished.model_rebuild(_types_namespace={"Later": later})
    after = [(one.sealed, is_renaming(unfinished)) for one in fields_of(unfinished, "x")]

    assert before == [((), False)]
    assert after == [((("password",),), True)]


def test_fields_come_sorted_by_name() -> None:
    """Whatever order they are declared in, so that reports are stable."""
    assert [one.name for one in fields_of(Small, "x")] == ["host", "limits", "password", "port", "tags"]


def test_a_field_knows_the_line_that_declares_it() -> None:
    """The origin of a default is found in the source when it is asked for."""
    module, _, line = str(field(Settings, "x.tls").origin).partition(":")

    assert module.endswith("test_models")
    assert "tls: bool = False" in Path(__file__).read_text("utf-8").splitlines()[int(line) - 1]


def test_a_field_without_a_source_has_its_module_as_origin() -> None:
    """A class that was made at run time has no line."""
    made = type("Made", (BaseModel,), {"__annotations__": {"host": str}, "__module__": "made.somewhere"})

    assert str(FieldOrigin(made, "host")) == "made.somewhere"


def test_a_valid_model_is_built_from_what_was_decided() -> None:
    """Text from variables becomes what the model declares; what nobody says keeps its default."""
    env = layer("env", {"x.port": "12", "x.tags": '["b"]', "x.limits": '{"a": 2}', "x.password": "s"})

    made = validated(Small, decided(Small, env))

    assert (made.port, made.tags, made.limits, made.host) == (12, ["b"], {"a": 2}, "localhost")
    assert made.password.get_secret_value() == "s"


def test_a_secret_of_the_store_reaches_the_model() -> None:
    """It hides itself there as one from anywhere else does."""
    made = validated(Small, decided(Small, STORE, x_password=b"hunter2"))

    assert made.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(made)


def test_an_existing_settings_class_does_not_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own sources stay unread: values come from layers only."""

    class Existing(BaseSettings):
        host: str = "localhost"
        port: int = 1

    monkeypatch.setenv("HOST", "from-the-environment")
    monkeypatch.setenv("PORT", "99")

    made = validated(Existing, decided(Existing, layer("env", {"x.port": "2"})))

    assert (made.host, made.port) == ("localhost", 2)


def test_a_secret_that_nobody_fetched_is_an_error_when_the_model_is_built() -> None:
    """It says so, and what to do."""
    values = decided(Small, STORE, x_password=Finding("known", version="7"))

    with pytest.raises(SecretUnavailable) as raised:
        validated(Small, values)

    assert "await app.start()" in str(raised.value)


@pytest.mark.parametrize(
    ("layers", "faults"),
    [
        pytest.param([], [], id="none"),
        pytest.param(
            [layer("env", {"x.port": "0"})], [("invalid-value", "x.port", "env:x.port")], id="a number out of range"
        ),
        pytest.param(
            [layer("profile", {"x.port": 5}), layer("env", {"x.port": "canary"})],
            [("invalid-value", "x.port", "env:x.port")],
            id="a fitting one below helps nothing",
        ),
        pytest.param(
            [layer("env", {"x.port": "0", "x.tags": "canary"})],
            [("invalid-value", "x.port", "env:x.port"), ("invalid-value", "x.tags", "env:x.tags")],
            id="one of the evaluator and one of the model",
        ),
        pytest.param(
            [layer("profile", {"x.port": [], "x.host": []})],
            [("invalid-value", "x.host", "profile:x.host"), ("invalid-value", "x.port", "profile:x.port")],
            id="two of the model",
        ),
        pytest.param(
            [layer("profile", {"x.tags": ["a", 1]})],
            [("invalid-value", "x.tags.1", "profile:x.tags")],
            id="an item of a list",
        ),
        pytest.param(
            [layer("profile", {"x.limits.a": "canary"}), layer("manifest", {"x.limits.b": 1})],
            [("invalid-value", "x.limits.a", "profile:x.limits.a")],
            id="a leaf of a map keeps its own origin",
        ),
        pytest.param(
            [layer("profile", {"x.password": ["canary"]})],
            [("invalid-value", "x.password", "profile:x.password")],
            id="a secret",
        ),
    ],
)
def test_every_fault_is_found_at_once_with_key_and_origin(
    layers: list[Speaker], faults: list[tuple[str, str, str]]
) -> None:
    """A value that does not fit is told by its own place; the value itself is in no message."""
    values = decided(Small, *layers)

    assert faults_of(Small, values) == faults
    assert not any("canary" in str(fault) for fault in found_faults_of(Small, values))


def test_what_two_fields_are_in_together_is_a_fault_of_the_model() -> None:
    """It is told once neither of them is wrong by itself."""

    class Range(BaseModel):
        low: int = 1
        high: int = 2

        @model_validator(mode="after")
        def check(self) -> Range:
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    assert faults_of(Range, decided(Range, layer("env", {"x.low": "3"}))) == [
        ("invalid-value", "x.settings", "None"),
    ]
    assert faults_of(Range, decided(Range, layer("env", {"x.low": "3", "x.high": "no"}))) == [
        ("invalid-value", "x.high", "env:x.high"),
    ]


def test_a_validator_that_quotes_a_secret_gives_it_away_to_nobody() -> None:
    """Neither the one of the secret itself nor one that compares it with others."""

    class Loud(BaseModel):
        password: SecretStr = SecretStr("")
        user: str = ""

        @field_validator("password")
        @classmethod
        def check(cls, value: SecretStr) -> SecretStr:
            if len(value.get_secret_value()) > 5:
                raise ValueError(f"{value.get_secret_value()} is too long")
            return value

        @model_validator(mode="after")
        def compare(self) -> Loud:
            if self.user and self.password.get_secret_value():
                raise ValueError(f"{self.user} may not have {self.password.get_secret_value()}")
            return self

    for said in ({"x.password": "hunter2"}, {"x.password": "hunt2", "x.user": "u"}):
        faults = list(found_faults_of(Loud, decided(Loud, layer("env", said))))

        assert len(faults) == 1
        assert "hunt" not in str(faults[0])


def test_a_fault_of_a_nested_field_has_the_whole_key() -> None:
    """Down to the part, where it was said."""

    class Outer(BaseModel):
        inner: Inner = Inner()

    values = decided(Outer, layer("profile", {"x.inner.attempts": 2}), layer("env", {"x.inner.attempts": "no"}))

    assert faults_of(Outer, values) == [("invalid-value", "x.inner.attempts", "env:x.inner.attempts")]


@pytest.mark.parametrize(
    ("layers", "warned"),
    [
        pytest.param(
            [layer("profile", {"x.port": "canary"}), layer("env", {"x.port": "2"})],
            [("invalid-shadowed", "x.port", "profile:x.port")],
            id="a hidden value that does not fit",
        ),
        pytest.param([layer("profile", {"x.port": 3}), layer("env", {"x.port": "2"})], [], id="one that fits"),
        pytest.param(
            [layer("manifest", {"x.password": "canary"})],
            [("plaintext-secret", "x.password", "manifest:x.password")],
            id="a plain secret in a manifest",
        ),
        pytest.param(
            [layer("manifest", {"x.password": "canary"}), layer("env", {"x.password": "s"})], [], id="only if it wins"
        ),
    ],
)
def test_what_is_allowed_and_not_good_is_a_warning(layers: list[Speaker], warned: list[tuple[str, str, str]]) -> None:
    """With key and origin, and without the value."""
    found: list[OneiricError] = list(warnings_of(Small, decided(Small, *layers)))

    assert [(one.code, getattr(one, "key", ""), str(one.origin)) for one in found] == warned
    assert not any("canary" in str(one) for one in found)


def test_the_error_of_a_value_is_raised_when_the_model_is_built() -> None:
    """The first of them; `check` tells all."""
    values: Any = decided(Small, layer("env", {"x.port": "0"}))

    with pytest.raises(InvalidValue, match=r"x\.port"):
        validated(Small, values)
