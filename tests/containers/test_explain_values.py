"""Settings as they are explained and handed out: parts of a map or of a model, typed as the whole is."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field, SecretStr

from oneiric import Application, Inputs, Settings
from oneiric.core.errors import InvalidValue


class Inner(BaseModel):
    """A model inside a section."""

    attempts: int = 3
    wait_s: float = 1.0
    token: SecretStr | None = None


class ShopSettings(Settings, section="shop"):
    """A section with a model and a map."""

    inner: Inner = Inner()
    weights: dict[str, int] = Field(default={})


def build(**environ: str) -> Application:
    """Return an application that reads these variables and nothing else."""
    app = Application("shop", inputs=Inputs(environ=environ))
    app.settings(ShopSettings)
    return app


@pytest.mark.parametrize(
    ("key", "variable", "text", "value"),
    [
        pytest.param("shop.inner.attempts", "ONEIRIC_SHOP__INNER__ATTEMPTS", "7", 7, id="a field of a model"),
        pytest.param("shop.inner.wait_s", "ONEIRIC_SHOP__INNER__ATTEMPTS", "7", 1.0, id="its neighbour"),
        pytest.param("shop.weights.tea", "ONEIRIC_SHOP__WEIGHTS__TEA", "2", 2, id="a key of a map"),
    ],
)
def test_a_part_of_a_setting_is_typed(key: str, variable: str, text: str, value: object) -> None:
    """A part is what the settings model makes of it, not the text of the variable."""
    app = build(**{variable: text})

    found, explained = app.setting(key), app.explain(key)

    assert found == value
    assert type(found) is type(value)
    assert explained.winner is not None
    assert explained.winner.value == value


def test_a_part_that_does_not_fit_is_a_fault_of_the_part() -> None:
    """The key of the part stands in the error, and the same error is explained; its text is not shown."""
    app = build(ONEIRIC_SHOP__INNER__ATTEMPTS="many")

    explained = app.explain("shop.inner.attempts")

    assert explained.error is not None
    assert explained.error.code == "invalid-value"
    assert "many" not in explained.error.message
    with pytest.raises(InvalidValue, match=r"shop\.inner\.attempts"):
        app.setting("shop.inner.attempts")


def test_a_secret_part_hides_itself() -> None:
    """What is handed out of a secret field is a secret."""
    app = build(ONEIRIC_SHOP__INNER__TOKEN="hunter22")

    found = app.setting("shop.inner.token")

    assert found.get_secret_value() == "hunter22"
    assert "hunter22" not in repr(found) + app.explain("shop.inner.token").text()
