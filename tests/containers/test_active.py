"""Which application an injected call belongs to."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oneiric import INJECTED, Application, Container, Inject, Inputs, inject, using
from oneiric.containers import active
from oneiric.core.errors import NoActiveApplication


class Name: ...


@inject
def who(name: Inject[Name] = INJECTED) -> Name:
    return name


@inject
async def awho(name: Inject[Name] = INJECTED) -> Name:
    return name


def container(name: str) -> tuple[Container, Name]:
    """Return a container and the object that tells it from others."""
    app, mark = Container(name), Name()
    app.slot("name", Name)
    app.override({"name": mark})
    return app, mark


def application(name: str, folder: Path) -> tuple[Application, Name]:
    """As `container`, with a life."""
    app, mark = Application(name, inputs=Inputs(environ={}, folder=folder)), Name()
    app.slot("name", Name)
    app.override({"name": mark})
    return app, mark


def test_the_only_application_is_the_default() -> None:
    """The decorator ran long before it existed."""
    _, mark = container("one")

    assert who() is mark


def test_two_applications_need_a_choice_and_the_message_names_them() -> None:
    """A guess would be right half the time."""
    container("orders")
    container("billing")

    with pytest.raises(NoActiveApplication) as caught:
        who()

    assert caught.value.message == (
        f"{__name__}:who(name) needs slot Name; searched: explicit: -   using(): -   "
        "framework: -   default: 2 applications, none started and none chosen (orders, billing)"
    )
    assert caught.value.fixes == ("with using(app): ...", "app.make_default()")


def test_no_application_at_all_is_an_error() -> None:
    """An import alone does not make one."""
    with pytest.raises(NoActiveApplication, match="default: no application"):
        who()


def test_the_default_does_not_depend_on_the_garbage_collector() -> None:
    """An application that is gone was made all the same: the answer is the same before and after a collection."""
    container("gone")
    _, _ = container("kept")

    gc.collect()

    with pytest.raises(NoActiveApplication, match=r"2 applications.*\(gone, kept\)"):
        who()


def test_the_only_application_is_kept_alive() -> None:
    """`Application("x")` in a module that keeps no name for it still is the default."""
    mark = container("one")[1]

    gc.collect()

    assert who() is mark


def test_make_default_decides_and_none_takes_it_back() -> None:
    """A site that was called before follows the new decision."""
    one, first = container("one")
    two, second = container("two")

    one.make_default()
    assert who() is first
    two.make_default()
    assert who() is second
    active.make_default(None)
    with pytest.raises(NoActiveApplication):
        who()


def test_a_second_application_takes_the_default_away() -> None:
    """What was unambiguous is not any more, also for a site that is bound already."""
    _, mark = container("one")
    assert who() is mark

    container("two")

    with pytest.raises(NoActiveApplication):
        who()


@pytest.mark.asyncio
async def test_the_only_started_application_is_the_default(tmp_path: Path) -> None:
    """Others may exist; when it stops, nothing decides again."""
    app, mark = application("serves", tmp_path)
    container("idle")

    async with app:
        assert who() is mark
        assert await awho() is mark

    with pytest.raises(NoActiveApplication):
        who()


@pytest.mark.asyncio
async def test_two_started_applications_need_a_choice(tmp_path: Path) -> None:
    """The message names the started ones."""
    one, _ = application("one", tmp_path)
    two, second = application("two", tmp_path)

    async with one, two:
        with pytest.raises(NoActiveApplication, match=r"2 started applications, none chosen \(one, two\)"):
            who()
        with using(two):
            assert who() is second


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda app: app.call(who), id="call"),
        pytest.param(lambda app: asyncio.run(app.call(awho)), id="call of a coroutine"),
        pytest.param(lambda app: contextvars.copy_context().run(under, app, who), id="using"),
    ],
)
def test_two_applications_share_a_function(call: Callable[[Container], Name]) -> None:
    """Each call gets its own, in any order, also after the function was bound for another."""
    one, first = container("one")
    two, second = container("two")
    one.make_default()

    assert [call(one), call(two), who(), call(one)] == [first, second, first, first]


def under(app: Container, function: Callable[[], Name]) -> Name:
    """Call a function under an application."""
    with using(app):
        return function()


def fail_after(condition: bool) -> None:
    """Raise LookupError, if the condition holds."""
    assert condition
    raise LookupError


def test_using_is_above_the_default_and_ends() -> None:
    """The inner block wins, an exception ends it as well."""
    one, first = container("one")
    two, second = container("two")

    with using(one):
        with pytest.raises(LookupError), using(two):
            fail_after(who() is second)
        assert who() is first
    with pytest.raises(NoActiveApplication):
        who()


@pytest.mark.asyncio
async def test_a_task_belongs_to_the_application_it_was_created_under() -> None:
    """Also after the block has ended: the context decides, and the task kept it."""
    one, _ = container("one")
    two, second = container("two")
    one.make_default()
    goes_on = asyncio.Event()

    async def job() -> Name:
        await goes_on.wait()
        return await awho()

    with using(two):
        task = asyncio.create_task(job())
    goes_on.set()

    assert await task is second


def test_calls_are_fast_again_when_no_context_remembers_a_use() -> None:
    """The context variable is read only while `contextual` is above zero."""
    before = active.switch.contextual
    app, _ = container("one")

    with using(app):
        copy = contextvars.copy_context()
        assert active.switch.contextual == before + 1
    assert active.switch.contextual == before + 1

    del copy
    assert active.switch.contextual == before


def test_a_thread_started_by_hand_does_not_see_using() -> None:
    """A copied context does; `asyncio.to_thread` copies it."""
    one, first = container("one")
    two, second = container("two")
    one.make_default()
    seen: dict[str, Any] = {}

    def look(key: str) -> None:
        seen[key] = who()

    with using(two):
        threads = [
            threading.Thread(target=look, args=("bare",)),
            threading.Thread(target=contextvars.copy_context().run, args=(look, "copied")),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert seen == {"bare": first, "copied": second}


def test_a_slot_added_later_is_injected() -> None:
    """A site that failed before asks again."""
    app = Container("grows")

    @inject
    def handler(late: Inject[Name] | None = INJECTED) -> Any:
        return late

    assert handler() is None
    app.slot("late", Name)
    mark = Name()
    app.override({"late": mark})

    assert handler() is mark


def test_a_function_is_bound_to_one_application() -> None:
    """`function.bind(app)` belongs to that application, inside `using` of another one as well; sync and async."""
    ours, theirs = Container("ours"), Container("theirs")
    for container in (ours, theirs):
        container.slot("name", Name)
        container.override({"name": Name()})

    @inject
    def drive(name: Inject[Name] = INJECTED) -> Name:
        return name

    @inject
    async def glide(name: Inject[Name] = INJECTED) -> Name:
        return name

    with using(theirs):
        driven = drive.bind(ours)()  # type: ignore[attr-defined]
        glided = asyncio.run(glide.bind(ours)())  # type: ignore[attr-defined]

    assert driven is glided is ours.adapters.name()
