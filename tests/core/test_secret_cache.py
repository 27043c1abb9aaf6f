"""What is known of secrets for a while: times to live, absences, outages, and a batch with limits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from pydantic import SecretBytes

from oneiric.adapters.secrets.common import LATEST, Secret
from oneiric.core.errors import Denied, NotFound, Unavailable
from oneiric.core.secret_cache import SecretCache
from oneiric.testing.clock import FakeClock
from oneiric.testing.fake_secrets import FakeSecrets
from tests.support.loop import pass_time, run

TOKEN = ("token", LATEST)


@dataclass
class CountingStore:
    """Answers after some seconds, and counts who waits at once."""

    takes_s: float = 0.0
    asked: list[str] = field(default_factory=list)
    now: int = 0
    most: int = 0
    cancelled: list[str] = field(default_factory=list)

    async def get(self, name: str, *, version: str = LATEST) -> Secret:
        self.asked.append(name)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await pass_time(self.takes_s)
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        finally:
            self.now -= 1
        return Secret(name, SecretBytes(b"value"), "1")

    async def version(self, name: str) -> str | None:
        return "1"


def names(count: int) -> list[tuple[str, str]]:
    return [(f"s{n}", LATEST) for n in range(count)]


def made(*, draw: float = 0.5) -> tuple[SecretCache, FakeClock]:
    """Return an empty cache with a clock; by default its jitter is in the middle, which is none."""
    clock = FakeClock()
    return SecretCache(clock=clock, draw=lambda: draw), clock


def test_eight_are_fetched_at_a_time() -> None:
    """Twenty secrets of one second each take three rounds, in one batch."""
    cache, _ = made()
    store = CountingStore(1.0)

    _, took_s = run(cache.fetch(store, names(20)))

    assert (store.most, len(store.asked), took_s) == (8, 20, pytest.approx(3.0))
    assert {cache.look(*key).state for key in names(20)} == {"found"}


def test_each_secret_has_three_seconds() -> None:
    """One that takes longer is timed out, and its question is given up."""
    cache, _ = made()
    store = CountingStore(60.0)

    _, took_s = run(cache.fetch(store, [TOKEN]))

    assert took_s == pytest.approx(3.0)
    assert (cache.look(*TOKEN).state, cache.look(*TOKEN).why) == ("failed", "timed-out")
    assert store.cancelled == ["token"]


def test_all_together_have_ten_seconds() -> None:
    """Forty that never come would take five rounds of 3 s; after 10 s those that still wait are given up too."""
    cache, _ = made()
    store = CountingStore(60.0)

    _, took_s = run(cache.fetch(store, names(40)))

    assert took_s == pytest.approx(10.0)
    assert len(store.asked) == 32
    assert {cache.look(*key).why for key in names(40)} == {"timed-out"}


def test_a_secret_is_asked_for_once_at_a_time() -> None:
    """Whoever wants one that is on its way waits for it."""
    cache, _ = made()
    store = CountingStore(1.0)

    async def both() -> None:
        await asyncio.gather(cache.fetch(store, [TOKEN, TOKEN]), cache.fetch(store, [TOKEN]))

    run(both())

    assert store.asked == ["token"]


def test_a_batch_whose_caller_goes_away_asks_no_more() -> None:
    """A start that is cancelled leaves no question behind, and notes no outage."""
    cache, _ = made()
    store = CountingStore(1.0)

    async def cut_off() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await cache.fetch(store, names(20))
        await pass_time(10)

    run(cut_off())

    assert (len(store.asked), len(store.cancelled)) == (8, 8)
    assert {cache.look(*key).state for key in names(20)} == {"unknown"}


@pytest.mark.parametrize(
    ("draw", "ttl_s", "due_s"),
    [
        pytest.param(0.0, 300.0, 270.0, id="the shortest"),
        pytest.param(0.5, 300.0, 300.0, id="the middle"),
        pytest.param(1.0, 300.0, 330.0, id="the longest"),
        pytest.param(1.0, 0.0, 0.0, id="no cache"),
    ],
)
@pytest.mark.asyncio
async def test_the_latest_version_lives_for_a_while(draw: float, ttl_s: float, due_s: float) -> None:
    """It is due after ttl_s, 10 % more or less, so that not all processes ask at once; at 0 it is due at once."""
    cache, clock = made(draw=draw)
    cache.ttl_s = ttl_s

    await cache.fetch(FakeSecrets({"token": "x"}), [TOKEN])

    assert cache.next_due_s() == pytest.approx(due_s)
    clock.advance(max(due_s - 1, 0))
    assert cache.due() == ([] if due_s else [TOKEN])
    clock.advance(1.001)
    assert cache.due() == [TOKEN]


@pytest.mark.asyncio
async def test_a_pinned_version_is_never_due() -> None:
    """It is what it is for the life of the process, even without a cache."""
    cache, clock = made()
    cache.ttl_s = 0

    await cache.fetch(FakeSecrets({"token": "x"}), [("token", "1")])
    clock.advance(10**9)

    assert (cache.due(), cache.next_due_s()) == ([], None)
    assert cache.look("token", "1").value == b"x"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param(None, "missing", id="absent"),
        pytest.param(NotFound("no", category="secrets", name="fake", operation="get"), "missing", id="not found"),
        pytest.param(Denied("no", category="secrets", name="fake", operation="get"), "failed", id="denied"),
        pytest.param("7", "known", id="known to exist"),
    ],
)
async def test_what_is_no_value_is_known_for_thirty_seconds(answer: object, state: str) -> None:
    """After 30 s nobody knows, and the store is asked again."""
    cache, clock = made()
    cache.note(TOKEN, answer)

    clock.advance(29.9)
    before = cache.look(*TOKEN).state
    clock.advance(0.1)
    losses = cache.losses

    assert (before, cache.look(*TOKEN).state) == (state, "unknown")
    assert cache.lapse() == losses + 1
    assert cache.lapse() == losses + 1


@pytest.mark.asyncio
async def test_an_old_value_bridges_an_outage_of_an_hour() -> None:
    """A refresh that fails leaves the value in service, and says so; an hour after its time it is an outage."""
    cache, clock = made()
    store = FakeSecrets({"token": "x"})
    await cache.fetch(store, [TOKEN])
    store.state = "unavailable"

    clock.advance(300)
    await cache.fetch(store, cache.due())
    first = cache.look(*TOKEN)
    clock.advance(3599)
    await cache.fetch(store, cache.due())
    last = cache.look(*TOKEN)
    clock.advance(31)
    await cache.fetch(store, cache.due())

    assert (first.value, first.is_stale, first.why, first.age_s) == (b"x", True, "unavailable", 300)
    assert (last.value, last.age_s) == (b"x", 3899)
    assert (cache.look(*TOKEN).state, cache.look(*TOKEN).value) == ("failed", None)


@pytest.mark.asyncio
async def test_a_failed_refresh_is_not_repeated_at_once() -> None:
    """The store is asked again 30 s later; a value that comes then is no longer stale."""
    cache, clock = made()
    store = FakeSecrets({"token": "x"})
    await cache.fetch(store, [TOKEN])
    store.state = "unavailable"
    clock.advance(300)
    await cache.fetch(store, cache.due())

    clock.advance(29)
    early = cache.due()
    clock.advance(1)
    store.state = "ok"
    await cache.fetch(store, cache.due())

    assert early == []
    assert (cache.look(*TOKEN).is_stale, cache.look(*TOKEN).age_s) == (False, 0)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("asked", "count", "left"),
    [
        pytest.param(["a"], 2, {"b"}, id="every version of one"),
        pytest.param(["a", "b"], 3, set(), id="two"),
        pytest.param(["c"], 0, {"a", "b"}, id="one that nobody knows"),
        pytest.param([], 0, {"a", "b"}, id="none"),
        pytest.param(None, 3, set(), id="all"),
    ],
)
async def test_invalidate_counts_what_it_drops(asked: list[str] | None, count: int, left: set[str]) -> None:
    """It returns how many findings are gone, of every version of the names that are given."""
    cache, _ = made()
    await cache.fetch(FakeSecrets({"a": "x", "b": "y"}), [("a", LATEST), ("a", "1"), ("b", LATEST)])

    assert cache.invalidate(asked) == count
    assert {name for name, _ in cache.held()} == left


@pytest.mark.asyncio
async def test_failures_are_forgotten_alone() -> None:
    """What could not be had is asked for again; values and absences stay."""
    cache, _ = made()
    await cache.fetch(FakeSecrets({"a": "x"}), [("a", LATEST), ("b", LATEST)])
    cache.note(("c", LATEST), Unavailable("no", category="secrets", name="fake", operation="get"))

    assert cache.forget_failures() == 1
    assert [cache.look(name).state for name in "abc"] == ["found", "missing", "unknown"]
