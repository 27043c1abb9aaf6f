"""
The rules for adapters as test classes: a test class inherits the suite of its category and names its adapter.

Every suite inherits `AdapterContract`; the suites stand in one file per category.
"""

from __future__ import annotations

from oneiric.testing.contracts.adapter import AdapterContract
from oneiric.testing.contracts.backend import Backend

__all__ = ["AdapterContract", "Backend"]
