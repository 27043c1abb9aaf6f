"""An application from start to stop: everything opened once, in order, and closed once, in reverse."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import ItemsView
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from oneiric import INJECTED, Application, Inject, Inputs, inject
from oneiric.core.errors import (
    InvalidApplication,
    StartFailed,
    UnknownProfile,
    UnknownSlot,
)
from oneiric.core.log import configure
from tests.support.parts import Low, Other, Side, tower

WAIT_S = 10.0


async def fail() -> None:
    """Raise what nobody expects."""
    raise ConnectionError("hunter2")


async def hang() -> None:
    """Never end."""
    await asyncio.Event().wait()


@inject
async def use_side(side: Inject[Side] = INJECTED) -> Side:
    """Return what is injected."""
    return side


@pytest.mark.asyncio
async def test_slots_open_after_what_they_need_and_close_before_it() -> None:
    """The order is that of the dependencies, whatever the order of declaration."""
    app, journal = tower()

    async with app:
        opened = journal.of("open")
        state = app.state

    assert (state, app.state) == ("started", "stopped")
    assert [part for part in opened if part != "side"] == ["low", "middle", "high"]
    assert sorted(opened) == ["high", "low", "middle", "side"]
    assert journal.of("close") == opened[::-1]


@pytest.mark.asyncio
async def test_slots_that_do_not_need_each_other_open_side_by_side() -> None:
    """A start takes as long as its slowest chain, not as all together."""
    app, journal = tower()
    both = asyncio.Barrier(2)

    async def meet() -> None:
        await asyncio.wait_for(both.wait(), WAIT_S)

    journal.acts = {"opening low": meet, "opening side": meet}

    async with app:
        opened = journal.of("open")

    assert "side" in opened


@pytest.mark.asyncio
async def test_only_what_is_needed_or_eager_is_opened_by_the_start() -> None:
    """The rest waits for its first use, and is closed by the stop as well."""
    app, journal = tower(eager=False)

    @app.on("order.created")
    @inject
    async def take(event: object, low: Inject[Low] = INJECTED) -> None:
        """Need low."""

    async with app:
        by_start = journal.of("open")
        await app.call(use_side)
        by_use = journal.of("open")

    assert (by_start, by_use) == (["low"], ["low", "side"])
    assert journal.of("close") == ["side", "low"]


@pytest.mark.asyncio
async def test_a_start_that_fails_closes_what_was_open() -> None:
    """In reverse order; the error holds the slot, the cause, and what failed while closing."""
    app, journal = tower()
    journal.acts = {"opening high": fail, "close middle": fail}

    with pytest.raises(StartFailed) as caught:
        await app.start()

    error = caught.value
    assert error.slot == "slot high"
    assert isinstance(error.__cause__, ConnectionError)
    assert [type(failure) for failure in error.closing] == [ConnectionError]
    assert [part for part in journal.of("close") if part != "side"] == ["middle", "low"]
    assert sorted(journal.of("open")) == sorted(journal.of("close"))
    assert (app.state, app.lifecycle.open_slots) == ("stopped", [])
    assert "hunter2" not in str(error)


@pytest.mark.asyncio
async def test_a_start_that_failed_may_be_tried_again() -> None:
    """Nothing of the first try is left: neither an object nor an error."""
    app, journal = tower()
    journal.acts = {"opening high": fail}
    with pytest.raises(StartFailed):
        await app.start()
    journal.acts.clear()
    journal.entries.clear()

    async with app:
        opened = journal.of("open")

    assert sorted(opened) == ["high", "low", "middle", "side"]


@pytest.mark.asyncio
async def test_a_start_has_a_time_limit() -> None:
    """What is still opening is given up, what is open is closed."""
    app, journal = tower(ONEIRIC_APP__START_TIMEOUT_S="0.05")
    journal.acts = {"opening middle": hang}

    with pytest.raises(StartFailed) as caught:
        await app.start()

    assert isinstance(caught.value.__cause__, TimeoutError)
    assert sorted(journal.of("close")) == ["low", "side"]
    assert app.state == "stopped"


@pytest.mark.asyncio
async def test_an_application_with_faults_opens_nothing() -> None:
    """All faults come in one error."""
    app, journal = tower(ONEIRIC_SELECT__LOWW="memory", ONEIRIC_SELECT__CACHE="reddis")

    with pytest.raises(InvalidApplication) as caught:
        await app.start()

    assert [fault.code for fault in caught.value.faults] == ["selection-unknown", "unknown-slot"]
    assert (journal.entries, app.state) == ([], "new")


@pytest.mark.asyncio
async def test_starting_and_stopping_twice_is_harmless() -> None:
    """Each does its work once."""
    app, journal = tower()

    await app.stop()
    await app.start()
    await app.start()
    await app.stop()
    await app.stop()

    assert len(journal.of("open")) == 4
    assert len(journal.of("close")) == 4


@pytest.mark.asyncio
async def test_a_start_after_a_stop_builds_new_objects() -> None:
    """Nothing that was closed is handed out again."""
    app, journal = tower()
    async with app:
        first = app.adapters.low()

    async with app:
        second = app.adapters.low()

    assert first is not second
    assert len(journal.of("open")) == len(journal.of("close")) == 8


@pytest.mark.asyncio
async def test_a_stop_waits_for_the_start_under_way() -> None:
    """And then closes what that one opened."""
    app, journal = tower()
    is_opening, may_open = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        is_opening.set()
        await may_open.wait()

    journal.acts = {"opening low": wait}
    starting = asyncio.create_task(app.start())
    await is_opening.wait()
    stopping = asyncio.create_task(app.stop())
    may_open.set()
    await asyncio.gather(starting, stopping)

    assert app.state == "stopped"
    assert len(journal.of("open")) == 4
    assert journal.of("close") == journal.of("open")[::-1]


@pytest.mark.asyncio
async def test_a_start_that_is_cancelled_at_any_moment_leaves_nothing_open() -> None:
    """However far it came, every open has its close, and the next start works."""
    for ticks in range(40):
        app, journal = tower()
        starting = asyncio.create_task(app.start())
        for _ in range(ticks):
            await asyncio.sleep(0)

        starting.cancel()
        await asyncio.wait({starting})
        if starting.cancelled():
            assert journal.of("close") == journal.of("open")[::-1], f"cancelled after {ticks} ticks"
        await asyncio.wait_for(app.start(), WAIT_S)
        await app.stop()

        assert sorted(journal.of("close")) == sorted(journal.of("open")), f"cancelled after {ticks} ticks"


@pytest.mark.asyncio
async def test_what_was_opening_when_the_start_was_cancelled_never_opens() -> None:
    """Nobody would close it."""
    app, journal = tower()
    is_opening, may_open = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        is_opening.set()
        await may_open.wait()

    journal.acts = {"opening middle": wait}
    starting = asyncio.create_task(app.start())
    await is_opening.wait()
    starting.cancel()
    await asyncio.wait({starting})
    may_open.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert sorted(journal.of("open")) == sorted(journal.of("close")) == ["low", "side"]


@pytest.mark.asyncio
async def test_a_stop_that_is_cancelled_still_closes_everything() -> None:
    """The cancellation passes when that is done."""
    app, journal = tower()
    is_closing, may_close = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        is_closing.set()
        await may_close.wait()

    await app.start()
    journal.acts = {"close high": wait, "close side": wait}
    at_end: list[int] = []
    stopping = asyncio.create_task(app.stop())
    stopping.add_done_callback(lambda task: at_end.append(len(journal.of("close"))))
    await is_closing.wait()
    stopping.cancel()
    await asyncio.wait({stopping}, timeout=0.05)
    may_close.set()
    await asyncio.wait({stopping})

    assert stopping.cancelled()
    assert at_end == [4]
    assert app.state == "stopped"


@pytest.mark.asyncio
async def test_closers_that_fail_keep_no_other_from_running() -> None:
    """All failures come in one group."""
    app, journal = tower()
    journal.acts = {"close high": fail, "close low": fail}
    await app.start()

    with pytest.raises(ExceptionGroup) as caught:
        await app.stop()

    assert len(caught.value.exceptions) == 2
    assert len(journal.of("close")) == 4
    assert app.state == "stopped"


@pytest.mark.asyncio
async def test_the_error_of_a_body_passes_after_everything_is_closed() -> None:
    """`async with app` hides nothing."""
    app, journal = tower()

    with pytest.raises(ZeroDivisionError):
        async with app:
            raise ZeroDivisionError

    assert len(journal.of("close")) == 4


@pytest.mark.asyncio
async def test_what_an_override_built_is_closed_when_it_ends() -> None:
    """What was open before stays open, and is handed out again."""
    app, journal = tower(eager=False)
    async with app:
        before = await asyncio.to_thread(app.adapters.low)
        with app.override({"low": Other}):
            inside = await asyncio.to_thread(app.adapters.low)
        await app.settled()
        entries = list(journal.entries)
        after = app.adapters.low()

    assert isinstance(inside, Other)
    assert before is after
    assert entries == ["opening low", "open low", "opening other", "open other", "close other"]
    assert journal.of("close") == ["other", "low"]


@pytest.mark.asyncio
async def test_health_is_asked_of_everything_that_is_open() -> None:
    """By slot name, sorted; what is not open is not asked."""
    app, _ = tower(eager=False)

    async with app:
        await app.call(use_side)
        await asyncio.to_thread(app.adapters.low)
        health = await app.health()

    assert [(slot, answer.ok) for slot, answer in health.items()] == [("low", True), ("side", True)]
    assert await app.health() == {}


def test_the_log_names_each_slot_that_opens_and_closes() -> None:
    """Also what needs no opening, such as a generator that cleans up after itself."""
    app, _ = tower()

    @app.provide("flag", eager=True)
    def flag() -> Any:
        yield "up"

    stream = io.StringIO()
    configure(as_json=True, stream=stream)

    async def live() -> None:
        async with app:
            pass

    asyncio.run(live())

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    opened = [line["slot"] for line in lines if line["message"] == "slot opened"]
    closed = [line["slot"] for line in lines if line["message"] == "slot closed"]
    assert sorted(opened) == ["flag", "high", "low", "middle", "side"]
    assert closed == opened[::-1]


@pytest.mark.parametrize(
    ("argument", "variable", "profile"),
    [
        pytest.param(None, None, "default", id="nobody says one"),
        pytest.param(None, "systemd", "systemd", id="the environment says one"),
        pytest.param("test", "systemd", "test", id="the code stands above the environment"),
    ],
)
def test_the_profile_is_said_by_code_or_environment(argument: str | None, variable: str | None, profile: str) -> None:
    """It decides which layers speak."""
    environ = {} if variable is None else {"ONEIRIC_PROFILE": variable}
    app = Application("shop", profile=argument, inputs=Inputs(environ=environ))

    assert app.profile.name == profile


def test_an_unknown_profile_is_refused_when_it_is_needed() -> None:
    """Making an application reads nothing, so it refuses nothing."""
    app = Application("shop", profile="serverles", inputs=Inputs(environ={}))

    with pytest.raises(UnknownProfile):
        app.check()


def test_configuring_anew_replaces_the_layers_of_before() -> None:
    """What the first inputs said is gone."""
    app = Application("shop", inputs=Inputs(environ={"ONEIRIC_SELECT__STORAGE": "memory"}))
    before = app.explain("storage").fields()["winner"]

    app.configure(Inputs(environ={}))
    after = app.explain("storage").fields()["winner"]

    assert before != after


def test_a_slot_that_is_not_there_is_named() -> None:
    """With the nearest names."""
    app, _ = tower()

    with pytest.raises(UnknownSlot, match="did you mean"):
        app.override({"loww": Other})


def test_the_configuration_is_read_once_by_one_thread() -> None:
    """Another one waits for it, and never drops layers that the first one builds from."""
    is_free: list[bool] = []

    class Probe(dict[str, str]):
        """An environment that asks from another thread whether the lock is free while it is read."""

        def items(self) -> ItemsView[str, str]:  # type: ignore[override]  # a dict has a type of its own for it
            with ThreadPoolExecutor(1) as pool:
                is_free.append(pool.submit(app.stack.lock.acquire, blocking=False).result())
            return super().items()

    app = Application("t", inputs=Inputs(environ=Probe(), folder=Path("no-such-folder")))

    app.configure()

    assert set(is_free) == {False}
