"""Opening, asking and closing within time limits."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from oneiric.core.errors import BuildFailed, OpenTimeout, StartFailed, Unavailable
from oneiric.core.log import configure
from tests.support.parts import tower


async def hang() -> None:
    """Never end."""
    await asyncio.Event().wait()


async def time_out() -> None:
    """Raise as a client does whose own time limit is over."""
    raise TimeoutError


async def be_away() -> None:
    """Raise as an adapter does whose backend is away."""
    raise Unavailable("connection refused", category="tower", name="low", operation="open")


async def fail() -> None:
    """Raise what nobody expects, with something that must not be shown."""
    raise ConnectionError("hunter2")


@pytest.mark.asyncio
async def test_an_open_that_takes_too_long_is_given_up() -> None:
    """Its own settings say how long; the error names slot and limit."""
    app, journal = tower("low.Low.open_timeout_s=0.05")
    journal.acts = {"opening low": hang}

    with pytest.raises(StartFailed) as caught:
        await app.start()

    cause = caught.value.__cause__
    assert isinstance(cause, OpenTimeout)
    assert (cause.slot, cause.budget_s) == ("low", 0.05)


@pytest.mark.asyncio
async def test_a_timeout_of_the_adapter_is_not_taken_for_ours() -> None:
    """Nobody goes and raises a limit that was never reached."""
    app, journal = tower()
    journal.acts = {"opening low": time_out}

    with pytest.raises(StartFailed) as caught:
        await app.start()

    assert not isinstance(caught.value.__cause__, OpenTimeout)


@pytest.mark.asyncio
async def test_an_adapter_error_of_an_open_learns_its_slot() -> None:
    """The adapter does not know it."""
    app, journal = tower()
    journal.acts = {"opening low": be_away}

    with pytest.raises(StartFailed) as caught:
        await app.start()

    cause = caught.value.__cause__
    assert isinstance(cause, Unavailable)
    assert cause.slot == "low"


@pytest.mark.asyncio
async def test_a_constructor_that_fails_is_told_from_an_open() -> None:
    """It is the application's own code."""
    app, journal = tower(eager=False)

    @app.provide("broken", eager=True)
    def broken() -> list[int]:
        raise ValueError("hunter2")

    with pytest.raises(StartFailed) as caught:
        await app.start()

    assert isinstance(caught.value.__cause__, BuildFailed)
    assert journal.entries == []


@pytest.mark.asyncio
async def test_a_closer_that_hangs_is_given_up_and_the_others_run() -> None:
    """Its own settings say how long; the log names it."""
    app, journal = tower("middle.Middle.close_timeout_s=0.05")
    journal.acts = {"close middle": hang}
    stream = io.StringIO()
    configure(level="ERROR", as_json=True, stream=stream)
    await app.start()

    with pytest.raises(ExceptionGroup) as caught:
        await app.stop()

    assert [type(failure) for failure in caught.value.exceptions] == [TimeoutError]
    assert sorted(journal.of("close")) == ["high", "low", "middle", "side"]
    assert [json.loads(line)["slot"] for line in stream.getvalue().splitlines()] == ["middle"]


@pytest.mark.parametrize(
    ("act", "is_ok"),
    [
        pytest.param(None, True, id="well"),
        pytest.param(fail, False, id="one that raises"),
        pytest.param(hang, False, id="one that hangs"),
    ],
)
@pytest.mark.asyncio
async def test_health_is_an_answer_whatever_the_adapter_does(act: object, is_ok: bool) -> None:
    """A check that raises or hangs says: not healthy; and nothing of what it raised."""
    app, journal = tower("low.Low.health_timeout_s=0.05")
    journal.acts = {"health low": act} if callable(act) else {}

    async with app:
        health = await app.health()

    assert (health["low"].ok, health["side"].ok) == (is_ok, True)
    assert "hunter2" not in health["low"].detail


@pytest.mark.asyncio
async def test_health_is_asked_of_all_at_once() -> None:
    """One that waits does not keep the others waiting."""
    app, journal = tower()
    both = asyncio.Barrier(2)

    async def meet() -> None:
        await both.wait()

    journal.acts = {"health low": meet, "health side": meet}

    async with app:
        health = await app.health()

    assert all(answer.ok for answer in health.values())


@pytest.mark.asyncio
async def test_a_secret_in_an_error_of_a_closer_stays_out_of_the_log() -> None:
    """The kind of error is said, its text is not."""
    app, journal = tower()
    journal.acts = {"close low": fail}
    stream = io.StringIO()
    configure(as_json=True, stream=stream)
    await app.start()

    with pytest.raises(ExceptionGroup):
        await app.stop()

    assert "ConnectionError" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
