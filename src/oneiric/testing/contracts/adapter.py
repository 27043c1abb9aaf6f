"""The rules that hold for every adapter, of whatever category."""

from __future__ import annotations

import asyncio
import inspect
import re
import traceback
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
import pytest_asyncio
from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from oneiric.core.adapter import Adapter, AdapterSettings, Health
from oneiric.core.errors import AdapterError, NotOpen
from oneiric.testing.clock import FakeClock
from oneiric.testing.contracts.backend import Backend
from oneiric.testing.contracts.imports import forbidden_imports, loaded_sdks
from oneiric.testing.contracts.residue import Residue, watched

CYCLES = 50
CALLERS = 20
_HOLDS_A_SECRET = re.compile(r"(pass(word|wd|phrase)|token|secret|(api|access|private|signing|account)_key|dsn)$")
_IN_THE_ENVIRONMENT = ("HOST", "PORT", "PATH", "USER", "HOME", "URL", "PASSWORD", "TOKEN", "NAMESPACE", "TIMEOUT_S")


class AdapterContract:
    """
    What every adapter promises; a category's suite inherits it and implements `use`.

    A test class sets `adapter` and, where the settings need it, `settings`. The adapter is built from
    `adapter.Settings(**settings(backend))`; a constructor with a parameter `clock` gets the fixture of that name.
    An adapter of a server sets the class attribute `backend = "redis"`: it hides the fixture of this class, so that
    the project's own fixture `backend` is used, which finds the name in `request.cls.backend`.

    Attributes:
        adapter: The class under test.
        category: Its category, `cache`; set by the category's suite.
        capabilities: What its catalog row declares. A check of a capability that is absent expects `unsupported`.
        reopens: The same object may be opened again after `close`.
    """

    adapter: ClassVar[type[Any]]  # any adapter class; what it needs is checked below
    category: ClassVar[str]
    capabilities: ClassVar[frozenset[str]] = frozenset()
    reopens: ClassVar[bool] = True

    def settings(self, backend: Backend) -> dict[str, object]:
        """Return the settings under which the adapter works against this backend."""
        return {}

    def make(self, backend: Backend, clock: FakeClock, **changed: object) -> Any:  # the class under test
        """Build the adapter, not opened; `changed` replaces single settings."""
        settings = self.adapter.Settings(**{**self.settings(backend), **changed})
        if "clock" in inspect.signature(self.adapter).parameters:
            return self.adapter(settings, clock=clock)
        return self.adapter(settings)

    async def use(self, adapter: Any) -> None:  # the class under test
        """Make one ordinary call of the category's Protocol; it may be made many times, also at the same time."""
        raise NotImplementedError("the suite of the category implements use()")

    def spoil(self, backend: Backend) -> Callable[[], None] | None:
        """Make the next `open` fail and return what repairs it; None where nothing can make it fail."""
        return None

    def canary(self, field: str) -> str:
        """Return a value for a secret setting that is known again where it leaks; override where a grammar binds it."""
        return f"canary{field.replace('_', '')}9f3b"

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        """An embedded adapter's place to work in: no server, a private folder, a unique name."""
        return Backend(None, tmp_path, f"u{uuid.uuid4().hex}")

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The clock of the adapter under test."""
        return FakeClock()

    @pytest.fixture
    def made(self, backend: Backend, clock: FakeClock) -> Any:  # the class under test
        """The adapter, built and not opened."""
        return self.make(backend, clock)

    @pytest_asyncio.fixture
    async def opened(self, made: Any) -> AsyncIterator[Any]:  # the class under test
        """The adapter, open; closed after the test."""
        await made.open()
        yield made
        await made.close()

    def test_it_has_the_life_of_an_adapter(self, made: Any) -> None:
        """An adapter has open, close and health, and a nested Settings that derives from AdapterSettings."""
        assert isinstance(made, Adapter)
        assert issubclass(self.adapter.Settings, AdapterSettings)

    def test_an_unknown_setting_is_refused_without_showing_it(self, backend: Backend) -> None:
        """A key that the settings do not know is an error, and the error holds no input."""
        with pytest.raises(ValidationError) as caught:
            self.adapter.Settings(**self.settings(backend), surely_unknown="canary-input")

        assert [fault["type"] for fault in caught.value.errors()] == ["extra_forbidden"]
        assert "canary-input" not in str(caught.value)

    def test_a_wrong_setting_is_refused_without_showing_it(self, backend: Backend) -> None:
        """A value of the wrong type is an error that names the field and holds no input."""
        with pytest.raises(ValidationError) as caught:
            self.adapter.Settings(**{**self.settings(backend), "open_timeout_s": "canary-input"})

        assert [fault["loc"] for fault in caught.value.errors()] == [("open_timeout_s",)]
        assert "canary-input" not in str(caught.value)

    def test_every_setting_is_described(self) -> None:
        """Each field, nested ones too, has a description for the reference page."""
        silent = [name for name, field in _fields(self.adapter.Settings) if not field.description]

        assert silent == []

    def test_settings_do_not_read_the_environment(self, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
        """Only the configuration's layers read variables; building settings directly never does."""
        given = self.settings(backend)
        before = self.adapter.Settings(**given)
        fields = [name.upper() for name in self.adapter.Settings.model_fields]
        prefixed = [f"ONEIRIC_{self.category.upper()}__{name}" for name in fields]

        for name in (*_IN_THE_ENVIRONMENT, *fields, *prefixed):
            monkeypatch.setenv(name, "7")

        assert self.adapter.Settings(**given) == before

    def test_a_setting_that_holds_a_secret_hides_itself(self) -> None:
        """A text field whose name says password, token or key is a SecretStr or SecretBytes."""
        plain = [
            name
            for name, field in _fields(self.adapter.Settings)
            if _HOLDS_A_SECRET.search(name) and {str, bytes} & set(_types(field.annotation))
        ]

        assert plain == []

    @pytest.mark.asyncio
    async def test_secrets_appear_nowhere(self, backend: Backend, clock: FakeClock) -> None:
        """No secret setting is seen in a repr, a text, a health answer or an error, chained errors included."""
        secret = {
            name: self.canary(name)
            for name, field in self.adapter.Settings.model_fields.items()
            if {SecretStr, SecretBytes} & set(_types(field.annotation))
        }
        adapter = self.make(backend, clock, **secret)
        settings = self.adapter.Settings(**{**self.settings(backend), **secret})
        shown = [repr(adapter), str(adapter), repr(settings), str(settings)]

        for step in (adapter.open, lambda: self.use(adapter), adapter.close, lambda: self.use(adapter)):
            try:
                await step()
            except AdapterError as error:
                shown += [str(error), repr(error), "".join(traceback.format_exception(error))]
            shown.append(repr(await adapter.health()))

        assert [text for text in shown if any(canary in text for canary in secret.values())] == []

    def test_building_touches_nothing(self, backend: Backend, clock: FakeClock) -> None:
        """The constructor opens no file, socket or process; that waits for open."""
        self.make(backend, clock)  # the first time may still import something of the standard library

        with watched() as touched:
            self.make(backend, clock)

        assert touched == []

    @pytest.mark.asyncio
    async def test_it_works_once_open_and_closes(self, made: Any) -> None:
        """After open a call works; after close it is not-open."""
        await made.open()
        await self.use(made)
        await made.close()

        with pytest.raises(NotOpen):
            await self.use(made)

    @pytest.mark.asyncio
    async def test_a_call_before_open_is_refused(self, made: Any) -> None:
        """A call before open is not-open, and says whose call it was."""
        with pytest.raises(NotOpen) as caught:
            await self.use(made)

        assert caught.value.category == self.category
        assert caught.value.name
        assert caught.value.operation

    @pytest.mark.asyncio
    async def test_closing_twice_is_harmless(self, made: Any) -> None:
        """A second close does nothing, and so does one without an open."""
        await made.close()
        await made.open()
        await made.close()
        await made.close()

        assert not (await made.health()).ok

    @pytest.mark.asyncio
    async def test_it_may_be_opened_again(self, made: Any) -> None:
        """An adapter that promises it works again after close and open."""
        await made.open()
        await made.close()

        if self.reopens:
            await made.open()
            await self.use(made)
        await made.close()

    @pytest.mark.asyncio
    async def test_a_failed_open_may_be_tried_again(self, made: Any, backend: Backend) -> None:
        """An open that fails raises an adapter error, leaves the adapter not open, and may be tried again."""
        repair = self.spoil(backend)
        if repair is not None:
            with pytest.raises(AdapterError):
                await made.open()
            with pytest.raises(NotOpen):
                await self.use(made)
            repair()

        await made.open()
        await self.use(made)
        await made.close()

    @pytest.mark.asyncio
    @pytest.mark.parametrize("steps", [pytest.param(n, id=f"after {n} steps") for n in range(4)])
    async def test_a_cancelled_open_may_be_tried_again(self, made: Any, steps: int) -> None:
        """An open that is cancelled leaves nothing behind that a second one would trip over."""
        opening = asyncio.create_task(made.open())
        await _cancel_after(opening, steps)

        await made.close()
        if self.reopens:
            await made.open()
            await self.use(made)
        await made.close()

    @pytest.mark.asyncio
    async def test_many_lives_leave_nothing_behind(self, backend: Backend, clock: FakeClock) -> None:
        """50 cycles of open, a call and close leave no thread, no task and no file descriptor."""
        for _ in range(2):  # what is loaded or started once and kept is no leak
            await self._live_once(backend, clock)
        before = Residue.now()

        for _ in range(CYCLES):
            await self._live_once(backend, clock)

        assert Residue.now().over(before) == []

    async def _live_once(self, backend: Backend, clock: FakeClock) -> None:
        adapter = self.make(backend, clock)
        await adapter.open()
        await self.use(adapter)
        await adapter.close()

    @pytest.mark.asyncio
    async def test_health_is_ok_while_it_is_open(self, opened: Any) -> None:
        """The answer of an open adapter is ok and comes within health_timeout_s."""
        limit_s = self.adapter.Settings.model_fields["health_timeout_s"].default

        async with asyncio.timeout(limit_s):
            health = await opened.health()

        assert isinstance(health, Health)
        assert health.ok
        assert health.latency_s >= 0

    @pytest.mark.asyncio
    async def test_health_is_not_ok_while_it_is_not_open(self, made: Any) -> None:
        """Before open and after close the answer is not ok, says why, and nothing is raised."""
        before = await made.health()
        await made.open()
        await made.close()
        after = await made.health()

        assert (before.ok, after.ok) == (False, False)
        assert before.detail
        assert after.detail

    def test_importing_it_loads_no_sdk(self) -> None:
        """A fresh process that imports the adapter's module has no SDK in sys.modules."""
        assert loaded_sdks(self.adapter.__module__) == []

    def test_its_file_imports_only_what_an_adapter_may(self) -> None:
        """At its top stand the standard library, pydantic, oneiric.core and the common.py of categories."""
        assert forbidden_imports(Path(inspect.getfile(self.adapter)), self.adapter.__module__) == []

    @pytest.mark.asyncio
    async def test_first_calls_may_come_at_the_same_time(self, opened: Any) -> None:
        """Twenty callers that meet a fresh adapter are all served."""
        served = await asyncio.gather(*(self.use(opened) for _ in range(CALLERS)))

        assert len(served) == CALLERS

    @pytest.mark.asyncio
    @pytest.mark.parametrize("steps", [pytest.param(n, id=f"after {n} steps") for n in range(6)])
    async def test_a_cancelled_call_leaves_it_usable(self, opened: Any, steps: int) -> None:
        """Whoever cancels a call hurts nobody else: the next call works, and health is ok."""
        calling = asyncio.create_task(self.use(opened))
        await _cancel_after(calling, steps)

        await self.use(opened)

        assert (await opened.health()).ok


async def _cancel_after(task: asyncio.Task[None], steps: int) -> None:
    """Let a task run for some turns of the event loop, cancel it, and wait until it has ended."""
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()  # it was done before it could be cancelled: then it must have worked


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:  # pydantic's FieldInfo
    """Walk the fields of a model and of the models in it."""
    for name, field in model.model_fields.items():
        yield name, field
        for kind in _types(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(kind)


def _types(annotation: object) -> Iterator[object]:
    """Walk an annotation and everything inside its unions and generics."""
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)
