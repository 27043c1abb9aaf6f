"""Every pair of layers in every profile that is built in: who wins, for a choice, a plain value and a secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oneiric import Application
from oneiric.containers.layers import LayerContainer
from tests.conformance.cases import Case, build
from tests.conformance.test_precedence import opened

# Both layers of a row speak, and below them always the code. The secrets layer never chooses an adapter, and answers
# for no plain value; in profile test, env and secrets do not speak.
WINNERS = """
two layers speak   | default                     | serverless                  | systemd                     | test
                   | choice   value    secret    | choice   value    secret    | choice   value    secret    | choice   value    secret
code     profile   | profile  profile  profile   | profile  profile  profile   | profile  profile  profile   | profile  profile  profile
code     secrets   | code     code     secrets   | code     code     secrets   | code     code     secrets   | code     code     code
code     manifest  | manifest manifest manifest  | manifest manifest manifest  | manifest manifest manifest  | manifest manifest manifest
code     env       | env      env      env       | env      env      env       | env      env      env       | code     code     code
code     explicit  | explicit explicit explicit  | explicit explicit explicit  | explicit explicit explicit  | explicit explicit explicit
profile  secrets   | profile  profile  secrets   | profile  profile  secrets   | profile  profile  secrets   | profile  profile  profile
profile  manifest  | manifest manifest manifest  | manifest manifest manifest  | manifest manifest manifest  | manifest manifest manifest
profile  env       | env      env      env       | env      env      env       | env      env      env       | profile  profile  profile
profile  explicit  | explicit explicit explicit  | explicit explicit explicit  | explicit explicit explicit  | explicit explicit explicit
secrets  manifest  | manifest manifest manifest  | manifest manifest secrets   | manifest manifest secrets   | manifest manifest manifest
secrets  env       | env      env      env       | env      env      secrets   | env      env      secrets   | code     code     code
secrets  explicit  | explicit explicit explicit  | explicit explicit explicit  | explicit explicit explicit  | explicit explicit explicit
manifest env       | env      env      env       | env      env      env       | env      env      env       | manifest manifest manifest
manifest explicit  | explicit explicit explicit  | explicit explicit explicit  | explicit explicit explicit  | explicit explicit explicit
env      explicit  | explicit explicit explicit  | explicit explicit explicit  | explicit explicit explicit  | explicit explicit explicit
"""  # noqa: E501  # one row for each pair
PROFILES = ("default", "serverless", "systemd", "test")
QUESTIONS = {"choice": "cache", "value": "orders.host", "secret": "orders.password"}
LAYERS = ("code", "profile", "secrets", "manifest", "env", "explicit")
FIELDS = {
    "orders.host": {"type": "str", "default": "of-code"},
    "orders.password": {"type": "str", "default": "of-code", "secret": True},
}
REGISTRY = {"cache": [{"name": f"of-{layer}", "priority": 9 if layer == "code" else 0} for layer in LAYERS]}
IN_ORDER = ["default", "serverless", "systemd"]  # the profiles in which every layer speaks


def rows() -> Iterator[Any]:
    """Yield an item for each pair, profile and question, named by all of them."""
    for line in WINNERS.strip().splitlines()[2:]:
        layers, *cells = line.split("|")
        for profile, cell in zip(PROFILES, cells, strict=True):
            for question, winner in zip(QUESTIONS, cell.split(), strict=True):
                pair = tuple(layers.split())
                yield pytest.param(pair, profile, question, winner, id=f"{'-'.join(pair)}-{profile}-{question}")


def body(layer: str) -> dict[str, Any]:
    """Return what a layer says about everything; the manifest has its secret by reference, as it should."""
    if layer == "env":
        return {
            "ONEIRIC_SELECT__CACHE": "of-env",
            "ONEIRIC_ORDERS__HOST": "of-env",
            "ONEIRIC_ORDERS__PASSWORD": "of-env",
        }
    password = "secret://of-manifest" if layer == "manifest" else f"of-{layer}"
    return {"select": {"cache": f"of-{layer}"}, "settings": {"orders.host": f"of-{layer}", "orders.password": password}}


def application(layers: tuple[str, ...], profile: str, folder: Path) -> Application:
    """Return an application in which these layers speak."""
    store = {"of-manifest": "of-manifest"}
    if "secrets" in layers:
        store |= {"orders-host": "of-secrets", "orders-password": "of-secrets"}
    bodies: dict[str, Any] = {"secrets": {"store": store}}
    bodies |= {layer: body(layer) for layer in layers if layer not in {"code", "secrets"}}
    case = Case({"profile": profile, "layers": bodies, "query": {}}, FIELDS, REGISTRY)
    app = build(case, folder)
    if "secrets" in layers:
        app.override(LayerContainer("secrets", {"cache": "of-secrets"}))
    return app


@pytest.mark.parametrize(("layers", "profile", "question", "winner"), list(rows()))
def test_the_winner_of_two_layers(
    layers: tuple[str, str], profile: str, question: str, winner: str, tmp_path: Path
) -> None:
    """Explain names the layer, and what the application uses is what that layer said."""
    app = application(layers, profile, tmp_path)
    name = QUESTIONS[question]

    used = app.explain(name).winner.value if question == "choice" else opened(app.setting(name))  # type: ignore[union-attr]

    explained = app.explain(name)
    assert explained.error is None
    assert explained.winner is not None
    assert (explained.winner.layer, used) == (winner, f"of-{winner}")


@pytest.mark.parametrize(
    ("question", "profiles", "secrets", "env", "code"),
    [
        pytest.param("choice", IN_ORDER, "secrets-cannot-select", "lower-layer", "lower-priority", id="choice"),
        pytest.param("value", IN_ORDER, "absent", "lower-layer", "lower-layer", id="value"),
        pytest.param("secret", IN_ORDER, "lower-layer", "lower-layer", "lower-layer", id="secret"),
        pytest.param("choice", ["test"], "layer-disabled", "layer-disabled", "lower-priority", id="choice in test"),
        pytest.param("value", ["test"], None, "layer-disabled", "lower-layer", id="value in test"),
        pytest.param("secret", ["test"], "layer-disabled", "layer-disabled", "lower-layer", id="secret in test"),
    ],
)
def test_every_other_layer_says_why_it_lost(
    question: str, profiles: list[str], secrets: str | None, env: str, code: str, tmp_path: Path
) -> None:
    """
    Under an explicit word all others are below, except those that have no say at all.

    A layer that is not in the order is listed where it has something to say.
    """
    for profile in profiles:
        app = application(LAYERS, profile, tmp_path)

        found = {one.layer: one.reason for one in app.explain(QUESTIONS[question]).candidates}

        assert found.pop("secrets", None) == secrets
        assert found == {
            "explicit": None,
            "env": env,
            "manifest": "lower-layer",
            "profile": "lower-layer",
            "code": code,
        }


@pytest.mark.parametrize(
    ("profile", "outcome"),
    [
        pytest.param("default", "manifest", id="default warns"),
        pytest.param("serverless", "plaintext-secret", id="serverless"),
        pytest.param("systemd", "plaintext-secret", id="systemd"),
        pytest.param("test", "plaintext-secret", id="test"),
    ],
)
def test_a_plain_secret_in_a_manifest_wins_only_in_default(profile: str, outcome: str, tmp_path: Path) -> None:
    """Elsewhere it is an error, and no lower layer answers in its place."""
    app = application(("profile",), profile, tmp_path)
    app.override(LayerContainer("manifest", settings={"orders.password": "of-manifest"}))

    explained = app.explain("orders.password")

    won = explained.winner.layer if explained.winner is not None else None
    assert (explained.error.code if explained.error is not None else won) == outcome
    assert [warning.code for warning in explained.warnings] == (["plaintext-secret"] if profile == "default" else [])
