"""Services: started together, stopped in reverse, and told when one fails."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from oneiric import INJECTED, Application, Inject, Inputs, inject
from oneiric.core.errors import WrongType
from oneiric.core.log import configure
from oneiric.runtime.supervisor import Supervisor
from tests.support.parts import Low, tower

WAIT_S = 10.0


class Crew:
    """An application with services that write down when they run and when they go."""

    def __init__(self) -> None:
        self.app = Application("crew", inputs=Inputs(environ={}))
        self.entries: list[str] = []
        self.is_running = asyncio.Event()

    def hire(self, *names: str) -> Supervisor:
        """Register services that run until they are cancelled."""
        for name in names:

            async def work(name: str = name) -> None:
                self.entries.append(f"{name} comes")
                if name == names[-1]:
                    self.is_running.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    self.entries.append(f"{name} goes")

            self.app.service(name)(work)
        return Supervisor(self.app)


@pytest.mark.asyncio
async def test_services_come_in_order_and_go_in_reverse() -> None:
    """Each has ended before the next is cancelled."""
    crew = Crew()
    supervisor = crew.hire("a", "b", "c")

    supervisor.start()
    await crew.is_running.wait()
    await supervisor.stop(timeout_s=WAIT_S)

    assert crew.entries == ["a comes", "b comes", "c comes", "c goes", "b goes", "a goes"]
    assert not supervisor.failed.is_set()


@pytest.mark.asyncio
async def test_a_service_gets_what_it_asks_for() -> None:
    """As every injected function of its application."""
    app, _ = tower()
    lows: list[Low] = []
    is_done = asyncio.Event()

    @app.service("user")
    @inject
    async def use(low: Inject[Low] = INJECTED) -> None:
        lows.append(low)
        is_done.set()

    async with app:
        supervisor = Supervisor(app)
        supervisor.start()
        await asyncio.wait_for(is_done.wait(), WAIT_S)
        await supervisor.stop(timeout_s=WAIT_S)
        expected = app.adapters.low()

    assert lows == [expected]
    assert not supervisor.failed.is_set()


@pytest.mark.asyncio
async def test_a_service_that_raises_is_told_and_logged() -> None:
    """The others go on until somebody stops them."""
    stream = io.StringIO()
    configure(level="ERROR", as_json=True, stream=stream)
    crew = Crew()

    @crew.app.service("broken")
    async def fail() -> None:
        raise ConnectionError("away")

    supervisor = crew.hire("steady")
    supervisor.start()
    await asyncio.wait_for(supervisor.failed.wait(), WAIT_S)
    await crew.is_running.wait()
    before_stop = list(crew.entries)
    await supervisor.stop(timeout_s=WAIT_S)

    line = json.loads(stream.getvalue())
    assert before_stop == ["steady comes"]
    assert (line["message"], line["service"]) == ("service failed", "broken")


@pytest.mark.asyncio
async def test_a_service_that_ignores_its_cancellation_is_left_behind() -> None:
    """The others get their turn, and the end counts as a failure."""
    configure(stream=io.StringIO())
    crew, may_end = Crew(), asyncio.Event()
    crew.hire("a")

    @crew.app.service("deaf")
    async def stay() -> None:
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                crew.entries.append("deaf stays")

    supervisor = Supervisor(crew.app)
    supervisor.start()
    await crew.is_running.wait()
    await supervisor.stop(timeout_s=0.2)
    entries = list(crew.entries)
    may_end.set()

    assert entries == ["a comes", "deaf stays", "a goes"]
    assert supervisor.failed.is_set()


@pytest.mark.asyncio
async def test_a_service_that_fails_while_it_is_stopped_counts_as_failed() -> None:
    """It is asked to clean up, and could not."""
    configure(stream=io.StringIO())
    crew, is_running = Crew(), asyncio.Event()

    @crew.app.service("messy")
    async def leave_a_mess() -> None:
        try:
            is_running.set()
            await asyncio.Event().wait()
        finally:
            raise ConnectionError("away")

    supervisor = Supervisor(crew.app)
    supervisor.start()
    await is_running.wait()
    await supervisor.stop(timeout_s=WAIT_S)

    assert supervisor.failed.is_set()


def test_a_synchronous_service_is_refused() -> None:
    """It could not be cancelled; found before anything is opened."""
    crew = Crew()

    @crew.app.service("old")
    def work() -> None:
        """Do nothing."""

    with pytest.raises(WrongType) as caught:
        Supervisor(crew.app)

    assert caught.value.message == "slot services.old takes an asynchronous function, not a synchronous one"


@pytest.mark.asyncio
async def test_without_services_there_is_nothing_to_do() -> None:
    """Starting and stopping nobody is no fault."""
    supervisor = Supervisor(Crew().app)

    supervisor.start()
    await supervisor.stop(timeout_s=0)

    assert not supervisor.failed.is_set()
