"""The rows of a run: what each family measures, in its smallest form."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette

from benches import costs, first
from benches.asgi import request_to
from benches.families import FAMILIES
from benches.timing import CannotMeasure


def test_what_is_said_of_injection_has_a_family() -> None:
    """Each name is one that `--only` takes."""
    assert {"injection", "resources", "asgi", "first", "costs", "slots", "graph"} <= set(FAMILIES)


def test_a_first_get_that_shows_two_objects_cannot_be_measured() -> None:
    """A time is no result where the work is wrong."""
    with pytest.raises(CannotMeasure, match="8 got 8 different objects"):
        first.by_threads(object)


def test_a_request_that_fails_cannot_be_measured() -> None:
    """A server that answers 404 is quick, and did nothing."""
    request = request_to(Starlette())

    async def make() -> None:
        await request()

    with pytest.raises(CannotMeasure, match="answered with 404"):
        asyncio.run(make())


def test_the_memory_of_a_slot_is_told_in_bytes() -> None:
    """It is what one slot more takes, with its two bindings: hundreds of bytes, neither none nor many thousands."""
    assert 200 < costs.slot_bytes(200) < 5_000
