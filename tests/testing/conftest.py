"""The project that tests of the plugin and of the contract suites run pytest in."""

from __future__ import annotations

import pytest

from tests.testing.project import INI, SHOP


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a small application, whose tests begin with nothing that Oneiric reads."""
    monkeypatch.setenv("ONEIRIC_APP", "shop:app")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makepyfile(shop=SHOP)
    pytester.makeini(INI)
    return pytester
