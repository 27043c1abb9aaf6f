"""The public names: loaded when they are touched, and no others."""

from __future__ import annotations

import subprocess
import sys

import pytest

import oneiric

NAMES = [
    "INJECTED",
    "AdapterSettings",
    "Application",
    "Container",
    "Event",
    "Explanation",
    "Factory",
    "Health",
    "Inject",
    "Inputs",
    "LayerContainer",
    "Named",
    "OneiricError",
    "Protected",
    "Provide",
    "Public",
    "Ref",
    "Settings",
    "inject",
    "using",
]


def test_the_public_names_are_these() -> None:
    """A name that comes or goes is a decision; `dir` shows the same names."""
    assert sorted(oneiric.__all__) == sorted(NAMES)
    assert dir(oneiric) == sorted(oneiric.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_loads_on_touch(name: str) -> None:
    """And is the same object every time."""
    assert getattr(oneiric, name) is getattr(oneiric, name)
    assert name in vars(oneiric)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    """So that `hasattr` and `from oneiric import ...` say what they always say."""
    with pytest.raises(AttributeError, match="module 'oneiric' has no attribute 'Nothing'"):
        oneiric.Nothing  # noqa: B018  # type: ignore[attr-defined]  # what is tested


def test_importing_the_package_imports_nothing_else() -> None:
    """Every name waits for its first touch."""
    program = "import sys, oneiric; print([name for name in sys.modules if name.startswith('oneiric.')])"

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout

    assert said.strip() == "[]"


def test_the_list_of_homes_and_the_list_of_names_agree() -> None:
    """A name without a home could be listed and never be had."""
    assert sorted(oneiric._HOMES) == sorted(oneiric.__all__)
