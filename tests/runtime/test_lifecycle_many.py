"""A start of many adapters: side by side, in the order of their needs, and rolled back as a whole."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from oneiric import Application, Inputs
from oneiric.core.errors import StartFailed
from tests.support.loop import pass_time, run

COUNT, FAILING = 50, 10


class Part:
    """An adapter that takes its time to open."""

    log: list[tuple[str, str]]

    def __init__(self, name: str, fails: bool, opens_in_s: float) -> None:
        self.name, self._fails, self._opens_in_s = name, fails, opens_in_s

    async def open(self) -> None:
        """Open, or fail after a while."""
        await pass_time(self._opens_in_s)
        if self._fails:
            raise OSError(self.name)
        Part.log.append(("open", self.name))

    async def close(self) -> None:
        """Close."""
        Part.log.append(("close", self.name))


def many(failing: set[int], opens_in_s: float = 0.02) -> Application:
    """Return an application of 50 adapters, in which every one of the second half needs one of the first."""
    Part.log = []
    app = Application("many", inputs=Inputs(environ={}))
    for number in range(COUNT):
        name = f"part{number}"

        class Numbered(Part):
            def __init__(self, name: str = name, fails: bool = number in failing) -> None:
                super().__init__(name, fails, opens_in_s)

        app.slot(name, Part)
        app.slot(name, eager=True)
        app.override({name: Numbered})
    return app


@pytest.mark.parametrize("seed", range(8))
def test_a_start_of_which_some_fail_is_rolled_back_with_every_cause(seed: int) -> None:
    """Everything that was opened is closed, in reverse order, and one error names all that failed."""
    failing = set(random.Random(seed).sample(range(COUNT), FAILING))
    app = many(failing)

    async def start() -> StartFailed:
        with pytest.raises(StartFailed) as raised:
            await app.start()
        return raised.value

    error, _ = run(start())

    opened = [name for what, name in Part.log if what == "open"]
    closed = [name for what, name in Part.log if what == "close"]
    assert closed == opened[::-1]
    assert set(error.causes) == {f"slot part{number}" for number in failing}
    assert app.state == "stopped"


def test_adapters_that_do_not_need_each_other_open_side_by_side() -> None:
    """Fifty adapters of 20 ms each take seven turns of eight, and not fifty."""
    app = many(set())

    async def start() -> Any:
        await app.start()
        opened_s = asyncio.get_running_loop().time()
        await app.stop()
        return opened_s

    took_s, _ = run(start())

    assert took_s == pytest.approx(7 * 0.02)
