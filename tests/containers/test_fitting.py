"""What fits a slot: a class by inheritance, a Protocol by its members."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from oneiric import Container
from oneiric.containers.fitting import check_fit, declared_type, members_of
from oneiric.core.errors import WrongType
from oneiric.providers.engine import Factory, Object


class Speaking(Protocol):
    voice: str

    def speak(self) -> str: ...


class Singing(Speaking, Protocol):
    def sing(self) -> str: ...


class Dog:
    voice = "bark"

    def speak(self) -> str:
        return self.voice


class Puppy(Dog): ...


class Mute:
    def __init__(self) -> None:
        self.voice = ""


class Late:
    """Sets its attribute when it is made."""

    def __init__(self) -> None:
        self.voice = "meow"

    def speak(self) -> str:
        return self.voice


@pytest.fixture
def app() -> Container:
    """A container with slots of a class, of a Protocol, and of no type that could be checked."""
    app = Container("fits")
    app.slot("dog", Dog)
    app.slot("speaker", Speaking)
    app.slot("names", list[str])
    return app


@pytest.mark.parametrize(
    ("slot", "value"),
    [
        pytest.param("dog", Dog(), id="an object of the class"),
        pytest.param("dog", Puppy(), id="an object of a subclass"),
        pytest.param("dog", Puppy, id="a subclass"),
        pytest.param("dog", Object(Puppy()), id="a provider of an object"),
        pytest.param("dog", Factory(dict), id="a factory, asked when it has made its object"),
        pytest.param("speaker", Dog(), id="all members"),
        pytest.param("speaker", Late(), id="attribute set when made"),
        pytest.param("speaker", Late, id="a class whose objects set the attribute"),
        pytest.param("names", 42, id="a type that cannot be checked"),
    ],
)
def test_what_fits_passes(app: Container, slot: str, value: Any) -> None:
    """It is bound, and serves."""
    check_fit(app.slot(slot), value)

    with app.override({slot: value}):
        assert app.slot(slot).bindings[-1].value is value


@pytest.mark.parametrize(
    ("slot", "value", "missing"),
    [
        pytest.param("dog", 42, (), id="a number for a class"),
        pytest.param("dog", Object(42), (), id="a provider of a number"),
        pytest.param("dog", Mute, (), id="a foreign class"),
        pytest.param("dog", lambda: Dog(), (), id="a function"),
        pytest.param("speaker", 42, ("speak", "voice"), id="a number for a Protocol"),
        pytest.param("speaker", Mute(), ("speak",), id="an object that lacks a method"),
        pytest.param("speaker", Mute, ("speak",), id="a class that lacks a method"),
    ],
)
@pytest.mark.parametrize(
    "bind",
    [
        pytest.param(lambda app, slot, value: app.override({slot: value}), id="map"),
        pytest.param(lambda app, slot, value: app.slot(slot).override(value), id="slot"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_override(
    app: Container, bind: Any, slot: str, value: Any, missing: tuple[str, ...]
) -> None:
    """The error names the members that are missing, and nothing is bound."""
    before = app.slot(slot).bindings

    with pytest.raises(WrongType) as caught:
        bind(app, slot, value)

    assert caught.value.missing == missing
    assert app.slot(slot).bindings == before


def test_the_message_shows_types_and_no_values(app: Container) -> None:
    """An object may hold a secret."""
    with pytest.raises(WrongType) as caught:
        app.override({"speaker": {"password": "hunter2"}})

    assert caught.value.message == (
        f"slot speaker takes {__name__}:Speaking, not a builtins:dict object; it lacks speak, voice"
    )


def test_an_inherited_protocol_counts() -> None:
    """The members of its parents are members."""
    assert members_of(Singing) == ({"speak", "sing"}, {"voice"})


def test_the_type_of_a_category_is_imported_when_it_is_compared(app: Container) -> None:
    """The catalog knows it by name."""
    slot = app.slot("cache")
    assert slot.type is None

    assert declared_type(slot).__name__ == "Cache"


def test_a_registered_function_is_replaced_by_a_callable_only(app: Container) -> None:
    """A handler is called."""
    app.task("clean")(lambda: None)
    slot = app.tasks.clean

    check_fit(slot, print)
    with pytest.raises(WrongType, match="slot clean takes a callable"):
        check_fit(slot, 42)
