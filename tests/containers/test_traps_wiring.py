"""The traps of the engine around declaring and wiring: each first shown on the bare engine, then that ours holds."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from socket import socket
from typing import Annotated, Any

import pytest
from dependency_injector import wiring
from dependency_injector.containers import DeclarativeContainer, DynamicContainer
from dependency_injector.errors import Error as EngineError
from dependency_injector.errors import NonCopyableArgumentError
from dependency_injector.providers import DependenciesContainer, Factory, Object, Resource, Singleton

from oneiric import INJECTED, Application, Container, Inject, Inputs, LayerContainer, Named, inject, using
from oneiric.core.errors import NeedsAsyncOpen, OneiricError
from tests.containers.shapes import Clock, Engine, FixedClock
from tests.support.engine import wired

LIMIT_S = 50
SEGMENTATION_FAULT = -11
CRASHES = sys.version_info >= (3, 13)  # a provider cycle does, where older interpreters raise RecursionError


def run(program: str, *, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler=0", "-c", program],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        cwd=folder,
    )


ENGINES_CYCLE = """
from dependency_injector.containers import DynamicContainer
from dependency_injector.providers import Factory
a, b = Factory(dict), Factory(dict)
a.add_kwargs(b=b)
b.add_kwargs(a=a)
container = DynamicContainer()
container.a, container.b = a, b
container.check_dependencies()
print("valid", flush=True)
try:
    a()
except RecursionError:
    print("recursion")
"""
OUR_CYCLE = """
from typing import Annotated, Any
from oneiric import INJECTED, Container, Named
from oneiric.core.errors import DependencyCycle
app = Container("circle")
for name, other in (("a", "b"), ("b", "a")):
    def make(needed: Any = INJECTED) -> Any: ...
    make.__annotations__ = {"needed": Annotated[Any, Named(other)]}
    app.provide(name)(make)
print(*[fault.code for fault in app.faults()[0]])
try:
    app.services.a()
except DependencyCycle as error:
    print(*error.cycle)
"""
OUR_CHAIN = """
from typing import Annotated, Any
from oneiric import INJECTED, Container, Named
app = Container("chain")
app.provide("s0")(lambda: 1)
for n in range(1, 20_000):
    def make(below: Any = INJECTED) -> Any:
        return below + 1
    make.__annotations__ = {"below": Annotated[int, Named(f"s{n - 1}")]}
    app.provide(f"s{n}")(make)
app.check()
print(app.services.s19999())
"""


@pytest.mark.slow
def test_trap_15_a_cycle_is_refused_with_its_way() -> None:
    """The engine finds it valid and then recurses, or crashes on 3.13; ours says it, and takes a chain of 20,000."""
    engines, cycle, chain = run(ENGINES_CYCLE), run(OUR_CYCLE), run(OUR_CHAIN)

    assert engines.stdout.split() == (["valid"] if CRASHES else ["valid", "recursion"])
    assert engines.returncode == (SEGMENTATION_FAULT if CRASHES else 0)
    assert (cycle.stdout, cycle.stderr) == ("dependency-cycle\na b a\n", "")
    assert (chain.stdout, chain.stderr) == ("20000\n", "")


class Session: ...


class Ping:
    def __init__(self, pong: Annotated[object, Named("pong")] = INJECTED) -> None: ...


class Pong:
    def __init__(self, ping: Annotated[object, Named("ping")] = INJECTED) -> None: ...


class Holder:
    def __init__(self, session: Inject[Session] = INJECTED) -> None: ...


class Unsure:
    def __init__(self, clock: Inject[Clock] = INJECTED) -> None: ...


class Ghostly:
    def __init__(self, ghost: Inject[Ghost] = INJECTED) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # nowhere


class Lacking:
    def __init__(self, engine: Inject[Engine] = INJECTED) -> None: ...


def test_trap_16_validation_finds_every_kind_of_fault_at_once() -> None:
    """The engine's looks for undefined dependencies alone; ours reports six kinds together, each with its path."""

    class Engines(DeclarativeContainer):
        session = Factory(Session)
        holder = Singleton(Holder, session)
        wrong = Singleton(Session, 1, 2, 3)

    Engines().check_dependencies()

    app = Container("faulty", layers=[LayerContainer("profile", {"watch": Session()})])
    app.slot("wall", Clock)
    app.slot("watch", Clock)
    app.override({"wall": FixedClock(), "watch": FixedClock()})
    made = {"ping": Ping, "pong": Pong, "holder": Holder, "unsure": Unsure, "ghostly": Ghostly, "lacking": Lacking}
    for name, kind in made.items():
        app.provide(name)(kind)
    app.provide("session", scope="request")(Session)

    faults, _ = app.faults()

    assert [fault.code for fault in faults] == [
        "ambiguous-type",
        "annotation-unresolved",
        "dependency-cycle",
        "missing-dependency",
        "scope-leak",
        "wrong-type",
    ]
    assert all(fault.path and fault.fixes for fault in faults)


@wiring.inject
def engines_own(name: Any = wiring.Provide["name"]) -> Any:
    """Return what the engine injects."""
    return name


@inject
def ours(engine: Inject[Engine] = INJECTED) -> Engine:
    """Return the engine."""
    return engine


def test_trap_17_two_applications_share_a_module() -> None:
    """The last one to wire has it in the engine, and the end of one unbinds the other; with ours each has its own."""

    class Engines(DeclarativeContainer):
        name = Object("none")

    one, two = Engines(name=Object("one")), Engines(name=Object("two"))
    with wired(one, engines_own) as handlers:
        two.wire(modules=[handlers])
        assert handlers.engines_own() == "two"
        one.unwire()
        assert isinstance(handlers.engines_own(), wiring.Provide)

    apps = {Container("first"): Engine(), Container("second"): Engine()}
    for app, engine in apps.items():
        app.slot("engine", Engine)
        app.override({"engine": engine})
    for _ in range(2):
        for app, engine in apps.items():
            assert app.call(ours) is engine
            with using(app):
                assert ours() is engine


def test_trap_18_providers_and_their_arguments_are_never_copied() -> None:
    """A lock fails in the engine, and a shared provider becomes two; ours are one, and hand on what they were given."""
    shared = Singleton(Session)

    class Shares(DeclarativeContainer):
        session = shared

    class Locks(DeclarativeContainer):
        locked = Factory(dict, lock=threading.Lock())

    assert Shares().session() is not Shares().session()
    with pytest.raises(NonCopyableArgumentError):
        Locks()

    app, lock = Container("shares"), threading.Lock()
    with socket() as endpoint:
        app.slot("guard", type(lock))
        app.slot("endpoint", socket)
        app.override({"guard": lock, "endpoint": endpoint})

        class Parent(DeclarativeContainer):
            adapters = DependenciesContainer()
            first = Factory(dict, guard=adapters.guard, endpoint=adapters.endpoint)

        one, two = Parent(adapters=app.adapters), Parent(adapters=app.adapters)

        assert one.first() == two.first() == {"guard": lock, "endpoint": endpoint}
    assert app.adapters.guard is app.slot("guard") is app.adapters.providers["guard"]


def test_trap_19_declaring_adapters_imports_none(tmp_path: Path) -> None:
    """The engine imports what a string names when it is declared; ours declare 100 adapters and import no SDK."""
    (tmp_path / "declaring.py").write_text(
        "from dependency_injector.providers import Singleton\nconvert = Singleton('colorsys.rgb_to_hls')\n"
    )
    engines = run(
        "import sys\nbefore = 'colorsys' in sys.modules\nimport declaring\nprint(before, 'colorsys' in sys.modules)",
        folder=tmp_path,
    )
    declared = run(
        "import sys\n"
        "from oneiric import Application, LayerContainer\n"
        "from oneiric.providers.catalog import Catalog\n"
        "rows = Catalog().all_rows()\n"
        "app = Application('large')\n"
        "for n in range(100):\n"
        "    row = rows[n % len(rows)]\n"
        "    app.slot(f'{row.category}.s{n}', object)\n"
        "    app.override({f'{row.category}.s{n}': row.name})\n"
        "sdks = {row.sdk.partition('.')[0] for row in rows if row.sdk} | {row.path.partition(':')[0] for row in rows}\n"
        "print(len(sdks) > 5, sorted(sdks & set(sys.modules)))"
    )

    assert engines.stdout == "False True\n"
    assert (declared.stdout, declared.stderr) == ("True []\n", "")


def test_trap_20_nothing_is_wired_and_no_package_imported(tmp_path: Path) -> None:
    """The engine imports every submodule of a package that it wires; ours imports none when an application is made."""
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "script.py").write_text("print('imported')\n")
    (package / "app.py").write_text("from oneiric import Application\napp = Application('shop')\n")

    engines = run(
        "import shop\n"
        "from dependency_injector.containers import DynamicContainer\n"
        "DynamicContainer().wire(packages=[shop])",
        folder=tmp_path,
    )
    made = run(
        "import sys, shop.app\n"
        "before = set(sys.modules)\n"
        "shop.app.app.__class__('another')\n"
        "print(sorted(set(sys.modules) - before), 'shop.script' in sys.modules)",
        folder=tmp_path,
    )

    assert engines.stdout == "imported\n"
    assert (made.stdout, made.stderr) == ("[] False\n", "")


def test_trap_21_the_engine_brings_no_web_framework() -> None:
    """It imports those that are installed; through ours none of them comes, and each can still be imported."""
    known = "{'starlette', 'werkzeug', 'fastapi', 'yaml', 'pydantic_settings'}"
    engines = run(f"import sys, dependency_injector.wiring\nprint(*sorted({known} & set(sys.modules)))")
    through_ours = run(
        "import sys, oneiric\n"
        "from oneiric import Application, inject, Provide\n"
        "Application('x')\n"
        f"print(sorted({known} & set(sys.modules)))\n"
        "import starlette.requests, pydantic_settings\n"
        "print(starlette.requests.Request.__name__, pydantic_settings.BaseSettings.__name__)"
    )

    assert {"starlette", "pydantic_settings"} <= set(engines.stdout.split())
    assert (through_ours.stdout, through_ours.stderr) == ("[]\nRequest BaseSettings\n", "")


@pytest.mark.asyncio
async def test_trap_22_a_slot_added_after_the_start_is_injectable(tmp_path: Path) -> None:
    """What comes after linking is not defined in the engine; ours is found, and read as directly as any other."""

    class Engines(DeclarativeContainer):
        adapters = DependenciesContainer()
        handler = Factory(dict, late=adapters.late)

    linked = DynamicContainer()
    parent = Engines(adapters=linked)
    linked.late = Object("late")
    with pytest.raises(EngineError, match=r'Dependency "Engines\.adapters\.late" is not defined'):
        parent.handler()

    app, late = Application("serves", inputs=Inputs(environ={}, folder=tmp_path)), Engine()
    async with app:
        with pytest.raises(OneiricError):
            app.call(ours)
        app.slot("late", Engine)
        app.override({"late": late})

        assert app.call(ours) is app.adapters.late() is late
        assert app.adapters.late is app.slot("late")
        assert app.slot("late").cell.live is late


class Opening:
    """It has to be opened by an event loop."""

    async def open(self) -> None:
        """Open it."""


async def opening() -> AsyncIterator[Opening]:
    """Make one."""
    yield Opening()


@wiring.inject
def engines_sync(before: int, name: Any = wiring.Provide["name"]) -> Any:
    """Return what the engine injects."""
    return name


@pytest.mark.asyncio
async def test_trap_23_explicit_arguments_win_and_no_task_is_handed_on() -> None:
    """The engine refuses a positional one, and gives a Task to synchronous code; ours takes it, and says what to do."""

    class Engines(DeclarativeContainer):
        name = Resource(opening)

    with wired(Engines(), engines_sync) as handlers:
        task = handlers.engines_sync(1)
        assert type(task).__name__ == "Task"
        await task
        with pytest.raises(TypeError, match="multiple values for argument 'name'"):
            handlers.engines_sync(1, "given")

    app = Container("shop")
    app.provide("opening")(opening)

    @inject
    def handler(before: int, it: Inject[Opening] = INJECTED) -> Any:
        return before, it

    given: Any = handler

    assert given(1, "given") == (1, "given")
    assert given(1, it=None) == (1, None)
    with pytest.raises(NeedsAsyncOpen) as caught:
        handler(1)
    assert caught.value.path[-1] == "slot opening"
