"""Sessions of concurrent requests, over a real server, in every web framework."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import fastapi
import litestar
import pytest
from litestar.middleware import DefineMiddleware
from litestar.params import PathParameter
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from oneiric import INJECTED, Application, Inject, inject
from oneiric.integrations.starlette import InjectionMiddleware, lifespan
from tests.integrations.server import serving
from tests.integrations.shop import Broken, Desk, Session, shop


class Gate:
    """Holds the slow requests until all fast ones are answered."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()


@inject
async def inner(session: Inject[Session] = INJECTED) -> int:
    """Use the session of whoever calls."""
    return session.use()


@inject
async def work(how: str, gate: Inject[Gate] = INJECTED, session: Inject[Session] = INJECTED) -> str:
    """Use the session, before and after waiting; or fail."""
    number = session.use()
    if how == "slow":
        await gate.opened.wait()
    assert await inner() == session.use() == number
    if how == "broken":
        raise Broken
    return str(number)


def for_starlette(app: Application) -> Any:
    """Return a server whose endpoint fails where the function does, except for `caught`."""

    async def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await work(request.path_params["how"]))

    async def caught(request: Request) -> PlainTextResponse:
        with pytest.raises(Broken):
            await work("broken")
        return PlainTextResponse("caught")

    def refuse(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("refused", 409)

    return Starlette(
        routes=[Route("/jobs/{how}", endpoint), Route("/caught", caught)],
        lifespan=lifespan(app),
        middleware=[Middleware(InjectionMiddleware, application=app)],
        exception_handlers={Broken: refuse},
    )


def for_fastapi(app: Application) -> Any:
    """Return a server whose endpoint is the function."""
    api = fastapi.FastAPI(lifespan=lifespan(app))
    api.add_middleware(InjectionMiddleware, application=app)
    api.get("/jobs/{how}")(work)

    @api.get("/caught")
    async def caught() -> str:
        with pytest.raises(Broken):
            await work("broken")
        return "caught"

    @api.exception_handler(Broken)
    def refuse(request: fastapi.Request, error: Exception) -> fastapi.Response:
        return fastapi.Response("refused", 409)

    return api


def for_litestar(app: Application) -> Any:
    """Return a server whose endpoint is the function."""

    @litestar.get("/jobs/{how:str}")
    async def endpoint(how: Annotated[str, PathParameter()]) -> str:
        return await work(how)

    @litestar.get("/caught")
    async def caught() -> str:
        with pytest.raises(Broken):
            await work("broken")
        return "caught"

    def refuse(request: object, error: Exception) -> litestar.Response[str]:
        return litestar.Response("refused", status_code=409)

    return litestar.Litestar(
        [endpoint, caught],
        lifespan=[lifespan(app)],
        middleware=[DefineMiddleware(InjectionMiddleware, application=app)],
        exception_handlers={Broken: refuse},
    )


Make = Callable[[Application], Any]
SERVERS = [
    pytest.param(for_starlette, id="starlette"),
    pytest.param(for_fastapi, id="fastapi"),
    pytest.param(for_litestar, id="litestar"),
]


def gated(desk: Desk) -> tuple[Application, Gate]:
    """Return an application with a gate, and the gate."""
    app, gate = shop(desk), Gate()
    app.provide("gate")(Gate)
    app.override({"gate": gate})
    return app, gate


@pytest.mark.parametrize("make", SERVERS)
@pytest.mark.asyncio
async def test_twenty_concurrent_requests_have_twenty_sessions(make: Make) -> None:
    """Half of them wait until the others are answered: none is closed in use, and in the end all are closed."""
    desk = Desk()
    app, gate = gated(desk)

    async with serving(make(app)) as client:
        slow = [asyncio.create_task(client.get("/jobs/slow")) for _ in range(10)]
        fast = await asyncio.gather(*(client.get("/jobs/fast") for _ in range(10)))
        gate.opened.set()
        answers = [*await asyncio.gather(*slow), *fast]

    assert [answer.status_code for answer in answers] == [200] * 20
    assert sorted(int(answer.text.strip('"')) for answer in answers) == list(range(20))
    assert desk.ends == ["commit"] * 20


@pytest.mark.parametrize("make", SERVERS)
@pytest.mark.asyncio
async def test_a_handler_that_raises_rolls_its_session_back(make: Make) -> None:
    """Also where the framework makes an answer of the exception; the sessions of others are not concerned."""
    desk = Desk()
    app, _ = gated(desk)

    async with serving(make(app)) as client:
        answers = [await client.get(path) for path in ("/jobs/broken", "/jobs/fast")]

    assert [answer.status_code for answer in answers] == [409, 200]
    assert desk.ends == ["rollback: Broken", "commit"]


@pytest.mark.parametrize("make", SERVERS)
@pytest.mark.asyncio
async def test_an_exception_that_the_handler_deals_with_closes_as_usual(make: Make) -> None:
    """It answered with success."""
    desk = Desk()
    app, _ = gated(desk)

    async with serving(make(app)) as client:
        answer = await client.get("/caught")

    assert answer.status_code == 200
    assert desk.ends == ["commit"]


@pytest.mark.parametrize("make", SERVERS)
@pytest.mark.asyncio
async def test_two_servers_with_two_applications_stay_apart(make: Make) -> None:
    """In one process and one event loop; each request has its session from its own application."""
    desks = [Desk(), Desk()]
    north, south = (gated(desk)[0] for desk in desks)

    async with serving(make(north)) as to_north, serving(make(south)) as to_south:
        await asyncio.gather(*(client.get("/jobs/fast") for client in (to_north, to_south, to_north)))

    assert [desk.ends for desk in desks] == [["commit", "commit"], ["commit"]]


@pytest.mark.parametrize("make", SERVERS)
@pytest.mark.asyncio
async def test_the_application_lives_as_long_as_the_server(make: Make) -> None:
    """It starts before the first request, and stops with the server."""
    app, _ = gated(Desk())

    async with serving(make(app)) as client:
        await client.get("/jobs/fast")
        states = [app.state]
    states.append(app.state)

    assert states == ["started", "stopped"]


@pytest.mark.parametrize("make", SERVERS)
@pytest.mark.asyncio
async def test_an_application_that_runs_already_is_left_running(make: Make) -> None:
    """Whoever started it stops it."""
    app, _ = gated(Desk())

    async with app:
        async with serving(make(app)) as client:
            await client.get("/jobs/fast")
        assert app.state == "started"
