"""Settings of an application as slots: declared, injected, overridden, explained and refused."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from oneiric import INJECTED, Application, Inject, Inputs, Settings, inject
from oneiric.core.errors import DuplicateName, InvalidName, InvalidValue, WrongType


class ShopSettings(Settings, section="shop"):
    """A section of its own."""

    limit: int = 5
    token: SecretStr | None = None


class OtherSettings(Settings, section="shop"):
    """Another class for the same section."""


def build(**environ: str) -> Application:
    """Return an application that reads these variables and nothing else."""
    return Application("shop", inputs=Inputs(environ=environ))


def test_settings_are_injected_from_the_layers() -> None:
    """`Inject[ShopSettings]` is what the section's layers say, validated."""
    app = build(ONEIRIC_SHOP__LIMIT="7")
    app.settings(ShopSettings)

    @inject
    def limit(settings: Inject[ShopSettings] = INJECTED) -> int:
        return settings.limit

    assert app.call(limit) == 7


def test_a_registered_function_declares_the_settings_that_it_asks_for() -> None:
    """A class that names its section needs no further word."""
    app = build(ONEIRIC_SHOP__LIMIT="7")

    @app.task("count")
    @inject
    def count(settings: Inject[ShopSettings] = INJECTED) -> int:
        return settings.limit

    assert app.faults()[0] == []
    assert app.call(app.tasks.count()) == 7


def test_settings_are_overridden_like_anything_else() -> None:
    """A test binds a ready object, and the layers' come back after it."""
    app = build(ONEIRIC_SHOP__LIMIT="7")
    slot = app.settings(ShopSettings)

    with app.override({ShopSettings: ShopSettings(limit=1)}):
        inside = slot().limit
    outside = slot().limit

    assert (inside, outside) == (1, 7)


def test_an_override_of_another_class_is_refused() -> None:
    """The slot's type is the settings class itself."""
    app = build()
    app.settings(ShopSettings)

    with pytest.raises(WrongType):
        app.override({ShopSettings: object()})


def test_settings_and_their_slot_are_explained() -> None:
    """The key and the slot both say who spoke."""
    app = build(ONEIRIC_SHOP__LIMIT="7", ONEIRIC_SHOP__TOKEN="hunter2")
    app.settings(ShopSettings)

    key, slot = app.explain("shop.limit"), app.explain("settings.shop")

    assert key.winner is not None
    assert (key.winner.layer, key.winner.value) == ("env", 7)
    assert [(one.name, one.winner and one.winner.layer) for one in slot.settings] == [
        ("shop.limit", "env"),
        ("shop.token", "env"),
    ]
    assert "hunter2" not in slot.text() + key.text()


def test_a_value_that_does_not_fit_is_one_fault_with_key_and_origin() -> None:
    """It is reported once, though a section and a slot stand for it."""
    app = build(ONEIRIC_SHOP__LIMIT="many")
    slot = app.settings(ShopSettings)

    faults, _ = app.faults()

    assert [fault.code for fault in faults] == ["invalid-value"]
    assert "ONEIRIC_SHOP__LIMIT" in str(faults[0])
    assert "many" not in str(faults[0])
    with pytest.raises(InvalidValue):
        slot()


def test_a_changed_layer_makes_new_settings() -> None:
    """What was built from the old state is not handed out again."""
    app = build(ONEIRIC_SHOP__LIMIT="7")
    slot = app.settings(ShopSettings)
    before = slot().limit

    app.configure(Inputs(environ={"ONEIRIC_SHOP__LIMIT": "8"}))

    assert (before, slot().limit) == (7, 8)


@pytest.mark.parametrize(
    "section",
    [
        pytest.param("cache", id="a slot has the name"),
        pytest.param("web", id="the framework reads the section"),
        pytest.param("secrets", id="the section of the secret store"),
        pytest.param("Shop", id="an upper-case letter"),
        pytest.param("shop.orders", id="a dot"),
    ],
)
def test_a_section_that_cannot_be_is_refused(section: str) -> None:
    """Keys below it would mean something else."""
    with pytest.raises(InvalidName):
        build().settings(ShopSettings, section=section)


def test_a_class_without_a_section_needs_one() -> None:
    """Nothing is guessed from the name of the class."""

    class Bare(Settings):
        pass

    with pytest.raises(InvalidName, match="section="):
        build().settings(Bare)


def test_a_section_has_one_model() -> None:
    """A second class for it is refused; the same class again is the same slot."""
    app = build()
    slot = app.settings(ShopSettings)

    with pytest.raises(DuplicateName):
        app.settings(OtherSettings)

    assert app.settings(ShopSettings) is slot


def test_no_slot_takes_the_name_of_a_section() -> None:
    """Its settings could not be told from those of the section."""
    app = build()
    app.settings(ShopSettings)

    with pytest.raises(InvalidName):
        app.slot("shop", ShopSettings)
