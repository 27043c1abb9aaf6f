"""What a deployment without a server of its own changes, against a laptop: read from the data of the profiles."""

from __future__ import annotations

from dataclasses import asdict

from oneiric.core.profiles import DEFAULT, SERVERLESS


def test_serverless_differs_from_default_in_these_toggles_alone() -> None:
    """No watching, fetching, work between requests, plain secret or file of its own; and it listens to everybody."""
    laptop, deployed = asdict(DEFAULT), asdict(SERVERLESS)

    changed = {name: (laptop[name], deployed[name]) for name in laptop if laptop[name] != deployed[name]}

    assert changed == {
        "name": ("default", "serverless"),
        "order": (
            ("code", "profile", "secrets", "manifest", "env", "explicit"),
            ("code", "profile", "manifest", "env", "secrets", "explicit"),
        ),
        "watch": (True, False),
        "remote": (True, False),
        "background": (True, False),
        "user_file": (True, False),
        "public": (False, True),
        "json_logs": (False, True),
        "on_secret_outage": ("fall", "fail"),
        "plaintext_secrets": (True, False),
        "local": (True, False),
    }


def test_serverless_moves_one_layer() -> None:
    """The secret store of the deployment is the authority, and the environment its fallback; nothing else moves."""
    laptop = [layer for layer in DEFAULT.order if layer != "secrets"]
    deployed = [layer for layer in SERVERLESS.order if layer != "secrets"]

    assert laptop == deployed
    assert SERVERLESS.order.index("secrets") == SERVERLESS.order.index("env") + 1


def test_serverless_hears_every_layer() -> None:
    """A deployment is configured by the same six sources as a laptop."""
    assert sorted(SERVERLESS.order) == sorted(DEFAULT.order)
