"""Every row of the catalog is proved: by a test class that inherits the contract suite of its category."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from oneiric.core.importing import load
from oneiric.providers.catalog import ROWS, Row
from oneiric.testing.contracts import AdapterContract


def contracts(row: Row) -> list[type[AdapterContract]]:
    """Return the test classes of an adapter, from the file where they have to stand."""
    module = import_module(f"tests.adapters.{row.category}.test_{row.name}")
    kinds = [kind for kind in vars(module).values() if inspect.isclass(kind) and issubclass(kind, AdapterContract)]
    return [kind for kind in kinds if getattr(kind, "adapter", None) is load(row.path)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.category}/{row.name}")
def test_a_row_declares_what_its_contract_suite_checks(row: Row) -> None:
    """A capability in the catalog is one whose checks run; what is not declared is checked to be unsupported."""
    kinds = contracts(row)

    assert kinds != []
    assert {kind.category for kind in kinds} == {row.category}
    assert {kind.capabilities for kind in kinds} == {row.capabilities}
