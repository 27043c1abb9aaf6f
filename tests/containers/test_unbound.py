"""Methods that only an object has."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from oneiric import Container
from oneiric.containers.layers import Override
from oneiric.core.errors import ClassOverride
from tests.containers.shapes import Engine


class Counting(Container):
    """Counts its overrides, and passes them on."""

    count = 0

    def override(self, overriding: Any) -> Override:
        """Count."""
        self.count += 1
        return super().override(overriding)


def test_an_object_has_the_method_as_usual() -> None:
    """A subclass extends it, by `super()` or by the name of the class."""
    app, engine = Counting("counts"), Engine()
    app.slot("engine", Engine)

    app.override({"engine": Engine()})
    Container.override(app, {"engine": engine})

    assert app.adapters.engine() is engine
    assert app.count == 1


@pytest.mark.parametrize(
    "args", [pytest.param((), id="nothing"), pytest.param(({},), id="a map"), pytest.param((Container,), id="a class")]
)
def test_a_call_on_the_class_names_the_class_and_the_remedy(args: tuple[Any, ...]) -> None:
    """Whatever it is given."""
    with pytest.raises(ClassOverride) as caught:
        Container.local_override(*args)

    assert str(caught.value) == (
        "error[class-override] class Container cannot be overridden: applications that exist would not see it\n"
        "  fix: call it on one application: app.local_override({...})"
    )


def test_what_the_class_shows_is_the_method() -> None:
    """Its name, its text and its parameters, for help and for editors."""
    assert Container.override.__name__ == "override"
    assert (Container.override.__doc__ or "").strip().startswith("Apply a layer")
    assert list(inspect.signature(Container.override).parameters) == ["self", "overriding"]
    assert list(inspect.signature(Container("x").override).parameters) == ["overriding"]
