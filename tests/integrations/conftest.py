"""What the tests of integrations share: a process of their own, as far as the default application and the log go."""

from __future__ import annotations

import pytest

from oneiric.core.log import log
from tests.containers.conftest import own_default as own_default


@pytest.fixture(scope="session", autouse=True)
def early_log() -> None:
    """The log writes where it is first asked for, and that shall not be what a CLI runner captures for one call."""
    log()
