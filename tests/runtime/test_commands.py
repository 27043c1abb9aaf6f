"""What a running application is asked and told from outside, in its own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from oneiric import Application, Inputs
from oneiric.adapters.cache import Cache
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.core.errors import BadCommand, NotRunning, SwapFailed, UnknownGeneration, UnknownKey, UnknownSlot
from oneiric.core.markers import INJECTED, Inject
from oneiric.providers.catalog import ROWS, Catalog, Row
from oneiric.runtime.activity import MEMORY, ActivityStore
from oneiric.runtime.commands import Commands
from oneiric.runtime.orchestrator import prepare
from oneiric.web.readiness import Readiness

FILE = """
[settings.cache.memory]
max_items = 10
"""


class GuardedCache(MemoryCache):
    """A cache that asks for a password."""

    class Settings(MemoryCache.Settings):
        """The password."""

        password: SecretStr | None = None


class BrokenCache(MemoryCache):
    """A cache that does not open."""

    async def open(self) -> None:
        """Fail."""
        raise ConnectionError("hunter2")


class Prices:
    """What things cost."""

    def __init__(self, cache: Inject[Cache] = INJECTED) -> None:
        self.cache = cache


class Shop:
    """A small application with its commands, and a configuration file in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "oneiric.toml").write_text(FILE, "utf-8")
        rows = [
            *ROWS,
            Row("cache", "guarded", f"{__name__}:GuardedCache"),
            Row("cache", "broken", f"{__name__}:BrokenCache"),
        ]
        catalog = Catalog(rows=rows, third_party=False)
        self.app = Application("shop", catalog=catalog)
        self.app.provide("prices", eager=True)(Prices)
        prepare(self.app, Inputs(environ={}, folder=folder))
        self.activity = ActivityStore(MEMORY)
        self.app.recorders.append(self.activity)
        self.readiness = Readiness(self.app)
        self.commands = Commands(self.app, self.readiness, self.activity)

    async def told(self, op: str, **fields: Any) -> dict[str, Any]:
        """Carry out a command; its answer is JSON."""
        answer = await self.commands.carry_out({"op": op, **fields})
        found: dict[str, Any] = json.loads(json.dumps(answer))
        return found

    def plan_file(self, text: str) -> str:
        """Write another configuration file and return its path."""
        path = self.folder / "other.toml"
        path.write_text(text, "utf-8")
        return str(path)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop that has not been started."""
    made = Shop(tmp_path)
    yield made
    made.activity.close()


@pytest.mark.asyncio
async def test_a_swap_names_what_changed_and_the_command_is_its_origin(shop: Shop) -> None:
    """Who asks why finds the command line."""
    async with shop.app:
        answer = await shop.told("swap", slots={"cache": "guarded"})
        explained = shop.app.explain("cache")

    assert (answer["app"], answer["profile"], answer["generation"]) == ("shop", "default", 2)
    assert answer["rebuilt"] == ["cache", "prices"]
    assert [(one["slot"], one["before"]["winner"], one["after"]["winner"]) for one in answer["slots"]] == [
        ("cache", "memory", "guarded")
    ]
    assert explained.winner is not None
    assert str(explained.winner.origin) == "oneiric swap cache guarded"


@pytest.mark.asyncio
async def test_a_swap_that_fails_changes_nothing_and_is_kept(shop: Shop) -> None:
    """The activity says at which step, and nothing of what the adapter said."""
    async with shop.app:
        with pytest.raises(SwapFailed):
            await shop.told("swap", slots={"cache": "broken"})
        answer = await shop.told("activity", subject="slot:cache")

    last = answer["activity"][-1]
    assert answer["generation"] == 1
    assert (last["outcome"], last["generation"], last["detail"]["after"]) == ("failed", 1, "broken")
    assert "hunter2" not in json.dumps(answer)


@pytest.mark.asyncio
async def test_a_rollback_is_a_new_generation(shop: Shop) -> None:
    """The list shows what each of them changed, and which one is in force."""
    async with shop.app:
        await shop.told("swap", slots={"cache": "guarded"})
        back = await shop.told("rollback", to=1)
        answer = await shop.told("generations")

    told = [(one["generation"], one["cause"], one["in_force"]) for one in answer["generations"]]
    changed = [[change["after"]["winner"] for change in one["slots"]] for one in answer["generations"]]
    assert [one["after"]["winner"] for one in back["slots"]] == ["memory"]
    assert told == [(1, "start", False), (2, "swap", False), (3, "rollback to 1", True)]
    assert changed == [[], ["guarded"], ["memory"]]


@pytest.mark.asyncio
async def test_an_earlier_generation_is_explained_as_it_was(shop: Shop) -> None:
    """Slot, settings and order are those of then; now is told as ever."""
    async with shop.app:
        await shop.told("swap", slots={"cache": "guarded"})
        then = await shop.told("explain", name="cache", at=1)
        now = await shop.told("explain", name="cache")
        value = await shop.told("explain", name="cache.memory.max_items", at=1)

    assert [one["explanation"]["generation"] for one in (then, now, value)] == [1, 2, 1]
    assert [one["explanation"]["winner"]["value"] for one in (then, now, value)] == ["memory", "guarded", 10]
    assert "as it was, generation 1" in then["text"]
    assert "ready, generation 2" in now["text"]
    assert "cache.memory.max_items" in [one["name"] for one in then["explanation"]["settings"]]


@pytest.mark.asyncio
async def test_asking_about_an_earlier_generation_closes_nothing(shop: Shop) -> None:
    """What serves is the same object as before."""
    async with shop.app:
        before = shop.app.adapters.cache()
        await shop.told("swap", slots={"cache": "guarded"})
        serving = shop.app.adapters.cache()
        await shop.told("explain", name="cache", at=1)
        await shop.told("plan", config=shop.plan_file('[select]\ncache = "memory"\n'))

        assert shop.app.adapters.cache() is serving
        assert serving is not before
        assert shop.app.generation == 2


@pytest.mark.asyncio
async def test_a_plan_shows_slots_settings_and_dependants_and_touches_nothing(shop: Shop) -> None:
    """Secrets are hidden, and defaults that go with their adapter are left out."""
    config = shop.plan_file(
        '[select]\ncache = "guarded"\n[settings.cache.guarded]\npassword = "hunter2"\n[settings.web]\nport = 99\n'
    )
    async with shop.app:
        answer = await shop.told("plan", config=config)
        after = shop.app.explain("cache")

    settings = {one["name"]: (one["before"], one["after"]) for one in answer["settings"]}
    assert "hunter2" not in json.dumps(answer)
    assert [(one["slot"], one["before"]["winner"], one["after"]["winner"]) for one in answer["slots"]] == [
        ("cache", "memory", "guarded")
    ]
    assert sorted(settings) == ["cache.guarded.password", "cache.memory.max_items", "web.port"]
    assert settings["cache.guarded.password"][0] is None
    assert settings["cache.guarded.password"][1]["redacted"]
    assert [one and one["value"] for one in settings["web.port"]] == [None, 99]
    assert answer["rebuilt"] == ["cache", "prices"]
    assert answer["faults"] == []
    assert (after.generation, after.winner and after.winner.value) == (1, "memory")


@pytest.mark.asyncio
async def test_a_plan_without_a_file_is_that_of_a_reload(shop: Shop) -> None:
    """First nothing would change; after the file has changed, what a reload will do."""
    async with shop.app:
        nothing = await shop.told("plan")
        (shop.folder / "oneiric.toml").write_text(FILE.replace("10", "20"), "utf-8")
        planned = await shop.told("plan")
        reloaded = await shop.app.reload()

    assert (nothing["slots"], nothing["settings"], nothing["rebuilt"]) == ([], [], [])
    assert [(one["before"]["value"], one["after"]["value"]) for one in planned["settings"]] == [(10, 20)]
    assert planned["rebuilt"] == list(reloaded.rebuilt) == ["cache", "prices"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param('[select]\ncache = "nope"\n', "selection-unknown", id="an adapter that is not there"),
        pytest.param(
            '[settings.cache.memory]\nmax_items = "many"\n', "invalid-value", id="a setting that does not fit"
        ),
    ],
)
async def test_a_plan_tells_why_it_could_not_be(shop: Shop, text: str, code: str) -> None:
    """The faults are those that the reload would fail with."""
    async with shop.app:
        answer = await shop.told("plan", config=shop.plan_file(text))
        with pytest.raises(SwapFailed):
            await shop.app.reload(Inputs(environ={}, folder=shop.folder, config="other.toml"))

    assert [fault["code"] for fault in answer["faults"]] == [code]


@pytest.mark.asyncio
async def test_its_health_has_the_generation(shop: Shop) -> None:
    """And says whether it is ready."""
    async with shop.app:
        shop.readiness.start()
        answer = await shop.told("health")

    assert (answer["status"], answer["is_ready"], answer["generation"]) == ("ready", True, 1)
    assert [(one["subject"], one["health"]) for one in answer["subjects"]] == [("slot:cache", "ok")]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        pytest.param(["swap"], BadCommand, id="no object"),
        pytest.param({}, BadCommand, id="nothing"),
        pytest.param({"op": "_swap"}, BadCommand, id="a name of the inside"),
        pytest.param({"op": ["swap"]}, BadCommand, id="an op that is no text"),
        pytest.param({"op": "swap"}, BadCommand, id="a swap of nothing"),
        pytest.param({"op": "swap", "slots": {}}, BadCommand, id="a swap of no slot"),
        pytest.param({"op": "swap", "slots": {"cache": 7}}, BadCommand, id="a swap to a number"),
        pytest.param({"op": "swap", "slots": {"cach": "memory"}}, UnknownSlot, id="a swap of a slot unknown"),
        pytest.param({"op": "rollback", "to": "1"}, BadCommand, id="a rollback to a text"),
        pytest.param({"op": "rollback", "to": True}, BadCommand, id="a rollback to yes"),
        pytest.param({"op": "rollback", "to": 77}, UnknownGeneration, id="a rollback to what never was"),
        pytest.param({"op": "explain"}, BadCommand, id="explain nothing"),
        pytest.param({"op": "explain", "name": "cach"}, UnknownSlot, id="explain a slot unknown"),
        pytest.param({"op": "explain", "name": "cache.memory.nope", "at": 1}, UnknownKey, id="explain a key unknown"),
        pytest.param({"op": "explain", "name": "cache", "at": 77}, UnknownGeneration, id="explain what never was"),
        pytest.param({"op": "plan", "config": "other.toml"}, BadCommand, id="a plan of a file somewhere"),
        pytest.param({"op": "activity", "after": "1"}, BadCommand, id="activity after a text"),
    ],
)
async def test_what_is_no_command_is_refused(shop: Shop, message: Any, kind: type[Exception]) -> None:
    """Before anything is done."""
    async with shop.app:
        with pytest.raises(kind):
            await shop.commands.carry_out(message)

        assert shop.app.generation == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"op": "swap", "slots": {"cache": "memory"}}, id="swap"),
        pytest.param({"op": "explain", "name": "cache"}, id="explain"),
    ],
)
async def test_an_application_that_does_not_serve_says_so(shop: Shop, message: dict[str, Any]) -> None:
    """The socket is open only while it does; this is for the moments between."""
    with pytest.raises(NotRunning):
        await shop.commands.carry_out(message)
