"""What a swap that a rotated secret caused leaves behind: objects that come and go as those of any other change."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from oneiric import AdapterSettings, Application, Inputs, LayerContainer
from oneiric.providers.catalog import Catalog
from oneiric.testing.fake_secrets import FakeSecrets

SECRET = "base-Base-password"


class Base:
    """Something with a password."""

    class Settings(AdapterSettings):
        """One secret."""

        password: SecretStr = SecretStr("of the code")

    def __init__(self, settings: Settings) -> None:
        self.password, self.closed = settings.password.get_secret_value(), 0

    async def open(self) -> None:
        """Open it."""

    async def close(self) -> None:
        """Close it."""
        self.closed += 1


class Other(Base):
    """The same under another name."""


class RemoteSecrets(FakeSecrets):
    """A store that has to be waited for."""

    is_local = False


class OwnSecrets(FakeSecrets):
    """A store that an application makes itself."""

    def __init__(self) -> None:
        super().__init__({SECRET: "one"})


def made(folder: Path, store: FakeSecrets) -> Application:
    """Return an application whose slot `base` has a secret, bound by a layer."""
    app = Application("rotating", inputs=Inputs(environ={"ONEIRIC_SWAP__DRAIN_GRACE_S": "0"}, folder=folder))
    app.slot("base", Base)
    app.slot("base", eager=True)
    app.override({"secrets": store})
    app.override(LayerContainer("profile", {"base": Base}))
    return app


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(
            LayerContainer("explicit", settings={"base.Other.timeout_s": 3}), id="settings of another adapter"
        ),
        pytest.param(LayerContainer("explicit", {"base": Other}), id="another adapter"),
    ],
)
async def test_an_object_with_a_rotated_secret_comes_back_when_an_override_is_undone(
    tmp_path: Path, layer: LayerContainer
) -> None:
    """It is set aside, and not closed, as one of any other generation."""
    store = RemoteSecrets({SECRET: "one"})
    app = made(tmp_path, store)

    async with app:
        store.rotate(SECRET, "two")
        await app.rotate_secrets()
        await app.swaps.drained()
        before = app.adapters.base()
        async with app.override(layer):
            assert app.explain("base").winner is not None
        await app.settled()
        after = app.adapters.base()

        assert before.password == "two"
        assert after is before
        assert before.closed == 0
    assert before.closed == 1


@pytest.mark.asyncio
async def test_how_long_a_secret_is_kept_is_known_whoever_asks_first(tmp_path: Path) -> None:
    """A child asks by the same rules as its parent."""
    app = made(tmp_path, FakeSecrets({SECRET: "one"}))

    async with app:
        child = app.child("tenant", {"base": Other})
        app.override(LayerContainer("explicit", settings={"secrets.ttl_s": 5}))
        child.adapters.base()

        assert app.section("secrets").ttl_s == 5
        assert app.secrets.cache.ttl_s == 5


def test_a_store_of_the_application_s_own_answers_whoever_asks_first(tmp_path: Path) -> None:
    """Also where no category has one, and a child has asked before the parent."""
    catalog = Catalog([], [], third_party=False)
    app = Application("own", profile="serverless", catalog=catalog, inputs=Inputs(environ={}, folder=tmp_path))
    app.provide("secrets")(OwnSecrets)
    app.slot("base", Base)
    app.override({"base": Base})
    child = app.child("tenant", {"base": Base})

    child.explain("base.Base.password")

    assert app.setting("base.Base.password").get_secret_value() == "one"
