"""A resource of one request, made and ended by the outermost injected call, against the same with `contextlib`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager

from benches.peers import loading
from benches.rows import Row
from benches.samples import Cursor, Session, cursor, hermetic, session
from benches.timing import Contestant, Effort, awaits, calls, interleave, shown
from oneiric import INJECTED, Inject, inject
from oneiric.containers import active

CALLS = 5_000
PEER_CALLS = 500
ROUNDS = 60
BUDGET = 1.6

make_session = asynccontextmanager(session)
make_cursor = contextmanager(cursor)


async def use_session(session: Session) -> Session:
    """Stand for a function that needs a session."""
    return session


def use_cursor(cursor: Cursor) -> Cursor:
    """The same, without waiting."""
    return cursor


async def session_by_hand() -> Session:
    """Call with a session that ends with the call."""
    async with make_session() as made:
        return await use_session(made)


def cursor_by_hand() -> Cursor:
    """The same, without waiting."""
    with make_cursor() as made:
        return use_cursor(made)


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows of an asynchronous and of a synchronous resource."""
    app = hermetic("requests")
    app.provide("session", scope="request")(session)
    app.provide("cursor", scope="request")(cursor)

    @inject  # in here, since a check of another row would report a function that finds nothing there
    async def injected(session: Inject[Session] = INJECTED) -> Session:
        return session

    @inject
    def injected_cursor(cursor: Inject[Cursor] = INJECTED) -> Cursor:
        return cursor

    peers = loading.load()
    with active.as_default(app), asyncio.Runner() as runner:
        contestants: dict[str, Contestant] = {
            "hand": awaits(session_by_hand, CALLS, runner),
            "ours": awaits(injected, CALLS, runner),
            "sync hand": calls(cursor_by_hand, CALLS),
            "sync ours": calls(injected_cursor, CALLS),
        }
        for name, peer in peers.items():
            if peer is not None:
                contestants[name] = awaits(peer.request, PEER_CALLS, runner)
        best_s = interleave(contestants, effort.rounds(ROUNDS))
    hand_s, ours_s = best_s["hand"], best_s["ours"]
    what = "inject one request resource, async"
    yield Row(what, ours_s / hand_s, BUDGET, f"{shown(ours_s / CALLS)} against {shown(hand_s / CALLS)} by hand")
    yield from loading.rows(what, peers, lambda name: best_s[name] / PEER_CALLS * CALLS / hand_s)
    hand_s, ours_s = best_s["sync hand"], best_s["sync ours"]
    detail = f"{shown(ours_s / CALLS)} against {shown(hand_s / CALLS)} by hand"
    yield Row("inject one request resource, sync", ours_s / hand_s, None, detail)
