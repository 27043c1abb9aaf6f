"""The sections of the configuration: declared by class or by reference, imported when they are read."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from oneiric.containers.sections import Sections, section_of
from oneiric.core.errors import AppNotImportable
from oneiric.runtime.settings import AppSettings


class Limits(BaseModel):
    """A section of an application."""


def test_a_section_declared_by_reference_gives_its_model() -> None:
    """`module:Class` is imported when the section is read."""
    sections = Sections()

    sections.declare("app", "oneiric.runtime.settings:AppSettings")

    assert sections["app"] is AppSettings


def test_declaring_imports_nothing() -> None:
    """A reference that leads nowhere is found out when the section is read, not before."""
    sections = Sections()

    sections.declare("app", "oneiric.nowhere:Settings")

    assert "app" in list(sections)
    with pytest.raises(AppNotImportable):
        sections["app"]


def test_the_later_declaration_of_a_name_counts() -> None:
    """An application can bring its own model for a section."""
    sections = Sections()
    sections.declare("app", "oneiric.runtime.settings:AppSettings")

    sections.declare("app", Limits)

    assert dict(sections) == {"app": Limits}
    assert len(sections) == 1


def test_a_section_that_is_not_declared_is_no_key() -> None:
    """Reading it raises KeyError, as a mapping does."""
    with pytest.raises(KeyError):
        Sections()["web"]


def test_a_reference_is_loaded_once_it_was_read() -> None:
    """A model that is given as a class is there from the start."""
    sections = Sections()
    sections.declare("app", "oneiric.runtime.settings:AppSettings")
    sections.declare("limits", Limits)

    before = sections.is_loaded("app"), sections.is_loaded("limits")
    sections["app"]

    assert before == (False, True)
    assert sections.is_loaded("app")


@pytest.mark.parametrize(
    ("model", "section"),
    [
        pytest.param(type("Named", (BaseModel,), {"__section__": "orders"}), "orders", id="a model that names one"),
        pytest.param(Limits, None, id="a model that names none"),
        pytest.param(type("Odd", (), {"__section__": 5}), None, id="a name that is no text"),
        pytest.param("orders", None, id="no type"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_model_may_name_its_own_section(model: object, section: str | None) -> None:
    """Whatever stands in the place of a type is no error."""
    assert section_of(model) == section
