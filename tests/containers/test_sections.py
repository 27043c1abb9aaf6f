"""The sections of the configuration: declared by class or by reference, imported when they are read."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from oneiric.containers.sections import Sections
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
