"""Other libraries beside ours: each injects the same, and one that is not installed is no failure."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from benches.peers.loading import PEERS, load, rows
from benches.rows import Row
from benches.samples import Cache, Clock, Database, Session

INSTALLED = [pytest.param(peer, id=name) for name, peer in load().items() if peer is not None]


def test_a_library_that_is_not_installed_is_a_row_that_says_so() -> None:
    """The run goes on, and nobody takes its absence for a result."""
    peers = load({"missing": ("no_such_library", "missing")})

    assert peers == {"missing": None}
    assert list(rows("get", peers, lambda name: 1.0)) == [Row("get: missing", None, None, "not installed")]


def test_the_engine_is_always_there() -> None:
    """It is a dependency of ours, and its row tells its version."""
    peers = load({"dependency-injector": PEERS["dependency-injector"]})

    (row,) = rows("get", peers, lambda name: 24.0)

    assert (row.name, row.ratio, row.budget) == ("get: dependency-injector", 24.0, None)
    assert row.detail.startswith("dependency-injector 4.")


@pytest.mark.parametrize("peer", INSTALLED)
def test_each_library_injects_the_same_objects_on_every_call(peer: Any) -> None:
    """What is compared does the same work: functions of 1, 3 and 8 parameters, and a class of 3."""
    made = peer.Made()

    assert sorted(peer.CALLS) == [1, 3, 8]
    assert {id(call()) for call in peer.CALLS.values()} == {id(made.cache)}
    assert [type(made.cache), type(made.database), type(made.clock)] == [Cache, Database, Clock]


@pytest.mark.parametrize("peer", INSTALLED)
def test_each_library_makes_a_session_for_one_call_and_ends_it(peer: Any) -> None:
    """A session is open during its call alone, and belongs to nobody else."""

    async def twice() -> tuple[Session, Session]:
        return await peer.request(), await peer.request()

    first, second = asyncio.run(twice())

    assert first is not second
    assert [first.is_closed, second.is_closed] == [True, True]
