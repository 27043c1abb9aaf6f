"""An application whose secret store answers only when it is open, as one over the network does."""

from __future__ import annotations

from pydantic import SecretStr

from oneiric import INJECTED, Application, Event, Inject, LayerContainer, Settings, inject
from oneiric.testing.fake_secrets import FakeSecrets


class Drawer(FakeSecrets):
    """Holds the third version of one secret."""

    is_local = False

    def __init__(self) -> None:
        super().__init__({"till-key": "iron"})
        self.rotate("till-key", "copper")
        self.rotate("till-key", "brass")


class TillSettings(Settings, section="till"):
    """What opens the till."""

    key: SecretStr | None = None
    spare: SecretStr | None = None


app = Application("drawer", layers=[LayerContainer("explicit", {"secrets": Drawer})])


@app.on("order.paid", name="book")
@inject
async def book(event: Event, till: Inject[TillSettings] = INJECTED) -> None:
    """Open the till."""
