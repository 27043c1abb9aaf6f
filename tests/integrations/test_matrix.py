"""One function in every framework: injected, its scope opened and closed, its overrides seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import click
import click.testing
import fastapi
import litestar
import litestar.testing
import pytest
import typer
import typer.testing
from fastmcp import Client, FastMCP
from litestar.middleware import DefineMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

import oneiric.integrations.click
import oneiric.integrations.fastapi
import oneiric.integrations.fastmcp
import oneiric.integrations.litestar
import oneiric.integrations.starlette
import oneiric.integrations.typer
from oneiric import INJECTED, Application, Inject, inject
from tests.integrations.shop import Desk, Greeting, Session, shop

# Litestar wants its own marker at each parameter; the very same function for all frameworks cannot have it.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated inferred style")


@inject
def greet(name: str, greeting: Inject[Greeting] = INJECTED) -> str:
    """Greet somebody."""
    assert greeting.is_open
    return f"{greeting.word} {name}"


@inject
async def greet_later(name: str, greeting: Inject[Greeting] = INJECTED) -> str:
    """Greet somebody, asynchronously."""
    assert greeting.is_open
    return f"{greeting.word} {name}"


@inject
def count(name: str, session: Inject[Session] = INJECTED) -> str:
    """Tell the number of the session."""
    return f"{name} {session.use()}"


@inject
async def count_later(name: str, session: Inject[Session] = INJECTED) -> str:
    """Tell the number of the session, asynchronously."""
    return f"{name} {session.use()}"


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "greet": greet,
    "greet-later": greet_later,
    "count": count,
    "count-later": count_later,
}
Call = Callable[[str, str], str]  # the name of a function, and its argument
Door = Callable[[Application], AbstractContextManager[Call]]


@contextmanager
def through_starlette(app: Application) -> Iterator[Call]:
    """Call over HTTP, by endpoints that call the function."""

    def endpoint(function: Callable[..., Any]) -> Callable[..., Any]:
        if asyncio.iscoroutinefunction(function):

            async def serve(request: Request) -> PlainTextResponse:
                return PlainTextResponse(await function(request.query_params["name"]))

            return serve
        return lambda request: PlainTextResponse(function(request.query_params["name"]))

    api = Starlette(
        lifespan=oneiric.integrations.starlette.lifespan(app),
        middleware=[Middleware(oneiric.integrations.starlette.InjectionMiddleware, application=app)],
    )
    for path, function in FUNCTIONS.items():
        api.add_route(f"/{path}", endpoint(function))
    with TestClient(api) as client:
        yield lambda path, name: client.get(f"/{path}", params={"name": name}).text


@contextmanager
def through_fastapi(app: Application) -> Iterator[Call]:
    """Call over HTTP."""
    api = fastapi.FastAPI(lifespan=oneiric.integrations.fastapi.lifespan(app))
    api.add_middleware(oneiric.integrations.fastapi.InjectionMiddleware, application=app)
    for path, function in FUNCTIONS.items():
        api.get(f"/{path}")(function)
    with TestClient(api) as client:
        yield lambda path, name: str(client.get(f"/{path}", params={"name": name}).json())


@contextmanager
def through_litestar(app: Application) -> Iterator[Call]:
    """Call over HTTP."""
    middleware = DefineMiddleware(oneiric.integrations.litestar.InjectionMiddleware, application=app)
    api = litestar.Litestar(
        [
            litestar.get(f"/{path}", sync_to_thread=None if asyncio.iscoroutinefunction(function) else True)(function)
            for path, function in FUNCTIONS.items()
        ],
        lifespan=[oneiric.integrations.litestar.lifespan(app)],
        middleware=[middleware],
    )
    with litestar.testing.TestClient(api) as client:
        yield lambda path, name: client.get(f"/{path}", params={"name": name}).text


@contextmanager
def through_typer(app: Application) -> Iterator[Call]:
    """Run a command and take what it returns."""
    program = typer.Typer()
    for path, function in FUNCTIONS.items():
        program.command(path)(function)
    oneiric.integrations.typer.attach(program, app)
    runner = typer.testing.CliRunner()
    yield lambda path, name: str(runner.invoke(program, [path, name], standalone_mode=False).return_value)


@contextmanager
def through_click(app: Application) -> Iterator[Call]:
    """Run a command and take what it returns."""
    program = click.Group()
    for path, function in FUNCTIONS.items():
        program.command(path)(click.argument("name")(function))
    oneiric.integrations.click.attach(program, app)
    runner = click.testing.CliRunner()
    yield lambda path, name: str(runner.invoke(program, [path, name], standalone_mode=False).return_value)


@contextmanager
def through_fastmcp(app: Application) -> Iterator[Call]:
    """Call a tool through a client in memory."""
    server = FastMCP(
        "shop",
        lifespan=oneiric.integrations.fastmcp.lifespan(app),
        middleware=[oneiric.integrations.fastmcp.InjectionMiddleware(app)],
    )
    for path, function in FUNCTIONS.items():
        server.tool(function, name=path)

    async def call(path: str, name: str) -> str:
        async with Client(server) as client:
            return str((await client.call_tool(path, {"name": name})).data)

    yield lambda path, name: asyncio.run(call(path, name))


DOORS = [
    pytest.param(through_starlette, id="starlette"),
    pytest.param(through_fastapi, id="fastapi"),
    pytest.param(through_litestar, id="litestar"),
    pytest.param(through_typer, id="typer"),
    pytest.param(through_click, id="click"),
    pytest.param(through_fastmcp, id="fastmcp"),
]
KINDS = [pytest.param("", id="sync"), pytest.param("-later", id="async")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", DOORS)
def test_a_function_gets_its_open_adapters(door: Door, kind: str) -> None:
    """The application runs with its framework, and its argument is the framework's own."""
    with door(shop(Desk())) as call:
        assert call(f"greet{kind}", "Ada") == "hello Ada"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", DOORS)
def test_each_call_has_a_session_of_its_own(door: Door, kind: str) -> None:
    """It ends with the call."""
    desk = Desk()

    with door(shop(desk)) as call:
        assert [call(f"count{kind}", "Ada"), call(f"count{kind}", "Bob")] == ["Ada 0", "Bob 1"]
        assert desk.ends == ["commit", "commit"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", DOORS)
def test_an_override_is_seen_and_taken_away(door: Door, kind: str) -> None:
    """Also one that is made when the framework runs already."""
    app = shop(Desk())

    with door(app) as call:
        with app.override({"greeting": Greeting("moin")}):
            assert call(f"greet{kind}", "Ada") == "moin Ada"
        assert call(f"greet{kind}", "Ada") == "hello Ada"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", DOORS)
def test_a_local_override_of_the_caller_is_seen(door: Door, kind: str) -> None:
    """It reaches what runs in the caller's context."""
    app = shop(Desk())

    with app.local_override({"greeting": Greeting("moin")}), door(app) as call:
        assert call(f"greet{kind}", "Ada") == "moin Ada"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", DOORS)
def test_two_applications_stay_apart(door: Door, kind: str) -> None:
    """The same function, in two programs or servers of one process."""
    with (
        door(shop(Desk(), name="north", word="moin")) as north,
        door(shop(Desk(), name="south", word="servus")) as south,
    ):
        assert [north(f"greet{kind}", "Ada"), south(f"greet{kind}", "Ada"), north(f"greet{kind}", "Bob")] == [
            "moin Ada",
            "servus Ada",
            "moin Bob",
        ]
