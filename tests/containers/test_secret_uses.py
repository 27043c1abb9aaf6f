"""Which secrets settings in use may come from, and whether they count."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, SecretStr

from oneiric.containers.container import Container
from oneiric.containers.layers import LayerContainer
from oneiric.containers.secret_uses import SecretUse, secret_uses
from oneiric.containers.validation import settings_in_use
from oneiric.testing.fake_secrets import FakeSecrets, State


class OrdersSettings(BaseModel):
    """Two settings that are typed secret, and one that is not."""

    password: SecretStr = SecretStr("")
    token: SecretStr = SecretStr("")
    host: str = "localhost"


def uses_of(
    values: dict[str, str], *, profile: str = "serverless", state: State = "ok", layer: str = "profile", **said: object
) -> list[SecretUse]:
    """Return the uses of an application whose settings say something in one layer."""
    settings = {f"orders.{name}": value for name, value in said.items()}
    container = Container(profile=profile, layers=[LayerContainer(layer, settings=settings)])
    container.declare_section("orders", OrdersSettings)
    container.override({"secrets": FakeSecrets(values, state=state)})
    decided = [value for _, _, found in settings_in_use(container) for value in found]
    return list(secret_uses(decided, container.secrets))


def test_every_secret_that_may_answer_is_named() -> None:
    """They are sorted by name, each with the settings that it may answer and what the store says."""
    uses = uses_of({"orders-token": "x"})

    assert [(use.name, use.keys, use.finding.state, use.finding.version) for use in uses] == [
        ("orders-password", ("orders.password",), "missing", None),
        ("orders-token", ("orders.token",), "known", "1"),
    ]
    assert [use.origin for use in uses] == ["orders-password", "orders-token"]


@pytest.mark.parametrize(
    ("profile", "layer", "state", "counts"),
    [
        pytest.param("serverless", "env", "ok", True, id="above env in serverless"),
        pytest.param("default", "env", "ok", False, id="under env in default"),
        pytest.param("default", "profile", "ok", True, id="above the file in default"),
        pytest.param("serverless", "explicit", "ok", False, id="under an explicit value"),
        pytest.param("serverless", "env", "denied", True, id="an outage that stops the start"),
        pytest.param("default", "profile", "denied", False, id="an outage that falls"),
    ],
)
def test_a_secret_counts_where_its_value_is_the_one(profile: str, layer: str, state: State, counts: bool) -> None:
    """It counts where it wins, or where it is why the start would fail."""
    uses = uses_of({"orders-token": "x"}, profile=profile, layer=layer, state=state, token="said", password="said")

    assert [use.counts for use in uses if use.name == "orders-token"] == [counts]


def test_one_secret_may_answer_several_settings() -> None:
    """References to one secret stand under its name, with all their keys."""
    uses = uses_of(
        {"shared": '{"p": "x", "h": "y"}'},
        profile="default",
        layer="env",
        password="secret://shared#p",
        host="secret://shared#h",
        token="plain",
    )

    assert [(use.name, use.keys) for use in uses if use.counts] == [("shared", ("orders.host", "orders.password"))]


def test_no_value_stands_in_a_use() -> None:
    """What is known of a secret is shown without it."""
    uses = uses_of({"orders-token": "canary-of-uses"})

    assert "canary-of-uses" not in repr(uses)


def test_an_application_without_secrets_uses_none() -> None:
    """Settings that are not typed secret, and refer to nothing, name no secret."""
    container = Container()
    decided = [value for _, _, found in settings_in_use(container) for value in found]

    assert list(secret_uses(decided, container.secrets)) == []
