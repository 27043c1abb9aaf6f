"""What makes an object, and the build that is under way."""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from oneiric import INJECTED, Inject, inject
from oneiric.core.errors import AppNotImportable
from oneiric.providers.adapter import AdapterProvider, Attempt, ObjectProvider
from oneiric.providers.engine import Provider

PATH = "oneiric.adapters.cache.memory:MemoryCache"


class Plain: ...


class Living:
    class Settings: ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...


def function() -> Plain:
    return Plain()


async def coroutine() -> Plain:
    return Plain()


def generator() -> Iterator[Plain]:
    yield Plain()


async def async_generator() -> AsyncIterator[Plain]:
    yield Plain()


@inject
async def injected(x: Inject[Plain] = INJECTED) -> Plain:
    return x


@pytest.mark.parametrize(
    ("target", "opens", "needs_loop", "settings"),
    [
        pytest.param(Plain, False, False, None, id="class"),
        pytest.param(Living, True, True, Living.Settings, id="class with a life"),
        pytest.param(function, False, False, None, id="function"),
        pytest.param(generator, False, False, None, id="generator"),
        pytest.param(coroutine, False, True, None, id="coroutine"),
        pytest.param(async_generator, False, True, None, id="async generator"),
        pytest.param(injected, False, True, None, id="injected coroutine"),
    ],
)
def test_a_provider_knows_what_its_target_needs(target: Any, opens: bool, needs_loop: bool, settings: Any) -> None:
    """Only classes are opened and have settings; only what awaits needs an event loop."""
    provider = ObjectProvider(target)

    assert (provider.opens, provider.needs_loop, provider.settings_class) == (opens, needs_loop, settings)


def test_a_provider_is_one_of_the_engine_and_is_never_copied() -> None:
    """A copy would split what is shared."""
    provider = ObjectProvider(Plain)

    assert isinstance(provider, Provider)
    assert copy.deepcopy({"a": provider})["a"] is provider
    assert type(provider()) is Plain
    assert str(provider) == f"<provider of {__name__}:Plain>"


def test_an_adapter_is_imported_on_first_use() -> None:
    """Declaring a hundred of them imports none."""
    program = (
        "import sys\n"
        "from oneiric.providers.adapter import AdapterProvider\n"
        f"provider = AdapterProvider({PATH!r})\n"
        "print(str(provider), 'oneiric.adapters.cache.memory' in sys.modules)\n"
        "print(provider.target.__name__, 'oneiric.adapters.cache.memory' in sys.modules)"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout

    assert said.splitlines() == [f"<adapter {PATH}> False", "MemoryCache True"]


def test_an_adapter_that_cannot_be_imported_names_its_path() -> None:
    """The path stands in the catalog or in somebody's distribution."""
    with pytest.raises(AppNotImportable, match=r"oneiric\.adapters\.cache\.nowhere:Cache"):
        AdapterProvider("oneiric.adapters.cache.nowhere:Cache").target  # noqa: B018  # the import is what fails


@pytest.mark.asyncio
async def test_a_cancelled_waiter_leaves_the_build_alone() -> None:
    """The next waiter gets the object."""
    attempt = Attempt(asyncio.get_running_loop())
    first = asyncio.create_task(attempt.wait())
    second = asyncio.create_task(attempt.wait())
    await asyncio.sleep(0)

    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    attempt.future.set_result("built")

    assert await second == "built"


@pytest.mark.asyncio
async def test_all_waiters_get_the_same_error() -> None:
    """A failure is one object, whoever looks at it."""
    attempt, error = Attempt(asyncio.get_running_loop()), LookupError("once")
    waiters = [asyncio.create_task(attempt.wait()) for _ in range(3)]
    await asyncio.sleep(0)

    attempt.future.set_exception(error)

    found = await asyncio.gather(*waiters, return_exceptions=True)
    assert all(one is error for one in found)
