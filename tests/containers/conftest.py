"""What the tests of containers share: a process of their own, as far as the default application goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oneiric.containers import active


@pytest.fixture(autouse=True)
def own_default(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the applications that another one made; call sites of modules forget what they were bound to."""
    monkeypatch.setattr(active, "_default", active._Default())
    active.forget_all()
    yield
    active.forget_all()
