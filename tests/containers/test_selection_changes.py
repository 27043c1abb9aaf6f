"""The state of the layers after a change, which shares what it can with the one before: as one made from nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from oneiric import INJECTED, AdapterSettings, Application, Inputs, LayerContainer, Named
from oneiric.adapters.secrets import Secrets
from oneiric.containers.layers import Override
from oneiric.containers.selection import Selection
from oneiric.core.values import Value

Operation = tuple[str, Any]


class Part:
    """What a slot holds."""


class Plain(Part):
    """Has settings, one of them a secret."""

    class Settings(AdapterSettings):
        """A number and a password."""

        size: int = 1
        password: SecretStr | None = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


class Other(Plain):
    """Has the same, under its own name."""


LAYERS = st.sampled_from(["profile", "manifest", "env", "explicit"])
SETTINGS: dict[str, Any] = {
    "part.Plain.size": "3",
    "part.Plain.password": "secret://env/ONE",
    "part.Other.size": "large",
    "part.size": "4",
    "secrets.on_error": "fallback",
    "secrets.ttl_s": 3,
    "secrets.bindings": {"part.Plain.password": "TWO"},
    "secrets.env.prefix": "X_",
}
KEYS: dict[str, Any] = {"secrets": "secrets", "adapters.secrets": "adapters.secrets", "vault": "vault", "type": Secrets}
operations = st.one_of(
    st.tuples(st.just("fill"), st.sampled_from([Part, Plain, Other])),
    st.tuples(st.just("set"), st.tuples(LAYERS, st.sampled_from(sorted(SETTINGS)))),
    st.tuples(st.just("store"), st.tuples(LAYERS, st.sampled_from(sorted(KEYS)), st.sampled_from(["env", "file"]))),
    st.tuples(st.just("deny"), st.sampled_from(["env", "file"])),
    st.tuples(st.just("undo"), st.integers(0, 5)),
    st.tuples(st.just("again"), st.integers(0, 5)),
    st.tuples(st.just("alias"), st.none()),
    st.tuples(st.just("look"), st.none()),
    st.tuples(st.just("look"), st.none()),
)


def carry_out(app: Application, operation: Operation, open_ones: list[Override]) -> None:
    """Make one change; what can be taken back is noted."""
    layer: LayerContainer | None = None
    match operation:
        case ("fill", kind):
            layer = LayerContainer("explicit", {"part": kind})
        case ("set", (name, key)):
            layer = LayerContainer(name, settings={key: SETTINGS[key]})
        case ("store", (name, key, adapter)):
            layer = LayerContainer(name, {KEYS[key]: adapter})
        case ("deny", adapter):
            layer = LayerContainer("manifest", deny={"secrets": [adapter]})
        case ("undo", number) if open_ones:
            open_ones.pop(number % len(open_ones)).undo()
        case ("again", number) if open_ones:
            last = open_ones.pop(number % len(open_ones))
            last.undo()
            layer = last.layer
        case ("alias", _) if "vault" not in app.slots.aliases:
            app.alias("vault", "secrets")
        case ("look", _):
            assert list(told(app.stack.selection))
    if layer is not None:
        open_ones.append(Override(app, app.stack.put(layer), None))


def told(selection: Selection) -> Iterator[tuple[object, ...]]:
    """Yield all that a state says of the settings and of secrets."""
    rules = selection.rules
    yield rules.store, rules.bindings, rules.outage_falls, rules.plaintext, rules.scope
    yield tuple((one.layer, sorted(one.said)) for one in selection.words.speakers)
    for kind in (Plain, Other):
        for value in selection.values(f"part.{kind.__name__}", kind.Settings):
            yield value.field.key, *said(value)


def said(value: Value) -> tuple[object, ...]:
    """Return a value, why there is none, what has to be fetched for it, and who had a share in it."""
    error = None if value.error is None else value.error.code
    return str(value.value), error, value.wanted, [(one.layer, one.status, one.reason) for one in value.shares]


@given(st.lists(operations, max_size=12))
def test_a_state_after_a_change_is_as_one_made_from_nothing(changes: list[Operation]) -> None:
    """Words, rules and values, whatever was found out before about other states."""
    app = Application("changing", inputs=Inputs(environ={"ONE": "hunter2", "X_ONE": "hunter3"}))
    app.slot("part", Part)
    open_ones: list[Override] = []

    for change in changes:
        carry_out(app, change, open_ones)
    stack = app.stack

    assert list(told(stack.selection)) == list(told(stack.selection_in(stack.profile, stack.layers)))


@pytest.mark.parametrize(
    ("bindings", "settings", "is_shared"),
    [
        pytest.param({"part": Plain}, {}, True, id="who fills a slot"),
        pytest.param({"part": Plain}, {"part.Plain.size": 3}, False, id="a setting"),
        pytest.param({"secrets": "file"}, {}, False, id="who keeps secrets"),
        pytest.param({Part: Plain}, {}, False, id="a type, which might be that of the store"),
    ],
)
def test_a_change_that_says_nothing_of_settings_decides_none_again(
    bindings: Mapping[Any, object], settings: Mapping[str, Any], is_shared: bool
) -> None:
    """Else nothing that was decided before counts."""
    app = Application("changing", inputs=Inputs(environ={}))
    app.slot("part", Part)
    before = app.stack.selection

    app.override(LayerContainer("explicit", bindings, settings=settings))

    assert app.stack.selection.shares(before) is is_shared


def test_a_default_that_is_made_is_made_anew_in_each_state() -> None:
    """An object that is built again has a name of its own beside the old one, which is still in use."""
    made = count()

    class Numbered(Part):
        class Settings(AdapterSettings):
            """A number that nobody else has."""

            number: int = Field(default_factory=lambda: next(made))

        def __init__(self, settings: Settings, other: Annotated[Part, Named("other")] = INJECTED) -> None:
            self.settings = settings

    app = Application("changing", inputs=Inputs(environ={}))
    app.slot("part", Part)
    app.slot("other", Part)
    app.override({"part": Numbered, "other": Part})
    before = app.adapters.part()
    app.override({"other": Plain})
    after = app.adapters.part()

    assert after is not before
    assert after.settings.number != before.settings.number


def test_two_classes_of_one_name_have_settings_of_their_own() -> None:
    """What was decided for the one is not what the other takes, although their settings stand below one key."""

    def made(default: int) -> type[Part]:
        class Settings(AdapterSettings):
            """One number."""

            size: int = default

        def begin(self: Any, settings: Any) -> None:
            self.settings = settings

        return type("Same", (Part,), {"Settings": Settings, "__init__": begin})

    app = Application("changing", inputs=Inputs(environ={}))
    app.slot("part", Part)
    sizes = []
    for default in (1, 2):
        app.override({"part": made(default)})
        sizes.append(app.adapters.part().settings.size)

    assert sizes == [1, 2]
